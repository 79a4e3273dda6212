"""Working time: how much of it lies between two moments, and when a given amount of it has passed.

Every function takes and returns aware moments (UTC comes back; a naive one is a ValueError) and is exact to the
microsecond. Wherever a calendar may be None, None means plain elapsed time, round the clock.

Borders. A working range is closed at its start and open at its end. `add_working` returns the *earliest* moment by
which the duration has been worked: nine hours from 09:00 in a nine-hour day fall due at its end, 18:00, not at the
next day's 09:00; a duration of zero falls due at its start, even at night. Hence
working_time(a, add_working(a, d)) == d always, and add_working(a, working_time(a, b)) <= b.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from app.sla.hours import (
    LAST_YEAR,
    CalendarError,
    Day,
    DayKind,
    Range,
    Ranges,
    WorkingCalendar,
    format_hours,
    from_json,
    parse_hours,
    round_the_clock,
    to_json,
)
from app.sla.table import Table, day_segments, in_utc, local_midnight, to_micros, to_moment

__all__ = [
    "CalendarError",
    "Day",
    "DayKind",
    "DayRow",
    "Explanation",
    "Note",
    "Range",
    "Ranges",
    "WorkingCalendar",
    "add_days",
    "add_days_to_all",
    "add_working",
    "add_working_days",
    "add_working_to_all",
    "advance",
    "advance_all",
    "explain",
    "explain_between",
    "format_hours",
    "from_json",
    "in_utc",
    "measure",
    "parse_hours",
    "parts_of_all",
    "round_the_clock",
    "to_json",
    "working_time",
]

Note = str
"""Why a day's row counted what it did: COUNTED, DAY_OFF or OUTSIDE_HOURS."""
COUNTED, DAY_OFF, OUTSIDE_HOURS = "counted", "day_off", "outside_hours"

_NOTHING = timedelta(0)
_ONE_DAY = timedelta(days=1)
_LAST_DAY = date(LAST_YEAR, 12, 31).toordinal()


def working_time(calendar: WorkingCalendar, start: datetime, end: datetime) -> timedelta:
    """Return the working time between two moments, negative when `end` is the earlier one."""
    begins, ends = in_utc(start), in_utc(end)
    table = calendar.table(begins, ends) if begins <= ends else calendar.table(ends, begins)
    return table.worked(ends) - table.worked(begins)


def add_working(calendar: WorkingCalendar, start: datetime, duration: timedelta) -> datetime:
    """Return the earliest moment by which `duration` of working time has passed since `start`.

    ValueError on a negative duration, CalendarError when the calendar never has so much working time.
    """
    at = in_utc(start)
    if not _something(duration):
        return at
    table = _reaching(calendar, at, at, duration)
    return table.moment(table.worked(at) + duration)


def add_working_to_all(calendar: WorkingCalendar, starts: Iterable[datetime], duration: timedelta) -> list[datetime]:
    """Return `add_working` of each start: a million in half a second. CalendarError when it is out of reach for any of them."""
    moments = [start if start.tzinfo is UTC else in_utc(start) for start in starts]  # most are: a call less for each
    if not moments or not _something(duration):
        return moments
    first, last = min(moments), max(moments)
    table = _reaching(calendar, first, last, duration)
    if (last - first).days > len(moments):  # scattered so thinly that preparing each day costs more than it saves
        return [table.moment(table.worked(at) + duration) for at in moments]
    return table.after(moments, duration)


def _something(duration: timedelta) -> bool:
    """Whether it is more than nothing; ValueError when less."""
    if duration < _NOTHING:
        raise ValueError(f"a negative duration: {duration}")
    return duration > _NOTHING


def _reaching(calendar: WorkingCalendar, first: datetime, last: datetime, duration: timedelta) -> Table:
    """Sums that cover both moments, and so much working time after the last one."""
    table = calendar.table(first, last)
    while table.worked(last) + duration > table.total:
        table = calendar.later(table)
    return table


def measure(calendar: WorkingCalendar | None, start: datetime, end: datetime) -> timedelta:
    """Return the time between two moments by the calendar, or plainly elapsed when there is none."""
    if calendar is None:
        return in_utc(end) - in_utc(start)
    return working_time(calendar, start, end)


def advance(calendar: WorkingCalendar | None, start: datetime, duration: timedelta) -> datetime:
    """Return the moment at which `duration` has passed by the calendar, or plainly when there is none."""
    if calendar is not None:
        return add_working(calendar, start, duration)
    _something(duration)
    return in_utc(start) + duration  # in UTC: adding to a local time would move its wall clock, not the time


def advance_all(calendar: WorkingCalendar | None, starts: Iterable[datetime], duration: timedelta) -> list[datetime]:
    """Return `advance` of each start."""
    if calendar is not None:
        return add_working_to_all(calendar, starts, duration)
    _something(duration)
    return [in_utc(start) + duration for start in starts]


def add_working_days(calendar: WorkingCalendar, start: datetime, days: int) -> datetime:
    """Return the end of the last working hour of the `days`-th working day after the local day of `start`.

    The day of the start does not count (Civil Code, article 191). ValueError unless days >= 1.
    """
    if days < 1:
        raise ValueError(f"at least one day: {days}")
    at = in_utc(start)
    table, day = calendar.table(at, at), at.astimezone(calendar.zone).toordinal()
    if calendar.never_works:
        raise CalendarError("a calendar without working time")
    while (number := bisect_right(table.days, day) + days - 1) >= len(table.days) and table.last_year <= LAST_YEAR:
        table = calendar.later(table)
    if number >= len(table.days) or table.days[number] > _LAST_DAY:
        raise CalendarError(f"not enough working days up to the end of {LAST_YEAR}")
    return table.day_ends[number]


def add_days(calendar: WorkingCalendar, start: datetime, days: int) -> datetime:
    """Return the end (24:00 local) of the `days`-th calendar day after the local day of `start`; days >= 1."""
    if days < 1:
        raise ValueError(f"at least one day: {days}")
    try:
        after = _local_day(calendar, to_micros(start)) + timedelta(days=days + 1)
    except OverflowError:
        raise CalendarError(f"past the year {LAST_YEAR}: {days} days") from None
    return to_moment(local_midnight(calendar.zone, after))


def add_days_to_all(calendar: WorkingCalendar, starts: Iterable[datetime], days: int, *, working: bool) -> list[datetime]:
    """Return `add_working_days` or `add_days` of each start: of those on one local day it is one moment, counted once."""
    reckon = add_working_days if working else add_days
    known: dict[int, datetime] = {}
    found = []
    for start in starts:
        day = in_utc(start).astimezone(calendar.zone).toordinal()
        due = known.get(day)
        if due is None:
            due = known[day] = reckon(calendar, start, days)
        found.append(due)
    return found


def parts_of_all(
    calendar: WorkingCalendar | None, terms: Sequence[tuple[datetime, datetime]], shares: Sequence[float]
) -> list[tuple[datetime, ...]]:
    """Return for each term, from its start to its end in UTC, the moments at which these shares of it have passed by the calendar."""
    if calendar is None or not terms:
        return [tuple(start + (end - start) * share for share in shares) for start, end in terms]
    table = calendar.table(min(start for start, _ in terms), max(end for _, end in terms))
    found = []
    for start, end in terms:
        before = table.worked(start)
        parts = [(table.worked(end) - before) * share for share in shares]
        found.append(tuple(table.moment(before + part) if part else start for part in parts))
    return found


@dataclass(frozen=True, slots=True)
class DayRow:
    """What one local day gave to a term, and why."""

    date: date
    day: Day
    note: Note
    spans: tuple[tuple[datetime, datetime], ...]
    """The worked pieces that count (UTC)."""
    counted: timedelta
    total: timedelta
    """Counted up to and including this day."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The arithmetic of a term: its rows add up to `counted`."""

    start: datetime
    end: datetime
    counted: timedelta
    timezone: str
    calendar_id: str
    calendar_version: int
    rows: tuple[DayRow, ...]


def explain(calendar: WorkingCalendar, start: datetime, duration: timedelta) -> Explanation:
    """Return how add_working(calendar, start, duration) came to its moment, day by day."""
    return explain_between(calendar, start, add_working(calendar, start, duration))


def explain_between(calendar: WorkingCalendar, start: datetime, end: datetime) -> Explanation:
    """Return how working_time(calendar, start, end) adds up, day by day; ValueError when end < start."""
    begins, ends = to_micros(start), to_micros(end)
    if ends < begins:
        raise ValueError("the end is before the start")
    rows: list[DayRow] = []
    total = timedelta(0)
    day = _local_day(calendar, begins)
    last = _local_day(calendar, max(begins, ends - 1))  # 24:00 belongs to the day that it ends
    while day <= last:
        row = _row(calendar, day, begins, ends, total)
        total = row.total
        rows.append(row)
        day += _ONE_DAY
    return Explanation(to_moment(begins), to_moment(ends), total, calendar.timezone, calendar.id, calendar.version, tuple(rows))


def _row(calendar: WorkingCalendar, day: date, begins: int, ends: int, before: timedelta) -> DayRow:
    value = calendar.day(day)
    segments = sorted(day_segments(calendar.zone, day, value.hours))
    clipped = [(max(start, begins), min(end, ends)) for start, end in segments]
    spans = tuple((to_moment(start), to_moment(end)) for start, end in clipped if start < end)
    counted = sum((end - start for start, end in spans), timedelta(0))
    note = COUNTED if counted else OUTSIDE_HOURS if value.hours else DAY_OFF
    return DayRow(day, value, note, spans, counted, before + counted)


def _local_day(calendar: WorkingCalendar, at: int) -> date:
    return to_moment(at).astimezone(calendar.zone).date()
