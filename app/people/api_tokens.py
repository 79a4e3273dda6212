"""API tokens: made for a service with the narrowest rights that do, replaced, revoked. The token is told once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit.service import record
from app.kernel.errors import InvalidError, NotFoundError
from app.people.rules import Permission, Role, token_permissions
from app.people.staff import add_grants, as_data
from app.people.tokens import API_TOKEN_PREFIX, new_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import ReadSession, WriteSession
    from app.people.rules import Grant

USED_EVERY = timedelta(minutes=1)
LONGEST_DAYS = 3650
LONGEST_GRACE_HOURS = 30 * 24
_HINT = len(API_TOKEN_PREFIX) + 4


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenLine:
    """A token in a list. `permissions` empty: all that a token of its roles may do. `state`: active, replaced, expired, revoked."""

    id: int
    operator_id: int
    name: str
    hint: str
    roles: str
    permissions: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    state: str


async def create_service_token(
    session: WriteSession,
    *,
    name: str,
    grants: Sequence[Grant],
    now: datetime,
    days: int | None = None,
    permissions: Sequence[Permission] | None = None,
    by: int | None = None,
) -> str:
    """A service with an API token; the token is told only here. `days` None: it does not expire.

    Raises InvalidError `token.name`, `token.role`, `token.mixed`, `token.permissions`, `token.days`.
    """
    _check(name, [grant.role for grant in grants], days, permissions)
    operator_id = (
        await session.execute(_SERVICE, {"login": f"service-{secrets.token_hex(6)}", "name": name.strip(), "now": now})
    ).scalar_one()
    token, stored = new_token(API_TOKEN_PREFIX)
    await session.execute(
        _INSERT,
        {
            "hash": stored,
            "id": operator_id,
            "now": now,
            "expires_at": None if days is None else now + timedelta(days=days),
            "hint": token[:_HINT],
            "permissions": None if permissions is None else sorted(one.value for one in permissions),
        },
    )
    await add_grants(session, operator_id=operator_id, grants=grants, now=now)
    data = as_data(grants) | {"permissions": None if permissions is None else sorted(permissions)}
    await record(session, operator_id=by, act="create_token", subject="operator", subject_id=operator_id, data=data)
    return token


def _check(name: str, roles: Sequence[Role], days: int | None, permissions: Sequence[Permission] | None) -> None:
    if not name.strip():
        raise InvalidError("token.name", "Say what the token is for: --name.", field="name")
    if not roles:
        raise InvalidError("token.role", "A token needs a role.", field="role")
    if Role.SUPERVISOR in roles and len(set(roles)) > 1:
        raise InvalidError("token.mixed", "A supervisor's token reads reports only: make another one for the other role.", field="role")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise InvalidError("token.days", f"A token lasts 1 to {LONGEST_DAYS} days.", field="days", most=LONGEST_DAYS)
    if permissions is not None:
        beyond = sorted(set(permissions) - token_permissions(roles))
        if beyond or not permissions:
            names = ", ".join(beyond) or "nothing at all"
            raise InvalidError("token.permissions", f"A token of these roles cannot be for {names}.", field="permissions", names=names)


async def rotate_token(session: WriteSession, *, token_id: int, now: datetime, grace: timedelta, by: int | None = None) -> str:
    """A new secret for a token, told only here. The old one works for the grace, or ends at once when there is none.

    The new one lasts as long as the old one was made for. NotFoundError `token.unknown`, InvalidError `token.over`.
    """
    row = await _live(session, token_id, now)
    if row.replaced_at is not None:
        raise InvalidError("token.over", "This token was replaced already: replace the newer one.")
    token, stored = new_token(API_TOKEN_PREFIX)
    values = {
        "hash": stored,
        "id": row.operator_id,
        "now": now,
        "expires_at": None if row.expires_at is None else now + (row.expires_at - row.created_at),
        "hint": token[:_HINT],
        "permissions": row.permissions,
    }
    await session.execute(_INSERT, values)
    ends = now + grace if row.expires_at is None else min(row.expires_at, now + grace)
    await session.execute(_REPLACE, {"id": token_id, "now": now, "ends": ends, "revoked_at": None if grace else now})
    data = {"token_id": token_id, "grace_seconds": int(grace.total_seconds())}
    await record(session, operator_id=by, act="rotate_token", subject="operator", subject_id=row.operator_id, data=data)
    return token


async def revoke_token(session: WriteSession, *, token_id: int, now: datetime, by: int | None = None) -> None:
    """End a token: refused within three seconds by every process. NotFoundError `token.unknown`, InvalidError `token.over`."""
    row = await _live(session, token_id, now)
    await session.execute(_REVOKE, {"id": token_id, "now": now})
    await record(session, operator_id=by, act="revoke_token", subject="operator", subject_id=row.operator_id, data={"token_id": token_id})


async def note_use(session: WriteSession, *, token_id: int, now: datetime) -> None:
    """When a token was used last: written at most once a minute, however many processes serve it."""
    await session.execute(_USED, {"id": token_id, "now": now, "before": now - USED_EVERY})


async def list_tokens(session: ReadSession, *, now: datetime, by_command: bool = False) -> list[TokenLine]:
    """All tokens that the asking administrator may touch, by command all, those in force first."""
    rows = await session.execute(_LIST, {"now": now, "all": by_command})
    return [TokenLine(**(dict(row._mapping) | {"permissions": tuple(row.permissions or ())})) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def owner_of_token(session: ReadSession, *, token_id: int) -> int:
    """The service that holds a token. NotFoundError `token.unknown`."""
    found: int | None = (await session.execute(_OWNER, {"id": token_id})).scalar_one_or_none()
    if found is None:
        raise _unknown()
    return found


async def _live(session: ReadSession, token_id: int, now: datetime):  # type: ignore[no-untyped-def] # noqa: ANN202 - Row
    row = (await session.execute(_ONE, {"id": token_id})).one_or_none()
    if row is None:
        raise _unknown()
    if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        raise InvalidError("token.over", "This token has ended already.")
    return row


def _unknown() -> NotFoundError:
    return NotFoundError("token.unknown", "There is no such token: otklik token list shows all.")


_SERVICE = text("INSERT INTO operator (login, name, is_service, created_at) VALUES (:login, :name, true, :now) RETURNING id")
_INSERT = text(
    "INSERT INTO api_token (token_hash, operator_id, created_at, expires_at, hint, permissions) "
    "VALUES (:hash, :id, :now, :expires_at, :hint, CAST(:permissions AS varchar[]))"
)
_ONE = text("SELECT operator_id, created_at, expires_at, revoked_at, replaced_at, permissions FROM api_token WHERE id = :id FOR UPDATE")
_OWNER = text("SELECT operator_id FROM api_token WHERE id = :id")
_REPLACE = text("UPDATE api_token SET replaced_at = :now, expires_at = :ends, revoked_at = CAST(:revoked_at AS timestamptz) WHERE id = :id")
_REVOKE = text("UPDATE api_token SET revoked_at = :now WHERE id = :id")
_USED = text("UPDATE api_token SET last_used_at = :now WHERE id = :id AND (last_used_at IS NULL OR last_used_at <= :before)")
_LIST = text(
    "SELECT * FROM (SELECT t.id, t.operator_id, o.name, t.hint, t.permissions, t.created_at, t.expires_at, t.last_used_at, "
    "CASE WHEN t.revoked_at IS NOT NULL OR o.deactivated_at IS NOT NULL THEN 'revoked' WHEN t.expires_at <= :now THEN 'expired' "
    "  WHEN t.replaced_at IS NOT NULL THEN 'replaced' ELSE 'active' END AS state, "
    "coalesce((SELECT string_agg(r.role || coalesce(':' || a.code, ':' || p.code, ''), ', ' ORDER BY r.role, r.id) "
    "  FROM operator_role r LEFT JOIN agency a ON a.id = r.agency_id LEFT JOIN territory p ON p.id = r.territory_id "
    "  WHERE r.operator_id = o.id AND r.until IS NULL), '') AS roles "
    "FROM api_token t JOIN operator o ON o.id = t.operator_id "
    "WHERE CAST(:all AS boolean) OR otklik_administers(o.id)) token "
    "ORDER BY state <> 'active', id DESC LIMIT 500"
)
