"""Days off as an iCalendar file tells them. Pure, and it trusts nothing: the file is whatever somebody found on the web.

Whole days and their yearly repetition are taken. Every other entry is left out by name and reason, so that a person decides
about it: a holiday calendar also holds days that are worked, and nobody should learn that from a wrong deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from icalendar import Calendar

from app.kernel.errors import InvalidError
from app.sla.own_hours import Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from icalendar import Component

LARGEST_FILE = 300_000
"""Bytes; reading them takes a third of a second, and a year's holidays have ten thousand."""
MOST_ENTRIES = 2_000
LONGEST = 62
"""Days of one entry: longer than the longest holidays there are."""
NAME_LIMIT = 200
LAST_COUNT = 1_000
_ONE_DAY = timedelta(days=1)
_SAME_DAY = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY"})


class Why(StrEnum):
    """Why an entry was left out."""

    NO_DATE = "no_date"
    HOURS = "hours"
    """It has a time of day: it says nothing of a whole day off."""
    ZONE = "zone"
    REPEATS = "repeats"
    """It repeats in a way that is no yearly day."""
    CANCELLED = "cancelled"
    LONG = "long"
    OUTSIDE = "outside"
    """None of its days lies within the years that are read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOut:
    """An entry that was not taken: the number of it in the file, from 1 on."""

    number: int
    name: str
    why: Why


@dataclass(frozen=True, kw_only=True, slots=True)
class Read:
    """Days off, in the order of the file, and what was left out of it."""

    spans: tuple[Span, ...]
    left_out: tuple[LeftOut, ...]


def read_ical(data: bytes, *, first: date, last: date, timezone: str) -> Read:
    """The days off of [first, last]; moments with a zone are days of `timezone`. InvalidError when it is no such file."""
    if len(data) > LARGEST_FILE:
        raise InvalidError(
            "calendar.file_large", f"The file is larger than {LARGEST_FILE // 1000} KB: take a file of fewer years.", field="file"
        )
    try:
        entries = Calendar.from_ical(data).walk("VEVENT")
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError) as error:  # the library lets its own mistakes through
        raise InvalidError("calendar.file", "This is no iCalendar file: its name mostly ends with .ics.", field="file") from error
    if len(entries) > MOST_ENTRIES:
        raise InvalidError("calendar.file_large", "The file has too many entries: take a file of fewer years.", field="file")
    spans: list[Span] = []
    left_out: list[LeftOut] = []
    for number, entry in enumerate(entries, 1):
        name = _name(entry)
        try:
            found = _spans(entry, name, ZoneInfo(timezone), first, last)
        except OverflowError:  # a moment at the edge of time, in another zone
            found = Why.OUTSIDE
        if isinstance(found, Why):
            left_out.append(LeftOut(number=number, name=name, why=found))
        else:
            spans += found
    return Read(spans=tuple(spans), left_out=tuple(left_out))


def _name(entry: Component) -> str:
    value = entry.get("SUMMARY", "")
    words = str(value[0] if isinstance(value, list) and value else value)
    return "".join(char for char in " ".join(words.split()) if char.isprintable())[:NAME_LIMIT]


def _spans(entry: Component, name: str, zone: ZoneInfo, first: date, last: date) -> list[Span] | Why:
    if str(entry.get("STATUS", "")).upper() == "CANCELLED":
        return Why.CANCELLED
    begins = _day(entry, "DTSTART", zone)
    if isinstance(begins, Why):
        return begins
    days = _length(entry, begins, zone)
    if isinstance(days, Why):
        return days
    starts = _starts(entry, begins, zone, last)
    if isinstance(starts, Why):
        return starts
    found = [Span(first=day, last=day + timedelta(days=days - 1), hours=(), name=name) for day in starts]
    within = [one for one in found if first <= one.last and one.first <= last]
    return within or Why.OUTSIDE


def _day(entry: Component, name: str, zone: ZoneInfo) -> date | Why:
    """The whole day at which a property stands."""
    prop: Any = entry.get(name)
    try:
        value: object = prop.dt
    except (AttributeError, ValueError, TypeError):  # not there, twice, or not to be read
        return Why.NO_DATE
    if isinstance(value, datetime):
        if value.tzinfo is None and "TZID" in prop.params:
            return Why.ZONE  # the library leaves the zone off when it does not know it
        local = value if value.tzinfo is None else value.astimezone(zone)
        return local.date() if (local.hour, local.minute, local.second) == (0, 0, 0) else Why.HOURS
    return value if isinstance(value, date) else Why.NO_DATE


def _length(entry: Component, begins: date, zone: ZoneInfo) -> int | Why:
    """How many days; an entry without an end has one."""
    if "DTEND" in entry:
        ends = _day(entry, "DTEND", zone)
        if isinstance(ends, Why):
            return ends
        days = max((ends - begins).days, 1)
    elif "DURATION" in entry:
        duration = _duration(entry)
        if not isinstance(duration, timedelta) or duration % _ONE_DAY or duration < _ONE_DAY:
            return Why.HOURS
        days = duration.days
    else:
        days = 1
    return days if days <= LONGEST else Why.LONG


def _duration(entry: Component) -> object:
    prop: Any = entry.get("DURATION")
    try:
        value: object = prop.dt
    except (AttributeError, ValueError, TypeError):  # twice, not to be read, or longer than time itself
        return None
    return value


def _starts(entry: Component, begins: date, zone: ZoneInfo, last: date) -> list[date] | Why:
    """The days on which it begins, up to `last`."""
    if "RDATE" in entry or "RECURRENCE-ID" in entry:
        return Why.REPEATS
    if "RRULE" not in entry:
        return [begins]
    rule: Any = entry.get("RRULE")
    if not isinstance(rule, dict) or not set(rule) <= _SAME_DAY or rule.get("FREQ") != ["YEARLY"]:
        return Why.REPEATS
    by_month, by_day = rule.get("BYMONTH", [begins.month]), rule.get("BYMONTHDAY", [begins.day])
    interval, count = rule.get("INTERVAL", [1])[0], rule.get("COUNT", [LAST_COUNT])[0]
    if by_month != [begins.month] or by_day != [begins.day] or not (1 <= interval <= LAST_COUNT and count >= 1):
        return Why.REPEATS
    until = _until(rule.get("UNTIL"), zone)
    struck = _struck(entry, zone)
    if isinstance(until, Why) or isinstance(struck, Why):
        return Why.REPEATS
    return [day for day in _yearly(begins, int(interval), int(count), min(until, last)) if day not in struck]


def _yearly(begins: date, interval: int, count: int, until: date) -> Iterator[date]:
    for year in range(begins.year, until.year + 1, interval):
        try:
            day = begins.replace(year=year)
        except ValueError:  # 29 February comes every fourth year
            continue
        if day > until or not count:
            return
        count -= 1
        yield day


def _until(given: Any, zone: ZoneInfo) -> date | Why:  # noqa: ANN401 - the library's value
    if given is None:
        return date.max
    value = given[0]
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(zone)).date()
    return value if isinstance(value, date) else Why.REPEATS


def _struck(entry: Component, zone: ZoneInfo) -> set[date] | Why:
    """Days that the repetition leaves out."""
    given = entry.get("EXDATE", [])
    try:
        values = [one.dt for many in (given if isinstance(given, list) else [given]) for one in many.dts]
    except (AttributeError, ValueError, TypeError):
        return Why.REPEATS
    return {
        (one.astimezone(zone) if one.tzinfo is not None else one).date() if isinstance(one, datetime) else one
        for one in values
        if isinstance(one, date)
    }
