"""What the templates are told of a clock: its deadline with the arithmetic, where it stood, what put it off, who held the appeal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from app.web.ui.views import Due, Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class PauseView:
    """A span in which the clock stood still; it moved the deadline by `seconds` of the timer's own time."""

    since: datetime
    until: datetime | None
    reason: str
    actor: str = ""
    seconds: float = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtensionView:
    """A deadline that was put off, with the one before it."""

    due_before: datetime
    due_after: datetime
    reason: str
    actor: str
    at: datetime
    seconds: float = 0
    """By how much of the timer's own time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShareView:
    """How long an agency held the appeal while the clock ran; no agency: before anybody did."""

    agency: str
    seconds: float
    working_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadlineLine:
    """One local day of a working term: which hours of it counted, or why none did.

    `kind` is a DayKind's value, `note` one of the calendar's notes, `name` a holiday's name in the reader's language.
    """

    day: date
    seconds: float
    spans: tuple[tuple[datetime, datetime], ...] = ()
    kind: str = ""
    note: str = ""
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadlineView:
    """One promise with its arithmetic, shown in the territory's `zone`. No lines: every hour counts.

    `paused`: it stands still now. `shares` are told when more than one agency held the appeal.
    """

    promise: str
    due: Due
    started_at: datetime
    term_seconds: float
    working: bool
    zone: ZoneInfo
    policy: str
    term_days: int = 0
    since: str = ""
    """What started the clock when it was not the citizen's first words: `interim`, or `again` when it was reopened."""
    policy_reasons: tuple[Reason, ...] = ()
    lines: tuple[DeadlineLine, ...] = ()
    stopped_at: datetime | None = None
    outcome: str = ""
    paused: bool = False
    pauses: tuple[PauseView, ...] = ()
    extensions: tuple[ExtensionView, ...] = ()
    shares: tuple[ShareView, ...] = ()

    @property
    def counted(self) -> float | None:
        """All of the timer's own time from the start to the deadline: the term and what moved it. None when it is not told day by day."""
        if not self.working:
            return (self.due.due_at - self.started_at).total_seconds()
        return sum(one.seconds for one in self.lines) if self.lines else None
