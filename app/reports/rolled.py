"""Reports over many appeals, from cells. Numbers are exact; percentiles are within 1 %.

One statement, so one moment: sums of cells, what is queued put right (fresh lines added, kept ones taken away), lines of days
that no cell covers, and those that wait now, whose ages no sum can hold.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.reports.cells import moved_sql, shaped_sql
from app.reports.lines import COLUMNS, QUEUED, lines_sql
from app.reports.models import CELL_COUNTS, CELL_SUMS
from app.reports.queries import Clock
from app.reports.rules import Grouping

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import TextClause

CELL_CLOCKS = frozenset({Clock.FIRST, Clock.FINAL, Clock.AGENCY, Clock.TRIAGE, Clock.DETECTION})
"""Clocks of which cells keep sums."""

_KEYS = {
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
cells AS (
  SELECT {cell_key} AS key, {summed} FROM report_cell c JOIN spans s ON s.level = c.level AND s.start = c.start
  WHERE c.dim = :dim {cell_scope} GROUP BY 1),
numbers AS (
  SELECT key, {added} FROM (SELECT key, {names} FROM cells UNION ALL SELECT key, {names} FROM moved) b GROUP BY key),
waits AS (
  SELECT {line_key} AS key, count(*) AS waiting, count(*) FILTER (WHERE l.{clock}_due_at < :ages_at) AS overdue,
    min(l.started_at) AS oldest
  FROM ({waiting}) l WHERE l.started_at >= :since AND l.started_at < :until {line_scope} GROUP BY 1),
shown AS (SELECT * FROM numbers WHERE {counted} <> 0 ORDER BY {counted} DESC, key {most}),
bins AS (
  SELECT d.key, v.shape, otklik_bin(v.seconds) AS bin, sum(d.sign) AS n
  FROM signed d CROSS JOIN LATERAL (VALUES {shaped}) v(shape, seconds)
  WHERE v.seconds IS NOT NULL GROUP BY 1, 2, 3 HAVING sum(d.sign) <> 0),
pieces AS (
  SELECT {cell_key} AS key, c.{clock}_h AS h, c.{clock}_wh AS wh FROM report_cell c JOIN spans s ON s.level = c.level AND s.start = c.start
  WHERE {shapes_wanted} AND c.dim = :dim {cell_scope} {only_shown}
  UNION ALL
  SELECT key, CASE WHEN shape = 0 THEN pair ELSE '' END, CASE WHEN shape = 1 THEN pair ELSE '' END
  FROM (SELECT key, shape, int8send((bin << 32) | (n & 4294967295)) AS pair FROM bins) p)
SELECT 'row' AS part, n.key, to_jsonb(n) - 'key' AS numbers, w.waiting, w.overdue, w.oldest, p.h, p.wh
FROM shown n LEFT JOIN waits w USING (key)
  LEFT JOIN (SELECT key, string_agg(h, '') AS h, string_agg(wh, '') AS wh FROM pieces GROUP BY key) p USING (key)
"""
_TOTAL = """
UNION ALL
SELECT 'total', '', (SELECT to_jsonb(t) FROM (SELECT {added} FROM numbers b) t), (SELECT CAST(sum(waiting) AS bigint) FROM waits),
  (SELECT CAST(sum(overdue) AS bigint) FROM waits), (SELECT min(oldest) FROM waits),
  (SELECT string_agg(h, '') FROM whole), (SELECT string_agg(wh, '') FROM whole)
"""
# Of the whole, the platforms' cells: a few, where pages have as many as there are pages.
_WHOLE = """,
whole AS (
  SELECT c.{clock}_h AS h, c.{clock}_wh AS wh FROM report_cell c JOIN whole_spans s ON s.level = c.level AND s.start = c.start
  WHERE {shapes_wanted} AND c.dim = 4
  UNION ALL
  SELECT CASE WHEN shape = 0 THEN pair ELSE '' END, CASE WHEN shape = 1 THEN pair ELSE '' END
  FROM (SELECT shape, int8send((bin << 32) | (n & 4294967295)) AS pair
    FROM (
      SELECT v.shape, otklik_bin(v.seconds) AS bin, sum(d.sign) AS n
      FROM signed d CROSS JOIN LATERAL (VALUES {shaped}) v(shape, seconds)
      WHERE v.seconds IS NOT NULL AND NOT d.of_rest GROUP BY 1, 2 HAVING sum(d.sign) <> 0) b) p)
SELECT 'row' AS part"""

_QUEUED = f"""
fresh AS MATERIALIZED ({lines_sql(QUEUED, as_of=False)}),
kept AS MATERIALIZED (SELECT {", ".join(COLUMNS)} FROM report_line WHERE appeal_id IN ({QUEUED})),"""  # noqa: S608 - fragments of this package
_REST = """
  SELECT 1 AS sign, true AS of_rest, {columns} FROM report_line l
  CROSS JOIN unnest(CAST(:rest_since AS timestamptz[]), CAST(:rest_until AS timestamptz[])) r(low, high)
  WHERE l.started_at >= r.low AND l.started_at < r.high"""
_PUT_RIGHT = " UNION ALL SELECT 1, false, f.* FROM fresh f UNION ALL SELECT -1, false, k.* FROM kept k"


_NAMES = (*CELL_COUNTS, *CELL_SUMS)


@cache
def rolled_sql(
    group_by: Grouping | None, *, clock: Clock, queued: bool, scoped: bool, dismissed: bool, shaped: bool, sliced: bool = False
) -> TextClause:
    """By a grouping, or (None) by slice of the period, or (`sliced`, of trees) by both: keys are then `key/slice`.

    `queued`: something is; `scoped`: only the keys of `:keys` are seen; `shaped`: percentiles are wanted.

    Of a grouping that is flat the rows of a page come, and the total; of a tree all rows, which the caller adds up.
    """
    name = clock.value
    columns = ", ".join(f"l.{column}" for column in COLUMNS)
    flat = group_by in {Grouping.PAGE, Grouping.PLATFORM, Grouping.OPERATOR}
    plain_key = _SLICE if group_by is None else _KEYS[group_by]
    line_key = f"{plain_key} || '/' || {_SLICE}" if sliced else plain_key
    cell_key = "c.key || '/' || CAST(s.slice AS text)" if sliced else "c.key"
    fragments = {
        "shapes_wanted": "true" if shaped else "false",
        "queued": _QUEUED if queued else "",
        "lines": _REST.format(columns=columns) + (_PUT_RIGHT if queued else ""),
        "line_key": line_key,
        "cell_key": "CAST(s.slice AS text)" if group_by is None else cell_key,
        "line_scope": f"AND {plain_key} = ANY (CAST(:keys AS text[]))" if scoped else "",
        "cell_scope": "AND c.key = ANY (CAST(:keys AS text[]))" if scoped else "",
        "only_shown": "AND c.key IN (SELECT key FROM shown)" if flat else "",
        "most": "LIMIT :most" if flat else "",
        "moved": moved_sql(),
        "summed": ", ".join(f"CAST(sum(c.{one}) AS bigint) AS {one}" for one in _NAMES),
        "added": ", ".join(f"CAST(coalesce(sum(b.{one}), 0) AS bigint) AS {one}" for one in _NAMES),
        "names": ", ".join(_NAMES),
        "counted": _counted(clock, dismissed=dismissed),
        "clock": name,
        "waiting": _waiting(clock, queued=queued),
        "shaped": shaped_sql(name),
    }
    statement = _STATEMENT.format(**fragments)
    return text(_with_total(statement, fragments) if flat else statement)


def _with_total(statement: str, fragments: Mapping[str, str]) -> str:
    """The same, and a line of the whole."""
    spans = (
        "whole_spans AS (\n"
        "  SELECT * FROM unnest(CAST(:whole_levels AS smallint[]), CAST(:whole_starts AS date[])) s(level, start)),\nsigned AS"
    )
    statement = statement.replace("signed AS", spans, 1)
    head, _, tail = statement.rpartition("\nSELECT 'row' AS part")
    return head + _WHOLE.format(**fragments) + tail + _TOTAL.format(**fragments)


def _counted(clock: Clock, *, dismissed: bool) -> str:
    """How many belong to the population; with the dismissed ones where those are asked for."""
    if dismissed:
        return "(opened + dismissed)"
    return {Clock.FIRST: "opened", Clock.FINAL: "final_population"}.get(clock, f"{clock.value}_n")


def _waiting(clock: Clock, *, queued: bool) -> str:
    """Lines whose clock runs."""
    name = clock.value
    if clock not in {Clock.FIRST, Clock.FINAL}:
        return f"SELECT l.*, l.first_due_at AS {name}_due_at FROM report_line l WHERE false"  # noqa: S608 - a name of this package
    runs = f"w.{name}_outcome IS NULL" + ("" if clock is Clock.FIRST else f" AND w.{name}_due_at IS NOT NULL")
    kept = f"SELECT * FROM report_line w WHERE {runs}"  # noqa: S608 - fragments of this file
    if not queued:
        return kept
    afresh = f"SELECT * FROM fresh w WHERE {runs}"  # noqa: S608 - fragments of this file
    return f"{kept} AND NOT EXISTS (SELECT FROM report_queue q WHERE q.appeal_id = w.appeal_id) UNION ALL {afresh}"
