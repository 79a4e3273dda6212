"""Reports over many appeals, from cells. Numbers are exact; percentiles are within 1 %.

One statement, so one moment: sums of cells, what is queued put right (fresh lines added, kept ones taken away), lines of days
that no cell covers, and those that wait now, whose ages no sum can hold. Distributions are numbers and add up like all else.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.reports.cells import moved_sql, sketched_sql
from app.reports.lines import CHANGED, COLUMNS, QUEUED, lines_sql
from app.reports.models import CELL_PROMISES, MARKS
from app.reports.queries import Clock, Source
from app.reports.rules import TREES, Grouping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import TextClause

CELL_CLOCKS = frozenset({Clock.FIRST, Clock.FINAL, Clock.AGENCY, Clock.APPROVAL, Clock.TRIAGE, Clock.DETECTION})
"""Clocks of which cells keep sums."""

KEY_OF = {
    Grouping.AGENCY: "coalesce(CAST(l.agency_id AS text), '')",
    Grouping.TERRITORY: "coalesce(CAST(l.territory_id AS text), '')",
    Grouping.TOPIC: "coalesce(CAST(l.topic_id AS text), '')",
    Grouping.PAGE: "coalesce(CAST(l.page_id AS text), '')",
    Grouping.PLATFORM: "l.platform",
    Grouping.OPERATOR: "coalesce(CAST(l.operator_id AS text), '')",
}
_SLICE = "CAST(width_bucket(l.started_at, CAST(:edges AS timestamptz[])) AS text)"

_STATEMENT = """
WITH spans AS (
  SELECT * FROM unnest(CAST(:levels AS smallint[]), CAST(:starts AS date[]), CAST(:slices AS integer[])) s(level, start, slice)),
{queued}
signed AS MATERIALIZED (
  SELECT {line_key} AS key, true AS begins, l.* FROM ({lines}) l
  WHERE l.started_at >= :since AND l.started_at < :until {line_scope}),
moved AS (SELECT key, {moved} FROM signed d GROUP BY key),
{ranked}
cells AS (
  SELECT {cell_key} AS key, {summed} FROM report_cell c JOIN spans s ON s.level = c.level AND s.start = c.start
  WHERE c.dim = :dim {cell_scope} {only_ranked} GROUP BY 1),
numbers AS (
  SELECT key, {added} FROM (SELECT key, {names} FROM cells UNION ALL SELECT key, {names} FROM moved {moved_ranked}) b GROUP BY key),
waits AS (
  SELECT {line_key} AS key, count(*) AS waiting, count(*) FILTER (WHERE l.due_at < :ages_at) AS overdue,
    min(l.started_at) AS oldest
  FROM ({waiting}) l WHERE l.started_at >= :since AND l.started_at < :until {line_scope} GROUP BY 1),
shown AS (SELECT * FROM numbers WHERE {counted} <> 0 ORDER BY {counted} DESC, key {most}),
shapes AS (
  SELECT key, numeric_send(sum(calendar)) AS calendar, numeric_send(sum(working)) AS working FROM (
    SELECT {cell_key} AS key, c.calendar, c.working FROM report_shape c JOIN spans s ON s.level = c.level AND s.start = c.start
    WHERE {shaped} AND c.dim = :dim AND c.clock = '{clock}' {cell_scope} {only_shown}
    UNION ALL SELECT key, {clock}_calendar, {clock}_working FROM (SELECT key, {sketched} FROM signed d WHERE {shaped} GROUP BY key) d) one
  GROUP BY key)
SELECT 'row' AS part, n.key, to_jsonb(n) - 'key' AS numbers, w.waiting, w.overdue, w.oldest, p.calendar, p.working
FROM shown n LEFT JOIN waits w USING (key) LEFT JOIN shapes p USING (key)
"""
# Of pages there are many, of their rows fifty: one sum of each tells which, the others are added up of those alone.
_RANKED = """ranked AS (
  SELECT key FROM (
    SELECT c.key, {counted} AS n FROM report_cell c JOIN spans s ON s.level = c.level AND s.start = c.start WHERE c.dim = :dim {cell_scope}
    UNION ALL SELECT key, {counted} FROM (SELECT key, {filled} FROM moved) m) b
  GROUP BY key HAVING sum(n) <> 0 ORDER BY sum(n) DESC, key LIMIT :most),"""
# Of the whole, the platforms' cells: a few.
_TOTAL = """
UNION ALL
SELECT 'total', '', (SELECT to_jsonb(t) FROM (SELECT {added} FROM (
    SELECT {c_names} FROM report_cell c
    JOIN unnest(CAST(:whole_levels AS smallint[]), CAST(:whole_starts AS date[])) s(level, start) ON s.level = c.level AND s.start = c.start
    WHERE c.dim = 4 {cell_scope}
    UNION ALL SELECT {names} FROM (SELECT {moved} FROM signed d WHERE NOT d.of_rest) d) b) t),
  (SELECT CAST(sum(waiting) AS bigint) FROM waits),
  (SELECT CAST(sum(overdue) AS bigint) FROM waits), (SELECT min(oldest) FROM waits), whole.calendar, whole.working
FROM (
  SELECT numeric_send(sum(calendar)) AS calendar, numeric_send(sum(working)) AS working FROM (
    SELECT c.calendar, c.working FROM report_shape c
    JOIN unnest(CAST(:whole_levels AS smallint[]), CAST(:whole_starts AS date[])) s(level, start) ON s.level = c.level AND s.start = c.start
    WHERE {shaped} AND c.dim = 4 {cell_scope} AND c.clock = '{clock}'
    UNION ALL
    SELECT {clock}_calendar, {clock}_working FROM (SELECT {sketched} FROM signed d WHERE {shaped} AND NOT d.of_rest) d) one) whole
"""

_QUEUED_LINES = f"""
fresh AS MATERIALIZED ({lines_sql(QUEUED, as_of=False)}),
kept AS MATERIALIZED (SELECT {", ".join(COLUMNS)} FROM report_line WHERE appeal_id IN ({QUEUED})),"""  # noqa: S608 - fragments of this package
# Of a past moment likewise, of all that has changed since.
_CHANGED_LINES = f"""
changed AS MATERIALIZED ({CHANGED}),
fresh AS MATERIALIZED ({lines_sql("SELECT appeal_id FROM changed", as_of=True)}),
kept AS MATERIALIZED (SELECT {", ".join(COLUMNS)} FROM report_line WHERE appeal_id IN (SELECT appeal_id FROM changed)),"""  # noqa: S608 - likewise
CORRECTED = {Source.KEPT: "", Source.NOW: _QUEUED_LINES, Source.SINCE: _CHANGED_LINES}
"""What is to be put right of what is kept: `fresh` lines are added and `kept` ones taken away."""
_REST = f"""
  SELECT 1 AS sign, r.celled AS of_rest, {", ".join(f"l.{column}" for column in COLUMNS)} FROM report_line l
  CROSS JOIN unnest(CAST(:rest_since AS timestamptz[]), CAST(:rest_until AS timestamptz[]), CAST(:rest_celled AS boolean[]))
    r(low, high, celled)
  WHERE l.started_at >= r.low AND l.started_at < r.high"""  # noqa: S608 - columns of this package
PUT_RIGHT = " UNION ALL SELECT 1 AS sign, false AS of_rest, f.* FROM fresh f UNION ALL SELECT -1, false, k.* FROM kept k"


@cache
def rolled_sql(
    group_by: Grouping | None,
    *,
    of: Grouping = Grouping.PLATFORM,
    clock: Clock,
    source: Source,
    scoped: bool,
    dismissed: bool,
    shaped: bool,
    sliced: bool = False,
) -> TextClause:
    """By a grouping, or (None) by slice of the period, or (`sliced`, of trees) by both: keys are then `key/slice`.

    `of`: the dimension whose cells are read when there is no grouping; `source`: what is to be put right of them; `scoped`: only the
    keys of `:keys` count; `shaped`: percentiles are wanted. Of a flat grouping a page's rows and the total come; of a tree all rows.
    """
    flat = group_by is not None and group_by not in TREES
    line_key, cell_key = _grouped(group_by, sliced=sliced)
    fragments = {
        "shaped": "true" if shaped else "false",
        "queued": CORRECTED[source],
        "lines": _REST + ("" if source is Source.KEPT else PUT_RIGHT),
        "line_key": line_key,
        "cell_key": cell_key,
        "line_scope": f"AND {KEY_OF[group_by or of]} = ANY (CAST(:keys AS text[]))" if scoped else "",
        "cell_scope": "AND c.key = ANY (CAST(:keys AS text[]))" if scoped else "",
        "ranked": "",
        "only_ranked": "AND c.key IN (SELECT key FROM ranked)" if flat else "",
        "moved_ranked": "WHERE key IN (SELECT key FROM ranked)" if flat else "",
        "only_shown": "AND c.key IN (SELECT key FROM shown)" if flat else "",
        "most": "LIMIT :most" if flat else "",
        "moved": moved_sql(),
        "counted": _counted(clock, dismissed=dismissed),
        "clock": clock.value,
        "waiting": _waiting(clock, source),
        "sketched": sketched_sql(clock.value),
    } | _sums(_names(clock))
    if not flat:
        return text(_STATEMENT.format(**fragments))
    return text((_STATEMENT + _TOTAL).format(**fragments | {"ranked": _RANKED.format(**fragments)}))


def _sums(names: Sequence[str]) -> dict[str, str]:
    """How these sums are named and added up."""
    return {
        "summed": ", ".join(f"CAST(sum(c.{one}) AS bigint) AS {one}" for one in names),
        "added": ", ".join(f"CAST(coalesce(sum(b.{one}), 0) AS bigint) AS {one}" for one in names),
        "names": ", ".join(names),
        "filled": ", ".join(f"coalesce({one}, 0) AS {one}" for one in names),
        "c_names": ", ".join(f"c.{one}" for one in names),
    }


def _grouped(group_by: Grouping | None, *, sliced: bool) -> tuple[str, str]:
    """By what lines are grouped, and by what cells."""
    if group_by is None:
        return _SLICE, "CAST(s.slice AS text)"
    return (f"{KEY_OF[group_by]} || '/' || {_SLICE}", "c.key || '/' || CAST(s.slice AS text)") if sliced else (KEY_OF[group_by], "c.key")


def _names(clock: Clock) -> list[str]:
    """The sums that the figures of a clock are made of."""
    promised = ("population", "met", "late", "unpromised", "unanswered") if clock.value in CELL_PROMISES else ()
    marks = MARKS if clock is Clock.FIRST else ()
    return ["opened", "dismissed", "reopened", "repeated", *marks, *(f"{clock.value}_{what}" for what in (*promised, "n", "s", "wn", "ws"))]


def _counted(clock: Clock, *, dismissed: bool) -> str:
    """How many belong to the population; with the dismissed ones where those are asked for."""
    if dismissed:
        return "(opened + dismissed)"
    return {Clock.FIRST: "opened", Clock.FINAL: "final_population"}.get(clock, f"{clock.value}_n")


_WAITS = "w.started_at, w.agency_id, w.territory_id, w.topic_id, w.page_id, w.operator_id, w.platform"


def _waiting(clock: Clock, source: Source) -> str:
    """Lines whose clock runs. Only columns of its index are read."""
    name = clock.value
    if name not in CELL_PROMISES:
        return f"SELECT {_WAITS}, w.first_due_at AS due_at FROM report_line w WHERE false"  # noqa: S608 - names of this package
    runs = f"w.{name}_outcome IS NULL" + ("" if clock is Clock.FIRST else f" AND w.{name}_due_at IS NOT NULL")
    kept = f"SELECT {_WAITS}, w.{name}_due_at AS due_at FROM report_line w WHERE {runs}"  # noqa: S608 - fragments of this file
    if source is Source.KEPT:
        return kept
    table = "report_queue" if source is Source.NOW else "changed"
    afresh = f"SELECT {_WAITS}, w.{name}_due_at FROM fresh w WHERE {runs}"  # noqa: S608 - fragments of this file
    return f"{kept} AND NOT EXISTS (SELECT FROM {table} q WHERE q.appeal_id = w.appeal_id) UNION ALL {afresh}"
