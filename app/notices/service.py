"""Writes notices: each once by its key; of one deadline only the newest stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.db import Bulk
from app.kernel.locks import Lock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import WriteSession
    from app.notices.rules import Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A notice to give: of an appeal's timer, or of a comment that waits in triage. `occurred_at` is the moment told of."""

    key: str
    kind: Kind
    agency_id: int | None
    territory_id: int | None
    occurred_at: datetime
    appeal_id: int | None = None
    timer_id: int | None = None
    comment_id: int | None = None
    share: int | None = None
    """Of the term that has passed, in percent; None where nobody says."""


_SUPERSEDE_TIMERS = Bulk(
    """
    UPDATE notice n SET settled_at = :now FROM {rows}
    WHERE n.appeal_id = r.appeal_id AND n.timer_id = r.timer_id AND n.settled_at IS NULL AND n.key <> r.key
    """,
    appeal_id="bigint", timer_id="bigint", key="text",
)  # fmt: skip

_SUPERSEDE_COMMENTS = Bulk(
    "UPDATE notice n SET settled_at = :now FROM {rows} WHERE n.comment_id = r.comment_id AND n.settled_at IS NULL AND n.key <> r.key",
    comment_id="bigint", key="text",
)  # fmt: skip

_TELL = Bulk(
    """
    INSERT INTO notice (key, kind, agency_id, territory_id, occurred_at, appeal_id, timer_id, comment_id, share, stage_at)
    SELECT r.*, r.occurred_at FROM {rows}
    ON CONFLICT (key) DO UPDATE SET settled_at = NULL, stage_at = excluded.stage_at WHERE notice.settled_at IS NOT NULL
    RETURNING key, xmax = 0 AS fresh
    """,
    key="text", kind="text", agency_id="bigint", territory_id="bigint", occurred_at="timestamptz", appeal_id="bigint", timer_id="bigint",
    comment_id="bigint", share="integer",
)  # fmt: skip


async def tell(session: WriteSession, rows: Sequence[Told], *, now: datetime) -> frozenset[str]:
    """Give notices; the keys of those that were not given before. Earlier ones of the same deadline are settled.

    One that was given and settled, and is true after all, stands again: the answer that had settled it was taken away, say.
    """
    timers = [(one.appeal_id, one.timer_id, one.key) for one in rows if one.timer_id is not None]
    await _SUPERSEDE_TIMERS.run(session, timers, now=now)
    await _SUPERSEDE_COMMENTS.run(session, [(one.comment_id, one.key) for one in rows if one.comment_id is not None], now=now)
    told = await _TELL.run(
        session,
        [
            (
                one.key, one.kind.value, one.agency_id, one.territory_id, one.occurred_at, one.appeal_id, one.timer_id, one.comment_id,
                one.share,
            )
            for one in rows
        ],
    )  # fmt: skip
    return frozenset(row.key for row in told if row.fresh)


_WITHDRAW = Bulk(
    """
    UPDATE notice n SET settled_at = :now FROM {rows}
    WHERE n.appeal_id = r.appeal_id AND n.timer_id = r.timer_id AND n.settled_at IS NULL AND (n.kind = 'sla_breach' OR NOT r.warned)
    """,
    appeal_id="bigint", timer_id="bigint", warned="boolean",
)  # fmt: skip


async def withdraw(session: WriteSession, rows: Sequence[tuple[int, int, bool]], *, now: datetime) -> None:
    """Of (appeal, timer, whether a warning of it has come): its deadline lies ahead again, and what was told of it is so no more."""
    await _WITHDRAW.run(session, rows, now=now)


_TRY_LOCK = text(f"SELECT pg_try_advisory_xact_lock({Lock.NOTICES.value})")

# Rows that somebody else is changing are left for the next time: tidying never waits while it holds rows.
_SETTLE_STOPPED = text(
    """
    WITH done AS (
      SELECT n.id, t.stopped_at FROM notice n JOIN sla_timer t ON t.id = n.timer_id
      WHERE n.settled_at IS NULL AND t.stopped_at IS NOT NULL ORDER BY n.id FOR UPDATE OF n SKIP LOCKED)
    UPDATE notice n SET settled_at = greatest(done.stopped_at, n.occurred_at) FROM done WHERE n.id = done.id
    """
)
_SETTLE_DECIDED = text(
    """
    WITH done AS (
      SELECT n.id FROM notice n JOIN comment c ON c.id = n.comment_id
      WHERE n.settled_at IS NULL AND c.fate IS DISTINCT FROM 'in_triage' ORDER BY n.id FOR UPDATE OF n SKIP LOCKED)
    UPDATE notice n SET settled_at = :now FROM done WHERE n.id = done.id
    """
)
_FOLLOW = text(
    """
    WITH moved AS (
      SELECT n.id, a.agency_id, a.territory_id FROM notice n JOIN appeal a ON a.id = n.appeal_id
      WHERE n.settled_at IS NULL AND (n.agency_id, n.territory_id) IS DISTINCT FROM (a.agency_id, a.territory_id)
      ORDER BY n.id FOR UPDATE OF n SKIP LOCKED)
    UPDATE notice n SET agency_id = moved.agency_id, territory_id = moved.territory_id, stage = -1, stage_at = CAST(:now AS timestamptz)
    FROM moved WHERE n.id = moved.id
    """
)
"""Whoever holds the matter now is told outside, too: of every stage that has come, each address of each once."""


async def tidy(session: WriteSession, *, now: datetime) -> None:
    """Settle notices whose timer stopped or whose comment was decided; let the others follow their appeal to its new holders.

    One at a time over all workers: who comes second does nothing. Readers do not wait for it (see `queries`).
    """
    if await session.scalar(_TRY_LOCK):
        await session.execute(_SETTLE_STOPPED)
        await session.execute(_SETTLE_DECIDED, {"now": now})
        await session.execute(_FOLLOW, {"now": now})
