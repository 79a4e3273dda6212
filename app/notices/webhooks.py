"""Webhooks out: whom we tell what happened to an appeal, by ids alone; each telling is a row, each attempt a line that stays.

A target may hear the same thing twice - when nobody knows whether it heard it the first time - always under the same id.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from sqlalchemy import text

from app.audit import service as audit
from app.kernel.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import ReadSession, WriteSession
    from app.kernel.vault import Vault

ACTS = {
    "appeal.opened": ("opened",),
    "appeal.answered": ("reply_sent", "answered_by_hand"),
    "appeal.closed": ("closed", "dismissed"),
    "appeal.overdue": ("sla_breached",),
}
"""What may be told, and the acts of the history that it is told for."""
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
    appeal_number: int
    agency: str
    appeal_event_id: int
    occurred_at: datetime

    def body(self) -> bytes:
        """The same for every attempt: ids and codes, no word and no name of anybody."""
        data = {"appeal": self.appeal_number, "agency": self.agency, "event": self.appeal_event_id}
        return orjson.dumps({"type": self.kind, "timestamp": self.occurred_at.isoformat(), "data": data})


_COLLECT = text(
    """
    WITH edge AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin),
    one AS (
      SELECT id, kinds, after_xid, after_id FROM webhook_target WHERE revoked_at IS NULL
        AND (CAST(:past AS bigint) IS NULL OR id > :past) ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED),
    fresh AS (
      SELECT e.xid, e.id, e.act, one.id AS target_id, one.kinds FROM one
      JOIN LATERAL (
        SELECT a.xid, a.id, a.act FROM appeal_event a
        WHERE (a.xid, a.id) > (one.after_xid, one.after_id) AND a.xid < (SELECT xmin FROM edge)
        ORDER BY a.xid, a.id LIMIT :most) e ON true),
    told AS (
      INSERT INTO webhook_delivery (target_id, appeal_event_id, kind, state, due_at, created_at)
      SELECT f.target_id, f.id, k.kind, 'waiting', :now, :now FROM fresh f
      JOIN jsonb_to_recordset(CAST(:acts AS jsonb)) AS k(kind text, act text) ON k.act = f.act
      WHERE f.kinds ? k.kind
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
_ACTS_JSON = orjson.dumps([{"kind": kind, "act": act} for kind, acts in ACTS.items() for act in acts]).decode()


async def collect(session: WriteSession, *, now: datetime, past: int | None = None) -> tuple[int | None, int, bool]:
    """New tellings for the first target after `past`: (its id or None, how many, whether there is more to look at)."""
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
    SELECT d.id, t.url, t.secret AS sealed, d.guid, d.kind, d.attempts, d.leased_by, a.number AS appeal_number, y.code AS agency,
      d.appeal_event_id, e.occurred_at
    FROM taken d JOIN webhook_target t ON t.id = d.target_id JOIN appeal_event e ON e.id = d.appeal_event_id
    JOIN appeal a ON a.id = e.appeal_id JOIN agency y ON y.id = a.agency_id
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


# --- targets and the log: by command ---------------------------------------------------------------------------


async def add_target(session: WriteSession, vault: Vault, *, name: str, url: str, kinds: Sequence[str], now: datetime) -> tuple[int, str]:
    """Tell this address from now on; its number and the secret that it checks signatures with, told once."""
    wrong = set(kinds) - set(ACTS)
    if wrong or not kinds:
        raise InvalidError("webhook.kinds", f"Choose from {', '.join(ACTS)}.", field="kinds")
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    row = await session.execute(
        text(
            "INSERT INTO webhook_target (name, url, secret, kinds, created_at) "
            "VALUES (:name, :url, :secret, CAST(:kinds AS jsonb), :now) RETURNING id"
        ),
        {"name": name, "url": url, "secret": vault.seal(secret), "kinds": orjson.dumps(sorted(set(kinds))).decode(), "now": now},
    )
    target_id = int(row.scalar_one())
    await audit.record(session, operator_id=None, act="webhook.added", subject="webhook_target", subject_id=target_id)
    return target_id, secret


async def remove_target(session: WriteSession, *, target_id: int, now: datetime) -> bool:
    """Tell it nothing more; False when there was none."""
    row = await session.execute(
        text("UPDATE webhook_target SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL RETURNING id"),
        {"id": target_id, "now": now},
    )
    if row.scalar_one_or_none() is None:
        return False
    await audit.record(session, operator_id=None, act="webhook.removed", subject="webhook_target", subject_id=target_id)
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetLine:
    """A target in the administrator's list, and how telling it goes."""

    id: int
    name: str
    url: str
    kinds: Any
    delivered: int
    waiting: int
    failed: int


async def list_targets(session: ReadSession) -> list[TargetLine]:
    """Those in use."""
    rows = await session.execute(
        text(
            """
            SELECT t.id, t.name, t.url, t.kinds, count(d.id) FILTER (WHERE d.state = 'delivered') AS delivered,
              count(d.id) FILTER (WHERE d.state IN ('waiting', 'sending')) AS waiting,
              count(d.id) FILTER (WHERE d.state = 'failed') AS failed
            FROM webhook_target t LEFT JOIN webhook_delivery d ON d.target_id = t.id WHERE t.revoked_at IS NULL GROUP BY t.id ORDER BY t.id
            """
        )
    )
    return [TargetLine(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptLine:
    """One attempt in the log."""

    at: datetime
    target: str
    kind: str
    appeal: int
    guid: UUID
    outcome: str
    status: int | None
    detail: str
    state: str


async def attempts_log(session: ReadSession, *, target_id: int | None, most: int) -> list[AttemptLine]:
    """The newest attempts first; also those of which nobody knows whether they were heard."""
    rows = await session.execute(
        text(
            """
            SELECT w.at, t.name AS target, d.kind, a.number AS appeal, d.guid, w.outcome, w.status, w.detail, d.state
            FROM webhook_attempt w JOIN webhook_delivery d ON d.id = w.delivery_id JOIN webhook_target t ON t.id = d.target_id
            JOIN appeal_event e ON e.id = d.appeal_event_id JOIN appeal a ON a.id = e.appeal_id
            WHERE CAST(:target AS bigint) IS NULL OR t.id = :target ORDER BY w.id DESC LIMIT :most
            """
        ),
        {"target": target_id, "most": most},
    )
    return [AttemptLine(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name
