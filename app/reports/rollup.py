"""Keeps `report_line` and `report_cell` in step with the history: what is queued is computed anew, cells take the difference.

A report adds what is still queued to what is kept (`queries.py`, `rolled.py`), so it is exact at any moment; how often this runs
decides only how much a report has to compute itself. One at a time works: the others find the lock taken and leave it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.kernel.db import Bulk
from app.kernel.log import logger
from app.reports.cells import DIMS, dated_sql, moved_sql, place_sql, sets_sql, shapes_sql
from app.reports.lines import COLUMNS, lines_sql
from app.reports.models import CELL_COUNTS, CELL_SHAPES, CELL_SUMS
from app.reports.sketch import repacked
from app.reports.spans import DAY, MONTH, YEAR
from app.sla.calendar import CalendarError, from_json
from app.sla.table import to_micros, to_moment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import TextClause

    from app.kernel.db import Database, WriteSession

AT_ONCE = 2_000
"""Appeals computed in one transaction."""
REBUILT_AT_ONCE = 20_000
_LOCK = 7_305_148_204
PACKED_WHEN = 16_384
"""Bytes: a packed sketch of every possible bin has half of it."""
FIRST_YEAR, LAST_YEAR = 2015, 2035
"""Working time is spread over these years, and over no more than the calendar reaches."""


def _add_cells(delta: str) -> str:
    """Add signed lines (`delta`) to the cells."""
    stored = [*CELL_COUNTS, *CELL_SUMS]
    shapes = list(enumerate(CELL_SHAPES))
    packed = ", ".join(f"coalesce(string_agg(pair, '') FILTER (WHERE shape = {number}), '') AS {name}" for number, name in shapes)
    names = [*stored, *(name for _, name in shapes)]
    kept = ", ".join(
        [f"{name} = c.{name} + excluded.{name}" for name in stored] + [f"{name} = c.{name} || excluded.{name}" for _, name in shapes]
    )
    given = ", ".join([f"coalesce(n.{name}, 0)" for name in stored] + [f"coalesce(h.{name}, '')" for _, name in shapes])
    keys = ", ".join([*(f"d.k{number}" for number in DIMS.values()), *(f"d.s{level}" for level in (DAY, MONTH, YEAR))])
    long = " OR ".join(f"octet_length(c.{name}) > {PACKED_WHEN}" for _, name in shapes)
    return f"""
    WITH {delta},
    dated AS MATERIALIZED ({dated_sql("delta")}),
    numbers AS (SELECT {place_sql()}, {moved_sql()} FROM dated d GROUP BY {sets_sql()}),
    timed AS (
      SELECT {keys}, d.sign, v.shape, otklik_bin(v.seconds) AS bin
      FROM dated d CROSS JOIN LATERAL (VALUES {shapes_sql()}) v(shape, seconds) WHERE d.begins AND v.seconds IS NOT NULL),
    bins AS (
      SELECT {place_sql()}, shape, bin, sum(sign) AS n FROM timed GROUP BY {sets_sql(", shape, bin")} HAVING sum(sign) <> 0),
    pairs AS (SELECT dim, level, start, key, shape, int8send((bin << 32) | (n & 4294967295)) AS pair FROM bins),
    shapes AS (SELECT dim, level, start, key, {packed} FROM pairs GROUP BY dim, level, start, key)
    INSERT INTO report_cell AS c (dim, level, start, key, {", ".join(names)})
    SELECT n.dim, n.level, n.start, n.key, {given}
    FROM numbers n LEFT JOIN shapes h USING (dim, level, start, key)
    ORDER BY n.dim, n.level, n.start, n.key
    ON CONFLICT (dim, level, start, key) DO UPDATE SET {kept}
    RETURNING c.dim, c.level, c.start, c.key, ({long}) AS long"""  # noqa: S608 - fragments of this file


@cache
def refresh_sql() -> TextClause:
    """Lines of `:ids` computed anew; cells moved by the difference. The cells touched, and whether they want packing."""
    columns = ", ".join(COLUMNS)
    changed = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in {"appeal_id", "cycle"})
    fresh = lines_sql("SELECT unnest(CAST(:ids AS bigint[])) AS appeal_id", as_of=False)
    delta = f"""
      fresh AS MATERIALIZED ({fresh}),
      before AS MATERIALIZED (SELECT {columns} FROM report_line WHERE appeal_id = ANY (CAST(:ids AS bigint[]))),
      kept AS (
        INSERT INTO report_line ({columns}) SELECT {columns} FROM (SELECT * FROM fresh EXCEPT SELECT * FROM before) f
        ON CONFLICT (appeal_id, cycle) DO UPDATE SET {changed}),
      delta AS MATERIALIZED (
        SELECT 1 AS sign, f.* FROM (SELECT * FROM fresh EXCEPT SELECT * FROM before) f
        UNION ALL SELECT -1, b.* FROM (SELECT * FROM before EXCEPT SELECT * FROM fresh) b)"""  # noqa: S608 - fragments of this file
    return text(_add_cells(delta))


# --- keeping ------------------------------------------------------------------------------------------------------

_STATE = text("SELECT tz FROM report_state")
_SET_STATE = text(
    """
    INSERT INTO report_state (id, tz, built_at) VALUES (1, :tz, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET tz = excluded.tz, built_at = excluded.built_at
    """
)
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
    """How many appeals were computed anew."""

    appeals: int


async def refresh(database: Database, *, tz: str, most: int = AT_ONCE) -> Refreshed:
    """Compute what is queued, at most so many appeals. Builds everything first when it never was, or by another zone's days."""
    async with database.write() as session:
        if not await session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}):
            return Refreshed(appeals=0)
        known = await session.scalar(_STATE)
        if known != tz:
            if known is not None:
                logger.warning("reports_rebuilt", reason="time_zone", before=known, now=tz)
                await forget(session)
            await session.execute(_SET_STATE, {"tz": tz})
        ids = list((await session.scalars(_TAKE, {"most": most})).all())
        if not ids:
            return Refreshed(appeals=0)
        await know_calendars(session)
        await compute(session, ids, tz=tz)
    return Refreshed(appeals=len(ids))


async def compute(session: WriteSession, ids: Sequence[int], *, tz: str) -> None:
    """The lines of these appeals, and of whatever depends on them."""
    later = (await session.scalars(_WITH_LATER, {"ids": list(ids)})).all()
    everything = sorted({*ids, *later})
    rows = (await session.execute(refresh_sql(), {"ids": everything, "tz": tz})).all()
    await _repack(session, [row for row in rows if row.long])


async def forget(session: WriteSession) -> None:
    """Throw lines and cells away and queue every appeal: reports stay right meanwhile, they only compute more themselves."""
    for table in ("report_cell", "report_line", "report_queue"):
        await session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names of this file
    await session.execute(text("INSERT INTO report_queue (appeal_id) SELECT id FROM appeal ORDER BY id"))


async def rebuild(database: Database, *, tz: str, progress: Callable[[int], None]) -> int:
    """Everything anew from the history. Whatever stops it, the worker finishes it. `progress` is told the appeals done."""
    async with database.write() as session:
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        await forget(session)
        await session.execute(_SET_STATE, {"tz": tz})
    done = 0
    while found := (await refresh(database, tz=tz, most=REBUILT_AT_ONCE)).appeals:
        done += found
        progress(done)
    return done


_SHAPES = ", ".join(CELL_SHAPES)
_READ_SHAPES = text(f"SELECT {_SHAPES} FROM report_cell WHERE dim = :dim AND level = :level AND start = :start AND key = :key")  # noqa: S608
_WRITE_SHAPES = text(
    f"UPDATE report_cell SET {', '.join(f'{name} = :{name}' for name in CELL_SHAPES)}"  # noqa: S608 - names of this package
    " WHERE dim = :dim AND level = :level AND start = :start AND key = :key"
)


async def _repack(session: WriteSession, cells: Sequence[Any]) -> None:
    for cell in cells:
        place = {"dim": cell.dim, "level": cell.level, "start": cell.start, "key": cell.key}
        row = (await session.execute(_READ_SHAPES, place)).one()
        await session.execute(_WRITE_SHAPES, place | {name: repacked(getattr(row, name)) for name in CELL_SHAPES})


# --- working time -------------------------------------------------------------------------------------------------

_UNKNOWN_CALENDARS = text(
    "SELECT id, version, definition FROM calendar_version v"
    " WHERE NOT EXISTS (SELECT FROM working_span s WHERE s.calendar_version_id = v.id) ORDER BY id"
)
_ADD_SPANS = Bulk(
    "INSERT INTO working_span (calendar_version_id, opens_at, closes_at, before) SELECT * FROM {rows} ON CONFLICT DO NOTHING",
    calendar="bigint", opens_at="timestamptz", closes_at="timestamptz", before="bigint",
)  # fmt: skip


async def know_calendars(session: WriteSession) -> None:
    """Spread calendars that came since over the years, so that SQL can measure by them."""
    for row in (await session.execute(_UNKNOWN_CALENDARS)).all():
        try:
            calendar = from_json(row.definition, id=str(row.id), version=row.version)
            table = calendar.table(to_micros(_first_of(FIRST_YEAR)), to_micros(_first_of(LAST_YEAR)))
        except CalendarError as error:
            logger.error("calendar_unusable", calendar_version=row.id, error=str(error))
            continue
        spans = zip(table.starts, table.ends, table.through, strict=True)
        await _ADD_SPANS.run(session, [(row.id, to_moment(low), to_moment(high), through - (high - low)) for low, high, through in spans])


def _first_of(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)
