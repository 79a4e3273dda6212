"""What an administrator sees of people, and whether their scope holds the one they want to change.

The question is asked of the same functions that row-level security asks: one definition, in the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.errors import ForbiddenError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import ReadSession
    from app.people.rules import Access, Grant


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonLine:
    """Somebody in the list; `roles` as (role, agency's or territory's name, "" for the whole region)."""

    id: int
    login: str
    name: str
    roles: tuple[tuple[str, str], ...]
    came_in: bool
    has_factor: bool
    left: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleLine:
    """A role that a person holds now."""

    id: int
    role: str
    place: str
    since: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """One person, whole."""

    id: int
    login: str
    name: str
    came_in: bool
    has_factor: bool
    codes_left: int
    left: bool
    created_at: datetime
    link_until: datetime | None
    identities: tuple[str, ...]
    roles: tuple[RoleLine, ...]


async def people(session: ReadSession, *, words: str = "", after: str = "", most: int = 50) -> list[PersonLine]:
    """People whom the asking administrator may touch, by name, those after a place in the list."""
    name, _, number = after.rpartition("|")
    values = {"words": f"%{_plain(words)}%", "after": name, "after_id": int(number) if number.isdigit() else 0, "most": most}
    rows = await session.execute(_PEOPLE, values)
    return [
        PersonLine(
            id=row.id,
            login=row.login,
            name=row.name,
            roles=tuple((role, place or "") for role, place in row.roles),
            came_in=row.came_in,
            has_factor=row.has_factor,
            left=row.left,
        )
        for row in rows
    ]


def place_after(line: PersonLine) -> str:
    """Where the list goes on after somebody."""
    return f"{_sorting(line.name)}|{line.id}"


async def person(session: ReadSession, access: Access, *, operator_id: int) -> Person:
    """One person. NotFoundError `operator.unknown`, ForbiddenError `operator.reach`."""
    await require_person(session, access, operator_id=operator_id, self_too=True)
    row = (await session.execute(_PERSON, {"id": operator_id})).one()
    roles = await session.execute(_ROLES, {"id": operator_id})
    return Person(
        id=row.id,
        login=row.login,
        name=row.name,
        came_in=row.came_in,
        has_factor=row.has_factor,
        codes_left=row.codes_left,
        left=row.left,
        created_at=row.created_at,
        link_until=row.link_until,
        identities=tuple(row.identities),
        roles=tuple(RoleLine(id=one.id, role=one.role, place=one.place or "", since=one.since) for one in roles),
    )


async def require_person(session: ReadSession, access: Access, *, operator_id: int, self_too: bool = False) -> None:
    """Raise unless the administrator may change this person.

    NotFoundError `operator.unknown`; ForbiddenError `operator.reach` when one of their roles lies beyond the
    administrator's scope, `operator.self` for oneself: so the last administrator cannot go, and nobody raises themselves.
    """
    row = (await session.execute(_MAY_TOUCH, {"id": operator_id})).one_or_none()
    if row is None or row.is_service:
        raise NotFoundError("operator.unknown", "There is no such person.")
    if not row.may:
        raise ForbiddenError("operator.reach", "This person holds a role beyond your scope: another administrator has to do it.")
    if not self_too and operator_id == access.operator_id:
        raise ForbiddenError("operator.self", "Nobody changes their own roles or lets themselves go: ask another administrator.")


async def require_service(session: ReadSession, *, operator_id: int) -> None:
    """Raise NotFoundError `token.unknown` unless the administrator's scope holds this service."""
    row = (await session.execute(_MAY_TOUCH, {"id": operator_id})).one_or_none()
    if row is None or not row.may:
        raise NotFoundError("token.unknown", "There is no such token: otklik token list shows all.")


async def require_grants(session: ReadSession, *, grants: Sequence[Grant]) -> None:
    """Raise ForbiddenError `grant.reach` unless each role's scope lies within the administrator's own."""
    for grant in grants:
        may = (await session.execute(_MAY_GRANT, {"agency_id": grant.agency_id, "territory_id": grant.territory_id})).scalar_one()
        if not may:
            raise ForbiddenError("grant.reach", "This scope goes beyond your own.")


async def require_login(session: ReadSession, *, login: str) -> None:
    """Raise ForbiddenError `operator.reach` when this sign-in name belongs to somebody beyond the administrator's scope.

    Else an invitation of a name that is taken would hand out a link into an account that sees more.
    """
    row = (await session.execute(_BY_LOGIN, {"login": login})).one_or_none()
    if row is not None and not row.may:
        raise ForbiddenError("operator.reach", "This person holds a role beyond your scope: another administrator has to do it.")


def _plain(words: str) -> str:
    """For LIKE: what people type means itself."""
    return _sorting(words.strip())[:100].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _sorting(name: str) -> str:
    return name.lower().replace("ё", "е")


_CAME_IN = "o.password_hash IS NOT NULL OR EXISTS (SELECT FROM external_identity e WHERE e.operator_id = o.id)"
_HAS_FACTOR = "EXISTS (SELECT FROM second_factor f WHERE f.operator_id = o.id)"
_PEOPLE = text(
    f"SELECT o.id, o.login, o.name, {_CAME_IN} AS came_in, {_HAS_FACTOR} AS has_factor, o.deactivated_at IS NOT NULL AS left, "  # noqa: S608 - ours
    "coalesce((SELECT json_agg(json_build_array(r.role, coalesce(a.name, t.name)) ORDER BY r.role, r.id) FROM operator_role r "
    "  LEFT JOIN agency a ON a.id = r.agency_id LEFT JOIN territory t ON t.id = r.territory_id "
    "  WHERE r.operator_id = o.id AND r.until IS NULL), '[]') AS roles "
    "FROM operator o WHERE NOT o.is_service AND (replace(lower(o.name), 'ё', 'е') LIKE :words OR o.login LIKE :words) "
    "AND (replace(lower(o.name), 'ё', 'е'), o.id) > (:after, CAST(:after_id AS bigint)) "
    "AND ((SELECT otklik_may_grant(NULL, NULL)) OR otklik_administers(o.id)) "
    "ORDER BY replace(lower(o.name), 'ё', 'е'), o.id LIMIT :most"
)
_PERSON = text(
    f"SELECT o.id, o.login, o.name, {_CAME_IN} AS came_in, {_HAS_FACTOR} AS has_factor, o.deactivated_at IS NOT NULL AS left, "  # noqa: S608 - ours
    "o.created_at, "
    "(SELECT count(*) FROM recovery_code c WHERE c.operator_id = o.id AND c.used_at IS NULL) AS codes_left, "
    "(SELECT max(i.expires_at) FROM invitation i WHERE i.operator_id = o.id AND i.used_at IS NULL) AS link_until, "
    "ARRAY(SELECT e.issuer FROM external_identity e WHERE e.operator_id = o.id ORDER BY e.id) AS identities "
    "FROM operator o WHERE o.id = :id"
)
_ROLES = text(
    "SELECT r.id, r.role, coalesce(a.name, t.name) AS place, r.since FROM operator_role r LEFT JOIN agency a ON a.id = r.agency_id "
    "LEFT JOIN territory t ON t.id = r.territory_id WHERE r.operator_id = :id AND r.until IS NULL ORDER BY r.role, r.id"
)
_MAY_TOUCH = text("SELECT is_service, otklik_administers(id) AS may FROM operator WHERE id = :id")
_BY_LOGIN = text("SELECT otklik_administers(id) AS may FROM operator WHERE login = :login")
_MAY_GRANT = text("SELECT otklik_may_grant(CAST(:agency_id AS bigint), CAST(:territory_id AS bigint))")
