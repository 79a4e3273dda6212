"""A server that answers any bytes: what no well-behaved stand-in would send."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

JSON = "application/json; charset=utf-8"


def http(body: bytes, *, status: str = "200 OK", content_type: str = JSON, headers: str = "") -> bytes:
    """A whole HTTP answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    return (head + headers + "\r\n").encode() + body


@dataclass
class RawServer:
    """Answers the planned bytes in turn, the last one for ever; `drip` sends them byte by byte with that pause."""

    url: str = ""
    answers: list[bytes] = field(default_factory=list)
    drip: float = 0.0
    requests: list[bytes] = field(default_factory=list)

    def plan(self, *answers: bytes) -> None:
        """What comes next."""
        self.answers[:] = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one answer."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
            body = await reader.readexactly(int(length.split(b":")[1]))
            self.requests.append(head + body)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            for start in range(0, len(answer), 1 if self.drip else len(answer) or 1):
                writer.write(answer[start : start + (1 if self.drip else len(answer))])
                await writer.drain()
                await asyncio.sleep(self.drip)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def serving(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """Serve on a free loopback port, which is told; sessions end with the block: the loop goes on with other tests."""
    sessions: set[asyncio.Task[None]] = set()

    def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def whole() -> None:
            try:
                await serve(reader, writer)
            finally:
                writer.close()

        sessions.add(asyncio.get_running_loop().create_task(whole()))

    server = await asyncio.start_server(session, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in sessions:
            one.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)
        await asyncio.sleep(0)  # closed sockets are let go in the loop's next round


@asynccontextmanager
async def raw_server() -> AsyncIterator[RawServer]:
    """A raw server on a free loopback port."""
    raw = RawServer()
    async with serving(raw.serve) as port:
        raw.url = f"http://127.0.0.1:{port}"
        yield raw
