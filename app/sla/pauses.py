"""Clocks that stand still, and deadlines that are put off: rows with a reason; the stored deadline moves with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from app.kernel.db import Bulk
from app.kernel.errors import ConflictError, InvalidError
from app.kernel.log import logger
from app.sla.calendar import CalendarError, WorkingCalendar, add_days, add_working_days, advance
from app.sla.rules import Moved, Pause, PauseReason, Promise, extended, resumed
from app.sla.service import used_calendars

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.kernel.db import WriteSession
    from app.sla.policy import Term

REASON_LIMIT = 1_000
LONGEST_EXTENSION = timedelta(days=366)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """A pause that has ended."""

    appeal_id: int
    since: datetime
    until: datetime
    reason: str


# --- pauses -----------------------------------------------------------------------------------------------------

_BEGIN = text(
    """
    INSERT INTO sla_pause (appeal_id, since, reason, operator_id) VALUES (:appeal, :at, :reason, :operator)
    ON CONFLICT (appeal_id) WHERE until IS NULL DO NOTHING RETURNING id
    """
)


async def begin_pause(session: WriteSession, *, appeal_id: int, reason: PauseReason, at: datetime, operator_id: int) -> None:
    """Stop the appeal's clocks for a while. ConflictError when they stand still already. The appeal is locked."""
    params = {"appeal": appeal_id, "at": at, "reason": reason.value, "operator": operator_id}
    if await session.scalar(_BEGIN, params) is None:
        raise ConflictError("sla.paused", "The clock stands still already: reload the appeal.")


# What was written before the pause began does not end it: it was only noticed late.
_END = Bulk(
    """
    UPDATE sla_pause p SET until = ended.at FROM (
      SELECT o.id, min(r.at) AS at FROM {rows} JOIN sla_pause o ON o.appeal_id = r.appeal_id
      WHERE o.until IS NULL AND o.since <= r.at AND (r.reason IS NULL OR o.reason = r.reason) GROUP BY o.id) AS ended
    WHERE p.id = ended.id
    RETURNING p.appeal_id, p.since, p.until, p.reason
    """,
    appeal_id="bigint", at="timestamptz", reason="text",
)  # fmt: skip

_RUNNING = text(
    """
    SELECT t.id, t.appeal_id, t.started_at, t.due_at, t.breached_at, t.calendar_version_id, t.term, t.warnings FROM sla_timer t
    WHERE t.appeal_id = ANY (:ids) AND t.stopped_at IS NULL ORDER BY t.id FOR UPDATE
    """
)

_MOVE = Bulk(
    "UPDATE sla_timer t SET due_at = r.due_at, warnings = CAST(r.warnings AS jsonb), warn_at = r.warn_at FROM {rows} WHERE t.id = r.id",
    id="bigint", due_at="timestamptz", warnings="text", warn_at="timestamptz",
)  # fmt: skip


async def end_pauses(session: WriteSession, rows: Sequence[tuple[int, datetime]], *, reason: PauseReason | None = None) -> list[Ended]:
    """Let the clocks of (appeal, since when) go on: what still runs falls due later by as much as it stood. Appeals are locked.

    `reason`: only pauses made for it. Of several moments of an appeal the first after its pause began counts. Clocks that
    were stopped meanwhile have taken the pause into account already.
    """
    ended = [
        Ended(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
        for row in await _END.run(session, [(appeal_id, at, None if reason is None else reason.value) for appeal_id, at in rows])
    ]
    if not ended:
        return []
    by_appeal = {one.appeal_id: Pause(one.since, one.until, one.reason) for one in ended}
    timers = (await session.execute(_RUNNING, {"ids": sorted(by_appeal)})).all()
    calendars = await used_calendars(session, timers)
    moved = []
    for timer in timers:
        to = _resumed(timer, by_appeal[timer.appeal_id], calendars.get(timer.calendar_version_id))
        moved.append((timer.id, to.due_at, _dump(to.warnings), None if timer.breached_at is not None else to.warn_at))
    await _MOVE.run(session, moved)
    return ended


def _resumed(timer: Any, pause: Pause, calendar: WorkingCalendar | None) -> Moved:  # noqa: ANN401 - a typed row
    clock = calendar if timer.term.get("working") else None
    warnings = [datetime.fromisoformat(one) for one in timer.warnings]
    try:
        return resumed(timer.due_at, warnings, started_at=timer.started_at, pause=pause, calendar=clock)
    except CalendarError as error:  # out of the calendar's reach: plain time is better than a deadline that never moves
        logger.error("calendar_unusable", calendar_version=timer.calendar_version_id, error=str(error))
        return resumed(timer.due_at, warnings, started_at=timer.started_at, pause=pause, calendar=None)


# A deadline that has passed is found again by whoever looks for those: its notice was settled when the clock was stopped.
_RESTART = text(
    """
    UPDATE sla_timer t SET stopped_at = NULL, outcome = NULL, agency_id = NULL, elapsed_seconds = NULL, working_seconds = NULL,
      breached_at = NULL, warn_at = (
        SELECT min(m) FROM (SELECT CAST(word AS timestamptz) AS m FROM jsonb_array_elements_text(t.warnings) AS given(word)) AS moments
        WHERE m > :now AND m < t.due_at)
    WHERE t.appeal_id = :appeal AND t.cycle = :cycle AND t.outcome = 'cancelled'
    """
)


async def restart_timers(session: WriteSession, *, appeal_id: int, cycle: int, now: datetime) -> None:
    """Clocks that left the population go on as if nothing had happened. The appeal is locked."""
    await session.execute(_RESTART, {"appeal": appeal_id, "cycle": cycle, "now": now})


# --- extensions -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Extended:
    """A deadline that was put off."""

    timer_id: int
    promise: Promise
    due_before: datetime
    due_after: datetime


_TIMER = text(
    """
    SELECT t.id, t.promise, t.started_at, t.due_at, t.breached_at, t.calendar_version_id, t.term, t.warnings FROM sla_timer t
    WHERE t.appeal_id = :appeal AND t.cycle = :cycle AND t.promise = :promise AND t.stopped_at IS NULL FOR UPDATE
    """
)
_EXTEND = text(
    """
    INSERT INTO sla_extension (appeal_id, timer_id, due_before, due_after, reason, operator_id, recorded_at)
    VALUES (:appeal, :timer, :before, :after, :reason, :operator, :now)
    """
)


async def extend(
    session: WriteSession, *, appeal_id: int, cycle: int, promise: Promise, by: Term, reason: str, operator_id: int, now: datetime
) -> Extended:
    """Put a running deadline off by an amount of the timer's own time. The appeal is locked.

    ConflictError when the clock does not run, stands still, or has run out: what is late stays late. InvalidError when the
    calendar has not so much time.
    """
    timer = (await session.execute(_TIMER, {"appeal": appeal_id, "cycle": cycle, "promise": promise.value})).one_or_none()
    if timer is None:
        raise ConflictError("sla.stopped", "This clock does not run any more: reload the appeal.")
    if await session.scalar(text("SELECT true FROM sla_pause WHERE appeal_id = :id AND until IS NULL"), {"id": appeal_id}):
        raise ConflictError("sla.paused", "The clock stands still already: reload the appeal.")
    if timer.breached_at is not None or timer.due_at <= now:
        raise ConflictError("sla.passed", "The deadline has passed: it cannot be put off any more.")
    calendar = (await used_calendars(session, [timer])).get(timer.calendar_version_id)
    try:
        due_after = _later(timer, calendar, by)
        clock = calendar if timer.term.get("working") else None
        warnings = [datetime.fromisoformat(one) for one in timer.warnings]
        moved = extended(timer.due_at, warnings, new_due_at=due_after, now=now, calendar=clock)
    except CalendarError as error:
        raise InvalidError("sla.extension", "The deadline cannot be put off so far.", field="amount") from error
    if due_after - timer.due_at > LONGEST_EXTENSION:
        raise InvalidError("sla.extension", "The deadline cannot be put off so far.", field="amount")
    await _MOVE.run(session, [(timer.id, moved.due_at, _dump(moved.warnings), moved.warn_at)])
    params = {"appeal": appeal_id, "timer": timer.id, "before": timer.due_at, "after": due_after, "reason": reason}
    await session.execute(_EXTEND, {**params, "operator": operator_id, "now": now})
    return Extended(timer_id=timer.id, promise=promise, due_before=timer.due_at, due_after=due_after)


def _later(timer: Any, calendar: WorkingCalendar | None, by: Term) -> datetime:  # noqa: ANN401 - a typed row
    """The new deadline: days end with the last hour of the last one, as they do in a term."""
    working = bool(timer.term.get("working"))
    if not by.days:
        return advance(calendar if working else None, timer.due_at, timedelta(seconds=by.seconds))
    if calendar is None:
        return advance(None, timer.due_at, timedelta(days=by.days))
    if working:
        return add_working_days(calendar, timer.due_at, by.days)
    return add_days(calendar, timer.due_at - timedelta(microseconds=1), by.days)


def _dump(moments: Iterable[datetime]) -> str:
    return orjson.dumps(list(moments)).decode()
