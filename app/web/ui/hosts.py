"""Hosts in addresses and texts as they really are: one that only looks like another is shown by its encoded name. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from urllib.parse import urlsplit

# A host in a text: after a scheme or www, or with a common ending. Each label is bounded and a word is begun only once.
_IN_TEXT = re.compile(r"(?<![\w@.-])(https?://|www\.)?([\w-]{1,63}(?:\.[\w-]{1,63}){1,8})")
_ADDRESS = re.compile(r"https?://[!#-&*-;=?-Z_a-z~]{1,2000}")
_ENDINGS = frozenset(
    {"ru", "com", "org", "net", "su", "info", "me", "io", "gov", "shop", "site", "online", "top", "xyz", "club", "pro", "app", "dev"}
    | {"рф", "рус", "москва", "дети", "онлайн", "сайт"}
)
_LOOKALIKES = frozenset("асеорхуквмнтзбіјѕһԁԛԝьг")
_ENCODED = "xn--"


def deceptive(host: str) -> bool:
    """Whether a host may be taken for another: letters of several scripts, or Cyrillic ones that look Latin, or an encoded name."""
    labels = host.lower().rstrip(".").split(".")
    for label in labels:
        scripts = {_script(char) for char in label if char.isalpha()}
        if label.startswith(_ENCODED) or len(scripts) > 1 or "OTHER" in scripts:
            return True
        if scripts == {"CYRILLIC"} and labels[-1].isascii() and set(label) - set("-0123456789") <= _LOOKALIKES:
            return True
    return False


def encoded(host: str) -> str:
    """The host as the network knows it; as it is when it cannot be one."""
    try:
        return host.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return "".join(char if char.isascii() else f"[U+{ord(char):04X}]" for char in host)


def host_of(url: str) -> str:
    """The real host of an address: readable when it is what it seems, else encoded, with what it looks like."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    if not deceptive(host):
        return host
    try:
        looks = host.encode("ascii").decode("idna")
    except UnicodeError:
        looks = host
    return f"{encoded(host)} ({looks})" if looks != encoded(host) else host


def own_address(text: str, hosts: Sequence[str], origin: str | None) -> str:
    """The first address in a text that a person may be sent to: https on these hosts or below them, or `origin`; empty when there is none.

    What a platform tells may be anybody's words: nothing else in it becomes a link.
    """
    for match in _ADDRESS.finditer(text):
        url = match[0]
        try:
            parts = urlsplit(url)
            there = (parts.scheme, parts.hostname or "", parts.port)
        except ValueError:
            continue
        if parts.username is not None or parts.password is not None:
            continue
        known = any(there[1] == host or there[1].endswith(f".{host}") for host in hosts)
        if known and there[0] == "https" and there[2] in {None, 443}:
            return url
        if origin is not None and url.startswith(f"{origin.rstrip('/')}/"):
            return url
    return ""


def deceptive_hosts(text: str) -> list[tuple[int, str]]:
    """(where it ends, its encoded name) of each host in a text that may be taken for another."""
    found = []
    for match in _IN_TEXT.finditer(text):
        host = match[2]
        ending = host.rpartition(".")[2].lower()
        named = match[1] is not None or ending in _ENDINGS or ending.startswith(_ENCODED)
        if named and any(char.isalpha() for char in ending) and deceptive(host):
            found.append((match.end(), encoded(host)))
    return found


def _script(char: str) -> str:
    if char.isascii():
        return "LATIN"
    name = unicodedata.name(char, "OTHER").partition(" ")[0]
    return name if name in {"LATIN", "CYRILLIC"} else "OTHER"
