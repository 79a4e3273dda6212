"""Telegram's addresses: of a channel, a post and a comment, and what a pasted link names."""

from __future__ import annotations

import re

from connectors.contract import Reference
from connectors.references import address

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


_HOSTS = frozenset({"t.me", "telegram.me"})
_PLACE = re.compile(r"/(?:s/)?(?:c/(\d{1,18})|([A-Za-z][A-Za-z0-9_]{3,31}))/(\d{1,18})(?:/(\d{1,18}))?/?", re.ASCII)
_NO_CHATS = frozenset({"joinchat", "addstickers", "addemoji", "addlist", "boost", "share", "login", "proxy", "socks"})
_COMMENT = re.compile(r"(?:^|&)comment=(\d{1,18})", re.ASCII)
_THREAD = re.compile(r"(?:^|&)thread=(\d{1,18})", re.ASCII)


class TelegramLinks:
    """Posts of channels, comments under them, and messages of discussion groups in their thread."""

    def read(self, link: str) -> Reference | None:
        """What a link names. A message of a group without its thread is taken for a post: a link cannot tell them apart."""
        parts = address(link, _HOSTS)
        found = None if parts is None else _PLACE.fullmatch(parts.path)
        if parts is None or found is None:
            return None
        inner, name, first, second = found.groups()
        if name and name.lower() in _NO_CHATS:
            return None
        page = f"{_SUPERGROUP}{inner}" if inner else name.lower()
        place = f"{SITE}/c/{inner}" if inner else f"{SITE}/{name.lower()}"
        comment, thread = _COMMENT.search(parts.query), _THREAD.search(parts.query)
        if comment:
            return Reference(link=f"{place}/{first}?comment={comment.group(1)}", page=page, post=first, comment=comment.group(1))
        if thread or second:
            root, message = (thread.group(1), first) if thread else (first, second)
            return Reference(link=f"{place}/{message}?thread={root}", page=page, thread=root, comment=message)
        return Reference(link=f"{place}/{first}", page=page, post=first)
