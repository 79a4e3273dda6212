"""Pictures of an answer in a dialog: each is brought to an upload server, then named in the message. Bringing publishes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors import meanings
from connectors.contract import UnknownPayload
from connectors.max.capabilities import PICTURES
from connectors.payload import as_object, as_text, is_object
from connectors.servers import Servers, own_place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.contract import Credential, Options, Picture
    from connectors.max.client import MaxClient

SERVERS: Final = ("oneme.ru", "okcdn.ru", "max.ru")


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
        tokens = {name: one for name, one in told.items() if (name == "photos" and is_object(one)) or (name == "token" and one)}
        if not tokens:
            raise UnknownPayload("malformed", "the upload server names no picture", raw=b"")
        return tokens

    async def close(self) -> None:
        """Release the sockets."""
        await self._servers.close()
