"""What a worker says of itself over HTTP: its series, and that its loop goes round. Nothing here is about people."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import uvicorn

from app.kernel import metrics

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractContextManager

_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class _Guest(uvicorn.Server):
    """A server in somebody else's loop: signals are the worker's to hear."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # a generator's context there
        """Leave them alone."""
        return nullcontext()


@asynccontextmanager
async def worker_page(listener: socket.socket | None) -> AsyncIterator[None]:
    """Serve the page while the block runs; without a listener nothing is served."""
    if listener is None:
        yield
        return
    config = uvicorn.Config(_page, log_config=None, access_log=False, server_header=False, lifespan="off", timeout_graceful_shutdown=1)
    server = _Guest(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def _page(scope: dict[str, Any], _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    status, kind, body = 404, _TEXT, b"There are /metrics and /health/live here.\n"
    if scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}:
        if scope["path"] == "/metrics":
            status, body = 200, metrics.exposition()
        elif scope["path"] == "/health/live":
            status, kind, body = 200, "application/json", b'{"status":"ok"}'
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
