"""What the card of a page is given for whoever looks after it: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

PASSES = frozenset({"rate", "flood", "quota", "network", "server"})
"""What needs nobody: the sentence that says what is in the way says so, and whoever waits is not told to mend anything."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TroubleView:
    """What a platform refuses, in its own words (`detail`), with the address that it names when it is the platform's own."""

    code: str
    fix: str
    """What to do about it on this platform."""
    detail: str
    url: str

    @property
    def passes(self) -> bool:
        """Whether it needs nobody."""
        return self.code in PASSES

    @property
    def of_platform(self) -> bool:
        """Whether the platform itself said it: of what got no answer, or none that can be read, the words are ours."""
        return self.code not in {"network", "token_kind", "malformed", "http_status", "redirect", "too_large", "bug"}


@dataclass(frozen=True, kw_only=True, slots=True)
class PushView:
    """Whether news come by themselves: `way` is "push" or "listen"; when something came last, and what waits in the inbox."""

    way: str
    since: datetime
    last_at: datetime | None
    waiting: int = 0
    problem: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AsideView:
    """What of the page could not be taken in: the reason's code or words, how often it was met, since when and when last."""

    reason: str
    times: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CareView:
    """All of it. `unsent`: numbers of the appeals whose answers wait for the access to be mended."""

    troubles: tuple[TroubleView, ...]
    unsent: tuple[str, ...]
    pushes: tuple[PushView, ...]
    may_push: bool
    """Whether this platform pushes at all, or lets its news be waited for."""
    aside: tuple[AsideView, ...] = ()

    @property
    def passes(self) -> bool:
        """Whether all that is in the way goes by itself."""
        return all(one.passes for one in self.troubles)
