"""Pictures of an answer in a dialog: each is brought to an upload server, then named in the message. Bringing publishes nothing.

MAX works on a picture for a moment after that. One that is not ready is not brought anew - it would not be ready either -, but named again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from connectors import meanings
from connectors.contract import TryLater, UnknownPayload
from connectors.max.capabilities import PICTURES
from connectors.max.errors import NOT_READY
from connectors.payload import as_object, as_text, is_object
from connectors.servers import Servers, own_place

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from connectors.contract import Credential, Options, Picture
    from connectors.http_api import Answer
    from connectors.max.client import MaxClient

SERVERS: Final = ("oneme.ru", "okcdn.ru", "max.ru")
READY_SECONDS: Final = (0.5, 1.0, 2.0, 4.0)
"""Pauses before a message with pictures is tried again, in MAX's time."""


class Uploads:
    """All uploads of one connector."""

    def __init__(self, client: MaxClient, options: Options, base_url: str) -> None:
        self._client = client
        self._options = options
        self._base_url = base_url
        self._servers = Servers(what="the upload server", timeout=options.timeout, time_scale=options.time_scale)

    async def put(self, bot: Credential, pictures: Sequence[Picture]) -> list[dict[str, object]]:
        """The attachments of a message with these pictures. Raises TryLater, Rejected or AccessLost: nothing was published."""
        PICTURES.check(pictures)
        try:
            return [{"type": "image", "payload": await self._one(bot, picture)} for picture in pictures]
        except UnknownPayload as odd:  # whatever that was, no message stands
            raise meanings.prepared_badly(odd, self._options.time_scale) from odd

    async def _one(self, bot: Credential, picture: Picture) -> dict[str, object]:
        answer = await self._client.prepare(bot, "/uploads", type="image")
        try:
            place = own_place(as_text(as_object(answer.value, "answer").get("url"), "url"), SERVERS, base_url=self._base_url)
        except ValueError as odd:  # OddError is one, and so is an address that is none
            raise UnknownPayload("malformed", f"getUploadUrl: {odd}", raw=answer.raw) from None
        told = await self._servers.ask("POST", place, files={"data": (picture.name, picture.content, picture.media_type)})
        for name, one in (("photos", told.get("photos")), ("token", told.get("token"))):  # one of them: MAX takes no two
            if one and (name == "token" or is_object(one)):
                return {name: one}
        raise UnknownPayload("malformed", "the upload server names no picture", raw=b"")

    async def when_ready(self, send: Callable[[], Awaitable[Answer]]) -> Answer:
        """Send a message with what was brought. Raises TryLater when it is not ready for long."""
        for pause in READY_SECONDS:
            try:
                return await send()
            except TryLater as error:
                if NOT_READY not in error.detail:
                    raise
                await asyncio.sleep(pause / self._options.time_scale)
        return await send()

    async def close(self) -> None:
        """Release the sockets."""
        await self._servers.close()
