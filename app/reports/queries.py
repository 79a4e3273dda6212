"""The SQL of the measures: which timers count (`_facts`), how they are grouped, what is computed of them.

One statement per report. Values are always parameters; only fragments of this file are put together.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals.rules import Act
from app.reports.rules import TREES, Grouping
from app.sla.rules import Promise, TimerOutcome

if TYPE_CHECKING:
    from sqlalchemy import TextClause

STOPPING_ACTS = (Act.REPLY_SENT, Act.ANSWERED_BY_HAND, Act.CLOSED, Act.DISMISSED)
"""What stops a first-answer clock: the first of these in a cycle. `recorded_at` of that event is when we knew."""

_STOPPING = ", ".join(f"'{act.value}'" for act in STOPPING_ACTS)
_CANCELLED, _UNANSWERED = (f"'{one.value}'" for one in (TimerOutcome.CANCELLED, TimerOutcome.UNANSWERED))
_MET, _LATE = (f"'{one.value}'" for one in (TimerOutcome.MET, TimerOutcome.LATE))

# The event that stopped the clock. Literals, so that the partial index of the timers fits a generic plan as well.
_STOP = f"""
LEFT JOIN LATERAL (
  SELECT e.id, e.data FROM appeal_event e
  WHERE e.appeal_id = t.appeal_id AND e.cycle = t.cycle AND e.act IN ({_STOPPING}) {{known}}
  ORDER BY e.id LIMIT 1) stop ON true
"""  # noqa: S608 - constants

# Who wrote the answer; of what has none, who holds it.
_WRITER = f"""
LEFT JOIN reply r ON r.id = CAST(stop.data ->> 'reply' AS bigint)
LEFT JOIN LATERAL (
  SELECT CASE WHEN {{outcome}} IN ({_MET}, {_LATE}) THEN r.operator_id ELSE {{holder}} END AS operator_id)
  writer ON true
"""

# As things stood: only what was recorded by then. An appeal belongs to whoever held it then, and is about what was said
# of it by then.
_THEN = f"""
LEFT JOIN LATERAL (
  SELECT h.agency_id FROM appeal_assignment h WHERE h.appeal_id = t.appeal_id AND h.since <= :as_of
  ORDER BY h.since DESC, h.id DESC LIMIT 1) held ON true
LEFT JOIN LATERAL (
  SELECT e.id, CAST(e.data ->> 'topic' AS bigint) AS topic_id FROM appeal_event e
  WHERE e.appeal_id = t.appeal_id AND e.act IN ('{Act.OPENED.value}', '{Act.TOPIC_SET.value}') AND e.data ? 'topic'
    AND e.recorded_at <= :as_of
  ORDER BY e.id DESC LIMIT 1) about ON true
LEFT JOIN LATERAL (
  SELECT e.id, CAST(e.data ->> 'territory' AS bigint) AS territory_id FROM appeal_event e
  WHERE e.appeal_id = t.appeal_id AND e.act IN ('{Act.OPENED.value}', '{Act.ROUTED.value}') AND e.data ? 'territory'
    AND e.recorded_at <= :as_of
  ORDER BY e.id DESC LIMIT 1) place ON true
"""  # noqa: S608 - constants

# Who had taken it by then: the last to take it since it was last re-routed, else the first to answer.
_HOLDER_THEN = f"""(
  SELECT e.operator_id FROM appeal_event e
  WHERE e.appeal_id = t.appeal_id AND e.recorded_at <= :as_of
    AND e.act IN ('{Act.TAKEN.value}', '{Act.REPLY_QUEUED.value}')
    AND e.id > coalesce((SELECT max(o.id) FROM appeal_event o
      WHERE o.appeal_id = t.appeal_id AND o.act = '{Act.ROUTED.value}' AND o.recorded_at <= :as_of), 0)
  ORDER BY e.act = '{Act.TAKEN.value}' DESC, CASE WHEN e.act = '{Act.TAKEN.value}' THEN -e.id ELSE e.id END
  LIMIT 1)"""  # noqa: S608 - constants

_FACTS_NOW = """
SELECT t.started_at, t.due_at, t.stopped_at, t.outcome, t.elapsed_seconds, t.working_seconds,
  coalesce(t.agency_id, a.agency_id) AS agency_id, a.territory_id, a.topic_id, a.page_id, a.platform,
  {operator} AS operator_id
FROM sla_timer t JOIN appeal a ON a.id = t.appeal_id {joins}
WHERE t.promise = '{promise}' AND t.started_at >= :since AND t.started_at < :until
  AND t.outcome IS DISTINCT FROM {cancelled}
  AND {early}
"""
_FACTS_THEN = """
SELECT t.started_at, t.due_at,
  CASE WHEN stop.id IS NOT NULL THEN t.stopped_at END AS stopped_at,
  CASE WHEN stop.id IS NOT NULL THEN t.outcome END AS outcome,
  CASE WHEN stop.id IS NOT NULL THEN t.elapsed_seconds END AS elapsed_seconds,
  CASE WHEN stop.id IS NOT NULL THEN t.working_seconds END AS working_seconds,
  coalesce(CASE WHEN stop.id IS NOT NULL THEN t.agency_id END, held.agency_id, a.agency_id) AS agency_id,
  CASE WHEN place.id IS NOT NULL THEN place.territory_id ELSE a.territory_id END AS territory_id,
  CASE WHEN about.id IS NOT NULL THEN about.topic_id ELSE a.topic_id END AS topic_id,
  a.page_id, a.platform, {operator} AS operator_id
FROM sla_timer t JOIN appeal a ON a.id = t.appeal_id {joins}
WHERE t.promise = '{promise}' AND t.started_at >= :since AND t.started_at < :until AND t.recorded_at <= :as_of
  AND NOT (stop.id IS NOT NULL AND t.outcome IS NOT DISTINCT FROM {cancelled})
"""


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
# Says less than the door does, but of one table: such cheap, leakproof conditions are asked before the dear ones of
# row-level security.
_EARLY = {
    Sight.WHOLE: "true",
    Sight.AGENCIES: f"(t.agency_id IS NULL OR {_IN_AGENCIES.format(of='t.agency_id')})",
    Sight.TERRITORIES: _IN_TERRITORIES.format(of="a.territory_id"),
    Sight.BOTH: "true",
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

_UNDER = (
    "{what} IN (WITH RECURSIVE below(id) AS (SELECT unnest(CAST(:only_{column} AS bigint[]))"
    " UNION SELECT c.id FROM {table} c JOIN below ON c.parent_id = below.id) SELECT id FROM below)"
)
_ONLY = {
    "agency_id": _UNDER.format(what="f.agency_id", column="agency_id", table="agency"),
    "territory_id": _UNDER.format(what="f.territory_id", column="territory_id", table="territory"),
    "topic_id": _UNDER.format(what="f.topic_id", column="topic_id", table="topic"),
    "page_id": "f.page_id = ANY (CAST(:only_page_id AS bigint[]))",
    "platform": "f.platform = ANY (CAST(:only_platform AS text[]))",
    "operator_id": "f.operator_id = ANY (CAST(:only_operator_id AS bigint[]))",
}

_ANSWERED = f"f.outcome IN ({_MET}, {_LATE})"
_FIGURES = f"""
  count(*) AS opened,
  count(*) FILTER (WHERE {_ANSWERED}) AS answered,
  count(*) FILTER (WHERE f.outcome = {_MET}) AS in_time,
  count(*) FILTER (WHERE f.outcome = {_LATE}) AS late,
  count(*) FILTER (WHERE f.stopped_at IS NULL) AS waiting,
  count(*) FILTER (WHERE f.stopped_at IS NULL AND f.due_at < :ages_at) AS overdue,
  count(*) FILTER (WHERE f.outcome = {_UNANSWERED}) AS closed_unanswered,
  CAST(extract(epoch FROM CAST(:ages_at AS timestamptz) - min(f.started_at) FILTER (WHERE f.stopped_at IS NULL))
    AS float8) AS oldest_age,
  CAST(avg(f.elapsed_seconds) FILTER (WHERE {_ANSWERED}) AS float8) AS average_s,
  percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY f.elapsed_seconds) FILTER (WHERE {_ANSWERED})
    AS shares,
  CAST(avg(f.working_seconds) FILTER (WHERE {_ANSWERED}) AS float8) AS working_average_s,
  percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (ORDER BY f.working_seconds) FILTER (WHERE {_ANSWERED})
    AS working_shares
"""

_COLUMNS = {
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
def response_times_sql(group_by: Grouping, filtered: frozenset[str], *, sight: Sight, as_of: bool) -> TextClause:
    """The report by one grouping. `filtered`: the columns that are narrowed, by parameters `only_<column>`."""
    writer = group_by is Grouping.OPERATOR or "operator_id" in filtered
    facts = _facts(filtered, sight=sight, as_of=as_of, writer=writer)
    column = _COLUMNS[group_by]
    if group_by in TREES:
        table = group_by.value
        shown = _SHOWN.get((group_by, sight), "true")
        if column in filtered:
            shown += " AND " + _UNDER.format(what="g.key", column=column, table=table)
        return text(_TREE.format(facts=facts, figures=_FIGURES, column=column, table=table, shown=f"({shown})"))
    label, platform, join = _LABELS[group_by]
    return text(_FLAT.format(facts=facts, figures=_FIGURES, column=column, label=label, platform=platform, join=join))


@cache
def trend_sql(filtered: frozenset[str], *, sight: Sight, as_of: bool) -> TextClause:
    """The figures by bucket: parameter `edges` holds the first moment of each, rows are numbered from 1."""
    facts = _facts(filtered, sight=sight, as_of=as_of, writer="operator_id" in filtered)
    return text(_TREND.format(facts=facts, figures=_FIGURES))


def _facts(filtered: frozenset[str], *, sight: Sight, as_of: bool, writer: bool) -> str:
    """The population, one line per appeal and cycle, with what it is grouped by; within the caller's sight."""
    known = "AND e.recorded_at <= :as_of" if as_of else ""
    outcome = "CASE WHEN stop.id IS NOT NULL THEN t.outcome END" if as_of else "t.outcome"
    joins = _STOP.format(known=known) if as_of or writer else ""
    if as_of:
        joins += _THEN
    if writer:
        joins += _WRITER.format(outcome=outcome, holder=_HOLDER_THEN if as_of else "a.operator_id")
    base = (_FACTS_THEN if as_of else _FACTS_NOW).format(
        joins=joins,
        operator="writer.operator_id" if writer else "CAST(NULL AS bigint)",
        promise=Promise.FIRST_ANSWER.value,
        cancelled=_CANCELLED,
        early=_EARLY[sight],
    )
    conditions = " AND ".join([_VISIBLE[sight], *(_ONLY[column] for column in sorted(filtered))])
    return f"SELECT * FROM ({base}) f WHERE {conditions}"  # noqa: S608 - fragments of this file
