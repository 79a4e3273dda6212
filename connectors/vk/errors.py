"""VK's error numbers in the contract's words. Pure; connectors/README.md says what a person should do about each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.meanings import RATE, SERVER, Meaning, Scene, from_code

if TYPE_CHECKING:
    from connectors.contract import ConnectorError

MEANINGS: dict[int, Meaning] = {
    1: SERVER,
    2: Meaning("access", "app_off"),
    3: Meaning("rejected", "unsupported"),
    4: Meaning("access", "reauthorise"),
    5: Meaning("access", "reauthorise"),
    6: RATE,
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
    29: Meaning("later", "quota", 900),
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
    (100, "longpoll for this group is not enabled"): Meaning("access", "listening_off"),
    (100, "too long"): Meaning("rejected", "too_long"),
}
"""Numbers that VK uses for several things: what is meant stands only in the words."""


def from_number(number: int, detail: str, *, raw: bytes, scene: Scene) -> ConnectorError:
    """The contract's error for one of VK's."""
    meaning = MEANINGS.get(number)
    for (known, words), narrower in BY_WORDS.items():
        if known == number and words in detail:
            meaning = narrower
    return from_code(meaning, f"error {number}: {detail}", raw=raw, scene=scene)
