"""VK's upload server: a picture is brought there, saved for a community's wall, and named in a comment."""

import json
from zlib import crc32

from connectors.sandbox.vk.context import Call
from connectors.sandbox.vk.errors import VkError
from connectors.sandbox.vk.objects import Json, photo_attachments, photo_number
from connectors.sandbox.world import World, WorldError

_ALBUM = -14


def wall_upload_server(call: Call) -> Json:
    """Where a picture for a community's wall is brought; only to an administrator."""
    page = call.page(-call.params.number("group_id", low=1))
    if not call.is_admin(page):
        raise VkError(15)
    return {"album_id": _ALBUM, "upload_url": f"{call.base}/upload/vk/{page.id}", "user_id": call.token.user_id}


def brought(world: World, group: int, content: bytes) -> Json:
    """What the upload server says of a file; of what is no picture, that there is none."""
    try:
        name = world.upload(content)
    except WorldError:
        return {"server": 1, "photo": "[]", "hash": ""}
    return {"server": 1, "photo": json.dumps([{"photo": name}]), "hash": _seal(group, name)}


def save_wall_photo(call: Call) -> list[Json]:
    """The picture as a photo of the community."""
    page = call.page(-call.params.number("group_id", low=1))
    if not call.is_admin(page):
        raise VkError(15)
    try:
        name = str(json.loads(call.params.text("photo"))[0]["photo"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise VkError(100, "photo is incorrect") from error
    if name not in call.world.state.uploads or call.params.text("hash") != _seal(page.id, name):
        raise VkError(121)
    (told,) = photo_attachments(page, name, call.world.now(), call.base)
    photo: Json = told["photo"]
    return [photo]


def attached(call: Call) -> list[str]:
    """The pictures that a comment names. Raises VkError for one that nobody uploaded."""
    numbers = {photo_number(name): name for name in call.world.state.uploads}
    found = []
    for word in call.params.words("attachments"):
        number = word.partition("_")[2].partition("_")[0]
        name = numbers.get(int(number)) if word.startswith("photo") and number.isascii() and number.isdecimal() else None
        if name is None:
            raise VkError(100, "attachments are incorrect")
        found.append(name)
    return found


def _seal(group: int, name: str) -> str:
    return f"{crc32(f'{group} {name}'.encode()):08x}"
