"""The production calendar against published facts: yearly norms and the decrees' transfers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from app.sla.calendar import DayKind, WorkingCalendar, parse_hours, working_time
from app.sla.production_calendar import (
    OFFICE_WEEK,
    known_until,
    production_days,
    russian_calendar,
    shortened,
    year,
)

# Working days and hours of a forty-hour week as published for the year. 2020 and 2021 are as planned, before the
# President's non-working days.
NORMS = {
    2015: (247, 1971),
    2016: (247, 1974),
    2017: (247, 1973),
    2018: (247, 1970),
    2019: (247, 1970),
    2020: (248, 1979),
    2021: (247, 1972),
    2022: (247, 1973),
    2023: (247, 1973),
    2024: (248, 1979),
    2025: (247, 1972),
    2026: (247, 1972),
}

# Day off ← the day it was moved from. Government decrees 1314 of 10.08.2023 (for 2024), 1335 of 04.10.2024 (2025),
# 1466 of 24.09.2025 (2026).
TRANSFERS = {
    2024: {"04-29": "04-27", "04-30": "11-02", "05-10": "01-06", "12-30": "12-28", "12-31": "01-07"},
    2025: {"05-02": "01-04", "05-08": "02-23", "06-13": "03-08", "11-03": "11-01", "12-31": "01-05"},
    2026: {"01-09": "01-03", "12-31": "01-04", "03-09": "03-08", "05-11": "05-09"},
}

SHORT = {
    2024: {"02-22", "03-07", "05-08", "06-11", "11-02"},
    2025: {"03-07", "04-30", "06-11", "11-01"},
    2026: {"04-30", "05-08", "06-11", "11-03"},
    2027: {"02-20", "04-30", "06-11", "11-03"},
}


def dates(number: int) -> list[date]:
    return [date(number, 1, 1) + timedelta(days=n) for n in range((date(number + 1, 1, 1) - date(number, 1, 1)).days)]


def seconds(calendar: WorkingCalendar, day: date) -> int:
    return sum(one.end - one.start for one in calendar.hours_on(day))


@pytest.mark.parametrize(("number", "norm"), NORMS.items())
def test_yearly_norms(number: int, norm: tuple[int, int]) -> None:
    calendar = russian_calendar("Europe/Moscow", first_year=number, last_year=number)
    worked = [day for day in dates(number) if calendar.hours_on(day)]
    assert len(worked) == norm[0]
    assert sum(seconds(calendar, day) for day in worked) == norm[1] * 3600
    # and the same by the clock
    start = datetime(number - 1, 12, 31, 21, 0, tzinfo=UTC)
    assert working_time(calendar, start, datetime(number, 12, 31, 21, 0, tzinfo=UTC)) == timedelta(hours=norm[1])


@pytest.mark.parametrize(("number", "transfers"), TRANSFERS.items())
def test_transfers_of_the_decrees(number: int, transfers: dict[str, str]) -> None:
    moved = {f"{off:%m-%d}": f"{origin:%m-%d}" for off, origin in year(number).moved.items()}
    assert moved == transfers
    assert not year(number).provisional


@pytest.mark.parametrize(("number", "short"), SHORT.items())
def test_short_days(number: int, short: set[str]) -> None:
    calendar = russian_calendar("Europe/Moscow", first_year=number, last_year=number)
    assert {f"{day:%m-%d}" for day in dates(number) if seconds(calendar, day) == 7 * 3600} == short
    assert {seconds(calendar, day) for day in dates(number)} == {0, 7 * 3600, 8 * 3600}


def test_kinds_and_names() -> None:
    calendar = russian_calendar("Europe/Moscow", first_year=2024, last_year=2026)
    new_year, off = calendar.day(date(2026, 1, 1)), calendar.day(date(2026, 1, 9))
    assert (new_year.kind, new_year.name, new_year.name_en) == (
        DayKind.HOLIDAY,
        "Новогодние каникулы",
        "New Year Holidays",
    )
    assert (off.kind, off.swapped_with) == (DayKind.DAY_OFF, date(2026, 1, 3))
    victory = calendar.day(date(2026, 5, 11))
    assert (victory.kind, victory.name, victory.swapped_with) == (DayKind.DAY_OFF, "День Победы", date(2026, 5, 9))
    saturday = calendar.day(date(2024, 4, 27))
    assert (saturday.kind, saturday.swapped_with, saturday.name) == (DayKind.MOVED_WORKDAY, date(2024, 4, 29), "")
    eve = calendar.day(date(2024, 11, 2))
    assert (eve.kind, eve.swapped_with, eve.name) == (
        DayKind.MOVED_WORKDAY,
        date(2024, 4, 30),
        "Праздник Весны и Труда",
    )
    assert calendar.day(date(2026, 4, 30)).kind is DayKind.SHORT
    assert calendar.day(date(2026, 1, 10)).kind is DayKind.WEEKEND
    assert calendar.day(date(2026, 1, 12)).kind is DayKind.WORKDAY


def test_a_year_without_a_decree_follows_the_law_alone() -> None:
    first = known_until() + 1
    for number in range(first, first + 8):
        of_year = year(number)
        assert of_year.provisional
        assert len(of_year.holidays) == 14
        for off, origin in of_year.moved.items():
            assert origin in of_year.holidays
            assert origin.weekday() >= 5
            assert origin.month > 1
            assert off.weekday() < 5
            assert off not in of_year.holidays
            assert off > origin
        weekend = [day for day in of_year.holidays if day.weekday() >= 5 and day.month > 1]
        assert sorted(of_year.moved.values()) == sorted(weekend)


def test_years_before_the_table_are_refused() -> None:
    with pytest.raises(ValueError, match="begins in 2015"):
        russian_calendar("Europe/Moscow", first_year=2014, last_year=2016)


def test_a_six_day_week_keeps_its_saturdays() -> None:
    short_saturday = parse_hours(["09:00-14:00"], "saturday")
    week = (*OFFICE_WEEK[:5], short_saturday, ())
    days = production_days(week, 2024, 2024)
    # Transfers from a Saturday, which is worked here anyway, do not concern it; those from a Sunday do.
    assert date(2024, 4, 29) not in days
    assert date(2024, 4, 27) not in days
    assert days[date(2024, 12, 31)].kind is DayKind.DAY_OFF
    assert days[date(2024, 12, 31)].swapped_with == date(2024, 1, 7)
    # 22 February 2025 is a Saturday and an eve.
    assert production_days(week, 2025, 2025)[date(2025, 2, 22)].hours == parse_hours(["09:00-13:00"], "saturday")


def test_shortening() -> None:
    def cut(*texts: str) -> tuple[tuple[int, int], ...]:
        return shortened(parse_hours(list(texts), "hours"))

    assert cut("09:00-13:00", "14:00-18:00") == parse_hours(["09:00-13:00", "14:00-17:00"], "hours")
    assert cut("09:00-13:00", "14:00-15:00") == parse_hours(["09:00-13:00"], "hours")
    assert cut("09:00-13:00", "14:00-14:30") == parse_hours(["09:00-12:30"], "hours")
    assert cut("09:00-10:00") == parse_hours(["09:00-10:00"], "hours")
    assert cut() == ()


def test_a_moved_day_off_of_a_worked_weekend_has_hours_or_is_left_out() -> None:
    # A week that rests on Mondays gives a Saturday that stands for a Monday nothing to work.
    week = ((), *OFFICE_WEEK[1:])
    calendar = russian_calendar("Europe/Moscow", week=week, first_year=2024, last_year=2024)
    assert calendar.hours_on(date(2024, 4, 27)) == ()
    assert calendar.hours_on(date(2024, 11, 2)) == parse_hours(["09:00-13:00", "14:00-17:00"], "hours")
