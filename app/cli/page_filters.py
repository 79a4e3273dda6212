"""Which pages a command is about: by codes, with all that lies below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.appeals.pages import PageFilters
from app.directory.queries import agencies_with_children, ids_of_codes, territories_with_children
from app.kernel.errors import NotFoundError
from app.sources.rules import PageState

if TYPE_CHECKING:
    from app.kernel.db import ReadSession

Platform = Annotated[str, typer.Option(help="Only of this platform: vk, ok, telegram, max, viber.")]
InAgency = Annotated[str, typer.Option(help="Only of this agency and those below it, by code.")]
InTerritory = Annotated[str, typer.Option(help="Only of this territory and those below it, by code.")]
InSphere = Annotated[str, typer.Option(help="Only of this sphere, by code.")]
State = Annotated[PageState | None, typer.Option(help="Only those that are so.")]


async def filters_of(  # noqa: PLR0913 - one parameter per option
    session: ReadSession, *, platform: str, agency: str, territory: str, sphere: str, state: PageState | None
) -> PageFilters:
    """What the options say. NotFoundError for a code that nobody has."""

    async def number(table: str, code: str) -> list[int]:
        found = await ids_of_codes(session, table, [code])
        if not found:
            raise NotFoundError(f"{table}.unknown", f"There is no {table} with the code {code!r}.")
        return list(found.values())

    return PageFilters(
        platform=platform or None,
        agency_ids=tuple(await agencies_with_children(session, await number("agency", agency))) if agency else None,
        territory_ids=tuple(await territories_with_children(session, await number("territory", territory))) if territory else None,
        sphere_id=(await number("sphere", sphere))[0] if sphere else None,
        state=state,
    )
