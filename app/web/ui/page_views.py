"""What the lists of pages and of notices, and the form of a new appeal, are given: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.web.ui.views import Choice


@dataclass(frozen=True, kw_only=True, slots=True)
class PageLine:
    """An official page, and how watching it goes; `problem` is a code."""

    id: str
    platform: str
    title: str
    url: str
    agency: str
    territory: str
    sphere: str
    members: int | None
    active: bool
    polled_at: datetime | None
    failures: int
    problem: str
    may_stop: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PagesPage:
    """Official pages in the order in which they were connected."""

    rows: tuple[PageLine, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeLine:
    """A deadline that is near or has passed: of an appeal, or - without a number - of a comment in triage."""

    kind: str
    number: str
    promise: str
    agency: str
    due_at: datetime | None
    occurred_at: datetime
    share: int | None = None
    escalated_to: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticesPage:
    """The newest first; `before` is where the next ones begin."""

    rows: tuple[NoticeLine, ...]
    before: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkView:
    """Where a pasted link led (`state` and `code` as in `appeals.by_link`). With a `comment` the appeal is opened from it, as it stands."""

    state: str
    platform: str
    url: str
    code: str = ""
    comment: str = ""
    author: str = ""
    text: str = ""
    written_at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewAppealForm:
    """An appeal that somebody takes down. `errors` are sentences by field; `key` makes a second click harmless."""

    key: str
    topics: tuple[Choice, ...]
    agencies: tuple[Choice, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    link: LinkView | None = None
