"""What a Telegram message holds: its text, its pictures and files as references, or only news about the chat itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.contract import Attachment
from connectors.payload import Json, as_text, is_object, maybe_int, maybe_text

if TYPE_CHECKING:
    from connectors.contract import AttachmentKind

_KINDS: dict[str, AttachmentKind] = {
    "photo": "photo",
    "live_photo": "photo",
    "video": "video",
    "animation": "video",
    "video_note": "video",
    "audio": "audio",
    "voice": "audio",
    "document": "document",
    "sticker": "sticker",
    "story": "other",
    "paid_media": "other",
    "checklist": "other",
    "contact": "other",
    "dice": "other",
    "game": "other",
    "poll": "other",
    "venue": "other",
    "location": "other",
    "invoice": "other",
    "giveaway": "other",
    "giveaway_winners": "other",
}
_TEXTS = ("text", "caption", "rich_message")
# Sent beside another one for old clients: the same thing twice.
_DOUBLES = {"document": "animation", "photo": "live_photo", "location": "venue"}
# News about the chat itself, which nobody wrote.
SERVICE = frozenset(
    {
        "new_chat_members", "left_chat_member", "chat_owner_left", "chat_owner_changed", "new_chat_title",
        "new_chat_photo", "delete_chat_photo", "group_chat_created", "supergroup_chat_created", "channel_chat_created",
        "message_auto_delete_timer_changed", "migrate_to_chat_id", "migrate_from_chat_id", "pinned_message",
        "successful_payment", "refunded_payment", "users_shared", "chat_shared", "gift", "unique_gift",
        "gift_upgrade_sent", "connected_website", "write_access_allowed", "passport_data", "proximity_alert_triggered",
        "boost_added", "chat_background_set", "checklist_tasks_done", "checklist_tasks_added",
        "direct_message_price_changed", "forum_topic_created", "forum_topic_edited", "forum_topic_closed",
        "forum_topic_reopened", "general_forum_topic_hidden", "general_forum_topic_unhidden", "giveaway_created",
        "giveaway_completed", "managed_bot_created", "paid_message_price_changed", "poll_option_added",
        "poll_option_deleted", "suggested_post_approved", "suggested_post_approval_failed", "suggested_post_declined",
        "suggested_post_paid", "suggested_post_refunded", "video_chat_scheduled", "video_chat_started",
        "video_chat_ended", "video_chat_participants_invited", "web_app_data",
    }
)  # fmt: skip


def is_written(message: Json) -> bool:
    """Whether somebody wrote something: a text, a picture, anything we know as content."""
    return any(key in message for key in (*_TEXTS, *_KINDS))


def is_service(message: Json) -> bool:
    """Whether it is news about the chat itself."""
    return not SERVICE.isdisjoint(message)


def text_of(message: Json) -> str:
    """The words, exactly: the text, else the caption, else the strings of a rich message. Raises OddError."""
    if "rich_message" in message and "text" not in message:
        return "\n".join(_strings(message["rich_message"]))
    return as_text(message.get("text", message.get("caption")), "message.text")


def _strings(value: object) -> list[str]:
    """What stands under every key `text`, however deep, in order: a string for each. Without recursion: depth is the platform's."""
    found: list[str] = []
    waiting: list[tuple[bool, object]] = [(False, value)]
    while waiting:
        is_text, one = waiting.pop()
        if is_text:
            found.append(_flat(one))
        elif isinstance(one, list):
            waiting += [(False, item) for item in reversed(one)]
        elif is_object(one):
            waiting += [(key == "text", inner) for key, inner in reversed(one.items())]
    return [text for text in found if text]


def _flat(value: object) -> str:
    """A rich text, which is a string, or a list of rich texts, or one dressed in a style."""
    found: list[str] = []
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, list):
            waiting += reversed(one)
        elif is_object(one):
            waiting.append(one.get("text"))
    return "".join(found)


def attachments(message: Json) -> tuple[Attachment, ...]:
    """References by `file_id`: the address of a file holds the bot's token and is never stored."""
    keys = [key for key in _KINDS if key in message and _DOUBLES.get(key) not in message]
    return tuple(_one(key, message[key]) for key in keys)


def _one(key: str, value: object) -> Attachment:
    body = _largest(value) if isinstance(value, list) else value
    body = body if is_object(body) else {}
    return Attachment(kind=_KINDS[key], external_id=maybe_text(body.get("file_id")) or key, title=_title(body))


def _largest(sizes: list[object]) -> object:
    def area(size: object) -> int:
        return (maybe_int(size.get("width")) or 0) * (maybe_int(size.get("height")) or 0) if is_object(size) else -1

    return max(sizes, key=area, default=None)


def _title(body: Json) -> str | None:
    for key in ("file_name", "title", "question", "emoji", "phone_number"):
        if title := maybe_text(body.get(key)):
            return title
    latitude, longitude = body.get("latitude"), body.get("longitude")
    return f"{latitude}, {longitude}" if isinstance(latitude, float) and isinstance(longitude, float) else None
