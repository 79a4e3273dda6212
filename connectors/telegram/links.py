"""Telegram's addresses: of a channel, a post and a comment, and what a pasted link names."""

from __future__ import annotations

import re

SITE = "https://t.me"

_HOST = re.compile(r"^(?:https?://)?(?:www\.)?(?:t\.me|telegram\.me)/", re.IGNORECASE)
_NUMBER = re.compile(r"^-?\d{1,19}$")
_USERNAME = re.compile(r"^[A-Za-z][A-Za-z0-9_]{3,31}$")
_SUPERGROUP = "-100"


def chat_of(link: str) -> str | None:
    """The chat that a link names, as the Bot API wants it: `@username` or a number; None when it names none."""
    parts = [part for part in re.split(r"[?#/]", _HOST.sub("", link.strip())) if part]
    if not parts:
        return None
    if parts[0] in {"c", "s"} and len(parts) > 1:
        parts = [f"{_SUPERGROUP}{parts[1]}" if parts[0] == "c" else parts[1]]
    name = parts[0].removeprefix("@")
    if _NUMBER.match(name):
        return name
    return f"@{name}" if _USERNAME.match(name) else None


def post_link(channel: str, username: str | None, post: str) -> str:
    """Where a post stands; members only, when the channel has no public name."""
    return f"{SITE}/{username}/{post}" if username else f"{SITE}/c/{_inner(channel)}/{post}"


def comment_link(post: str, comment: int) -> str:
    """Where a comment stands under its post."""
    return f"{post}?comment={comment}"


def message_link(group: str, username: str | None, message: int, thread: str) -> str:
    """Where a comment stands in the discussion group, when its post is not known."""
    place = f"{SITE}/{username}" if username else f"{SITE}/c/{_inner(group)}"
    return f"{place}/{message}?thread={thread}"


def profile_link(username: str | None) -> str | None:
    """Where an author stands, if they have a public name."""
    return f"{SITE}/{username}" if username else None


def _inner(chat: str) -> str:
    return chat.removeprefix(_SUPERGROUP)
