"""VK's error numbers in the contract's words. Pure; connectors/README.md says what a person should do about each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from connectors.contract import AccessLost, ConnectorError, OutcomeUnknown, Rejected, TryLater, UnknownPayload

Kind = Literal["later", "rejected", "access", "unclear"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error number means. `seconds`: how long to wait, in the platform's time.

    `unclear`: the platform failed, so a send may have been done; a reading is simply tried later.
    """

    kind: Kind
    code: str
    seconds: float = 0


SERVER = Meaning("unclear", "server", 5)
NETWORK_SECONDS = 5.0

MEANINGS: dict[int, Meaning] = {
    1: SERVER,
    2: Meaning("access", "app_off"),
    3: Meaning("rejected", "unsupported"),
    4: Meaning("access", "reauthorise"),
    5: Meaning("access", "reauthorise"),
    6: Meaning("later", "rate", 1),
    7: Meaning("access", "no_right"),
    8: Meaning("rejected", "bad_request"),
    9: Meaning("later", "flood", 7200),
    10: SERVER,
    11: Meaning("access", "app_off"),
    12: Meaning("rejected", "bad_request"),
    13: Meaning("unclear", "server", 5),
    14: Meaning("access", "captcha"),
    15: Meaning("access", "no_right"),
    16: Meaning("rejected", "bad_request"),
    17: Meaning("access", "validation"),
    18: Meaning("rejected", "gone"),
    19: Meaning("rejected", "gone"),
    20: Meaning("access", "token_kind"),
    21: Meaning("access", "token_kind"),
    23: Meaning("rejected", "unsupported"),
    24: Meaning("access", "validation"),
    25: Meaning("access", "validation"),
    27: Meaning("access", "token_kind"),
    28: Meaning("access", "token_kind"),
    29: Meaning("later", "quota", 3600),
    30: Meaning("rejected", "gone"),
    100: Meaning("rejected", "bad_request"),
    101: Meaning("access", "app_off"),
    104: Meaning("rejected", "gone"),
    113: Meaning("rejected", "gone"),
    125: Meaning("rejected", "gone"),
    200: Meaning("access", "no_right"),
    203: Meaning("access", "no_right"),
    210: Meaning("rejected", "denied"),
    211: Meaning("rejected", "denied"),
    212: Meaning("rejected", "comments_closed"),
    213: Meaning("rejected", "comments_closed"),
    222: Meaning("rejected", "links_forbidden"),
    223: Meaning("later", "flood", 3600),
    1114: Meaning("access", "reauthorise"),
    1116: Meaning("access", "reauthorise"),
    1117: Meaning("access", "reauthorise"),
    3609: Meaning("access", "reauthorise"),
    13000: Meaning("access", "restricted"),
}


BY_WORDS: dict[tuple[int, str], Meaning] = {
    (15, "post was not found"): Meaning("rejected", "gone"),
    (100, "reply_to_comment"): Meaning("rejected", "gone"),
    (100, "comment_id"): Meaning("rejected", "gone"),
    (100, "too long"): Meaning("rejected", "too_long"),
}
"""Numbers that VK uses for several things: what is meant stands only in the words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What was going on when an error came: it decides what the error means."""

    sending: bool
    credential_key: str
    time_scale: float


def from_number(number: int, detail: str, *, raw: bytes, scene: Scene) -> ConnectorError:
    """The contract's error for one of VK's."""
    meaning = MEANINGS.get(number)
    for (known, words), narrower in BY_WORDS.items():
        if known == number and words in detail:
            meaning = narrower
    detail = f"error {number}: {detail}"
    if meaning is None:
        code = "unknown_error"
        if scene.sending:
            # VK answers an error only when it has done nothing, 1, 10 and 13 apart.
            return Rejected(code, detail, credential_key=scene.credential_key)
        return UnknownPayload(code, detail, raw=raw, credential_key=scene.credential_key)
    return from_meaning(meaning, detail, scene)


def from_meaning(meaning: Meaning, detail: str, scene: Scene) -> ConnectorError:
    """The contract's error for a meaning."""
    if meaning.kind == "rejected":
        return Rejected(meaning.code, detail, credential_key=scene.credential_key)
    if meaning.kind == "access":
        return AccessLost(meaning.code, detail, credential_key=scene.credential_key)
    if meaning.kind == "unclear" and scene.sending:
        return OutcomeUnknown(meaning.code, detail, credential_key=scene.credential_key)
    after = timedelta(seconds=meaning.seconds / scene.time_scale)
    return TryLater(meaning.code, detail, after=after, credential_key=scene.credential_key)


def unreachable(detail: str, *, left: bool, scene: Scene) -> ConnectorError:
    """The network failed; `left` when the request may have reached the platform."""
    return from_meaning(Meaning("unclear" if left else "later", "network", NETWORK_SECONDS), detail, scene)


def unreadable(code: str, detail: str, *, raw: bytes, scene: Scene) -> ConnectorError:
    """The platform answered something that is no answer."""
    if scene.sending:
        return OutcomeUnknown(code, detail, credential_key=scene.credential_key)
    return UnknownPayload(code, detail, raw=raw, credential_key=scene.credential_key)


_TOO_MANY, _TOO_LARGE, _FIRST_SERVER_ERROR = 429, 413, 500
_NOT_LET_IN = (401, 403, 407)


def from_status(status: int, *, raw: bytes, scene: Scene) -> ConnectorError:
    """An HTTP status other than 200 (VK itself answers 200 even to errors: this is a proxy or an outage)."""
    detail = f"HTTP {status}"
    if status >= _FIRST_SERVER_ERROR:
        return from_meaning(SERVER, detail, scene)
    if status == _TOO_MANY:
        return from_meaning(MEANINGS[6], detail, scene)
    if status == _TOO_LARGE:
        return from_meaning(Meaning("rejected", "too_long"), detail, scene)
    if status in _NOT_LET_IN:
        return from_meaning(Meaning("access", "no_right"), detail, scene)
    return unreadable("http_status", detail, raw=raw, scene=scene)
