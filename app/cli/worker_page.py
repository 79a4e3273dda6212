"""What a worker says of itself over HTTP: its series, and that its loop goes round. Nothing here is about people."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import uvicorn

from app.kernel import metrics

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractContextManager

_FORWARDED = frozenset({b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class _Guest(uvicorn.Server):
    """A server in somebody else's loop: signals are the worker's to hear."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # a generator's context there
        """Leave them alone."""
        return nullcontext()


@asynccontextmanager
async def worker_page(listener: socket.socket | None, *, token: str | None = None) -> AsyncIterator[None]:
    """Serve the page while the block runs; without a listener nothing is served.

    The series are given as the web process gives its own: to whoever sends the token, else to this machine only.
    """
    if listener is None:
        yield
        return
    config = uvicorn.Config(
        partial(_page, token),
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    server = _Guest(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _may_collect(scope: dict[str, Any], token: str | None) -> bool:
    headers = dict(scope["headers"])
    if token is not None:
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(given.strip(), token.encode())
    client = scope.get("client")
    return client is not None and ipaddress.ip_address(client[0]).is_loopback and not _FORWARDED & headers.keys()


async def _page(token: str | None, scope: dict[str, Any], _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    status, kind, body = 404, _TEXT, b"There are /metrics and /health/live here.\n"
    if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}:
        if scope["path"] == "/metrics" and _may_collect(scope, token):
            status, body = 200, metrics.exposition()
        elif scope["path"] == "/health/live":
            status, kind, body = 200, "application/json", b'{"status":"ok"}'
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
