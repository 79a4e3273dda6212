"""`otklik token …`: other systems that come in by the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from app.cli import show
from app.cli.grants import Agency, Roles, Territory, grants_of
from app.cli.owner import owner, run
from app.people import api_tokens
from app.people.rules import Permission

tokens = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="API tokens of other systems.")
Number = Annotated[int, typer.Argument(min=1, help="Its number in `otklik token list`.")]


@tokens.command("list")
def list_all(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """All tokens: what they may do, until when, used last when. Never the secrets."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.read() as session:
            lines = await api_tokens.list_tokens(session, now=administrator.clock.now(), by_command=True)
        columns = ("id", "name", "hint", "roles", "permissions", "expires_at", "last_used_at", "state")
        show.listing(lines, columns, json_wanted=json, nothing="No token yet. Make one: otklik token create --name … --role …")

    run(work())


@tokens.command("create")
def create_token(  # noqa: PLR0913 - one parameter per option
    *,
    role: Roles,
    name: Annotated[str, typer.Option(help="Which system it is for.")] = "API",
    agency: Agency = "",
    territory: Territory = "",
    days: Annotated[int | None, typer.Option(min=1, max=api_tokens.LONGEST_DAYS, help="It expires after so many days; else never.")] = None,
    only: Annotated[list[Permission] | None, typer.Option("--only", help="Narrow it to this permission; repeat for several.")] = None,
) -> None:
    """Make a token for the API and print it, once. A supervisor's reads reports only."""

    async def work() -> str:
        async with owner() as administrator, administrator.database.write() as session:
            grants = await grants_of(session, role, agency, territory)
            return await api_tokens.create_service_token(
                session, name=name, grants=grants, now=administrator.clock.now(), days=days, permissions=only or None
            )

    show.note(run(work()))


@tokens.command("rotate")
def rotate_token(
    number: Number,
    *,
    grace_hours: Annotated[
        int, typer.Option(min=0, max=api_tokens.LONGEST_GRACE_HOURS, help="The old secret works for so long; 0: it ends at once.")
    ] = 24,
) -> None:
    """Print a new secret for a token, once. What it may do and how long it lasts stay."""

    async def work() -> str:
        async with owner() as administrator, administrator.database.write() as session:
            return await api_tokens.rotate_token(
                session, token_id=number, now=administrator.clock.now(), grace=timedelta(hours=grace_hours)
            )

    show.note(run(work()))


@tokens.command("revoke")
def revoke_token(number: Number) -> None:
    """End a token."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.write() as session:
            await api_tokens.revoke_token(session, token_id=number, now=administrator.clock.now())
        show.done(f"The token {number} is revoked.")

    run(work())
