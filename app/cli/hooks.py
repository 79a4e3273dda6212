"""`otklik hooks …`: platforms that push what is written, beside the polling that is complete by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from sqlalchemy import text

from app import bootstrap
from app.cli import show
from app.cli.owner import owner, run
from app.exchange.page_names import PageNames
from app.kernel.errors import InvalidError, NotFoundError
from app.sources.hooks import add_hook, list_hooks, remove_hook
from app.sources.listeners import list_listeners, start_listening, stop_listening
from connectors.contract import ChecksSignatures, ConnectorError, PageRef, RegistersPush

if TYPE_CHECKING:
    from sqlalchemy import Row

    from app.cli.owner import Owner
    from app.kernel.db import ReadSession
    from connectors.contract import Plugin

hooks = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Pages for which their platform pushes.")
Page = Annotated[str, typer.Argument(help="The page: vk:screen_name, its id or a link.")]
_NAMED = text("SELECT platform, external_id, options FROM page WHERE id = :id")


@hooks.command("add")
def add(
    page: Page,
    *,
    confirmation: Annotated[str, typer.Option(help="VK: the string that the community's settings show for the Callback server.")] = "",
) -> None:
    """Let the platform push for a page; prints the address and, once, the secret to enter there. A former secret ends.

    Where the platform is told by a call (Viber), it is told.
    """

    async def work() -> None:
        async with owner() as administrator:
            async with administrator.database.write() as session:
                page_id = await _page(session, page)
                row = (await session.execute(_NAMED, {"id": page_id})).one()
                plugin = bootstrap.load_plugins(administrator.settings).get(row.platform)
                if plugin is None or plugin.push is None:
                    raise InvalidError("hook.platform", f"The platform {row.platform} does not push comments: polling reads them.")
                signed, now = isinstance(plugin.push, ChecksSignatures), administrator.clock.now()
                secret = await add_hook(session, page_id=page_id, confirmation=confirmation.strip(), now=now, signed=signed)
            address = f"{bootstrap.own_address(administrator.settings)}/hooks/{row.platform}/{quote(row.external_id, safe='-')}"
            # Outside the transaction: the platform tries the address before it answers.
            if await _register(administrator, plugin, row, address):
                show.done(f"{plugin.title} pushes to {address} from now on, and signs with the page's own token.")
                return
        show.done("Enter these at the platform. The secret is shown only now:")
        show.note(f"address  {address}")
        show.note(f"secret   {secret}")

    run(work())


async def _register(administrator: Owner, plugin: Plugin, row: Row[Any], address: str | None) -> bool:
    """Tell the platform where to push, where that is done by a call. Raises InvalidError when it refuses."""
    if not any(able.verb == "register_push" for able in plugin.capabilities):
        return False
    settings = administrator.settings
    connector = (await bootstrap.build_connectors(settings, administrator.database, {plugin.platform: plugin})).get(plugin.platform)
    if not isinstance(connector, RegistersPush):
        raise NotFoundError("hook.token", "The page's token is not stored. See: otklik credentials add --help")
    try:
        await connector.register_push(PageRef(external_id=row.external_id, options=row.options), address)
    except ConnectorError as error:
        where = f" It must reach {address} from outside (OTKLIK_PUBLIC_URL), by https." if address else ""
        raise InvalidError("hook.refused", f"{plugin.title} refused ({error.code}).{where}") from error
    finally:
        await connector.close()
    return True


@hooks.command("list")
def list_all(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Pages that are pushed for, what waits in the inbox, when something came last."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.read() as session:
            lines = await list_hooks(session)
        columns = ("platform", "page", "external_id", "created_at", "waiting", "last_at")
        show.listing(lines, columns, json_wanted=json, nothing="No platform pushes: comments are polled. See: otklik hooks add --help")

    run(work())


@hooks.command("remove")
def remove(page: Page) -> None:
    """Refuse what is pushed for a page from now on; polling goes on."""

    async def work() -> None:
        async with owner() as administrator:
            async with administrator.database.write() as session:
                page_id = await _page(session, page)
                row = (await session.execute(_NAMED, {"id": page_id})).one()
                if not await remove_hook(session, page_id=page_id, now=administrator.clock.now()):
                    raise NotFoundError("hook.unknown", f"Nobody pushes for {page!r}. See: otklik hooks list")
            plugin = bootstrap.load_plugins(administrator.settings).get(row.platform)
            try:
                if plugin is not None:
                    await _register(administrator, plugin, row, None)
            except (InvalidError, NotFoundError) as error:
                show.note(f"{error.detail} It may go on pushing, in vain.")
        show.done("What is pushed for the page is refused from now on.")

    run(work())


@hooks.command("listen")
def listen(page: Page) -> None:
    """Wait for the page's news at its platform, where that cannot reach us (VK's Bots Long Poll); polling goes on beside it."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.write() as session:
            page_id = await _page(session, page)
            platform = (await session.execute(text("SELECT platform FROM page WHERE id = :id"), {"id": page_id})).scalar_one()
            plugin = bootstrap.load_plugins(administrator.settings).get(platform)
            able = next((one for one in plugin.capabilities if one.verb == "listen"), None) if plugin is not None else None
            if able is None:
                raise InvalidError(
                    "listener.platform",
                    f"The news of a page of {platform} cannot be waited for: polling reads them, or otklik hooks add has them pushed.",
                )
            if not await start_listening(session, page_id=page_id, kinds=able.token_kinds, now=administrator.clock.now()):
                kinds = " or ".join(able.token_kinds)
                detail = f"No token that may listen ({kinds}) is stored for this page. See: otklik credentials add --help"
                raise NotFoundError("listener.token", detail)
        show.done("The page is listened to from now on. How it goes: otklik hooks ears")

    run(work())


@hooks.command("deafen")
def deafen(page: Page) -> None:
    """Wait for the page's news no more; polling goes on."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.write() as session:
            if not await stop_listening(session, page_id=await _page(session, page)):
                raise NotFoundError("listener.unknown", f"Nobody listens to {page!r}. See: otklik hooks ears")
        show.done("The page is not listened to any more.")

    run(work())


@hooks.command("ears")
def ears(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Pages that are listened to, when something was heard last, and what is wrong."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.read() as session:
            lines = await list_listeners(session)
        columns = ("platform", "page", "external_id", "started_at", "heard_at", "error")
        show.listing(lines, columns, json_wanted=json, nothing="No page is listened to. See: otklik hooks listen --help")

    run(work())


async def _page(session: ReadSession, page: str) -> int:
    found = (await PageNames.load(session)).find(page)
    if found is None:
        raise NotFoundError("page.unknown", f"The page {page!r} is not watched. See: otklik pages list")
    return found
