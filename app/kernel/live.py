"""Live news over LISTEN/NOTIFY: one listening connection per process wakes all that wait here.

A notification says only that something of a kind came; who is woken reads what they may see. A lost connection is
opened again, and everybody is woken then, since news may have passed meanwhile.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

from app.kernel import metrics
from app.kernel.log import logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL

CHANNEL = "otklik_live"
RECONNECT_SECONDS = 1.0
KEEPALIVE_SECONDS = 15.0


class Waiter:
    """One live stream: `wait` returns the kinds of news since the last call, or nothing after a time."""

    def __init__(self) -> None:
        self._kinds: set[str] = set()
        self._event = asyncio.Event()

    def wake(self, kind: str) -> None:
        """News of a kind came."""
        self._kinds.add(kind)
        self._event.set()

    async def wait(self, seconds: float) -> frozenset[str]:
        """The kinds that came; empty when nothing did within `seconds`."""
        if not await _happens(self._event, within=seconds):
            return frozenset()
        kinds = frozenset(self._kinds)
        self._kinds.clear()
        self._event.clear()
        return kinds


class Live:
    """The process's ear."""

    ALL = frozenset({"appeals", "triage", "notices"})

    def __init__(self, url: URL, *, role: str | None) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._settings = {"application_name": "otklik live"} | ({"role": str(role)} if role else {})
        self._waiters: set[Waiter] = set()
        self._task: asyncio.Task[None] | None = None
        self.connected = False

    @contextmanager
    def listening(self) -> Iterator[Waiter]:
        """A waiter for the length of the block."""
        waiter = Waiter()
        self._waiters.add(waiter)
        metrics.LIVE_LISTENERS.set(len(self._waiters))
        try:
            yield waiter
        finally:
            self._waiters.discard(waiter)
            metrics.LIVE_LISTENERS.set(len(self._waiters))

    async def start(self) -> None:
        """Listen from now on."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _wake(self, kind: str) -> None:
        for waiter in self._waiters:
            waiter.wake(kind)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                logger.warning("live_lost", error=str(error))
            except Exception:  # noqa: BLE001 - else the screens would stand still and call themselves live
                logger.exception("live_failed")
            self.connected = False
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._url, server_settings=self._settings, timeout=10)
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _connection: lost.set())
        try:
            await connection.add_listener(CHANNEL, lambda _c, _p, _ch, payload: self._wake(str(payload)))
            self.connected = True
            for kind in self.ALL:
                self._wake(kind)
            while not await _happens(lost, within=KEEPALIVE_SECONDS):
                await connection.execute("SELECT 1", timeout=10)  # a network that went silent tells nothing by itself
            raise ConnectionResetError("the server ended the connection")
        finally:
            connection.terminate()


async def _happens(event: asyncio.Event, *, within: float) -> bool:
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return False
    return True
