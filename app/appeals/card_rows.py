"""What a card is made of: plain frozen rows. Codes and ids stay as stored; texts and names of citizens are raw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.appeals.rules import Act, Status
from app.replies.amending import AmendmentState, Change
from app.replies.rules import AnswerKind, ReplyState
from connectors.contract import PageRef, PostRef


@dataclass(frozen=True, kw_only=True, slots=True)
class AppealRow:
    """The appeal itself with the names of what it points to. `text` and its author's name: of one that no comment brought."""

    id: int
    number: int
    status: Status
    source: str
    platform: str
    priority: str
    cycle: int
    version: int
    page_id: int | None
    page_title: str | None
    page_link: str | None
    post_id: int | None
    root_external_id: str | None
    comment_id: int | None
    author_id: int | None
    author_name: str | None
    author_link: str | None
    topic_id: int | None
    topic_code: str | None
    topic_name: str | None
    agency_id: int
    agency_code: str
    agency_name: str
    territory_id: int
    territory_code: str
    territory_name: str
    operator_id: int | None
    operator_name: str | None
    written_at: datetime
    opened_at: datetime
    due_at: datetime | None
    touched_at: datetime
    answered_at: datetime | None
    closed_at: datetime | None
    close_reason: str | None
    text: str | None
    link: str | None
    merged_into: int | None = None
    """The number of the older appeal that answers for it."""
    merged_count: int = 0
    """How many were merged into it."""
    token_kinds: Sequence[str] = ()
    """Of which kinds there are tokens for its page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PostRow:
    """The post above the thread; `text` is its beginning. `gone_at`: it was no longer found."""

    id: int
    external_id: str
    page_external_id: str
    page_options: Mapping[str, str]
    text: str
    link: str
    attachments: Sequence[Any]
    published_at: datetime
    gone_at: datetime | None

    @property
    def ref(self) -> PostRef:
        """As a connector knows it."""
        return PostRef(page=PageRef(external_id=self.page_external_id, options=self.page_options), external_id=self.external_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class RevisionRow:
    """What a comment said until it was edited."""

    comment_id: int
    revision: int
    text: str
    edited_at: datetime | None
    observed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CommentRow:
    """A comment of the thread. `of_appeal`: it belongs to this appeal; `by_author`: its citizen wrote it.

    `text` is the beginning, `length` the whole text's; `text_altered`: NUL or lone surrogates were replaced.
    """

    id: int
    external_id: str
    reply_to_external_id: str | None
    author_name: str | None
    by_page: bool
    by_author: bool
    of_appeal: bool
    text: str
    length: int
    text_altered: bool
    attachments: Sequence[Any]
    link: str
    revision: int
    fate: str | None
    written_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    revisions: tuple[RevisionRow, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRow:
    """What triage or, as a correction, a person decided about the comment that opened the appeal."""

    id: int
    operator_id: int | None
    operator_name: str | None
    classifier: str
    version: str
    kind: str
    is_appeal: bool | None
    topic_id: int | None
    topic_name: str | None
    agency_id: int | None
    agency_name: str | None
    rule_id: int | None
    confidence: float
    scores: Mapping[str, float]
    reasons: Sequence[Mapping[str, Any]]
    route_reason: Mapping[str, Any]
    recorded_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AmendmentRow:
    """What was, or is to be, done to an answer that stands; `text_before` is what stood there."""

    id: int
    reply_id: int
    operator_id: int
    operator_name: str
    change: Change
    text: str
    text_before: str
    reason: str
    state: AmendmentState
    created_at: datetime
    due_at: datetime
    attempts: int
    error_code: str | None
    error_detail: str | None
    done_at: datetime | None
    stopped: bool = False
    """It waits, and publishing is stopped for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyRow:
    """One of our answers and where it stands in the outbox; `due_at` is the next attempt of a queued one."""

    id: int
    comment_id: int | None
    comment_revision: int | None
    cycle: int
    operator_id: int | None
    operator_name: str | None
    agency_id: int | None
    kind: AnswerKind
    by_hand: bool
    text: str
    state: ReplyState
    created_at: datetime
    due_at: datetime
    attempts: int
    error_code: str | None
    error_detail: str | None
    external_id: str | None
    link: str | None
    published_at: datetime | None
    stopped: bool = False
    """It waits, and publishing is stopped for it."""
    unapproved: bool = False
    """Somebody gave it by hand where a colleague would have approved it first."""
    also: int = 0
    """How many answers to the authors of merged appeals wait for approval with it."""
    pictures: Sequence[int] = ()
    """The places of those that go with it and were not erased."""
    amendments: tuple[AmendmentRow, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteRow:
    """What a colleague told the others."""

    id: int
    operator_name: str
    text: str
    recorded_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class EventRow:
    """One line of the history; `data` holds ids and codes."""

    id: int
    act: Act
    cycle: int
    operator_id: int | None
    operator_name: str | None
    occurred_at: datetime
    recorded_at: datetime
    data: Mapping[str, Any]
    approver_name: str | None = None
    """Who let an answer go out, when it was somebody else than its author."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TimerRow:
    """A promise with what it was counted from: the policy's choice, the term and the calendar version (see `sla.queries`)."""

    id: int
    cycle: int
    promise: str
    policy_code: str
    policy_version: int
    policy_name: str
    calendar_version_id: int | None
    choice: Mapping[str, Any]
    term: Mapping[str, Any]
    started_at: datetime
    due_at: datetime
    warnings: Sequence[str]
    breached_at: datetime | None
    stopped_at: datetime | None
    outcome: str | None
    elapsed_seconds: int | None
    working_seconds: int | None

    @property
    def near_at(self) -> datetime | None:
        """The last warning: from then on the deadline is near."""
        return datetime.fromisoformat(self.warnings[-1]) if self.warnings else None


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseRow:
    """A span in which the clock stood still."""

    since: datetime
    until: datetime | None
    reason: str
    operator_name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtensionRow:
    """A deadline that a coordinator put off."""

    timer_id: int
    due_before: datetime
    due_after: datetime
    reason: str
    operator_name: str | None
    recorded_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AssignmentRow:
    """Who held the appeal, from when to when."""

    agency_id: int
    agency_name: str
    operator_id: int | None
    operator_name: str | None
    since: datetime
    until: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlierRow:
    """Another appeal of the same author that the reader may see."""

    number: int
    status: Status
    platform: str
    topic_name: str | None
    agency_name: str
    written_at: datetime
    opened_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedRow:
    """A comment in the thread of an appeal (`number`) that was merged into this one; `answered`: an answer of ours stands under it.

    Of an appeal that no comment brought, its own words.
    """

    number: int
    platform: str
    page_title: str | None
    of_appeal: bool
    by_page: bool
    author_name: str | None
    text: str
    link: str | None
    written_at: datetime
    deleted_at: datetime | None
    answered: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One appeal, whole. `earlier_comments` of the thread are older than those shown.

    `held_until` is set for a former agency: it reads what was recorded by then, and may do nothing more.
    """

    appeal: AppealRow
    post: PostRow | None
    comments: tuple[CommentRow, ...]
    earlier_comments: int
    verdicts: tuple[VerdictRow, ...]
    replies: tuple[ReplyRow, ...]
    notes: tuple[NoteRow, ...]
    events: tuple[EventRow, ...]
    timers: tuple[TimerRow, ...]
    pauses: tuple[PauseRow, ...]
    extensions: tuple[ExtensionRow, ...]
    assignments: tuple[AssignmentRow, ...]
    earlier_appeals: tuple[EarlierRow, ...]
    merged: tuple[MergedRow, ...] = ()
    held_until: datetime | None = None

    @property
    def verdict(self) -> VerdictRow | None:
        """The one in force: the latest."""
        return self.verdicts[-1] if self.verdicts else None
