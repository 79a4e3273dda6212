"""Keeping a platform's limits from our side, so that its errors stay rare."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from connectors.contract import ConnectorError, TryLater

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from connectors.contract import Budget, Meter

ASK_SECONDS = 0.1
"""So often is it asked whether other processes have left us a place."""


@contextmanager
def metered(meter: Meter | None, method: str) -> Iterator[None]:
    """Tell the meter how a call ended; what was broken off by us counts as `cancelled`, a mistake of ours as `bug`."""
    outcome = "cancelled"
    try:
        yield
        outcome = "ok"
    except ConnectorError as error:
        outcome = error.code
        raise
    except Exception:
        outcome = "bug"
        raise
    finally:
        if meter is not None:
            meter.called(method, outcome)


class Window:
    """At most `limit` calls in any window of `seconds`, first come first served.

    A call keeps its place until `seconds` after it *ended*. The platform counts it at some moment between our sending
    and its answer, so spacing the starts would still let it see one too many; this never does, whatever the latency.
    """

    def __init__(self, limit: int, seconds: float, places: Callable[[int], int] | None = None) -> None:
        """`places`: given how many are held, how many of the `limit` are ours now, when other processes have the rest."""
        self.limit = limit
        self.seconds = seconds
        self.load = 0
        """Calls that hold a place or wait for one."""
        self._held = 0
        self._ours = places or (lambda _held: limit)
        self._turn = asyncio.Lock()
        self._left = asyncio.Event()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place, then hold it through the call and one window more."""
        self.load += 1
        try:
            async with self._turn:
                await self._free()
                self._held += 1
        except BaseException:
            self.load -= 1
            raise
        try:
            yield
        finally:
            asyncio.get_running_loop().call_later(self.seconds, self._leave)

    async def _free(self) -> None:
        """Until there is a place: one of ours was left, or others left us more."""
        while self._held >= min(self.limit, self._ours(self._held)):
            self._left.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_SECONDS):
                    await self._left.wait()

    def _leave(self) -> None:
        self.load -= 1
        self._held -= 1
        self._ours(self._held)
        self._left.set()


def shared(limit: int, seconds: float, credential_key: str, budget: Budget | None) -> Window:
    """The window of a token that other processes may use as well: theirs is what `budget` leaves them."""
    return Window(limit, seconds, None if budget is None else partial(budget.places, credential_key, limit))


@asynccontextmanager
async def paced(*windows: Window, patience: float) -> AsyncIterator[None]:
    """Hold a place in every window. Raises TryLater `rate` when that takes longer than `patience` seconds."""
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(patience):
                for window in windows:
                    await stack.enter_async_context(window.place())
        except TimeoutError:
            longest = max(window.seconds for window in windows)
            code, detail = "rate", "our own pacing: too many calls are waiting for this token"
            raise TryLater(code, detail, after=timedelta(seconds=longest)) from None
        yield


class Quota:
    """At most `limit` calls in any span of `seconds`, counted in this process; never waits."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self._taken: deque[float] = deque()

    def take(self) -> None:
        """Count one call. Raises TryLater `quota` when there is none left, until the oldest one leaves the span."""
        now = time.monotonic()
        while self._taken and self._taken[0] <= now - self.seconds:
            self._taken.popleft()
        if len(self._taken) >= self.limit:
            after = self._taken[0] + self.seconds - now if self._taken else self.seconds
            code, detail = "quota", f"{self.limit} calls are used up"
            raise TryLater(code, detail, after=timedelta(seconds=after))
        self._taken.append(now)
