"""What the templates are given: plain frozen values, ready to be shown. Built by the routes, never by the templates.

Codes (status, platform, reply state, kind of event, reason) stay codes; `labels` puts them into words in the reader's
language. Texts and names of citizens are raw here and go through the `reveal` filter. Times are aware.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

from app.sources.rules import News
from app.web.ui.clock_views import DeadlineView
from app.web.ui.reply_views import ReplyView
from app.web.ui.sections import Section
from app.web.ui.stop_views import StopView


class DueState(StrEnum):
    """How a deadline stands at a moment; the only thing on the screen that has a colour."""

    CALM = "calm"
    NEAR = "near"
    OVERDUE = "overdue"


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer:
    """Who is signed in. `key` is opaque and stable: drafts kept in the browser are filed under it."""

    name: str
    role: str
    scope: str
    key: str
    keys_on: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeCount:
    """How many deadlines have passed, and how many are near."""

    overdue: int
    near: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Screen:
    """What every page needs. `here` is the path with its query, to which preferences return."""

    language: str
    zone: ZoneInfo
    now: datetime
    csrf: str
    here: str
    theme: str = "auto"
    viewer: Viewer | None = None
    pages: tuple[str, ...] = ()  # those of "queue", "triage", "reports", "pages" that the viewer may open
    sections: tuple[Section, ...] = ()  # of the administration, likewise
    may_create: bool = False
    triage_waiting: int | None = None
    live_cursor: str | None = None
    notices: NoticeCount | None = None
    stops: tuple[StopView, ...] = ()
    may_stop: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One thing to choose from. `group` is the heading it stands under, `count` how many there are."""

    value: str
    label: str
    count: int | None = None
    group: str = ""
    hint: str = ""
    chosen: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Due:
    """A deadline and the moment from which it is near."""

    due_at: datetime
    near_at: datetime

    def state(self, now: datetime) -> DueState:
        """How it stands at `now`."""
        if now >= self.due_at:
            return DueState.OVERDUE
        return DueState.NEAR if now >= self.near_at else DueState.CALM


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueFilters:
    """What of the queue is shown; an empty string means everything."""

    mine: bool = False
    overdue: bool = False
    trouble: bool = False
    status: str = ""
    agency: str = ""
    platform: str = ""
    topic: str = ""
    territory: str = ""
    q: str = ""

    def pairs(self) -> dict[str, str]:
        """Those that are set, as they stand in an address."""
        flags = {name: "1" for name in ("mine", "overdue", "trouble") if getattr(self, name)}
        texts = ("status", "agency", "platform", "topic", "territory", "q")
        return flags | {name: value for name in texts if (value := getattr(self, name))}

    def query(self, *, without: str = "", **more: str) -> str:
        """An address's query, with its question mark, or nothing; `without` drops one filter."""
        pairs = {name: value for name, value in self.pairs().items() if name != without} | more
        return f"?{urlencode(pairs)}" if pairs else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facet:
    """One filter with its choices; counts are there once they have been counted."""

    name: str
    choices: tuple[Choice, ...]

    @property
    def chosen(self) -> Choice | None:
        """The choice in force."""
        return next((choice for choice in self.choices if choice.chosen), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class FacetCounts:
    """The filters of the queue. Counts are None while nobody has counted; `capped`: there are more than that.

    `trouble` counts appeals whose answer failed or may not stand on the platform.
    """

    facets: tuple[Facet, ...]
    mine: int | None = None
    overdue: int | None = None
    trouble: int | None = None
    capped: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueRow:
    """One appeal in the queue. `reply_state` is that of its last answer."""

    number: str
    platform: str
    page: str
    snippet: str
    status: str
    topic: str = ""
    agency: str = ""
    territory: str = ""
    due: Due | None = None
    opened_at: datetime
    assignee: str = ""
    mine: bool = False
    reply_state: str = ""
    comments: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuePage:
    """Rows in the order of their deadlines. `taken` says how many the reader has before and with this page."""

    rows: tuple[QueueRow, ...]
    filters: QueueFilters
    facets: FacetCounts
    next_cursor: str | None = None
    first: bool = True
    news: str = News.READ


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A reference to a picture or a file; nothing is loaded from outside. `picture`: where our own proxy shows it, in two sizes."""

    kind: str
    title: str = ""
    url: str = ""
    picture: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """What a comment said until it was edited."""

    text: str
    observed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ThreadComment:
    """A comment of the thread. `voice` is "citizen" (the appeal's author), "page" or "other".

    `answerable`: it belongs to the appeal. `unheard`: written before the answer, noticed when that was composed already.
    `length` is the whole text's when `text` is only its beginning, else 0.
    """

    id: str
    author: str
    voice: str
    text: str
    written_at: datetime
    depth: int = 0
    answerable: bool = False
    unheard: bool = False
    length: int = 0
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    url: str = ""
    revisions: tuple[Revision, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    replies: tuple[ReplyView, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PostView:
    """The post above the thread."""

    text: str
    published_at: datetime
    url: str = ""
    attachments: tuple[Attachment, ...] = ()
    gone: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One step of a decision: a code, and parameters whose ids were already turned into names."""

    code: str
    params: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictView:
    """What triage decided. `confidence` is 0..1; `corrected_by` is a person when a person decided."""

    topic: str
    confidence: float
    reasons: tuple[Reason, ...]
    classifier: str
    decided_at: datetime
    group: str = ""
    corrected_by: str = ""
    routing: tuple[Reason, ...] = ()
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryLine:
    """One event. `recorded_at` is shown when it is much later than `occurred_at`."""

    kind: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str = ""
    params: Mapping[str, str | int | float] = field(default_factory=dict)
    approver: str = ""
    brought: bool = False
    """Another system told it: nobody here noticed it late."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteView:
    """A note between colleagues; never published."""

    author: str
    at: datetime
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierAppeal:
    """Another appeal of the same author that the viewer may see."""

    number: str
    topic: str
    opened_at: datetime
    status: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What somebody wrote and could not send: `action` is "answer" or "note", `error` says why in their language."""

    action: str
    text: str
    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedComment:
    """A comment in the thread of a merged appeal; `answered`: an answer of ours stands under it."""

    author: str
    voice: str
    text: str
    written_at: datetime
    url: str
    deleted: bool
    answered: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedAppeal:
    """An appeal that was merged into the one shown, with its thread."""

    number: str
    platform: str
    page: str
    comments: tuple[MergedComment, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureField:
    """How many pictures may be chosen for an answer, and how many megabytes each may have."""

    most: int
    megabytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AppealCard:
    """One appeal, whole. `actions` are those that its state and the viewer's role allow, by their address's last word.

    `version` goes back with every act, so that nobody decides about a state that has passed; `answer_key` makes a
    second click of "send" harmless. `reply_limit` is in characters as the platform counts. `held_until`: the agency that
    looks has handed it on, and sees it as it was then. `error` says why the last act was refused.
    """

    number: str
    version: int
    status: str
    platform: str
    page: str
    author: str
    territory: str
    topic: str
    agency: str
    opened_at: datetime
    post: PostView | None
    comments: tuple[ThreadComment, ...]
    deadlines: tuple[DeadlineView, ...]
    verdict: VerdictView | None
    history: tuple[HistoryLine, ...]
    answer_key: str = field(default_factory=lambda: uuid4().hex)
    assignee: str = ""
    mine: bool = False
    url: str = ""
    notes: tuple[NoteView, ...] = ()
    earlier: tuple[EarlierAppeal, ...] = ()
    actions: frozenset[str] = frozenset()
    reply_limit: int = 4096
    outcome: str = ""
    filters: QueueFilters = field(default_factory=QueueFilters)
    earlier_comments: int = 0
    held_until: datetime | None = None
    draft: Draft | None = None
    error: str = ""
    approved_first: bool = False
    """What is written now goes to whoever approves it, not to the platform."""
    merged_into: str = ""
    merged: tuple[MergedAppeal, ...] = ()
    pictures: PictureField | None = None
    """None: no pictures go with an answer there."""

    @property
    def paused(self) -> bool:
        """Whether the clock stands still."""
        return any(line.paused for line in self.deadlines)

    @property
    def due(self) -> Due | None:
        """The nearest deadline that still runs."""
        running = [line.due for line in self.deadlines if line.stopped_at is None and not line.paused]
        return min(running, key=lambda due: due.due_at, default=None)

    @property
    def reply_to(self) -> tuple[ThreadComment, ...]:
        """The citizen's comments that can be answered, the latest first."""
        return tuple(c for c in reversed(self.comments) if c.answerable and c.deleted_at is None)
