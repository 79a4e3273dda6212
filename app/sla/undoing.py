"""Clocks that an answer had stopped, when the answer stands no more: they run on as if they had never stopped."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from app.kernel.db import Bulk
from app.kernel.log import logger
from app.sla.calendar import CalendarError, WorkingCalendar
from app.sla.rules import Moved, Pause, Promise, resumed
from app.sla.service import used_calendars

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from app.kernel.db import WriteSession

_STOPPED = text(
    """
    SELECT t.id, t.promise, t.started_at, t.due_at, t.warnings, t.breached_at, t.stopped_at, t.outcome, t.agency_id, t.elapsed_seconds,
      t.working_seconds, t.calendar_version_id, t.term
    FROM sla_timer t
    WHERE t.appeal_id = :appeal AND t.cycle = :cycle AND t.promise = ANY (:promises) AND t.stopped_at IS NOT NULL ORDER BY t.id FOR UPDATE
    """
)
_PAUSES = text("SELECT since, until, reason FROM sla_pause WHERE appeal_id = :appeal AND until IS NOT NULL ORDER BY since")
# A deadline that has passed is found again by whoever looks for those: its notice was settled with the answer.
_RUN_ON = Bulk(
    """
    UPDATE sla_timer t SET stopped_at = NULL, outcome = NULL, agency_id = NULL, elapsed_seconds = NULL, working_seconds = NULL,
      breached_at = NULL, due_at = r.due_at, warnings = CAST(r.warnings AS jsonb), warn_at = r.warn_at
    FROM {rows} WHERE t.id = r.id
    """,
    id="bigint", due_at="timestamptz", warnings="text", warn_at="timestamptz",
)  # fmt: skip


async def undo_stops(
    session: WriteSession, *, appeal_id: int, cycle: int, promises: Sequence[Promise], felt: Collection[datetime], now: datetime
) -> dict[str, dict[str, object]]:
    """Let these clocks run on; by promise, how each stood while it was stopped. The appeal is locked, no pause is open.

    Pauses that a stopped clock did not feel have moved nothing yet: they move it now. `felt`: the ends of those that were over
    before it was stopped, whatever moment it was stopped at.
    """
    rows = (await session.execute(_STOPPED, {"appeal": appeal_id, "cycle": cycle, "promises": [one.value for one in promises]})).all()
    if not rows:
        return {}
    calendars = await used_calendars(session, rows)
    pauses = [Pause(row.since, row.until, row.reason) for row in await session.execute(_PAUSES, {"appeal": appeal_id})]
    running = []
    for row in rows:
        moved = _run_on(row, [one for one in pauses if one.until not in felt], calendars.get(row.calendar_version_id))
        ahead = [one for one in moved.warnings if now < one < moved.due_at]
        running.append((row.id, moved.due_at, orjson.dumps(list(moved.warnings)).decode(), min(ahead, default=None)))
    await _RUN_ON.run(session, running)
    return {
        row.promise: {
            "stopped_at": row.stopped_at, "due_at": row.due_at, "outcome": row.outcome, "agency": row.agency_id,
            "elapsed": row.elapsed_seconds, "working": row.working_seconds,
        }
        for row in rows
    }  # fmt: skip


def _run_on(row: Any, pauses: Sequence[Pause], calendar: WorkingCalendar | None) -> Moved:  # noqa: ANN401 - a typed row
    clock = calendar if row.term.get("working") else None
    moved = Moved(row.due_at, tuple(datetime.fromisoformat(one) for one in row.warnings), None)
    for pause in pauses:
        if pause.until is not None and pause.until > row.stopped_at:
            rest = Pause(max(pause.since, row.stopped_at), pause.until, pause.reason)
            try:
                moved = resumed(moved.due_at, moved.warnings, started_at=row.started_at, pause=rest, calendar=clock)
            except CalendarError as error:  # as when a pause ends: plain time is better than a deadline that never moves
                logger.error("calendar_unusable", calendar_version=row.calendar_version_id, error=str(error))
                moved = resumed(moved.due_at, moved.warnings, started_at=row.started_at, pause=rest, calendar=None)
    return moved
