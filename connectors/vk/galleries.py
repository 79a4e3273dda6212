"""Photos, videos and discussions of a community under which people write: found, and their comments counted.

Only what has comments becomes a post: `photo1`, `video1`, `topic1`. Photos and videos are shown to a user token alone.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from connectors.contract import Batch, ConnectorError, PostCount, PostSnapshot, UnknownPayload, Unreadable
from connectors.payload import Json, OddError, as_int, as_list, as_moment, as_object, is_object, maybe_int, maybe_text, to_bytes
from connectors.vk.attachments import attachments
from connectors.vk.calls import Call
from connectors.vk.capabilities import ABROAD, PHOTO, READERS, TOPIC, VIDEO
from connectors.vk.links import SITE
from connectors.vk.places import place_of, whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from connectors.contract import PostRef
    from connectors.vk.client import VkClient

MOST: Final = 100
"""Of each kind in one listing: those that were commented last, for photos and discussions; the newest videos."""


async def listed(client: VkClient, page: str, observed_at: datetime) -> Batch:
    """What of a community has comments. A kind that is switched off, or closed to our tokens, is counted and left out."""
    told = await asyncio.gather(*(_kind(client, kind, page) for kind in (PHOTO, VIDEO, TOPIC)), return_exceptions=True)
    posts: list[PostSnapshot] = []
    unreadable: list[Unreadable] = []
    skipped: dict[str, int] = {}
    for kind, items in zip((PHOTO, VIDEO, TOPIC), told, strict=True):
        if isinstance(items, UnknownPayload):
            unreadable.append(Unreadable(reason=f"{items.code}: {kind}s: {items.detail}", raw=items.raw, page_external_id=page))
        elif isinstance(items, ConnectorError):
            skipped[f"{kind}s: {items.code}"] = 1
        elif isinstance(items, BaseException):
            raise items
        else:
            for item in items:
                try:
                    posts += [post] if (post := _post(kind, as_object(item, kind), page, observed_at)) is not None else []
                except OddError as odd:
                    unreadable.append(Unreadable(reason=str(odd), raw=to_bytes(item), page_external_id=page))
    return Batch(posts=tuple(posts), unreadable=tuple(unreadable), skipped=skipped)


async def _kind(client: VkClient, kind: str, page: str) -> list[object]:
    if kind == TOPIC:
        params: dict[str, str | int] = {"group_id": abs(whole(page)), "order": 1, "count": MOST}
        return _items(await client.call(Call(method="board.getTopics", params=params, kinds=READERS, page=page)))
    if not client.can(ABROAD, page):
        return []
    if kind == VIDEO:
        return _items(await client.call(Call(method="video.get", params={"owner_id": page, "count": MOST}, kinds=ABROAD, page=page)))
    params = {"owner_id": page, "count": MOST}
    comments = _items(await client.call(Call(method="photos.getAllComments", params=params, kinds=ABROAD, page=page)))
    numbers = {maybe_int(one.get("photo_id", one.get("pid"))) for one in comments if is_object(one)} - {None, 0}
    if not numbers:
        return []
    asked = ",".join(f"{page}_{number}" for number in sorted(numbers, key=str))
    return _items(await client.call(Call(method="photos.getById", params={"photos": asked, "extended": 1}, kinds=READERS, page=page)))


def _items(answer: object) -> list[object]:
    value, raw = getattr(answer, "value", None), getattr(answer, "raw", b"")
    try:
        return as_list(value.get("items") if is_object(value) else value, "items")
    except OddError as odd:
        code = "malformed"
        raise UnknownPayload(code, str(odd), raw=raw) from odd


def _post(kind: str, item: Json, page: str, observed_at: datetime) -> PostSnapshot | None:
    """A photo, video or discussion as a post; None while nobody has written there."""
    number, count = as_int(item.get("id"), f"{kind}.id"), _count(item)
    if kind != PHOTO and not count:
        return None
    words = [maybe_text(item.get(key)) for key in ("title", "text", "description")]
    return PostSnapshot(
        page_external_id=page,
        external_id=f"{kind}{number}",
        text="\n".join(word for word in words if word),
        published_at=as_moment(item.get("created" if kind == TOPIC else "date"), f"{kind}.date"),
        observed_at=observed_at,
        link=f"{SITE}/{kind}{page}_{number}",
        raw=to_bytes(item),
        comment_count=count,
        attachments=() if kind == TOPIC else attachments([{"type": kind, kind: item}]),
    )


def _count(item: Json) -> int | None:
    told = item.get("comments")
    return maybe_int(told.get("count")) if is_object(told) else maybe_int(told)


async def counts(client: VkClient, kind: str, posts: Sequence[PostRef], observed_at: datetime) -> list[PostCount]:
    """Counters of photos, videos or discussions; what is gone says so, what is not told is left out."""
    told: list[PostCount] = []
    for call, some in _asked(kind, posts):
        if not client.can(call.kinds, call.page):
            continue
        found: dict[tuple[int, int], Json] = {}
        for item in _items(await client.call(call)):
            number = maybe_int(item.get("id")) if is_object(item) else None
            if number is not None and is_object(item):
                found[maybe_int(item.get("owner_id")) or whole(call.page or "0"), number] = item
        for post in some:
            place = place_of(post)
            item = found.get((place.owner, place.number), {})
            count = _count(item) if item else 0
            if count is not None:
                told.append(
                    PostCount(
                        page_external_id=post.page.external_id, external_id=post.external_id, comment_count=count,
                        observed_at=observed_at, gone=not item,
                    )
                )  # fmt: skip
    return told


def _asked(kind: str, posts: Sequence[PostRef]) -> list[tuple[Call, Sequence[PostRef]]]:
    places = [place_of(post) for post in posts]
    if kind == TOPIC:
        calls: list[tuple[Call, Sequence[PostRef]]] = []
        for owner in sorted({place.owner for place in places}):
            some = [post for post, place in zip(posts, places, strict=True) if place.owner == owner]
            numbers = ",".join(str(place_of(post).number) for post in some)
            params: dict[str, str | int] = {"group_id": abs(owner), "topic_ids": numbers, "count": MOST}
            calls.append((Call(method="board.getTopics", params=params, kinds=READERS, page=str(owner)), some))
        return calls
    listed_ = ",".join(f"{place.owner}_{place.number}" for place in places)
    page = str(places[0].owner) if len({place.owner for place in places}) == 1 else None
    if kind == PHOTO:
        return [(Call(method="photos.getById", params={"photos": listed_, "extended": 1}, kinds=READERS, page=page), posts)]
    return [(Call(method="video.get", params={"videos": listed_, "count": MOST}, kinds=ABROAD, page=page), posts)]
