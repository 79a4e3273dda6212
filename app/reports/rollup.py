"""Keeps `report_line` and `report_cell` in step with the history: what is queued is computed anew, cells take the difference.

A report adds what is still queued to what is kept (`queries.py`, `rolled.py`), so it is exact at any moment; how often this runs
decides only how much a report has to compute itself. One at a time works: the others find the lock taken and leave it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.locks import Lock
from app.kernel.log import logger
from app.reports import build
from app.reports.cells import EVERY, add_cells_sql
from app.reports.lines import COLUMNS, lines_sql
from app.reports.working import know_calendars

if TYPE_CHECKING:
    from sqlalchemy import TextClause

    from app.kernel.db import Database, WriteSession

AT_ONCE = 2_000
"""Appeals computed in one transaction."""
BUILD_SECONDS = 5.0
"""So long a worker builds before it looks whether it is to stop."""
_LOCK = Lock.REPORTS.value


@cache
def refresh_sql() -> TextClause:
    """Lines of `:ids` computed anew; cells moved by the difference."""
    columns = ", ".join(COLUMNS)
    changed = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in {"appeal_id", "cycle"})
    fresh = lines_sql("SELECT unnest(CAST(:ids AS bigint[])) AS appeal_id", as_of=False)
    delta = f"""
      fresh AS MATERIALIZED ({fresh}),
      before AS MATERIALIZED (SELECT {columns} FROM report_line WHERE appeal_id = ANY (CAST(:ids AS bigint[]))),
      kept AS (
        INSERT INTO report_line ({columns}) SELECT {columns} FROM (SELECT * FROM fresh EXCEPT SELECT * FROM before) f
        ON CONFLICT (appeal_id, cycle) DO UPDATE SET {changed}),
      gone AS (
        DELETE FROM report_line l USING before b WHERE (l.appeal_id, l.cycle) = (b.appeal_id, b.cycle)
          AND NOT EXISTS (SELECT FROM fresh f WHERE (f.appeal_id, f.cycle) = (b.appeal_id, b.cycle))),
      delta AS MATERIALIZED (
        SELECT 1 AS sign, f.* FROM (SELECT * FROM fresh EXCEPT SELECT * FROM before) f
        UNION ALL SELECT -1, b.* FROM (SELECT * FROM before EXCEPT SELECT * FROM fresh) b)"""  # noqa: S608 - fragments of this file
    return text(add_cells_sql(delta, EVERY))


# --- keeping ------------------------------------------------------------------------------------------------------

_TAKE = text(
    """
    WITH taken AS (DELETE FROM report_queue WHERE id IN (SELECT id FROM report_queue ORDER BY id LIMIT :most) RETURNING appeal_id)
    SELECT DISTINCT appeal_id FROM taken
    """
)
# What an author wrote later may now be a repetition, or no longer one.
_WITH_LATER = text(
    """
    SELECT DISTINCT later.id FROM appeal a JOIN appeal later ON later.author_id = a.author_id
      AND later.written_at > a.written_at AND later.written_at <= a.written_at + interval '30 days'
    WHERE a.id = ANY (CAST(:ids AS bigint[]))
    """
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refreshed:
    """How many appeals were computed anew; `more`: there is more to do at once."""

    appeals: int
    more: bool = False


async def refresh(database: Database, *, tz: str, most: int = AT_ONCE, seconds: float = BUILD_SECONDS) -> Refreshed:
    """Compute what is queued, at most so many appeals. Builds everything first when it never was, or by another zone's days.

    A build that is not done after `seconds` goes on with the next call, whoever makes it.
    """
    until, built = monotonic() + seconds, 0
    while True:
        async with database.write() as session:
            if not await session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}):
                return Refreshed(appeals=built)
            state = await build.state_of(session)
            if state is not None and state.tz == tz and state.stage is build.Stage.DONE:
                return Refreshed(appeals=built, more=True) if built else await _refreshed(session, tz, most)
            built = await _built(session, state, tz)
        if monotonic() > until:
            return Refreshed(appeals=built, more=True)


async def _built(session: WriteSession, state: build.State | None, tz: str) -> int:
    """A step of the building; how many lines it has come to."""
    if state is None or state.tz != tz:
        if state is not None:
            logger.warning("reports_rebuilt", reason="time_zone", before=state.tz, now=tz)
        await build.begin(session, tz=tz, lines=False)
        return 0
    await build.step(session, state)
    return state.lines


async def _refreshed(session: WriteSession, tz: str, most: int) -> Refreshed:
    ids = list((await session.scalars(_TAKE, {"most": most})).all())
    if ids:
        await session.execute(build.COUNTED_ANEW, {"anew": False})
        await know_calendars(session)
        later = (await session.scalars(_WITH_LATER, {"ids": ids})).all()
        await session.execute(refresh_sql(), {"ids": sorted({*ids, *later}), "tz": tz})
    return Refreshed(appeals=len(ids), more=len(ids) >= most)


async def rebuild(database: Database, *, tz: str, progress: build.Progress = build.unseen) -> int:
    """Everything anew from the history; how many lines. `progress`: what, and how many of it.

    Whatever stops it, the worker or the next call goes on; a worker that runs does steps of it too.
    """
    begun = False
    while True:
        async with database.write() as session:
            await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            state = await build.state_of(session)
            if begun and state is not None and state.stage is build.Stage.DONE:
                return state.lines
            if begun and state is not None:
                await build.step(session, state, progress)
            else:
                await build.begin(session, tz=tz)
                begun = True
