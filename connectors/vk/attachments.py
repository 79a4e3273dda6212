"""VK's attachments as references: what kind, which id, where to look. Never their bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.contract import Attachment
from connectors.payload import Json, is_object, maybe_int, maybe_link, maybe_text

if TYPE_CHECKING:
    from connectors.contract import AttachmentKind

_KINDS: dict[str, AttachmentKind] = {
    "photo": "photo",
    "posted_photo": "photo",
    "graffiti": "photo",
    "video": "video",
    "audio": "audio",
    "audio_message": "audio",
    "doc": "document",
    "sticker": "sticker",
    "link": "link",
}


_SHOWN = frozenset({"video", "poll", "wall", "wall_reply", "market", "album", "page", "note", "article", "podcast", "story", "topic"})


def attachments(listed: object) -> tuple[Attachment, ...]:
    """Every attachment of a post or comment; one of an unknown type is kept as `other`."""
    return tuple(_one(entry) for entry in listed) if isinstance(listed, list) else ()


def _one(entry: object) -> Attachment:
    if not is_object(entry):
        return Attachment(kind="other")
    kind = maybe_text(entry.get("type")) or "other"
    body = entry.get(kind)
    body = body if is_object(body) else {}
    return Attachment(
        kind=_KINDS.get(kind, "other"),
        external_id=_address(kind, body),
        url=maybe_link(body.get("url")) or _largest(body) or _page(kind, body),
        title=maybe_text(body.get("title")) or maybe_text(body.get("question")) or maybe_text(body.get("caption")),
    )


def _page(kind: str, body: Json) -> str | None:
    """Where on VK a thing stands that has an owner and a number, but no address of its own: a poll, a product, another post."""
    number, owner = maybe_int(body.get("id")), maybe_int(body.get("owner_id", body.get("to_id")))
    return f"https://vk.com/{kind}{owner}_{number}" if kind in _SHOWN and number and owner else None


def _address(kind: str, body: Json) -> str | None:
    """VK's own address of an object: `photo-1_23_accesskey`."""
    number = maybe_int(body.get("id", body.get("sticker_id")))
    if number is None:
        return kind if kind not in _KINDS else None
    owner = maybe_int(body.get("owner_id"))
    key = maybe_text(body.get("access_key"))
    address = f"{kind}{owner}_{number}" if owner is not None else f"{kind}{number}"
    return f"{address}_{key}" if key else address


def _largest(body: Json) -> str | None:
    """The address of the largest picture of a photo, sticker or preview."""
    best: tuple[int, str] | None = None
    for key in ("sizes", "images", "image"):
        listed = body.get(key)
        for size in listed if isinstance(listed, list) else []:
            link = maybe_link(size.get("url")) if is_object(size) else None
            if link and is_object(size):
                area = (maybe_int(size.get("width")) or 0) * (maybe_int(size.get("height")) or 0)
                best = max(best or (area, link), (area, link))
    return best[1] if best else None
