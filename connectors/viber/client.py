"""Viber's REST API over HTTP: one way, one bot per token, each call tried once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors.contract import AccessLost
from connectors.http_api import HttpApi, Request
from connectors.viber.errors import from_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.contract import Credential, Options
    from connectors.http_api import Answer

PER_SECOND: Final = 10
"""A guess: Viber publishes a rate for broadcasts alone (500 calls in 10 seconds)."""
TOKEN_HEADER: Final = "X-Viber-Auth-Token"  # noqa: S105 - the header's name


class ViberClient:
    """All calls of one connector's bots."""

    def __init__(self, options: Options, base_url: str) -> None:
        self._api = HttpApi(options, base_url, per_second=PER_SECOND, refusal=from_answer)

    async def close(self) -> None:
        """Release the sockets."""
        await self._api.close()

    async def call(self, bot: Credential, method: str, body: Mapping[str, object], *, sends: bool = False) -> Answer:
        """One call of one bot; `sends`: doing it twice would be seen. Raises the contract's errors."""
        if not bot.secret.isascii():
            raise AccessLost("reauthorise", "not the form of a bot's token", credential_key=bot.key)
        headers = {TOKEN_HEADER: bot.secret}
        return await self._api.call(bot, Request(name=method, method="POST", path=f"/pa/{method}", acts=sends, json=body, headers=headers))
