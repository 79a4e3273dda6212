"""Who may what: the table of permissions as it is in force, for everybody who works here."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.people.rules import PERMISSION_MATTER, ROLE_PERMISSIONS, Grant, Matter, Permission, Role, Span
from app.web.ui.visit import CurrentVisit, Visit, visit_of

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of)])


@dataclass(frozen=True, kw_only=True, slots=True)
class PermissionLine:
    """One permission: whether each role has it, in the order of the heads, and the matter that it is measured by."""

    name: str
    matter: str
    allowed: tuple[bool, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class HeldRole:
    """A role of whoever looks, with the place that it goes as far as; without a place: the whole region."""

    role: str
    place: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PermissionsPage:
    """The whole table, and the reader's own roles in it."""

    roles: tuple[str, ...]
    mine: frozenset[str]
    held: tuple[HeldRole, ...]
    lines: tuple[PermissionLine, ...]
    matters: tuple[str, ...]
    spans: tuple[str, ...]


@router.get("/permissions")
async def permissions_screen(visit: CurrentVisit) -> Response:
    """The table, with the reader's own roles marked."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
    return visit.page("permissions.html", {"page": permissions_page(tuple(_held(visit, grant) for grant in visit.access.grants))}, frame)


def permissions_page(held: tuple[HeldRole, ...]) -> PermissionsPage:
    """What the rules say, for somebody with these roles."""
    lines = tuple(
        PermissionLine(name=one.value, matter=PERMISSION_MATTER[one].value, allowed=tuple(one in ROLE_PERMISSIONS[role] for role in Role))
        for one in Permission
    )
    return PermissionsPage(
        roles=tuple(role.value for role in Role),
        mine=frozenset(one.role for one in held),
        held=held,
        lines=lines,
        matters=tuple(matter.value for matter in Matter),
        spans=tuple(span.value for span in Span),
    )


def _held(visit: Visit, grant: Grant) -> HeldRole:
    directory = visit.office.desk.directory
    node = directory.agencies.get(grant.agency_id or 0) or directory.territories.get(grant.territory_id or 0)
    return HeldRole(role=grant.role.value, place="" if node is None else node.name)
