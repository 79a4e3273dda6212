"""Working time in any calendar and zone: laws that must hold, against a clock-watching oracle."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from app.sla.calendar import (
    COUNTED,
    DAY_OFF,
    OUTSIDE_HOURS,
    CalendarError,
    Day,
    DayKind,
    Range,
    Ranges,
    WorkingCalendar,
    add_days,
    add_working,
    add_working_days,
    add_working_to_all,
    advance,
    advance_all,
    explain,
    explain_between,
    measure,
    round_the_clock,
    working_time,
)
from app.sla.policy import Term, deadline, deadlines
from app.sla.production_calendar import OFFICE_WEEK, russian_calendar

MICROSECOND = timedelta(microseconds=1)
# Russian zones with their changes of 2010 to 2016, and zones that are hard: clocks set back across midnight, a
# midnight that does not exist, a day that was skipped, offsets of a half and of three quarters of an hour.
RUSSIAN = ("Europe/Moscow", "Europe/Kaliningrad", "Europe/Samara", "Asia/Yekaterinburg", "Asia/Kamchatka", "Asia/Anadyr")
HARD = (
    "Atlantic/Azores",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
)
TURNS = (
    datetime(2010, 3, 28, tzinfo=UTC),
    datetime(2010, 10, 31, tzinfo=UTC),
    datetime(2010, 11, 7, tzinfo=UTC),
    datetime(2011, 3, 27, tzinfo=UTC),
    datetime(2011, 12, 30, tzinfo=UTC),
    datetime(2012, 10, 28, tzinfo=UTC),
    datetime(2014, 10, 26, tzinfo=UTC),
    datetime(2015, 2, 22, tzinfo=UTC),
    datetime(2016, 3, 27, tzinfo=UTC),
)
FIRST, LAST = datetime(2010, 1, 1), datetime(2016, 12, 31)  # noqa: DTZ001 - bounds of a strategy that adds UTC


@st.composite
def ranges(draw: st.DrawFn) -> Ranges:
    """Up to three ranges at whole minutes; touching ones and a whole day are allowed."""
    edges = draw(st.lists(st.integers(0, 1440), max_size=6, unique=True).map(sorted))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return tuple(Range(start * 60, end * 60) for start, end in pairs)


@st.composite
def calendars(draw: st.DrawFn, zones: tuple[str, ...] = RUSSIAN + HARD) -> WorkingCalendar:
    week = tuple(draw(st.lists(st.one_of(st.just(OFFICE_WEEK[0]), ranges()), min_size=7, max_size=7)))
    near = st.sampled_from(TURNS).flatmap(lambda turn: st.integers(-4, 4).map(lambda n: turn.date() + timedelta(n)))
    days = draw(st.dictionaries(near, ranges().map(lambda hours: Day(DayKind.EXCEPTION, hours)), max_size=6))
    return WorkingCalendar(draw(st.sampled_from(zones)), week, days)


anywhere = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
near_a_turn = st.builds(
    lambda turn, shift: turn + timedelta(microseconds=shift),
    st.sampled_from(TURNS),
    st.integers(-3 * 86_400_000_000, 3 * 86_400_000_000),
)
moments = st.one_of(anywhere, near_a_turn)
elsewhere = moments.map(lambda at: at.astimezone(ZoneInfo("Asia/Kamchatka")))
durations = st.one_of(
    st.integers(0, 100 * 3_600_000_000).map(lambda value: timedelta(microseconds=value)),
    st.integers(0, 500).map(lambda value: timedelta(hours=value)),
)


def oracle(calendar: WorkingCalendar, start: datetime, end: datetime) -> timedelta:
    """Look at the wall clock once a minute; right where every edge is a whole minute."""
    minutes = 0
    at = start
    while at < end:
        shown = at.astimezone(calendar.zone)
        second = shown.hour * 3600 + shown.minute * 60
        minutes += any(one.start <= second < one.end for one in calendar.hours_on(shown.date()))
        at += timedelta(minutes=1)
    return timedelta(minutes=minutes)


@settings(deadline=None, max_examples=40)
@given(calendars(), st.sampled_from(TURNS), st.integers(-2880, 2880), st.integers(0, 4320))
def test_agrees_with_watching_the_clock(calendar: WorkingCalendar, turn: datetime, shift: int, span: int) -> None:
    start = turn + timedelta(minutes=shift)
    end = start + timedelta(minutes=span)
    assert working_time(calendar, start, end) == oracle(calendar, start, end)


@settings(deadline=None, max_examples=60)
@given(calendars(), moments, moments, moments)
def test_additive_over_any_split(calendar: WorkingCalendar, a: datetime, b: datetime, c: datetime) -> None:
    assert working_time(calendar, a, b) + working_time(calendar, b, c) == working_time(calendar, a, c)
    assert working_time(calendar, a, b) == -working_time(calendar, b, a)


@settings(deadline=None, max_examples=60)
@given(calendars(), moments, moments, durations)
def test_monotone_and_never_more_than_elapsed(calendar: WorkingCalendar, a: datetime, b: datetime, longer: timedelta) -> None:
    a, b = min(a, b), max(a, b)
    worked = working_time(calendar, a, b)
    assert timedelta(0) <= worked <= b - a
    assert worked <= working_time(calendar, a, b + longer)


@settings(deadline=None, max_examples=60)
@given(calendars().filter(lambda calendar: any(calendar.week)), moments, durations)
def test_deadline_and_working_time_are_inverse(calendar: WorkingCalendar, start: datetime, duration: timedelta) -> None:
    due = add_working(calendar, start, duration)
    assert working_time(calendar, start, due) == duration
    if duration:
        assert working_time(calendar, start, due - MICROSECOND) == duration - MICROSECOND
    else:
        assert due == start


@settings(deadline=None, max_examples=80)
@given(
    calendars().filter(lambda calendar: any(calendar.week)),
    st.lists(st.one_of(moments, elsewhere), max_size=12),
    st.builds(Term, days=st.integers(1, 400), working=st.booleans()),
    st.lists(st.floats(1e-9, 0.999), max_size=3, unique=True),
)
def test_terms_in_days_are_each_by_itself_too(calendar: WorkingCalendar, starts: list[datetime], term: Term, shares: list[float]) -> None:
    fresh = replace(calendar)
    assert deadlines(term, fresh, starts, shares) == [deadline(term, calendar, start, shares) for start in starts]


@settings(deadline=None, max_examples=60)
@given(calendars().filter(lambda calendar: any(calendar.week)), st.lists(st.one_of(moments, elsewhere), max_size=12), durations)
def test_many_at_once_are_each_by_itself(calendar: WorkingCalendar, starts: list[datetime], duration: timedelta) -> None:
    fresh = replace(calendar)  # whose sums begin with these moments, so that their edges are tried too
    assert add_working_to_all(fresh, starts, duration) == [add_working(calendar, start, duration) for start in starts]
    assert advance_all(None, starts, duration) == [advance(None, start, duration) for start in starts]


@settings(deadline=None, max_examples=60)
@given(calendars().filter(lambda calendar: any(calendar.week)), moments, st.lists(st.integers(0, 9 * 1440), max_size=40), durations)
def test_a_thick_batch_is_each_by_itself(calendar: WorkingCalendar, start: datetime, minutes: list[int], duration: timedelta) -> None:
    """Within few days, at whole minutes, where hours begin and end, and where terms begin that are over just then."""
    fresh = replace(calendar)
    at = [start.replace(second=0, microsecond=0) + timedelta(minutes=one) for one in (0, *minutes)]
    edges = [add_working(calendar, one, timedelta(minutes=60 * k)) for one in at[:3] for k in range(1, 5)]
    starts = [one + shift for one in (*at, *edges) for shift in (-MICROSECOND, timedelta(0), MICROSECOND)]
    term = max(duration, MICROSECOND)
    add_working(fresh, max(starts), term)  # so far its sums must reach
    assert fresh.table(min(starts), max(starts)).after(starts, term) == [add_working(calendar, one, term) for one in starts]


@settings(deadline=None, max_examples=60)
@given(calendars().filter(lambda calendar: any(calendar.week)), moments, moments)
def test_the_deadline_is_the_earliest_such_moment(calendar: WorkingCalendar, a: datetime, b: datetime) -> None:
    a, b = min(a, b), max(a, b)
    due = add_working(calendar, a, working_time(calendar, a, b))
    assert due <= b
    assert working_time(calendar, due, b) == timedelta(0)


@settings(deadline=None, max_examples=60)
@given(calendars().filter(lambda calendar: any(calendar.week)), moments, durations, durations)
def test_two_terms_in_a_row_are_their_sum(calendar: WorkingCalendar, start: datetime, one: timedelta, two: timedelta) -> None:
    in_a_row = add_working(calendar, add_working(calendar, start, one), two)
    at_once = add_working(calendar, start, one + two)
    assert in_a_row == at_once
    assert at_once >= add_working(calendar, start, one)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(RUSSIAN + HARD), moments, moments)
def test_round_the_clock_is_plain_time(zone: str, a: datetime, b: datetime) -> None:
    calendar = round_the_clock(zone)
    assert working_time(calendar, a, b) == b - a == measure(None, a, b)


@settings(deadline=None, max_examples=60)
@given(calendars(), moments, st.integers(0, 20 * 1440))
def test_explanation_adds_up(calendar: WorkingCalendar, start: datetime, minutes: int) -> None:
    end = start + timedelta(minutes=minutes)
    told = explain_between(calendar, start, end)
    assert told.counted == working_time(calendar, start, end) == sum((row.counted for row in told.rows), timedelta(0))
    running = timedelta(0)
    for row in told.rows:
        running += row.counted
        assert row.total == running
        assert row.counted == sum((b - a for a, b in row.spans), timedelta(0))
        assert row.note == (COUNTED if row.counted else OUTSIDE_HOURS if row.day.hours else DAY_OFF)
        assert all(a.astimezone(calendar.zone).date() == row.date for a, _ in row.spans)
    dates = [row.date for row in told.rows]
    assert dates == [dates[0] + timedelta(days=step) for step in range(len(dates))]


PRODUCTION = {zone: russian_calendar(zone, first_year=2015, last_year=2029) for zone in RUSSIAN}
modern = st.datetimes(datetime(2015, 1, 2), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as above


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(RUSSIAN), modern, modern, modern, durations)
def test_laws_in_the_production_calendar(zone: str, a: datetime, b: datetime, c: datetime, duration: timedelta) -> None:
    calendar = PRODUCTION[zone]
    assert working_time(calendar, a, b) + working_time(calendar, b, c) == working_time(calendar, a, c)
    due = add_working(calendar, a, duration)
    assert working_time(calendar, a, due) == duration
    day = calendar.day((due - MICROSECOND).astimezone(calendar.zone).date())
    assert day.hours or not duration


@settings(deadline=None, max_examples=30)
@given(st.sampled_from(RUSSIAN), modern, st.integers(1, 30))
def test_working_days_end_with_the_last_hour_of_a_worked_day(zone: str, start: datetime, days: int) -> None:
    calendar = PRODUCTION[zone]
    due = add_working_days(calendar, start, days)
    last = due.astimezone(calendar.zone)
    assert calendar.hours_on(last.date())[-1].end == last.hour * 3600 + last.minute * 60
    first = start.astimezone(calendar.zone).date()
    worked = [n for n in range(1, (last.date() - first).days + 1) if calendar.hours_on(first + timedelta(days=n))]
    assert len(worked) == days


def test_days_by_hand() -> None:
    calendar = PRODUCTION["Europe/Moscow"]
    zone = ZoneInfo("Europe/Moscow")
    asked = datetime(2025, 12, 24, 15, 0, tzinfo=zone)
    # 25, 26, 29, 30 December; 12, 13, 14 January.
    assert add_working_days(calendar, asked, 7) == datetime(2026, 1, 14, 18, 0, tzinfo=zone)
    assert add_days(calendar, asked, 30) == datetime(2026, 1, 24, 0, 0, tzinfo=zone)
    # The eve of 1 May ends an hour earlier.
    assert add_working_days(calendar, datetime(2026, 4, 29, 9, 0, tzinfo=zone), 1) == datetime(2026, 4, 30, 17, 0, tzinfo=zone)


def test_plain_time_goes_by_the_clock_not_by_the_wall() -> None:
    zone = ZoneInfo("Europe/Moscow")
    before = datetime(2011, 3, 26, 12, 0, tzinfo=zone)
    assert advance(None, before, timedelta(hours=24)).astimezone(zone) == datetime(2011, 3, 27, 13, 0, tzinfo=zone)
    assert measure(None, before, datetime(2011, 3, 27, 12, 0, tzinfo=zone)) == timedelta(hours=23)


def test_naive_moments_are_refused() -> None:
    calendar = PRODUCTION["Europe/Moscow"]
    naive, aware = datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001 - the fault under test
    for call in (
        lambda: working_time(calendar, naive, aware),
        lambda: working_time(calendar, aware, naive),
        lambda: add_working(calendar, naive, timedelta(hours=1)),
        lambda: advance(None, naive, timedelta(hours=1)),
        lambda: measure(None, aware, naive),
        lambda: add_days(calendar, naive, 1),
        lambda: add_working_days(calendar, naive, 1),
        lambda: explain(calendar, naive, timedelta(hours=1)),
    ):
        with pytest.raises(ValueError, match="without a time zone"):
            call()


def test_negative_terms_are_refused() -> None:
    calendar = PRODUCTION["Europe/Moscow"]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="negative"):
        add_working(calendar, start, -MICROSECOND)
    with pytest.raises(ValueError, match="negative"):
        advance(None, start, -MICROSECOND)
    with pytest.raises(ValueError, match="before the start"):
        explain_between(calendar, start, start - MICROSECOND)
    for add in (add_days, add_working_days):
        with pytest.raises(ValueError, match="at least one day"):
            add(calendar, start, 0)


def test_a_calendar_that_never_works_says_so() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    never = WorkingCalendar("Europe/Moscow", ((),) * 7)
    assert working_time(never, start, start + timedelta(days=99)) == timedelta(0)
    with pytest.raises(CalendarError, match="not enough working time"):
        add_working(never, start, MICROSECOND)
    with pytest.raises(CalendarError, match="without working time"):
        add_working_days(never, start, 1)


def test_working_time_that_runs_out_says_so() -> None:
    once = Day(DayKind.EXCEPTION, (Range(0, 3600),))
    only = WorkingCalendar("Europe/Moscow", ((),) * 7, {date(2026, 1, 10): once})
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert add_working(only, start, timedelta(hours=1)) == datetime(2026, 1, 9, 22, 0, tzinfo=UTC)
    with pytest.raises(CalendarError, match="not enough working time"):
        add_working(only, start, timedelta(hours=2))
    with pytest.raises(CalendarError, match="not enough working days"):
        add_working_days(only, start, 2)


@pytest.mark.parametrize("year", [1, 1969, 2101, 9999])
def test_moments_out_of_reach_say_so(year: int) -> None:
    calendar = round_the_clock("Europe/Moscow")
    with pytest.raises(CalendarError, match="outside the years"):
        add_working(calendar, datetime(year, 6, 1, tzinfo=UTC), timedelta(hours=1))


def test_a_second_a_day_holds_up_no_batch() -> None:
    """As many seconds as ten years have of them would be ten thousand years of such days: said, not tried."""
    blink = WorkingCalendar("Europe/Moscow", ((Range(0, 1),),) * 7)
    starts = [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)]
    assert add_working_to_all(blink, starts, timedelta(seconds=2)) == [add_working(blink, one, timedelta(seconds=2)) for one in starts]
    with pytest.raises(CalendarError, match="not enough working time"):
        add_working_to_all(blink, starts, timedelta(days=3660))


def test_many_out_of_reach_say_so() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(CalendarError, match="outside the years"):
        add_working_to_all(round_the_clock("Europe/Moscow"), [start, start.replace(year=2101)], timedelta(hours=1))
    with pytest.raises(ValueError, match="time zone"):
        add_working_to_all(round_the_clock("Europe/Moscow"), [start.replace(tzinfo=None)], timedelta(hours=1))
    with pytest.raises(ValueError, match="negative"):
        add_working_to_all(round_the_clock("Europe/Moscow"), [start], -MICROSECOND)


def test_a_century_in_one_step() -> None:
    calendar = round_the_clock("Europe/Moscow")
    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 12, 31, tzinfo=UTC)
    assert working_time(calendar, first, last) == last - first
    fresh = round_the_clock("Europe/Moscow")
    assert add_working(fresh, first, last - first) == last


def test_a_clock_set_back_across_midnight() -> None:
    # St John's, 7 November 2010: at 00:01 it became 23:01 of the 6th, so the 6th had its last 59 minutes twice.
    night = Day(DayKind.EXCEPTION, (Range(23 * 3600, 86_400),))
    calendar = WorkingCalendar("America/St_Johns", ((),) * 7, {date(2010, 11, 6): night})
    start = datetime(2010, 11, 6, 12, 0, tzinfo=UTC)
    assert working_time(calendar, start, start + timedelta(days=2)) == timedelta(minutes=119)
    both = WorkingCalendar("America/St_Johns", ((Range(0, 3600),),) * 7, {date(2010, 11, 6): night})
    assert working_time(both, start, start + timedelta(days=1)) == timedelta(minutes=119 + 61)
    turn = datetime(2010, 11, 7, 2, 31, tzinfo=UTC)
    for minute in range(-90, 150):
        at = turn + timedelta(minutes=minute)
        assert working_time(both, start, at) == oracle(both, start, at)


@pytest.mark.parametrize("year", range(2018, 2023))
@pytest.mark.parametrize("day", [(1, 1), (1, 3), (6, 15), (11, 25), (12, 31)])
def test_what_was_asked_before_does_not_matter(year: int, day: tuple[int, int]) -> None:
    start = datetime(year, *day, 12, 0, tzinfo=UTC)
    asked = WorkingCalendar("Asia/Kamchatka", OFFICE_WEEK)
    add_working(asked, datetime(2020, 6, 1, tzinfo=UTC), timedelta(hours=1))
    week = timedelta(days=7)
    fresh = working_time(WorkingCalendar("Asia/Kamchatka", OFFICE_WEEK), start - week, start + week)
    assert working_time(asked, start - week, start + week) == fresh
    for hours in (1, 100, 5000):
        expected = add_working(WorkingCalendar("Asia/Kamchatka", OFFICE_WEEK), start, timedelta(hours=hours))
        assert add_working(asked, start, timedelta(hours=hours)) == expected
        assert working_time(asked, start, expected) == timedelta(hours=hours)


def test_threads_that_build_at_once_agree() -> None:
    calendar = WorkingCalendar("Europe/Moscow", OFFICE_WEEK)
    starts = [datetime(year, 6, 1, 12, 0, tzinfo=UTC) for year in range(1990, 2030, 4)]
    expected = [add_working(WorkingCalendar("Europe/Moscow", OFFICE_WEEK), one, timedelta(hours=900)) for one in starts]
    results: list[list[datetime]] = []
    gate = threading.Barrier(8)

    def work(order: list[int]) -> None:
        gate.wait()
        found = {index: add_working(calendar, starts[index], timedelta(hours=900)) for index in order}
        results.append([found[index] for index in range(len(starts))])

    orders = [[(index * step + shift) % len(starts) for index in range(len(starts))] for shift, step in enumerate((1, 3, 7, 9) * 2)]
    threads = [threading.Thread(target=work, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 8
