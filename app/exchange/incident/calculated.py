"""The calculated columns once more, from the raw moments, and where a file says otherwise. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.exchange.incident.columns import CALCULATED, Between, Clock, Column
from app.exchange.incident.values import agrees, format_duration, whole_minutes
from app.sla.calendar import CalendarError, WorkingCalendar, working_time

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta

YES, NO = "Да", "Нет"


@dataclass(frozen=True, kw_only=True, slots=True)
class Yardstick:
    """By what an incident is measured: its working hours, and until when the last executor's first answer was due."""

    calendar: WorkingCalendar | None
    due_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a row says: its raw moments, its durations, and whether the executor was in time."""

    moments: Mapping[Column, datetime]
    durations: Mapping[Column, timedelta]
    in_time: bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unlike:
    """A calculated cell that comes out otherwise."""

    column: Column
    file: str
    ours: str


def durations(moments: Mapping[Column, datetime], yardstick: Yardstick) -> dict[Column, timedelta]:
    """The calculated durations, exact: working time is not rounded yet. One that cannot be computed is left out."""
    found = {}
    for column, formula in CALCULATED.items():
        if isinstance(formula, Between) and formula.since in moments and formula.until in moments:
            duration = _between(moments[formula.since], moments[formula.until], formula.clock, yardstick.calendar)
            if duration is not None:
                found[column] = duration
    return found


def in_time(moments: Mapping[Column, datetime], yardstick: Yardstick) -> bool | None:
    """Whether the last executor kept the term; None when it is not known."""
    formula = CALCULATED[Column.IN_TIME]
    if yardstick.due_at is None or formula.since not in moments or formula.until not in moments:
        return None
    return moments[formula.until] <= yardstick.due_at


def cells(moments: Mapping[Column, datetime], yardstick: Yardstick) -> dict[Column, str]:
    """The calculated columns as they are written."""
    written = {
        column: format_duration(whole_minutes(duration) if _is_rounded(column) else duration)
        for column, duration in durations(moments, yardstick).items()
    }
    return written | {Column.IN_TIME: _verdict(in_time(moments, yardstick))}


def differences(told: Told, yardstick: Yardstick) -> list[Unlike]:
    """The calculated cells of a row that its own raw moments do not give."""
    found = []
    ours = durations(told.moments, yardstick)
    for column in CALCULATED:
        if column is Column.IN_TIME:
            continue
        file, mine, rounded = told.durations.get(column), ours.get(column), _is_rounded(column)
        if file is not mine and (file is None or mine is None or not agrees(file, mine, rounded=rounded)):
            shown = whole_minutes(mine) if mine is not None and rounded else mine
            found.append(Unlike(column=column, file=_shown(file), ours=_shown(shown)))
    verdict = in_time(told.moments, yardstick)
    if told.in_time is not verdict:
        found.append(Unlike(column=Column.IN_TIME, file=_verdict(told.in_time) or "-", ours=_verdict(verdict) or "-"))
    return found


def _between(since: datetime, until: datetime, clock: Clock, calendar: WorkingCalendar | None) -> timedelta | None:
    if clock is Clock.CALENDAR:
        return until - since
    try:
        return None if calendar is None else working_time(calendar, since, until)
    except CalendarError:  # a moment out of its reach
        return None


def _is_rounded(column: Column) -> bool:
    formula = CALCULATED[column]
    return isinstance(formula, Between) and formula.clock is Clock.WORKING


def _shown(duration: timedelta | None) -> str:
    return "-" if duration is None else format_duration(duration)


def _verdict(given: bool | None) -> str:  # noqa: FBT001 - three values
    return "" if given is None else YES if given else NO
