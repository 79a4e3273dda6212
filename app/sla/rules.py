"""Decisions about one running deadline: what pauses do to it, how long it ran, how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from app.sla.calendar import WorkingCalendar, advance, measure


class Promise(StrEnum):
    """What is promised to the citizen, each with a clock of its own."""

    TRIAGE = "triage"
    FIRST_ANSWER = "first_answer"
    INTERIM_ANSWER = "interim_answer"
    FINAL_ANSWER = "final_answer"


class StopCause(StrEnum):
    """Why a timer stopped."""

    FULFILLED = "fulfilled"
    """The promised act happened: on the platform for an answer, here for triage."""
    CLOSED = "closed"
    """The appeal was closed without the promised act."""
    DISMISSED = "dismissed"
    """It was not an appeal after all: spam, abuse, gratitude, not a question."""
    MERGED = "merged"
    """Another appeal's clock answers for it."""
    REPLACED = "replaced"
    """A timer under another policy took its place."""


class TimerOutcome(StrEnum):
    """How a stopped timer counts."""

    MET = "met"
    LATE = "late"
    UNANSWERED = "unanswered"
    """Stopped without the promised act; stays in the population, is no answer."""
    CANCELLED = "cancelled"
    """Left the population."""


class PauseReason(StrEnum):
    """Why a clock stood still."""

    WAITING_FOR_AUTHOR = "waiting_for_author"
    PLATFORM_DOWN = "platform_down"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Pause:
    """A span [since, until) in which the clock stood still; an open one has no end yet."""

    since: datetime
    until: datetime | None
    reason: str = PauseReason.OTHER

    def __post_init__(self) -> None:
        if self.until is not None and self.until < self.since:
            raise ValueError("a pause ends before it begins")


def outcome(cause: StopCause, *, stopped_at: datetime, due_at: datetime) -> TimerOutcome:
    """Return how a timer that stopped counts; the deadline's own moment is still in time."""
    if cause is StopCause.FULFILLED:
        return TimerOutcome.MET if stopped_at <= due_at else TimerOutcome.LATE
    return TimerOutcome.UNANSWERED if cause is StopCause.CLOSED else TimerOutcome.CANCELLED


def effective_due(
    due_at: datetime,
    *,
    started_at: datetime,
    pauses: Iterable[Pause],
    now: datetime,
    calendar: WorkingCalendar | None,
) -> datetime:
    """Return the deadline moved by the time that its pauses covered, on the timer's own clock.

    `due_at` is the deadline without pauses. An open pause counts up to `now`, so a standing clock never runs out. A
    pause that begins at or after the deadline changes nothing: what is late stays late.
    """
    due = due_at
    for since, until in _spans(pauses, started_at, now):
        if since >= due:
            break
        due = advance(calendar, due, measure(calendar, since, until))
    return due


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a deadline and its warnings stand now; `warn_at` is the next one still to give."""

    due_at: datetime
    warnings: tuple[datetime, ...]
    warn_at: datetime | None


def resumed(
    due_at: datetime, warnings: Iterable[datetime], *, started_at: datetime, pause: Pause, calendar: WorkingCalendar | None
) -> Moved:
    """Return a deadline and its warnings moved by a pause that has ended; what came before the pause stays."""
    if pause.until is None:
        raise ValueError("the pause goes on")
    until = pause.until
    moved = [effective_due(one, started_at=started_at, pauses=[pause], now=until, calendar=calendar) for one in (due_at, *sorted(warnings))]
    ahead = [one for one in moved[1:] if until <= one < moved[0]]
    return Moved(moved[0], tuple(moved[1:]), min(ahead, default=None))


def extended(
    due_at: datetime, warnings: Iterable[datetime], *, new_due_at: datetime, now: datetime, calendar: WorkingCalendar | None
) -> Moved:
    """Return a deadline put off to a later moment; warnings not given yet are put off by as much of the timer's own time."""
    if new_due_at <= due_at:
        raise ValueError("a deadline is put off, never brought forward")
    longer = measure(calendar, due_at, new_due_at)
    moved = tuple(one if one <= now else advance(calendar, one, longer) for one in sorted(warnings))
    ahead = [one for one in moved if now < one < new_due_at]
    return Moved(new_due_at, moved, min(ahead, default=None))


def elapsed(started_at: datetime, ended_at: datetime, *, pauses: Iterable[Pause], calendar: WorkingCalendar | None) -> timedelta:
    """Return how long a clock ran between two moments, without its pauses; zero when it ended before it began."""
    if ended_at <= started_at:
        return timedelta(0)
    stood = (measure(calendar, since, until) for since, until in _spans(pauses, started_at, ended_at))
    return measure(calendar, started_at, ended_at) - sum(stood, timedelta(0))


def is_paused(pauses: Iterable[Pause], now: datetime) -> bool:
    """Return whether the clock stands still at `now`."""
    return any(pause.since <= now and (pause.until is None or now < pause.until) for pause in pauses)


def next_warning(warnings: Iterable[datetime], *, after: datetime | None) -> datetime | None:
    """Return the earliest warning still to give, that is later than the last one given."""
    return min((moment for moment in warnings if after is None or moment > after), default=None)


def _spans(pauses: Iterable[Pause], low: datetime, high: datetime) -> list[tuple[datetime, datetime]]:
    """Return the pauses within [low, high] in order, overlapping ones joined, open ones ended at `high`."""
    spans: list[tuple[datetime, datetime]] = []
    clipped = ((max(one.since, low), min(one.until or high, high)) for one in pauses)
    for since, until in sorted(span for span in clipped if span[0] < span[1]):
        if spans and since <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(until, spans[-1][1]))
        else:
            spans.append((since, until))
    return spans
