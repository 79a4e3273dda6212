"""Viber's addresses: of a bot. A private message has none."""

from __future__ import annotations

import re
from urllib.parse import quote

SITE = "https://chats.viber.com"

_HOST = re.compile(r"^(?:https?://)?(?:www\.)?(?:chats\.viber\.com|viber\.me)/", re.IGNORECASE)
_DEEP = re.compile(r"^viber://pa(?:/info)?/?\?(?:[^#]*&)?(?:chatURI|uri)=", re.IGNORECASE)
_NAME = re.compile(r"(?:pa:\d{1,30}|[A-Za-z0-9][\w.-]{0,63})", re.ASCII)


def account_of(link: str) -> str | None:
    """The name or number of the bot that a link names; None when it names none."""
    given = link.strip()
    rest = _DEEP.sub("", _HOST.sub("", given))
    name = re.split(r"[?#&/]", rest, maxsplit=1)[0].removeprefix("@")
    if rest == given and name != rest.rstrip("/"):
        return None  # a path on another site
    return name if _NAME.fullmatch(name) else None


def page_link(name: str) -> str:
    """Where a bot stands."""
    return f"{SITE}/{quote(name, safe='')}"
