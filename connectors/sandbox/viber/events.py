"""What Viber pushes when something happens, signed with the bot's token. It tells no edits, no deletions, nothing of the bot's own."""

import hmac
from hashlib import sha256
from typing import Any

from connectors.sandbox.journal import Event
from connectors.sandbox.model import Page
from connectors.sandbox.state import State
from connectors.sandbox.viber.objects import message, subscription

SIGNATURE_HEADER = "X-Viber-Content-Signature"


def happened(state: State, event: Event, page: Page, *, number: int, base: str) -> dict[str, Any] | None:
    """The event that something raises, if it raises one; `number` is the world's."""
    if event["op"] == "comment":
        comment = page.comments[event["id"]]
        return message(state, page, comment, base) if comment.voice == "citizen" else None
    if event["op"] == "open":
        return subscription(page, page.posts[event["id"]], is_on=event["open"], number=number, at=int(event["now"]))
    return None


def signature(body: bytes, token: str) -> str:
    """Of the very bytes that are sent."""
    return hmac.new(token.encode(), body, sha256).hexdigest()
