"""MAX's refusals in the contract's words: a status, and a code that narrows it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors.meanings import RATE, SERVER, Meaning, Scene, from_code, from_meaning, from_status
from connectors.payload import is_object, maybe_text
from connectors.wire import FIRST_REFUSAL

if TYPE_CHECKING:
    from connectors.contract import ConnectorError
    from connectors.http_api import Answer

NOT_READY: Final = "attachment.not.ready"
"""A picture that was brought just now is still being worked on there."""
BY_STATUS: dict[int, Meaning] = {
    400: Meaning("rejected", "bad_request"),
    401: Meaning("access", "reauthorise"),
    403: Meaning("access", "no_right"),
    404: Meaning("rejected", "gone"),
    405: Meaning("rejected", "unsupported"),
    413: Meaning("rejected", "too_long"),
    422: Meaning("rejected", "bad_request"),
    429: RATE,
}
BY_CODE: dict[str, Meaning] = {
    "comments.timeout_exceeded": Meaning("rejected", "too_late"),
    "too.many.requests": RATE,
    "service.unavailable": SERVER,
    NOT_READY: Meaning("later", "server", 2),
}


def from_answer(answer: Answer, scene: Scene) -> ConnectorError | None:
    """The contract's error that an answer of MAX stands for, if it does."""
    status, raw = answer.status, answer.raw
    if status < FIRST_REFUSAL:
        return None
    told = answer.value if is_object(answer.value) else {}
    code = maybe_text(told.get("code")) or ""
    detail = f"{status} {code}: {maybe_text(told.get('message')) or ''}"[:500]
    meaning = BY_CODE.get(code) or BY_STATUS.get(status)
    if meaning is not None:
        return from_meaning(meaning, detail, scene)
    return from_code(None, detail, raw=raw, scene=scene) if code else from_status(status, raw=raw, scene=scene)
