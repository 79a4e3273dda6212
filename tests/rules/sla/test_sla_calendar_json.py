"""A calendar's definition as it stands in the database: read back whole, refused clearly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from app.sla.calendar import (
    CalendarError,
    Day,
    DayKind,
    Range,
    WorkingCalendar,
    add_working,
    format_hours,
    from_json,
    parse_hours,
    to_json,
)
from app.sla.production_calendar import OFFICE_WEEK, russian_calendar


def definition(**changes: object) -> dict[str, object]:
    week: list[list[str]] = [["09:00-13:00", "14:00-18:00"]] * 5 + [[], []]
    return {"timezone": "Europe/Moscow", "week": week, "days": {}} | changes


def test_a_production_calendar_comes_back_whole() -> None:
    calendar = russian_calendar("Asia/Kamchatka", first_year=2015, last_year=2030, id="region", version=3)
    text = json.dumps(to_json(calendar), ensure_ascii=False)
    back = from_json(json.loads(text), id="region", version=3)
    assert back == calendar
    assert hash(back) == hash(calendar)
    start = datetime(2025, 12, 30, 5, 0, tzinfo=UTC)
    assert add_working(back, start, timedelta(hours=9)) == add_working(calendar, start, timedelta(hours=9))


hours = st.lists(st.integers(0, 86_400), max_size=8, unique=True).map(
    lambda edges: tuple(Range(*pair) for pair in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
)
days = st.dictionaries(
    st.dates(date(1970, 1, 1), date(2100, 12, 31)),
    st.builds(Day, st.just(DayKind.EXCEPTION), hours, st.text(max_size=20), st.text(max_size=20), st.none() | st.dates()),
    max_size=5,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(hours, min_size=7, max_size=7), days)
def test_any_calendar_comes_back_whole(week: list[tuple[Range, ...]], days: Mapping[date, Day]) -> None:
    calendar = WorkingCalendar("Europe/Samara", tuple(week), days, id="x", version=2)
    assert from_json(json.loads(json.dumps(to_json(calendar))), id="x", version=2) == calendar


@given(hours)
def test_hours_come_back(value: tuple[Range, ...]) -> None:
    assert parse_hours(format_hours(value), "hours") == value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from(["timezone", "week", "days"]), json_values)
def test_anything_else_is_refused_and_never_breaks(key: str, value: object) -> None:
    try:
        read = from_json(definition(**{key: value}), id="x", version=1)
    except CalendarError:
        return
    assert isinstance(read, WorkingCalendar)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"timezone": "Europe/Moskow"}, "timezone: unknown: 'Europe/Moskow'"),
        ({"timezone": "../../etc/passwd"}, "timezone: unknown"),
        ({"timezone": "Europe"}, "timezone: unknown"),
        ({"timezone": ""}, "timezone: unknown"),
        ({"timezone": 3}, "timezone: a name such as"),
        ({"week": [[]] * 6}, "week: 7 days are needed"),
        ({"week": "Mon-Fri"}, "week: a list is needed"),
        ({"week": [["09:00-18:00"]] * 6 + [{}]}, r"week\[6\]: a list is needed"),
        ({"week": [["9-18"]] + [[]] * 6}, r"week\[0\]\[0\]: expected"),
        ({"week": [["09:00-18:60"]] + [[]] * 6}, r"week\[0\]\[0\]: expected"),
        ({"week": [["09:00-24:30"]] + [[]] * 6}, r"within 00:00 to 24:00"),
        ({"week": [["\u0660\u0669:\u0660\u0660-18:00"]] + [[]] * 6}, r"week\[0\]\[0\]: expected"),
        ({"week": [["18:00-09:00"]] + [[]] * 6}, "begins before it ends"),
        ({"week": [["09:00-09:00"]] + [[]] * 6}, "begins before it ends"),
        ({"week": [["09:00-13:00", "12:00-18:00"]] + [[]] * 6}, "must not overlap"),
        ({"week": [["14:00-18:00", "09:00-13:00"]] + [[]] * 6}, "must be in order"),
        ({"week": [["00:00-00:01"] * 25] + [[]] * 6}, "at most 24 ranges"),
        ({"days": []}, "days: an object is needed"),
        ({"days": {"2026-02-30": {"kind": "holiday"}}}, r"days\[2026-02-30\]: expected a date"),
        ({"days": {"1812-09-07": {"kind": "holiday"}}}, "outside the years 1970 to 2100"),
        ({"days": {"2026-01-01": {"kind": "party"}}}, "kind: unknown: 'party'"),
        ({"days": {"2026-01-01": {}}}, "kind: unknown"),
        ({"days": {"2026-01-01": {"kind": "holiday", "hours": ["09:00-10:00"]}}}, "a holiday has none"),
        ({"days": {"2026-01-01": {"kind": "short"}}}, "a short day needs them"),
        ({"days": {"2026-01-01": {"kind": "weekend"}}}, "use exception"),
        ({"days": {"2026-01-01": {"kind": "holiday", "name": 5}}}, "name: text is needed"),
        ({"days": {"2026-01-01": {"kind": "holiday", "swapped_with": 5}}}, "swapped_with: expected a date"),
        ({"days": {"2026-01-01": {"kind": "holiday", "colour": "red"}}}, "unknown: colour"),
        ({"hours": []}, "calendar: unknown: hours"),
    ],
)
def test_refusals_say_where_and_why(changed: dict[str, object], said: str) -> None:
    with pytest.raises(CalendarError, match=said):
        from_json(definition(**changed), id="x", version=1)


@pytest.mark.parametrize("value", [None, [], "calendar", 5, {}])
def test_what_is_no_definition_at_all(value: object) -> None:
    with pytest.raises(CalendarError):
        from_json(value, id="x", version=1)


def test_a_calendar_cannot_be_changed() -> None:
    days = {date(2026, 1, 1): Day(DayKind.HOLIDAY, (), "Новый год")}
    calendar = WorkingCalendar("Europe/Moscow", OFFICE_WEEK, days)
    start = datetime(2025, 12, 31, 12, 0, tzinfo=UTC)
    before = add_working(calendar, start, timedelta(hours=9))
    days.clear()
    assert calendar.day(date(2026, 1, 1)).kind is DayKind.HOLIDAY
    assert add_working(calendar, start, timedelta(hours=9)) == before
