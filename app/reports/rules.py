"""What a report is asked for: a period of local days, a grouping, filters. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from app.kernel.errors import InvalidError
from app.sla.table import local_midnight, to_moment

LONGEST_PERIOD = timedelta(days=10 * 366)
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
SMALL_BELOW = 5
"""Fewer answers than this are marked, not hidden: the 90th percentile of four answers is all but the slowest of them,
and one answer moves the median by half the scale. Regions that rate bodies ask for at least two; we ask for five."""


class Grouping(StrEnum):
    """By what a report is split. In agencies, territories and topics a line holds all below it as well."""

    AGENCY = "agency"
    TERRITORY = "territory"
    TOPIC = "topic"
    PAGE = "page"
    PLATFORM = "platform"
    OPERATOR = "operator"


TREES = frozenset({Grouping.AGENCY, Grouping.TERRITORY, Grouping.TOPIC})


class Bucket(StrEnum):
    """How finely a trend is cut. Weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """Local days from `start` to `end`, both included, in the report's own time zone.

    InvalidError (`report.period`, `report.time_zone`) when the end is before the start, the span is over ten years, a
    day is outside 2000 to 2099, or there is no such zone.
    """

    start: date
    end: date
    tz: str

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise InvalidError("report.period", "The period ends before it begins.", field="to")
        if self.start < FIRST_DAY or self.end > LAST_DAY:
            raise InvalidError("report.period", f"Days from {FIRST_DAY} to {LAST_DAY} can be asked for.", field="from")
        if self.end - self.start > LONGEST_PERIOD:
            raise InvalidError("report.period", "At most ten years can be asked for at once.", field="from")
        _zone(self.tz)

    @property
    def zone(self) -> ZoneInfo:
        """The report's time zone."""
        return _zone(self.tz)

    @property
    def since(self) -> datetime:
        """The first moment of it, in UTC."""
        return midnight(self.zone, self.start)

    @property
    def until(self) -> datetime:
        """The first moment after it, in UTC."""
        return midnight(self.zone, self.end, days=1)


def before(period: Period) -> Period:
    """The previous period of the same kind: the month, quarter or year before a whole one, else as many days before."""
    day = timedelta(days=1)
    if period.start.day == 1 and (period.end + day).day == 1:
        months = (period.end.year - period.start.year) * 12 + period.end.month - period.start.month + 1
        first = period.start.year * 12 + period.start.month - 1 - months
        start = date(first // 12, first % 12 + 1, 1)
    else:
        start = period.start - (period.end - period.start) - day
    return Period(start=start, end=period.start - day, tz=period.tz)


@dataclass(frozen=True, slots=True)
class Filters:
    """What to narrow a report to; empty means any. Agencies, territories and topics come with all below them."""

    agency_ids: tuple[int, ...] = ()
    territory_ids: tuple[int, ...] = ()
    topic_ids: tuple[int, ...] = ()
    page_ids: tuple[int, ...] = ()
    platforms: tuple[str, ...] = ()
    operator_ids: tuple[int, ...] = ()
    nobodys: tuple[Grouping, ...] = ()
    """Only what belongs to no topic, page or operator: the line of a report without a key."""


NO_FILTERS = Filters()


@dataclass(frozen=True, slots=True)
class Slice:
    """A bucket of a period: local days [start, end], both included; the first and the last may be cut by the period."""

    start: date
    end: date


def slices(period: Period, bucket: Bucket) -> list[Slice]:
    """The buckets of a period in order, without gaps."""
    found: list[Slice] = []
    day = period.start
    while day <= period.end:
        after = _next(day, bucket)
        found.append(Slice(day, min(after - timedelta(days=1), period.end)))
        day = after
    return found


def edges(period: Period, parts: list[Slice]) -> list[datetime]:
    """The first moment of each bucket, in UTC: what `width_bucket` cuts by."""
    return [midnight(period.zone, part.start) for part in parts]


def slice_of(moment: datetime, starts: list[datetime]) -> int:
    """The number of the bucket in which a moment lies, from 1 as `width_bucket` counts."""
    return bisect_right(starts, moment)


def _next(day: date, bucket: Bucket) -> date:
    if bucket is Bucket.DAY:
        return day + timedelta(days=1)
    if bucket is Bucket.WEEK:
        return day + timedelta(days=7 - day.weekday())
    if bucket is Bucket.YEAR:
        return date(day.year + 1, 1, 1)
    months = day.year * 12 + day.month - 1 + (1 if bucket is Bucket.MONTH else 3 - (day.month - 1) % 3)
    return date(months // 12, months % 12 + 1, 1)


def midnight(zone: ZoneInfo, day: date, *, days: int = 0) -> datetime:
    """The first moment of a local day, or of the one so many days later."""
    return to_moment(local_midnight(zone, day + timedelta(days=days)))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # unknown, a path, a directory: ZoneInfo raises one of these
        raise InvalidError("report.time_zone", "There is no such time zone: give one such as Europe/Moscow.", field="tz") from None
