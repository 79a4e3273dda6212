"""How a period is put together of whole years, months and days, as cells keep them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from app.reports.rules import Slice, midnight

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

DAY, MONTH, YEAR = 1, 2, 3
_ONE = timedelta(days=1)


@dataclass(slots=True)
class Spans:
    """Cells by level and first day, each with the number of the slice that it belongs to; `rest`: days that no cell covers."""

    levels: list[int] = field(default_factory=list)
    starts: list[date] = field(default_factory=list)
    slices: list[int] = field(default_factory=list)
    rest: list[tuple[date, date]] = field(default_factory=list)
    """Runs of days [first, last], both included."""


def cover(parts: list[Slice], *, daily: bool) -> Spans:
    """The fewest cells for these slices, numbered from 1. Not `daily`: days are left over as they are."""
    spans = Spans()
    for number, part in enumerate(parts, start=1):
        day = part.start
        while day <= part.end:
            level, after = _largest(day, part.end, daily=daily)
            if level is None:
                _leave(spans, day, after - _ONE)
            else:
                spans.levels.append(level)
                spans.starts.append(day)
                spans.slices.append(number)
            day = after
    return spans


def days_within(since: datetime, until: datetime, zone: ZoneInfo) -> tuple[Slice | None, tuple[tuple[datetime, datetime], ...]]:
    """The whole days of a zone between two moments, and what is left of the time at both ends."""
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date() - _ONE
    first += _ONE if midnight(zone, first) < since else timedelta(0)
    if first > last:
        return None, ((since, until),)
    ends = ((since, midnight(zone, first)), (midnight(zone, last, days=1), until))
    return Slice(first, last), tuple((low, high) for low, high in ends if low < high)


def _largest(day: date, last: date, *, daily: bool) -> tuple[int | None, date]:
    """The largest cell that begins on a day and does not reach over the last one; None for days without cells."""
    next_year, next_month = date(day.year + 1, 1, 1), date(day.year + day.month // 12, day.month % 12 + 1, 1)
    if day.day == 1:
        if day.month == 1 and next_year - _ONE <= last:
            return YEAR, next_year
        if next_month - _ONE <= last:
            return MONTH, next_month
    return (DAY, day + _ONE) if daily else (None, min(next_month, last + _ONE))


def _leave(spans: Spans, first: date, last: date) -> None:
    if spans.rest and spans.rest[-1][1] + _ONE == first:
        first = spans.rest.pop()[0]
    spans.rest.append((first, last))
