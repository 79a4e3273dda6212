"""`visible_to(operator)`: the only door to appeals in code. Row-level security in PostgreSQL is the second lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.kernel.errors import ForbiddenError

if TYPE_CHECKING:
    from app.people.rules import Access, Permission

# Fits any statement that names the appeal `a`; the parameters come from `scope_of`.
VISIBLE = "(a.agency_id = ANY (:scope_agencies) OR a.territory_id = ANY (:scope_territories))"


def visible_to(access: Access) -> tuple[str, dict[str, Any]]:
    """A condition on the appeal `a` and its parameters: what this person may see.

    The condition is as narrow as the person's scopes, so that the planner can follow an index of theirs.
    """
    if access.whole:
        return "true", {}
    agencies, territories = list(access.agency_ids), list(access.territory_ids)
    if not territories:
        return "a.agency_id = ANY (:scope_agencies)", {"scope_agencies": agencies}
    if not agencies:
        return "a.territory_id = ANY (:scope_territories)", {"scope_territories": territories}
    return VISIBLE, {"scope_agencies": agencies, "scope_territories": territories}


def require_reach(access: Access, permission: Permission, *, agency_id: int, territory_id: int) -> None:
    """Raise ForbiddenError unless a role with this permission goes as far as this agency or territory."""
    access.require(permission)
    if not access.reaches(permission, agency_id=agency_id, territory_id=territory_id):
        raise ForbiddenError("access.scope", "This agency is outside your scope.", field="agency")
