"""Taking people and services on: invitations, roles, API tokens. The database's owner does this, not the web role."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit.service import record
from app.kernel.errors import InvalidError
from app.people.passwords import check_password, hash_password
from app.people.service import normal_login
from app.people.tokens import API_TOKEN_PREFIX, new_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import WriteSession
    from app.people.rules import Grant

INVITATION_HOURS = 72
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,99}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Invited:
    """A person with a link to choose a password by; the token is told only here."""

    operator_id: int
    login: str
    token: str
    expires_at: datetime
    is_new: bool


async def invite(
    session: WriteSession,
    *,
    login: str,
    name: str | None,
    grants: Sequence[Grant],
    now: datetime,
    by: int | None = None,
    hours: int = INVITATION_HOURS,
) -> Invited:
    """Take a person on, or add roles to one who is here, and give a link for choosing a password.

    Links given earlier stop working. Raises InvalidError for a bad sign-in name or a missing name.
    """
    login = normal_login(login)
    if not _LOGIN.fullmatch(login):
        raise InvalidError(
            "operator.login",
            f"A sign-in name has 2 to 100 of a-z, 0-9 and . _ @ + -, beginning with a letter or digit: {login!r} has not.",
            field="login",
        )
    operator_id, is_new = await _operator(session, login, name, now)
    await _grant(session, operator_id, grants, now)
    token, stored = new_token()
    expires_at = now + timedelta(hours=hours)
    await session.execute(
        text("UPDATE invitation SET expires_at = :now WHERE operator_id = :id AND used_at IS NULL AND expires_at > :now"),
        {"id": operator_id, "now": now},
    )
    await session.execute(
        text("INSERT INTO invitation (token_hash, operator_id, created_at, expires_at) VALUES (:hash, :id, :now, :expires_at)"),
        {"hash": stored, "id": operator_id, "now": now, "expires_at": expires_at},
    )
    await record(session, operator_id=by, act="invite", subject="operator", subject_id=operator_id, data=_as_data(grants))
    return Invited(operator_id=operator_id, login=login, token=token, expires_at=expires_at, is_new=is_new)


async def add_operator(session: WriteSession, *, login: str, name: str, password: str, grants: Sequence[Grant], now: datetime) -> int:
    """A person with a password that is already chosen: for the sample region. Raises InvalidError for a weak one."""
    login = normal_login(login)
    check_password(password, login=login)
    operator_id, _ = await _operator(session, login, name, now)
    await _grant(session, operator_id, grants, now)
    hashed = await hash_password(password)
    await session.execute(text("UPDATE operator SET password_hash = :hash WHERE id = :id"), {"hash": hashed, "id": operator_id})
    await record(session, operator_id=None, act="add", subject="operator", subject_id=operator_id, data=_as_data(grants))
    return operator_id


async def create_service_token(session: WriteSession, *, name: str, grants: Sequence[Grant], now: datetime, days: int | None = None) -> str:
    """A service with an API token; the token is told only here. `days` None: it does not expire."""
    if not name.strip():
        raise InvalidError("token.name", "Say what the token is for: --name.", field="name")
    login = f"service-{secrets.token_hex(6)}"
    operator_id = (
        await session.execute(
            text("INSERT INTO operator (login, name, is_service, created_at) VALUES (:login, :name, true, :now) RETURNING id"),
            {"login": login, "name": name.strip(), "now": now},
        )
    ).scalar_one()
    await _grant(session, operator_id, grants, now)
    token, stored = new_token(API_TOKEN_PREFIX)
    expires_at = None if days is None else now + timedelta(days=days)
    await session.execute(
        text("INSERT INTO api_token (token_hash, operator_id, created_at, expires_at) VALUES (:hash, :id, :now, :expires_at)"),
        {"hash": stored, "id": operator_id, "now": now, "expires_at": expires_at},
    )
    await record(session, operator_id=None, act="create_token", subject="operator", subject_id=operator_id, data=_as_data(grants))
    return token


async def _operator(session: WriteSession, login: str, name: str | None, now: datetime) -> tuple[int, bool]:
    found = (
        await session.execute(text("SELECT id, is_service FROM operator WHERE login = :login FOR UPDATE"), {"login": login})
    ).one_or_none()
    if found is not None and found.is_service:
        raise InvalidError("operator.service", f"{login} is a service and signs in with tokens only.", field="login")
    if found is not None:
        await session.execute(
            text("UPDATE operator SET name = coalesce(:name, name), deactivated_at = NULL WHERE id = :id"),
            {"name": name, "id": found.id},
        )
        return found.id, False
    if name is None or not name.strip():
        raise InvalidError("operator.name", f"{login} is new here: give the name that colleagues see (--name).", field="name")
    created: int = (
        await session.execute(
            text("INSERT INTO operator (login, name, created_at) VALUES (:login, :name, :now) RETURNING id"),
            {"login": login, "name": name.strip(), "now": now},
        )
    ).scalar_one()
    return created, True


async def _grant(session: WriteSession, operator_id: int, grants: Sequence[Grant], now: datetime) -> None:
    for grant in grants:
        await session.execute(
            _GRANT,
            {
                "id": operator_id,
                "role": grant.role.value,
                "agency_id": grant.agency_id,
                "territory_id": grant.territory_id,
                "now": now,
            },
        )


def _as_data(grants: Sequence[Grant]) -> dict[str, object]:
    return {"grants": [[grant.role.value, grant.agency_id, grant.territory_id] for grant in grants]}


_GRANT = text(
    "INSERT INTO operator_role (operator_id, role, agency_id, territory_id, since) "
    "SELECT :id, CAST(:role AS varchar), CAST(:agency_id AS bigint), CAST(:territory_id AS bigint), CAST(:now AS timestamptz) "
    "WHERE NOT EXISTS (SELECT FROM operator_role WHERE operator_id = :id AND role = CAST(:role AS varchar) AND until IS NULL "
    "AND agency_id IS NOT DISTINCT FROM CAST(:agency_id AS bigint) AND territory_id IS NOT DISTINCT FROM CAST(:territory_id AS bigint))"
)
