"""`otklik up`: everything on one machine, in one process tree."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import SecretStr
from rich.markup import escape
from sqlalchemy.engine import make_url

from app import bootstrap
from app.cli import show
from app.cli.owner import run
from app.cli.plan import Plan, wait_for
from app.cli.processes import listen
from app.cli.sample import SIGN_INS_FILE, SignIn, may_seed, seed_sample, sign_ins
from app.cli.tree import Tree
from app.kernel import marks
from app.kernel.embedded import DATABASE
from app.kernel.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.settings import Settings


def up(
    *,
    sample: Annotated[
        bool, typer.Option("--sample", help="On the first start fill the new database with a sample region, on the sandbox.")
    ] = False,
) -> None:
    """Run everything on this machine: database, web, worker (and the sandbox, for a sample region), until Ctrl+C.

    Uses the PostgreSQL of OTKLIK_DATABASE_URL, else an embedded one in OTKLIK_DATA_DIR. A second start goes on with
    the same data.
    """
    run(_up(bootstrap.read_settings(), sample_wanted=sample))


async def _up(settings: Settings, *, sample_wanted: bool) -> None:
    bootstrap.check_data_dir(settings.data_dir)
    bootstrap.load_plugins(settings)
    _check_ports(settings, sandbox=sample_wanted or (settings.data_dir / SIGN_INS_FILE).exists())
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tree = Tree(show.fail)
    try:
        starting = asyncio.create_task(_start(settings, tree, sample_wanted=sample_wanted))
        await _first(starting, stop)
        if not starting.cancelled():
            _welcome(*starting.result())
            tree.watch()
            await stop.wait()
        show.note("Stopping…")
    finally:
        await tree.stop()
    show.done("Stopped.")


def _check_ports(settings: Settings, *, sandbox: bool) -> None:
    """Try all ports at once, before anything is started: two settings may name the same one."""
    with ExitStack() as held:
        held.enter_context(listen(settings.host, settings.port, setting="OTKLIK_PORT"))
        if settings.worker_port is not None:
            held.enter_context(listen(settings.host, settings.worker_port, setting="OTKLIK_WORKER_PORT"))
        if sandbox:
            held.enter_context(listen("127.0.0.1", settings.sandbox_port, setting="OTKLIK_SANDBOX_PORT"))


async def _first(starting: asyncio.Task[tuple[Plan, list[SignIn]]], stop: asyncio.Event) -> None:
    """Wait until all is started, or for Ctrl+C, which ends the start."""
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)


async def _start(settings: Settings, tree: Tree, *, sample_wanted: bool) -> tuple[Plan, list[SignIn]]:
    """Start all in order."""
    plan = Plan(settings=settings, sample=False)
    settings = await _database(plan, tree)
    ground = await bootstrap.open_ground(settings)
    with _step("The database is migrated"):
        await bootstrap.migrate(ground.url)
    plan = replace(plan, sample=await _holds_sample(settings, ground, wanted=sample_wanted))
    people: list[SignIn] = []
    if plan.sample:
        with _step("The sandbox is ready"):
            await tree.add(plan.sandbox())
            await wait_for(f"{plan.sandbox_url}/", tree)
        with _step("The sample region is there"):
            if await may_seed(settings, ground):
                await seed_sample(plan.with_platforms(settings), ground)
            people = await sign_ins(settings, ground)
    environment = {f"OTKLIK_{name.upper()}": url for name, url in plan.platform_urls().items()}
    environment["OTKLIK_MEDIA_HOSTS"] = plan.media_hosts()
    environment["OTKLIK_DATABASE_URL"] = marks.plain(ground.url)
    environment["OTKLIK_DATABASE_URL_FILE"] = ""  # that is where it came from, if it was set
    with _step("The worker and the web process are ready"):
        await tree.add(plan.child("worker", **environment))
        await tree.add(plan.child("web", **environment))
        await wait_for(f"{plan.web_url}/health/ready", tree)
        tree.check()
    return plan, people


async def _database(plan: Plan, tree: Tree) -> Settings:
    """The settings with a database URL: of the given PostgreSQL, or of the embedded one that a child keeps."""
    if plan.settings.database_url is not None:
        return plan.settings
    with _step("PostgreSQL is running"):
        keeper = plan.keeper()
        process = await tree.add(keeper, stdout=asyncio.subprocess.PIPE)
        line = await process.stdout.readline() if process.stdout is not None else b""
        if not line.strip():
            await process.wait()
            raise SetupError("setup.postgres", keeper.last_line() or f"PostgreSQL does not start; its log is {keeper.log}.")
    url = make_url(line.decode().strip()).set(database=DATABASE)
    return plan.settings.model_copy(update={"database_url": SecretStr(marks.plain(url))})


async def _holds_sample(settings: Settings, ground: bootstrap.Ground, *, wanted: bool) -> bool:
    """Whether the database is, or is going to be, the sample region's."""
    if await marks.mark_of(ground.url) == marks.SAMPLE_MARK:
        return True
    if wanted and not await may_seed(settings, ground):
        show.note("  No sample region: this database is not empty, or otklik did not create it. It is used as it is.")
        return False
    return wanted


@contextmanager
def _step(line: str) -> Iterator[None]:
    """Show that something goes on, and how long it took."""
    started = time.monotonic()
    with show.out.status(f"{line}…"):
        yield
    show.out.print(f"[green]✓[/] {escape(line)} [dim]({time.monotonic() - started:.1f} s)[/]")


def _welcome(plan: Plan, people: list[SignIn]) -> None:
    address = plan.settings.public_url or plan.web_url
    show.out.print(f"\nOtklik    [bold]{escape(address)}[/]")
    if plan.sample:
        show.out.print(f"Sandbox   [bold]{escape(plan.sandbox_url)}[/]   write there as a citizen\n")
        show.table(("role", "sign-in", "password"), [(one.role, one.login, one.password or "(changed)") for one in people])
    else:
        show.note("\nThe first administrator comes in by:  otklik operators invite LOGIN --name NAME --role administrator")
    show.note(f"\nLogs are in {plan.settings.data_dir / 'log'}. Ctrl+C stops everything.")
