"""A term laid out gives the very deadlines that are counted one by one, whatever the calendar and wherever a start lies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from app.sla.batch import lay_out
from app.sla.calendar import WorkingCalendar, add_working, round_the_clock
from app.sla.production_calendar import russian_calendar
from app.sla.table import to_micros, to_moment
from tests.rules.sla.test_sla_working_time import HARD, RUSSIAN, calendars, moments

FIRST, LAST = datetime(2010, 1, 1, tzinfo=UTC), datetime(2017, 1, 1, tzinfo=UTC)
terms = st.one_of(
    st.integers(0, 100 * 3_600_000_000).map(lambda value: timedelta(microseconds=value)),
    st.sampled_from([timedelta(hours=one) for one in (0, 1, 4, 8, 9, 40, 240)]),
)


@settings(deadline=None, max_examples=40)
@given(calendars().filter(lambda calendar: any(calendar.week)), terms, st.lists(moments, min_size=1, max_size=20))
def test_laid_out_is_counted_one_by_one(calendar: WorkingCalendar, term: timedelta, starts: list[datetime]) -> None:
    table = lay_out(calendar, term, first=FIRST, last=LAST)
    expected = [add_working(calendar, start, term) for start in starts]
    assert table.deadlines(starts) == expected
    inside = [(start, due) for start, due in zip(starts, expected, strict=True) if FIRST <= start <= LAST]
    assert table.deadlines_of_micros([to_micros(start) for start, _ in inside]) == [to_micros(due) for _, due in inside]


@settings(deadline=None, max_examples=30)
@given(calendars(zones=RUSSIAN + HARD).filter(lambda calendar: any(calendar.week)), terms, st.data())
def test_at_every_edge_and_beside_it(calendar: WorkingCalendar, term: timedelta, data: st.DataObject) -> None:
    """Where a piece ends is where a mistake would hide."""
    table = lay_out(calendar, term, first=FIRST, last=LAST)
    edges = data.draw(st.lists(st.sampled_from(table.begins or [table.low + 1]), min_size=1, max_size=10))
    starts = [to_moment(edge + step) for edge in edges for step in (-1, 0, 1)]
    assert table.deadlines(starts) == [add_working(calendar, start, term) for start in starts]


def test_outside_the_years_laid_out() -> None:
    calendar = russian_calendar("Europe/Moscow", first_year=2018, last_year=2027)
    table = lay_out(calendar, timedelta(hours=9), first=datetime(2020, 1, 1, tzinfo=UTC), last=datetime(2021, 1, 1, tzinfo=UTC))
    start = datetime(2026, 1, 14, 6, 0, tzinfo=UTC)
    assert table.deadlines([start]) == [add_working(calendar, start, timedelta(hours=9))]
    with pytest.raises(ValueError, match="outside the years"):
        table.deadlines_of_micros([to_micros(start)])


def test_round_the_clock_moves_with_the_start() -> None:
    table = lay_out(round_the_clock("Europe/Moscow"), timedelta(hours=24), first=FIRST, last=LAST)
    start = datetime(2014, 10, 25, 20, 0, tzinfo=UTC)
    assert table.deadlines([start]) == [start + timedelta(hours=24)]
