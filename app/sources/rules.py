"""What becomes of a comment, and which text may be stored."""

from __future__ import annotations

import re
from datetime import timedelta
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


class PageState(StrEnum):
    """How the watching of a page goes: exactly one of these, the first that fits from the top."""

    OFF = "off"
    NO_ACCESS = "no_access"
    CLOSED = "closed"
    FAULTY = "faulty"
    LATE = "late"
    FINE = "fine"


LATE_AFTER = timedelta(minutes=15)
"""A page is late when it was to be read so long ago and was not."""
NO_ACCESS = frozenset({"reauthorise", "token_kind", "no_right", "restricted", "app_off", "captcha", "validation", "no_webhook", "unpaid"})
"""Codes of a token or a right that is missing (connectors/README.md): a person mends them."""
OF_TOKENS = NO_ACCESS - {"no_right"}
"""Those that no other post of the page would do better with."""
CLOSED = frozenset({"comments_closed"})
