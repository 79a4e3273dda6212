"""Lines and cells from nothing, by statements over ranges: no row of it passes through Python.

All in one transaction: readers have what was kept before until it is done, and a build that is stopped has done nothing. What is
written meanwhile queues itself, and is computed anew afterwards whether or not a range had seen it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.reports.cells import BY_DAY, BY_MONTH, DIMS, UNITS, add_cells_sql
from app.reports.lines import COLUMNS, lines_sql
from app.reports.models import CELL_COUNTS, CELL_SUMS
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


APPEALS_AT_ONCE = 50_000

_ABOVE = text("SELECT max(id) FROM (SELECT id FROM appeal WHERE id > :after ORDER BY id LIMIT :most) piece")
_LINES = text(
    f"INSERT INTO report_line ({', '.join(COLUMNS)}) "  # noqa: S608 - fragments of this package
    + lines_sql("SELECT id AS appeal_id FROM appeal WHERE id > :after AND id <= :upto", as_of=False)
)
_FIRST_LAST = text(
    "SELECT CAST(min(started_at) AT TIME ZONE :tz AS date) AS first, CAST(max(started_at) AT TIME ZONE :tz AS date) AS last"
    " FROM report_line"
)
_BEGUN = "delta AS (SELECT 1 AS sign, l.* FROM report_line l WHERE l.started_at >= :since AND l.started_at < :until)"
_SUMS = ", ".join(f"CAST(sum({name}) AS bigint)" for name in (*CELL_COUNTS, *CELL_SUMS))
_SET_STATE = text(
    """
    INSERT INTO report_state (id, tz, built_at) VALUES (1, :tz, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET tz = excluded.tz, built_at = excluded.built_at
    """
)


async def build(session: WriteSession, *, tz: str, progress: Progress = unseen) -> int:
    """Everything anew; how many appeals. The caller holds the lock. `progress`: what is being done, and how many are."""
    # A group at a time: distributions of all groups at once would not fit into memory.
    for setting in ("SET LOCAL enable_hashagg = off", "SET LOCAL work_mem = '64MB'"):
        await session.execute(text(setting))
    for table in ("report_queue", "report_shape", "report_cell", "report_line"):
        await session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names of this file
    await session.execute(_SET_STATE, {"tz": tz})
    await know_calendars(session)
    await session.execute(COUNTED_ANEW, {"anew": True})
    done = await _lines(session, progress)
    found = (await session.execute(_FIRST_LAST, {"tz": tz})).one()
    if found.first is not None:
        await _cells(session, tz, found.first, found.last, progress)
    return done


async def _lines(session: WriteSession, progress: Progress) -> int:
    done = after = 0
    while (upto := await session.scalar(_ABOVE, {"after": after, "most": APPEALS_AT_ONCE})) is not None:
        result: Any = await session.execute(_LINES, {"after": after, "upto": upto})
        done, after = done + result.rowcount, upto
        progress("lines", done)
    return done


async def _cells(session: WriteSession, tz: str, first: date, last: date, progress: Progress) -> None:
    """Of lines: the days of what is kept by day, the months of what is not. Of those: their months, and the years."""
    await session.execute(COUNTED_ANEW, {"anew": True})
    for sets, unit in ((BY_DAY, DAY), (BY_MONTH, MONTH)):
        statement = text(add_cells_sql(_BEGUN, sets))
        for number, (start, after) in enumerate(_spans(first, last, unit), start=1):
            zone = ZoneInfo(tz)
            await session.execute(statement, {"tz": tz, "since": midnight(zone, start), "until": midnight(zone, after)})
            progress(f"{UNITS[unit]}s", number)
    await _sum_up(session, [DIMS[dim] for dim, _ in BY_DAY], DAY, MONTH)
    await _sum_up(session, list(DIMS.values()), MONTH, YEAR)


def _spans(first: date, last: date, unit: int) -> list[tuple[date, date]]:
    """Days or months from one day to another, each with the first day after it."""
    found = []
    start = first if unit == DAY else first.replace(day=1)
    while start <= last:
        after = start + timedelta(days=1) if unit == DAY else date(start.year + start.month // 12, start.month % 12 + 1, 1)
        found.append((start, after))
        start = after
    return found


async def _sum_up(session: WriteSession, dims: Sequence[int], level: int, above: int) -> None:
    names = ", ".join((*CELL_COUNTS, *CELL_SUMS))
    start, of = f"CAST(date_trunc('{UNITS[above]}', start) AS date)", {"dims": list(dims), "level": level, "above": above}
    await session.execute(
        text(
            f"INSERT INTO report_cell (dim, level, start, key, {names}) SELECT dim, :above, {start}, key, {_SUMS} FROM report_cell"  # noqa: S608
            f" WHERE level = :level AND dim = ANY (CAST(:dims AS smallint[])) GROUP BY dim, {start}, key"
        ),
        of,
    )
    await session.execute(
        text(
            "INSERT INTO report_shape (dim, level, clock, start, key, calendar, working)"  # noqa: S608 - a unit of this package
            f" SELECT dim, :above, clock, {start}, key, sum(calendar), sum(working) FROM report_shape"
            f" WHERE level = :level AND dim = ANY (CAST(:dims AS smallint[])) GROUP BY dim, clock, {start}, key"
        ),
        of,
    )
