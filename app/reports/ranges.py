"""The lines of a range of appeals, found set by set: each table is read once in the order of its index and joined whole.

The same values as `lines.py` computes, by its own expressions; only how rows come together differs. Looking up every appeal by
itself, as `lines_sql` does, is right for few and takes five times as long for all. Tests hold the one against the other.
"""

from __future__ import annotations

from app.appeals.rules import Act
from app.reports.lines import COLUMNS, GIVEN, HANDED_IN, OWN, PROMISE_OF, STOOD, STOPPING_ACTS, WRITER, acts_sql, columns_sql, stands_sql
from app.sla.rules import Promise

_READ = (
    Act.OPENED, Act.REOPENED, *GIVEN, Act.REPLY_SUBMITTED, Act.REPLY_APPROVED, Act.REPLY_REMOVED, Act.RATED, *STOPPING_ACTS, *HANDED_IN,
)  # fmt: skip
_COUNTS = "NOT EXISTS (SELECT FROM undone u WHERE u.appeal_id = e.appeal_id AND u.reply = e.data -> 'reply')"
_IN_RANGE = "{of} > :after AND {of} <= :upto"

SETTINGS = ("enable_seqscan = off", "enable_nestloop = off")
"""Ranges are read by their indexes and put together by hash or merge, whatever is known of the tables: no plan of it is quadratic.
What is asked row by row stands in LATERAL, which has no other plan than by its index."""

# Events of a range come by (appeal_id, id), so each of these is one pass over what is sorted already.
_SETS = f"""
WITH events AS MATERIALIZED (
  SELECT e.id, e.appeal_id, e.cycle, e.act, e.occurred_at, e.data FROM appeal_event e
  WHERE {_IN_RANGE.format(of="e.appeal_id")} AND e.act IN ({acts_sql(tuple(dict.fromkeys(_READ)))})),
timers AS MATERIALIZED (
  SELECT DISTINCT ON (o.appeal_id, o.cycle, o.promise) o.* FROM sla_timer o
  WHERE {_IN_RANGE.format(of="o.appeal_id")} AND o.promise IN ({", ".join(f"'{one.value}'" for one in PROMISE_OF.values())})
  ORDER BY o.appeal_id, o.cycle, o.promise, o.id DESC),
begun AS MATERIALIZED (
  SELECT DISTINCT ON (e.appeal_id, e.cycle) e.appeal_id, e.cycle, e.occurred_at FROM events e
  WHERE e.act IN ('{Act.OPENED.value}', '{Act.REOPENED.value}') ORDER BY e.appeal_id, e.cycle, e.id),
undone AS MATERIALIZED (
  SELECT e.appeal_id, e.data -> 'reply' AS reply FROM events e WHERE e.act = '{Act.REPLY_REMOVED.value}' AND e.data ? 'uncounted'),
stops AS MATERIALIZED (
  SELECT DISTINCT ON (e.appeal_id, e.cycle) e.appeal_id, e.cycle, e.id, e.act, e.occurred_at, e.data FROM events e
  WHERE e.act IN ({acts_sql(STOPPING_ACTS)}) AND {_COUNTS} ORDER BY e.appeal_id, e.cycle, e.id),
givens AS MATERIALIZED (
  SELECT DISTINCT ON (e.appeal_id, e.cycle) e.appeal_id, e.cycle, e.id, e.occurred_at
  FROM events e LEFT JOIN stops s ON s.appeal_id = e.appeal_id AND s.cycle = e.cycle
  WHERE e.act IN ({acts_sql(GIVEN)}) AND (s.id IS NULL OR e.id < s.id) ORDER BY e.appeal_id, e.cycle, e.id DESC),
handeds AS MATERIALIZED (
  SELECT DISTINCT ON (e.appeal_id, e.cycle) e.appeal_id, e.cycle, e.occurred_at, g.occurred_at AS given_at
  FROM events e LEFT JOIN givens g ON g.appeal_id = e.appeal_id AND g.cycle = e.cycle
  WHERE e.act IN ({acts_sql(HANDED_IN)}) AND e.id > coalesce(g.id, 0) AND {_COUNTS} ORDER BY e.appeal_id, e.cycle, e.id),
paused AS MATERIALIZED (SELECT DISTINCT p.appeal_id FROM sla_pause p WHERE {_IN_RANGE.format(of="p.appeal_id")}),
approvals AS MATERIALIZED (
  SELECT DISTINCT ON (e.appeal_id, e.cycle) e.appeal_id, e.cycle, h.occurred_at AS since, greatest(e.occurred_at, h.occurred_at) AS until
  FROM events e JOIN events h ON h.appeal_id = e.appeal_id AND h.data -> 'reply' = e.data -> 'reply'
  WHERE e.act = '{Act.REPLY_APPROVED.value}' AND h.act = '{Act.REPLY_SUBMITTED.value}' ORDER BY e.appeal_id, e.cycle, e.id),
marks AS MATERIALIZED (
  SELECT DISTINCT ON (e.appeal_id, e.cycle) e.appeal_id, e.cycle, CAST(e.data ->> 'mark' AS smallint) AS mark FROM events e
  WHERE e.act = '{Act.RATED.value}' ORDER BY e.appeal_id, e.cycle, e.id DESC),
reopens AS MATERIALIZED (
  SELECT DISTINCT e.appeal_id, e.cycle - 1 AS cycle FROM events e WHERE e.act = '{Act.REOPENED.value}'),
cycles AS MATERIALIZED (
  SELECT coalesce(t.appeal_id, b.appeal_id) AS appeal_id, coalesce(t.cycle, b.cycle) AS cycle,
    coalesce(t.started_at, b.occurred_at) AS started_at, t.id IS NOT NULL AS promised, t.due_at, t.stopped_at, t.outcome, t.agency_id,
    t.elapsed_seconds, t.working_seconds, t.calendar_version_id
  FROM (SELECT * FROM timers WHERE promise = '{Promise.FIRST_ANSWER.value}') t
  FULL JOIN begun b ON b.appeal_id = t.appeal_id AND b.cycle = t.cycle)
"""  # noqa: S608 - constants

_OTHER = """
LEFT JOIN timers of_{name} ON of_{name}.appeal_id = c.appeal_id AND of_{name}.cycle = c.cycle AND of_{name}.promise = '{promise}'
CROSS JOIN LATERAL (
  SELECT CASE WHEN of_{name}.id IS NOT NULL AND of_{name}.stopped_at IS NULL AND {stands} THEN 'infinity'
      ELSE of_{name}.due_at END AS due_at,
    of_{name}.stopped_at, of_{name}.outcome, of_{name}.elapsed_seconds, of_{name}.working_seconds) {name}"""
_JOINS = f"""
LEFT JOIN stops stop ON stop.appeal_id = c.appeal_id AND stop.cycle = c.cycle
LEFT JOIN handeds h ON h.appeal_id = c.appeal_id AND h.cycle = c.cycle
CROSS JOIN LATERAL (
  SELECT h.occurred_at AS until, coalesce(h.given_at, CASE WHEN c.cycle = 1 THEN a.opened_at ELSE c.started_at END) AS since) handed
LEFT JOIN paused ON paused.appeal_id = c.appeal_id
{STOOD.format(paused="paused.appeal_id IS NOT NULL AND ", pauses="sla_pause")}
LEFT JOIN approvals approved ON approved.appeal_id = c.appeal_id AND approved.cycle = c.cycle
LEFT JOIN marks marked ON marked.appeal_id = c.appeal_id AND marked.cycle = c.cycle
LEFT JOIN LATERAL (
  SELECT o.id, o.recorded_at FROM comment o WHERE c.cycle = 1 AND o.id = a.comment_id OFFSET 0) m ON true
LEFT JOIN reopens n ON n.appeal_id = c.appeal_id AND n.cycle = c.cycle
CROSS JOIN LATERAL (SELECT n.cycle IS NOT NULL AS again) next
"""  # noqa: S608 - constants
# As `otklik_repeated`, which serves readers who do not see all: who builds does.
_REPEATED = """c.cycle = 1 AND a.author_id IS NOT NULL AND EXISTS (
  SELECT FROM appeal b WHERE b.author_id = a.author_id AND b.id <> a.id AND b.written_at < a.written_at
    AND b.written_at >= a.written_at - interval '30 days' AND b.topic_id IS NOT DISTINCT FROM a.topic_id OFFSET 0)"""


def range_lines_sql() -> str:
    """The lines of appeals with ids over `:after` up to `:upto`."""
    columns = columns_sql(as_of=False) | {"repeated": _REPEATED}
    others = "".join(
        _OTHER.format(name=name, promise=PROMISE_OF[name].value, stands=stands_sql(f"of_{name}.due_at", as_of=False))
        for name in ("interim", "final")
    )
    values = ", ".join(f"{columns[name]} AS {name}" for name in COLUMNS)
    writer = WRITER.format(outcome=columns["first_outcome"], holder="a.operator_id")
    return (
        f"{_SETS} SELECT {values} FROM appeal a JOIN cycles c ON c.appeal_id = a.id {others} {_JOINS} {writer}"  # noqa: S608 - fragments
        f" WHERE {_IN_RANGE.format(of='a.id')} AND {OWN}"
    )
