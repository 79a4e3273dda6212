"""Pauses, elapsed time and outcomes of one running deadline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings, strategies as st

from app.sla.calendar import WorkingCalendar, advance, measure
from app.sla.production_calendar import russian_calendar
from app.sla.rules import (
    Pause,
    StopCause,
    TimerOutcome,
    effective_due,
    elapsed,
    is_paused,
    next_warning,
    outcome,
)

MOSCOW = ZoneInfo("Europe/Moscow")
OFFICE = russian_calendar("Europe/Moscow", first_year=2025, last_year=2027)
MICROSECOND = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=MOSCOW)


def pause(since: str, until: str | None) -> Pause:
    return Pause(at(since), at(until) if until else None, "waiting_for_author")


@pytest.mark.parametrize(
    ("cause", "late_by", "counts"),
    [
        (StopCause.FULFILLED, -MICROSECOND, TimerOutcome.MET),
        (StopCause.FULFILLED, timedelta(0), TimerOutcome.MET),
        (StopCause.FULFILLED, MICROSECOND, TimerOutcome.LATE),
        (StopCause.CLOSED, -MICROSECOND, TimerOutcome.UNANSWERED),
        (StopCause.CLOSED, MICROSECOND, TimerOutcome.UNANSWERED),
        (StopCause.DISMISSED, MICROSECOND, TimerOutcome.CANCELLED),
        (StopCause.MERGED, -MICROSECOND, TimerOutcome.CANCELLED),
        (StopCause.REPLACED, MICROSECOND, TimerOutcome.CANCELLED),
    ],
)
def test_outcomes(cause: StopCause, late_by: timedelta, counts: TimerOutcome) -> None:
    due = at("2026-01-14 18:00")
    assert outcome(cause, stopped_at=due + late_by, due_at=due) is counts


# Started Wednesday 14 January 2026 at 10:00 with four working hours: due at 15:00.
@pytest.mark.parametrize(
    ("pauses", "due", "why"),
    [
        ([], "2026-01-14 15:00", "no pause"),
        ([("2026-01-14 11:00", "2026-01-14 12:00")], "2026-01-14 16:00", "an hour"),
        ([("2026-01-14 13:00", "2026-01-14 14:00")], "2026-01-14 15:00", "lunch costs nothing"),
        ([("2026-01-14 14:00", "2026-01-15 09:00")], "2026-01-15 10:00", "an hour was left, and the night is free"),
        ([("2026-01-14 14:30", "2026-01-19 09:00")], "2026-01-19 09:30", "over a weekend"),
        (
            [("2026-01-14 11:00", "2026-01-14 12:00"), ("2026-01-14 11:30", "2026-01-14 12:30")],
            "2026-01-14 16:30",
            "an overlap counts once",
        ),
        ([("2026-01-14 08:00", "2026-01-14 11:00")], "2026-01-14 16:00", "only what lies after the start"),
        ([("2026-01-14 15:00", "2026-01-14 17:00")], "2026-01-14 15:00", "too late: the deadline had passed"),
        (
            [("2026-01-14 11:00", "2026-01-14 12:00"), ("2026-01-14 15:30", "2026-01-14 16:30")],
            "2026-01-14 17:00",
            "the first pause makes room for the second",
        ),
        ([("2026-01-14 11:00", None)], "2026-01-14 17:00", "open: till now, 13:30 in lunch, two hours so far"),
    ],
)
def test_pauses_by_hand(pauses: list[tuple[str, str | None]], due: str, why: str) -> None:
    assert why
    found = effective_due(
        at("2026-01-14 15:00"),
        started_at=at("2026-01-14 10:00"),
        pauses=[pause(*one) for one in pauses],
        now=at("2026-01-14 13:30") if (pauses and pauses[0][1] is None) else at("2026-02-01 00:00"),
        calendar=OFFICE,
    )
    assert found == at(due)


def test_a_pause_in_plain_time() -> None:
    found = effective_due(
        at("2026-01-15 10:00"),
        started_at=at("2026-01-14 10:00"),
        pauses=[pause("2026-01-14 20:00", "2026-01-15 08:00")],
        now=at("2026-01-20 00:00"),
        calendar=None,
    )
    assert found == at("2026-01-15 22:00")


def test_elapsed_by_hand() -> None:
    started, answered = at("2026-01-16 17:00"), at("2026-01-19 10:30")
    waited = [pause("2026-01-16 17:30", "2026-01-19 09:30")]
    assert elapsed(started, answered, pauses=[], calendar=OFFICE) == timedelta(hours=2, minutes=30)
    assert elapsed(started, answered, pauses=waited, calendar=OFFICE) == timedelta(hours=1, minutes=30)
    assert elapsed(started, answered, pauses=waited, calendar=None) == timedelta(hours=1, minutes=30)
    assert elapsed(answered, started, pauses=waited, calendar=OFFICE) == timedelta(0)


moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 2, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds
spans = st.tuples(moments, st.timedeltas(timedelta(0), timedelta(days=5)))
pause_lists = st.lists(spans.map(lambda span: Pause(span[0], span[0] + span[1])), max_size=5)
terms = st.timedeltas(MICROSECOND, timedelta(hours=60))
clocks = st.sampled_from([OFFICE, None])
LATER = datetime(2027, 1, 1, tzinfo=UTC)


@settings(deadline=None)
@given(moments, terms, pause_lists, clocks)
def test_at_the_effective_deadline_exactly_the_term_has_run(
    started: datetime, term: timedelta, pauses: list[Pause], clock: WorkingCalendar | None
) -> None:
    due = effective_due(advance(clock, started, term), started_at=started, pauses=pauses, now=LATER, calendar=clock)
    assert elapsed(started, due, pauses=pauses, calendar=clock) == term
    assert elapsed(started, due - MICROSECOND, pauses=pauses, calendar=clock) <= term


@settings(deadline=None)
@given(moments, terms, pause_lists, clocks, st.data())
def test_order_and_cuts_of_pauses_do_not_matter(
    started: datetime, term: timedelta, pauses: list[Pause], clock: WorkingCalendar | None, data: st.DataObject
) -> None:
    share = data.draw(st.floats(0, 1))
    cut: list[Pause] = []
    for one in pauses:
        assert one.until is not None
        middle = one.since + (one.until - one.since) * share
        cut += [Pause(middle, one.until), Pause(one.since, middle)]
    cut = data.draw(st.permutations(cut)) if cut else []
    base = advance(clock, started, term)
    whole = effective_due(base, started_at=started, pauses=pauses, now=LATER, calendar=clock)
    assert effective_due(base, started_at=started, pauses=cut, now=LATER, calendar=clock) == whole
    assert elapsed(started, LATER, pauses=cut, calendar=clock) == elapsed(started, LATER, pauses=pauses, calendar=clock)


@settings(deadline=None)
@given(moments, terms, st.floats(0, 1, exclude_max=True), st.timedeltas(MICROSECOND, timedelta(days=9)), clocks)
def test_a_standing_clock_never_runs_out(
    started: datetime, term: timedelta, share: float, waited: timedelta, clock: WorkingCalendar | None
) -> None:
    base = advance(clock, started, term)
    since = started + (base - started) * share
    assume(since < base)
    now = since + waited
    waiting = [Pause(since, None)]
    assert is_paused(waiting, now)
    due = effective_due(base, started_at=started, pauses=waiting, now=now, calendar=clock)
    assert due > now
    later = effective_due(base, started_at=started, pauses=waiting, now=now + waited, calendar=clock)
    assert later >= due
    resumed = effective_due(base, started_at=started, pauses=[Pause(since, now)], now=LATER, calendar=clock)
    assert resumed == due


@settings(deadline=None)
@given(moments, moments, pause_lists, clocks)
def test_elapsed_is_never_negative_nor_more_than_without_pauses(
    a: datetime, b: datetime, pauses: list[Pause], clock: WorkingCalendar | None
) -> None:
    a, b = min(a, b), max(a, b)
    assert timedelta(0) <= elapsed(a, b, pauses=pauses, calendar=clock) <= measure(clock, a, b)


def test_is_paused() -> None:
    pauses = [pause("2026-01-14 11:00", "2026-01-14 12:00"), pause("2026-01-14 13:00", None)]
    assert [is_paused(pauses, at(f"2026-01-14 {hour}:00")) for hour in (10, 11, 12, 13, 14)] == [
        False,
        True,
        False,
        True,
        True,
    ]


def test_a_pause_cannot_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match="ends before"):
        pause("2026-01-14 12:00", "2026-01-14 11:59")


def test_next_warning() -> None:
    first, second = at("2026-01-14 12:00"), at("2026-01-14 14:00")
    assert next_warning([second, first], after=None) == first
    assert next_warning([second, first], after=first) == second
    assert next_warning([second, first], after=second) is None
    assert next_warning([], after=None) is None
