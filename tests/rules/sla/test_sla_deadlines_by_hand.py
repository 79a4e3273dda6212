"""Deadlines worked out by hand with a wall calendar; each row says why it falls where it does."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.sla.calendar import (
    Day,
    DayKind,
    Range,
    WorkingCalendar,
    add_working,
    explain,
    parse_hours,
    round_the_clock,
    working_time,
)
from app.sla.production_calendar import OFFICE_WEEK, russian_calendar

MOSCOW, KALININGRAD, SAMARA = "Europe/Moscow", "Europe/Kaliningrad", "Europe/Samara"
YEKATERINBURG, VLADIVOSTOK, KAMCHATKA = "Asia/Yekaterinburg", "Asia/Vladivostok", "Asia/Kamchatka"

TOWN_HALL_WEEK = (
    *(parse_hours(["08:30-12:30", "13:15-17:30"], "week"),) * 4,
    parse_hours(["08:30-12:30", "13:15-16:15"], "week"),
    (),
    (),
)
NIGHT_WEEK = (parse_hours(["00:00-06:00"], "week"),) * 7

# (start, working hours, due, why), local time of Moscow, Monday to Friday 09:00-13:00 and 14:00-18:00.
OFFICE = [
    ("2026-01-14 09:00", 8, "2026-01-14 18:00", "a whole day falls due at its end, not next morning"),
    ("2026-01-14 09:00", 4, "2026-01-14 13:00", "the morning's end, not the end of lunch"),
    ("2026-01-14 09:00", 5, "2026-01-14 15:00", "lunch does not count"),
    ("2026-01-14 12:30", 1, "2026-01-14 14:30", "half an hour on each side of lunch"),
    ("2026-01-14 13:30", 1, "2026-01-14 15:00", "begun during lunch"),
    ("2026-01-14 18:00", 1, "2026-01-15 10:00", "18:00 itself is not worked any more"),
    ("2026-01-14 08:00", 8, "2026-01-14 18:00", "before the office opens"),
    ("2026-01-14 23:59", 8, "2026-01-15 18:00", "late in the evening"),
    ("2026-01-14 17:30", 9, "2026-01-16 09:30", "half an hour, a day, half an hour"),
    ("2026-01-16 17:00", 2, "2026-01-19 10:00", "Friday evening to Monday"),
    ("2026-01-17 12:00", 8, "2026-01-19 18:00", "Saturday"),
    ("2026-01-18 23:00", 1, "2026-01-19 10:00", "Sunday night"),
    ("2026-01-17 12:00", 0, "2026-01-17 12:00", "nothing to work falls due at once"),
    ("2026-01-12 09:00", 40, "2026-01-16 18:00", "a plain week"),
    ("2026-01-12 09:00", 41, "2026-01-19 10:00", "a week and an hour"),
    # New Year
    ("2025-12-30 17:00", 1, "2025-12-30 18:00", "30 December 2025 is whole: a moved day off follows, not a holiday"),
    ("2025-12-30 17:00", 2, "2026-01-12 10:00", "31.12 off (from 05.01), 01-08.01, 09.01 off (from 03.01), weekend"),
    ("2025-12-31 12:00", 8, "2026-01-12 18:00", "31 December 2025 is off"),
    ("2026-01-01 00:00", 1, "2026-01-12 10:00", "New Year's night"),
    ("2026-01-09 10:00", 4, "2026-01-12 13:00", "9 January 2026 is off"),
    ("2025-12-29 09:00", 24, "2026-01-12 18:00", "two days of December and one of January"),
    ("2024-12-27 17:00", 2, "2024-12-28 10:00", "Saturday 28 December 2024 is worked"),
    ("2024-12-28 09:00", 8, "2024-12-28 18:00", "and whole: it stands for 30 December"),
    ("2024-12-28 17:00", 2, "2025-01-09 10:00", "30 and 31 December 2024 are off"),
    ("2024-12-31 10:00", 1, "2025-01-09 10:00", "31 December 2024"),
    ("2026-12-30 17:00", 2, "2027-01-11 10:00", "31 December 2026 is off, 9-10 January a weekend"),
    ("2020-12-31 16:00", 2, "2021-01-11 10:00", "31 December 2020 was a short working day"),
    ("2019-12-31 16:30", 1, "2020-01-09 09:30", "31 December 2019 too"),
    ("2018-12-29 16:30", 1, "2019-01-09 09:30", "Saturday 29 December 2018: worked, short like the 31st"),
    # Short days before holidays
    ("2026-04-30 09:00", 7, "2026-04-30 17:00", "the eve of 1 May has seven hours"),
    ("2026-04-30 16:00", 2, "2026-05-04 10:00", "one of them left, then the May weekend"),
    ("2026-05-08 16:30", 1, "2026-05-12 09:30", "eve of Victory Day; Monday the 11th is off"),
    ("2026-06-11 17:00", 1, "2026-06-15 10:00", "the short day is over at 17:00"),
    ("2026-11-03 10:00", 8, "2026-11-05 11:00", "six hours on the short day, two after Unity Day"),
    ("2026-02-20 17:00", 1, "2026-02-20 18:00", "not an eve: Saturday follows, the holiday is on Monday"),
    ("2026-02-20 17:30", 1, "2026-02-24 09:30", "over 23 February 2026"),
    ("2026-03-06 17:00", 1, "2026-03-06 18:00", "8 March 2026 is a Sunday, so Friday is whole"),
    ("2026-03-06 17:00", 2, "2026-03-10 10:00", "Monday 9 March is off"),
    ("2025-03-07 16:00", 2, "2025-03-10 10:00", "8 March 2025 is a Saturday, so Friday is short"),
    ("2025-04-30 16:00", 2, "2025-05-05 10:00", "2 May 2025 is off (from 4 January)"),
    ("2025-05-07 17:00", 2, "2025-05-12 10:00", "8 May 2025 is off (from 23 February), the 7th is whole"),
    ("2025-06-11 16:30", 1, "2025-06-16 09:30", "13 June 2025 is off (from 8 March)"),
    ("2024-05-08 16:00", 2, "2024-05-13 10:00", "10 May 2024 is off (from 6 January)"),
    # Working Saturdays
    ("2025-10-31 17:00", 2, "2025-11-01 10:00", "Saturday 1 November 2025 is worked"),
    ("2025-11-01 09:00", 7, "2025-11-01 17:00", "and short: it stands for the eve of Unity Day"),
    ("2025-11-01 16:00", 2, "2025-11-05 10:00", "Sunday, Monday off, holiday"),
    ("2024-04-26 17:00", 9, "2024-04-27 18:00", "Saturday 27 April 2024 is worked and whole (for the 29th)"),
    ("2024-04-27 17:00", 2, "2024-05-02 10:00", "28 Sunday, 29 and 30 off, 1 May"),
    ("2024-11-01 17:00", 9, "2024-11-05 10:00", "1 + 7 on the short Saturday (for 30 April) + 1"),
    ("2021-02-20 09:00", 7, "2021-02-20 17:00", "Saturday 20 February 2021, short for the 22nd"),
    ("2021-02-20 16:00", 2, "2021-02-24 10:00", "Sunday, Monday off, 23 February"),
    ("2027-02-19 17:00", 9, "2027-02-24 10:00", "1 + 7 on Saturday 20 February 2027 + 1"),
    ("2018-06-09 16:00", 2, "2018-06-13 10:00", "Saturday 9 June 2018, short for the 11th"),
    ("2027-04-30 16:00", 2, "2027-05-04 10:00", "1 May 2027 is a Saturday: Friday short, Monday off"),
    # A year without a decree yet: the Labour Code alone
    ("2028-02-22 16:00", 2, "2028-02-24 10:00", "the eve of 23 February 2028"),
    ("2028-11-03 16:00", 2, "2028-11-07 10:00", "4 November 2028 is a Saturday, Monday is off by law"),
]

# (zone, start in UTC, working hours, due in UTC, why): the same office week in other zones.
ZONES = [
    (KALININGRAD, "2026-01-14 07:00", 8, "2026-01-14 16:00", "09:00 to 18:00 at +2"),
    (MOSCOW, "2026-01-14 07:00", 8, "2026-01-15 07:00", "10:00 at +3: seven hours, then one"),
    (KAMCHATKA, "2026-01-14 07:00", 8, "2026-01-15 06:00", "19:00 at +12 is after hours: the whole next day"),
    (VLADIVOSTOK, "2026-01-16 07:30", 1, "2026-01-18 23:30", "17:30 on Friday at +10 to Monday 09:30"),
    (KAMCHATKA, "2025-12-30 05:30", 1, "2026-01-11 21:30", "17:30 on 30 December to 09:30 on 12 January"),
    (KALININGRAD, "2025-12-30 15:30", 1, "2026-01-12 07:30", "the same by the clock ten hours later"),
    (SAMARA, "2026-04-30 12:00", 2, "2026-05-04 06:00", "16:00 on the short day at +4"),
    (YEKATERINBURG, "2025-11-01 11:00", 2, "2025-11-05 05:00", "16:00 on the short Saturday at +5"),
    (KAMCHATKA, "2026-01-01 12:00", 1, "2026-01-11 22:00", "midnight of 2 January at +12"),
]

# (calendar, start, hours, due, why), all in UTC: clocks that were really changed.
CHANGES = [
    ("office", MOSCOW, "2011-03-25 14:00", 2, "2011-03-28 06:00", "17:00 at +3 to 10:00 at +4, over 27 March 2011"),
    ("office", MOSCOW, "2014-10-24 13:00", 2, "2014-10-27 07:00", "17:00 at +4 to 10:00 at +3, over 26 October 2014"),
    ("always", MOSCOW, "2011-03-26 21:00", 23, "2011-03-27 20:00", "the local day of 27 March 2011 had 23 hours"),
    ("always", MOSCOW, "2014-10-25 20:00", 25, "2014-10-26 21:00", "that of 26 October 2014 had 25"),
    ("night", MOSCOW, "2011-03-26 21:00", 5, "2011-03-27 02:00", "00:00-06:00 without the skipped hour"),
    ("night", MOSCOW, "2014-10-25 20:00", 7, "2014-10-26 03:00", "00:00-06:00 with the hour shown twice"),
    ("night", KAMCHATKA, "2010-10-30 12:00", 7, "2010-10-30 19:00", "back to +11 in the night of 31 October 2010"),
    ("night", KAMCHATKA, "2011-03-26 13:00", 5, "2011-03-26 18:00", "and on to +12 for good in March 2011"),
    ("night", KALININGRAD, "2014-10-25 21:00", 7, "2014-10-26 04:00", "from +3 to +2 in October 2014"),
]


@pytest.fixture(scope="module")
def office() -> WorkingCalendar:
    return russian_calendar(MOSCOW, first_year=2018, last_year=2029)


def local(text: str, zone: str = MOSCOW) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def check(calendar: WorkingCalendar, start: datetime, hours: float, due: datetime) -> None:
    term = timedelta(hours=hours)
    assert add_working(calendar, start, term) == due
    assert working_time(calendar, start, due) == term
    told = explain(calendar, start, term)
    assert (told.start, told.end, told.counted) == (start, due, term)


def test_there_are_enough_rows() -> None:
    assert len(OFFICE) + len(ZONES) + len(CHANGES) >= 60


@pytest.mark.parametrize(("start", "hours", "due", "why"), OFFICE, ids=lambda value: str(value)[:60])
def test_office_in_moscow(office: WorkingCalendar, start: str, hours: int, due: str, why: str) -> None:
    assert why
    check(office, local(start), hours, local(due))


@pytest.mark.parametrize(("zone", "start", "hours", "due", "why"), ZONES, ids=lambda value: str(value)[:60])
def test_zones(zone: str, start: str, hours: int, due: str, why: str) -> None:
    assert why
    check(russian_calendar(zone, first_year=2025, last_year=2026), utc(start), hours, utc(due))


@pytest.mark.parametrize(("week", "zone", "start", "hours", "due", "why"), CHANGES, ids=lambda value: str(value)[:60])
def test_changes_of_the_clock(week: str, zone: str, start: str, hours: int, due: str, why: str) -> None:
    assert why
    calendar = {
        "office": WorkingCalendar(zone, OFFICE_WEEK),
        "always": round_the_clock(zone),
        "night": WorkingCalendar(zone, NIGHT_WEEK),
    }[week]
    check(calendar, utc(start), hours, utc(due))


@pytest.mark.parametrize(
    ("start", "minutes", "due"),
    [
        ("2026-01-15 16:30", 120, "2026-01-16 09:30"),  # an hour on Thursday, the rest from 08:30
        ("2026-01-16 15:30", 60, "2026-01-19 08:45"),  # Friday ends at 16:15
        ("2026-01-14 12:00", 60, "2026-01-14 13:45"),  # 45 minutes of lunch
        ("2026-01-14 21:17", 9 * 60, "2026-01-16 09:15"),  # noticed in the evening: from 08:30, 8 h 15 min a day
        ("2024-04-27 17:00", 30, "2024-04-27 17:30"),  # the Saturday that stands for a Monday has Monday's hours
        ("2024-12-28 17:00", 30, "2024-12-28 17:30"),
        ("2025-03-07 15:00", 15, "2025-03-07 15:15"),  # a short Friday ends at 15:15
        ("2025-03-07 15:00", 30, "2025-03-10 08:45"),
    ],
)
def test_a_town_hall_with_short_fridays(start: str, minutes: int, due: str) -> None:
    calendar = russian_calendar(MOSCOW, week=TOWN_HALL_WEEK, first_year=2024, last_year=2026)
    check(calendar, local(start), minutes / 60, local(due))


def test_own_days_win() -> None:
    own = {
        date(2026, 5, 27): Day(DayKind.EXCEPTION, (), "Курбан-байрам", "Kurban Bayram"),
        date(2026, 1, 17): Day(DayKind.EXCEPTION, (Range(10 * 3600, 14 * 3600),), "Дежурная суббота"),
        date(2026, 1, 5): Day(DayKind.EXCEPTION, (Range(10 * 3600, 12 * 3600),), "Дежурство в праздники"),
    }
    calendar = russian_calendar(MOSCOW, first_year=2025, last_year=2026, own=own)
    check(calendar, local("2026-05-26 17:00"), 2, local("2026-05-28 10:00"))
    check(calendar, local("2026-01-16 17:00"), 2, local("2026-01-17 11:00"))
    check(calendar, local("2025-12-30 17:00"), 4, local("2026-01-12 10:00"))


def test_a_microsecond_more_is_the_next_morning(office: WorkingCalendar) -> None:
    day = timedelta(hours=8)
    due = add_working(office, local("2026-01-14 09:00"), day + timedelta(microseconds=1))
    assert due == local("2026-01-15 09:00") + timedelta(microseconds=1)
    assert working_time(office, local("2026-01-14 18:00"), local("2026-01-15 09:00")) == timedelta(0)
