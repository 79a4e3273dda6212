"""Deadlines of many clocks that have the same term: the term is laid out once, each deadline is one look at a sorted list. Pure.

For one calendar and one term the deadline is a function of the start that is made of straight pieces: within working
hours it moves along with the start, elsewhere it stands still. The pieces of all years are computed once, from the same
sums that `calendar.add_working` looks at, so the results are the same to the microsecond.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import repeat
from typing import TYPE_CHECKING

from app.sla.calendar import add_working
from app.sla.table import EPOCH, MICROSECOND

if TYPE_CHECKING:
    from app.sla.calendar import WorkingCalendar
    from app.sla.table import Table

Micros = int
"""Microseconds of UTC since 1970."""


@dataclass(frozen=True, slots=True)
class TermTable:
    """One term in one calendar: where each piece begins, and the deadline in it as `base + start * slope`."""

    calendar: WorkingCalendar
    duration: timedelta
    low: Micros
    high: Micros
    """The starts that it covers: [low, high)."""
    begins: Sequence[Micros]
    bases: Sequence[Micros]
    slopes: Sequence[int]

    def deadlines_of_micros(self, starts: Sequence[Micros]) -> list[Micros]:
        """The deadlines of starts within [low, high), in their order. ValueError for one outside."""
        if starts and not self.low <= min(starts) <= max(starts) < self.high:
            raise ValueError("a start outside the years that this term was laid out for")
        bases, slopes = self.bases, self.slopes
        pieces = map(bisect_right, repeat(self.begins), starts)
        return [bases[piece] + start * slopes[piece] for piece, start in zip(pieces, starts, strict=True)]

    def deadlines(self, starts: Iterable[datetime]) -> list[datetime]:
        """The deadlines of aware starts, in their order; one outside the years laid out is counted by itself."""
        epoch, micro, low, high, begins = EPOCH, MICROSECOND, self.low, self.high, self.begins
        bases, slopes, found = self.bases, self.slopes, []
        for start in starts:
            at = (start - epoch) // micro
            if low <= at < high:
                piece = bisect_right(begins, at)
                found.append(epoch + micro * (bases[piece] + at * slopes[piece]))
            else:
                found.append(add_working(self.calendar, start, self.duration))
        return found


def lay_out(calendar: WorkingCalendar, duration: timedelta, *, first: datetime, last: datetime) -> TermTable:
    """Lay a term out for all starts between two moments. ValueError on a negative term, CalendarError out of reach."""
    latest = add_working(calendar, last, duration)
    low, high = (first - EPOCH) // MICROSECOND, (last - EPOCH) // MICROSECOND + 1
    table = calendar.table(low, max((latest - EPOCH) // MICROSECOND, high))
    begins, bases, slopes = _pieces(table, duration // MICROSECOND, low, high)
    return TermTable(calendar, duration, low, high, begins, bases, slopes)


def _pieces(table: Table, wanted: Micros, low: Micros, high: Micros) -> tuple[list[Micros], list[Micros], list[int]]:
    """The straight pieces of start → deadline; piece n holds for starts before begins[n], from begins[n - 1] on."""
    if wanted == 0:
        return [], [0], [1]
    edges = {low}
    for start, end, through in zip(table.starts, table.ends, table.through, strict=True):
        edges |= {start, end}
        # Where the deadline jumps from one working range to the next: that much before the range's end.
        before = through - wanted
        if before >= 0:
            edges.add(_latest(table, before) + 1)
    inside = sorted(edge for edge in edges if low < edge < high)
    firsts = [low, *inside]
    bases, slopes = [], []
    for begin, following in zip(firsts, [*inside, high], strict=True):
        due = table.moment(table.worked(begin) + wanted)
        moves = following - begin > 1 and table.moment(table.worked(following - 1) + wanted) != due
        bases.append(due - begin if moves else due)
        slopes.append(1 if moves else 0)
    return inside, bases, slopes


def _latest(table: Table, worked: Micros) -> Micros:
    """The latest instant by which no more than so much has been worked: rest after it changes nothing."""
    index = bisect_right(table.through, worked)
    return table.starts[index] + worked - (table.through[index - 1] if index else 0)
