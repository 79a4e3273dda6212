"""Platforms' tokens that this process has opened: cut out of whatever is logged, written down as an error, or shown.

Connectors tell no token by themselves. But a platform, or something between us and it, may repeat what it was asked with, and a
library may name the address that it called: neither is ours to write, so what comes back is cleaned at the door.
"""

from __future__ import annotations

import re
from typing import Final

_BEGINNING: Final = 16
"""So many characters make a token known: what was cut off after them is still one."""
_RUN: Final = re.compile(rf"[A-Za-z0-9_.-]{{{_BEGINNING},}}")
_STARS: Final = "***"


class Untold:
    """Knows the beginnings of tokens, not the tokens. Made once a process, like the log."""

    def __init__(self) -> None:
        self._beginnings: set[str] = set()

    def learn(self, secret: str) -> None:
        """Never tell this one. A token may have several words or parts; a colon may come back encoded."""
        for run in _RUN.findall(secret):
            self._beginnings |= {run[:_BEGINNING], f"3A{run}"[:_BEGINNING]}

    def clean(self, text: str) -> str:
        """The text without them."""
        return _RUN.sub(lambda run: _STARS if run[0].lstrip("._-")[:_BEGINNING] in self._beginnings else run[0], text)

    def clean_bytes(self, raw: bytes) -> bytes:
        """The same of bytes, whatever they hold."""
        return self.clean(raw.decode("latin-1")).encode("latin-1")


UNTOLD: Final = Untold()
