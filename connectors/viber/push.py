"""What Viber pushes (set_webhook): one event, signed with the bot's own token. No I/O, no clock.

An event is named by its kind and `message_token`: that a message was delivered, and that it was seen, is told with the same token.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from connectors.bots import SWITCHED_OFF, hears_private
from connectors.contract import Batch, Pushed, PushRequest, UnknownPayload, Unreadable
from connectors.payload import OddError, maybe_moment_ms, maybe_text, pushed_object
from connectors.viber import mapping

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.contract import PageRef

SIGNATURE_HEADER: Final = "x-viber-content-signature"
MESSAGE: Final = "message"
EVENTS: Final = (MESSAGE, "subscribed", "unsubscribed")
"""What is asked for: Viber tells these three in any case."""


class ViberPush:
    """The envelope; Viber repeats an event for about an hour until it hears a 200."""

    def read(self, request: PushRequest) -> Pushed:
        """Raises UnknownPayload. There is no secret: `is_genuine` says whose it is."""
        event = pushed_object(request.body, "event")
        kind = maybe_text(event.get("event"))
        try:
            number = mapping.token(event)
        except OddError as odd:
            raise UnknownPayload("malformed", f"no event: {odd}", raw=request.body) from odd
        if kind is None:
            raise UnknownPayload("malformed", "an event without a kind", raw=request.body)
        return Pushed(secret="", event_id=f"{kind[:40]}:{number}", happened_at=maybe_moment_ms(event.get("timestamp")))

    def is_genuine(self, request: PushRequest, token: str) -> bool:
        """Whether the very bytes were signed with this token."""
        signed = hmac.new(token.encode(), request.body, sha256).hexdigest()
        return hmac.compare_digest(signed.encode(), request.headers.get(SIGNATURE_HEADER, "").lower().encode("utf-8", "surrogatepass"))

    def answer(self, pushed: Pushed, *, confirmation: str) -> bytes:  # noqa: ARG002 - the contract's
        """Nothing: a 200 is enough."""
        return b""


def batch(body: bytes, *, page: PageRef, observed_at: datetime) -> Batch:
    """What an event tells of its page. Raises UnknownPayload."""
    event = pushed_object(body, "event")
    kind = event.get("event")
    if kind != MESSAGE:
        return Batch(skipped={f"news of the bot itself: {str(kind)[:40]}": 1})
    if event.get("chat_id"):
        return Batch(skipped={"a group chat": 1})
    if not hears_private(page):
        return Batch(skipped={SWITCHED_OFF: 1})
    try:
        dialog, comment = mapping.message(event, page=page, observed_at=observed_at)
    except OddError as odd:
        return Batch(unreadable=(Unreadable(reason=str(odd), raw=body, page_external_id=page.external_id),))
    return Batch(posts=(dialog,), comments=(comment,))
