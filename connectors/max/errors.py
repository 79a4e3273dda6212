"""MAX's refusals in the contract's words: a status, and a code that narrows it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.meanings import RATE, SERVER, Meaning, Scene, from_code, from_meaning, from_status

if TYPE_CHECKING:
    from connectors.contract import ConnectorError

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
}


def from_answer(status: int, code: str, words: str, *, raw: bytes, scene: Scene) -> ConnectorError:
    """The contract's error for a refusal; `code` is empty when the answer has none."""
    detail = f"{status} {code}: {words}"[:500]
    meaning = BY_CODE.get(code) or BY_STATUS.get(status)
    if meaning is not None:
        return from_meaning(meaning, detail, scene)
    return from_code(None, detail, raw=raw, scene=scene) if code else from_status(status, raw=raw, scene=scene)
