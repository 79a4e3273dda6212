"""What the small dialogs and the coordinator's queue are given: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.web.ui.views import Attachment, Choice, Due, Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class ActionForm:
    """A small dialog. `action` is the last word of the act's address, or "triage" for a waiting comment."""

    action: str
    post_to: str
    back_to: str
    subject: str
    version: int
    choices: tuple[Choice, ...] = ()
    agencies: tuple[Choice, ...] = ()
    error: str = ""
    text: str = ""
    amount: str = ""
    unit: str = "days"
    other: str = ""
    """The number of the appeal to merge with."""
    link: str = ""
    written: str = ""
    """Where and when an answer was posted by hand."""
    url: str = ""
    """Where the matter can be seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """A topic and an agency that a coordinator may accept with one key."""

    topic: str
    topic_label: str
    agency: str
    agency_label: str
    score: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TriageRow:
    """A comment that waits for a coordinator, and why."""

    comment_id: str
    version: int
    platform: str
    page: str
    author: str
    text: str
    written_at: datetime
    reasons: tuple[Reason, ...]
    post: str = ""
    url: str = ""
    territory: str = ""
    due: Due | None = None
    attachments: tuple[Attachment, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TriagePage:
    """The coordinator's queue; `kinds` are the ways to say that a comment is not an appeal."""

    rows: tuple[TriageRow, ...]
    kinds: tuple[Choice, ...]
    total: int
    next_cursor: str | None = None
    first: bool = True
