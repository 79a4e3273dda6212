"""Who may do what: one table of permissions by role, read as a specification."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from app.kernel.errors import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Role(StrEnum):
    """What a person is here for."""

    OPERATOR = "operator"
    COORDINATOR = "coordinator"
    SUPERVISOR = "supervisor"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """One thing that may be done."""

    APPEAL_READ = "appeal.read"
    APPEAL_WORK = "appeal.work"
    APPEAL_CREATE = "appeal.create"
    APPEAL_ROUTE = "appeal.route"
    APPEAL_NOTE = "appeal.note"
    APPEAL_EXTEND = "appeal.extend"
    ANSWER_APPROVE = "answer.approve"
    TRIAGE_WORK = "triage.work"
    PUBLISHING_STOP = "publishing.stop"
    PAGE_READ = "page.read"
    PAGE_CONNECT = "page.connect"
    REPORT_READ = "report.read"
    REPORT_APPROVE = "report.approve"
    AUDIT_READ = "audit.read"
    SUBJECT_WORK = "subject.work"
    NORM_EDIT = "norm.edit"
    CONFIGURE = "configure"


ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OPERATOR: frozenset(
        {
            Permission.APPEAL_READ,
            Permission.APPEAL_WORK,
            Permission.APPEAL_CREATE,
            Permission.APPEAL_ROUTE,
            Permission.APPEAL_NOTE,
            Permission.PAGE_READ,
        }
    ),
    Role.COORDINATOR: frozenset(
        {
            Permission.APPEAL_READ,
            Permission.APPEAL_WORK,
            Permission.APPEAL_CREATE,
            Permission.APPEAL_ROUTE,
            Permission.APPEAL_NOTE,
            Permission.APPEAL_EXTEND,
            Permission.ANSWER_APPROVE,
            Permission.TRIAGE_WORK,
            Permission.PUBLISHING_STOP,
            Permission.PAGE_READ,
            Permission.PAGE_CONNECT,
            Permission.REPORT_READ,
            Permission.REPORT_APPROVE,
            Permission.NORM_EDIT,
        }
    ),
    Role.SUPERVISOR: frozenset(
        {Permission.APPEAL_READ, Permission.APPEAL_NOTE, Permission.PAGE_READ, Permission.REPORT_READ, Permission.REPORT_APPROVE}
    ),
    Role.ADMINISTRATOR: frozenset(
        {
            Permission.CONFIGURE,
            Permission.PUBLISHING_STOP,
            Permission.PAGE_READ,
            Permission.PAGE_CONNECT,
            Permission.AUDIT_READ,
            Permission.SUBJECT_WORK,
            Permission.NORM_EDIT,
        }
    ),
}


class Span(StrEnum):
    """How far one role of a person goes, children included."""

    AGENCY = "agency"
    TERRITORY = "territory"
    REGION = "region"


class Matter(StrEnum):
    """What of a matter must lie within a role's span for a permission to reach it.

    `HELD`: its agency now or in the past (what was there when it was handed on stays readable), or its territory.
    `APPEAL`: its agency or territory now. `PAGE`: the page's agency or territory.
    `TERRITORY`: a territory for which something holds. `ALL`: it concerns everybody.
    """

    HELD = "held"
    APPEAL = "appeal"
    PAGE = "page"
    TERRITORY = "territory"
    ALL = "all"


PERMISSION_MATTER: dict[Permission, Matter] = {
    Permission.APPEAL_READ: Matter.HELD,
    Permission.APPEAL_WORK: Matter.APPEAL,
    Permission.APPEAL_CREATE: Matter.APPEAL,
    Permission.APPEAL_ROUTE: Matter.APPEAL,
    Permission.APPEAL_NOTE: Matter.APPEAL,
    Permission.APPEAL_EXTEND: Matter.APPEAL,
    Permission.ANSWER_APPROVE: Matter.APPEAL,
    Permission.TRIAGE_WORK: Matter.PAGE,
    Permission.PUBLISHING_STOP: Matter.PAGE,
    Permission.PAGE_READ: Matter.PAGE,
    Permission.PAGE_CONNECT: Matter.PAGE,
    Permission.REPORT_READ: Matter.APPEAL,
    Permission.REPORT_APPROVE: Matter.APPEAL,
    Permission.AUDIT_READ: Matter.ALL,
    Permission.SUBJECT_WORK: Matter.ALL,
    Permission.NORM_EDIT: Matter.TERRITORY,
    Permission.CONFIGURE: Matter.ALL,
}


# A token lies in another system's settings. That of a supervisor carries figures alone, nobody's appeals; none signs for a person.
TOKEN_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    role: allowed - {Permission.REPORT_APPROVE} for role, allowed in ROLE_PERMISSIONS.items()
} | {Role.SUPERVISOR: frozenset({Permission.REPORT_READ})}


def token_permissions(roles: Iterable[Role], chosen: Iterable[str] | None = None) -> frozenset[Permission]:
    """What a token of these roles may do, narrowed to the chosen ones; a supervisor's reads reports whatever else it holds."""
    held = set(roles)
    if Role.SUPERVISOR in held:
        held = {Role.SUPERVISOR}
    allowed = frozenset().union(*(TOKEN_PERMISSIONS[role] for role in held))
    return allowed if chosen is None else allowed & {Permission(one) for one in chosen if one in set(Permission)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """One (role, scope) row of a person: an agency with its children, a territory with its children, or all."""

    role: Role
    agency_id: int | None = None
    territory_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """How far one role of a person goes, children included; `whole` means the whole region."""

    agency_ids: frozenset[int] = frozenset()
    territory_ids: frozenset[int] = frozenset()
    whole: bool = False

    def holds(self, *, agency_id: int, territory_id: int) -> bool:
        """Whether a matter of this agency and territory lies within."""
        return self.whole or agency_id in self.agency_ids or territory_id in self.territory_ids


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """Who is asking, and how far they see.

    `agency_ids` and `territory_ids` are already expanded with their children; `whole` means the whole region.
    They hold the scopes of roles that may read appeals: an administrator's alone is empty. To see is not to work:
    `scopes` says how far each role goes, and `reaches` whether a permission does.
    """

    operator_id: int
    name: str
    login: str
    is_service: bool
    grants: tuple[Grant, ...]
    agency_ids: tuple[int, ...]
    territory_ids: tuple[int, ...]
    whole: bool
    locale: str = "ru"
    letters: bool = True
    scopes: Mapping[Role, Scope] = field(default_factory=dict)
    limits: frozenset[Permission] | None = None
    """What a token narrows the roles to."""

    @property
    def permissions(self) -> frozenset[Permission]:
        """All that any of the roles allows."""
        allowed: frozenset[Permission] = frozenset()
        for grant in self.grants:
            allowed |= ROLE_PERMISSIONS[grant.role]
        return allowed if self.limits is None else allowed & self.limits

    def may(self, permission: Permission) -> bool:
        """Whether some role allows it."""
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise ForbiddenError unless some role allows it."""
        if permission not in self.permissions:
            raise ForbiddenError("access.permission", f"Your roles do not allow {permission.value}.", permission=permission.value)

    def reaches(self, permission: Permission, *, agency_id: int, territory_id: int) -> bool:
        """Whether a role that allows it goes as far as a matter of this agency and territory.

        Who supervises the region and works for one agency works for that agency only.
        """
        if self.limits is not None and permission not in self.limits:
            return False
        able = (self.scopes.get(role) for role, allowed in ROLE_PERMISSIONS.items() if permission in allowed)
        return any(scope is not None and scope.holds(agency_id=agency_id, territory_id=territory_id) for scope in able)


EVERYTHING = Access(
    operator_id=0,
    name="",
    login="",
    is_service=False,
    grants=(Grant(role=Role.ADMINISTRATOR),),
    agency_ids=(),
    territory_ids=(),
    whole=True,
)
"""A command acts for whoever runs the machine."""
