"""MAX's Bot API over HTTP: one way, one bot per token, so many calls a second, each tried once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from connectors import meanings
from connectors.contract import AccessLost
from connectors.max.errors import from_answer
from connectors.pacing import metered, paced, shared
from connectors.payload import is_object, maybe_text, readable_json
from connectors.wire import FIRST_REFUSAL, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.contract import Credential, Options

DEFAULT_LIMITS: Final[Mapping[str, float]] = {"calls_per_second": 30}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What MAX answered, and its bytes."""

    value: object
    raw: bytes


WORDS: Final = frozenset({"me", "chats", "members", "messages", "comments", "updates", "subscriptions"})


class MaxClient:
    """All calls of one connector's bots."""

    def __init__(self, options: Options, base_url: str) -> None:
        self._options = options
        self._wire = Wire(base_url, options.timeout)
        self.per_second = max(1, int({**DEFAULT_LIMITS, **options.limits}["calls_per_second"]))
        """Of one bot, in MAX's own time."""
        self._windows = {bot.key: shared(self.per_second, 1 / options.time_scale, bot.key, options.budget) for bot in options.credentials}

    async def close(self) -> None:
        """Release the sockets."""
        await self._wire.close()

    async def get(self, bot: Credential, path: str, **query: str | int) -> Answer:
        """A reading. Raises the contract's errors."""
        return await self._call(bot, "GET", path, query=query)

    async def post(self, bot: Credential, path: str, body: Mapping[str, object], **query: str | int) -> Answer:
        """A sending, once. Raises the contract's errors."""
        return await self._call(bot, "POST", path, query=query, body=body)

    async def put(self, bot: Credential, path: str, body: Mapping[str, object], **query: str | int) -> Answer:
        """A change, once. Raises the contract's errors."""
        return await self._call(bot, "PUT", path, query=query, body=body)

    async def delete(self, bot: Credential, path: str, **query: str | int) -> Answer:
        """A deletion, once. Raises the contract's errors."""
        return await self._call(bot, "DELETE", path, query=query)

    async def _call(
        self, bot: Credential, method: str, path: str, *, query: Mapping[str, str | int], body: Mapping[str, object] | None = None
    ) -> Answer:
        with metered(self._options.meter, f"{method} {_shape(path)}"):
            return await self._called(bot, method, path, query=query, body=body)

    async def _called(
        self, bot: Credential, method: str, path: str, *, query: Mapping[str, str | int], body: Mapping[str, object] | None
    ) -> Answer:
        if not bot.secret.isascii():
            raise AccessLost("reauthorise", "not the form of a bot's token", credential_key=bot.key)
        scene = meanings.Scene(sending=method != "GET", credential_key=bot.key, time_scale=self._options.time_scale)
        async with paced(self._windows[bot.key], patience=self._options.timeout):
            heard = await self._wire.ask(method, path, query=query, json=body, headers={"Authorization": bot.secret}, scene=scene)
        try:
            value: object = json.loads(readable_json(heard.body))
        except (ValueError, RecursionError):
            value = None
        if heard.status >= FIRST_REFUSAL:
            told = value if is_object(value) else {}
            code, words = maybe_text(told.get("code")) or "", maybe_text(told.get("message")) or ""
            raise from_answer(heard.status, code, words, raw=heard.body, scene=scene)
        if value is None:
            raise meanings.unreadable("malformed", "not JSON", raw=heard.body, scene=scene)
        return Answer(value=value, raw=heard.body)


def _shape(path: str) -> str:
    """A path without what it names: of metrics, where a page's or a post's number would be a series of its own."""
    return "/".join(part if part in WORDS else "{id}" for part in path.strip("/").split("/"))
