"""Where on VK a post stands: on the page's wall, or elsewhere, found by a search. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connectors.contract import Rejected
from connectors.vk.links import SITE

if TYPE_CHECKING:
    from connectors.contract import PostRef

_ELSEWHERE = re.compile(r"^(-?\d{1,18})_(\d{1,18})$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A post's owner and number there, and the community that speaks for us."""

    owner: int
    number: int
    voice: int
    elsewhere: bool = False

    @property
    def address(self) -> str:
        """As VK writes it in its own addresses."""
        return f"wall{self.owner}_{self.number}"

    def link(self, comment: int | str, root: int | str | None) -> str:
        """Where a comment stands: a reply also names the top comment of its thread."""
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
        return Place(owner=page, number=whole(post.external_id), voice=page)
    found = _ELSEWHERE.match(post.external_id)
    if found is None:
        code = "bad_request"
        raise Rejected(code, f"not the address of a post: {post.external_id[:40]!r}")
    return Place(owner=int(found[1]), number=int(found[2]), voice=voice, elsewhere=True)


def voice_of(page_external_id: str) -> int | None:
    """The community that a search is for; None for a page, which speaks for itself."""
    kind, _, rest = page_external_id.partition(":")
    return whole(rest.partition(":")[0]) if kind in {"search", "mentions"} else None
