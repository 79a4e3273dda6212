"""What a working calendar is: hours of the week, days that differ, and its JSON form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from app.sla.table import Table, build

FIRST_YEAR, LAST_YEAR = 1970, 2100
_DAY_SECONDS = 86_400
_MAX_RANGES, _MAX_DAYS = 24, 50_000
_TIME = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])(?::([0-5][0-9]))?", re.ASCII)


class CalendarError(ValueError):
    """A calendar that cannot be used, or a moment that it does not reach; the text says where and why."""


class DayKind(StrEnum):
    """Why a day is worked or not."""

    WORKDAY = "workday"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    DAY_OFF = "day_off"
    """A day off moved here from another day."""
    SHORT = "short"
    """The working day before a holiday."""
    MOVED_WORKDAY = "moved_workday"
    """A day of the weekend that is worked because its day off was moved away."""
    EXCEPTION = "exception"
    """The region's or the agency's own decision."""


class Range(NamedTuple):
    """Working hours from `start` up to, not including, `end`, in seconds after local midnight."""

    start: int
    end: int


Ranges = tuple[Range, ...]

_OFF_KINDS = frozenset({DayKind.HOLIDAY, DayKind.DAY_OFF})
_WORKED_KINDS = frozenset({DayKind.SHORT, DayKind.MOVED_WORKDAY})
_WEEK_KINDS = frozenset({DayKind.WORKDAY, DayKind.WEEKEND})


@dataclass(frozen=True, slots=True)
class Day:
    """One day's hours and the reason for them; no hours means a day off."""

    kind: DayKind
    hours: Ranges = ()
    name: str = ""
    name_en: str = ""
    swapped_with: date | None = None
    """The other day of a transfer."""


@dataclass(frozen=True, slots=True)
class WorkingCalendar:
    """An immutable version of a calendar: seven weekdays (Monday first) and the days that differ from them.

    `days` holds everything that is not the plain week, the production calendar included, so that a version means
    the same hours for ever. Raises CalendarError when it contradicts itself.
    """

    timezone: str
    week: tuple[Ranges, ...] = field(hash=False)
    days: Mapping[date, Day] = field(default_factory=dict, hash=False)
    id: str = ""
    version: int = 1
    zone: ZoneInfo = field(init=False, repr=False, compare=False)
    _weekdays: tuple[Day, ...] = field(init=False, repr=False, compare=False)
    _table: Table | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if len(self.week) != 7:  # noqa: PLR2004 - a week
            raise CalendarError(f"week: 7 days are needed, Monday first; got {len(self.week)}")
        if len(self.days) > _MAX_DAYS:
            raise CalendarError(f"days: at most {_MAX_DAYS} days may differ from the week")
        for number, hours in enumerate(self.week):
            _check_hours(hours, f"week[{number}]")
        for day, value in self.days.items():
            _check_day(value, f"days[{day.isoformat()}]")
        week = tuple(tuple(Range(*one) for one in hours) for hours in self.week)
        object.__setattr__(self, "week", week)
        object.__setattr__(self, "days", MappingProxyType(dict(sorted(self.days.items()))))
        object.__setattr__(self, "zone", _zone(self.timezone))
        object.__setattr__(self, "_weekdays", tuple(Day(DayKind.WORKDAY if hours else DayKind.WEEKEND, hours) for hours in week))

    def day(self, day: date) -> Day:
        """Return the hours of a local day and the reason for them."""
        return self.days.get(day) or self._weekdays[day.weekday()]

    def hours_on(self, day: date) -> Ranges:
        """Return the working ranges of a local day, none on a day off."""
        return self.day(day).hours

    @property
    def never_works(self) -> bool:
        """Whether there is no working time at all."""
        return not any(self.week) and not any(day.hours for day in self.days.values())

    def table(self, low: datetime, high: datetime) -> Table:
        """Return sums that cover both moments (in UTC), building years on demand.

        Threads may build at once: a table is immutable and put in place in one assignment, so the worst is work
        done twice. The years FIRST_YEAR … LAST_YEAR bound its size; CalendarError outside them.
        """
        table = self._table
        if table is not None and table.low <= low and high < table.high:
            return table
        if not FIRST_YEAR <= low.year <= high.year <= LAST_YEAR:
            raise CalendarError(f"a moment outside the years {FIRST_YEAR} to {LAST_YEAR}")
        return self._rebuild(low.year - 1, high.year + 1)

    def later(self, table: Table) -> Table:
        """Return sums that reach further than `table`; CalendarError past LAST_YEAR."""
        if table.last_year > LAST_YEAR or self.never_works:
            raise CalendarError(f"not enough working time up to the end of {LAST_YEAR}")
        span = table.last_year - table.first_year
        return self._rebuild(table.first_year, min(table.last_year + span, LAST_YEAR + 1))

    def _rebuild(self, first: int, last: int) -> Table:
        known = self._table
        if known is not None:
            first, last = min(first, known.first_year), max(last, known.last_year)
        table = build(self.zone, self.hours_on, first, last, known)
        object.__setattr__(self, "_table", table)
        return table


def round_the_clock(timezone: str, *, id: str = "24x7") -> WorkingCalendar:  # noqa: A002 - the field's name
    """Return the calendar in which every moment counts."""
    return WorkingCalendar(timezone, ((Range(0, _DAY_SECONDS),),) * 7, id=id)


def parse_hours(texts: Sequence[object], where: str) -> Ranges:
    """Read ["09:00-13:00", "14:00-18:00"]; CalendarError names `where` it went wrong."""
    ranges: list[Range] = []
    for number, text in enumerate(texts):
        start, dash, end = text.partition("-") if isinstance(text, str) else ("", "", "")
        begins, ends = _parse_time(start), _parse_time(end)
        if not dash or begins is None or ends is None:
            raise CalendarError(f'{where}[{number}]: expected "09:00-18:00", got {str(text)[:40]!r}')
        ranges.append(Range(begins, ends))
    _check_hours(tuple(ranges), where)
    return tuple(ranges)


def format_hours(hours: Ranges) -> list[str]:
    """Write ranges as parse_hours reads them."""
    return [f"{_format_time(one.start)}-{_format_time(one.end)}" for one in hours]


def to_json(calendar: WorkingCalendar) -> dict[str, object]:
    """Return the definition for a jsonb column; id and version are columns of their own."""
    return {
        "timezone": calendar.timezone,
        "week": [format_hours(hours) for hours in calendar.week],
        "days": {day.isoformat(): _day_to_json(value) for day, value in calendar.days.items()},
    }


def from_json(definition: object, *, id: str, version: int) -> WorkingCalendar:  # noqa: A002 - the field's name
    """Read what to_json wrote, trusting nothing; CalendarError says where it is wrong."""
    top = _mapping(definition, "calendar", {"timezone", "week", "days"})
    timezone = top.get("timezone")
    if not isinstance(timezone, str):
        raise CalendarError("timezone: a name such as Europe/Moscow is needed")
    week = tuple(
        parse_hours(_list(hours, f"week[{number}]"), f"week[{number}]") for number, hours in enumerate(_list(top.get("week"), "week"))
    )
    days: dict[date, Day] = {}
    for key, value in _mapping(top.get("days", {}), "days", None).items():
        where = f"days[{key[:40]}]"
        day = _parse_date(key, where)
        if not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise CalendarError(f"{where}: outside the years {FIRST_YEAR} to {LAST_YEAR}")
        days[day] = _day_from_json(value, where)
    return WorkingCalendar(timezone, week, days, id=id, version=version)


def _day_to_json(day: Day) -> dict[str, object]:
    written: dict[str, object] = {"kind": day.kind.value}
    if day.hours:
        written["hours"] = format_hours(day.hours)
    if day.name:
        written["name"] = day.name
    if day.name_en:
        written["name_en"] = day.name_en
    if day.swapped_with is not None:
        written["swapped_with"] = day.swapped_with.isoformat()
    return written


def _day_from_json(value: object, where: str) -> Day:
    given = _mapping(value, where, {"kind", "hours", "name", "name_en", "swapped_with"})
    try:
        kind = DayKind(str(given.get("kind")))
    except ValueError:
        raise CalendarError(f"{where}.kind: unknown: {str(given.get('kind'))[:40]!r}") from None
    name, name_en, swapped = given.get("name", ""), given.get("name_en", ""), given.get("swapped_with")
    if not (isinstance(name, str) and isinstance(name_en, str)):
        raise CalendarError(f"{where}.name: text is needed")
    return Day(
        kind,
        parse_hours(_list(given.get("hours", []), f"{where}.hours"), f"{where}.hours"),
        name,
        name_en,
        None if swapped is None else _parse_date(swapped, f"{where}.swapped_with"),
    )


def _check_day(day: Day, where: str) -> None:
    _check_hours(day.hours, f"{where}.hours")
    if day.kind in _WEEK_KINDS:
        raise CalendarError(f"{where}.kind: {day.kind.value} is the week's own; use exception")
    if day.kind in _OFF_KINDS and day.hours:
        raise CalendarError(f"{where}.hours: a {day.kind.value} has none")
    if day.kind in _WORKED_KINDS and not day.hours:
        raise CalendarError(f"{where}.hours: a {day.kind.value} day needs them")


def _check_hours(hours: Sequence[tuple[int, int]], where: str) -> None:
    if len(hours) > _MAX_RANGES:
        raise CalendarError(f"{where}: at most {_MAX_RANGES} ranges a day")
    previous = 0
    for number, (start, end) in enumerate(hours):
        if not 0 <= start < end <= _DAY_SECONDS:
            raise CalendarError(f"{where}[{number}]: a range begins before it ends, within 00:00 to 24:00")
        if start < previous:
            raise CalendarError(f"{where}[{number}]: ranges must be in order and must not overlap")
        previous = end


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # unknown, a path, a directory: ZoneInfo raises one of these
        raise CalendarError(f"timezone: unknown: {name[:60]!r}") from None


def _parse_time(text: str) -> int | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    hour, minute, second = (int(part or 0) for part in found.groups())
    return hour * 3600 + minute * 60 + second


def _format_time(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{second:02}" if second else "")


def _parse_date(value: object, where: str) -> date:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else date.fromisoformat("")
    except ValueError:
        raise CalendarError(f"{where}: expected a date such as 2026-12-31") from None


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise CalendarError(f"{where}: a list is needed")
    return value


def _mapping(value: object, where: str, known: set[str] | None) -> dict[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise CalendarError(f"{where}: an object is needed")
    unknown = set() if known is None else set(value) - known
    if unknown:
        raise CalendarError(f"{where}: unknown: {', '.join(sorted(unknown))[:60]}")
    return value
