"""What working hours are made of: kept through changes of one part, inherited, followed, compared."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from app.sla.calendar import CalendarError, from_json, parse_hours, to_json
from app.sla.own_hours import (
    ALWAYS,
    OFFICE,
    Hours,
    Place,
    Span,
    changed_days,
    difference,
    hours_of,
    month_sum,
    spans_of,
    spread,
    typed_hours,
)

MORNINGS = (parse_hours(["09:00-13:00"], ""),) * 5 + ((), ())
FEAST = Span(first=date(2026, 6, 24), last=date(2026, 6, 25), hours=(), name="День области")
REGION, CITY, EAST = (
    Place(id=1, parent_id=None, timezone="Europe/Moscow"),
    Place(id=2, parent_id=1, timezone="Europe/Moscow"),
    Place(id=3, parent_id=1, timezone="Asia/Omsk"),
)


@pytest.mark.parametrize("hours", [OFFICE, Hours(week=MORNINGS, own=FEAST.days()), Hours(week=ALWAYS, by_law=False)])
def test_what_it_was_made_of_is_read_back(hours: Hours) -> None:
    calendar = hours.calendar("Asia/Omsk", this_year=2026)
    assert hours_of(from_json(to_json(calendar), id="", version=1)) == hours


def test_another_week_keeps_the_exceptions() -> None:
    changed = Hours(week=OFFICE.week, own=FEAST.days()).on_week(MORNINGS)
    calendar = changed.calendar("Europe/Moscow", this_year=2026)
    assert [calendar.hours_on(day) for day in (date(2026, 6, 23), date(2026, 6, 24), date(2026, 6, 12))] == [MORNINGS[0], (), ()]
    assert not OFFICE.on_week(ALWAYS).by_law, "who works round the clock knows no holidays"


def test_hours_are_inherited_and_followed_until_somebody_has_their_own() -> None:
    feast = Hours(week=OFFICE.week, own=FEAST.days())
    begun = spread([REGION, CITY, EAST], {}, {})
    assert begun == {1: (OFFICE, "Europe/Moscow"), 3: (OFFICE, "Asia/Omsk")}, "the city works as the region does"
    followed = spread([REGION, CITY, EAST], begun, {1: feast})
    assert followed == {1: (feast, "Europe/Moscow"), 3: (feast, "Asia/Omsk")}
    own = spread([REGION, CITY, EAST], followed, {3: Hours(week=MORNINGS)})
    assert spread([REGION, CITY, EAST], own, {1: OFFICE})[3] == (Hours(week=MORNINGS), "Asia/Omsk"), "its own stay"


def test_what_a_version_changed() -> None:
    before = OFFICE.calendar("Europe/Moscow", this_year=2026)
    after = Hours(week=MORNINGS, own=FEAST.days()).calendar("Asia/Omsk", this_year=2026)
    told = difference(before, after)
    assert (told.weekdays, told.added, told.removed, told.timezone, told.by_law) == ((0, 1, 2, 3, 4), (FEAST,), (), True, False)
    assert difference(before, before).nothing
    feast = Hours(week=OFFICE.week, own=FEAST.days()).calendar("Europe/Moscow", this_year=2026)
    assert [one.date for one in changed_days(before, feast, date(2026, 6, 1), date(2026, 6, 30))] == [FEAST.first, FEAST.last]
    assert difference(feast, before).removed == (FEAST,)


def test_a_month_adds_up_as_production_calendars_print_it() -> None:
    calendar = OFFICE.calendar("Europe/Moscow", this_year=2026)
    assert [(month_sum(calendar, 2026, month).days, month_sum(calendar, 2026, month).seconds / 3600) for month in (1, 4, 11)] == [
        (15, 120), (22, 175), (20, 159),
    ]  # fmt: skip


@given(st.dictionaries(st.dates(date(2026, 1, 1), date(2026, 3, 1)), st.sampled_from([(), MORNINGS[0]])))
def test_spans_are_the_days_again(hours: dict[date, tuple[object, ...]]) -> None:
    own = {day: value for day, given_hours in hours.items() for value in Span(first=day, last=day, hours=given_hours).days().values()}  # type: ignore[arg-type] # ranges
    spans = spans_of(own)
    assert {day: value for span in spans for day, value in span.days().items()} == own
    assert all(one.last < other.first for one, other in pairwise(spans))


@pytest.mark.parametrize("typed", ["9:00-13:00, 14:00–18:00", "09:00 - 13:00;14:00—18:00", "09:00-13:00 14:00-18:00"])
def test_hours_as_people_type_them(typed: str) -> None:
    assert typed_hours(typed, "") == OFFICE.week[0]
    with pytest.raises(CalendarError, match="Mon"):
        typed_hours("9 to 6", "Mon")
