"""The processes by themselves: web, worker, migrate."""

from __future__ import annotations

import asyncio
import signal
import socket
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import uvicorn
from sqlalchemy.exc import DBAPIError

from app import bootstrap
from app.cli import show
from app.cli.owner import run
from app.cli.worker_page import worker_page
from app.exchange.credentials import credentials_mark
from app.kernel import log
from app.kernel.errors import OtklikError, SetupError
from app.kernel.log import logger
from app.kernel.memory import settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.kernel.parts import WorkerParts
    from app.settings import Settings

GRACE_SECONDS = 3
TOKENS_SECONDS = 3.0
"""So often does a worker look whether the platforms' tokens have changed."""


def web() -> None:
    """Serve the screens and the API until Ctrl+C. Any number may run, on any machines."""
    settings = bootstrap.read_settings()
    log.set_up(level=settings.log_level, as_json=settings.log_json)
    listener = listen(settings.host, settings.port, setting="OTKLIK_PORT")
    with listener, suppress(KeyboardInterrupt):  # uvicorn has stopped in good order and tells the signal on
        run(_serve(settings, listener))


def worker() -> None:
    """Read the platforms, triage, publish answers and watch deadlines until Ctrl+C. Any number may run."""
    settings = bootstrap.read_settings()
    log.set_up(level=settings.log_level, as_json=settings.log_json)
    run(_work(settings))


def migrate() -> None:
    """Bring the database to this program's version; creates it when it is not there. Does nothing when all is done."""

    async def work() -> None:
        ground = await bootstrap.open_ground(bootstrap.read_settings())
        before, after = await bootstrap.migrate(ground.url)
        if before == after:
            show.done(f"The database is at migration {after} already.")
        else:
            show.done(f"The database has come from migration {before or 'none'} to {after}.")

    run(work())


def listen(host: str, port: int, *, setting: str) -> socket.socket:
    """A listening socket. Raises SetupError when the port is busy or the address not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, since asyncio turns Nagle's delay (40 ms an answer) off only for a socket that says TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        raise SetupError(
            "setup.port",
            f"Port {port} on {host} cannot be used ({error.strerror or error}). Stop what uses it or set {setting} to another one.",
        ) from error
    return listener


async def _serve(settings: Settings, listener: socket.socket) -> None:
    from app.web.app import create_app  # noqa: PLC0415 - other commands need no web framework

    parts = await bootstrap.build_web(settings)
    config = uvicorn.Config(
        create_app(parts),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=settings.public_url is not None,
        timeout_graceful_shutdown=GRACE_SECONDS,  # live streams never end by themselves
    )
    config.load()
    settle()
    await uvicorn.Server(config).serve(sockets=[listener])


async def _work(settings: Settings) -> None:
    from app.flows.worker import run as work  # noqa: PLC0415 - other commands need no connectors

    with ExitStack() as held:
        listener = None
        if settings.worker_port is not None:
            listener = held.enter_context(listen(settings.host, settings.worker_port, setting="OTKLIK_WORKER_PORT"))
        parts: WorkerParts | None = await bootstrap.build_worker(settings)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        token = None if settings.metrics_token is None else settings.metrics_token.get_secret_value()
        async with worker_page(listener, token=token):
            while parts is not None:
                parts = await _work_with(parts, work, settings, stop)


async def _work_with(
    parts: WorkerParts, work: Callable[[WorkerParts, asyncio.Event], Awaitable[None]], settings: Settings, stop: asyncio.Event
) -> WorkerParts | None:
    """Work until the end, or until the platforms' tokens change: the parts to go on with, None at the end."""
    ended = asyncio.Event()
    working, changing = asyncio.ensure_future(work(parts, ended)), asyncio.ensure_future(_changed_tokens(parts, settings))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, changing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        ended.set()
        await working
        return changing.result() if changing.done() and not stop.is_set() else None
    finally:
        changing.cancel()
        stopping.cancel()
        await parts.database.dispose()


async def _changed_tokens(parts: WorkerParts, settings: Settings) -> WorkerParts:
    """New parts, once other tokens are in use; what cannot be built leaves the worker with what it has."""
    while True:
        await asyncio.sleep(TOKENS_SECONDS)
        try:
            async with parts.database.read() as session:
                if await credentials_mark(session) == parts.tokens_mark:
                    continue
            changed = await bootstrap.build_worker(settings)
        except (OtklikError, OSError, DBAPIError) as error:
            logger.warning("tokens_not_taken_up", error=str(error).partition("\n")[0][:300])
            continue
        logger.info("tokens_taken_up", platforms=sorted(changed.connectors))
        return changed
