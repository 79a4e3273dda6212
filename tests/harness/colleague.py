"""A person before whom what failed comes: sends it again, takes back what has nobody to be told any more, says that a page is mended."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy.exc import DBAPIError

from app.appeals import amending, outcomes
from app.kernel.clock import SystemClock
from app.kernel.errors import ConflictError
from app.people.queries import token_of
from app.sources.rules import NO_ACCESS
from tests.harness.screen import Screen, screen_of

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Awaitable, Callable

    from app.kernel.db import WriteSession
    from app.people.rules import Access
    from tests.harness.system import System

PAUSE = 0.5
CHANGED = 12
_TAKEN = {httpx.codes.ACCEPTED, httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE}


@dataclass(kw_only=True)
class Colleague:
    """Works with an operator's token, and as the coordinator at the screens. `broken`: a platform that cannot be mended yet."""

    system: System
    access: Access
    http: httpx.AsyncClient
    screen: Screen
    chance: random.Random
    broken: str = ""
    changed: int = 0
    over: bool = False

    async def work(self) -> None:
        """Until the hour is over."""
        while not self.over:
            await self.mend()
            if self.changed < CHANGED:
                await self.change()
            await asyncio.sleep(PAUSE)

    async def mend(self) -> int:
        """What failed is tried again, or taken back where there is nobody to be told any more; how much that was."""
        replies = await self.system.rows(
            "SELECT r.id, r.error_code, r.page_id FROM reply r JOIN page g ON g.id = r.page_id"
            " WHERE r.state = 'failed' AND g.platform <> :broken",
            broken=self.broken,
        )
        amended = await self.system.rows(
            "SELECT a.id FROM amendment a JOIN page g ON g.id = a.page_id"
            " WHERE a.state IN ('failed', 'uncertain') AND g.platform <> :broken",
            broken=self.broken,
        )
        told: dict[str, Any] = {"access": self.access, "now": SystemClock().now()}
        for page in sorted({row.page_id for row in replies if row.error_code in NO_ACCESS}):
            await self.say_mended(page)
        for row in replies:
            if row.error_code not in NO_ACCESS:
                decision = "withdraw" if row.error_code == "gone" else "resend"
                await self._decide(partial(outcomes.decide_reply, reply_id=row.id, decision=decision, **told))
        for row in amended:
            await self._decide(partial(amending.decide, amendment_id=row.id, decision="again", **told))
        return len(replies) + len(amended)

    async def say_mended(self, page_id: int) -> None:
        """Press "It is mended: try again" on a page's card."""
        answer = await self.screen.post(f"/pages/{page_id}/again")
        assert answer.status_code in {httpx.codes.SEE_OTHER, httpx.codes.CONFLICT, httpx.codes.SERVICE_UNAVAILABLE}, answer.text

    async def _decide(self, act: Callable[[WriteSession], Awaitable[int]]) -> None:
        """One act; what a worker settles at this very moment is looked at again."""
        with suppress(ConflictError, DBAPIError):
            async with self.system.owner.write(operator_id=self.access.operator_id) as session:
                await act(session)

    async def change(self) -> None:
        """Other words for one answer that stands, through the API."""
        standing = await self.system.rows(
            "SELECT id FROM reply r WHERE state = 'sent' AND NOT by_hand AND NOT EXISTS (SELECT FROM amendment a WHERE a.reply_id = r.id)"
            " ORDER BY id"
        )
        if not standing:
            return
        reply = self.chance.choice(standing).id
        body = {"change": "edit", "text": f"Уточняем ответ {reply}: работы начаты.", "reason": "Стало известно больше"}
        answer = await self.http.post(f"/api/v1/replies/{reply}/amendments", json=body)
        assert answer.status_code in _TAKEN, answer.text
        self.changed += answer.status_code == httpx.codes.ACCEPTED


@asynccontextmanager
async def colleague_of(system: System, token: str, chance: random.Random) -> AsyncIterator[Colleague]:
    """A person with this operator's token, who may sign in as the sample's coordinator."""
    async with system.owner.read() as session:
        known = await token_of(session, token=token, now=SystemClock().now())
    assert known is not None
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx.AsyncClient(base_url=system.web_url, headers=headers, timeout=60, trust_env=False) as http,
        screen_of(system, "coordinator") as screen,
    ):
        yield Colleague(system=system, access=known.access, http=http, screen=screen, chance=chance)
