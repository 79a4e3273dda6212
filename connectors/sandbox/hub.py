"""News of the world for whoever waits: walls open in a browser, long polls."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from connectors.sandbox.journal import Event

KEPT = 1_000
SHOWN = frozenset({"post", "edit_post", "delete_post", "open", "comment", "edit", "delete", "restore"})


@dataclass(frozen=True, slots=True)
class News:
    """One change that a wall shows; `number` grows with the journal, also across restarts."""

    number: int
    op: str
    platform: str
    page: str
    post_id: int
    id: int


class Hub:
    """Keeps the latest news and wakes those who wait for more."""

    def __init__(self) -> None:
        """Begin with no news; the first wait binds to the running loop."""
        self._kept: deque[News] = deque(maxlen=KEPT)
        self._number = 0
        self._wake: list[asyncio.Future[None]] = []
        self.closing = False

    @property
    def number(self) -> int:
        """How many events there were."""
        return self._number

    def hear(self, event: Event) -> None:
        """Take one event of the world."""
        self._number += 1
        if event["op"] in SHOWN:
            post_id = event["post_id"] if "post_id" in event else event["id"]
            self._kept.append(News(self._number, event["op"], event["platform"], event["page"], post_id, event["id"]))
        self._call()

    def close(self) -> None:
        """Send everybody home, so that the server can stop."""
        self.closing = True
        self._call()

    def since(self, number: int) -> list[News] | None:
        """News after `number`; None when some of it is no longer kept."""
        if number > self._number or (len(self._kept) == KEPT and self._kept[0].number > number + 1):
            return None
        return [news for news in self._kept if news.number > number]

    async def wait(self, seconds: float) -> bool:
        """Wait for anything to happen; False when nothing did in `seconds`."""
        if self.closing:
            return False
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._wake.append(future)
        try:
            await asyncio.wait_for(future, seconds)
        except TimeoutError:
            return False
        finally:
            if future in self._wake:
                self._wake.remove(future)
        return True

    async def stream(self, after: int, beat: float) -> AsyncIterator[list[News] | None]:
        """News as it comes; an empty list every `beat` quiet seconds; None when some was missed. Ends on close."""
        seen = after
        while not self.closing:
            fresh = self.since(seen)
            seen = self._number
            if fresh is None or fresh:
                yield fresh
            if seen == self._number and not await self.wait(beat):
                yield []

    def _call(self) -> None:
        waiting, self._wake = self._wake, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
