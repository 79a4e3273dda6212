"""The deadlines of an appeal with their arithmetic, for its screen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.kernel.log import logger
from app.sla.book import read_calendar
from app.sla.calendar import CalendarError, DayRow, WorkingCalendar, explain_between
from app.sla.rules import Pause, Promise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.db import ReadSession

EXPLAINED_UP_TO = timedelta(days=120)
"""Longer terms are not told day by day."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TimerView:
    """One deadline. `rows` tell day by day, in `timezone`, what was counted from `started_at` up to `due_at`.

    No rows: the term counts plain time, or is too long to tell. `seconds` or `days` is the term; `near_at` the last
    warning before it runs out. `reasons` are {"code": …} with parameters, `policy` is its name.
    """

    id: int
    cycle: int
    promise: Promise
    policy: str
    policy_code: str
    policy_version: int
    reasons: tuple[Mapping[str, str | int], ...]
    seconds: int
    days: int
    working: bool
    timezone: str | None
    started_at: datetime
    due_at: datetime
    near_at: datetime
    warnings: tuple[datetime, ...]
    breached_at: datetime | None
    stopped_at: datetime | None
    outcome: str | None
    elapsed_seconds: int | None
    working_seconds: int | None
    pauses: tuple[Pause, ...]
    rows: tuple[DayRow, ...]


_TIMERS = text(
    """
    SELECT t.id, t.cycle, t.promise, t.choice, t.term, t.started_at, t.due_at, t.warnings, t.breached_at, t.stopped_at, t.outcome,
      t.elapsed_seconds, t.working_seconds, p.name AS policy, p.code AS policy_code, p.version AS policy_version,
      v.id AS calendar_id, v.version AS calendar_version, CAST(v.definition AS text) AS definition
    FROM sla_timer t JOIN sla_policy_version p ON p.id = t.policy_version_id LEFT JOIN calendar_version v ON v.id = t.calendar_version_id
    WHERE t.appeal_id = :appeal ORDER BY t.cycle DESC, t.due_at, t.id
    """
)
_PAUSES = text("SELECT since, until, reason FROM sla_pause WHERE appeal_id = :appeal ORDER BY since, id")


async def timers_of(session: ReadSession, *, appeal_id: int) -> list[TimerView]:
    """All deadlines of an appeal, those of the newest cycle first. Two queries."""
    pauses = tuple(Pause(row.since, row.until, row.reason) for row in await session.execute(_PAUSES, {"appeal": appeal_id}))
    return [_view(row, pauses) for row in await session.execute(_TIMERS, {"appeal": appeal_id})]


_CALENDARS = text("SELECT id, version, CAST(definition AS text) AS definition FROM calendar_version WHERE id = ANY (:ids)")


async def calendars_of(session: ReadSession, ids: Sequence[int | None]) -> dict[int, WorkingCalendar]:
    """The calendars of these versions; one that cannot be read is logged and left out. At most one query."""
    known = sorted({one for one in ids if one is not None})
    found: dict[int, WorkingCalendar] = {}
    for row in await session.execute(_CALENDARS, {"ids": known}) if known else ():
        try:
            found[row.id] = read_calendar(row.definition, row.id, row.version)
        except CalendarError as error:
            logger.error("calendar_unusable", calendar_version=row.id, error=str(error))
    return found


def _view(row: Any, pauses: Sequence[Pause]) -> TimerView:  # noqa: ANN401 - a typed row
    timezone, rows = _arithmetic(row)
    warnings = tuple(datetime.fromisoformat(moment) for moment in row.warnings)
    ended = row.stopped_at or row.due_at
    return TimerView(
        id=row.id,
        cycle=row.cycle,
        promise=Promise(row.promise),
        policy=row.policy,
        policy_code=row.policy_code,
        policy_version=row.policy_version,
        reasons=tuple(row.choice.get("reasons", ())),
        seconds=row.term.get("seconds", 0),
        days=row.term.get("days", 0),
        working=row.term["working"],
        timezone=timezone,
        started_at=row.started_at,
        due_at=row.due_at,
        near_at=max(warnings, default=row.due_at),
        warnings=warnings,
        breached_at=row.breached_at,
        stopped_at=row.stopped_at,
        outcome=row.outcome,
        elapsed_seconds=row.elapsed_seconds,
        working_seconds=row.working_seconds,
        pauses=tuple(one for one in pauses if one.since < ended and (one.until is None or one.until > row.started_at)),
        rows=rows,
    )


def _arithmetic(row: Any) -> tuple[str | None, tuple[DayRow, ...]]:  # noqa: ANN401 - a typed row
    """The zone of the timer's calendar, and the days of its term."""
    if row.definition is None:
        return None, ()
    try:
        calendar = read_calendar(row.definition, row.calendar_id, row.calendar_version)
        if not row.term["working"] or not timedelta(0) <= row.due_at - row.started_at <= EXPLAINED_UP_TO:
            return calendar.timezone, ()
        return calendar.timezone, explain_between(calendar, row.started_at, row.due_at).rows
    except CalendarError as error:
        logger.error("calendar_unusable", calendar_version=row.calendar_id, error=str(error))
        return None, ()
