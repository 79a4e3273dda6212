"""What VK pushes (Callback API): the envelope for whoever answers it, the event for whoever stores it. No I/O, no clock, no SDK."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connectors.contract import Batch, CommentSnapshot, Deletion, Pushed, PushRequest, UnknownPayload, Unreadable
from connectors.payload import Json, OddError, as_int, as_object, is_object, maybe_int, maybe_text, pushed_object, to_bytes
from connectors.vk import mapping

if TYPE_CHECKING:
    from connectors.contract import PageRef

CONFIRMATION = "confirmation"
_PLACES = {
    "wall_reply": ("", "post"),
    "photo_comment": ("photo", "photo"),
    "video_comment": ("video", "video"),
    "board_post": ("topic", "topic"),
}
"""Where an event's comment stands: how its post begins, and the name under which VK tells the post's number and owner."""
_WRITTEN = frozenset(f"{place}_{what}" for place in _PLACES for what in ("new", "edit", "restore"))
_DELETED = frozenset(f"{place}_delete" for place in _PLACES)
_NEWS = frozenset({"wall_post_new", *(f"{place}_new" for place in _PLACES)})
_OK = b"ok"


class VkPush:
    """The envelope: `type`, `group_id`, `event_id`, `secret`; VK repeats an event until it hears `ok`."""

    def read(self, request: PushRequest) -> Pushed:
        """Raises UnknownPayload."""
        event = pushed_object(request.body, "event")
        kind, group = maybe_text(event.get("type")), maybe_int(event.get("group_id"))
        if kind is None or group is None:
            raise UnknownPayload("malformed", "an event without type or group_id", raw=request.body)
        number = "" if kind == CONFIRMATION else maybe_text(event.get("event_id")) or ""
        if kind != CONFIRMATION and not number:
            raise UnknownPayload("malformed", "an event without event_id", raw=request.body)
        return Pushed(
            secret=maybe_text(event.get("secret")) or "",
            event_id=number,
            page_external_id=str(-group),
            happened_at=_moment(event) if kind in _NEWS else None,
            kept=to_bytes({name: told for name, told in event.items() if name != "secret"}),
        )

    def answer(self, pushed: Pushed, *, confirmation: str) -> bytes:
        """The confirmation code when it is asked for, else `ok`."""
        return _OK if pushed.event_id else confirmation.encode()


def _moment(event: Json) -> datetime | None:
    told = event.get("object")
    seconds = maybe_int(told.get("date")) if is_object(told) else None
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None and 0 < seconds < 2**33 else None


def batch(body: bytes, *, page: PageRef, observed_at: datetime) -> Batch:
    """What an event tells of its page. Raises UnknownPayload when it is of another one or no event at all."""
    event = pushed_object(body, "event")
    try:
        kind, group = event.get("type"), as_int(event.get("group_id"), "group_id")
        if str(-group) != page.external_id:
            raise UnknownPayload("malformed", "an event of another community", raw=body)
        told = as_object(event.get("object"), "object")
        if kind == "wall_post_new":
            found = mapping.wall_posts({"items": [told]}, page_external_id=page.external_id, observed_at=observed_at)
            # As it stood when it was published, whenever the event comes: what a listing shows is newer.
            first = tuple(replace(post, observed_at=min(post.published_at, observed_at)) for post in found.posts)
            return Batch(posts=first, unreadable=tuple(found.unreadable))
        if isinstance(kind, str) and kind in _WRITTEN | _DELETED:
            place, _, what = kind.rpartition("_")
            return _reply(told, page, observed_at, place=place, what=what)
    except OddError as odd:
        return Batch(unreadable=(Unreadable(reason=f"pushed: {odd}", raw=body, page_external_id=page.external_id),))
    return Batch(skipped={str(kind)[:60]: 1})


def _reply(told: Json, page: PageRef, observed_at: datetime, *, place: str, what: str) -> Batch:
    prefix, named = _PLACES[place]
    number, post = as_int(told.get("id"), "object.id"), f"{prefix}{as_int(told.get(f'{named}_id'), f'object.{named}_id')}"
    owner = maybe_int(told.get(f"{named}_owner_id", told.get("owner_id")))
    if owner is not None and str(owner) != page.external_id:
        return Batch(skipped={"another wall": 1})
    if what == "delete":
        gone = Deletion(page_external_id=page.external_id, post_external_id=post, external_id=str(number), observed_at=observed_at)
        return Batch(deletions=(gone,))
    found = mapping.pushed_comment(told, page_external_id=page.external_id, post_external_id=post, observed_at=observed_at)
    if isinstance(found, CommentSnapshot):  # under a post that no listing reaches, too
        if what == "new":  # its first form, whenever the event comes; of an edit VK does not say when it was
            found = replace(found, form_at=found.written_at)
        return Batch(posts=(mapping.named_post(found, post),), comments=(found,))
    return Batch(deletions=(found,)) if isinstance(found, Deletion) else Batch(unreadable=(found,))
