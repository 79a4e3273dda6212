"""Telegram's refusals in the contract's words. Pure; connectors/README.md says what a person should do about each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connectors.contract import AccessLost, ConnectorError, OutcomeUnknown, Rejected, TryLater, UnknownPayload

SERVER_SECONDS: Final = 5.0
GROUP: Final = "linked_chat_id"
"""Of a page's options: its discussion group."""
FIRST_SERVER_ERROR: Final = 500
TOO_MANY: Final = 429
RETRY_SECONDS: Final = 5
LONGEST_WAIT: Final = 86_400

# Telegram tells a bad request only by its words; the first that fits decides.
BAD_REQUEST: Final[tuple[tuple[str, type[ConnectorError], str], ...]] = (
    ("message to be replied not found", Rejected, "gone"),
    ("message to reply not found", Rejected, "gone"),
    ("replied message not found", Rejected, "gone"),
    ("message thread not found", Rejected, "gone"),
    ("message to edit not found", Rejected, "gone"),
    ("message to delete not found", Rejected, "gone"),
    ("message is not modified", Rejected, "unchanged"),
    ("message can't be edited", Rejected, "denied"),
    ("message can't be deleted for everyone", Rejected, "too_late"),
    ("message can't be deleted", Rejected, "denied"),
    ("chat not found", Rejected, "gone"),
    ("username_not_occupied", Rejected, "gone"),
    ("topic_closed", Rejected, "comments_closed"),
    ("message is too long", Rejected, "too_long"),
    ("message text is empty", Rejected, "bad_text"),
    ("not enough rights", AccessLost, "no_right"),
    ("have no rights", AccessLost, "no_right"),
    ("need administrator rights", AccessLost, "no_right"),
    ("chat_write_forbidden", AccessLost, "no_right"),
    ("chat_restricted", AccessLost, "no_right"),
    ("chat_send_plain_forbidden", AccessLost, "no_right"),
    ("user_banned_in_channel", AccessLost, "restricted"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What was going on when an error came: it decides what the error means."""

    sending: bool
    credential_key: str
    time_scale: float


BY_STATUS: Final[dict[int, tuple[type[ConnectorError], str]]] = {
    401: (AccessLost, "reauthorise"),
    403: (AccessLost, "no_right"),
    404: (AccessLost, "reauthorise"),  # what a token of a wrong form gets: it is a part of the address
    413: (Rejected, "too_long"),
}
BAD, CONFLICT = 400, 409
HOOKED: Final = "webhook is active"


def from_status(status: int, words: str, *, raw: bytes, scene: Scene) -> ConnectorError:
    """The contract's error for a refusal by its status and description; an unknown one is an unknown payload."""
    detail = f"{status}: {words}"
    if status >= FIRST_SERVER_ERROR:
        return failed("server", detail, scene)
    if status == CONFLICT:
        return later("webhook" if HOOKED in words.lower() else "conflict", detail, scene)
    if status == BAD:
        fitting = ((kind, code) for needle, kind, code in BAD_REQUEST if needle in words.lower())
        kind, code = next(fitting, (Rejected, "bad_request"))
        return kind(code, detail, credential_key=scene.credential_key)
    if status in BY_STATUS:
        kind, code = BY_STATUS[status]
        return kind(code, detail, credential_key=scene.credential_key)
    return unreadable("http_status", detail, raw=raw, scene=scene)


def too_many(seconds: int, scene: Scene) -> TryLater:
    """A limit of sending. `seconds` are real ones: the platform says how long, no scale applies."""
    after = timedelta(seconds=min(max(seconds, 1), LONGEST_WAIT))
    return TryLater("rate", f"retry after {seconds} s", after=after, credential_key=scene.credential_key)


def moved(chat: int, scene: Scene) -> TryLater:
    """The group has become a supergroup with another id: nothing was done, and under the new one it will work."""
    after = timedelta(seconds=1 / scene.time_scale)
    options = {GROUP: str(chat)}
    return TryLater("moved", f"the group is now {chat}", after=after, credential_key=scene.credential_key, page_options=options)


def failed(code: str, detail: str, scene: Scene) -> ConnectorError:
    """The platform or the way to it failed while it may have acted."""
    if scene.sending:
        return OutcomeUnknown(code, detail, credential_key=scene.credential_key)
    return later(code, detail, scene)


def later(code: str, detail: str, scene: Scene) -> TryLater:
    """Nothing was done; it may work soon."""
    after = timedelta(seconds=SERVER_SECONDS / scene.time_scale)
    return TryLater(code, detail, after=after, credential_key=scene.credential_key)


def unreadable(code: str, detail: str, *, raw: bytes, scene: Scene) -> ConnectorError:
    """The platform answered something that is no answer."""
    if scene.sending:
        return OutcomeUnknown(code, detail, credential_key=scene.credential_key)
    return UnknownPayload(code, detail, raw=raw, credential_key=scene.credential_key)
