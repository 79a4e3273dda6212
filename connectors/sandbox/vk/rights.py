"""What a token may do, as VK tells its holder: every right of the sandbox's tokens is given when they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from connectors.sandbox.vk.context import Call

Json = dict[str, Any]
_COMMUNITY: Final = {"photos": 4, "wall": 8192, "docs": 131072, "manage": 262144}
_PERSON: Final = 2 + 4 + 8192 + 131072 + 262144
"""Friends, photos, wall, documents, groups."""


def of_community_key(_call: Call) -> Json:
    """The rights of a community's key, one by one and as a mask."""
    rights = [{"name": name, "setting": bit} for name, bit in sorted(_COMMUNITY.items())]
    return {"mask": sum(_COMMUNITY.values()), "permissions": rights}


def of_person(_call: Call) -> int:
    """The rights that a person gave the application, as a mask."""
    return _PERSON
