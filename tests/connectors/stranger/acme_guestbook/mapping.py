"""What a guest book's answers mean. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.contract import AuthorSnapshot, CommentSnapshot, Deletion, PageSnapshot, PostSnapshot, Sent, Unreadable
from connectors.payload import OddError, as_int, as_list, as_moment, as_object, as_text, maybe_int, maybe_text, to_bytes

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.payload import Json

Event = PostSnapshot | CommentSnapshot | Deletion | Unreadable


def page(answer: object) -> PageSnapshot:
    """The book itself. Raises OddError."""
    book = as_object(answer, "book")
    name = as_text(book.get("name"), "name")
    return PageSnapshot(external_id=name, title=as_text(book.get("title"), "title"), link=as_text(book.get("address"), "address"))


def events(answer: object, *, page_id: str, address: str, observed_at: datetime) -> tuple[list[Event], int | None]:
    """Everything that was told, and the number of the last event. Raises OddError."""
    told: list[Event] = []
    last: int | None = None
    for item in as_list(as_object(answer, "answer").get("events"), "events"):
        event = as_object(item, "event")
        last = as_int(event.get("number"), "number")
        try:
            told.append(_event(event, page_id, address, observed_at))
        except OddError as odd:
            told.append(Unreadable(reason=str(odd), raw=to_bytes(event), page_external_id=page_id))
    return told, last


def _event(event: Json, page_id: str, address: str, observed_at: datetime) -> Event:
    kind, number = as_text(event.get("kind"), "kind"), str(as_int(event.get("id"), "id"))
    topic = str(as_int(event.get("topic", event.get("id")), "topic"))
    if kind == "removed":
        return Deletion(page_external_id=page_id, post_external_id=topic, external_id=number, observed_at=observed_at)
    text, moment, raw = as_text(event.get("words"), "words"), as_moment(event.get("at"), "at"), to_bytes(event)
    if kind == "topic":
        return PostSnapshot(
            page_external_id=page_id, external_id=number, text=text, published_at=moment, observed_at=observed_at,
            link=f"{address}/{number}", raw=raw,
        )  # fmt: skip
    if kind != "remark":
        raise OddError(f"kind is {kind!r}")
    visitor, parent = maybe_text(event.get("visitor")), maybe_int(event.get("in_reply_to"))
    return CommentSnapshot(
        page_external_id=page_id,
        post_external_id=topic,
        external_id=number,
        text=text,
        written_at=moment,
        observed_at=observed_at,
        link=f"{address}/{topic}#{number}",
        raw=raw,
        author=AuthorSnapshot(external_id=visitor, name=visitor) if visitor else None,
        by_page=event.get("by_hall") is True,
        root_external_id=None if parent else number,
        reply_to_external_id=str(parent) if parent else None,
    )


def sent(answer: object, *, address: str) -> Sent:
    """A remark of ours as it stands there. Raises OddError."""
    remark = as_object(answer, "remark")
    number, topic = as_int(remark.get("id"), "id"), as_int(remark.get("topic"), "topic")
    return Sent(external_id=str(number), published_at=as_moment(remark.get("at"), "at"), link=f"{address}/{topic}#{number}")
