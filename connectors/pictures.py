"""Pictures of answers, as Otklik hands them to a connector. Standard library only; the contract offers it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connectors.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """A picture of an answer. Otklik draws each anew before it hands it out: plain pixels, nothing of where it came from."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pictures:
    """How many pictures an answer may have on this platform, how large each may be, and a token of which kinds puts them there.

    `at`: the one kind of place (`Plugin.places`) where they may be; None: everywhere.
    """

    most: int
    most_bytes: int
    token_kinds: tuple[str, ...]
    at: str | None = None

    def check(self, pictures: Sequence[Picture]) -> None:
        """Rejected `bad_request` when they are too many, or one is too large."""
        if len(pictures) > self.most or any(len(one.content) > self.most_bytes for one in pictures):
            raise Rejected("bad_request", f"{len(pictures)} pictures, {self.most} of {self.most_bytes} bytes each are allowed")
