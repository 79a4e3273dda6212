"""Running the sandbox: in the foreground for people, in a thread for tests."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from connectors.sandbox.app import Sandbox, create_app
from connectors.sandbox.clock import Clock
from connectors.sandbox.limits import Limits

_START_SECONDS = 15.0
_GRACE_SECONDS = 2


class SandboxServer(uvicorn.Server):
    """A server that sends long polls and open walls home before it stops."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the hub first: uvicorn waits for open answers to end."""
        app = self.config.app
        if isinstance(app, FastAPI):
            app.state.sandbox.hub.close()
        await super().shutdown(sockets=sockets)


def make_server(app: ASGIApp, *, host: str, port: int) -> SandboxServer:
    """A server for the application that has not started yet."""
    return SandboxServer(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            timeout_keep_alive=30,
        )
    )


class Running:
    """A sandbox that listens on a port of this machine."""

    def __init__(self, url: str, sandbox: Sandbox) -> None:
        """Remember where it listens."""
        self.url = url
        self.sandbox = sandbox


@contextmanager
def in_thread(app: ASGIApp) -> Iterator[str]:
    """The application on a free loopback port, in a thread of this process; gives its address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        server = make_server(app, host="127.0.0.1", port=0)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="sandbox", daemon=True)
        thread.start()
        try:
            _wait_started(server, thread)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=_START_SECONDS)


@contextmanager
def running(
    *,
    data_dir: Path | None = None,
    world_file: Path | None = None,
    time_scale: float = 1.0,
    limits: Limits | None = None,
    clock: Clock | None = None,
) -> Iterator[Running]:
    """A sandbox on a free loopback port, in a thread of this process, stopped at the end."""
    app = create_app(data_dir=data_dir, world_file=world_file, time_scale=time_scale, limits=limits, clock=clock)
    with in_thread(app) as url:
        yield Running(url, app.state.sandbox)


def _wait_started(server: SandboxServer, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            message = "the sandbox did not start"
            raise RuntimeError(message)
        time.sleep(0.01)
