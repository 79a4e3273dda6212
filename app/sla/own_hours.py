"""What somebody decides about working hours: a week, whether the law's holidays count, days of one's own. Pure.

A calendar version holds each day written out. Here is what it was made of, so that a change of one part keeps the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from app.sla.hours import Day, DayKind, Ranges, WorkingCalendar, parse_hours, round_the_clock
from app.sla.production_calendar import FIRST_YEAR, OFFICE_WEEK, known_until, production_days

if TYPE_CHECKING:
    from app.sla.hours import Range

Week = tuple[Ranges, ...]
LATER_YEARS = 3
"""The law's days are written out up to this many years ahead, further where decrees are known."""
ALWAYS: Week = round_the_clock("UTC").week


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """The hours of a place or an agency. `own` are its exceptions, which win over the law's days (`by_law`)."""

    week: Week
    own: Mapping[date, Day] = field(default_factory=dict, hash=False)
    by_law: bool = True

    def calendar(self, timezone: str, *, this_year: int, id: str = "", version: int = 1) -> WorkingCalendar:  # noqa: A002 - the field's name
        """Each day written out. CalendarError when it contradicts itself, or the zone is unknown."""
        last = max(this_year + LATER_YEARS, known_until())
        law = production_days(self.week, FIRST_YEAR, last) if self.by_law else {}
        return WorkingCalendar(timezone, self.week, law | dict(self.own), id=id, version=version)

    def on_week(self, week: Week) -> Hours:
        """The same exceptions on another week; who works round the clock knows no holidays."""
        return replace(self, week=week, by_law=week != ALWAYS)


OFFICE = Hours(week=OFFICE_WEEK)


def hours_of(calendar: WorkingCalendar) -> Hours:
    """What a calendar was made of."""
    return Hours(
        week=calendar.week,
        own={day: value for day, value in calendar.days.items() if value.kind is DayKind.EXCEPTION},
        by_law=any(value.kind is DayKind.HOLIDAY for value in calendar.days.values()),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A territory, as far as hours are inherited."""

    id: int
    parent_id: int | None
    timezone: str


def spread(places: Iterable[Place], stored: Mapping[int, tuple[Hours, str]], given: Mapping[int, Hours]) -> dict[int, tuple[Hours, str]]:
    """Which places need hours of their own, and which: `stored` and the result are (hours, time zone) by place.

    `places` come parents first. A place without hours works as its parent does; in another time zone it gets the same hours
    there, and they follow the parent's as long as nobody gives it others. A root without any works as offices do.
    """
    before: dict[int, Hours] = {}
    after: dict[int, Hours] = {}
    zones: dict[int, str] = {}
    wanted: dict[int, tuple[Hours, str]] = {}
    for place in places:
        parent, known = place.parent_id, stored.get(place.id)
        above_before, above_after = (OFFICE, OFFICE) if parent is None else (before[parent], after[parent])
        before[place.id] = above_before if known is None else known[0]
        has_own = known is not None and (parent is None or known[0] != above_before)
        after[place.id] = given.get(place.id) or (before[place.id] if has_own else above_after)
        zones[place.id] = place.timezone
        if parent is None or known is not None or place.id in given or zones[parent] != place.timezone:
            wanted[place.id] = (after[place.id], place.timezone)
    return wanted


# --- as people write it -------------------------------------------------------------------------------------------

_SHORT_TIME = re.compile(r"(?<![0-9:])([0-9])(?=:[0-9]{2})")


def typed_hours(typed: str, where: str) -> Ranges:
    """Hours as somebody typed them: "9:00-13:00, 14:00–18:00"; nothing is a day off. CalendarError names `where`."""
    tidy = re.sub(r"\s*[-–—]\s*", "-", typed.replace(",", " ").replace(";", " "))
    return parse_hours(_SHORT_TIME.sub(r"0\1", tidy).split(), where)


# --- what differs -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Days in a row with the same hours for the same reason, both ends among them; no hours means days off."""

    first: date
    last: date
    hours: Ranges
    name: str = ""

    def days(self) -> dict[date, Day]:
        """The exceptions that it stands for."""
        count = (self.last - self.first).days + 1
        return {self.first + timedelta(days=number): Day(DayKind.EXCEPTION, self.hours, self.name) for number in range(count)}


def spans_of(own: Mapping[date, Day]) -> list[Span]:
    """Exceptions, those in a row that are alike told as one."""
    spans: list[Span] = []
    for day, value in sorted(own.items()):
        last = spans[-1] if spans else None
        if last and last.last + timedelta(days=1) == day and (last.hours, last.name) == (value.hours, value.name):
            spans[-1] = replace(last, last=day)
        else:
            spans.append(Span(first=day, last=day, hours=value.hours, name=value.name))
    return spans


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedDay:
    """A day that is worked otherwise than before."""

    date: date
    before: Day
    after: Day


def changed_days(before: WorkingCalendar, after: WorkingCalendar, first: date, last: date) -> list[ChangedDay]:
    """The days of [first, last] whose hours or reason differ."""
    found = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        old, new = before.day(day), after.day(day)
        if old != new:
            found.append(ChangedDay(date=day, before=old, after=new))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """What one version changed against the one before: weekdays (0 is Monday) and exceptions, and whether the law's days or the zone."""

    weekdays: tuple[int, ...] = ()
    added: tuple[Span, ...] = ()
    removed: tuple[Span, ...] = ()
    by_law: bool = False
    law_days: int = 0
    """Days of the production calendar that are told otherwise: a decree was published."""
    timezone: bool = False

    @property
    def nothing(self) -> bool:
        """Whether they are alike."""
        return self == Difference()


def difference(before: WorkingCalendar, after: WorkingCalendar) -> Difference:
    """What the later of two versions changed."""
    old, new = hours_of(before), hours_of(after)
    same_week = old.week == new.week and old.by_law == new.by_law
    law = {day for day in {*before.days, *after.days} if day not in old.own and day not in new.own}
    return Difference(
        weekdays=tuple(number for number in range(7) if old.week[number] != new.week[number]),
        added=tuple(spans_of({day: value for day, value in new.own.items() if old.own.get(day) != value})),
        removed=tuple(spans_of({day: value for day, value in old.own.items() if new.own.get(day) != value})),
        by_law=old.by_law != new.by_law,
        law_days=sum(before.day(day) != after.day(day) for day in law) if same_week else 0,
        timezone=before.timezone != after.timezone,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthSum:
    """How much is worked in a month."""

    days: int
    seconds: int


def month_sum(calendar: WorkingCalendar, year: int, month: int) -> MonthSum:
    """Working days and hours of a local month, as production calendars print them."""
    day, count, seconds = date(year, month, 1), 0, 0
    while day.month == month:
        worked = sum(_length(one) for one in calendar.hours_on(day))
        count, seconds = count + bool(worked), seconds + worked
        day += timedelta(days=1)
    return MonthSum(days=count, seconds=seconds)


def _length(hours: Range) -> int:
    return hours.end - hours.start
