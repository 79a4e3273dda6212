"""`otklik webhooks …`: other systems that are told what happens to appeals."""

from __future__ import annotations

from typing import Annotated

import typer

from app import bootstrap
from app.cli import show
from app.cli.grants import scope_ids
from app.cli.owner import owner, run
from app.kernel.errors import NotFoundError
from app.kernel.outgoing import parse_hosts
from app.kernel.vault import WEBHOOKS
from app.notices.targets import add_target, attempts_log, list_targets, remove_target
from app.notices.webhooks import ACTS

webhooks = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Other systems that are told what happens, by signed calls.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@webhooks.command("add")
def add(
    url: Annotated[str, typer.Argument(help="Where to tell: an https address on a host of OTKLIK_WEBHOOK_HOSTS.")],
    *,
    name: Annotated[str, typer.Option(help="Which system it is.")],
    event: Annotated[list[str] | None, typer.Option(help="What to tell; repeat for several, without it everything.")] = None,
    agency: Annotated[str, typer.Option(help="Only of appeals of this agency and those below it, by code.")] = "",
    territory: Annotated[str, typer.Option(help="Only of appeals of this territory and those below it, by code.")] = "",
) -> None:
    """Tell an address from now on; prints, once, the secret that it checks signatures with (Standard Webhooks)."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.write() as session:
            agency_id, territory_id = await scope_ids(session, agency=agency, territory=territory)
            number, secret = await add_target(
                session,
                bootstrap.settings_vault(administrator.settings, purpose=WEBHOOKS),
                parse_hosts(administrator.settings.webhook_hosts or ""),
                name=name,
                url=url,
                kinds=event or list(ACTS),
                now=administrator.clock.now(),
                agency_id=agency_id,
                territory_id=territory_id,
            )
        show.done(f"{name} is told from now on (number {number}). The secret is shown only now:")
        show.note(secret)

    run(work())


@webhooks.command("list")
def list_all(*, json: Json = False) -> None:
    """Who is told, and how it goes."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.read() as session:
            lines = await list_targets(session)
        columns = ("id", "name", "url", "kinds", "place", "delivered", "waiting", "failed")
        show.listing(lines, columns, json_wanted=json, nothing="Nobody is told. See: otklik webhooks add --help")

    run(work())


@webhooks.command("log")
def log(
    number: Annotated[int | None, typer.Argument(help="Only of this target.")] = None,
    *,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="How many lines.")] = 100,
    json: Json = False,
) -> None:
    """Every attempt, the newest first; "unknown" may have been heard."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.read() as session:
            lines = await attempts_log(session, target_id=number, most=most)
        columns = ("at", "target", "kind", "appeal", "guid", "outcome", "status", "detail", "state")
        show.listing(lines, columns, json_wanted=json, nothing="No attempt yet.")

    run(work())


@webhooks.command("remove")
def remove(number: Annotated[int, typer.Argument(help="The target's number in the list.")]) -> None:
    """Tell it nothing more; the log stays."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.write() as session:
            if not await remove_target(session, target_id=number, now=administrator.clock.now()):
                raise NotFoundError("webhook.unknown", f"No target {number} is told. See: otklik webhooks list")
        show.done(f"Target {number} is told nothing more.")

    run(work())
