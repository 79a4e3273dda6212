"""Where a person wants to be told besides the screen, proved by a code that was sent there; and their own hours."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import text

from app.audit import service as audit
from app.kernel.errors import InvalidError, NotFoundError
from app.kernel.mail import mail_address
from app.kernel.outgoing import RefusedError, target
from app.notices.hours import Hours
from app.notices.letters import code_hash
from app.notices.rules import Carrier

if TYPE_CHECKING:
    from app.kernel.db import ReadSession, WriteSession
    from app.kernel.outgoing import Hosts

MOST_CODES = 5
CODES_WITHIN = timedelta(hours=1)
MOST_TRIES = 5
_CHAT = re.compile(r"-?[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnAddress:
    """One of a person's addresses; `waits_for_code`: a code was sent to it that still holds. `state`: of the last letter, "" before it."""

    id: int
    carrier: Carrier
    address: str
    proved: bool
    waits_for_code: bool
    state: str
    detail: str
    at: datetime | None


_OWN = text(
    """
    SELECT c.id, c.carrier, c.address, c.proved_at IS NOT NULL AS proved, coalesce(c.code_until > :now, false) AS waits_for_code,
      coalesce(m.state, '') AS state, coalesce(m.detail, '') AS detail, coalesce(m.settled_at, m.created_at) AS at
    FROM notice_address c LEFT JOIN LATERAL (
      SELECT * FROM notice_letter l WHERE l.address_id = c.id AND l.state <> 'void' ORDER BY l.created_at DESC, l.id DESC LIMIT 1
    ) m ON true
    WHERE c.operator_id = :operator AND c.ended_at IS NULL ORDER BY c.id
    """
)


async def own_addresses(session: ReadSession, *, operator_id: int, now: datetime) -> list[OwnAddress]:
    """Those in use, and how the last letter went."""
    rows = await session.execute(_OWN, {"operator": operator_id, "now": now})
    return [OwnAddress(**{**row._mapping, "carrier": Carrier(row.carrier)}) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


def checked_address(carrier: Carrier, words: str, hosts: Hosts) -> str:
    """The address as it is used. InvalidError `notice_address.…` that says what is wrong with it."""
    given = words.strip()
    if carrier is Carrier.EMAIL:
        address = mail_address(given)
        if not address:
            raise InvalidError("notice_address.email", "This is no mail address.", field="address")
        return address
    if carrier is Carrier.WEBHOOK:
        try:
            target(given, hosts)
        except RefusedError as error:
            raise InvalidError("notice_address.webhook", "This address is not allowed.", field="address") from error
        return given
    if not _CHAT.fullmatch(given):
        raise InvalidError("notice_address.chat", "A chat is named by its number.", field="address")
    return given


async def set_address(session: WriteSession, *, operator_id: int, carrier: Carrier, address: str, now: datetime) -> int:
    """Another address for this carrier, to be proved; the one before is forgotten. A code is on its way. InvalidError after too many."""
    lately = await session.scalar(
        text("SELECT count(*) FROM notice_letter WHERE operator_id = :operator AND kind = 'code' AND created_at > :since"),
        {"operator": operator_id, "since": now - CODES_WITHIN},
    )
    if (lately or 0) >= MOST_CODES:
        raise InvalidError("notice_address.codes", "Too many codes were asked for: try again in an hour.", field="address")
    await _forget(session, operator_id=operator_id, carrier=carrier, now=now)
    row = await session.execute(
        text(
            "INSERT INTO notice_address (operator_id, carrier, address, created_at) VALUES (:operator, :carrier, :address, :now) "
            "RETURNING id"
        ),
        {"operator": operator_id, "carrier": carrier.value, "address": address, "now": now},
    )
    address_id = int(row.scalar_one())
    await session.execute(
        text(
            "INSERT INTO notice_letter (operator_id, address_id, carrier, kind, due_at, created_at) "
            "VALUES (:operator, :id, :carrier, 'code', :now, :now)"
        ),
        {"operator": operator_id, "id": address_id, "carrier": carrier.value, "now": now},
    )
    await _record(session, operator_id, "set", carrier)
    return address_id


async def try_code(session: WriteSession, *, operator_id: int, carrier: Carrier, code: str, now: datetime) -> bool:
    """Whether the code is the one that was sent; then the address is used from now on. Each try counts: commit also a wrong one."""
    row = (
        await session.execute(
            text(
                "UPDATE notice_address SET code_tries = code_tries + 1 WHERE operator_id = :operator AND carrier = :carrier "
                "AND ended_at IS NULL AND code_until > :now AND code_tries < :most RETURNING id, code_hash"
            ),
            {"operator": operator_id, "carrier": carrier.value, "now": now, "most": MOST_TRIES},
        )
    ).one_or_none()
    digits = "".join(code.split())
    if row is None or row.code_hash is None or not hmac.compare_digest(bytes(row.code_hash), code_hash(row.id, digits)):
        return False
    await session.execute(text("UPDATE notice_address SET proved_at = :now, code_hash = NULL WHERE id = :id"), {"id": row.id, "now": now})
    await _record(session, operator_id, "proved", carrier)
    return True


async def remove_address(session: WriteSession, *, operator_id: int, carrier: Carrier, now: datetime) -> None:
    """Nothing is sent there any more, and the address is forgotten. NotFoundError when there is none."""
    if not await _forget(session, operator_id=operator_id, carrier=carrier, now=now):
        raise NotFoundError("notice_address.unknown", "There is no such carrier.")
    await _record(session, operator_id, "removed", carrier)


async def _forget(session: WriteSession, *, operator_id: int, carrier: Carrier, now: datetime) -> bool:
    row = await session.execute(
        text(
            "UPDATE notice_address SET ended_at = :now, address = '', code_hash = NULL WHERE operator_id = :operator "
            "AND carrier = :carrier AND ended_at IS NULL RETURNING id"
        ),
        {"operator": operator_id, "carrier": carrier.value, "now": now},
    )
    return row.scalar_one_or_none() is not None


async def _record(session: WriteSession, operator_id: int, act: str, carrier: Carrier) -> None:
    data = {"carrier": carrier.value}
    await audit.record(session, operator_id=operator_id, act=act, subject="notice_address", subject_id=operator_id, data=data)


# --- own hours ---------------------------------------------------------------------------------------------------


async def own_hours(session: ReadSession, *, operator_id: int) -> Hours | None:
    """When carriers outside may disturb; None: at any time."""
    row = (await session.execute(text("SELECT * FROM notice_hours WHERE operator_id = :operator"), {"operator": operator_id})).one_or_none()
    if row is None:
        return None
    return Hours(days=frozenset(row.days), opens=row.opens, closes=row.closes, timezone=row.timezone, breach_any_time=row.breach_any_time)


async def set_hours(session: WriteSession, *, operator_id: int, hours: Hours | None, now: datetime) -> None:
    """They hold at once: what waits for other hours is looked at again. None: at any time."""
    if hours is None:
        await session.execute(text("DELETE FROM notice_hours WHERE operator_id = :operator"), {"operator": operator_id})
    else:
        await session.execute(
            text(
                """
                INSERT INTO notice_hours (operator_id, days, opens, closes, timezone, breach_any_time)
                VALUES (:operator, CAST(:days AS jsonb), :opens, :closes, :timezone, :breach)
                ON CONFLICT (operator_id) DO UPDATE SET days = EXCLUDED.days, opens = EXCLUDED.opens, closes = EXCLUDED.closes,
                  timezone = EXCLUDED.timezone, breach_any_time = EXCLUDED.breach_any_time
                """
            ),
            {
                "operator": operator_id, "days": orjson.dumps(sorted(hours.days)).decode(), "opens": hours.opens, "closes": hours.closes,
                "timezone": hours.timezone, "breach": hours.breach_any_time,
            },
        )  # fmt: skip
    await session.execute(
        text("UPDATE notice_delivery SET due_at = :now WHERE operator_id = :operator AND letter_id IS NULL AND void_at IS NULL"),
        {"operator": operator_id, "now": now},
    )
