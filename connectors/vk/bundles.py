"""Many readings in one call: VK's `execute` makes up to 25 for one place of a token's second.

Calls that come while a place is waited for go together. VK refuses a bundle whose answer would be too large (error 13):
bundles are then half as long, and grow again one by one as long as all goes well. A failure inside a bundle is that of its
own call alone. Methods with a daily quota are never bundled: `execute` saves places of a second, not calls of a day.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Final

from connectors.contract import ConnectorError, TryLater
from connectors.pacing import paced
from connectors.payload import Json, is_object, maybe_int, to_bytes
from connectors.vk.calls import Answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from connectors.pacing import Window
    from connectors.vk.calls import Call

    Pending = tuple[Call, asyncio.Future[Answer]]

MOST: Final = 25
KINDS: Final = frozenset({"user"})
"""A service token may not call `execute`, and a community token may not read."""
METHODS: Final = frozenset({"wall.getById", "wall.getComments", "photos.getComments", "video.getComments", "board.getComments"})


class TooMuchError(Exception):
    """Error 13: the bundle is too long for VK, or its answer too large. Nothing of it was told."""


def script(calls: Sequence[Call]) -> str:
    """The VKScript that makes the calls and returns their answers in order."""
    made = ",".join(f"API.{call.method}({json.dumps(dict(call.params))})" for call in calls)
    return f"return [{made}];"


def told(answer: Json, calls: int) -> list[object] | None:
    """What each call got: its answer, or the entry of `execute_errors` under an `Inside`; None when it is no such answer.

    VK puts `false` in the place of a call that failed, and the errors beside, in the order of these places.
    """
    values, errors = answer.get("response"), answer.get("execute_errors", [])
    if not isinstance(values, list) or len(values) != calls or not isinstance(errors, list):
        return None
    left = iter(errors)
    return [Inside(next(left, None)) if value is False else value for value in values]


class Inside:
    """An error inside a bundle: VK's number and words, or nothing where VK did not say."""

    def __init__(self, entry: object) -> None:
        self.entry: Json | None = entry if is_object(entry) else None


class Bundler:
    """The bundles of one token."""

    def __init__(
        self,
        window: Window,
        *,
        patience: float,
        one: Callable[[Call], Awaitable[Answer]],
        many: Callable[[Sequence[Call]], Awaitable[Sequence[Answer | ConnectorError]]],
    ) -> None:
        """`one` and `many` carry calls out; the place in the token's window is taken here."""
        self.size = MOST
        """How many calls the next bundle may have."""
        self._window = window
        self._patience = patience
        self._one = one
        self._many = many
        self._queue: deque[Pending] = deque()
        self._coming = False
        self._running: set[asyncio.Task[None]] = set()

    @property
    def load(self) -> float:
        """How busy the token is, in places."""
        return self._window.load + len(self._queue) / self.size

    async def call(self, call: Call) -> Answer:
        """Carry out a call with others. Raises the contract's errors, as if it had gone alone."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.append((call, future))
        self._wake()
        return await future

    def _wake(self) -> None:
        """See to it that somebody waits for a place as long as calls do."""
        if self._queue and not self._coming:
            self._coming = True
            task = asyncio.create_task(self._next())
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _next(self) -> None:
        try:
            async with paced(self._window, patience=self._patience):
                calls = self._take()
                self._coming = False
                self._wake()
                if calls:
                    await self._carry(calls)
        except TryLater as error:  # no place came free in time: those who waited for it are told so
            self._coming = False
            for _, future in self._drain():
                future.set_exception(error)

    def _take(self) -> list[Pending]:
        calls: list[Pending] = []
        while self._queue and len(calls) < self.size:
            pending = self._queue.popleft()
            if not pending[1].done():  # nobody waits any more
                calls.append(pending)
        return calls

    def _drain(self) -> list[Pending]:
        left = [pending for pending in self._queue if not pending[1].done()]
        self._queue.clear()
        return left

    async def _carry(self, calls: list[Pending]) -> None:
        """Carry out what was taken; whatever happens, each of them hears of it."""
        full = len(calls) >= self.size
        try:
            outcomes: Sequence[Answer | BaseException]
            if len(calls) == 1:
                outcomes = [await self._one(calls[0][0])]
            else:
                outcomes = await self._many([call for call, _ in calls])
        except TooMuchError:
            self.size = max(1, len(calls) // 2)
            self._queue.extendleft(reversed(calls))
            self._wake()
            return
        except BaseException as error:  # noqa: BLE001 - a bug as well: nobody may wait for ever
            outcomes = [error] * len(calls)
        else:
            self.size = min(MOST, self.size + full)
        for (_, future), outcome in zip(calls, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

    def close(self) -> None:
        """Drop what waits."""
        for task in self._running:
            task.cancel()
        for _, future in self._drain():
            future.cancel()


def part(value: object, whole: Answer) -> Answer:
    """One call's answer out of a bundle's."""
    return Answer(value=value, raw=to_bytes(value), date=whole.date)


def fits(call: Call, value: object) -> bool:
    """Whether an answer speaks of the posts that were asked about, as far as it says of which it speaks."""
    listed = value.get("items") if is_object(value) else value
    rows = [row for row in listed if is_object(row)] if isinstance(listed, list) else []
    if call.method == "wall.getById":
        asked = set(str(call.params.get("posts", "")).split(","))
        return all(_not_told(row, "owner_id", "id") or f"{row['owner_id']}_{row['id']}" in asked for row in rows)
    names = [name for name in ("owner_id", "post_id") if "post_id" in call.params]
    return all(_not_told(row, name) or str(row[name]) == str(call.params.get(name)) for row in rows for name in names)


def _not_told(row: Json, *names: str) -> bool:
    return not all(maybe_int(row.get(name)) for name in names)
