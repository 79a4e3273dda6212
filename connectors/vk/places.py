"""Where on VK people comment: a post of the page's wall, its photo, video or discussion, or a post elsewhere. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors.contract import Rejected
from connectors.vk.capabilities import ABROAD, PHOTO, READERS, TOPIC, VIDEO, WALL, WRITERS
from connectors.vk.links import SITE

if TYPE_CHECKING:
    from connectors.contract import PostRef

_ELSEWHERE = re.compile(r"^(-?\d{1,18})_(\d{1,18})$")
_KEPT = re.compile(r"^(photo|video|topic)(\d{1,18})$")
_READ: Final = {WALL: "wall.getComments", PHOTO: "photos.getComments", VIDEO: "video.getComments", TOPIC: "board.getComments"}
_WRITE: Final = {WALL: "wall.createComment", PHOTO: "photos.createComment", VIDEO: "video.createComment", TOPIC: "board.createComment"}
_NUMBER: Final = {WALL: "post_id", PHOTO: "photo_id", VIDEO: "video_id", TOPIC: "topic_id"}
_FLAT: Final = frozenset({PHOTO, TOPIC})
"""Whose comments are one list: no thread of them can be asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What is commented on: whose it is, its number there, and the community that speaks for us."""

    owner: int
    number: int
    voice: int
    kind: str = WALL
    elsewhere: bool = False

    @property
    def address(self) -> str:
        """As VK writes it in its own addresses."""
        return f"{self.kind}{self.owner}_{self.number}"

    @property
    def flat(self) -> bool:
        """Whether its comments are one list."""
        return self.kind in _FLAT

    @property
    def named(self) -> dict[str, str | int]:
        """The parameters that name it."""
        owner: dict[str, str | int] = {"group_id": abs(self.owner)} if self.kind == TOPIC else {"owner_id": self.owner}
        return {**owner, _NUMBER[self.kind]: self.number}

    @property
    def read_by(self) -> str:
        """The method that tells its comments."""
        return _READ[self.kind]

    @property
    def written_by(self) -> str:
        """The method that answers there."""
        return _WRITE[self.kind]

    @property
    def readers(self) -> tuple[str, ...]:
        """Kinds of token that may read there: photos and videos are shown to people alone."""
        return READERS if self.kind in {WALL, TOPIC} else ABROAD

    @property
    def writers(self) -> tuple[str, ...]:
        """Kinds of token that may answer there: a community's own writes on its own wall alone."""
        return WRITERS if self.kind == WALL and not self.elsewhere else ABROAD

    def link(self, comment: int | str, root: int | str | None) -> str:
        """Where a comment stands: a reply also names the top comment of its thread."""
        if self.kind == TOPIC:
            return f"{SITE}/{self.address}?post={comment}"
        link = f"{SITE}/{self.address}?reply={comment}"
        return link if root is None or str(root) == str(comment) else f"{link}&thread={root}"


def whole(external_id: str) -> int:
    """One of VK's numbers. Rejected `bad_request`: it is none."""
    try:
        return int(external_id)
    except ValueError:
        code = "bad_request"
        raise Rejected(code, f"not one of VK's ids: {external_id[:40]!r}") from None


def place_of(post: PostRef) -> Place:
    """Where a post that we know stands."""
    voice = voice_of(post.page.external_id)
    if voice is None:
        page = whole(post.page.external_id)
        if (kept := _KEPT.match(post.external_id)) is not None:
            return Place(owner=page, number=int(kept[2]), voice=page, kind=kept[1])
        return Place(owner=page, number=whole(post.external_id), voice=page)
    found = _ELSEWHERE.match(post.external_id)
    if found is None:
        code = "bad_request"
        raise Rejected(code, f"not the address of a post: {post.external_id[:40]!r}")
    return Place(owner=int(found[1]), number=int(found[2]), voice=voice, elsewhere=True)


def kind_of_place(post: PostRef) -> str:
    """What `Capability.at` calls the place that a post stands for."""
    return place_of(post).kind


def voice_of(page_external_id: str) -> int | None:
    """The community that a search is for; None for a page, which speaks for itself."""
    kind, _, rest = page_external_id.partition(":")
    return whole(rest.partition(":")[0]) if kind in {"search", "mentions"} else None
