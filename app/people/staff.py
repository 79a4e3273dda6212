"""Taking people on and letting them go: links, roles, leaving. By command as the database's owner, or on a screen.

On a screen the web role acts for an administrator: `administration.py` asks whether their scope holds the person, and
row-level security asks again. Whatever changes what somebody may do ends their sessions: they come in anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit.service import record
from app.kernel.errors import InvalidError, NotFoundError
from app.people.passwords import check_password, hash_password
from app.people.service import normal_login
from app.people.sessions import close_other_sessions
from app.people.tokens import new_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import WriteSession
    from app.people.rules import Grant

INVITATION_HOURS = 72
RESET_HOURS = 24
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,99}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Invited:
    """A person with a link to choose a password by; the token is told only here."""

    operator_id: int
    login: str
    token: str
    expires_at: datetime
    is_new: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A link to choose a password by; the token is told only here. `kind`: invitation or reset."""

    token: str
    expires_at: datetime
    kind: str


async def invite(
    session: WriteSession,
    *,
    login: str,
    name: str | None,
    grants: Sequence[Grant],
    now: datetime,
    by: int | None = None,
    hours: int | None = None,
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
    await add_grants(session, operator_id=operator_id, grants=grants, now=now)
    link = await new_link(session, operator_id=operator_id, now=now, by=by, hours=hours)
    await record(session, operator_id=by, act="invite", subject="operator", subject_id=operator_id, data=as_data(grants))
    if not is_new:
        await close_other_sessions(session, operator_id=operator_id, token=None, now=now)
    return Invited(operator_id=operator_id, login=login, token=link.token, expires_at=link.expires_at, is_new=is_new)


async def new_link(session: WriteSession, *, operator_id: int, now: datetime, by: int | None, hours: int | None = None) -> Link:
    """A link to choose a password by, once: an invitation for who has not come in yet, else a reset.

    Links given earlier stop working. A reset opens no second step: who has a second factor needs it all the same.
    Raises InvalidError `operator.left` for somebody who has left, `operator.service` for a service.
    """
    row = (await session.execute(_STANDING, {"id": operator_id})).one()
    if row.left:
        raise InvalidError("operator.left", "This person has left: take them on again first.")
    if row.is_service:
        raise InvalidError("operator.service", "A service signs in with tokens only.")
    kind = "reset" if row.came_in else "invitation"
    token, stored = new_token()
    expires_at = now + timedelta(hours=hours or (RESET_HOURS if row.came_in else INVITATION_HOURS))
    await session.execute(_END_LINKS, {"id": operator_id, "now": now})
    await session.execute(_LINK, {"hash": stored, "id": operator_id, "now": now, "expires_at": expires_at, "kind": kind})
    if row.came_in:
        await record(session, operator_id=by, act="reset_link", subject="operator", subject_id=operator_id)
    return Link(token=token, expires_at=expires_at, kind=kind)


async def give_role(session: WriteSession, *, operator_id: int, grants: Sequence[Grant], now: datetime, by: int | None) -> None:
    """Roles more; ends the person's sessions. InvalidError `operator.service`: a service's roles are its token's."""
    row = (await session.execute(_STANDING, {"id": operator_id})).one()
    if row.is_service:
        raise InvalidError("operator.service", "A service's roles are those that its token was made with.")
    await add_grants(session, operator_id=operator_id, grants=grants, now=now)
    await _changed(session, operator_id, now)
    await record(session, operator_id=by, act="give_role", subject="operator", subject_id=operator_id, data=as_data(grants))


async def end_role(session: WriteSession, *, operator_id: int, role_id: int, now: datetime, by: int | None) -> None:
    """A role less; ends the person's sessions. NotFoundError `role.unknown` when it is not theirs or has ended."""
    ended = (await session.execute(_END_ROLE, {"id": role_id, "operator_id": operator_id, "now": now})).one_or_none()
    if ended is None:
        raise NotFoundError("role.unknown", "This role has ended already.")
    await _changed(session, operator_id, now)
    data = {"role": ended.role, "agency_id": ended.agency_id, "territory_id": ended.territory_id}
    await record(session, operator_id=by, act="end_role", subject="operator", subject_id=operator_id, data=data)


async def leave(session: WriteSession, *, operator_id: int, now: datetime, by: int | None) -> None:
    """Somebody leaves: sessions, links and tokens end at once; what they did keeps their name."""
    await session.execute(_LEAVE, {"id": operator_id, "now": now})
    await session.execute(_END_LINKS, {"id": operator_id, "now": now})
    await session.execute(_END_TOKENS, {"id": operator_id, "now": now})
    await _changed(session, operator_id, now)
    await record(session, operator_id=by, act="deactivate", subject="operator", subject_id=operator_id)


async def come_back(session: WriteSession, *, operator_id: int, now: datetime, by: int | None) -> Link:
    """Somebody who left is here again, with the roles they had and a new link: the old password is forgotten."""
    await session.execute(_COME_BACK, {"id": operator_id})
    await record(session, operator_id=by, act="activate", subject="operator", subject_id=operator_id)
    return await new_link(session, operator_id=operator_id, now=now, by=by)


async def end_sessions(session: WriteSession, *, operator_id: int, now: datetime, by: int | None) -> int:
    """End all sessions of a person; how many ended."""
    ended = await close_other_sessions(session, operator_id=operator_id, token=None, now=now)
    await record(session, operator_id=by, act="end_sessions", subject="operator", subject_id=operator_id)
    return ended


async def _changed(session: WriteSession, operator_id: int, now: datetime) -> None:
    await close_other_sessions(session, operator_id=operator_id, token=None, now=now)


async def add_operator(session: WriteSession, *, login: str, name: str, password: str, grants: Sequence[Grant], now: datetime) -> int:
    """A person with a password that is already chosen: for the sample region. Raises InvalidError for a weak one."""
    login = normal_login(login)
    check_password(password, login=login)
    operator_id, _ = await _operator(session, login, name, now)
    await add_grants(session, operator_id=operator_id, grants=grants, now=now)
    hashed = await hash_password(password)
    await session.execute(text("UPDATE operator SET password_hash = :hash WHERE id = :id"), {"hash": hashed, "id": operator_id})
    await record(session, operator_id=None, act="add", subject="operator", subject_id=operator_id, data=as_data(grants))
    return operator_id


async def _operator(session: WriteSession, login: str, name: str | None, now: datetime) -> tuple[int, bool]:
    found = (
        await session.execute(text("SELECT id, is_service FROM operator WHERE login = :login FOR UPDATE"), {"login": login})
    ).one_or_none()
    if found is not None and found.is_service:
        raise InvalidError("operator.service", f"{login} is a service and signs in with tokens only.", field="login")
    if found is not None:
        await session.execute(_RENAME, {"name": (name or "").strip() or None, "id": found.id})
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


async def add_grants(session: WriteSession, *, operator_id: int, grants: Sequence[Grant], now: datetime) -> None:
    """Roles that are not there yet."""
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


def as_data(grants: Sequence[Grant]) -> dict[str, object]:
    """Roles as the trail keeps them."""
    return {"grants": [[grant.role.value, grant.agency_id, grant.territory_id] for grant in grants]}


_GRANT = text(
    "INSERT INTO operator_role (operator_id, role, agency_id, territory_id, since) "
    "SELECT :id, CAST(:role AS varchar), CAST(:agency_id AS bigint), CAST(:territory_id AS bigint), CAST(:now AS timestamptz) "
    "WHERE NOT EXISTS (SELECT FROM operator_role WHERE operator_id = :id AND role = CAST(:role AS varchar) AND until IS NULL "
    "AND agency_id IS NOT DISTINCT FROM CAST(:agency_id AS bigint) AND territory_id IS NOT DISTINCT FROM CAST(:territory_id AS bigint))"
)
_STANDING = text(
    "SELECT is_service, deactivated_at IS NOT NULL AS left, password_hash IS NOT NULL "
    "OR EXISTS (SELECT FROM external_identity e WHERE e.operator_id = operator.id) AS came_in FROM operator WHERE id = :id"
)
_RENAME = text("UPDATE operator SET name = coalesce(:name, name), deactivated_at = NULL WHERE id = :id")
_LINK = text("INSERT INTO invitation (token_hash, operator_id, created_at, expires_at, kind) VALUES (:hash, :id, :now, :expires_at, :kind)")
_END_LINKS = text("UPDATE invitation SET expires_at = :now WHERE operator_id = :id AND used_at IS NULL AND expires_at > :now")
_END_TOKENS = text("UPDATE api_token SET revoked_at = :now WHERE operator_id = :id AND revoked_at IS NULL")
_END_ROLE = text(
    "UPDATE operator_role SET until = :now WHERE id = :id AND operator_id = :operator_id AND until IS NULL "
    "RETURNING role, agency_id, territory_id"
)
_LEAVE = text("UPDATE operator SET deactivated_at = coalesce(deactivated_at, :now) WHERE id = :id")
_COME_BACK = text("UPDATE operator SET deactivated_at = NULL, password_hash = NULL WHERE id = :id")
