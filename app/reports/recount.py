"""Each clock once more, from raw history in plain Python: what the rows of the clocks are held against.

Pure, and shares nothing with the SQL but the definition: what happened comes from events, answers and the citizen's own time,
working time from the stored calendar. `relines.py` goes on from here to lines and figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from app.appeals.rules import Act
from app.reports.lines import GIVEN
from app.sla.calendar import CalendarError, WorkingCalendar, measure, round_the_clock
from app.sla.policy import PolicyError, deadline, promises_from_json
from app.sla.rules import Pause, Promise, StopCause, TimerOutcome, effective_due, outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CAUSES = {
    Act.REPLY_SENT: StopCause.FULFILLED,
    Act.INTERIM_SENT: StopCause.FULFILLED,
    Act.ANSWERED_BY_HAND: StopCause.FULFILLED,
    Act.CLOSED: StopCause.CLOSED,
    Act.DISMISSED: StopCause.DISMISSED,
    Act.MERGED: StopCause.MERGED,
}
_GOES_ON = {Promise.FINAL_ANSWER: frozenset({Act.INTERIM_SENT})}
"""Acts that stop other clocks of the cycle, but not these."""
_WENT_ON = frozenset({Act.RESUMED, Act.MERGED})
"""Acts that end a pause before the clock's own end: a clock that was merged, and goes on since, has moved by it."""
_ANSWERED = frozenset({TimerOutcome.MET, TimerOutcome.LATE})
_HALF = timedelta(milliseconds=500)
_MAX_SECONDS = 2**31 - 1  # what the columns hold


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A line of an appeal's history, as far as the clock is concerned."""

    id: int
    act: Act
    cycle: int
    occurred_at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer that stands on the platform, or stood there: of an earlier cycle it still counts."""

    id: int
    operator_id: int | None
    published_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What the row of a clock says."""

    number: int
    cycle: int
    promise: Promise
    term: Mapping[str, Any]
    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None
    outcome: str | None
    agency_id: int | None
    elapsed_seconds: int | None
    working_seconds: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """What happened to an appeal: its whole history in order, its answers by id, its pauses, the citizen's own time."""

    written_at: datetime
    agency_id: int
    operator_id: int | None
    """Who holds it today."""
    events: Sequence[Event]
    answers: Mapping[int, Answer]
    pauses: Sequence[Pause]
    calendar: WorkingCalendar | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What is stored, and what the history says instead. `number` and `cycle` name the appeal's clock, if it is one."""

    what: str
    stored: object
    expected: object
    number: int | None = None
    cycle: int | None = None
    group: str = ""
    """Of a figure of a report: its grouping and key, such as `agency 12`, or `total`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """One clock, as its history says; None of what has not been yet."""

    started_at: datetime
    due_at: datetime
    stopped_at: datetime | None
    outcome: TimerOutcome | None
    elapsed_seconds: int | None
    working_seconds: int | None
    agency_id: int | None
    """Who held the appeal when it stopped, else who holds it."""


class _Findings(list[Difference]):
    """Differences of one clock as they are found."""

    def __init__(self, stored: Stored) -> None:
        super().__init__()
        self._of = stored

    def compare(self, what: str, stored: object, expected: object) -> None:
        """Note what is not as expected."""
        if stored != expected:
            self.append(Difference(what=what, stored=stored, expected=expected, number=self._of.number, cycle=self._of.cycle))


def recount(stored: Stored, history: History, *, now: datetime) -> tuple[Fact, list[Difference]]:
    """The clock as its history says it must be, and every column that says otherwise."""
    found = _Findings(stored)
    started_at = _start(stored, history)
    found.compare("started_at", stored.started_at, started_at)
    started_at = started_at or stored.started_at
    stop = stop_of(history.events, stored.cycle, stored.promise)
    stopped_at = _stop(stop, history, found)
    found.compare("stopped_at", stored.stopped_at, stopped_at)
    due_at = _due(stored, history, started_at, stop, stopped_at or now)
    found.compare("due_at", stored.due_at, due_at)
    result = elapsed_s = working_s = None
    if stop is not None and stopped_at is not None:
        result = outcome(_CAUSES[stop.act], stopped_at=stopped_at, due_at=due_at)
        elapsed_s = spent(None, started_at, stopped_at, history.pauses)
        if history.calendar is not None:
            working_s = spent(history.calendar, started_at, stopped_at, history.pauses)
    found.compare("outcome", stored.outcome, None if result is None else result.value)
    found.compare("elapsed_seconds", stored.elapsed_seconds, elapsed_s)
    found.compare("working_seconds", stored.working_seconds, working_s)
    agency_id = _holder(history, stop)
    found.compare("agency_id", history.agency_id if stop is None else stored.agency_id, agency_id)
    fact = Fact(
        started_at=started_at,
        due_at=due_at,
        stopped_at=stopped_at,
        outcome=result,
        elapsed_seconds=elapsed_s,
        working_seconds=working_s,
        agency_id=agency_id,
    )
    return fact, found


def stop_of(events: Sequence[Event], cycle: int, promise: Promise) -> Event | None:
    """The act that ended what was promised in a cycle; being merged, unless that was taken back."""
    passed = _GOES_ON.get(promise, frozenset())
    undone = uncounted(events)
    parted = max((one.id for one in events if one.act is Act.UNMERGED), default=0)
    ending = (
        one for one in events if one.cycle == cycle and one.act in _CAUSES and one.act not in passed and one.data.get("reply") not in undone
    )
    return next((one for one in ending if one.act is not Act.MERGED or one.id > parted), None)


def uncounted(events: Sequence[Event]) -> frozenset[object]:
    """Answers that were taken away: they kept no promise."""
    return frozenset(one.data.get("reply") for one in events if one.act is Act.REPLY_REMOVED and one.data.get("uncounted")) - {None}


def begun(history: History, cycle: int) -> datetime | None:
    """The citizen's own time; of a later cycle, when it was reopened. None when the history knows no such cycle."""
    if cycle == 1:
        return history.written_at
    reopened = (one.occurred_at for one in history.events if one.act is Act.REOPENED and one.cycle == cycle)
    return next(reopened, None)


def _start(stored: Stored, history: History) -> datetime | None:
    """When the cycle began; a final answer may be promised by an interim one only, and then from there."""
    if stored.promise is Promise.FINAL_ANSWER:
        interim = [one.occurred_at for one in history.events if one.act is Act.INTERIM_SENT and one.cycle == stored.cycle]
        if stored.started_at in interim:
            return stored.started_at
    return begun(history, stored.cycle)


def _stop(stop: Event | None, history: History, found: _Findings) -> datetime | None:
    """When the clock stopped: at the platform's publish time of the answer, else at the act that ended the matter."""
    if stop is None:
        return None
    if _CAUSES[stop.act] is not StopCause.FULFILLED:
        return stop.occurred_at
    answer = history.answers.get(int(stop.data.get("reply") or 0))
    if answer is None or answer.published_at is None:
        found.compare("answer", None, f"reply {stop.data.get('reply')} on the platform")
        return stop.occurred_at
    found.compare("event.occurred_at", stop.occurred_at, answer.published_at)
    return answer.published_at


def _due(stored: Stored, history: History, started_at: datetime, stop: Event | None, until: datetime) -> datetime:
    """The deadline by term and calendar, moved by pauses; the stored one where it cannot be computed anew."""
    try:
        term = promises_from_json({stored.promise.value: dict(stored.term)})[stored.promise]
        if term is None or (history.calendar is None and term.days):
            return stored.due_at
        # Without a usable calendar working time meant plain time.
        calendar = history.calendar or round_the_clock("UTC")
        due_at, pauses = deadline(term, calendar, started_at).due_at, _moving(history, stop, until)
        put_off = _put_off(stored, history)
        if put_off is not None:
            due_at = datetime.fromisoformat(put_off.data["due_after"])
            settled = {one.occurred_at for one in history.events if one.act in _WENT_ON and one.id < put_off.id}
            pauses = [one for one in pauses if one.until not in settled]
        if any(one.until is None for one in history.pauses) and stored.stopped_at is None:
            return stored.due_at  # it is moved when the pause ends
        clock = calendar if term.working else None
        latest = max((one.until for one in pauses if one.until is not None), default=until)
        return effective_due(due_at, started_at=started_at, pauses=pauses, now=max(until, latest), calendar=clock)
    except (PolicyError, CalendarError):
        return stored.due_at


def _moving(history: History, stop: Event | None, until: datetime) -> list[Pause]:
    """The pauses as far as they moved the deadline: whole when the clock went on before anybody heard of the answer."""
    ended = {one.occurred_at for one in history.events if one.act in _WENT_ON and (stop is None or one.id < stop.id)}
    return [one if one.until in ended else Pause(one.since, max(min(one.until or until, until), one.since)) for one in history.pauses]


def _put_off(stored: Stored, history: History) -> Event | None:
    """The last time that a person moved this clock's deadline: put it off, or applied another norm to it."""
    moved = {Act.EXTENDED, Act.POLICY_APPLIED}
    found = [one for one in history.events if one.act in moved and one.cycle == stored.cycle]
    return next((one for one in reversed(found) if one.data.get("promise") == stored.promise.value), None)


def spent(
    calendar: WorkingCalendar | None, start: datetime, end: datetime, pauses: Sequence[Pause], *, half_up: bool = False
) -> int | None:
    """Whole seconds that a clock ran, without its pauses; None when the calendar does not reach so far.

    Half a second is rounded to the even one, as a clock is when it stops; `half_up`: as the database does in a line.
    """
    if end <= start:
        return 0
    try:
        ran, moment = timedelta(0), start
        for pause in sorted(pauses, key=lambda one: one.since):
            stands = min(max(pause.since, moment), end)
            ran += measure(calendar, moment, stands)
            moment = min(max(pause.until or end, stands), end)
        ran += measure(calendar, moment, end)
    except CalendarError:
        return None
    seconds = (ran + _HALF) // timedelta(seconds=1) if half_up else round(ran.total_seconds())
    return min(seconds, _MAX_SECONDS)


def _holder(history: History, stop: Event | None) -> int | None:
    """The agency that held the appeal when the clock stopped, else the one that holds it."""
    before = [one for one in history.events if stop is None or one.id < stop.id]
    return last_said(before, (Act.OPENED, *GIVEN), "agency", history.agency_id)


def last_said(events: Sequence[Event], acts: tuple[Act, ...], name: str, otherwise: int | None) -> int | None:
    """What the last of these acts said; `otherwise` when none said anything."""
    said = [one.data[name] for one in events if one.act in acts and name in one.data]
    if not said:
        return otherwise
    return None if said[-1] is None else int(said[-1])
