"""Pictures that people put to their answers: what comes is decoded and drawn anew, checked, and goes with the answer as one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from app.kernel.errors import InvalidError
from app.kernel.outgoing import RefusedError
from app.media.pictures import to_publish
from app.replies import pictures
from app.replies.pictures import NewPicture

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from app.kernel.db import WriteSession
    from app.people.rules import Access
    from connectors.contract import Pictures, PlaceReader, Plugin, PostRef

MOST_RATIO = 20
"""No side longer than so many times the other: platforms refuse such strips."""
MOST_LOOSE_BYTES = 100_000_000
"""So much may lie about that one person or system has brought and put to no answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureLimits:
    """What this installation takes: so many pictures in an answer, each no larger than so many bytes as it comes."""

    most: int = 10
    most_bytes: int = 5 * 1024 * 1024
    drawing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2), compare=False)
    """Of this process: drawing takes memory and time."""

    def taken(self, plugins: Mapping[str, Plugin]) -> dict[str, Taken]:
        """What pictures an answer may have, by platform; a platform that takes none is not there."""
        able = {name: (plugin.pictures, plugin.places) for name, plugin in plugins.items() if plugin.pictures is not None}
        return {name: Taken(pictures=one, places=places, ours=self.most) for name, (one, places) in able.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What a platform takes, and `ours`: how many this installation does."""

    pictures: Pictures
    places: PlaceReader | None
    ours: int

    def most(self, post: PostRef | None, token_kinds: Collection[str]) -> int:
        """How many may be put under this post with tokens of these kinds; 0: none."""
        here = None if post is None or self.places is None else self.places(post)
        fits = self.pictures.at in {None, here} and not set(self.pictures.token_kinds).isdisjoint(token_kinds)
        return min(self.pictures.most, self.ours) if fits else 0


async def drawn(files: Sequence[bytes], limits: PictureLimits) -> list[NewPicture]:
    """The pictures as they will be published. InvalidError `picture.…` that says which one is wrong, and why. Outside any transaction."""
    if len(files) > limits.most:
        raise InvalidError("picture.many", f"At most {limits.most} pictures go with an answer.", field="pictures", most=limits.most)
    return [await _drawn(content, number, limits) for number, content in enumerate(files, start=1)]


async def _drawn(content: bytes, number: int, limits: PictureLimits) -> NewPicture:
    if len(content) > limits.most_bytes:
        most = max(limits.most_bytes // (1024 * 1024), 1)
        raise InvalidError("picture.large", f"Picture {number} is larger than {most} MB.", field="pictures", number=number, most=most)
    try:
        async with limits.drawing:
            made = await asyncio.to_thread(to_publish, content)
    except RefusedError as error:
        raise _unfit(error.code, number) from error
    content, width, height = made
    if max(width, height) > MOST_RATIO * min(width, height):
        raise InvalidError("picture.shape", f"Picture {number} is too long and narrow.", field="pictures", number=number)
    return NewPicture(content=content, width=width, height=height)


async def copied(session: WriteSession, access: Access, chosen: Chosen, *, of_reply: int, now: datetime) -> Chosen:
    """The same pictures for another answer with the same words."""
    if not chosen.ids:
        return chosen
    return replace(chosen, ids=await pictures.copies(session, of_reply=of_reply, operator_id=access.operator_id, now=now))


async def keep(
    session: WriteSession, access: Access, brought: Sequence[NewPicture], taken: Mapping[str, Taken], *, now: datetime
) -> Chosen:
    """What came with the answer itself."""
    return Chosen(ids=[await pictures.bring(session, one, operator_id=access.operator_id, now=now) for one in brought], taken=taken)


async def bring(session: WriteSession, access: Access, new: NewPicture, *, now: datetime) -> int:
    """Keep a picture for an answer that is yet to be given; its id. The same bytes once more are the same picture.

    InvalidError `picture.loose` when too much lies about already.
    """
    if await pictures.loose_bytes(session, operator_id=access.operator_id) > MOST_LOOSE_BYTES:
        raise InvalidError("picture.loose", "Too many pictures wait for an answer: put them to one, or wait a day.", field="pictures")
    return await pictures.bring_once(session, new, operator_id=access.operator_id, now=now)


def _unfit(code: str, number: int) -> InvalidError:
    """Why a file cannot be drawn, by the code of whoever tried."""
    if code == "type":
        return InvalidError("picture.type", f"Picture {number} is no JPEG, PNG or WebP.", field="pictures", number=number)
    if code == "pixels":
        return InvalidError("picture.pixels", f"Picture {number} has too many pixels.", field="pictures", number=number)
    return InvalidError("picture.broken", f"Picture {number} is damaged.", field="pictures", number=number)


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The pictures that go with an answer, by their ids, and what a platform takes."""

    ids: Sequence[int] = ()
    taken: Mapping[str, Taken] = field(default_factory=dict)

    @property
    def told(self) -> dict[str, object]:
        """What the history says of them."""
        return {"pictures": len(self.ids)} if self.ids else {}


NO_PICTURES = Chosen()


async def put_to(session: WriteSession, access: Access, chosen: Chosen, *, reply_id: int, platform: str) -> None:
    """They go with the answer. InvalidError when the platform or our tokens do not let so many be put there, or they are not one's own."""
    if not chosen.ids:
        return
    taken = chosen.taken.get(platform)
    most = 0 if taken is None else taken.most(*await pictures.place_of(session, reply_id=reply_id))
    if most == 0:
        raise InvalidError("picture.platform", "No pictures can be published there: take them out.", field="pictures")
    if len(chosen.ids) > most:
        raise InvalidError("picture.many", f"At most {most} pictures go with an answer there.", field="pictures", most=most)
    if not await pictures.put(session, chosen.ids, reply_id=reply_id, operator_id=access.operator_id):
        raise InvalidError("picture.unknown", "One of the pictures is not there any more: choose them again.", field="pictures")
