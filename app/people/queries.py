"""Who is asking: one query from a token's hash to a person's expanded reach."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.kernel.errors import NotFoundError
from app.people.rules import ROLE_PERMISSIONS, Access, Grant, Permission, Role, Scope, token_permissions
from app.people.tokens import token_hash

if TYPE_CHECKING:
    from app.kernel.db import ReadSession

# The same reach as row-level security's otklik_*_scope(): a test compares the two.
_READERS = frozenset(role for role in Role if Permission.APPEAL_READ in ROLE_PERMISSIONS[role])

_ACCESS = """
WITH RECURSIVE who AS ({who}),
held AS (
  SELECT r.role, r.agency_id, r.territory_id FROM operator_role r JOIN who ON who.id = r.operator_id WHERE r.until IS NULL),
agencies(role, id) AS (
  SELECT role, agency_id FROM held WHERE agency_id IS NOT NULL
  UNION SELECT agencies.role, child.id FROM agency child JOIN agencies ON child.parent_id = agencies.id),
territories(role, id) AS (
  SELECT role, territory_id FROM held WHERE territory_id IS NOT NULL
  UNION SELECT territories.role, child.id FROM territory child JOIN territories ON child.parent_id = territories.id)
SELECT who.*,
  (SELECT coalesce(json_agg(json_build_array(role, agency_id, territory_id) ORDER BY role, agency_id, territory_id), '[]')
   FROM held) AS grants,
  (SELECT coalesce(json_object_agg(role, ids), '{{}}') FROM (SELECT role, json_agg(id) AS ids FROM agencies GROUP BY role) a) AS agencies,
  (SELECT coalesce(json_object_agg(role, ids), '{{}}') FROM (SELECT role, json_agg(id) AS ids FROM territories GROUP BY role) t)
    AS territories,
  ARRAY(SELECT DISTINCT role FROM held WHERE agency_id IS NULL AND territory_id IS NULL) AS everywhere
FROM who
"""
_PERSON = "SELECT o.id, o.login, o.name, o.is_service, o.locale, o.letters FROM operator o"
_BY_SESSION = text(
    _ACCESS.format(
        who=f"{_PERSON.replace(' FROM', ', s.id AS session_id, s.seen_at, s.second_factor FROM')} "
        "JOIN operator_session s ON s.operator_id = o.id WHERE s.token_hash = :key AND s.ended_at IS NULL "
        "AND s.expires_at > :now AND s.seen_at > :seen_since AND o.deactivated_at IS NULL"
    )
)
_BY_TOKEN = text(
    _ACCESS.format(
        who=f"{_PERSON.replace(' FROM', ', t.id AS token_id, t.permissions, t.last_used_at FROM')} "
        "JOIN api_token t ON t.operator_id = o.id WHERE t.token_hash = :key "
        "AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > :now) AND o.deactivated_at IS NULL"
    )
)
_BY_OPERATOR = text(_ACCESS.format(who=f"{_PERSON} WHERE o.id = :key AND o.deactivated_at IS NULL"))


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenSession:
    """A browser that is signed in. `second_factor`: it proved one when it came in."""

    id: int
    access: Access
    seen_at: datetime
    second_factor: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownToken:
    """An API token that is in force."""

    id: int
    access: Access
    last_used_at: datetime | None


async def session_of(session: ReadSession, *, token: str, now: datetime, idle: timedelta) -> OpenSession | None:
    """Whose browser holds this session token; None when it is unknown, ended, expired or was left alone for too long."""
    row = await _row(session, _BY_SESSION, key=token_hash(token), now=now, seen_since=now - idle)
    return (
        None
        if row is None
        else OpenSession(id=row.session_id, access=_as_access(row), seen_at=row.seen_at, second_factor=row.second_factor)
    )


async def token_of(session: ReadSession, *, token: str, now: datetime) -> KnownToken | None:
    """Which service holds this API token; None when it is unknown, revoked or expired."""
    row = await _row(session, _BY_TOKEN, key=token_hash(token), now=now)
    if row is None:
        return None
    access = _as_access(row)
    limits = token_permissions((grant.role for grant in access.grants), row.permissions)
    return KnownToken(id=row.token_id, access=replace(access, limits=limits), last_used_at=row.last_used_at)


async def access_of_operator(session: ReadSession, *, operator_id: int) -> Access | None:
    """The reach of a person; None when there is none or they have left."""
    row = await _row(session, _BY_OPERATOR, key=operator_id)
    return None if row is None else _as_access(row)


async def _row(session: ReadSession, statement: Any, **params: object) -> Any | None:  # noqa: ANN401 - TextClause, Row
    return (await session.execute(statement, params)).one_or_none()


def _as_access(row: Any) -> Access:  # noqa: ANN401 - Row
    scopes = {
        Role(role): Scope(
            agency_ids=frozenset(row.agencies.get(role, ())),
            territory_ids=frozenset(row.territories.get(role, ())),
            whole=role in row.everywhere,
        )
        for role in {*row.agencies, *row.territories, *row.everywhere}
    }
    read = [scope for role, scope in scopes.items() if role in _READERS]
    return Access(
        operator_id=row.id,
        name=row.name,
        login=row.login,
        is_service=row.is_service,
        grants=tuple(Grant(role=Role(role), agency_id=agency, territory_id=territory) for role, agency, territory in row.grants),
        agency_ids=tuple(sorted(frozenset().union(*(scope.agency_ids for scope in read)))),
        territory_ids=tuple(sorted(frozenset().union(*(scope.territory_ids for scope in read)))),
        whole=any(scope.whole for scope in read),
        scopes=scopes,
        locale=row.locale,
        letters=row.letters,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorName:
    """An operator in a list to choose from."""

    id: int
    name: str
    login: str


async def operators_of_agencies(session: ReadSession, *, agency_ids: tuple[int, ...]) -> list[OperatorName]:
    """People who may be given an appeal of these agencies (ids with parents, as a lineage), by name."""
    rows = await session.execute(_WORKERS, {"agency_ids": list(agency_ids)})
    return [OperatorName(id=row.id, name=row.name, login=row.login) for row in rows]


_WORKERS = text(
    "SELECT DISTINCT o.id, o.name, o.login, replace(lower(o.name), 'ё', 'е') AS sorting FROM operator o "
    "JOIN operator_role r ON r.operator_id = o.id AND r.until IS NULL "
    "WHERE o.deactivated_at IS NULL AND NOT o.is_service AND r.role = 'operator' AND r.agency_id = ANY (CAST(:agency_ids AS bigint[])) "
    "ORDER BY sorting, o.id"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class OperatorLine:
    """Somebody in the administrator's list; `roles` as role or role:scope."""

    login: str
    name: str
    roles: str
    has_password: bool
    has_second_factor: bool
    is_service: bool
    deactivated: bool


async def list_operators(session: ReadSession) -> list[OperatorLine]:
    """Everybody, people first, by name."""
    return [OperatorLine(**row._mapping) for row in await session.execute(_LIST)]  # noqa: SLF001 - SQLAlchemy's documented name


_LIST = text(
    "SELECT o.login, o.name, o.password_hash IS NOT NULL AS has_password, "
    "EXISTS (SELECT FROM second_factor f WHERE f.operator_id = o.id) AS has_second_factor, "
    "o.is_service, o.deactivated_at IS NOT NULL AS deactivated, "
    "coalesce(string_agg(r.role || coalesce(':' || a.code, ':' || t.code, ''), ', ' ORDER BY r.role, r.id), '') AS roles "
    "FROM operator o LEFT JOIN operator_role r ON r.operator_id = o.id AND r.until IS NULL "
    "LEFT JOIN agency a ON a.id = r.agency_id LEFT JOIN territory t ON t.id = r.territory_id "
    "GROUP BY o.id ORDER BY o.is_service, replace(lower(o.name), 'ё', 'е'), o.id"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldRole:
    """A role that somebody holds now, by its row."""

    id: int
    grant: Grant


async def open_roles(session: ReadSession, *, operator_id: int) -> list[HeldRole]:
    """The roles that somebody holds now."""
    rows = await session.execute(
        text("SELECT id, role, agency_id, territory_id FROM operator_role WHERE operator_id = :id AND until IS NULL ORDER BY id"),
        {"id": operator_id},
    )
    return [HeldRole(id=row.id, grant=Grant(role=Role(row.role), agency_id=row.agency_id, territory_id=row.territory_id)) for row in rows]


async def operator_by_login(session: ReadSession, *, login: str) -> int:
    """Who has this sign-in name. NotFoundError `operator.unknown`."""
    query = text("SELECT id FROM operator WHERE login = :login")
    found: int | None = (await session.execute(query, {"login": login.strip().lower()})).scalar_one_or_none()
    if found is None:
        raise NotFoundError("operator.unknown", f"Nobody here is called {login}: otklik operators list shows all.")
    return found
