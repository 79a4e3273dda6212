"""What a line adds to the sums that cells keep, said once: for keeping them, and for putting them right when they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.appeals.marks import HIGHEST, LOWEST
from app.reports.lines import UNPROMISED
from app.reports.models import CELL_COUNTS, CELL_PROMISES, CELL_SUMS, CELL_TIMES
from app.reports.spans import DAY, MONTH, YEAR
from app.sla.rules import TimerOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence

DIMS = {"agency": 1, "territory": 2, "topic": 3, "platform": 4, "page": 5, "operator": 6}
DAILY = frozenset({"agency", "territory", "topic", "platform"})
"""Kept by day too. Of a page or a person a day holds hardly more than one line: there lines are read themselves."""

_ANSWERED = f"IN ('{TimerOutcome.MET.value}', '{TimerOutcome.LATE.value}', '{UNPROMISED}')"


def _timed(name: str, what: str) -> str:
    """A line's time where it counts: of an answer that was given, of an appeal that was none to dismiss."""
    column = "CAST(NULL AS integer)" if (name, what) == ("detection", "working") else f"d.{name}_{what}"
    given = f"d.{name}_outcome {_ANSWERED}" if name in CELL_PROMISES else "NOT d.dismissed"
    return f"CASE WHEN {given} THEN {column} END"


_COUNTED = {
    "opened": "NOT d.dismissed",
    "dismissed": "d.dismissed",
    "reopened": f"d.reopened AND d.first_outcome {_ANSWERED}",
    "repeated": "d.repeated AND NOT d.dismissed",
    **{f"mark_{mark}": f"d.mark = {mark} AND d.first_outcome {_ANSWERED}" for mark in range(LOWEST, HIGHEST + 1)},
} | {
    f"{promise}_{what}": condition
    for promise in CELL_PROMISES
    for what, condition in (
        ("population", "NOT d.dismissed" if promise == "first" else
         f"d.{promise}_due_at IS NOT NULL AND d.{promise}_outcome IS DISTINCT FROM '{TimerOutcome.CANCELLED.value}'"),
        ("met", f"d.{promise}_outcome = '{TimerOutcome.MET.value}'"),
        ("late", f"d.{promise}_outcome = '{TimerOutcome.LATE.value}'"),
        ("unpromised", f"d.{promise}_outcome = '{UNPROMISED}'"),
        ("unanswered", f"d.{promise}_outcome = '{TimerOutcome.UNANSWERED.value}'"),
    )
}  # fmt: skip


def moved_sql() -> str:
    """What signed lines `d` add to a cell, by column. `begins`: on the day on which the citizen wrote, else on that of the end."""
    sums = [f"sum(d.sign) FILTER (WHERE d.begins AND {condition}) AS {name}" for name, condition in _COUNTED.items()]
    sums.append("sum(d.sign) FILTER (WHERE NOT d.begins) AS ended")
    for time in CELL_TIMES:
        for prefix, column in (("", "seconds"), ("w", "working")):
            value = _timed(time, column)
            sums.append(f"sum(d.sign) FILTER (WHERE d.begins AND ({value}) IS NOT NULL) AS {time}_{prefix}n")
            sums.append(f"sum(CASE WHEN d.begins THEN d.sign * ({value}) END) AS {time}_{prefix}s")
    return ", ".join(sums)


def sketched_sql(time: str, *, sign: str = "d.sign * ") -> str:
    """The distributions of one time of signed lines `d`, by the calendar and in working time."""
    of = {what: f"sum({sign}otklik_sketch({_timed(time, what)})) FILTER (WHERE d.begins)" for what in ("seconds", "working")}
    return f"{of['seconds']} AS {time}_calendar, {of['working']} AS {time}_working"


EVERY = tuple((dim, level) for dim in DIMS for level in (DAY, MONTH, YEAR) if dim in DAILY or level != DAY)
BY_DAY = tuple((dim, DAY) for dim in DIMS if dim in DAILY)
BY_MONTH = tuple((dim, MONTH) for dim in DIMS if dim not in DAILY)
"""What is built of lines; all else is the sum of these."""
UNITS = {DAY: "day", MONTH: "month", YEAR: "year"}


def key_sql(dim: str) -> str:
    """The key of a line `l` in a dimension."""
    return f"coalesce(CAST(l.{dim if dim == 'platform' else dim + '_id'} AS text), '')"


def dated_sql(delta: str) -> str:
    """Signed lines with the keys and the days by which they are grouped: once as begun, and once as ended."""
    keys = ", ".join(f"{key_sql(dim)} AS k{number}" for dim, number in DIMS.items())
    starts = ", ".join(f"CAST(date_trunc('{unit}', m.at AT TIME ZONE :tz) AS date) AS s{level}" for level, unit in UNITS.items())
    return f"""
      SELECT {keys}, {starts}, m.begins, l.* FROM {delta} l
      CROSS JOIN LATERAL (VALUES (l.started_at, true), (greatest(l.first_stopped_at, l.started_at), false)) m(at, begins)
      WHERE m.begins OR (l.first_stopped_at IS NOT NULL AND NOT l.dismissed)"""  # noqa: S608 - fragments of this file


def sets_sql(sets: Sequence[tuple[str, int]]) -> str:
    """Grouping by these dimensions and levels."""
    pairs = [f"(k{DIMS[dim]}, s{level})" for dim, level in sets]
    return f"GROUPING SETS ({', '.join(pairs)})"


def place_sql(sets: Sequence[tuple[str, int]]) -> str:
    """Which cell a group of the sets is."""
    keys = dict.fromkeys(DIMS[dim] for dim, _ in sets)
    starts = dict.fromkeys(level for _, level in sets)
    dims = " ".join(f"WHEN grouping(k{number}) = 0 THEN {number}" for number in keys)
    levels = " ".join(f"WHEN grouping(s{level}) = 0 THEN {level}" for level in starts)
    start, key = ", ".join(f"s{level}" for level in starts), ", ".join(f"k{number}" for number in keys)
    return (
        f"CAST(CASE {dims} END AS smallint) AS dim, CAST(CASE {levels} END AS smallint) AS level,"
        f" coalesce({start}) AS start, coalesce({key}) AS key"
    )


def add_cells_sql(delta: str, sets: Sequence[tuple[str, int]]) -> str:
    """Add signed lines (`delta`) to the cells and the shapes of these dimensions and levels."""
    names = [*CELL_COUNTS, *CELL_SUMS]
    given = ", ".join(f"coalesce(m.{name}, 0)" for name in names)
    told = " OR ".join(f"m.{name} <> 0" for name in names)
    shapes = ", ".join(f"('{time}', coalesce(m.{time}_calendar, 0), coalesce(m.{time}_working, 0))" for time in CELL_TIMES)
    return f"""
    WITH {delta},
    dated AS MATERIALIZED ({dated_sql("delta")}),
    moved AS MATERIALIZED (
      SELECT {place_sql(sets)}, {moved_sql()}, {", ".join(sketched_sql(time) for time in CELL_TIMES)}
      FROM dated d GROUP BY {sets_sql(sets)}),
    shaped AS (
      INSERT INTO report_shape AS c (dim, level, clock, start, key, calendar, working)
      SELECT m.dim, m.level, v.clock, m.start, m.key, v.calendar, v.working
      FROM moved m CROSS JOIN LATERAL (VALUES {shapes}) v(clock, calendar, working) WHERE v.calendar <> 0 OR v.working <> 0
      ORDER BY m.dim, m.level, v.clock, m.start, m.key
      ON CONFLICT (dim, level, clock, start, key)
      DO UPDATE SET calendar = c.calendar + excluded.calendar, working = c.working + excluded.working)
    INSERT INTO report_cell AS c (dim, level, start, key, {", ".join(names)})
    SELECT m.dim, m.level, m.start, m.key, {given} FROM moved m WHERE {told}
    ORDER BY m.dim, m.level, m.start, m.key
    {added_sql(names)}"""  # noqa: S608 - fragments of this file


def added_sql(names: Sequence[str]) -> str:
    """To cells that there are already."""
    return f"ON CONFLICT (dim, level, start, key) DO UPDATE SET {', '.join(f'{name} = c.{name} + excluded.{name}' for name in names)}"
