"""MAX's addresses: what a pasted link names, and where things stand."""

from __future__ import annotations

import re

SITE = "https://max.ru"

_HOST = re.compile(r"^(?:https?://)?(?:www\.|web\.)?max\.ru/", re.IGNORECASE)
_NUMBER = re.compile(r"^-?\d{1,19}$")
_NAME = re.compile(r"^[A-Za-z][\w-]{1,63}$", re.ASCII)


def chat_of(link: str) -> str | None:
    """The channel or bot that a link names, as the API wants it: a number or a name; None when it names none."""
    stripped = _HOST.sub("", link.strip())
    rest = re.split(r"[?#]", stripped, maxsplit=1)[0].strip("/").removeprefix("@")
    name = rest.split("/", 1)[0]
    if name != rest and stripped == link.strip():
        return None  # a path on another site
    return name if _NUMBER.match(name) or _NAME.match(name) else None


def page_link(link: str | None, name: str) -> str:
    """Where a channel or bot stands: its own address, else the one that its name makes."""
    return link if link and link.startswith("https://") else f"{SITE}/{name.removeprefix('@')}"


def comment_link(under: str, comment: str) -> str:
    """Where a comment stands: MAX has no address of one of its own, so under its post, with its number."""
    return f"{under}#{comment}"
