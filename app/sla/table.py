"""Working time as running sums over whole years.

Built in integer microseconds of UTC, which are exact; looked up in moments, since a moment compared or added costs a tenth
of one made an integer and back: that, not the search, was the price of a deadline.
"""

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


_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Table:
    """Segments of working time in order, right for every moment in [low, high); immutable, so free to share."""

    first_year: int
    last_year: int
    low: datetime
    high: datetime
    starts: list[int]
    ends: list[int]
    through: list[int]
    """Working microseconds from the table's beginning to the end of each segment."""
    days: list[int]
    """The local days with working time, as ordinals."""
    day_ends: list[datetime]
    """The end of the last working time of each of `days`."""
    _begins: list[datetime]
    """When each segment begins; an empty one before the first lets every moment have one that began before it."""
    _worked: list[timedelta]
    """Working time from the table's beginning to the end of each segment."""
    _origins: list[datetime]
    """The moment from which working time would have run without a break to be as much as it is in each segment."""

    @property
    def total(self) -> timedelta:
        """All working time of the table."""
        return self._worked[-1]

    def worked(self, at: datetime) -> timedelta:
        """Return the working time from the table's beginning to `at`."""
        index = bisect_right(self._begins, at) - 1
        return min(at - self._origins[index], self._worked[index])

    def moment(self, target: timedelta) -> datetime:
        """Return the earliest moment by which `target` (more than zero, up to the total) of working time has passed."""
        return self._origins[bisect_left(self._worked, target)] + target

    def after(self, moments: Sequence[datetime], wanted: timedelta) -> list[datetime]:
        """Return for each moment (in UTC, at least one) the earliest by which `wanted` more has been worked: `moment(worked + wanted)`.

        `wanted` is more than nothing, and the table reaches far enough. Only between the pieces of one term does anything
        but an addition change, so they are found once, then each moment is a search among those of its day.
        """
        low, high = min(moments), max(moments)
        turns, fixed, shifts = self._pieces(low, high, wanted)
        first, midnight = low.toordinal(), datetime(low.year, low.month, low.day, tzinfo=UTC)
        known = [bisect_right(turns, midnight + timedelta(days=day)) for day in range(high.toordinal() - first + 2)]
        return [
            fixed[piece] or at + shifts[piece]
            for at in moments
            for day in (at.toordinal() - first,)
            for piece in (bisect_right(turns, at, known[day], known[day + 1]) - 1,)
        ]

    def _pieces(self, low: datetime, high: datetime, wanted: timedelta) -> tuple[list[datetime], list[datetime | None], list[timedelta]]:
        """From which moment on the wanted time is over at a fixed moment, or (None) so much later than it began: all from low to high."""
        begins, origins, worked = self._begins, self._origins, self._worked
        first, last = (bisect_right(begins, at) - 1 for at in (low, high))
        goal = bisect_left(worked, worked[max(first - 1, 0)] + wanted)
        turns: list[datetime] = []
        fixed: list[datetime | None] = []
        shifts: list[timedelta] = []
        for segment in range(first, last + 1):
            at, end = begins[segment], origins[segment] + worked[segment]
            while goal < len(worked):
                turns.append(at)
                fixed.append(None)
                shifts.append(origins[goal] - origins[segment] + wanted)
                at = origins[segment] + worked[goal] - wanted + MICROSECOND  # reaching into the next segment from here on
                if at > end:
                    turns.append(end)
                    fixed.append(shifts[-1] + end)
                    shifts.append(_NOTHING)
                    break
                goal += 1
        return turns, fixed, shifts


def build(zone: tzinfo, hours_on: Callable[[date], Hours], first_year: int, last_year: int, known: Table | None = None) -> Table:
    """Sum up all working segments of the local years first_year … last_year, taking those of `known` as they are.

    The years of `known` must lie within the ones wanted.
    """
    segments, days = _spread(zone, hours_on, first_year, last_year if known is None else known.first_year - 1)
    if known is not None:
        later, later_days = _spread(zone, hours_on, known.last_year + 1, last_year)
        segments += [*zip(known.starts, known.ends, strict=True), *later]
        days |= dict(zip(known.days, known.day_ends, strict=True)) | later_days
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
    return Table(
        first_year=first_year,
        last_year=last_year,
        low=to_moment(low),
        high=to_moment(high),
        starts=starts,
        ends=ends,
        through=through,
        days=list(days),
        day_ends=list(days.values()),
        _begins=[datetime.min.replace(tzinfo=UTC), *map(to_moment, starts)],
        _worked=[_NOTHING, *(MICROSECOND * one for one in through)],
        _origins=[to_moment(low), *(to_moment(end - one) for end, one in zip(ends, through, strict=True))],
    )


def _spread(zone: tzinfo, hours_on: Callable[[date], Hours], first_year: int, last_year: int) -> tuple[list[Segment], dict[int, datetime]]:
    """The working segments of these local years, and the end of each day that has any."""
    segments: list[Segment] = []
    days: dict[int, datetime] = {}
    for ordinal in range(date(first_year, 1, 1).toordinal(), date(last_year + 1, 1, 1).toordinal()):
        day = date.fromordinal(ordinal)
        hours = hours_on(day)
        found = day_segments(zone, day, hours) if hours else []
        if found:
            segments += found
            days[ordinal] = to_moment(max(end for _, end in found))
    return segments, days


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


def in_utc(moment: datetime) -> datetime:
    """Return the same moment in UTC; ValueError on a naive one."""
    if moment.tzinfo is UTC:
        return moment
    if moment.utcoffset() is None:
        raise ValueError(f"a moment without a time zone: {moment!r}")
    return moment.astimezone(UTC)


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
