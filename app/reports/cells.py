"""What a line adds to the sums that cells keep, said once: for keeping them, and for putting them right when they are read."""

from __future__ import annotations

from app.reports.lines import UNPROMISED
from app.reports.models import CELL_PROMISES, CELL_SHAPES, CELL_TIMES
from app.reports.spans import DAY, MONTH, YEAR
from app.sla.rules import TimerOutcome

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


def shapes_sql() -> str:
    """The times of a line `d`, each under the number of its sketch among the columns of a cell."""
    values = []
    for number, shape in enumerate(CELL_SHAPES):
        time, _, which = shape.rpartition("_")
        values.append(f"({number}, {_timed(time, 'working' if which == 'wh' else 'seconds')})")
    return ", ".join(values)


def shaped_sql(time: str) -> str:
    """One time of a line `d` by the calendar (0) and in working time (1)."""
    return f"(0, {_timed(time, 'seconds')}), (1, {_timed(time, 'working')})"


_UNITS = {DAY: "day", MONTH: "month", YEAR: "year"}


def dated_sql(delta: str) -> str:
    """Signed lines with the keys and the days by which they are grouped: once as begun, and once as ended."""
    keys = ", ".join(
        f"coalesce(CAST(l.{dim if dim == 'platform' else dim + '_id'} AS text), '') AS k{number}" for dim, number in DIMS.items()
    )
    starts = ", ".join(f"CAST(date_trunc('{unit}', m.at AT TIME ZONE :tz) AS date) AS s{level}" for level, unit in _UNITS.items())
    return f"""
      SELECT {keys}, {starts}, m.begins, l.* FROM {delta} l
      CROSS JOIN LATERAL (VALUES (l.started_at, true), (CASE WHEN NOT l.dismissed THEN l.first_stopped_at END, false)) m(at, begins)
      WHERE m.at IS NOT NULL"""  # noqa: S608 - fragments of this file


def sets_sql(beside: str = "") -> str:
    """The grouping sets: every dimension by every level that is kept of it."""
    pairs = [f"(k{number}, s{level}{beside})" for dim, number in DIMS.items() for level in _UNITS if dim in DAILY or level is not DAY]
    return f"GROUPING SETS ({', '.join(pairs)})"


def place_sql() -> str:
    """Which cell a group of the sets is."""
    dims = " ".join(f"WHEN grouping(k{number}) = 0 THEN {number}" for number in DIMS.values())
    levels = " ".join(f"WHEN grouping(s{level}) = 0 THEN {level}" for level in _UNITS)
    start = ", ".join(f"s{level}" for level in _UNITS)
    key = ", ".join(f"k{number}" for number in DIMS.values())
    return (
        f"CAST(CASE {dims} END AS smallint) AS dim, CAST(CASE {levels} END AS smallint) AS level,"
        f" coalesce({start}) AS start, coalesce({key}) AS key"
    )
