"""Working time as running sums over whole years, in integer microseconds of UTC."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import accumulate

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
DAY = 86_400 * SECOND
_EPOCH_ORDINAL = EPOCH.toordinal()

Segment = tuple[int, int]
Hours = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Table:
    """Segments of working time in order, right for every instant in [low, high); immutable, so free to share."""

    first_year: int
    last_year: int
    low: int
    high: int
    starts: list[int]
    ends: list[int]
    through: list[int]
    """Working microseconds from the table's beginning to the end of each segment."""

    @property
    def total(self) -> int:
        """All working microseconds of the table."""
        return self.through[-1] if self.through else 0

    def worked(self, at: int) -> int:
        """Return the working microseconds from the table's beginning to `at`."""
        index = bisect_right(self.starts, at) - 1
        if index < 0:
            return 0
        left = self.ends[index] - at
        return self.through[index] - left if left > 0 else self.through[index]

    def moment(self, target: int) -> int:
        """Return the earliest instant by which `target` (1 … total) working microseconds have passed."""
        index = bisect_left(self.through, target)
        return self.ends[index] - (self.through[index] - target)


def build(zone: tzinfo, hours_on: Callable[[date], Hours], first_year: int, last_year: int, known: Table | None = None) -> Table:
    """Sum up all working segments of the local years first_year … last_year, taking those of `known` as they are.

    The years of `known` must lie within the ones wanted.
    """
    if known is None:
        segments = _segments(zone, hours_on, first_year, last_year)
    else:
        segments = _segments(zone, hours_on, first_year, known.first_year - 1)
        segments += zip(known.starts, known.ends, strict=True)
        segments += _segments(zone, hours_on, known.last_year + 1, last_year)
    segments.sort()  # a clock set back across midnight makes two local days interleave
    starts: list[int] = []
    ends: list[int] = []
    for start, end in segments:
        if ends and ends[-1] == start:
            ends[-1] = end
        else:
            starts.append(start)
            ends.append(end)
    through = list(accumulate(end - start for start, end in zip(starts, ends, strict=True)))
    # Offsets are below a day, so one day of margin keeps the edges true in every zone.
    low = _midnight(date(first_year, 1, 1)) + DAY
    high = _midnight(date(last_year, 12, 31))
    return Table(first_year, last_year, low, high, starts, ends, through)


def _segments(zone: tzinfo, hours_on: Callable[[date], Hours], first_year: int, last_year: int) -> list[Segment]:
    segments: list[Segment] = []
    for ordinal in range(date(first_year, 1, 1).toordinal(), date(last_year + 1, 1, 1).toordinal()):
        day = date.fromordinal(ordinal)
        hours = hours_on(day)
        if hours:
            segments.extend(day_segments(zone, day, hours))
    return segments


def day_segments(zone: tzinfo, day: date, hours: Hours) -> list[Segment]:
    """Return the instants at which the wall clock of `zone` stands within `hours` (seconds of the day) on `day`.

    Membership by the wall clock is the whole rule: an hour that the clock skips is not worked, an hour that it
    shows twice is worked twice. At most one change of the clock within a day is supposed.
    """
    midnight = _midnight(day)
    before = _local_offset(zone, day, fold=0)
    after = _local_offset(zone, day + timedelta(days=1), fold=1)
    local = [(midnight + start * SECOND, midnight + end * SECOND) for start, end in hours]
    if before == after:
        return [(start - before, end - before) for start, end in local]
    low = midnight - max(before, after) - SECOND
    high = midnight + DAY - min(before, after)
    turn = _transition(zone, before, low, high)
    pieces = [(start - before, min(end - before, turn)) for start, end in local]
    pieces += [(max(start - after, turn), end - after) for start, end in local]
    return [(start, end) for start, end in pieces if start < end]


def local_midnight(zone: tzinfo, day: date) -> int:
    """Return the first instant of the local `day`."""
    segments = day_segments(zone, day, ((0, 86_400),))
    return segments[0][0] if segments else _midnight(day) - _local_offset(zone, day, fold=0)


def to_micros(moment: datetime) -> int:
    """Return microseconds since 1970 in UTC; ValueError on a naive moment."""
    try:
        return (moment - EPOCH) // MICROSECOND
    except TypeError:
        raise ValueError(f"a moment without a time zone: {moment!r}") from None


def to_moment(micros: int) -> datetime:
    """Return the aware moment (UTC) of microseconds since 1970."""
    return EPOCH + MICROSECOND * micros  # a product is exact and made three times faster than timedelta(...)


def _midnight(day: date) -> int:
    return (day.toordinal() - _EPOCH_ORDINAL) * DAY


def _local_offset(zone: tzinfo, day: date, *, fold: int) -> int:
    return _micros_of(datetime(day.year, day.month, day.day, tzinfo=zone, fold=fold).utcoffset())


def _transition(zone: tzinfo, before: int, low: int, high: int) -> int:
    """Find the instant in (low, high] at which the offset stops being `before`; clocks change at whole seconds."""
    low_s, high_s = low // SECOND, -(-high // SECOND)
    while high_s - low_s > 1:
        middle = (low_s + high_s) // 2
        if _micros_of(to_moment(middle * SECOND).astimezone(zone).utcoffset()) == before:
            low_s = middle
        else:
            high_s = middle
    return high_s * SECOND


def _micros_of(offset: timedelta | None) -> int:
    if offset is None:
        raise ValueError("a time zone without offsets")
    return offset // MICROSECOND
