"""MAX's Bot API over HTTP: one way, one bot per token, so many calls a second, each tried once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors.contract import AccessLost
from connectors.http_api import HttpApi, Request
from connectors.max.errors import from_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.contract import Credential, Options
    from connectors.http_api import Answer

PER_SECOND: Final = 30
WORDS: Final = frozenset({"me", "chats", "members", "messages", "comments", "updates", "subscriptions", "uploads"})


class MaxClient:
    """All calls of one connector's bots."""

    def __init__(self, options: Options, base_url: str) -> None:
        self._api = HttpApi(options, base_url, per_second=PER_SECOND, refusal=from_answer)

    @property
    def per_second(self) -> int:
        """Calls of one bot, in MAX's own time."""
        return self._api.per_second

    async def close(self) -> None:
        """Release the sockets."""
        await self._api.close()

    async def get(self, bot: Credential, path: str, **query: str | int) -> Answer:
        """A reading. Raises the contract's errors."""
        return await self._call(bot, "GET", path, query=query)

    async def post(self, bot: Credential, path: str, body: Mapping[str, object], **query: str | int) -> Answer:
        """A sending, once. Raises the contract's errors."""
        return await self._call(bot, "POST", path, query=query, body=body)

    async def prepare(self, bot: Credential, path: str, **query: str | int) -> Answer:
        """What a sending needs, which does nothing by itself. Raises as a reading does."""
        return await self._call(bot, "POST", path, query=query, body={}, acts=False)

    async def put(self, bot: Credential, path: str, body: Mapping[str, object], **query: str | int) -> Answer:
        """A change, once. Raises the contract's errors."""
        return await self._call(bot, "PUT", path, query=query, body=body)

    async def delete(self, bot: Credential, path: str, **query: str | int) -> Answer:
        """A deletion, once. Raises the contract's errors."""
        return await self._call(bot, "DELETE", path, query=query)

    async def _call(  # noqa: PLR0913 - the parts of a call
        self,
        bot: Credential,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int],
        body: Mapping[str, object] | None = None,
        acts: bool | None = None,
    ) -> Answer:
        if not bot.secret.isascii():
            raise AccessLost("reauthorise", "not the form of a bot's token", credential_key=bot.key)
        name, headers, does = f"{method} {_shape(path)}", {"Authorization": bot.secret}, method != "GET" if acts is None else acts
        request = Request(name=name, method=method, path=path, acts=does, query=query, json=body, headers=headers)
        return await self._api.call(bot, request)


def _shape(path: str) -> str:
    """A path without what it names: of metrics, where a page's or a post's number would be a series of its own."""
    return "/".join(part if part in WORDS else "{id}" for part in path.strip("/").split("/"))
