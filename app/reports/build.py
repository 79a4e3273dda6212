"""Lines and cells from nothing, step by step: no row of it passes through Python, and no step is a transaction of minutes.

How far it is stands in `report_state`, written with what a step has done. So whatever stops it, whoever comes next goes on from
there. What is written meanwhile queues itself, and is computed anew afterwards whether or not a step had seen it. While cells are
not complete reports read lines, and while lines never were the history: slower, never wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.reports.cells import BY_DAY, DIMS
from app.reports.lines import COLUMNS
from app.reports.months import CELLS_ABOVE, HASHED, SHAPES_ABOVE, SORTED
from app.reports.ranges import SETTINGS, range_lines_sql
from app.reports.rules import midnight
from app.reports.spans import DAY, MONTH, YEAR
from app.reports.working import know_calendars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import WriteSession

COUNTED_ANEW = text("SELECT otklik_count_for_reports(:anew)")
"""Statistics of the tables read here: without them, or with those of the few rows that were there before, no plan ends in minutes."""

Progress = Callable[[str, int], None]
"""Told what is being built, and how many of it are."""


def unseen(_what: str, _done: int) -> None:
    """Progress that nobody watches."""


class Stage(StrEnum):
    """What is being done: old cells deleted, lines computed, cells summed up month by month; nothing."""

    CLEARING = "clearing"
    LINES = "lines"
    CELLS = "cells"
    DONE = "done"


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """How far what is kept has come. `lines_kept`: lines are complete, with what is queued; `after`, `month`: the step is done up to."""

    tz: str
    stage: Stage
    lines_kept: bool
    lines_wanted: bool
    after: int
    month: date | None
    lines: int


APPEALS_AT_ONCE = 50_000
_CELLS_AT_ONCE = 100_000

_STATE = text("SELECT tz, stage, lines_kept, lines_wanted, after, month, lines FROM report_state")
_BEGIN = text(
    """
    INSERT INTO report_state AS s (id, tz, built_at, stage, lines_kept, lines_wanted)
    VALUES (1, :tz, clock_timestamp(), 'clearing', false, true)
    ON CONFLICT (id) DO UPDATE SET tz = excluded.tz, built_at = excluded.built_at, stage = 'clearing', after = 0, month = NULL, lines = 0,
      lines_wanted = NOT s.lines_kept OR :lines
    """
)
# Of lines that were never complete nobody reads; what was queued is computed with all.
_UNREAD = text("DELETE FROM report_queue WHERE NOT (SELECT lines_kept FROM report_state)")
_MOVE = "UPDATE report_state SET built_at = clock_timestamp(), {to}"
_ABOVE = text("SELECT max(id) FROM (SELECT id FROM appeal WHERE id > :after ORDER BY id LIMIT :most) piece")
_LINES = text(
    f"""
    WITH fresh AS MATERIALIZED ({range_lines_sql()}),
    gone AS (
      DELETE FROM report_line l WHERE l.appeal_id > :after AND l.appeal_id <= :upto
        AND NOT EXISTS (SELECT FROM fresh f WHERE f.appeal_id = l.appeal_id AND f.cycle = l.cycle)),
    kept AS (
      INSERT INTO report_line AS l ({", ".join(COLUMNS)}) SELECT * FROM fresh ON CONFLICT (appeal_id, cycle)
      DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in COLUMNS[2:])}
        WHERE ({", ".join(f"l.{name}" for name in COLUMNS[2:])}) IS DISTINCT FROM ({", ".join(f"excluded.{name}" for name in COLUMNS[2:])}))
    SELECT count(*) FROM fresh"""  # noqa: S608 - fragments of this package
)
_FIRST = text("SELECT CAST(min(started_at) AT TIME ZONE :tz AS date) FROM report_line")
# Of platforms there are the fewest cells; what ended lies after what began.
_LAST = text(
    """
    SELECT greatest((SELECT CAST(max(started_at) AT TIME ZONE :tz AS date) FROM report_line),
      (SELECT max(start) FROM report_cell WHERE dim = 4 AND level = 1))
    """
)
_GROUPS_IN_MEMORY, _GROUP_BY_GROUP = text("SET LOCAL enable_hashagg = on"), text("SET LOCAL enable_hashagg = off")


async def state_of(session: WriteSession) -> State | None:
    """How far it is; None: nothing was ever kept."""
    row = (await session.execute(_STATE)).one_or_none()
    return None if row is None else State(**{name: getattr(row, name) for name in State.__slots__} | {"stage": Stage(row.stage)})


async def begin(session: WriteSession, *, tz: str, lines: bool = True) -> None:
    """From the start. Not `lines`: those that are kept stay, only days are to be cut anew. The caller holds the lock."""
    await session.execute(_BEGIN, {"tz": tz, "lines": lines})
    await session.execute(_UNREAD)
    await session.execute(COUNTED_ANEW, {"anew": True})


async def step(session: WriteSession, state: State, progress: Progress = unseen) -> None:
    """The next step. The caller holds the lock, and begins a transaction for each."""
    await session.execute(text("SET LOCAL work_mem = '64MB'"))
    await session.execute(COUNTED_ANEW, {"anew": False})
    if state.stage is Stage.CLEARING:
        await _clear(session, state)
    elif state.stage is Stage.LINES:
        await _lines(session, state, progress)
    elif state.stage is Stage.CELLS:
        await _cells(session, state, progress)


async def _moved(session: WriteSession, to: str, **values: object) -> None:
    await session.execute(text(_MOVE.format(to=to)), values)


async def _clear(session: WriteSession, state: State) -> None:
    for table in ("report_shape", "report_cell"):
        piece = f"DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} LIMIT {_CELLS_AT_ONCE}))"  # noqa: S608 - names of this file
        result: Any = await session.execute(text(piece))
        if result.rowcount == _CELLS_AT_ONCE:
            return
    await _moved(session, "stage = :stage", stage=(Stage.LINES if state.lines_wanted else Stage.CELLS).value)


async def _lines(session: WriteSession, state: State, progress: Progress) -> None:
    upto = await session.scalar(_ABOVE, {"after": state.after, "most": APPEALS_AT_ONCE})
    if upto is None:
        await _moved(session, "stage = 'cells', lines_kept = true")
        await session.execute(COUNTED_ANEW, {"anew": True})
        return
    await know_calendars(session)
    for setting in SETTINGS:
        await session.execute(text(f"SET LOCAL {setting}"))
    done = state.lines + (await session.scalar(_LINES, {"after": state.after, "upto": upto}) or 0)
    await _moved(session, "after = :upto, lines = :done", upto=upto, done=done)
    progress("lines", done)


async def _cells(session: WriteSession, state: State, progress: Progress) -> None:
    """A month of lines, with the sum of its days; a year of months with the last of it."""
    of = {"tz": state.tz}
    first, last = await session.scalar(_FIRST, of), await session.scalar(_LAST, of)
    month = state.month or (first and first.replace(day=1))
    if month is None or last is None or month > last:
        await _moved(session, "stage = 'done', month = NULL, after = 0")
        return
    after, zone = date(month.year + month.month // 12, month.month % 12 + 1, 1), ZoneInfo(state.tz)
    span = of | {"since": midnight(zone, month), "until": midnight(zone, after)}
    for setting, statements in ((_GROUPS_IN_MEMORY, HASHED), (_GROUP_BY_GROUP, SORTED)):
        await session.execute(setting)
        for statement in statements:
            asked = text(statement)
            await session.execute(asked, {name: span[name] for name in asked.compile().params})
    await _sum_up(session, [DIMS[dim] for dim, _ in BY_DAY], DAY, (MONTH, month, after))
    last = await session.scalar(_LAST, of)
    if after.month == 1 or last is None or after > last:
        await _sum_up(session, list(DIMS.values()), MONTH, (YEAR, date(month.year, 1, 1), date(month.year + 1, 1, 1)))
    await _moved(session, "month = :after", after=after)
    progress("months", (month.year - first.year) * 12 + month.month - first.month + 1)


async def _sum_up(session: WriteSession, dims: Sequence[int], level: int, above: tuple[int, date, date]) -> None:
    of = {"dims": list(dims), "level": level, "above": above[0], "begin": above[1], "after": above[2]}
    for statement in (CELLS_ABOVE, SHAPES_ABOVE):
        await session.execute(text(statement), of)
