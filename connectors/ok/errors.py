"""OK's error numbers in the contract's words. Pure; connectors/README.md says what a person should do about each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.meanings import SERVER, Meaning, Scene, from_code, from_status
from connectors.payload import is_object, maybe_int
from connectors.wire import FIRST_REFUSAL

if TYPE_CHECKING:
    from connectors.contract import ConnectorError
    from connectors.http_api import Answer

MEANINGS: dict[int, Meaning] = {
    1: SERVER,
    2: SERVER,
    3: Meaning("rejected", "unsupported"),
    4: Meaning("rejected", "bad_request"),
    7: Meaning("access", "restricted"),
    8: Meaning("later", "flood", 3600),
    9: Meaning("access", "restricted"),
    10: Meaning("access", "no_right"),
    11: Meaning("later", "rate", 5),
    22: Meaning("access", "validation"),
    24: Meaning("access", "no_right"),
    31: Meaning("unclear", "network", 5),
    50: Meaning("access", "no_right"),
    100: Meaning("rejected", "bad_request"),
    101: Meaning("access", "reauthorise"),
    102: Meaning("access", "reauthorise"),
    103: Meaning("access", "reauthorise"),
    104: Meaning("access", "reauthorise"),
    106: Meaning("rejected", "gone"),
    141: Meaning("rejected", "gone"),
    160: Meaning("rejected", "gone"),
    200: Meaning("access", "no_right"),
    210: Meaning("access", "app_off"),
    300: Meaning("rejected", "gone"),
    402: Meaning("access", "captcha"),
    403: Meaning("access", "captcha"),
    453: Meaning("access", "reauthorise"),
    454: Meaning("rejected", "bad_text"),
    455: Meaning("rejected", "denied"),
    456: Meaning("rejected", "comments_closed"),
    457: Meaning("rejected", "denied"),
    458: Meaning("rejected", "denied"),
    511: Meaning("access", "validation"),
    514: Meaning("access", "validation"),
    700: Meaning("rejected", "gone"),
    702: Meaning("rejected", "gone"),
    704: Meaning("rejected", "too_late"),
    900: Meaning("access", "app_off"),
    9999: SERVER,
}


def from_answer(answer: Answer, scene: Scene) -> ConnectorError | None:
    """The contract's error that an answer of OK stands for, if it does."""
    told = answer.value if is_object(answer.value) else {}
    number = maybe_int(told.get("error_code"))
    if number is not None:
        detail = f"error {number}: {str(told.get('error_msg', ''))[:500]}"
        return from_code(MEANINGS.get(number), detail, raw=answer.raw, scene=scene)
    return from_status(answer.status, raw=answer.raw, scene=scene) if answer.status >= FIRST_REFUSAL else None
