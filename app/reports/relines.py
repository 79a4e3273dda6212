"""Lines and figures once more, from raw history in plain Python: what `lines.py` and all that reads them are held against. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from app.appeals.marks import LOWEST
from app.appeals.rules import Act
from app.reports.figures import Figures
from app.reports.lines import GIVEN, HANDED_IN, PROMISE_OF, UNPROMISED
from app.reports.models import MARKS
from app.reports.queries import Clock
from app.reports.recount import begun, last_said, spent, stop_of, uncounted
from app.sla.rules import Promise, TimerOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from app.reports.recount import Event, Fact, History
    from app.sla.calendar import WorkingCalendar

_ANSWERED = frozenset({TimerOutcome.MET, TimerOutcome.LATE, UNPROMISED})
_PLAIN = {Act.CLOSED: TimerOutcome.UNANSWERED, Act.DISMISSED: TimerOutcome.CANCELLED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Matter:
    """An appeal apart from its history: where it stands today, when it was noticed. `repeated`: its author had written before."""

    number: int
    written_at: datetime
    opened_at: datetime
    noticed_at: datetime | None
    territory_id: int
    topic_id: int | None
    page_id: int | None
    platform: str
    repeated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Time:
    """One of a line's clocks, in whole seconds by the calendar and in working time; None of what has not been."""

    due_at: datetime | None = None
    stopped_at: datetime | None = None
    outcome: str | None = None
    seconds: int | None = None
    working: int | None = None


NEVER = Time()
FOREVER = datetime.max.replace(tzinfo=UTC)
"""PostgreSQL's infinity, as it is read here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A cycle of an appeal as its history says. `keys`: by grouping, the agency, the topic and so on to which it belongs."""

    number: int
    cycle: int
    started_at: datetime
    times: Mapping[Clock, Time] = field(hash=False)
    keys: Mapping[str, int | str | None] = field(hash=False)
    reopened: bool
    repeated: bool
    mark: int | None = None

    @property
    def dismissed(self) -> bool:
        """Whether it never counted."""
        return self.times[Clock.FIRST].outcome == TimerOutcome.CANCELLED


def line(cycle: int, matter: Matter, history: History, facts: Mapping[Promise, Fact], calendar: WorkingCalendar | None) -> Line:
    """The line of a cycle. `facts`: its clocks, recounted; `calendar`: by which its first clock ran."""
    started = facts[Promise.FIRST_ANSWER].started_at if Promise.FIRST_ANSWER in facts else begun(history, cycle)
    since = started or history.written_at
    stop = stop_of(history.events, cycle, Promise.FIRST_ANSWER)
    times = {Clock(name): _promised(facts[promise], history) if promise in facts else NEVER for name, promise in PROMISE_OF.items()}
    if Promise.FIRST_ANSWER not in facts:
        times[Clock.FIRST] = _plain(stop, since)
    times[Clock.AGENCY] = _agency(cycle, matter, history, since, stop, calendar)
    times[Clock.APPROVAL] = _approval(cycle, history, calendar)
    times[Clock.TRIAGE] = times[Clock.DETECTION] = NEVER
    if cycle == 1 and matter.noticed_at is not None:
        times[Clock.TRIAGE] = _between(matter.noticed_at, matter.opened_at, calendar)
        times[Clock.DETECTION] = Time(seconds=_between(matter.written_at, matter.noticed_at, None).seconds)
    first = facts.get(Promise.FIRST_ANSWER)
    return Line(
        number=matter.number,
        cycle=cycle,
        started_at=since,
        times=times,
        keys={
            "agency": history.agency_id if first is None or first.stopped_at is None else first.agency_id,
            "territory": matter.territory_id,
            "topic": last_said(history.events, (Act.OPENED, Act.TOPIC_SET), "topic", matter.topic_id),
            "page": matter.page_id,
            "platform": matter.platform,
            "operator": _operator(history, stop, times[Clock.FIRST]),
        },
        reopened=any(one.act is Act.REOPENED and one.cycle == cycle + 1 for one in history.events),
        repeated=cycle == 1 and matter.repeated,
        mark=next((int(str(one.data["mark"])) for one in reversed(history.events) if one.act is Act.RATED and one.cycle == cycle), None),
    )


def _promised(fact: Fact, history: History) -> Time:
    """A clock that stands still has no end in sight; what had passed before it was stopped stays passed."""
    stands = fact.stopped_at is None and any(one.until is None and one.since < fact.due_at for one in history.pauses)
    return Time(
        due_at=FOREVER if stands else fact.due_at,
        stopped_at=fact.stopped_at,
        outcome=fact.outcome,
        seconds=fact.elapsed_seconds,
        working=fact.working_seconds,
    )


def _plain(stop: Event | None, since: datetime) -> Time:
    """Of a cycle without a clock: the history alone."""
    if stop is None:
        return NEVER
    seconds = _between(since, stop.occurred_at, None).seconds
    return Time(stopped_at=stop.occurred_at, outcome=_PLAIN.get(stop.act, UNPROMISED), seconds=seconds)


def _agency(cycle: int, matter: Matter, history: History, since: datetime, stop: Event | None, calendar: WorkingCalendar | None) -> Time:
    """From the last time that it was given to the agency before the answer to the first draft after that, without pauses."""
    own = [one for one in history.events if one.cycle == cycle]
    given = next((one for one in reversed(own) if one.act in GIVEN and (stop is None or one.id < stop.id)), None)
    undone = uncounted(history.events)
    drafts = (one for one in own if one.act in HANDED_IN and one.data.get("reply") not in undone)
    handed = next((one for one in drafts if one.id > (given.id if given else 0)), None)
    if handed is None:
        return NEVER
    start = given.occurred_at if given else matter.opened_at if cycle == 1 else since
    if handed.occurred_at <= start:
        return Time(seconds=0, working=0)
    return Time(
        seconds=spent(None, start, handed.occurred_at, history.pauses, half_up=True),
        working=None if calendar is None else spent(calendar, start, handed.occurred_at, history.pauses, half_up=True),
    )


def _approval(cycle: int, history: History, calendar: WorkingCalendar | None) -> Time:
    """Of the first answer that was approved: from its being handed in."""
    approved = next((one for one in history.events if one.act is Act.REPLY_APPROVED and one.cycle == cycle), None)
    if approved is None:
        return NEVER
    handed = [one for one in history.events if one.act is Act.REPLY_SUBMITTED and one.data.get("reply") == approved.data.get("reply")]
    return _between(handed[-1].occurred_at, approved.occurred_at, calendar) if handed else NEVER


def merged(cycle: int, history: History) -> bool:
    """Whether a cycle is counted with the older appeal that it was merged into."""
    said = [one.act for one in history.events if one.cycle == cycle and one.act in {Act.MERGED, Act.UNMERGED}]
    return bool(said) and said[-1] is Act.MERGED


def _between(start: datetime, end: datetime, calendar: WorkingCalendar | None) -> Time:
    until = max(start, end)
    return Time(
        seconds=spent(None, start, until, (), half_up=True),
        working=None if calendar is None else spent(calendar, start, until, (), half_up=True),
    )


def _operator(history: History, stop: Event | None, first: Time) -> int | None:
    """Who wrote the answer (by hand on the platform: nobody of ours); of what has none, who holds it."""
    if stop is None or first.outcome not in _ANSWERED:
        return history.operator_id
    answer = history.answers.get(int(stop.data.get("reply") or 0))
    return None if answer is None else answer.operator_id


# --- figures ------------------------------------------------------------------------------------------------------


def counts(one: Line, clock: Clock) -> bool:
    """Whether a line belongs to the population of a clock."""
    time = one.times[clock]
    if clock is Clock.FIRST:
        return not one.dismissed
    if clock.value in PROMISE_OF:
        return time.due_at is not None and time.outcome != TimerOutcome.CANCELLED
    return not one.dismissed and time.seconds is not None


def summarise(lines: Iterable[Line], clock: Clock, *, dismissed: bool, now: datetime) -> Figures:
    """The figures of these lines by one clock; `dismissed`: those that never counted are told beside."""
    lines = list(lines)
    counted = [one for one in lines if counts(one, clock)]
    promised, first = clock.value in PROMISE_OF, clock is Clock.FIRST
    # No promise was made of the others: what was measured is answered, without a deadline.
    fates = [one.times[clock].outcome if promised else UNPROMISED for one in counted]
    answered = [one for one, fate in zip(counted, fates, strict=True) if fate in _ANSWERED]
    waiting = [one for one in counted if one.times[clock].stopped_at is None] if promised else []
    ages = [max(now - one.started_at, timedelta(0)).total_seconds() for one in waiting]
    average, median, p90, p99 = _shape([one.times[clock].seconds for one in answered])
    working_average, working_median, working_p90, working_p99 = _shape([one.times[clock].working for one in answered])
    return Figures(
        opened=len(counted),
        answered=len(answered),
        in_time=fates.count(TimerOutcome.MET),
        late=fates.count(TimerOutcome.LATE),
        unpromised=fates.count(UNPROMISED),
        waiting=len(waiting),
        overdue=sum(due is not None and due < now for due in (one.times[clock].due_at for one in waiting)),
        closed_unanswered=fates.count(TimerOutcome.UNANSWERED),
        reopened=sum(one.reopened for one in answered) if first else 0,
        repeated=sum(one.repeated for one in counted) if first else 0,
        dismissed=sum(one.dismissed for one in lines) if dismissed else 0,
        **{name: sum(one.mark == mark for one in answered) if first else 0 for mark, name in enumerate(MARKS, start=LOWEST)},
        oldest_unanswered_age_s=max(ages, default=None),
        average_s=average,
        median_s=median,
        p90_s=p90,
        p99_s=p99,
        working_average_s=working_average,
        working_median_s=working_median,
        working_p90_s=working_p90,
        working_p99_s=working_p99,
    )


def _shape(times: Sequence[int | None]) -> tuple[float | None, float | None, float | None, float | None]:
    """Average, median, 90th and 99th percentile (linear between neighbours)."""
    known = [one for one in times if one is not None]
    if not known:
        return None, None, None, None
    cuts = statistics.quantiles(known, n=100, method="inclusive") if len(known) > 1 else [float(known[0])] * 99
    return statistics.fmean(known), float(statistics.median(known)), float(cuts[89]), float(cuts[98])
