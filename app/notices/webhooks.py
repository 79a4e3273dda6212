"""Webhooks out: whom we tell what happened to an appeal, by ids alone; each telling is a row, each attempt a line that stays.

A target may hear the same thing twice - when nobody knows whether it heard it the first time - always under the same id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from sqlalchemy import text

if TYPE_CHECKING:
    from app.kernel.db import WriteSession

ACTS = {
    "appeal.opened": ("opened",),
    "appeal.answered": ("reply_sent", "answered_by_hand"),
    "appeal.closed": ("closed", "dismissed"),
    "appeal.overdue": ("sla_breached",),
}
"""What may be told, and the acts of the history that it is told for."""
FOLLOWS = {"appeal.overdue": ("appeal.overdue_withdrawn", "sla_breach_withdrawn")}
"""What whoever is told of the one is told besides: that it stands no more, and the act that this is told for."""
TEST = "test"
"""Told when an administrator asks for it; of no appeal."""
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 3_600, 21_600, 86_400))
"""Before the second attempt, the third …; after the last one it has failed, and stands in the log for a person."""
LEASE = timedelta(seconds=60)
_AT_ONCE = 1_000


class Outcome(StrEnum):
    """What is known of an attempt. `UNKNOWN`: it may have been heard."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """One telling that this worker makes now."""

    id: int
    url: str
    sealed: bytes
    guid: UUID
    kind: str
    attempts: int
    leased_by: str
    data: dict[str, Any]
    occurred_at: datetime

    def body(self) -> bytes:
        """The same for every attempt: ids and codes, no word and no name of anybody."""
        return orjson.dumps({"type": self.kind, "timestamp": self.occurred_at.isoformat(), "data": self.data})


_COLLECT = text(
    """
    WITH RECURSIVE edge AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin),
    one AS (
      SELECT id, kinds, agency_id, territory_id, after_xid, after_id FROM webhook_target WHERE revoked_at IS NULL
        AND (CAST(:past AS bigint) IS NULL OR id > :past) ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED),
    agencies(id) AS (
      SELECT agency_id FROM one WHERE agency_id IS NOT NULL
      UNION SELECT below.id FROM agency below JOIN agencies ON below.parent_id = agencies.id),
    territories(id) AS (
      SELECT territory_id FROM one WHERE territory_id IS NOT NULL
      UNION SELECT below.id FROM territory below JOIN territories ON below.parent_id = territories.id),
    fresh AS (
      SELECT e.xid, e.id, e.act, e.appeal_id, e.occurred_at FROM one
      JOIN LATERAL (
        SELECT * FROM appeal_event a
        WHERE (a.xid, a.id) > (one.after_xid, one.after_id) AND a.xid < (SELECT xmin FROM edge)
        ORDER BY a.xid, a.id LIMIT :most) e ON true),
    told AS (
      INSERT INTO webhook_delivery (target_id, appeal_event_id, kind, data, occurred_at, state, due_at, created_at)
      SELECT one.id, f.id, k.kind, jsonb_build_object('appeal', a.number, 'agency', y.code, 'event', f.id), f.occurred_at,
        'waiting', :now, :now
      FROM one, fresh f JOIN jsonb_to_recordset(CAST(:acts AS jsonb)) AS k(kind text, act text, chosen text) ON k.act = f.act
      JOIN appeal a ON a.id = f.appeal_id JOIN agency y ON y.id = a.agency_id
      WHERE one.kinds ? k.chosen AND (one.agency_id IS NULL OR a.agency_id IN (SELECT id FROM agencies))
        AND (one.territory_id IS NULL OR a.territory_id IN (SELECT id FROM territories))
      ON CONFLICT (target_id, appeal_event_id) DO NOTHING RETURNING id),
    last AS (SELECT xid, id, count(*) OVER () AS n FROM fresh ORDER BY xid DESC, id DESC LIMIT 1),
    moved AS (
      UPDATE webhook_target t SET
        after_xid = CASE WHEN last.n = :most THEN last.xid ELSE (SELECT xmin FROM edge) END,
        after_id = CASE WHEN last.n = :most THEN last.id ELSE 0 END
      FROM last, one WHERE t.id = one.id)
    SELECT (SELECT id FROM one) AS target_id, (SELECT count(*) FROM told) AS told, coalesce((SELECT n FROM last), 0) AS seen
    """
)
_ACTS_JSON = orjson.dumps(
    [
        *({"kind": kind, "act": act, "chosen": kind} for kind, acts in ACTS.items() for act in acts),
        *({"kind": kind, "act": act, "chosen": chosen} for chosen, (kind, act) in FOLLOWS.items()),
    ]
).decode()


async def collect(session: WriteSession, *, now: datetime, past: int | None = None) -> tuple[int | None, int, bool]:
    """New tellings for the first target after `past`: (its id or None, how many, whether there is more to look at).

    Only of appeals that lie within the target's scope now. What is told is written down here, so it is the same for every attempt.
    """
    row = (await session.execute(_COLLECT, {"now": now, "most": _AT_ONCE, "acts": _ACTS_JSON, "past": past})).one()
    return row.target_id, int(row.told), int(row.seen) == _AT_ONCE


_CLAIM = text(
    """
    WITH due AS (
      SELECT d.id, d.state = 'sending' AS died FROM webhook_delivery d JOIN webhook_target t ON t.id = d.target_id
      WHERE t.revoked_at IS NULL AND (d.state = 'waiting' AND d.due_at <= :now OR d.state = 'sending' AND d.leased_until < :now)
      ORDER BY d.due_at LIMIT :most FOR UPDATE OF d SKIP LOCKED),
    unheard AS (  -- its sender died: what became of it nobody knows
      INSERT INTO webhook_attempt (delivery_id, at, outcome, detail)
      SELECT id, :now, 'unknown', 'its sender stopped before it heard' FROM due WHERE died),
    taken AS (
      UPDATE webhook_delivery d SET state = 'sending', attempts = attempts + 1, leased_until = :until,
        leased_by = CAST(:worker AS text) || '#' || gen_random_uuid()
      FROM due WHERE d.id = due.id RETURNING d.*)
    SELECT d.id, t.url, t.secret AS sealed, d.guid, d.kind, d.attempts, d.leased_by, d.data, d.occurred_at
    FROM taken d JOIN webhook_target t ON t.id = d.target_id
    ORDER BY d.id
    """
)


async def claim(session: WriteSession, *, worker: str, now: datetime, most: int) -> list[Delivery]:
    """Take what is due, and what a sender left unfinished when it died."""
    rows = await session.execute(_CLAIM, {"worker": worker, "now": now, "until": now + LEASE, "most": most})
    return [Delivery(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def settle(
    session: WriteSession, delivery: Delivery, *, outcome: Outcome, status: int | None, detail: str, now: datetime, time_scale: float
) -> None:
    """Write the attempt down; what was not heard is tried again after a growing pause, until the last one."""
    await session.execute(
        text(
            "INSERT INTO webhook_attempt (delivery_id, at, outcome, status, detail) "
            "VALUES (:id, :now, :outcome, :status, left(:detail, 300))"
        ),
        {"id": delivery.id, "now": now, "outcome": outcome.value, "status": status, "detail": detail},
    )
    again = None if outcome is Outcome.DELIVERED or delivery.attempts > len(PAUSES) else PAUSES[delivery.attempts - 1] / time_scale
    state = "delivered" if outcome is Outcome.DELIVERED else "failed" if again is None else "waiting"
    await session.execute(
        text(
            "UPDATE webhook_delivery SET state = :state, due_at = coalesce(CAST(:due AS timestamptz), due_at), leased_by = NULL, "
            "leased_until = NULL, settled_at = CASE WHEN CAST(:due AS timestamptz) IS NULL THEN CAST(:now AS timestamptz) END "
            "WHERE id = :id AND state = 'sending' AND leased_by = :lease"
        ),
        {"id": delivery.id, "lease": delivery.leased_by, "state": state, "due": None if again is None else now + again, "now": now},
    )
