"""`otklik pages …` and `otklik credentials …`: what is watched, and by which tokens."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from app import bootstrap
from app.cli import show
from app.cli.imports import read_file, watch
from app.cli.owner import owner, run
from app.exchange.credentials import add_credential, list_credentials, revoke_credential
from app.exchange.page_names import PageNames
from app.exchange.pages import OPTIONAL, REQUIRED, list_pages
from app.exchange.table import ImportFaultsError
from app.kernel.errors import InvalidError, NotFoundError

pages = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The pages that are watched.")
credentials = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The platforms' tokens, encrypted at rest.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_STANDARD_INPUT = Path("-")


@pages.command("list")
def list_all(*, json: Json = False) -> None:
    """All pages, when each was read last, and what is wrong with it."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.read() as session:
            lines = await list_pages(session)
        columns = ("platform", "title", "link", "agency", "territory", "active", "polled_at", "error")
        show.listing(lines, columns, json_wanted=json, nothing="No pages yet. Add one: otklik pages add, or otklik import pages FILE.csv")

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


@credentials.command("add")
def add_token(
    *,
    platform: Annotated[str, typer.Option(help="vk, telegram, …")],
    kind: Annotated[str, typer.Option(help="The platform's word: user, service, community (VK), user (OK), bot (Telegram, MAX).")],
    token_file: Annotated[Path, typer.Option(help="File that holds the token; - reads standard input.")],
    page: Annotated[str, typer.Option(help="The page it belongs to (a VK community token): vk:screen_name or a link.")] = "",
) -> None:
    """Store a token. It is read from a file so that no shell remembers it. A running worker takes it up at its next start."""
    data = sys.stdin.buffer.read() if token_file == _STANDARD_INPUT else read_file(token_file)

    async def work() -> None:
        async with owner() as administrator:
            plugin = bootstrap.load_plugins(administrator.settings).get(platform)
            if plugin is None:
                raise NotFoundError("platform.unknown", f"No connector for the platform {platform!r} is installed.")
            vault = bootstrap.settings_vault(administrator.settings)
            async with administrator.database.write() as session:
                page_id = (await PageNames.load(session)).find(page) if page else None
                if page and page_id is None:
                    raise NotFoundError("page.unknown", f"The page {page!r} is not watched. See: otklik pages list")
                number = await add_credential(
                    session,
                    vault,
                    plugin,
                    kind=kind,
                    secret=data.decode("utf-8", "replace"),
                    page_id=page_id,
                    now=administrator.clock.now(),
                )
        show.done(f"Token {number} is stored. Restart the worker to use it.")

    run(work())


@credentials.command("list")
def list_tokens(*, json: Json = False) -> None:
    """The tokens in use, without their secrets."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.read() as session:
            lines = await list_credentials(session)
        show.listing(
            lines,
            ("id", "platform", "kind", "page", "created_at"),
            json_wanted=json,
            nothing="No tokens yet. Add one: otklik credentials add",
        )

    run(work())


@credentials.command()
def revoke(number: Annotated[int, typer.Argument(help="The token's number in the list.")]) -> None:
    """Stop using a token. A running worker stops at its next start."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.write() as session:
            if not await revoke_credential(session, credential_id=number, now=administrator.clock.now()):
                raise NotFoundError("credential.unknown", f"No token {number} is in use. See: otklik credentials list")
        show.done(f"Token {number} is not used any more.")

    run(work())
