"""What the history of an appeal says of each of its cycles: one line, computed here and nowhere else.

The same statement serves the present (`report_line`, kept by `rollup.py`, and whatever is queued for it) and any past
moment (`:as_of`: only what was recorded by then). Values are parameters; only fragments of this file are put together.
"""

from __future__ import annotations

from app.appeals.rules import Act
from app.reports.models import PROMISES
from app.sla.rules import Promise, TimerOutcome

STOPPING_ACTS = (Act.REPLY_SENT, Act.INTERIM_SENT, Act.ANSWERED_BY_HAND, Act.CLOSED, Act.DISMISSED)
"""What stops a first-answer clock: the first of these in a cycle. `recorded_at` of that event is when we knew."""
HANDED_IN = (Act.REPLY_SUBMITTED, Act.REPLY_QUEUED)
"""The agency has done its part."""
GIVEN = (Act.ROUTED, Act.FOLLOWED)
"""An agency got it from another one: by itself, or with the appeal that it was merged into."""

UNPROMISED = "unpromised"
"""The outcome of an answer for which no clock ran: it counts as an answer, and is neither in time nor late."""
PROMISE_OF = {"first": Promise.FIRST_ANSWER, "interim": Promise.INTERIM_ANSWER, "final": Promise.FINAL_ANSWER}

KEYS = ("agency_id", "territory_id", "topic_id", "page_id", "platform", "operator_id")
COLUMNS = (
    "appeal_id", "cycle", "started_at", "agency_id", "territory_id", "topic_id", "page_id", "operator_id", "platform",
    *(f"{promise}_{what}" for promise in PROMISES for what in ("due_at", "stopped_at", "outcome", "seconds", "working")),
    "agency_seconds", "agency_working", "triage_seconds", "triage_working", "detection_seconds", "reopened", "repeated", "dismissed",
    "approval_seconds", "approval_working", "mark",
)  # fmt: skip
"""Of a line, in the order of the table."""

_CANCELLED, _UNANSWERED = (f"'{one.value}'" for one in (TimerOutcome.CANCELLED, TimerOutcome.UNANSWERED))
_MET, _LATE = (f"'{one.value}'" for one in (TimerOutcome.MET, TimerOutcome.LATE))
_REPLY_ACTS = f"'{Act.REPLY_SENT.value}', '{Act.INTERIM_SENT.value}', '{Act.ANSWERED_BY_HAND.value}'"
_BEGUN = f"'{Act.OPENED.value}', '{Act.REOPENED.value}'"


def acts_sql(acts: tuple[Act, ...]) -> str:
    """A list for IN."""
    return ", ".join(f"'{act.value}'" for act in acts)


# What an answer that was taken away had stopped, it did not stop: it kept no promise, and no draft of it was handed in.
_COUNTS = f"""AND NOT EXISTS (
  SELECT FROM appeal_event x WHERE x.appeal_id = a.id AND x.act = '{Act.REPLY_REMOVED.value}' AND x.data ? 'uncounted'
    AND x.data -> 'reply' = e.data -> 'reply' {{undone_known}})"""

_EVENTS = "appeal_event x WHERE x.appeal_id = s.appeal_id"
_EVENTS_OF_FEW = "otklik_clock_events(s.appeal_id, CAST(:as_of AS timestamptz)) x WHERE true"

# A clock as it was known: had it been set going again only later, or its deadline been moved by a person, what the event of that says
# of before still held. (Whatever else moves a deadline later, a pause, leaves it on the same side of the moment.)
# IS TRUE: else all that was recorded since would be read by its index once more for each clock.
_CLOCKS_THEN = f"""(
  SELECT s.id, s.appeal_id, s.cycle, s.promise, s.started_at, s.recorded_at, coalesce(m.due_at, s.due_at) AS due_at,
    CASE WHEN m.calendar IS NULL THEN s.calendar_version_id ELSE CAST(nullif(m.calendar, 'null') AS bigint) END AS calendar_version_id,
    CASE WHEN m.was IS NULL THEN s.stopped_at ELSE CAST(m.was ->> 'stopped_at' AS timestamptz) END AS stopped_at,
    CASE WHEN m.was IS NULL THEN s.outcome ELSE m.was ->> 'outcome' END AS outcome,
    CASE WHEN m.was IS NULL THEN s.agency_id ELSE CAST(m.was ->> 'agency' AS bigint) END AS agency_id,
    CASE WHEN m.was IS NULL THEN s.elapsed_seconds ELSE CAST(m.was ->> 'elapsed' AS integer) END AS elapsed_seconds,
    CASE WHEN m.was IS NULL THEN s.working_seconds ELSE CAST(m.was ->> 'working' AS integer) END AS working_seconds
  FROM sla_timer s CROSS JOIN LATERAL (
    SELECT (array_agg(x.data -> 'clocks' -> s.promise ORDER BY x.id) FILTER (WHERE x.act = '{Act.REPLY_REMOVED.value}'))[1] AS was,
      CAST((array_agg(coalesce(x.data ->> 'due_before', x.data -> 'clocks' -> s.promise ->> 'due_at') ORDER BY x.id))[1] AS timestamptz)
        AS due_at,
      (array_agg(x.data -> 'calendar_before' ORDER BY x.id) FILTER (WHERE x.data ? 'calendar_before'))[1] AS calendar
    FROM {_EVENTS} AND x.cycle = s.cycle AND (x.recorded_at > :as_of) IS TRUE
      AND (x.act = '{Act.REPLY_REMOVED.value}' AND x.data -> 'clocks' ? s.promise
        OR x.act IN ('{Act.EXTENDED.value}', '{Act.POLICY_APPLIED.value}') AND x.data ->> 'promise' = s.promise)) m)"""  # noqa: S608

# A pause as it was known: whatever ended it since may have happened before. Its end has a row of its own in the history.
_ENDS_PAUSE = (Act.RESUMED, Act.REPLY_SENT, Act.ANSWERED_BY_HAND, Act.CLOSED, Act.DISMISSED, Act.MERGED)
_PAUSES_THEN = f"""(
  SELECT s.appeal_id, s.since, CASE WHEN coalesce((
    SELECT min(x.recorded_at) FROM {_EVENTS} AND x.act IN ({acts_sql(_ENDS_PAUSE)}) AND greatest(x.occurred_at, s.since) = s.until),
    s.until) <= :as_of THEN s.until END AS until
  FROM sla_pause s WHERE s.since <= :as_of)"""  # noqa: S608 - constants

# Every cycle has a line, with a clock or without: figures that exist only where a promise was made flatter whoever made none.
_CYCLES = f"""
CROSS JOIN LATERAL (
  SELECT coalesce(t.cycle, e.cycle) AS cycle, coalesce(t.started_at, e.occurred_at) AS started_at,
    t.id IS NOT NULL AS promised, t.due_at, t.stopped_at, t.outcome, t.agency_id, t.elapsed_seconds, t.working_seconds,
    t.calendar_version_id
  FROM (
    SELECT DISTINCT ON (o.cycle) o.* FROM {{clocks}} o
    WHERE o.appeal_id = a.id AND o.promise = '{Promise.FIRST_ANSWER.value}' {{timer_known}}
    ORDER BY o.cycle, o.id DESC) t
  FULL JOIN (
    SELECT DISTINCT ON (o.cycle) o.cycle, o.occurred_at FROM appeal_event o
    WHERE o.appeal_id = a.id AND o.act IN ({_BEGUN}) {{event_known}}
    ORDER BY o.cycle, o.id) e ON e.cycle = t.cycle) c
LEFT JOIN LATERAL (
  SELECT e.id, e.act, e.occurred_at, e.data FROM appeal_event e
  WHERE e.appeal_id = a.id AND e.cycle = c.cycle AND e.act IN ({acts_sql(STOPPING_ACTS)}) {{known}} {{counts}}
  ORDER BY e.id LIMIT 1) stop ON true
"""  # noqa: S608 - constants

# A clock that stands still has no end in sight; what had passed before it was stopped stays passed.
_STANDS = """EXISTS (
  SELECT FROM {pauses} p WHERE p.appeal_id = a.id AND p.since < {due} AND p.until IS NULL)"""

# The other promises of the cycle; one that ended is known by the act that ended it.
_OTHER = """
LEFT JOIN LATERAL (
  SELECT CASE WHEN NOT ({ended} AND o.stopped_at IS NOT NULL) AND {stands} THEN 'infinity' ELSE o.due_at END AS due_at,
    CASE WHEN {ended} THEN o.stopped_at END AS stopped_at, CASE WHEN {ended} THEN o.outcome END AS outcome,
    CASE WHEN {ended} THEN o.elapsed_seconds END AS elapsed_seconds, CASE WHEN {ended} THEN o.working_seconds END AS working_seconds
  FROM {clocks} o WHERE o.appeal_id = a.id AND o.cycle = c.cycle AND o.promise = '{promise}' {timer_known}
  ORDER BY o.id DESC LIMIT 1) {name} ON true
"""
# By then an act must have been recorded that happened when the clock stopped.
_ENDED_THEN = f"""(o.stopped_at IS NOT NULL AND EXISTS (
  SELECT FROM appeal_event e WHERE e.appeal_id = a.id AND e.act IN ({acts_sql(STOPPING_ACTS)})
    AND e.occurred_at = o.stopped_at AND e.recorded_at <= :as_of))"""

# From the last time that it was given to the agency to the draft that the agency handed in.
_HANDED = f"""
LEFT JOIN LATERAL (
  SELECT e.id, e.occurred_at FROM appeal_event e
  WHERE e.appeal_id = a.id AND e.cycle = c.cycle AND e.act IN ({acts_sql(GIVEN)}) AND (stop.id IS NULL OR e.id < stop.id) {{known}}
  ORDER BY e.id DESC LIMIT 1) given ON true
LEFT JOIN LATERAL (
  SELECT e.occurred_at AS until, coalesce(given.occurred_at, CASE WHEN c.cycle = 1 THEN a.opened_at ELSE c.started_at END) AS since
  FROM appeal_event e
  WHERE e.appeal_id = a.id AND e.cycle = c.cycle AND e.act IN ({acts_sql(HANDED_IN)}) AND e.id > coalesce(given.id, 0) {{known}} {{counts}}
  ORDER BY e.id LIMIT 1) handed ON true
"""  # noqa: S608 - constants

_UPTO = """(
  SELECT s.before + least(extract(epoch FROM {at} - s.opens_at), extract(epoch FROM s.closes_at - s.opens_at)) * 1000000 AS worked
  FROM working_span s WHERE s.calendar_version_id = c.calendar_version_id AND s.opens_at <= {at}
  ORDER BY s.opens_at DESC LIMIT 1) {name}"""
_WORKED = "(SELECT {result} FROM {low}, {high})"


def _worked(since: str, until: str, *, result: str) -> str:
    """`otklik_worked` by the calendar of the cycle, said on the spot: called for each line, the function was half of the cost."""
    return _WORKED.format(result=result, low=_UPTO.format(at=since, name="low"), high=_UPTO.format(at=until, name="high"))


# How long the clock stood still in it; rounded only with what it ran.
STOOD = f"""
LEFT JOIN LATERAL (
  SELECT sum(extract(epoch FROM upper(span) - lower(span))) AS seconds,
    sum({_worked("lower(span)", "upper(span)", result="high.worked - low.worked")}) AS worked
  FROM unnest((
    SELECT range_agg(tstzrange(greatest(p.since, handed.since), least(coalesce(p.until, handed.until), handed.until)))
    FROM {{pauses}} p
    WHERE {{paused}}p.appeal_id = a.id AND p.since < handed.until AND coalesce(p.until, handed.until) > handed.since)) span)
  stood ON handed.until > handed.since
"""  # noqa: S608 - constants

# Of the first answer that was approved: from the moment it was handed in, not one that was returned before it.
_APPROVED = f"""
LEFT JOIN LATERAL (
  SELECT h.occurred_at AS since, greatest(e.occurred_at, h.occurred_at) AS until
  FROM appeal_event e JOIN appeal_event h
    ON h.appeal_id = e.appeal_id AND h.act = '{Act.REPLY_SUBMITTED.value}' AND h.data -> 'reply' = e.data -> 'reply'
  WHERE e.appeal_id = a.id AND e.cycle = c.cycle AND e.act = '{Act.REPLY_APPROVED.value}' {{known}}
  ORDER BY e.id LIMIT 1) approved ON true
"""  # noqa: S608 - constants

# Who wrote the answer; of what has none, who holds it.
WRITER = f"""
LEFT JOIN LATERAL (
  SELECT CASE WHEN {{outcome}} IN ({_MET}, {_LATE}, '{UNPROMISED}')
    THEN (SELECT r.operator_id FROM reply r WHERE r.id = CAST(stop.data ->> 'reply' AS bigint)) ELSE {{holder}} END AS operator_id)
  writer ON true
"""  # noqa: S608 - constants

# The last mark that the citizen gave the answer of this cycle.
_MARKED = f"""
LEFT JOIN LATERAL (
  SELECT CAST(e.data ->> 'mark' AS smallint) AS mark FROM appeal_event e
  WHERE e.appeal_id = a.id AND e.cycle = c.cycle AND e.act = '{Act.RATED.value}' {{known}}
  ORDER BY e.id DESC LIMIT 1) marked ON true
"""  # noqa: S608 - constants

_NOTICED = f"""
LEFT JOIN comment m ON c.cycle = 1 AND m.id = a.comment_id
LEFT JOIN LATERAL (
  SELECT EXISTS (
    SELECT FROM appeal_event e WHERE e.appeal_id = a.id AND e.act = '{Act.REOPENED.value}' AND e.cycle = c.cycle + 1 {{known}}) AS again)
  next ON true
"""  # noqa: S608 - constants

# As things stood: an appeal belongs to whoever held it then, and is about what was said of it by then.
_THEN = f"""
LEFT JOIN LATERAL (
  SELECT h.agency_id FROM appeal_assignment h WHERE h.appeal_id = a.id AND h.since <= :as_of
  ORDER BY h.since DESC, h.id DESC LIMIT 1) held ON true
LEFT JOIN LATERAL (
  SELECT e.id, CAST(e.data ->> 'topic' AS bigint) AS topic_id FROM appeal_event e
  WHERE e.appeal_id = a.id AND e.act IN ('{Act.OPENED.value}', '{Act.TOPIC_SET.value}') AND e.data ? 'topic'
    AND e.recorded_at <= :as_of
  ORDER BY e.id DESC LIMIT 1) about ON true
LEFT JOIN LATERAL (
  SELECT e.id, CAST(e.data ->> 'territory' AS bigint) AS territory_id FROM appeal_event e
  WHERE e.appeal_id = a.id AND e.act IN ({acts_sql((Act.OPENED, *GIVEN))}) AND e.data ? 'territory'
    AND e.recorded_at <= :as_of
  ORDER BY e.id DESC LIMIT 1) place ON true
"""  # noqa: S608 - constants

# Who had taken it by then: the last to take it since it was last re-routed, else the first to answer.
_HOLDER_THEN = f"""(
  SELECT e.operator_id FROM appeal_event e
  WHERE e.appeal_id = a.id AND e.recorded_at <= :as_of
    AND e.act IN ('{Act.TAKEN.value}', {acts_sql(HANDED_IN)}) AND NOT e.data ? 'again'
    AND e.id > coalesce((SELECT max(o.id) FROM appeal_event o
      WHERE o.appeal_id = a.id AND o.act IN ({acts_sql(GIVEN)}) AND o.recorded_at <= :as_of), 0)
  ORDER BY e.act = '{Act.TAKEN.value}' DESC, CASE WHEN e.act = '{Act.TAKEN.value}' THEN -e.id ELSE e.id END
  LIMIT 1)"""  # noqa: S608 - constants

# An answer without a clock is measured all the same, from the history alone.
_PLAIN_OUTCOME = f"""CASE WHEN stop.act IN ({_REPLY_ACTS}) THEN '{UNPROMISED}'
    WHEN stop.act = '{Act.CLOSED.value}' THEN {_UNANSWERED} WHEN stop.act = '{Act.DISMISSED.value}' THEN {_CANCELLED} END"""
_PLAIN_SECONDS = """CAST(CASE WHEN stop.id IS NOT NULL THEN greatest(round(extract(epoch FROM stop.occurred_at - c.started_at)), 0) END
    AS integer)"""
_SEEN = "greatest(m.recorded_at, a.written_at)"
"""What was no appeal until it was edited had been seen before anything was asked."""
_LAG = "CAST(greatest(round(extract(epoch FROM {until} - {since})), 0) AS integer)"


def lines_sql(picked: str, *, as_of: bool) -> str:
    """The lines of the appeals whose ids `picked` selects (as `appeal_id`). With `as_of`: as they were known then."""
    known = {
        "known": "AND e.recorded_at <= :as_of" if as_of else "",
        "event_known": "AND o.recorded_at <= :as_of" if as_of else "",
        "timer_known": "AND o.recorded_at <= :as_of" if as_of else "",
        "counts": _COUNTS.format(undone_known="AND x.recorded_at <= :as_of" if as_of else ""),
        "clocks": _CLOCKS_THEN if as_of else "sla_timer",
    }
    columns = columns_sql(as_of=as_of)
    others = "".join(
        _OTHER.format(
            ended=_ENDED_THEN if as_of else "true",
            promise=PROMISE_OF[name].value,
            name=name,
            timer_known=known["timer_known"],
            clocks=known["clocks"],
            stands=stands_sql("o.due_at", as_of=as_of),
        )
        for name in ("interim", "final")
    )
    joins = (
        _CYCLES.format(**known) + others + _HANDED.format(**known) + STOOD.format(paused="", pauses=_PAUSES_THEN if as_of else "sla_pause")
    )
    joins += _APPROVED.format(**known) + _MARKED.format(**known) + _NOTICED.format(**known)
    joins += _THEN if as_of else ""
    joins += WRITER.format(outcome=columns["first_outcome"], holder=_HOLDER_THEN if as_of else "a.operator_id")
    values = ", ".join(f"{columns[name]} AS {name}" for name in COLUMNS)
    own = _OWN_THEN if as_of else OWN
    return f"SELECT {values} FROM ({picked}) picked JOIN appeal a ON a.id = picked.appeal_id {joins} WHERE {own}"  # noqa: S608 - fragments of this file


def of_few(lines: str) -> str:
    """Lines as of a moment for whoever sees some agencies or territories alone.

    An appeal may have gone out of their sight since: what then was recorded of the clocks as they had stood is asked of a door of its own.
    """
    return lines.replace(_EVENTS, _EVENTS_OF_FEW)


def stands_sql(due: str, *, as_of: bool) -> str:
    """Whether the clock stands still, or stood still then."""
    return _STANDS.format(due=due, pauses=_PAUSES_THEN if as_of else "sla_pause")


def columns_sql(*, as_of: bool) -> dict[str, str]:
    """What stands in each column of a line."""
    others = {
        f"{name}_{what}": f"{name}.{column}"
        for name in ("interim", "final")
        for what, column in (
            ("due_at", "due_at"), ("stopped_at", "stopped_at"), ("outcome", "outcome"), ("seconds", "elapsed_seconds"),
            ("working", "working_seconds"),
        )
    }  # fmt: skip
    return (
        _first(as_of=as_of)
        | others
        | _OWN_TIMES
        | {
            "appeal_id": "a.id",
            "cycle": "c.cycle",
            "started_at": "c.started_at",
            "territory_id": "CASE WHEN place.id IS NOT NULL THEN place.territory_id ELSE a.territory_id END" if as_of else "a.territory_id",
            "topic_id": "CASE WHEN about.id IS NOT NULL THEN about.topic_id ELSE a.topic_id END" if as_of else "a.topic_id",
            "page_id": "a.page_id",
            "operator_id": "writer.operator_id",
            "platform": "a.platform",
            "mark": "marked.mark",
            "reopened": "next.again",
            "repeated": f"c.cycle = 1 AND a.author_id IS NOT NULL AND otklik_repeated(a.id, {':as_of' if as_of else 'NULL'})",
        }
    )


def _first(*, as_of: bool) -> dict[str, str]:
    """What became of the first answer. What a clock says of its end is believed when the act that ended it was known."""
    ended = "stop.id IS NOT NULL" if as_of else "c.stopped_at IS NOT NULL"
    outcome = f"CASE WHEN NOT c.promised THEN {_PLAIN_OUTCOME} WHEN {ended} THEN c.outcome END"
    holder = "coalesce(held.agency_id, a.agency_id)" if as_of else "a.agency_id"
    return {
        "agency_id": f"coalesce(CASE WHEN {ended} THEN c.agency_id END, {holder})",
        "first_due_at": f"CASE WHEN NOT ({ended}) AND {stands_sql('c.due_at', as_of=as_of)} THEN 'infinity' ELSE c.due_at END",
        "first_stopped_at": f"CASE WHEN NOT c.promised THEN stop.occurred_at WHEN {ended} THEN c.stopped_at END",
        "first_outcome": outcome,
        "first_seconds": f"CASE WHEN NOT c.promised THEN {_PLAIN_SECONDS} WHEN {ended} THEN c.elapsed_seconds END",
        "first_working": f"CASE WHEN {ended} THEN c.working_seconds END",
        "dismissed": f"{outcome} IS NOT DISTINCT FROM {_CANCELLED}",
    }


# What was merged into an older appeal is counted there, once; the cycles before were matters of their own.
OWN = "(a.merged_into IS NULL OR c.cycle < a.cycle)"
_OWN_THEN = f"""coalesce((
  SELECT e.act <> '{Act.MERGED.value}' FROM appeal_event e
  WHERE e.appeal_id = a.id AND e.cycle = c.cycle AND e.act IN ('{Act.MERGED.value}', '{Act.UNMERGED.value}') AND e.recorded_at <= :as_of
  ORDER BY e.id DESC LIMIT 1), true)"""  # noqa: S608 - constants


def _whole(since: str, until: str, *, less: str = "0") -> str:
    """Working time in whole seconds."""
    seconds = f"CAST(least(greatest(round((high.worked - low.worked - {less}) / 1e6), 0), 2147483647) AS integer)"
    return _worked(since, until, result=seconds)


_RAN = "handed.until > handed.since"
_OWN_TIMES = {
    "agency_seconds": f"CASE WHEN {_RAN} THEN CAST(greatest(round(extract(epoch FROM handed.until - handed.since)"
    " - coalesce(stood.seconds, 0)), 0) AS integer) WHEN handed.until IS NOT NULL THEN 0 END",
    "agency_working": f"CASE WHEN {_RAN} THEN {_whole('handed.since', 'handed.until', less='coalesce(stood.worked, 0)')}"
    " WHEN handed.until IS NOT NULL THEN 0 END",
    "approval_seconds": f"CASE WHEN approved.until IS NOT NULL THEN {_LAG.format(until='approved.until', since='approved.since')} END",
    "approval_working": _whole("approved.since", "approved.until"),
    "triage_seconds": f"CASE WHEN m.id IS NOT NULL THEN {_LAG.format(until='a.opened_at', since=_SEEN)} END",
    "triage_working": f"CASE WHEN m.id IS NOT NULL THEN {_whole(_SEEN, f'greatest(a.opened_at, {_SEEN})')} END",
    "detection_seconds": f"CASE WHEN m.id IS NOT NULL THEN {_LAG.format(until='m.recorded_at', since='a.written_at')} END",
}

# Every appeal of which some cycle may begin in the period.
PERIOD = f"""
SELECT id AS appeal_id FROM appeal WHERE written_at >= :since AND written_at < :until
UNION SELECT appeal_id FROM appeal_event WHERE act = '{Act.REOPENED.value}' AND occurred_at >= :since AND occurred_at < :until
UNION SELECT appeal_id FROM sla_timer
  WHERE promise = '{Promise.FIRST_ANSWER.value}' AND started_at >= :since AND started_at < :until"""  # noqa: S608 - constants
QUEUED = "SELECT DISTINCT appeal_id FROM report_queue"
# What has happened to since, or to an earlier appeal that it may repeat. Whatever else a line says of the past is what it says now.
CHANGED = f"""
WITH touched AS MATERIALIZED (
  SELECT appeal_id FROM appeal_event WHERE recorded_at > :as_of
  UNION SELECT appeal_id FROM sla_timer WHERE recorded_at > :as_of
  UNION {QUEUED})
SELECT appeal_id FROM touched
UNION SELECT later.id FROM touched JOIN appeal a ON a.id = touched.appeal_id JOIN appeal later ON later.author_id = a.author_id
  AND later.written_at > a.written_at AND later.written_at <= a.written_at + interval '30 days'"""  # noqa: S608 - constants
