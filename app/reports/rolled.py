"""Reports over many appeals, from cells. Numbers are exact; percentiles are within 1 %.

One statement, so one moment: sums of cells, what is queued put right (fresh lines added, kept ones taken away), lines of days
that no cell covers, and those that wait now, whose ages no sum can hold. Distributions are numbers and add up like all else.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.reports.cells import DIMS, moved_sql, sketched_sql
from app.reports.lines import CHANGED, COLUMNS, QUEUED, lines_sql
from app.reports.models import CELL_PROMISES
from app.reports.queries import Clock, Source
from app.reports.rules import TREES, Grouping
from app.reports.summing import sums_of

if TYPE_CHECKING:
    from collections.abc import Callable

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
WITH spans AS MATERIALIZED (
  SELECT * FROM unnest(CAST(:levels AS smallint[]), CAST(:starts AS date[]), CAST(:signs AS integer[]), CAST(:slices AS integer[]))
    s(level, start, sign, slice)),
{queued}
signed AS MATERIALIZED (
  SELECT {line_key} AS key, true AS begins, l.* FROM ({lines}) l WHERE true {line_scope}),
moved AS (SELECT key, {moved} FROM signed d GROUP BY key),
{ranked}
numbers AS (
  SELECT key, {added} FROM (
    SELECT {cell_key} AS key, {signed_names} FROM {cells}
    UNION ALL SELECT key, {names} FROM moved {moved_ranked}) b GROUP BY key),
waits AS (
  SELECT {line_key} AS key, count(*) AS waiting, count(*) FILTER (WHERE l.due_at < :ages_at) AS overdue,
    min(l.started_at) AS oldest
  FROM ({waiting}) l WHERE l.started_at >= :since AND l.started_at < :until {line_scope} GROUP BY 1)
SELECT 'row' AS part, n.key, ARRAY[{names}] AS numbers, w.waiting, w.overdue, w.oldest,
  CAST(NULL AS bytea) AS calendar, CAST(NULL AS bytea) AS working
FROM numbers n LEFT JOIN waits w USING (key) WHERE {counted} <> 0
"""
# Adding up costs more than reading. Where each key has one cell, and nothing is taken away from it, the reader adds what there is to add.
_SHAPES = """
UNION ALL
SELECT 'shape', key, NULL, NULL, NULL, NULL, numeric_send({of_shapes}(calendar)), numeric_send({of_shapes}(working)) FROM (
  SELECT {cell_key} AS key, {c_shapes} FROM {shapes}
  UNION ALL SELECT key, {clock}_calendar, {clock}_working FROM (SELECT key, {sketched} FROM signed d GROUP BY key) d {moved_ranked}) one
{by_key}
"""
# Of a tree all keys are shown. Of pages there are many, of their rows fifty: one sum of each tells which, the others are those' alone.
_OF_ALL = "report_{kind} c JOIN spans s ON s.level = c.level AND s.start = c.start WHERE c.dim = {dim} {more}"
_OF_EACH = """{keys} k CROSS JOIN spans s CROSS JOIN LATERAL (
  SELECT * FROM report_{kind} c WHERE c.dim = {dim} AND c.level = s.level AND c.start = s.start AND c.key = k.key {more} OFFSET 0) c"""
_RANKED = """ranked AS MATERIALIZED (
  SELECT key FROM (
    SELECT c.key, s.sign * {ordered} AS n, s.sign * {counted} AS counted FROM {able_cells}
    UNION ALL SELECT key, {ordered}, {counted} FROM (SELECT key, {filled} FROM moved) m) b
  GROUP BY key HAVING sum(counted) <> 0 ORDER BY sum(n) DESC, key LIMIT :most),"""
# No key counts more than it has lines. So whoever has as much in all as the last of fifty has in some cell of its own at least that,
# divided by the number of cells: which keys these are tells an index. The fifty need not be the first, only some of the large.
_ABLE = """large AS MATERIALIZED (
  SELECT DISTINCT c.key FROM spans s CROSS JOIN LATERAL (
    SELECT c.key FROM report_cell c WHERE c.dim = {dim} AND c.level = s.level AND c.start = s.start
    ORDER BY c.lines DESC LIMIT 2 * :most) c),
least AS MATERIALIZED (
  SELECT coalesce((SELECT sum(n) FROM (
    SELECT c.key, {ordered} AS n FROM {large_cells}
    UNION ALL SELECT key, {ordered} FROM (SELECT key, {filled} FROM moved) m) b
  GROUP BY key ORDER BY sum(n) DESC OFFSET :most - 1 LIMIT 1), 0) / (SELECT count(*) FROM spans) AS n),
able AS MATERIALIZED (
  SELECT key FROM moved
  UNION SELECT c.key FROM spans s CROSS JOIN least CROSS JOIN LATERAL (
    SELECT c.key FROM report_cell c
    WHERE c.dim = {dim} AND c.level = s.level AND c.start = s.start AND c.lines >= CAST(ceil(least.n) AS bigint) OFFSET 0) c),"""
# Of the whole, the platforms' cells: a few.
_WHOLE = (
    "JOIN unnest(CAST(:whole_levels AS smallint[]), CAST(:whole_starts AS date[]), CAST(:whole_signs AS integer[])) s(level, start, sign)"
    " ON s.level = c.level AND s.start = c.start"
)
_TOTAL = f"""
UNION ALL
SELECT 'total', NULL, (SELECT ARRAY[{{names}}] FROM (SELECT {{added}} FROM (
    SELECT {{signed_names}} FROM report_cell c {_WHOLE} WHERE c.dim = 4 {{cell_scope}}
    UNION ALL SELECT {{names}} FROM (SELECT {{moved}} FROM signed d WHERE NOT d.of_rest) d) b) t),
  (SELECT CAST(sum(waiting) AS bigint) FROM waits),
  (SELECT CAST(sum(overdue) AS bigint) FROM waits), (SELECT min(oldest) FROM waits), whole.calendar, whole.working
FROM (
  SELECT numeric_send(sum(calendar)) AS calendar, numeric_send(sum(working)) AS working FROM (
    SELECT {{signed_shapes}} FROM report_shape c {_WHOLE} WHERE {{shaped}} AND c.dim = 4 {{cell_scope}} AND c.clock = '{{clock}}'
    UNION ALL
    SELECT {{clock}}_calendar, {{clock}}_working FROM (SELECT {{sketched}} FROM signed d WHERE {{shaped}} AND NOT d.of_rest) d) one) whole
"""  # noqa: S608 - fragments of this file

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
  SELECT r.sign, r.celled AS of_rest, {", ".join(f"l.{column}" for column in COLUMNS)} FROM report_line l
  CROSS JOIN unnest(CAST(:rest_since AS timestamptz[]), CAST(:rest_until AS timestamptz[]), CAST(:rest_signs AS integer[]),
    CAST(:rest_celled AS boolean[])) r(low, high, sign, celled)
  WHERE l.started_at >= r.low AND l.started_at < r.high"""  # noqa: S608 - columns of this package
PUT_RIGHT = "SELECT 1 AS sign, false AS of_rest, f.* FROM fresh f UNION ALL SELECT -1, false, k.* FROM kept k"
_PUT_RIGHT_WITHIN = f" UNION ALL SELECT * FROM ({PUT_RIGHT}) p WHERE p.started_at >= :since AND p.started_at < :until"  # noqa: S608 - likewise


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
    single: bool = False,
    covered: bool = False,
) -> TextClause:
    """By a grouping, or (None) by slice of the period, or (`sliced`, of trees) by both: keys are then `key/slice`.

    `of`: the dimension whose cells are read when there is no grouping; `source`: what is to be put right of them; `scoped`: only the
    keys of `:keys` count; `shaped`: percentiles are wanted. `single`: one span is all; `covered`: spans leave no days to be read.
    Of a flat grouping a page's rows and the total come; of a tree all rows.
    """
    dim = group_by or of
    flat = group_by is not None and group_by not in TREES
    read, added = _read(dim, scoped=scoped, clock=clock), "" if single and source is Source.KEPT else "sum"
    fragments = _grouped(group_by, sliced=sliced) | _summing(clock, source, dismissed=dismissed)
    fragments |= {
        "shaped": "true" if shaped else "false",
        "line_scope": f"AND {KEY_OF[dim]} = ANY (CAST(:keys AS text[]))" if scoped else "",
        "cell_scope": _SCOPE if scoped else "",
        "dim": str(DIMS[dim.value]),
        "cells": read("cell", "ranked" if flat else None),
        "shapes": read("shape", "ranked" if flat else None),
        "of_shapes": added,
        "c_shapes": fragments["signed_shapes"] if added else "c.calendar, c.working",
        "by_key": "GROUP BY key" if added else "",
    }
    indexed = flat and covered and dim is not Grouping.PLATFORM
    fragments |= {"large_cells": read("cell", "large"), "able_cells": read("cell", "able" if indexed else None)}
    fragments["ranked"] = ((_ABLE if indexed else "") + _RANKED).format(**fragments) if flat else ""
    fragments["moved_ranked"] = "WHERE key IN (SELECT key FROM ranked)" if flat else ""
    return text((_STATEMENT + (_SHAPES if shaped else "") + (_TOTAL if flat else "")).format(**fragments))


_SCOPE = "AND c.key = ANY (CAST(:keys AS text[]))"


def _read(of: Grouping, *, scoped: bool, clock: Clock) -> Callable[[str, str | None], str]:
    """How cells or shapes of the spans are read: of the keys that a subquery found, or (None) of all."""

    def read(kind: str, keys: str | None) -> str:
        more = (_SCOPE if scoped else "") + (f" AND c.clock = '{clock.value}'" if kind == "shape" else "")
        return (_OF_ALL if keys is None else _OF_EACH).format(kind=kind, keys=keys, dim=DIMS[of.value], more=more)

    return read


def _summing(clock: Clock, source: Source, *, dismissed: bool) -> dict[str, str]:
    """What is added up, and how. `ordered`: by what rows stand in order; `counted`: where it is nothing there is no row."""
    names = sums_of(clock)
    population = {Clock.FIRST: "opened", Clock.FINAL: "final_population"}.get(clock, f"{clock.value}_n")
    return {
        "clock": clock.value,
        "queued": CORRECTED[source],
        "lines": _REST + ("" if source is Source.KEPT else _PUT_RIGHT_WITHIN),
        "waiting": _waiting(clock, source),
        "moved": moved_sql(),
        "sketched": sketched_sql(clock.value),
        "ordered": population,
        "counted": "(opened + dismissed)" if dismissed else population,
        "added": ", ".join(f"CAST(coalesce(sum(b.{one}), 0) AS bigint) AS {one}" for one in names),
        "names": ", ".join(names),
        "filled": ", ".join(f"coalesce({one}, 0) AS {one}" for one in names),
        "signed_names": ", ".join(f"s.sign * c.{one} AS {one}" for one in names),
        "signed_shapes": ", ".join(f"CASE WHEN s.sign < 0 THEN -c.{one} ELSE c.{one} END AS {one}" for one in ("calendar", "working")),
    }


def _grouped(group_by: Grouping | None, *, sliced: bool) -> dict[str, str]:
    """By what lines are grouped, and by what cells."""
    if group_by is None:
        return {"line_key": _SLICE, "cell_key": "CAST(s.slice AS text)"}
    if sliced:
        return {"line_key": f"{KEY_OF[group_by]} || '/' || {_SLICE}", "cell_key": "c.key || '/' || CAST(s.slice AS text)"}
    return {"line_key": KEY_OF[group_by], "cell_key": "c.key"}


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
