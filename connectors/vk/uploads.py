"""Pictures of an answer: brought to VK's upload server, saved for the community's wall, named in the comment.

None of it publishes anything, so all of it may be done again: only the comment itself, under its `guid`, is an act. VK lets a user token
alone do that (a community's gets error 27), that of an administrator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors import meanings
from connectors.contract import Rejected, UnknownPayload
from connectors.payload import as_object, as_text, is_object, maybe_int, maybe_text
from connectors.servers import Servers, own_place
from connectors.vk.calls import Call
from connectors.vk.capabilities import PICTURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.contract import Options, Picture
    from connectors.vk.client import VkClient

SERVERS: Final = ("vk.com", "vk.ru", "userapi.com", "vkuserphoto.ru")


class Uploader:
    """All uploads of one connector."""

    def __init__(self, client: VkClient, options: Options, base_url: str) -> None:
        self._client = client
        self._options = options
        self._base_url = base_url
        self._servers = Servers(what="the upload server", timeout=options.timeout, time_scale=options.time_scale)

    async def put(self, pictures: Sequence[Picture], *, community: int) -> str:
        """The value of `attachments` for these pictures. Raises TryLater, Rejected or AccessLost: nothing was published."""
        PICTURES.check(pictures)
        try:
            return ",".join([await self._one(picture, community) for picture in pictures])
        except UnknownPayload as odd:  # whatever that was, no comment stands
            raise meanings.prepared_badly(odd, self._options.time_scale) from odd

    async def _one(self, picture: Picture, community: int) -> str:
        group: dict[str, str | int] = {"group_id": community}
        server = await self._called("photos.getWallUploadServer", group, community)
        try:
            place = own_place(as_text(as_object(server, "response").get("upload_url"), "upload_url"), SERVERS, base_url=self._base_url)
        except ValueError as odd:  # OddError is one, and so is an address that is none
            raise UnknownPayload("malformed", f"photos.getWallUploadServer: {odd}", raw=b"") from None
        files = {"photo": (picture.name, picture.content, picture.media_type)}
        told = await self._servers.ask("POST", place, files=files)
        if not maybe_text(told.get("photo")) or told.get("photo") == "[]":
            raise Rejected("bad_request", "VK's upload server did not take the picture")
        saved = {name: str(told.get(name, "")) for name in ("server", "photo", "hash")}
        photos = await self._called("photos.saveWallPhoto", {**group, **saved}, community)
        photo = photos[0] if isinstance(photos, list) and photos and is_object(photos[0]) else {}
        owner, number, key = maybe_int(photo.get("owner_id")), maybe_int(photo.get("id")), maybe_text(photo.get("access_key"))
        if not owner or not number:
            raise UnknownPayload("malformed", "photos.saveWallPhoto names no photo", raw=b"")
        return f"photo{owner}_{number}_{key}" if key else f"photo{owner}_{number}"

    async def _called(self, method: str, params: dict[str, str | int], community: int) -> object:
        return (await self._client.call(Call(method=method, params=params, kinds=PICTURES.token_kinds, page=str(-community)))).value

    async def close(self) -> None:
        """Release the sockets."""
        await self._servers.close()
