"""The second step: one-time codes of a device, recovery codes for when it is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit.service import record
from app.kernel.errors import InvalidError
from app.people.attempts import AttemptKind, address_key, count_attempt, forget_attempts
from app.people.codes import RECOVERY_CODES, fitting_step, new_recovery_code, recovery_hash

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import Database, ReadSession, WriteSession
    from app.kernel.vault import Vault


@dataclass(frozen=True, kw_only=True, slots=True)
class FactorState:
    """Whether a person has a second factor, and how many recovery codes are left."""

    confirmed_at: datetime | None
    codes_left: int


async def factor_state(session: ReadSession, *, operator_id: int) -> FactorState:
    """How a person's second step stands."""
    row = (await session.execute(_STATE, {"id": operator_id})).one()
    return FactorState(confirmed_at=row.confirmed_at, codes_left=row.codes_left)


async def set_up(session: WriteSession, *, operator_id: int, secret: str, code: str, vault: Vault, now: datetime) -> list[str]:
    """Keep a device's secret once its code shows that the device has it; the recovery codes, told only here.

    Raises InvalidError `second_factor.code` for a wrong code, `second_factor.set` when there is one already.
    """
    step = fitting_step(secret, code, now=now, last_step=-1)
    if step is None:
        raise _wrong()
    kept = await session.execute(_KEEP, {"id": operator_id, "secret": vault.seal(secret), "step": step, "now": now})
    if kept.one_or_none() is None:
        raise InvalidError("second_factor.set", "There is a second factor already: take it away first.")
    await record(session, operator_id=operator_id, act="second_factor_set", subject="operator", subject_id=operator_id)
    return await new_recovery_codes(session, operator_id=operator_id, now=now)


async def check_code(database: Database, *, operator_id: int, login: str, code: str, address: str, vault: Vault, now: datetime) -> None:
    """Let a code of the device, or a recovery code, open the second step: each one once.

    Raises InvalidError `second_factor.code`, ForbiddenError `sign_in.wait` with `seconds`.
    """
    address = address_key(address)
    async with database.write(operator_id=operator_id) as session:
        await count_attempt(session, kind=AttemptKind.CODE, login=login, address=address, now=now)
    try:
        async with database.write(operator_id=operator_id) as session:
            await use_code(session, operator_id=operator_id, code=code, vault=vault, now=now)
            await forget_attempts(session, login=login, address=address, now=now)
    except InvalidError:
        async with database.write(operator_id=operator_id) as session:  # whoever gets here knows the password
            await record(session, operator_id=operator_id, act="code_refused", subject="operator", subject_id=operator_id)
        raise


async def use_code(session: WriteSession, *, operator_id: int, code: str, vault: Vault, now: datetime) -> None:
    """Use a code up. InvalidError `second_factor.code` for a wrong one, or one that was used."""
    hashed = recovery_hash(code)
    if hashed is not None:
        used = await session.execute(_USE_RECOVERY, {"id": operator_id, "hash": hashed, "now": now})
        if used.one_or_none() is None:
            raise _wrong()
        await record(session, operator_id=operator_id, act="recovery_code_used", subject="operator", subject_id=operator_id)
        return
    row = (await session.execute(_SECRET, {"id": operator_id})).one_or_none()
    step = None if row is None else fitting_step(vault.open(row.secret), code, now=now, last_step=row.last_step)
    if step is None:
        raise _wrong()
    if (await session.execute(_USE_STEP, {"id": operator_id, "step": step})).one_or_none() is None:
        raise _wrong()  # the same code came twice at once


async def new_recovery_codes(session: WriteSession, *, operator_id: int, now: datetime) -> list[str]:
    """Fresh recovery codes, told only here; the older ones stop working."""
    codes = [new_recovery_code() for _ in range(RECOVERY_CODES)]
    await session.execute(_FORGET_RECOVERY, {"id": operator_id})
    for code in codes:
        await session.execute(_ADD_RECOVERY, {"id": operator_id, "hash": recovery_hash(code), "now": now})
    return codes


async def renew_recovery_codes(session: WriteSession, *, operator_id: int, now: datetime) -> list[str]:
    """Fresh recovery codes by the person's wish, told only here."""
    await record(session, operator_id=operator_id, act="recovery_codes_made", subject="operator", subject_id=operator_id)
    return await new_recovery_codes(session, operator_id=operator_id, now=now)


async def take_away(session: WriteSession, *, operator_id: int, by: int | None) -> bool:
    """Take a person's second factor away: their own act, or an administrator's. Whether there was one."""
    await session.execute(_FORGET_RECOVERY, {"id": operator_id})
    gone = (await session.execute(_TAKE_AWAY, {"id": operator_id})).one_or_none() is not None
    if gone:
        await record(session, operator_id=by, act="second_factor_removed", subject="operator", subject_id=operator_id)
    return gone


def _wrong() -> InvalidError:
    return InvalidError("second_factor.code", "This code is wrong or was used already. Wait for the next one.", field="code")


_STATE = text(
    "SELECT (SELECT confirmed_at FROM second_factor WHERE operator_id = :id) AS confirmed_at, "
    "(SELECT count(*) FROM recovery_code WHERE operator_id = :id AND used_at IS NULL) AS codes_left"
)
_KEEP = text(
    "INSERT INTO second_factor (operator_id, secret, last_step, confirmed_at) VALUES (:id, :secret, :step, :now) "
    "ON CONFLICT (operator_id) DO NOTHING RETURNING operator_id"
)
_SECRET = text("SELECT secret, last_step FROM second_factor WHERE operator_id = :id")
_USE_STEP = text("UPDATE second_factor SET last_step = :step WHERE operator_id = :id AND last_step < :step RETURNING operator_id")
_USE_RECOVERY = text(
    "UPDATE recovery_code SET used_at = :now WHERE operator_id = :id AND code_hash = :hash AND used_at IS NULL RETURNING id"
)
_ADD_RECOVERY = text("INSERT INTO recovery_code (operator_id, code_hash, created_at) VALUES (:id, :hash, :now)")
_FORGET_RECOVERY = text("DELETE FROM recovery_code WHERE operator_id = :id")
_TAKE_AWAY = text("DELETE FROM second_factor WHERE operator_id = :id RETURNING operator_id")
