"""Letters on their way: claimed with a lease, sent with no transaction open, settled with what is known afterwards.

Sent again is only what was definitely not taken and may be taken later. What may have arrived is `unknown`, stands so on the
administrators' screen, and goes out again only when one of them says so.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import text

from app.audit import service as audit
from app.kernel.errors import NotFoundError
from app.notices.outside import TRUE_NOW
from app.people.rules import Permission

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import ReadSession, WriteSession
    from app.kernel.vault import Vault
    from app.people.rules import Access

PAUSES = tuple(timedelta(seconds=seconds) for seconds in (60, 300, 1_800, 7_200))
"""Before the second attempt, the third …; after the last one it has failed."""
LEASE = timedelta(seconds=120)
"""Longer than the slowest carrier takes."""
CODE_HOLDS = timedelta(minutes=15)


class Outcome(StrEnum):
    """What is known of an attempt. `LATER`: not taken, and worth another attempt; `REFUSED`: for good."""

    DELIVERED = "delivered"
    LATER = "later"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """An attempt's outcome; `after`: the other side asks for so long a pause."""

    outcome: Outcome
    detail: str = ""
    after: timedelta = timedelta(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A notice in a letter, as the rows have it."""

    letter_id: int
    kind: str
    number: int | None
    comment_id: int | None
    promise: str
    due_at: datetime
    stage: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A letter that this worker sends now. `timezone` is None where the person has set no hours."""

    id: int
    carrier: str
    address_id: int
    address: str
    sealed: bytes | None
    kind: str
    guid: UUID
    attempts: int
    leased_by: str
    locale: str
    timezone: str | None
    lines: tuple[Line, ...] = ()


# Whose sender died: it may have arrived.
_ABANDONED = text(
    """
    UPDATE notice_letter SET state = 'unknown', settled_at = :now, detail = 'its sender stopped before it heard'
    WHERE id IN (SELECT id FROM notice_letter WHERE state = 'sending' AND leased_until < :now FOR UPDATE SKIP LOCKED) RETURNING carrier
    """
)
_CLAIM = text(
    """
    WITH due AS (
      SELECT m.id FROM notice_letter m WHERE m.state = 'waiting' AND m.due_at <= :now AND m.carrier = ANY (:carriers)
      ORDER BY m.due_at LIMIT :most FOR UPDATE OF m SKIP LOCKED),
    taken AS (
      UPDATE notice_letter m SET state = 'sending', attempts = attempts + 1, leased_until = :until,
        leased_by = CAST(:worker AS text) || '#' || gen_random_uuid()
      FROM due WHERE m.id = due.id RETURNING m.*)
    SELECT m.id, m.carrier, m.address_id, c.address, c.secret AS sealed, m.kind, m.guid, m.attempts, m.leased_by, o.locale, h.timezone,
      c.ended_at IS NULL AND o.deactivated_at IS NULL AND (c.proved_at IS NOT NULL OR m.kind = 'code') AS listens
    FROM taken m JOIN notice_address c ON c.id = m.address_id JOIN operator o ON o.id = m.operator_id
    LEFT JOIN notice_hours h ON h.operator_id = m.operator_id ORDER BY m.id
    """
)
_LINES = text(
    f"""
    SELECT d.letter_id, n.kind, a.number, n.comment_id, coalesce(t.promise, 'triage') AS promise,
      coalesce(t.due_at, c.triage_due_at, n.occurred_at) AS due_at, d.stage
    FROM notice_delivery d JOIN notice n ON n.id = d.notice_id LEFT JOIN appeal a ON a.id = n.appeal_id
    LEFT JOIN sla_timer t ON t.id = n.timer_id LEFT JOIN comment c ON c.id = n.comment_id
    WHERE d.letter_id = ANY (CAST(:ids AS bigint[])) AND {TRUE_NOW} ORDER BY d.id
    """  # noqa: S608 - constants
)
_NOTHING_LEFT = text(
    "UPDATE notice_letter SET state = 'void', settled_at = :now, leased_until = NULL WHERE id = ANY (CAST(:ids AS bigint[]))"
)


async def abandon(session: WriteSession, *, now: datetime) -> Sequence[str]:
    """Letters whose sender died are of unknown outcome from now on; their carriers."""
    return list((await session.scalars(_ABANDONED, {"now": now})).all())


async def claim(session: WriteSession, *, worker: str, carriers: Sequence[str], now: datetime, most: int) -> list[Outgoing]:
    """Take what is due, with the notices in it that are still true. Where none is, there is nothing to send."""
    params = {"worker": worker, "carriers": list(carriers), "now": now, "until": now + LEASE, "most": most}
    rows = list(await session.execute(_CLAIM, params))
    lines: dict[int, list[Line]] = {}
    for row in await session.execute(_LINES, {"ids": [row.id for row in rows]}):
        lines.setdefault(row.letter_id, []).append(Line(**row._mapping))  # noqa: SLF001 - SQLAlchemy's documented name
    sent = [row for row in rows if row.listens and (row.kind == "code" or row.id in lines)]
    void = [row.id for row in rows if row not in sent]
    if void:
        await session.execute(_NOTHING_LEFT, {"ids": void, "now": now})
    return [_outgoing(row, lines.get(row.id, [])) for row in sent]


def _outgoing(row: Any, lines: Sequence[Line]) -> Outgoing:  # noqa: ANN401 - a typed row
    values = {name: value for name, value in row._mapping.items() if name != "listens"}  # noqa: SLF001 - SQLAlchemy's documented name
    return Outgoing(**values, lines=tuple(lines))


async def settle(session: WriteSession, letter: Outgoing, known: Known, *, now: datetime, time_scale: float) -> str:
    """Write down what is known; the state that follows. Whoever took a lease for lost is corrected: knowing is better."""
    state, due = "waiting", None
    if known.outcome is Outcome.LATER and letter.attempts <= len(PAUSES):
        due = now + max(PAUSES[letter.attempts - 1], known.after) / time_scale
    else:
        state = {Outcome.DELIVERED: "delivered", Outcome.UNKNOWN: "unknown"}.get(known.outcome, "failed")
    await session.execute(
        text(
            "UPDATE notice_letter SET state = :state, detail = left(:detail, 300), due_at = coalesce(CAST(:due AS timestamptz), due_at), "
            "leased_until = NULL, settled_at = CASE WHEN CAST(:due AS timestamptz) IS NULL THEN CAST(:now AS timestamptz) END "
            "WHERE id = :id AND leased_by = :lease AND state IN ('sending', 'unknown')"
        ),
        {"id": letter.id, "lease": letter.leased_by, "state": state, "detail": known.detail, "due": due, "now": now},
    )
    return state


# --- codes that prove an address --------------------------------------------------------------------------------


def code_hash(address_id: int, code: str) -> bytes:
    """What is kept of a code."""
    return hashlib.sha256(f"{address_id}:{code}".encode()).digest()


async def new_code(session: WriteSession, letter: Outgoing, vault: Vault, *, now: datetime) -> tuple[str, str]:
    """A fresh code for the address of a letter, and the secret with which a webhook checks signatures from now on."""
    code, secret = f"{secrets.randbelow(1_000_000):06d}", "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    await session.execute(
        text("UPDATE notice_address SET code_hash = :hash, code_until = :until, code_tries = 0, secret = :secret WHERE id = :id"),
        {
            "id": letter.address_id, "hash": code_hash(letter.address_id, code), "until": now + CODE_HOLDS,
            "secret": vault.seal(secret) if letter.carrier == "webhook" else None,
        },
    )  # fmt: skip
    return code, secret


# --- what administrators see -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """A letter that did not arrive, or of which nobody knows."""

    id: int
    name: str
    carrier: str
    kind: str
    state: str
    detail: str
    notices: int
    at: datetime


_TROUBLES = text(
    """
    SELECT m.id, o.name, m.carrier, m.kind, m.state, m.detail, m.settled_at AS at,
      (SELECT count(*) FROM notice_delivery d WHERE d.letter_id = m.id) AS notices
    FROM notice_letter m JOIN operator o ON o.id = m.operator_id
    WHERE m.state IN ('unknown', 'failed') AND m.kind <> 'code' ORDER BY m.id DESC LIMIT :most
    """
)


async def troubles(session: ReadSession, *, most: int = 50) -> list[Trouble]:
    """The newest first."""
    return [Trouble(**row._mapping) for row in await session.execute(_TROUBLES, {"most": most})]  # noqa: SLF001 - SQLAlchemy's documented name


async def decide(session: WriteSession, access: Access, letter_id: int, *, again: bool, now: datetime) -> None:
    """Send it again under the same id, or put it aside. NotFoundError when there is nothing to decide."""
    access.require(Permission.CONFIGURE)
    row = await session.execute(
        text(
            "UPDATE notice_letter SET state = :state, due_at = :now, settled_at = :settled "
            "WHERE id = :id AND state IN ('unknown', 'failed') AND kind <> 'code' RETURNING id"
        ),
        {"id": letter_id, "state": "waiting" if again else "void", "now": now, "settled": None if again else now},
    )
    if row.scalar_one_or_none() is None:
        raise NotFoundError("notice_letter.unknown", "There is no such letter to decide about.")
    act = "repeated" if again else "put_aside"
    await audit.record(session, operator_id=access.operator_id, act=act, subject="notice_letter", subject_id=letter_id)
