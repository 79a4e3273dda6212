"""Which addresses keep what is said there between the two who talk."""

from __future__ import annotations

from urllib.parse import urlsplit

_OURSELVES = frozenset({"127.0.0.1", "::1", "localhost"})


def safe_address(url: str) -> bool:
    """Whether what is said there stays between us: https, or this very machine."""
    parts = urlsplit(url)
    return bool(parts.hostname) and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _OURSELVES))
