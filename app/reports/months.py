"""The cells of one month from its lines, by statements each of which the server computes in one pass.

The same sums as `cells.add_cells_sql` keeps: by its own expressions, without what only differences need. Tests hold the one
against the other.
"""

from __future__ import annotations

from app.reports.cells import BY_DAY, BY_MONTH, DIMS, UNITS, added_sql, key_sql, moved_sql, place_sql, sets_sql, sketched_sql
from app.reports.models import CELL_COUNTS, CELL_SUMS, CELL_TIMES
from app.reports.spans import DAY, MONTH

_NAMES = (*CELL_COUNTS, *CELL_SUMS)
_LINES = "l.started_at >= :since AND l.started_at < :until"
_SUMMED = ", ".join(f"CAST(sum({name}) AS bigint)" for name in _NAMES)


def _start(level: int, at: str) -> str:
    day = f"CAST({at} AT TIME ZONE :tz AS date)"
    return day if level == DAY else f"CAST(date_trunc('{UNITS[level]}', {day}) AS date)"


def _keys(*dims: str) -> str:
    return ", ".join(f"{key_sql(dim)} AS k{DIMS[dim]}" for dim in dims)


def _begun_sql(sets: tuple[tuple[str, int], ...]) -> str:
    (level,) = {level for _, level in sets}
    given = ", ".join(f"coalesce({name}, 0)" for name in _NAMES)
    return f"""
    INSERT INTO report_cell AS c (dim, level, start, key, {", ".join(_NAMES)})
    SELECT dim, level, start, key, {given} FROM (
      SELECT {place_sql(sets)}, {moved_sql()}
      FROM (
        SELECT 1 AS sign, true AS begins, {_start(level, "l.started_at")} AS s{level}, {_keys(*(dim for dim, _ in sets))}, l.*
        FROM report_line l WHERE {_LINES}) d
      GROUP BY {sets_sql(sets)}) m
    {added_sql(_NAMES)}"""  # noqa: S608 - fragments of this package


def _ended_sql() -> str:
    """What began in the month and ended, by when it ended: that may be a later month, which holds it already when its turn comes."""
    sets = (*BY_DAY, *BY_MONTH)
    at = "greatest(l.first_stopped_at, l.started_at)"
    return f"""
    INSERT INTO report_cell AS c (dim, level, start, key, ended)
    SELECT {place_sql(sets)}, count(*)
    FROM (
      SELECT {_start(DAY, at)} AS s{DAY}, {_start(MONTH, at)} AS s{MONTH}, {_keys(*DIMS)}
      FROM report_line l WHERE {_LINES} AND l.first_stopped_at IS NOT NULL AND NOT l.dismissed) d
    GROUP BY {sets_sql(sets)}
    {added_sql(["ended"])}"""  # noqa: S608 - fragments of this package


def _shaped_sql(dim: str, level: int) -> str:
    shapes = ", ".join(f"('{time}', coalesce(m.{time}_calendar, 0), coalesce(m.{time}_working, 0))" for time in CELL_TIMES)
    return f"""
    INSERT INTO report_shape (dim, level, clock, start, key, calendar, working)
    SELECT {DIMS[dim]}, {level}, v.clock, m.start, m.key, v.calendar, v.working
    FROM (
      SELECT d.start, d.key, {", ".join(sketched_sql(time, sign="") for time in CELL_TIMES)}
      FROM (SELECT true AS begins, {_start(level, "l.started_at")} AS start, {key_sql(dim)} AS key, l.* FROM report_line l WHERE {_LINES}) d
      GROUP BY d.start, d.key) m
    CROSS JOIN LATERAL (VALUES {shapes}) v(clock, calendar, working) WHERE v.calendar <> 0 OR v.working <> 0"""  # noqa: S608 - likewise


# Groups of plain numbers fit into memory, and are found in one pass; distributions are added up a group at a time.
HASHED = (_begun_sql(BY_DAY), _begun_sql(BY_MONTH), _ended_sql())
"""What began, by the day and the month in which it did; then what ended."""
SORTED = tuple(_shaped_sql(dim, level) for dim, level in (*BY_DAY, *BY_MONTH))
"""How times are distributed."""

CELLS_ABOVE = f"""
INSERT INTO report_cell AS c (dim, level, start, key, {", ".join(_NAMES)})
SELECT dim, :above, CAST(:begin AS date), key, {_SUMMED} FROM report_cell
WHERE level = :level AND dim = ANY (CAST(:dims AS smallint[])) AND start >= :begin AND start < :after GROUP BY dim, key"""  # noqa: S608 - likewise
SHAPES_ABOVE = """
INSERT INTO report_shape (dim, level, clock, start, key, calendar, working)
SELECT dim, :above, clock, CAST(:begin AS date), key, sum(calendar), sum(working) FROM report_shape
WHERE level = :level AND dim = ANY (CAST(:dims AS smallint[])) AND start >= :begin AND start < :after GROUP BY dim, clock, key"""
"""A month of its days, a year of its months."""
