"""The SQL of the measures: which lines count (`facts_sql`), how they are grouped, what is computed of them.

One statement per report. Values are always parameters; only fragments of this file are put together.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.reports.lines import CHANGED, KEYS, PERIOD, QUEUED, UNPROMISED, lines_sql, of_few
from app.reports.models import MARKS, PROMISES
from app.reports.rules import TREES, Grouping
from app.sla.rules import TimerOutcome

if TYPE_CHECKING:
    from sqlalchemy import TextClause

_CANCELLED, _UNANSWERED = (f"'{one.value}'" for one in (TimerOutcome.CANCELLED, TimerOutcome.UNANSWERED))
_MET, _LATE = (f"'{one.value}'" for one in (TimerOutcome.MET, TimerOutcome.LATE))
_ANSWERS = f"({_MET}, {_LATE}, '{UNPROMISED}')"

# Lines that are kept, and those that are queued for keeping, computed on the spot: together they are exact.
_KEPT = "SELECT {columns} FROM report_line l WHERE l.started_at >= :since AND l.started_at < :until AND {early}"
_NOW = f"""
  {_KEPT}
    AND NOT EXISTS (SELECT FROM report_queue q WHERE q.appeal_id = l.appeal_id)
  UNION ALL SELECT {{columns}} FROM ({lines_sql(QUEUED, as_of=False)}) l WHERE l.started_at >= :since AND l.started_at < :until"""  # noqa: S608
# Of a past moment: lines of which nothing is known since are what they were, the others are computed as of then.
_SINCE = f"""
  WITH changed AS MATERIALIZED ({CHANGED})
  {_KEPT} AND NOT EXISTS (SELECT FROM changed q WHERE q.appeal_id = l.appeal_id)
  UNION ALL SELECT {{columns}} FROM ({lines_sql("SELECT appeal_id FROM changed", as_of=True)}) l
  WHERE l.started_at >= :since AND l.started_at < :until"""  # noqa: S608 - fragments of this package
_THEN = f"SELECT {{columns}} FROM ({lines_sql(PERIOD, as_of=True)}) l WHERE l.started_at >= :since AND l.started_at < :until"  # noqa: S608


# Before anything was ever kept: the history itself.
_NEVER = f"SELECT {{columns}} FROM ({lines_sql(PERIOD, as_of=False)}) l WHERE l.started_at >= :since AND l.started_at < :until"  # noqa: S608


class Source(StrEnum):
    """Where lines come from: what is kept, that and what is queued, the history, as it was known at a moment, or as changed since."""

    KEPT = "kept"
    NOW = "now"
    NEVER = "never"
    THEN = "then"
    SINCE = "since"


_SOURCES = {Source.KEPT: _KEPT, Source.NOW: _NOW, Source.NEVER: _NEVER, Source.THEN: _THEN, Source.SINCE: _SINCE}
TOUCHED = text("SELECT count(*) FROM (SELECT FROM appeal_event WHERE recorded_at > :as_of LIMIT :most) e")
SOURCE = text("SELECT EXISTS (SELECT FROM report_state WHERE lines_kept) AS built, EXISTS (SELECT FROM report_queue) AS queued")
# What there is to read: whether lines are complete, by which zone's days cells are cut (none: they are not complete), whether
# something is queued, and how much cells hold.
GROUND = text(
    """
    SELECT EXISTS (SELECT FROM report_state WHERE lines_kept) AS built, (SELECT tz FROM report_state WHERE stage = 'done') AS tz,
      EXISTS (SELECT FROM report_queue) AS queued,
      (SELECT sum(s.sign * c.opened) FROM report_cell c
        JOIN unnest(CAST(:levels AS smallint[]), CAST(:starts AS date[]), CAST(:signs AS integer[])) s(level, start, sign)
          ON s.level = c.level AND s.start = c.start
        WHERE c.dim = :dim AND (CAST(:keys AS text[]) IS NULL OR c.key = ANY (CAST(:keys AS text[])))) AS opened
    """
)


class Clock(StrEnum):
    """Which of a line's clocks a report is about. Its value names the columns."""

    FIRST = "first"
    INTERIM = "interim"
    FINAL = "final"
    AGENCY = "agency"
    APPROVAL = "approval"
    TRIAGE = "triage"
    DETECTION = "detection"


def _columns(clock: Clock) -> str:
    """A line's columns as the figures name them."""
    # What happened to a matter as a whole is told where first answers are.
    own = clock is Clock.FIRST
    fates = "l.reopened, l.repeated, l.mark" if own else "false AS reopened, false AS repeated, CAST(NULL AS smallint) AS mark"
    base = f"l.appeal_id, l.cycle, l.started_at, l.first_outcome, {fates}, l.dismissed, " + ", ".join(f"l.{key}" for key in KEYS)
    name = clock.value
    if name in PROMISES:
        return base + (
            f", l.{name}_due_at AS due_at, l.{name}_stopped_at AS stopped_at, l.{name}_outcome AS outcome,"
            f" l.{name}_seconds AS elapsed_seconds, l.{name}_working AS working_seconds"
        )
    working = "CAST(NULL AS integer)" if clock is Clock.DETECTION else f"l.{name}_working"
    # No promise was made of these: what was measured counts as done, the rest as not measured.
    return base + (
        f", CAST(NULL AS timestamptz) AS due_at, CASE WHEN l.{name}_seconds IS NOT NULL THEN l.started_at END AS stopped_at,"
        f" CASE WHEN l.{name}_seconds IS NOT NULL THEN '{UNPROMISED}' END AS outcome,"
        f" l.{name}_seconds AS elapsed_seconds, {working} AS working_seconds"
    )


# Who belongs to the population. Dismissed appeals never do.
_POPULATION = {
    Clock.FIRST: "NOT f.dismissed",
    Clock.INTERIM: f"f.due_at IS NOT NULL AND f.outcome IS DISTINCT FROM {_CANCELLED}",
    Clock.FINAL: f"f.due_at IS NOT NULL AND f.outcome IS DISTINCT FROM {_CANCELLED}",
    Clock.AGENCY: "NOT f.dismissed AND f.elapsed_seconds IS NOT NULL",
    Clock.APPROVAL: "NOT f.dismissed AND f.elapsed_seconds IS NOT NULL",
    Clock.TRIAGE: "NOT f.dismissed AND f.elapsed_seconds IS NOT NULL",
    Clock.DETECTION: "NOT f.dismissed AND f.elapsed_seconds IS NOT NULL",
}


class Sight(StrEnum):
    """How far a person sees. Each has statements of its own, so that the planner can follow an index of theirs."""

    WHOLE = "whole"
    AGENCIES = "agencies"
    TERRITORIES = "territories"
    BOTH = "both"


_IN_AGENCIES, _IN_TERRITORIES = (
    "{of} = ANY (CAST(:agencies AS bigint[]))",
    "{of} = ANY (CAST(:territories AS bigint[]))",
)
# The door, as narrow as the figures: a line is about the agency that answers for it, so that agency is asked for here,
# not the one that holds the appeal today (row-level security lets both through).
_VISIBLE = {
    Sight.WHOLE: "true",
    Sight.AGENCIES: _IN_AGENCIES.format(of="f.agency_id"),
    Sight.TERRITORIES: _IN_TERRITORIES.format(of="f.territory_id"),
    Sight.BOTH: f"({_IN_AGENCIES.format(of='f.agency_id')} OR {_IN_TERRITORIES.format(of='f.territory_id')})",
}
# The same of the kept lines themselves, where an index can be followed.
_EARLY = {
    Sight.WHOLE: "true",
    Sight.AGENCIES: _IN_AGENCIES.format(of="l.agency_id"),
    Sight.TERRITORIES: _IN_TERRITORIES.format(of="l.territory_id"),
    Sight.BOTH: f"({_IN_AGENCIES.format(of='l.agency_id')} OR {_IN_TERRITORIES.format(of='l.territory_id')})",
}
_SHOWN = {
    (Grouping.AGENCY, Sight.AGENCIES): _IN_AGENCIES.format(of="g.key"),
    (Grouping.AGENCY, Sight.TERRITORIES): "false",
    (Grouping.AGENCY, Sight.BOTH): _IN_AGENCIES.format(of="g.key"),
    (Grouping.TERRITORY, Sight.AGENCIES): "false",
    (Grouping.TERRITORY, Sight.TERRITORIES): _IN_TERRITORIES.format(of="g.key"),
    (Grouping.TERRITORY, Sight.BOTH): _IN_TERRITORIES.format(of="g.key"),
}
"""Nodes of a tree that are whole in a person's sight; what is not listed is."""

# As an array it is known before lines are read, so an index can be followed.
_UNDER = (
    "{what} = ANY (ARRAY(WITH RECURSIVE below(id) AS (SELECT unnest(CAST(:only_{column} AS bigint[]))"
    " UNION SELECT c.id FROM {table} c JOIN below ON c.parent_id = below.id) SELECT id FROM below))"
)
_ONLY = {
    "agency_id": _UNDER.format(what="f.agency_id", column="agency_id", table="agency"),
    "territory_id": _UNDER.format(what="f.territory_id", column="territory_id", table="territory"),
    "topic_id": _UNDER.format(what="f.topic_id", column="topic_id", table="topic"),
    "page_id": "f.page_id = ANY (CAST(:only_page_id AS bigint[]))",
    "platform": "f.platform = ANY (CAST(:only_platform AS text[]))",
    "operator_id": "f.operator_id = ANY (CAST(:only_operator_id AS bigint[]))",
} | {f"no_{key}": f"f.{key} IS NULL" for key in KEYS}

_ANSWERED = f"f.outcome IN {_ANSWERS}"
COUNTED = {
    "opened": "f.counts",
    "answered": f"f.counts AND {_ANSWERED}",
    "in_time": f"f.counts AND f.outcome = {_MET}",
    "late": f"f.counts AND f.outcome = {_LATE}",
    "unpromised": f"f.counts AND f.outcome = '{UNPROMISED}'",
    # Without an end there is no outcome: said for the index of those that wait.
    "waiting": "f.counts AND f.outcome IS NULL AND f.stopped_at IS NULL",
    "overdue": "f.counts AND f.outcome IS NULL AND f.stopped_at IS NULL AND f.due_at < :ages_at",
    "closed_unanswered": f"f.counts AND f.outcome = {_UNANSWERED}",
    "reopened": f"f.counts AND f.reopened AND f.first_outcome IN {_ANSWERS}",
    "repeated": "f.counts AND f.repeated",
    "dismissed": "f.dismissed",
    **{one: f"f.counts AND f.mark = {one[-1]} AND f.first_outcome IN {_ANSWERS}" for one in MARKS},
}
"""Which lines a number counts, said once: figures count by it, the list behind a number is made by it."""
COUNTS_SQL = ", ".join(f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in COUNTED.items())
_FIGURES = f"""
  {COUNTS_SQL},
  CAST(extract(epoch FROM CAST(:ages_at AS timestamptz) - min(f.started_at) FILTER (WHERE f.counts AND f.stopped_at IS NULL))
    AS float8) AS oldest_age,
  CAST(avg(f.elapsed_seconds) FILTER (WHERE f.counts AND {_ANSWERED}) AS float8) AS average_s,
  percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY f.elapsed_seconds) FILTER (WHERE f.counts AND {_ANSWERED})
    AS shares,
  CAST(avg(f.working_seconds) FILTER (WHERE f.counts AND {_ANSWERED}) AS float8) AS working_average_s,
  percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY f.working_seconds) FILTER (WHERE f.counts AND {_ANSWERED})
    AS working_shares
"""

COLUMN_OF = {
    Grouping.AGENCY: "agency_id",
    Grouping.TERRITORY: "territory_id",
    Grouping.TOPIC: "topic_id",
    Grouping.PAGE: "page_id",
    Grouping.PLATFORM: "platform",
    Grouping.OPERATOR: "operator_id",
}
_LABELS = {
    Grouping.PAGE: ("n.title", "n.platform", "LEFT JOIN page n ON n.id = g.key"),
    Grouping.OPERATOR: ("n.name", "CAST(NULL AS text)", "LEFT JOIN operator n ON n.id = g.key"),
    Grouping.PLATFORM: ("g.key", "CAST(NULL AS text)", ""),
}

# Of a tree, a node's own facts and those of all below it. `shown`: a person does not read the partial figures of a node
# above their scope as if they were the whole of it, unless it has facts of its own in their sight. 0 stands for none.
_TREE = """
WITH RECURSIVE f AS MATERIALIZED ({facts}),
up(leaf, node) AS (
  SELECT DISTINCT coalesce(f.{column}, 0), coalesce(f.{column}, 0) FROM f
  UNION
  SELECT up.leaf, n.parent_id FROM up JOIN {table} n ON n.id = up.node WHERE n.parent_id IS NOT NULL),
g AS (
  SELECT up.node AS key, {figures} FROM f JOIN up ON up.leaf = coalesce(f.{column}, 0) GROUP BY up.node)
SELECT 'row' AS part, CAST(nullif(g.key, 0) AS text) AS key_text, n.name AS label, n.parent_id,
  {shown} OR g.key IN (SELECT up.leaf FROM up) AS shown, to_jsonb(g) - 'key' AS figures
FROM g LEFT JOIN {table} n ON n.id = g.key
UNION ALL
SELECT 'total', NULL, NULL, NULL, NULL, to_jsonb(whole) FROM (SELECT {figures} FROM f) whole
"""
_FLAT = """
WITH f AS MATERIALIZED ({facts}),
g AS (
  SELECT f.{column} AS key, coalesce(CAST(f.{column} AS text), '') AS key_text, {figures} FROM f GROUP BY f.{column}),
page_of_rows AS (
  SELECT * FROM g
  WHERE CAST(:after_opened AS bigint) IS NULL
    OR (-g.opened, g.key_text) > (-CAST(:after_opened AS bigint), CAST(:after_key AS text))
  ORDER BY g.opened DESC, g.key_text LIMIT :most)
SELECT 'row' AS part, nullif(g.key_text, '') AS key_text, {label} AS label, {platform} AS platform,
  to_jsonb(g) - 'key' - 'key_text' AS figures
FROM page_of_rows g {join}
UNION ALL
SELECT 'total', NULL, NULL, NULL, to_jsonb(whole) FROM (SELECT {figures} FROM f) whole
"""

_TREND = """
WITH f AS MATERIALIZED ({facts}),
g AS (
  SELECT width_bucket(f.started_at, CAST(:edges AS timestamptz[])) AS key, {figures} FROM f
  GROUP BY width_bucket(f.started_at, CAST(:edges AS timestamptz[])))
SELECT 'row' AS part, CAST(g.key AS text) AS key_text, to_jsonb(g) - 'key' AS figures FROM g
UNION ALL
SELECT 'total', NULL, to_jsonb(whole) FROM (SELECT {figures} FROM f) whole
"""


@cache
def response_times_sql(
    group_by: Grouping, filtered: frozenset[str], *, sight: Sight, source: Source, clock: Clock = Clock.FIRST, dismissed: bool = False
) -> TextClause:
    """The report by one grouping. `filtered`: the columns that are narrowed, by parameters `only_<column>`."""
    facts = facts_sql(filtered, clock=clock, sight=sight, source=source, dismissed=dismissed)
    column = COLUMN_OF[group_by]
    if group_by in TREES:
        table = group_by.value
        shown = _SHOWN.get((group_by, sight), "true")
        if column in filtered:
            shown += " AND " + _UNDER.format(what="g.key", column=column, table=table)
        return text(_TREE.format(facts=facts, figures=_FIGURES, column=column, table=table, shown=f"({shown})"))
    label, platform, join = _LABELS[group_by]
    return text(_FLAT.format(facts=facts, figures=_FIGURES, column=column, label=label, platform=platform, join=join))


@cache
def trend_sql(filtered: frozenset[str], *, sight: Sight, source: Source, clock: Clock = Clock.FIRST, dismissed: bool = False) -> TextClause:
    """The figures by bucket: parameter `edges` holds the first moment of each, rows are numbered from 1."""
    facts = facts_sql(filtered, clock=clock, sight=sight, source=source, dismissed=dismissed)
    return text(_TREND.format(facts=facts, figures=_FIGURES))


def facts_sql(filtered: frozenset[str], *, clock: Clock, sight: Sight, source: Source, dismissed: bool) -> str:
    """The lines of the population (`counts`), and the dismissed ones when they are asked for, within the caller's sight."""
    lines = _SOURCES[source].format(columns=_columns(clock), early=_EARLY[sight])
    if source is Source.THEN and sight is not Sight.WHOLE:
        lines = of_few(lines)
    population = _POPULATION[clock]
    asked = f"({population} OR f.dismissed)" if dismissed else population
    conditions = " AND ".join([asked, _VISIBLE[sight], *(_ONLY[column] for column in sorted(filtered))])
    return f"SELECT f.*, ({population}) AS counts FROM ({lines}) f WHERE {conditions}"  # noqa: S608 - fragments of this file


def backlog_sql(filtered: frozenset[str], *, sight: Sight, source: Source, clock: Clock) -> str:
    """How many waited at each of the moments `:ends`, numbered from 1."""
    facts = facts_sql(filtered, clock=clock, sight=sight, source=source, dismissed=False)
    return f"""
    WITH f AS MATERIALIZED ({facts}),
    moves AS (
      SELECT f.started_at AS at, 1 AS step FROM f
      UNION ALL SELECT greatest(f.stopped_at, f.started_at), -1 FROM f WHERE f.stopped_at IS NOT NULL)
    SELECT e.number, CAST(sum(m.step) AS bigint) AS waiting
    FROM unnest(CAST(:ends AS timestamptz[])) WITH ORDINALITY e(at, number) JOIN (
      SELECT width_bucket(m.at, CAST(:ends AS timestamptz[])) AS place, sum(m.step) AS step FROM moves m GROUP BY 1) m
      ON m.place < e.number
    GROUP BY e.number"""  # noqa: S608 - fragments of this file
