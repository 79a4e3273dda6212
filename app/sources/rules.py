"""What becomes of a comment, and which text may be stored."""

from __future__ import annotations

from enum import StrEnum

REPLACEMENT = "\ufffd"


class Fate(StrEnum):
    """Every comment is exactly one of these; empty only between being stored and being looked at."""

    OPENED = "opened"
    APPENDED = "appended"
    PAGE_OWN = "page_own"
    NOT_APPEAL = "not_appeal"
    IN_TRIAGE = "in_triage"


def storable(text: str) -> tuple[str, bool]:
    """The text that PostgreSQL takes and whether it differs: NUL and lone surrogates become U+FFFD.

    Source: DESIGN section 4. Everything else stays character for character.
    """
    if text.isascii() and "\0" not in text:
        return text, False
    clean = "".join(REPLACEMENT if char == "\0" or "\ud800" <= char <= "\udfff" else char for char in text)
    return clean, clean != text
