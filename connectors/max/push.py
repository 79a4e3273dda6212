"""What MAX pushes (a webhook subscription): one update, its secret in a header. No I/O, no clock.

An update has no number of its own: the sum of its bytes is taken for one, since a repeated delivery repeats them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from connectors.bots import SWITCHED_OFF, hears_private, is_dialogs
from connectors.contract import Batch, Deletion, Pushed, PushRequest, UnknownPayload, Unreadable
from connectors.max import mapping
from connectors.payload import Json, OddError, as_object, maybe_int, maybe_moment_ms, maybe_text, pushed_object

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from connectors.contract import CommentSnapshot, PageRef

SECRET_HEADER = "x-max-bot-api-secret"  # noqa: S105 - the header's name
COMMENTS = frozenset({"comment_created", "comment_edited"})
MESSAGES = frozenset({"message_created", "message_edited"})
EDITED = frozenset({"comment_edited", "message_edited"})
REMOVED = "comment_removed"
RIGHTS = frozenset({"bot_added", "bot_removed"})
KINDS = COMMENTS | MESSAGES | RIGHTS | {REMOVED}
"""All that is listened to and subscribed to."""
_NUMBER_LENGTH = 40


class MaxPush:
    """The envelope."""

    def read(self, request: PushRequest) -> Pushed:
        """Raises UnknownPayload."""
        update = envelope(request.body)
        secret = request.headers.get(SECRET_HEADER, "")
        return Pushed(secret=secret, event_id=self.number(request.body), happened_at=maybe_moment_ms(update.get("timestamp")))

    @staticmethod
    def number(body: bytes) -> str:
        """What stands for the number that an update has not."""
        return sha256(body).hexdigest()[:_NUMBER_LENGTH]

    def answer(self, pushed: Pushed, *, confirmation: str) -> bytes:  # noqa: ARG002 - the contract's
        """Nothing: a 200 is enough."""
        return b""


def envelope(body: bytes) -> Json:
    """The update as an object that names its kind. Raises UnknownPayload."""
    update = pushed_object(body, "update")
    if maybe_text(update.get("update_type")) is None:
        raise UnknownPayload("malformed", "no update: update_type is missing", raw=body)
    return update


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """The pages of one bot: its channels by their numbers, and the bot itself when its private messages are to be heard."""

    channels: dict[str, PageRef]
    own: PageRef | None

    @classmethod
    def of(cls, pages: Sequence[PageRef]) -> Carried:
        """These pages of one bot."""
        channels = {page.external_id: page for page in pages if not is_dialogs(page)}
        return cls(channels=channels, own=next((page for page in pages if hears_private(page)), None))


def batch(body: bytes, pages: Carried, *, observed_at: datetime) -> Batch:
    """What an update tells of the pages of its bot. Raises UnknownPayload."""
    update = envelope(body)
    kind = update.get("update_type")
    channels = pages.channels
    try:
        if kind in COMMENTS:
            return _comment(update, channels, observed_at)
        if kind == REMOVED:
            return _removed(update, channels, observed_at)
        if kind in MESSAGES:
            return _message(update, channels, pages.own, observed_at)
    except OddError as odd:
        return Batch(unreadable=(Unreadable(reason=str(odd), raw=body),))
    if kind in RIGHTS and (page := channels.get(str(maybe_int(update.get("chat_id"))))) is not None:
        return Batch(look_at=(page.external_id,), skipped={"news of the bot itself": 1})
    return Batch(skipped={f"news of the bot itself: {str(kind)[:40]}": 1})


def _comment(update: Json, channels: dict[str, PageRef], observed_at: datetime) -> Batch:
    message = as_object(update.get("message"), "message")
    recipient = as_object(message.get("recipient"), "message.recipient")
    page = channels.get(str(maybe_int(recipient.get("chat_id"))))
    if page is None:
        return Batch(skipped={"another page": 1})
    post = maybe_text(recipient.get("post_id"))
    if post is None:
        raise OddError("recipient.post_id is missing")
    under = mapping.Under(page=page, post=post, link=mapping.home(page), observed_at=observed_at)
    comment = _formed(update, mapping.one_comment(message, under))
    return Batch(posts=(mapping.named_post(comment, page=page, post=post),), comments=(comment,))  # it may be older than all that is listed


def _formed(update: Json, comment: CommentSnapshot) -> CommentSnapshot:
    """A comment as it stood when the event happened, whenever it was delivered."""
    at = maybe_moment_ms(update.get("timestamp"))
    return replace(comment, form_at=at, edited_at=at if update.get("update_type") in EDITED else None)


def _removed(update: Json, channels: dict[str, PageRef], observed_at: datetime) -> Batch:
    page = channels.get(str(maybe_int(update.get("chat_id"))))
    if page is None:
        return Batch(skipped={"another page": 1})
    post, comment = maybe_text(update.get("post_id")), maybe_text(update.get("message_id"))
    if post is None or comment is None:
        return Batch(skipped={"a deletion that does not say of what": 1})  # the next reading of the thread shows it
    gone = Deletion(page_external_id=page.external_id, post_external_id=post, external_id=comment, observed_at=observed_at)
    return Batch(deletions=(gone,))


def _message(update: Json, channels: dict[str, PageRef], own: PageRef | None, observed_at: datetime) -> Batch:
    message = as_object(update.get("message"), "message")
    recipient = as_object(message.get("recipient"), "message.recipient")
    chat = str(maybe_int(recipient.get("chat_id")))
    if (page := channels.get(chat)) is not None:
        at = maybe_moment_ms(update.get("timestamp")) or observed_at  # as it stood then, whenever it was delivered
        return Batch(posts=(mapping.post(message, page=page, observed_at=min(at, observed_at)),))
    if recipient.get("chat_type") != "dialog":
        return Batch(skipped={"another page": 1})
    if own is None:
        return Batch(skipped={SWITCHED_OFF: 1})
    under = mapping.Under(page=own, post=chat, link=mapping.home(own), observed_at=observed_at)
    dialog = mapping.dialog_post(message, page=own, chat=chat, observed_at=observed_at)
    return Batch(posts=(dialog,), comments=(_formed(update, mapping.one_comment(message, under)),))
