"""MAX's addresses: what a pasted link names, and where things stand."""

from __future__ import annotations

import re

from connectors.contract import Reference
from connectors.references import address

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


_HOSTS = frozenset({"max.ru", "web.max.ru"})
_POST = re.compile(r"/((?:c/)?[\w.-]{2,64})/([\w-]{1,64})/?", re.ASCII)
_COMMENT = re.compile(r"[\w.-]{1,64}", re.ASCII)


class MaxLinks:
    """Posts of channels by the address that MAX gives them; it gives comments none: ours has its number after `#`."""

    def read(self, link: str) -> Reference | None:
        """What a link names."""
        parts = address(link, _HOSTS)
        found = None if parts is None else _POST.fullmatch(parts.path)
        if parts is None or found is None:
            return None
        thread = f"{SITE}/{found.group(1)}/{found.group(2)}"
        comment = parts.fragment if _COMMENT.fullmatch(parts.fragment) else None
        link = comment_link(thread, comment) if comment else thread
        return Reference(link=link, page=found.group(1).removeprefix("c/").lower(), thread=thread, comment=comment)
