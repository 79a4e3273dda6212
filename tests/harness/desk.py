"""Operators at their work through the API, whatever breaks meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    import random

    from tests.harness.system import System


@dataclass(kw_only=True)
class Desk:
    """Answers what waits until so many `answers` are promised: what was promised is remembered."""

    system: System
    token: str
    chance: random.Random
    answers: int
    at_once: int = 6
    pause: float = 0.2
    promised: dict[str, int] = field(default_factory=dict)
    """Number of the appeal → id of the reply that the API said it had taken."""
    moved_on: set[str] = field(default_factory=set)
    """Appeals whose citizens took their words back, before there was an answer."""
    begun: set[str] = field(default_factory=set)
    """Appeals that somebody here answers, or has: the same words must go with the same key."""
    refusals: int = 0

    async def work(self) -> None:
        """Answer what waits, whatever dies meanwhile, until as many are promised as there shall be."""
        async with self._client() as http:
            while len(self.promised) < self.answers:
                listed = await self._ask(http, "GET", "/api/v1/appeals?limit=100")
                waiting = [one["number"] for one in listed.json()["items"]] if listed is not None else []
                fresh = [number for number in waiting if number not in self.begun]
                for number in self.chance.sample(fresh, min(self.at_once, len(fresh))):
                    if number not in self.begun:
                        await self._answer(http, number)
                await asyncio.sleep(self.pause)

    async def answer(self, number: str) -> int:
        """Answer this one, which is in `begun` already; the reply's id. AssertionError when its citizen took the words back."""
        async with self._client() as http:
            await self._answer(http, number)
        assert number in self.promised, number
        return self.promised[number]

    def _client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.AsyncClient(base_url=self.system.web_url, headers=headers, timeout=5, trust_env=False)

    async def _answer(self, http: httpx.AsyncClient, number: str) -> None:
        """The same act with the same key until it is taken: the first try may have been."""
        self.begun.add(number)
        words = {"text": f"Передали в работу, обращение {number}: {self.chance.getrandbits(40):x}"}
        while True:
            taken = await self._ask(http, "POST", f"/api/v1/appeals/{number}/replies", words, key=f"chaos {number}")
            if taken is not None and taken.status_code == httpx.codes.CONFLICT and taken.json()["code"] == "appeal.comment_deleted":
                self.moved_on.add(number)
                return
            if taken is not None:
                assert taken.status_code == httpx.codes.ACCEPTED, taken.text
                self.promised[number] = taken.json()["id"]
                return
            await asyncio.sleep(0.2)

    async def _ask(self, http: httpx.AsyncClient, method: str, path: str, body: object = None, *, key: str = "") -> httpx.Response | None:
        """The answer; None when nobody answered or the database was away."""
        try:
            answer = await http.request(method, path, json=body, headers={"Idempotency-Key": key} if key else {})
        except httpx.TransportError:
            self.refusals += 1
            return None
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            self.refusals += 1
            return None
        return answer
