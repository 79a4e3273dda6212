"""The cells of the table: what stands in one, as text, moment or duration. Pure.

A cell is turned into its text first, whatever its type in the file, so that the row can be kept and written again as
it was; moments and durations are read from that text. Nothing, `-` and `–` mean that there is no value.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ABSENT = frozenset({"", "-", "–", "—"})
_MOMENT = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)?", re.ASCII)
_RUSSIAN_MOMENT = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})(?: (\d{1,2}):(\d{2})(?::(\d{2}))?)?", re.ASCII)
_DURATION = re.compile(r"(?:(-?\d{1,5}) days?, )?(\d{1,6}):([0-5]\d):([0-5]\d)(?:\.(\d{1,6}))?", re.ASCII)
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)
_MICROSECOND = timedelta(microseconds=1)
_DAWN = datetime(1900, 1, 1)  # noqa: DTZ001 - where spreadsheets begin to count, in no zone


def is_absent(text: str) -> bool:
    """Whether a cell says that there is nothing."""
    return text.strip() in ABSENT


def folded(text: str) -> str:
    """The form in which names are compared: no case, no ё, single spaces."""
    return " ".join(text.casefold().replace("ё", "е").split())


def cell_text(value: object) -> str:
    """A cell as text. Moments of date cells are rounded to the millisecond: as fractions of a day they hold no more."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Да" if value else "Нет"
    if isinstance(value, date | time | timedelta):
        return _time_text(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004 - what a float holds exactly
        return str(int(value))
    return str(value)


def _time_text(value: date | time | timedelta) -> str:
    if isinstance(value, datetime):
        return format_moment(_DAWN + _nearest(value.replace(tzinfo=None) - _DAWN, _MILLISECOND))
    if isinstance(value, date):
        return f"{value.isoformat()} 00:00:00"
    if isinstance(value, time):
        value = timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
    return format_duration(_nearest(value, _MILLISECOND))


def read_moment(text: str, zone: ZoneInfo) -> datetime | None:
    """The moment (UTC) that a cell names in the file's time zone; None when it is absent. ValueError says what was expected."""
    given = text.strip()
    if given in ABSENT:
        return None
    found = _MOMENT.fullmatch(given)
    if found is not None:
        year, month, day, hour, minute, second, fraction = found.groups()
    else:
        found = _RUSSIAN_MOMENT.fullmatch(given)
        if found is None:
            raise ValueError("a moment such as 2025-12-01 08:30:00 is needed, or nothing")
        day, month, year, hour, minute, second = found.groups()
        fraction = None
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), int((fraction or "0").ljust(6, "0")),
            tzinfo=zone,
        )  # fmt: skip
    except ValueError as error:
        raise ValueError(f"there is no such moment ({error})") from error
    return local.astimezone(UTC)  # two local times would be subtracted by the wall clock


def format_moment(moment: datetime) -> str:
    """`YYYY-MM-DD HH:MM:SS`, with a fraction only when there is one."""
    return moment.replace(tzinfo=None).isoformat(sep=" ")


def read_duration(text: str) -> timedelta | None:
    """`H:MM:SS` or `D days, H:MM:SS.ffffff`; None when it is absent. ValueError says what was expected."""
    given = text.strip()
    if given in ABSENT:
        return None
    found = _DURATION.fullmatch(given)
    if found is None:
        raise ValueError("a duration such as 1:05:00 or 2 days, 1:05:00.250000 is needed, or nothing")
    days, hours, minutes, seconds, fraction = found.groups()
    return timedelta(
        days=int(days or 0),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds),
        microseconds=int((fraction or "0").ljust(6, "0")),
    )


def format_duration(duration: timedelta) -> str:
    """As the table writes it: `H:MM:SS`, `1 day, H:MM:SS`, `D days, H:MM:SS.ffffff`; a negative one counts days back."""
    return str(duration)


def whole_minutes(duration: timedelta) -> timedelta:
    """Rounded to the nearest minute; half a minute counts as a whole one."""
    return _nearest(duration, _MINUTE)


def agrees(file: timedelta, ours: timedelta, *, rounded: bool) -> bool:
    """Whether a duration of the file is ours, given that its moments are written to the second and its durations are not.

    So the true duration lies less than a second from ours; of a `rounded` one, whatever that may round to is right.
    """
    margin = _SECOND - _MICROSECOND
    if rounded:
        return file in {whole_minutes(ours - margin), whole_minutes(ours), whole_minutes(ours + margin)}
    return abs(file - ours) <= margin


def _nearest(duration: timedelta, unit: timedelta) -> timedelta:
    return (duration + unit / 2) // unit * unit
