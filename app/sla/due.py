"""Deadlines whose moment has come: taken by one worker each, and marked so that none is taken twice.

A row that another transaction holds (an answer that stops the clock, another worker) is left for the next look. The
appeal is locked together with its timer: an act on the appeal locks it first and its timers after, so taking them in
another order could wait in a circle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Crossed:
    """A timer that passed its deadline, or a warning: the `number`-th of its own, given for moment `at`."""

    timer_id: int
    appeal_id: int
    cycle: int
    promise: str
    due_at: datetime
    at: datetime
    number: int
    agency_id: int
    territory_id: int
    share: int | None = None
    """Of the term, in percent: at which the norm warns so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A comment in triage whose warning (`breached` False) or deadline came at `at`."""

    comment_id: int
    at: datetime
    breached: bool
    agency_id: int
    territory_id: int


# A clock that stands still neither warns nor runs out; what had passed before the pause began stays passed.
BREACHED = text(
    """
    WITH due AS (
      SELECT t.id, a.agency_id, a.territory_id FROM sla_timer t JOIN appeal a ON a.id = t.appeal_id
      WHERE t.stopped_at IS NULL AND t.breached_at IS NULL AND t.due_at <= :now
        AND NOT EXISTS (SELECT FROM sla_pause p WHERE p.appeal_id = t.appeal_id AND p.until IS NULL AND p.since < t.due_at)
      ORDER BY t.due_at LIMIT :limit FOR UPDATE OF t SKIP LOCKED FOR KEY SHARE OF a SKIP LOCKED)
    UPDATE sla_timer t SET breached_at = t.due_at, warn_at = NULL FROM due WHERE t.id = due.id
    RETURNING t.id AS timer_id, t.appeal_id, t.cycle, t.promise, t.due_at, t.due_at AS at, 1 AS number, due.agency_id, due.territory_id
    """
)

WARNED = text(
    """
    WITH due AS (
      SELECT t.id, a.agency_id, a.territory_id FROM sla_timer t JOIN appeal a ON a.id = t.appeal_id
      WHERE t.stopped_at IS NULL AND t.warn_at <= :now AND t.due_at > :now
        AND NOT EXISTS (SELECT FROM sla_pause p WHERE p.appeal_id = t.appeal_id AND p.until IS NULL AND p.since < t.warn_at)
      ORDER BY t.warn_at LIMIT :limit FOR UPDATE OF t SKIP LOCKED FOR KEY SHARE OF a SKIP LOCKED),
    told AS (
      SELECT due.*, w.next, w.number, w.at,
        CAST(round(100 * CAST(p.warn_shares ->> CAST(w.number - 1 AS integer) AS numeric)) AS integer) AS share
      FROM due JOIN sla_timer t ON t.id = due.id JOIN sla_policy_version p ON p.id = t.policy_version_id CROSS JOIN LATERAL (
        SELECT min(m) FILTER (WHERE m > :now) AS next, count(*) FILTER (WHERE m <= :now) AS number, max(m) FILTER (WHERE m <= :now) AS at
        FROM (SELECT CAST(word AS timestamptz) AS m FROM jsonb_array_elements_text(t.warnings) AS given(word)) AS moments) AS w)
    UPDATE sla_timer t SET warn_at = told.next FROM told WHERE t.id = told.id
    RETURNING t.id AS timer_id, t.appeal_id, t.cycle, t.promise, t.due_at, told.at, told.number, told.agency_id, told.territory_id,
      told.share
    """
)

WAITING = text(
    """
    WITH due AS (
      SELECT c.id, c.triage_warn_at AS warn_at, g.agency_id, g.territory_id FROM comment c JOIN page g ON g.id = c.page_id
      WHERE c.fate = 'in_triage' AND c.triage_warn_at <= :now
      ORDER BY c.triage_warn_at LIMIT :limit FOR UPDATE OF c SKIP LOCKED)
    UPDATE comment c SET triage_warn_at = CASE WHEN c.triage_due_at > :now THEN c.triage_due_at END FROM due WHERE c.id = due.id
    RETURNING c.id AS comment_id, CASE WHEN c.triage_due_at <= :now THEN c.triage_due_at ELSE due.warn_at END AS at,
      coalesce(c.triage_due_at <= :now, false) AS breached, due.agency_id, due.territory_id
    """
)

_NEXT = text(
    """
    SELECT least(
      (SELECT min(warn_at) FROM sla_timer WHERE stopped_at IS NULL AND warn_at > :now),
      (SELECT min(due_at) FROM sla_timer WHERE stopped_at IS NULL AND breached_at IS NULL AND due_at > :now),
      (SELECT min(triage_warn_at) FROM comment WHERE fate = 'in_triage' AND triage_warn_at > :now))
    """
)


async def take_breached(session: WriteSession, *, now: datetime, limit: int) -> list[Crossed]:
    """Timers whose deadline has passed; their warnings not given yet are void."""
    rows = await session.execute(BREACHED, {"now": now, "limit": limit})
    return [Crossed(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def take_warned(session: WriteSession, *, now: datetime, limit: int) -> list[Crossed]:
    """Timers with a warning to give: the latest that has come. One that a later one overtook is not given."""
    rows = await session.execute(WARNED, {"now": now, "limit": limit})
    return [Crossed(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def take_waiting(session: WriteSession, *, now: datetime, limit: int) -> list[Waiting]:
    """Comments in triage to warn of, or whose deadline has passed: told once as late, then no more."""
    rows = await session.execute(WAITING, {"now": now, "limit": limit})
    return [Waiting(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def next_moment(session: ReadSession, *, now: datetime) -> datetime | None:
    """The nearest moment after `now` at which one of them will have something to take."""
    moment: datetime | None = await session.scalar(_NEXT, {"now": now})
    return moment
