"""Viber's statuses in the contract's words: it answers 200 and tells the status in the body. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.meanings import Meaning, Scene, from_code, from_status
from connectors.payload import is_object, maybe_int, maybe_text
from connectors.wire import FIRST_REFUSAL

if TYPE_CHECKING:
    from connectors.contract import ConnectorError
    from connectors.http_api import Answer

HOUR = 3600
MEANINGS: dict[int, Meaning] = {
    1: Meaning("rejected", "webhook_refused"),
    2: Meaning("access", "reauthorise"),
    3: Meaning("rejected", "bad_request"),
    4: Meaning("rejected", "bad_request"),
    5: Meaning("rejected", "gone"),
    6: Meaning("rejected", "unsubscribed"),
    7: Meaning("access", "restricted"),
    8: Meaning("access", "reauthorise"),
    9: Meaning("access", "restricted"),
    10: Meaning("access", "no_webhook"),
    11: Meaning("rejected", "no_device"),
    12: Meaning("later", "flood", HOUR),
    13: Meaning("rejected", "no_device"),
    14: Meaning("rejected", "bad_request"),
    15: Meaning("access", "no_right"),
    16: Meaning("rejected", "bad_request"),
    17: Meaning("rejected", "bad_request"),
    18: Meaning("rejected", "bad_request"),
    19: Meaning("rejected", "bad_request"),
    20: Meaning("rejected", "bad_request"),
    21: Meaning("rejected", "denied"),
    22: Meaning("access", "unpaid"),
    23: Meaning("access", "unpaid"),
    24: Meaning("access", "unpaid"),
}


def from_answer(answer: Answer, scene: Scene) -> ConnectorError | None:
    """The contract's error that an answer of Viber stands for, if it does."""
    told = answer.value if is_object(answer.value) else {}
    status = maybe_int(told.get("status"))
    if status:
        detail = f"status {status}: {(maybe_text(told.get('status_message')) or '')[:500]}"
        return from_code(MEANINGS.get(status), detail, raw=answer.raw, scene=scene)
    return from_status(answer.status, raw=answer.raw, scene=scene) if answer.status >= FIRST_REFUSAL else None
