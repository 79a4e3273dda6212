"""What a norm would have done to matters of the past: the same code that sets deadlines, over what really happened. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from app.sla.rules import Pause, Promise, StopCause, TimerOutcome, effective_due, outcome

if TYPE_CHECKING:
    from app.sla.book import Book, PlannedTimer
    from app.sla.calendar import WorkingCalendar
    from app.sla.policy import Matter

JUDGED = (Promise.FIRST_ANSWER, Promise.INTERIM_ANSWER, Promise.FINAL_ANSWER)


class Standing(StrEnum):
    """How a promise stands at a moment: kept or not, or what becomes of it is still open."""

    MET = "met"
    LATE = "late"
    UNANSWERED = "unanswered"
    WAITING = "waiting"
    OVERDUE = "overdue"
    NOT_PROMISED = "not_promised"


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """One matter in one of its cycles: what it was about, and when it was asked, answered and stood still."""

    appeal_id: int
    cycle: int
    matter: Matter
    started_at: datetime
    first_at: datetime | None
    interim_at: datetime | None
    final_at: datetime | None
    ended_at: datetime | None
    """Closed without an answer."""
    pauses: tuple[Pause, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """How many matters stand how, by promise, under the norms in force and under those with the change; how many change sides."""

    judged: int
    before: Mapping[Promise, Mapping[Standing, int]] = field(hash=False)
    after: Mapping[Promise, Mapping[Standing, int]] = field(hash=False)
    better: Mapping[Promise, int] = field(hash=False)
    """Missed before, kept now."""
    worse: Mapping[Promise, int] = field(hash=False)
    """Kept before, missed now."""


_MISSED = frozenset({Standing.LATE, Standing.OVERDUE, Standing.UNANSWERED})


def effect(matters: Iterable[Past], *, before: Book, after: Book, now: datetime) -> Effect:
    """Judge each matter by both books as they stand at `now`, whatever was in force when it was asked."""
    judged = list(matters)
    counts: dict[str, dict[Promise, Counter[Standing]]] = {"before": {}, "after": {}}
    better, worse = Counter[Promise](), Counter[Promise]()
    for promise in JUDGED:
        old, new = standings(before, judged, promise, now=now), standings(after, judged, promise, now=now)
        counts["before"][promise], counts["after"][promise] = Counter(old), Counter(new)
        for one, other in zip(old, new, strict=True):
            if one is not Standing.NOT_PROMISED and other is not Standing.NOT_PROMISED:
                better[promise] += one in _MISSED and other not in _MISSED
                worse[promise] += one not in _MISSED and other in _MISSED
    return Effect(judged=len(judged), before=counts["before"], after=counts["after"], better=better, worse=worse)


def standings(book: Book, matters: Sequence[Past], promise: Promise, *, now: datetime) -> list[Standing]:
    """How a promise of the norms in force at `now` stands for each matter."""
    planned = book.plan_all([(past.matter, past.started_at) for past in matters], promises=(promise,), in_force_at=now)
    found = []
    for past, timers in zip(matters, planned, strict=True):
        timer = timers[0] if timers else _after_interim(book, past, promise, now)
        found.append(Standing.NOT_PROMISED if timer is None else _standing(book, past, promise, timer, now))
    return found


def standing(book: Book, past: Past, promise: Promise, *, now: datetime) -> Standing:
    """How it stands for one matter."""
    return standings(book, [past], promise, now=now)[0]


def _standing(book: Book, past: Past, promise: Promise, timer: PlannedTimer, now: datetime) -> Standing:
    happened = {
        Promise.FIRST_ANSWER: past.first_at,
        Promise.INTERIM_ANSWER: past.interim_at or past.final_at,
        Promise.FINAL_ANSWER: past.final_at,
    }[promise]
    stopped = happened or past.ended_at
    due = _due(book, timer, past.pauses, stopped or now)
    if stopped is None:
        return Standing.OVERDUE if due <= now else Standing.WAITING
    cause = StopCause.FULFILLED if happened is not None else StopCause.CLOSED
    return {
        TimerOutcome.MET: Standing.MET,
        TimerOutcome.LATE: Standing.LATE,
        TimerOutcome.UNANSWERED: Standing.UNANSWERED,
        TimerOutcome.CANCELLED: Standing.NOT_PROMISED,
    }[outcome(cause, stopped_at=stopped, due_at=due)]


def _after_interim(book: Book, past: Past, promise: Promise, now: datetime) -> PlannedTimer | None:
    """The clock that an interim answer would have started."""
    if promise is Promise.FINAL_ANSWER and past.interim_at is not None:
        return book.plan_final(past.matter, past.interim_at, in_force_at=now)
    return None


def _due(book: Book, timer: PlannedTimer, pauses: Sequence[Pause], until: datetime) -> datetime:
    calendar: WorkingCalendar | None = book.calendar(timer.calendar_version_id) if timer.term.get("working") else None
    return effective_due(timer.due_at, started_at=timer.started_at, pauses=pauses, now=until, calendar=calendar)
