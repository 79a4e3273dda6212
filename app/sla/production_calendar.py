"""The Russian production calendar: public holidays, days off moved by decree, short days before holidays.

What is taken from where (checked with holidays 0.109; the tests compare it with the yearly norms of hours):

- The library `holidays` gives the public holidays of article 112 of the Labour Code, the transfers of the
  Government's decrees up to `known_until()` as pairs (day off, day it was moved from), working Saturdays among them,
  and the days off that move by the article itself. From 2015 on all of it is right; in 2014 it lacks 10 March and
  gives 23 instead of 24 February as moved, so the years here begin with 2015.
- It knows nothing of short days. Article 95: the working day right before a public holiday is one hour shorter. A day
  off worked after a transfer lasts as long as the day it was swapped with (order 588n of 13.08.2009), so a working
  Saturday given for the eve of a holiday is short too.
- It knows no transfers of a year before its decree is published (usually each September or October). For such years
  article 112 alone is applied: a holiday on a weekend moves its day off to the next working day, January excepted.
  Make a new version of the calendar when the decree is out.
- "Non-working days" that the President proclaimed in 2020 and 2021, and days off of one region (for instance
  Kurban Bayram in Tatarstan), are not here: give them as `own` days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from holidays import country_holidays

from app.sla.hours import Day, DayKind, Range, Ranges, WorkingCalendar, parse_hours

FIRST_YEAR = 2015
OFFICE_HOURS = parse_hours(["09:00-13:00", "14:00-18:00"], "office hours")
OFFICE_WEEK: tuple[Ranges, ...] = (OFFICE_HOURS,) * 5 + ((), ())
"""Forty hours, Monday to Friday, an hour for lunch."""

_FIXED = ((2, 23), (3, 8), (5, 1), (5, 9), (6, 12), (11, 4))
_SATURDAY = 5
_ONE_DAY = timedelta(days=1)
_SHORTER_BY = 3600


@dataclass(frozen=True, slots=True)
class Year:
    """One year of the production calendar, whatever hours are worked."""

    holidays: Mapping[date, tuple[str, str]]
    """Public holidays with their Russian and English names."""
    moved: Mapping[date, date]
    """Day off → the day of the weekend or the holiday that it stands for."""
    provisional: bool
    """Whether the Government's transfers are not known yet."""


@lru_cache(maxsize=1)
def known_until() -> int:
    """Return the last year whose transfers are known: 2027 in holidays 0.109."""
    return max(_transfers())


@lru_cache(maxsize=128)
def year(number: int) -> Year:
    """Return the holidays and transfers of a year; ValueError before FIRST_YEAR."""
    if number < FIRST_YEAR:
        raise ValueError(f"the production calendar begins in {FIRST_YEAR}")
    russian = country_holidays("RU", years=number, language="ru")
    english = country_holidays("RU", years=number, language="en_US")
    public = {day: (russian[day], english[day]) for day in _public_holidays(number)}
    if number > known_until():
        return Year(public, _moved_by_law(public), provisional=True)
    moved = dict(_decreed(number))
    taken = set(moved.values())
    for day in sorted(set(russian) - set(public) - set(moved)):
        moved[day] = max(held for held in public if held < day and held.weekday() >= _SATURDAY and held not in taken)
        taken.add(moved[day])
    return Year(public, moved, provisional=False)


def production_days(week: tuple[Ranges, ...], first_year: int, last_year: int) -> dict[date, Day]:
    """Return the days on which a week's hours are changed by the production calendar of the years given.

    A transfer from a Saturday that this week works anyway does not concern it.
    """
    days: dict[date, Day] = {}
    for number in range(first_year, last_year + 1):
        of_year = year(number)
        for day, (name, name_en) in of_year.holidays.items():
            days[day] = Day(DayKind.HOLIDAY, (), name, name_en)
        for off, origin in of_year.moved.items():
            if week[origin.weekday()]:
                continue
            name, name_en = of_year.holidays.get(origin, ("", ""))
            days[off] = Day(DayKind.DAY_OFF, (), name, name_en, origin)
            if origin not in of_year.holidays:
                days[origin] = Day(DayKind.MOVED_WORKDAY, week[off.weekday()], swapped_with=off)
    days = {day: value for day, value in days.items() if value.hours or value.kind is not DayKind.MOVED_WORKDAY}
    return days | _short_days(week, days, first_year, last_year)


def russian_calendar(
    timezone: str,
    *,
    week: tuple[Ranges, ...] = OFFICE_WEEK,
    first_year: int,
    last_year: int,
    own: Mapping[date, Day] | None = None,
    id: str = "",  # noqa: A002 - the field's name
    version: int = 1,
) -> WorkingCalendar:
    """Return a calendar with the production calendar's days written out; `own` days win over them."""
    days = production_days(week, first_year, last_year) | dict(own or {})
    return WorkingCalendar(timezone, week, days, id=id, version=version)


def shortened(hours: Ranges, seconds: int = _SHORTER_BY) -> Ranges:
    """Take working time off the end of a day; a day that has no more than that is left as it is."""
    if sum(one.end - one.start for one in hours) <= seconds:
        return hours
    kept = list(hours)
    left = seconds
    while left:
        last = kept.pop()
        cut = min(left, last.end - last.start)
        left -= cut
        if cut < last.end - last.start:
            kept.append(Range(last.start, last.end - cut))
    return tuple(kept)


def _short_days(week: tuple[Ranges, ...], days: Mapping[date, Day], first_year: int, last_year: int) -> dict[date, Day]:
    short: dict[date, Day] = {}
    for number in range(first_year, last_year + 1):
        # New Year's Day of the next year makes the year's last day short.
        public = dict(year(number).holidays)
        public[date(number + 1, 1, 1)] = year(number + 1).holidays[date(number + 1, 1, 1)]
        for holiday, (name, name_en) in public.items():
            eve = holiday - _ONE_DAY
            if eve not in days and week[eve.weekday()] and eve.year == number:
                short[eve] = Day(DayKind.SHORT, shortened(week[eve.weekday()]), name, name_en)
        for day, value in days.items():
            if value.kind is DayKind.MOVED_WORKDAY and value.swapped_with is not None and day.year == number:
                named = public.get(value.swapped_with + _ONE_DAY) or public.get(day + _ONE_DAY)
                if named is not None:
                    short[day] = replace(value, hours=shortened(value.hours), name=named[0], name_en=named[1])
    return short


def _public_holidays(number: int) -> list[date]:
    return [date(number, 1, day) for day in range(1, 9)] + [date(number, month, day) for month, day in _FIXED]


def _decreed(number: int) -> list[tuple[date, date]]:
    """Return the decree's pairs (day off, day it was moved from) as the library holds them."""
    pairs = _transfers().get(number, ())
    if pairs and isinstance(pairs[0], int):  # a year with a single transfer is not wrapped
        pairs = (pairs,)
    return [(date(number, pair[0], pair[1]), date(number, pair[2], pair[3])) for pair in pairs]


@lru_cache(maxsize=1)
def _transfers() -> Mapping[int, Any]:
    transfers: Mapping[int, Any] = country_holidays("RU").special_public_holidays  # there on instances only
    return transfers


def _moved_by_law(public: Mapping[date, tuple[str, str]]) -> dict[date, date]:
    moved: dict[date, date] = {}
    for holiday in sorted(public):
        if holiday.month == 1 or holiday.weekday() < _SATURDAY:
            continue
        day = holiday + _ONE_DAY
        while day in public or day in moved or day.weekday() >= _SATURDAY:
            day += _ONE_DAY
        moved[day] = holiday
    return moved
