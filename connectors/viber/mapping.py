"""What Viber's answers and events mean: parsed JSON in, snapshots out. No I/O, no clock.

A page is a bot; it has no wall. Each person who writes to it is a post without words, named by the number that Viber gives
this person towards this bot; what they write are its comments, and all of them are one thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors.bots import CREDENTIAL, DIALOGS
from connectors.contract import Attachment, AuthorSnapshot, CommentSnapshot, PageSnapshot, PostSnapshot
from connectors.payload import (
    Json,
    OddError,
    as_moment_ms,
    as_object,
    as_text,
    is_object,
    maybe_int,
    maybe_link,
    maybe_text,
    to_bytes,
)
from connectors.viber.capabilities import NAME_LIMIT
from connectors.viber.links import page_link

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.contract import AttachmentKind, PageRef

NAME, LINK = "name", "link"
"""Of a page's options: what its answers are signed with, the page's address."""
TEXT: Final = "text"
FILES: dict[str, AttachmentKind] = {
    "picture": "photo", "video": "video", "file": "document", "sticker": "sticker", "url": "link",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """A bot, and where Viber pushes what people write to it: "" when nowhere."""

    page: PageSnapshot
    uri: str
    webhook: str


def account(answer: object, *, credential_key: str) -> Account:
    """The bot that a token belongs to (`get_account_info`). Raises OddError."""
    told = as_object(answer, "account")
    number = _full(told.get("id"), "account.id")
    uri, name = maybe_text(told.get("uri")) or "", maybe_text(told.get("name")) or number
    link = page_link(uri or number)
    options = {DIALOGS: "yes", CREDENTIAL: credential_key, LINK: link, NAME: name[:NAME_LIMIT]}
    page = PageSnapshot(external_id=number, title=name, link=link, members=maybe_int(told.get("subscribers_count")), options=options)
    return Account(page=page, uri=uri, webhook=maybe_text(told.get("webhook")) or "")


def message(event: Json, *, page: PageRef, observed_at: datetime) -> tuple[PostSnapshot, CommentSnapshot]:
    """A private message (event `message`), and the dialog that it stands in. Raises OddError."""
    sender, told = as_object(event.get("sender"), "sender"), as_object(event.get("message"), "message")
    person, number = _full(sender.get("id"), "sender.id"), token(event)
    written_at, link = as_moment_ms(event.get("timestamp"), "timestamp"), home(page)
    dialog = PostSnapshot(
        page_external_id=page.external_id,
        external_id=person,
        text="",
        published_at=written_at,
        observed_at=observed_at,
        link=link,
        raw=b"{}",
    )
    comment = CommentSnapshot(
        page_external_id=page.external_id,
        post_external_id=person,
        external_id=number,
        text=as_text(told.get("text"), "message.text"),
        written_at=written_at,
        observed_at=observed_at,
        link=link,
        raw=to_bytes(event),
        author=AuthorSnapshot(external_id=person, name=maybe_text(sender.get("name")) or person),
        root_external_id=person,
        attachments=_attachments(told),
    )
    return dialog, comment


def sent(answer: object) -> str:
    """The number of what was sent (`send_message`). Raises OddError."""
    return token(as_object(answer, "answer"))


def token(told: Json) -> str:
    """The number of a message: Viber writes it as a number, and as a string of digits. Raises OddError."""
    value = told.get("message_token")
    number = maybe_int(value)
    if number is not None and number > 0:
        return str(number)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(2**63)):
        return value
    raise OddError("message_token is no number")


def home(page: PageRef) -> str:
    """Where the page stands: a message has no address of its own."""
    return page.options.get(LINK) or page_link(page.external_id)


def _attachments(told: Json) -> tuple[Attachment, ...]:
    """What came with or instead of words; of a place or a card what a person would read."""
    kind = maybe_text(told.get("type")) or TEXT
    if kind == TEXT:
        return ()
    sticker = maybe_int(told.get("sticker_id"))
    one = Attachment(
        kind=FILES.get(kind, "other"),
        external_id=None if sticker is None else str(sticker),
        url=maybe_link(told.get("media")),
        title=maybe_text(told.get("file_name")) or _card(told) or None,
    )
    return (one,)


def _card(told: Json) -> str:
    location, contact = told.get("location"), told.get("contact")
    if is_object(location):
        return ", ".join(str(location[part]) for part in ("lat", "lon") if isinstance(location.get(part), int | float))
    if is_object(contact):
        return ", ".join(part for name in ("name", "phone_number") if (part := maybe_text(contact.get(name))))
    return ""


def _full(value: object, what: str) -> str:
    found = as_text(value, what)
    if not found:
        raise OddError(f"{what} is empty")
    return found
