"""How a period is put together of whole years, months and days, as cells keep them. Pure.

What is added up can be taken away as well: a year without its last fortnight is sooner had by taking away fourteen days than by adding up
eleven months and seventeen days. So it is with the ends of a period of another zone: lines are added to whole days, or taken away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from app.reports.rules import Slice, midnight

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from zoneinfo import ZoneInfo

DAY, MONTH, YEAR = 1, 2, 3
_ONE = timedelta(days=1)


@dataclass(slots=True)
class Spans:
    """Cells by level and first day, added (1) or taken away (-1), each with the number of the slice that it belongs to.

    `rest`: days that no cell covers.
    """

    levels: list[int] = field(default_factory=list)
    starts: list[date] = field(default_factory=list)
    signs: list[int] = field(default_factory=list)
    slices: list[int] = field(default_factory=list)
    rest: list[tuple[date, date]] = field(default_factory=list)
    """Runs of days [first, last], both included."""


def cover(parts: Sequence[Slice], *, daily: bool) -> Spans:
    """The fewest cells for these slices, numbered from 1. Not `daily`: none is taken away, and days are left over as they are."""
    spans = Spans()
    for number, part in enumerate(parts, start=1):
        cells = _fewest(YEAR, part.start, part.end) if daily else _whole(spans, part)
        for level, start, sign in cells:
            spans.levels.append(level)
            spans.starts.append(start)
            spans.signs.append(sign)
            spans.slices.append(number)
    return spans


def nearest_days(since: datetime, until: datetime, zone: ZoneInfo) -> tuple[Slice | None, tuple[tuple[datetime, datetime, int], ...]]:
    """The days of a zone nearest to the time between two moments, and what is to be added (1) or taken away (-1) at both ends."""
    first, last = _nearest(since, zone), _nearest(until, zone) - _ONE
    if first > last:
        return None, ((since, until, 1),)
    begin, end = midnight(zone, first), midnight(zone, last, days=1)
    ends = ((since, begin, 1), (begin, since, -1), (end, until, 1), (until, end, -1))
    return Slice(first, last), tuple((low, high, sign) for low, high, sign in ends if low < high)


def _nearest(moment: datetime, zone: ZoneInfo) -> date:
    """The day that begins nearest to a moment."""
    day = moment.astimezone(zone).date()
    begun, next_begins = midnight(zone, day), midnight(zone, day, days=1)
    return day if moment - begun <= next_begins - moment else day + _ONE


_Cell = tuple[int, date, int]


def _fewest(level: int, first: date, last: date) -> list[_Cell]:
    """Cells of this level or lower ones: of each, its own parts that lie within, or all of it but those that do not."""
    cells: list[_Cell] = []
    for start, end in _units(level, first, last):
        low, high = max(first, start), min(last, end)
        if (low, high) == (start, end):
            cells.append((level, start, 1))
            continue
        within = _fewest(level - 1, low, high)
        without = [*_fewest(level - 1, start, low - _ONE), *_fewest(level - 1, high + _ONE, end)]
        cells += within if len(within) <= 1 + len(without) else [(level, start, 1), *((each, day, -sign) for each, day, sign in without)]
    return cells


def _units(level: int, first: date, last: date) -> Iterator[tuple[date, date]]:
    """The days, months or years that have some of these days, each by its first and last."""
    start = first if level == DAY else first.replace(day=1) if level == MONTH else first.replace(month=1, day=1)
    while start <= last:
        after = start + _ONE if level == DAY else _next_month(start) if level == MONTH else date(start.year + 1, 1, 1)
        yield start, after - _ONE
        start = after


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _whole(spans: Spans, part: Slice) -> Iterator[_Cell]:
    """Whole years and months; the days between are left over."""
    day = part.start
    while day <= part.end:
        year, month = date(day.year + 1, 1, 1), _next_month(day)
        if day.month == day.day == 1 and year - _ONE <= part.end:
            yield YEAR, day, 1
            day = year
        elif day.day == 1 and month - _ONE <= part.end:
            yield MONTH, day, 1
            day = month
        else:
            after = min(month, part.end + _ONE)
            _leave(spans, day, after - _ONE)
            day = after


def _leave(spans: Spans, first: date, last: date) -> None:
    if spans.rest and spans.rest[-1][1] + _ONE == first:
        first = spans.rest.pop()[0]
    spans.rest.append((first, last))
