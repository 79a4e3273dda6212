"""An hour of a region's pages: posts, bursts of comments under them, answers to answers, edits, deletions, restores."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.harness.words import comment

if TYPE_CHECKING:
    import random

    from tests.harness.ledger import Key
    from tests.harness.system import System

HOUR = 3600.0
POSTS_A_PAGE = 3
EDITED, DELETED, RESTORED, REPLIES, THEIR_OWN = 0.08, 0.05, 0.5, 0.3, 0.5
_RESTORING = frozenset({"vk", "ok"})
"""Telegram and MAX know no way back."""
_BURST_SECONDS = 400.0
_PARETO, _VIRAL = 1.2, 30.0
"""Few posts draw most of the comments, but none so many that a platform is left with next to none."""


@dataclass(order=True, slots=True)
class _Act:
    """What happens `at` a second of the hour: to the post or comment of this number."""

    at: float
    number: int
    what: str


@dataclass(slots=True, kw_only=True)
class _Written:
    platform: str
    page: str
    post: int
    author: str
    path: str = ""
    id: str = ""
    texts: list[str] = field(default_factory=list)
    gone: bool = False
    returned: bool = False


@dataclass(kw_only=True)
class Traffic:
    """Planned from `chance` alone, so a seed brings the same hour. `versions`: every text that a comment ever had."""

    system: System
    chance: random.Random
    pages: list[tuple[str, str]]
    comments: int
    written: list[_Written] = field(default_factory=list)
    posts: list[tuple[str, str, str]] = field(default_factory=list)
    """(platform, page, id) of each post of the hour, as they were published."""
    done: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _plan: list[_Act] = field(default_factory=list)

    def __post_init__(self) -> None:
        chance = self.chance
        places = [page for page in self.pages for _ in range(POSTS_A_PAGE)]
        published = sorted(0.0 if number < len(self.pages) else chance.uniform(0, 0.8 * HOUR) for number in range(len(places)))
        chance.shuffle(places)
        self._places = places
        self._plan = [_Act(at, number, "post") for number, at in enumerate(published)]
        weights = [min(_VIRAL, chance.paretovariate(_PARETO)) for _ in places]
        restored = 0  # the first comment that can be always is: an hour without any would prove nothing
        for number in range(self.comments):
            (post,) = chance.choices(range(len(places)), weights)
            at = min(HOUR - 1, published[post] + 5 + chance.expovariate(1 / _BURST_SECONDS))
            platform, page = places[post]
            self.written.append(_Written(platform=platform, page=page, post=post, author=f"Горожанин {number}"))
            self._plan.append(_Act(at, number, "comment"))
            if chance.random() < EDITED:
                self._plan.append(_Act(at + chance.uniform(10, 300), number, "edit"))
            first = platform in _RESTORING and not restored
            if first or chance.random() < DELETED:
                gone = at + chance.uniform(10, 600)
                self._plan.append(_Act(gone, number, "delete"))
                if platform in _RESTORING and (first or chance.random() < RESTORED):
                    restored += 1
                    self._plan.append(_Act(gone + chance.uniform(10, 300), number, "restore"))
        self._plan.sort()

    async def run(self, scale: float) -> None:
        """Let the hour pass, so many times faster."""
        began = time.monotonic()
        for act in self._plan:
            await asyncio.sleep(max(0.0, began + act.at / scale - time.monotonic()))
            await getattr(self, f"_{act.what}")(act.number)

    def versions(self) -> dict[Key, set[str]]:
        """All texts of each comment, by (platform, the sandbox's name of its page, id)."""
        return {(one.platform, one.page, one.id): set(one.texts) for one in self.written if one.id}

    def returned(self) -> set[Key]:
        """Those that were deleted and are back."""
        return {(one.platform, one.page, one.id) for one in self.written if one.returned}

    async def _post(self, number: int) -> None:
        platform, page = self._places[number]
        told = await self.system.ask("POST", "/world/posts", {"platform": platform, "page": page, "text": f"Запись часа {number + 1}"})
        self.posts.append((platform, page, told["id"]))

    async def _comment(self, number: int) -> None:
        one, chance = self.written[number], self.chance
        platform, page, post = self.posts[one.post]
        body: dict[str, Any] = {"platform": platform, "page": page, "post_id": post}
        above = [other for other in self.written[max(0, number - 200) : number] if other.post == one.post and other.id and not other.gone]
        if above and chance.random() < REPLIES:
            parent = chance.choice(above)
            body["reply_to"] = parent.id
            one.author = parent.author if chance.random() < THEIR_OWN else one.author
        one.texts.append(f"{comment(chance)} ({number})")
        told = await self.system.ask("POST", "/world/comments", body | {"author": one.author, "text": one.texts[-1]})
        one.id, one.path = told["id"], f"/world/comments/{platform}/{page}/{post}/{told['id']}"
        self.done["written"] += 1

    async def _edit(self, number: int) -> None:
        one = self.written[number]
        if not one.gone:
            one.texts.append(f"{one.texts[0]} Поправка: {self.chance.randrange(1, 100)}")
            await self.system.ask("PATCH", one.path, {"text": one.texts[-1]})
            self.done["edited"] += 1

    async def _delete(self, number: int) -> None:
        self.written[number].gone = True
        await self.system.ask("DELETE", self.written[number].path)
        self.done["deleted"] += 1

    async def _restore(self, number: int) -> None:
        self.written[number].gone, self.written[number].returned = False, True
        await self.system.ask("POST", f"{self.written[number].path}/restore")
        self.done["restored"] += 1
