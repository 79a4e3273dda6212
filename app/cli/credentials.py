"""`otklik credentials …`: the platforms' tokens."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import bootstrap
from app.cli import show
from app.cli.imports import read_file
from app.cli.owner import owner, run
from app.exchange.credentials import add_credential, list_credentials, revoke_credential
from app.exchange.new_token import Trial, check_token, find_credential, replace_credential
from app.exchange.page_names import PageNames
from app.kernel.errors import NotFoundError

if TYPE_CHECKING:
    from app.settings import Settings
    from connectors.contract import Plugin

credentials = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The platforms' tokens, encrypted at rest.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_STANDARD_INPUT = Path("-")


@credentials.command("add")
def add_token(
    *,
    platform: Annotated[str, typer.Option(help="vk, telegram, …")],
    kind: Annotated[str, typer.Option(help="The platform's word: user, service, community (VK), user (OK), bot (Telegram, MAX, Viber).")],
    token_file: Annotated[Path, typer.Option(help="File that holds the token; - reads standard input.")],
    page: Annotated[str, typer.Option(help="The page it belongs to (a VK community token): vk:screen_name or a link.")] = "",
) -> None:
    """Store a token. It is read from a file so that no shell remembers it. A running worker takes it up by itself."""
    secret = _secret(token_file)

    async def work() -> None:
        async with owner() as administrator:
            plugin = _plugin(administrator.settings, platform)
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
                    secret=secret,
                    page_id=page_id,
                    now=administrator.clock.now(),
                )
        show.done(f"Token {number} is stored. A running worker takes it up within seconds.")

    run(work())


@credentials.command()
def replace(
    number: Annotated[int, typer.Argument(min=1, help="The token's number in the list.")],
    *,
    token_file: Annotated[Path, typer.Option(help="File that holds the new token; - reads standard input.")],
    check_on: Annotated[str, typer.Option(help="Try it on this page: a link. Else on its own page, or on pages that are watched.")] = "",
) -> None:
    """Put a new token in the place of one, once the platform has let it do what the old one may; until then the old one stays."""
    secret = _secret(token_file)

    async def work() -> None:
        async with owner() as administrator:
            vault = bootstrap.settings_vault(administrator.settings)
            async with administrator.database.read() as session:
                old = await find_credential(session, vault, credential_id=number, check_on=check_on or None)
            plugin = _plugin(administrator.settings, old.platform)
            trial = Trial(plugin=plugin, api_url=administrator.settings.api_url(old.platform), time_scale=administrator.settings.time_scale)
            told = await check_token(trial, old, secret=secret)
            async with administrator.database.write() as session:
                new = await replace_credential(session, vault, plugin, old, secret=secret)
        show.done(f"Token {new} is a new one: {told}. A running worker takes it up within seconds.")

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
    """Stop using a token. A running worker stops within seconds."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.write() as session:
            if not await revoke_credential(session, credential_id=number, now=administrator.clock.now()):
                raise NotFoundError("credential.unknown", f"No token {number} is in use. See: otklik credentials list")
        show.done(f"Token {number} is not used any more.")

    run(work())


def _secret(token_file: Path) -> str:
    data = sys.stdin.buffer.read() if token_file == _STANDARD_INPUT else read_file(token_file)
    return data.decode("utf-8", "replace")


def _plugin(settings: Settings, platform: str) -> Plugin:
    plugin = bootstrap.load_plugins(settings).get(platform)
    if plugin is None:
        raise NotFoundError("platform.unknown", f"No connector for the platform {platform!r} is installed.")
    return plugin
