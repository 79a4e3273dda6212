"""What becomes of a comment, and which text may be stored."""

from __future__ import annotations

import re
from enum import StrEnum

REPLACEMENT = "\ufffd"
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Fate(StrEnum):
    """Every comment is exactly one of these; empty only between being stored and being looked at."""

    OPENED = "opened"
    APPENDED = "appended"
    PAGE_OWN = "page_own"
    NOT_APPEAL = "not_appeal"
    IN_TRIAGE = "in_triage"


class News(StrEnum):
    """What has come in so far: something, nothing although pages are watched, or nothing because there is no page."""

    READ = "read"
    READING = "reading"
    NO_PAGES = "no_pages"


def storable(text: str) -> tuple[str, bool]:
    """The text that PostgreSQL takes and whether it differs: NUL and lone surrogates become U+FFFD.

    Source: DESIGN section 4. Everything else stays character for character.
    """
    clean, replaced = _UNSTORABLE.subn(REPLACEMENT, text)
    return clean, replaced > 0
