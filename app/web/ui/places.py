"""Roles and places to choose from when somebody is given a role: only what lies within the administrator's own scope."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from app.kernel.errors import InvalidError
from app.people.rules import Access, Grant, Role
from app.web.ui.queue_view import sorting
from app.web.ui.views import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.directory.service import AgencyNode, Directory, TerritoryNode
    from app.web.ui.fields import Fields
    from app.web.ui.labels import Words

WHOLE = "whole"

_Node = TypeVar("_Node", "AgencyNode", "TerritoryNode")


def role_choices(words: Words, chosen: str = "") -> tuple[Choice, ...]:
    """The four roles."""
    return tuple(Choice(value=role.value, label=words("role", role.value), chosen=role.value == chosen) for role in Role)


def place_choices(directory: Directory, access: Access, words: Words, chosen: str = "") -> tuple[Choice, ...]:
    """The whole region, territories, agencies: those that the administrator may give."""
    held = [grant for grant in access.grants if grant.role is Role.ADMINISTRATOR]
    everywhere = any(grant.agency_id is None and grant.territory_id is None for grant in held)
    agencies = {grant.agency_id for grant in held}
    territories = {grant.territory_id for grant in held}

    def lies_in(territory_id: int) -> bool:
        return not territories.isdisjoint(directory.territory_lineage(territory_id))

    def belongs(agency_id: int) -> bool:
        return not agencies.isdisjoint(directory.agency_lineage(agency_id)) or lies_in(directory.agencies[agency_id].territory_id)

    def choice(kind: str, node: AgencyNode | TerritoryNode) -> Choice:
        value = f"{kind}:{node.id}"
        return Choice(value=value, label=node.name, group=words("place", kind), chosen=chosen == value)

    whole = Choice(value=WHOLE, label=words("place", WHOLE), chosen=chosen == WHOLE)
    return (
        *((whole,) if everywhere else ()),
        *(choice("territory", node) for node in _by_name(directory.territories) if everywhere or lies_in(node.id)),
        *(choice("agency", node) for node in _by_name(directory.agencies) if everywhere or belongs(node.id)),
    )


def _by_name(nodes: Mapping[int, _Node]) -> list[_Node]:
    return sorted(nodes.values(), key=lambda node: (sorting(node.name), node.id))


def grant_of(directory: Directory, form: Fields) -> Grant:
    """The role and the place of a form. InvalidError `grant.role`, `grant.place`."""
    if form.text("role") not in set(Role):
        raise InvalidError("grant.role", "Choose a role.", field="role")
    agency_id, territory_id = place_of(directory, form)
    return Grant(role=Role(form.text("role")), agency_id=agency_id, territory_id=territory_id)


def place_of(directory: Directory, form: Fields) -> tuple[int | None, int | None]:
    """(agency, territory) of a form, both None for the whole region. InvalidError `grant.place`."""
    place = form.text("place")
    if place == WHOLE:
        return None, None
    kind, _, digits = place.partition(":")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else 0  # noqa: PLR2004 - digits of a bigint
    if kind == "agency" and number in directory.agencies:
        return number, None
    if kind == "territory" and number in directory.territories:
        return None, number
    raise InvalidError("grant.place", "Choose where: an agency, a territory or the whole region.", field="place")
