"""Roles and where they hold, as commands are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.directory.queries import ids_of_codes
from app.kernel.errors import InvalidError, NotFoundError
from app.people.rules import Grant, Role

if TYPE_CHECKING:
    from app.kernel.db import ReadSession

Roles = Annotated[list[Role], typer.Option("--role", help="What they may do; repeat for several.")]
Agency = Annotated[str, typer.Option(help="Code of the agency (with its children) that the roles are for.")]
Territory = Annotated[
    str, typer.Option(help="Code of the territory (with its children) that the roles are for; without both: the whole region.")
]


async def grants_of(session: ReadSession, roles: list[Role], agency: str, territory: str) -> list[Grant]:
    """The roles with their place. Raises InvalidError for two places, NotFoundError for an unknown one."""
    agency_id, territory_id = await scope_ids(session, agency=agency, territory=territory)
    return [Grant(role=role, agency_id=agency_id, territory_id=territory_id) for role in roles]


async def scope_ids(session: ReadSession, *, agency: str, territory: str) -> tuple[int | None, int | None]:
    """(agency, territory) of these codes. Raises InvalidError for both, NotFoundError for an unknown one."""
    if agency and territory:
        raise InvalidError("grant.scope", "Give --agency or --territory, not both: call it twice for two scopes.")
    return await _id(session, "agency", agency), await _id(session, "territory", territory)


async def _id(session: ReadSession, table: str, code: str) -> int | None:
    if not code:
        return None
    found = await ids_of_codes(session, table, [code])
    if code not in found:
        raise NotFoundError(f"{table}.unknown", f"There is no {table} with the code {code!r}.")
    return found[code]
