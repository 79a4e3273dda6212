"""Standing faults: a share of a platform's calls fails, in all ways that it has in turn, until they are taken back."""

import math
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from connectors.sandbox.faults import KINDS, REFUSALS, Fault, FaultKind
from connectors.sandbox.model import PLATFORMS, Platform

# Only VK and OK ever ask a program whether it is a person.
KINDS_OF: dict[Platform, tuple[FaultKind, ...]] = {
    platform: tuple(kind for kind in KINDS if kind != "captcha" or platform in {"vk", "ok"}) for platform in PLATFORMS
}


@dataclass(slots=True, kw_only=True)
class Standing:
    """So large a `share` (0 to 1) of the calls that fit `method` (`*` and `?` stand for anything, without case) goes wrong.

    At a share of 0.05 it is one of each twenty, by chance whichever. The kinds come as cards from a shuffled deck, so that each has
    come before one comes again: a call inside `execute` can only be refused, and draws from a deck of refusals. The same seed and order
    of calls bring the same faults.
    """

    platform: Platform
    method: str
    share: float
    kinds: tuple[FaultKind, ...]
    token: str | None = None
    seed: int = 0
    struck: int = 0
    _seen: int = 0
    _due: float = 0.0
    _chance: Random = field(init=False)
    _decks: dict[bool, list[FaultKind]] = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is drawn yet."""
        self._chance = Random(self.seed)  # noqa: S311 - chance that can be repeated, no secret
        self._due = self._chance.random() / self.share
        self._decks = {False: [], True: []}

    def draw(self, platform: str, method: str, token: str | None, *, inner: bool) -> Fault | None:
        """The fault of this call, if it is one of the share."""
        fits = self.platform == platform and fnmatchcase(method.lower(), self.method.lower()) and self.token in {None, token}
        if not fits or not self._is_due():
            return None
        deck = self._decks[inner]
        if not deck:
            deck += [kind for kind in self.kinds if not inner or kind in REFUSALS]
            self._chance.shuffle(deck)
        if not deck:
            return None
        self.struck += 1
        return Fault(platform=self.platform, method=method, kind=deck.pop())

    def _is_due(self) -> bool:
        """Whether it is this call's turn: one of as many as the share says, whichever of them."""
        self._seen += 1
        if self._seen < self._due:
            return False
        number = math.floor(self._due * self.share) + 1
        self._due = (number + self._chance.random()) / self.share
        return True

    def report(self) -> dict[str, Any]:
        """As `GET /faults` shows it."""
        return {
            "platform": self.platform,
            "method": self.method,
            "share": self.share,
            "kinds": list(self.kinds),
            "token": self.token,
            "seed": self.seed,
            "struck": self.struck,
        }
