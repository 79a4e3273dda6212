"""`otklik operators …` and `otklik token …`: who may come in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import show
from app.cli.owner import owner, run
from app.directory.queries import ids_of_codes
from app.kernel.errors import InvalidError, NotFoundError
from app.people.queries import list_operators
from app.people.rules import Grant, Role
from app.people.staff import INVITATION_HOURS, create_service_token, invite

if TYPE_CHECKING:
    from app.kernel.db import ReadSession
    from app.settings import Settings

operators = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="People who work here.")
tokens = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="API tokens of other systems.")
Roles = Annotated[list[Role], typer.Option("--role", help="What they may do; repeat for several.")]
Agency = Annotated[str, typer.Option(help="Code of the agency (with its children) that the roles are for.")]
Territory = Annotated[
    str, typer.Option(help="Code of the territory (with its children) that the roles are for; without both: the whole region.")
]


@operators.command("invite")
def invite_operator(
    login: Annotated[str, typer.Argument(help="Sign-in name: an address or a short name.")],
    *,
    role: Roles,
    name: Annotated[str | None, typer.Option(help="The name that colleagues see; needed for somebody new.")] = None,
    agency: Agency = "",
    territory: Territory = "",
) -> None:
    """Take somebody on (the first administrator, too) and print the link by which they choose a password."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.write() as session:
            grants = await _grants(session, role, agency, territory)
            sent = await invite(session, login=login, name=name, grants=grants, now=administrator.clock.now())
        show.done(
            f"{'Invited' if sent.is_new else 'Roles added, new link for'} {sent.login}. The link works once, for {INVITATION_HOURS} hours:"
        )
        show.note(f"{_address(administrator.settings)}/invitation/{sent.token}")

    run(work())


@operators.command("list")
def list_all(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Everybody with their roles."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.read() as session:
            lines = await list_operators(session)
        columns = ("login", "name", "roles", "has_password", "is_service")
        show.listing(
            lines,
            columns,
            json_wanted=json,
            nothing="Nobody yet. Invite the first: otklik operators invite LOGIN --name … --role administrator",
        )

    run(work())


@tokens.command("create")
def create_token(
    *,
    role: Roles,
    name: Annotated[str, typer.Option(help="Which system it is for.")] = "API",
    agency: Agency = "",
    territory: Territory = "",
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="It expires after so many days; else never.")] = None,
) -> None:
    """Make a token for the API and print it, once."""

    async def work() -> str:
        async with owner() as administrator, administrator.database.write() as session:
            grants = await _grants(session, role, agency, territory)
            return await create_service_token(session, name=name, grants=grants, now=administrator.clock.now(), days=days)

    show.note(run(work()))


async def _grants(session: ReadSession, roles: list[Role], agency: str, territory: str) -> list[Grant]:
    if agency and territory:
        raise InvalidError("grant.scope", "Give --agency or --territory, not both: call it twice for two scopes.")
    agency_id = await _id(session, "agency", agency)
    territory_id = await _id(session, "territory", territory)
    return [Grant(role=role, agency_id=agency_id, territory_id=territory_id) for role in roles]


async def _id(session: ReadSession, table: str, code: str) -> int | None:
    if not code:
        return None
    found = await ids_of_codes(session, table, [code])
    if code not in found:
        raise NotFoundError(f"{table}.unknown", f"There is no {table} with the code {code!r}.")
    return found[code]


def _address(settings: Settings) -> str:
    return (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
