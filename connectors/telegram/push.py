"""What Telegram pushes (setWebhook): one update, its secret in a header. No I/O, no clock, no SDK."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from connectors.contract import Batch, Pushed, PushRequest, UnknownPayload
from connectors.payload import Json, OddError, is_object, maybe_int, maybe_text, pushed_object
from connectors.telegram import mapping

_OUR_PATH: Final = re.compile(r"/hooks/telegram/-?[0-9a-z]{1,40}$")
"""The path of Otklik's own hooks. Whatever else stands in an address may be a secret: other programs put the token there."""
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - the header's name


class TelegramPush:
    """The envelope: an update with its number; Telegram repeats it until it hears a 200."""

    def read(self, request: PushRequest) -> Pushed:
        """Raises UnknownPayload."""
        update = pushed_object(request.body, "update")
        number = maybe_int(update.get("update_id"))
        if number is None:
            raise UnknownPayload("malformed", "an update without update_id", raw=request.body)
        return Pushed(secret=request.headers.get(SECRET_HEADER, ""), event_id=str(number), happened_at=_moment(update))

    def answer(self, pushed: Pushed, *, confirmation: str) -> bytes:  # noqa: ARG002 - the contract's
        """Nothing: a 200 is enough."""
        return b""


def webhook_of(told: object) -> tuple[str, str]:
    """Where a bot's updates are pushed to (`getWebhookInfo`) as far as it may be told, and what Telegram says when they do not arrive."""
    known = told if is_object(told) else {}
    waiting = maybe_int(known.get("pending_update_count")) or 0
    complaint = (maybe_text(known.get("last_error_message")) or "no reason is told") if waiting and known.get("last_error_date") else ""
    try:
        parts = urlsplit(maybe_text(known.get("url")) or "")
    except ValueError:
        return "", complaint
    ours = _OUR_PATH.search(parts.path)
    return (parts.hostname or "") + ("" if ours is None else ours[0]), complaint


def _moment(update: Json) -> datetime | None:
    message = update.get("message")
    seconds = maybe_int(message.get("date")) if is_object(message) else None
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None and 0 < seconds < 2**33 else None


def batch(body: bytes, seen: mapping.Watch) -> Batch:
    """What an update tells of the pages of its bot. Raises UnknownPayload."""
    try:
        told = mapping.updates([pushed_object(body, "update")], seen)
    except OddError as odd:
        raise UnknownPayload("malformed", str(odd), raw=body) from odd
    return Batch(
        posts=tuple(told.posts.values()),
        comments=tuple(told.comments),
        unreadable=tuple(told.unreadable),
        skipped=dict(told.skipped),
        page_options=told.options,
        look_at=tuple(sorted(set(told.plain_member.values()))),
    )
