"""`otklik pages …`: what is watched."""

from __future__ import annotations

import csv
import io
from typing import Annotated

import typer

from app.cli import show
from app.cli.imports import watch
from app.cli.owner import owner, run
from app.cli.page_filters import InAgency, InSphere, InTerritory, Platform, State, filters_of
from app.exchange.pages import OPTIONAL, REQUIRED, list_pages
from app.exchange.table import ImportFaultsError
from app.kernel.errors import InvalidError

pages = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The pages that are watched.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@pages.command("list")
def list_all(  # noqa: PLR0913 - one parameter per option
    *,
    platform: Platform = "",
    agency: InAgency = "",
    territory: InTerritory = "",
    sphere: InSphere = "",
    state: State = None,
    json: Json = False,
) -> None:
    """Pages by title, when each was read last, and how it goes: fine, late, faulty, no_access, closed, off."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.read() as session:
            filters = await filters_of(session, platform=platform, agency=agency, territory=territory, sphere=sphere, state=state)
            lines = await list_pages(session, now=administrator.clock.now(), filters=filters)
        columns = ("platform", "title", "link", "agency", "territory", "members", "state", "polled_at", "error")
        nothing = "No page fits. Add one: otklik pages add, or otklik import pages FILE.csv"
        show.listing(lines, columns, json_wanted=json, nothing=nothing, cut=("link",))

    run(work())


@pages.command()
def add(  # noqa: PLR0913 - one parameter per option
    link: Annotated[str, typer.Argument(help="The page's address, as the browser shows it.")],
    *,
    platform: Annotated[str, typer.Option(help="vk, telegram, …")],
    agency: Annotated[str, typer.Option(help="Code of the agency that owns the page.")],
    territory: Annotated[str, typer.Option(help="Code of its territory.")],
    sphere: Annotated[str, typer.Option(help="Code of its sphere.")] = "",
    title: Annotated[str, typer.Option(help="A title of your own; else the platform's.")] = "",
    external_id: Annotated[str, typer.Option(help="The platform's id; else the platform is asked.")] = "",
) -> None:
    """Watch one page from now on; the same as a file of one line for `otklik import pages`."""
    values = {
        "platform": platform, "link": link, "agency": agency, "territory": territory,
        "external_id": external_id, "title": title, "sphere": sphere,
    }  # fmt: skip
    table = io.StringIO()
    writer = csv.DictWriter(table, (*REQUIRED, *OPTIONAL))
    writer.writeheader()
    writer.writerow(values)

    async def work() -> None:
        async with owner() as administrator:
            result = await watch(administrator, table.getvalue().encode(), dry_run=False, refresh=True)
        show.done("The page is watched from now on." if result.added else "The page was watched already; it is up to date.")

    try:
        run(work())
    except ImportFaultsError as error:
        for fault in error.faults[:-1]:
            show.fail(fault.text)
        raise InvalidError("page.faults", error.faults[-1].text) from error
