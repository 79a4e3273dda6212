"""Stages of the conformance suite: a platform as a test can move it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from connectors.conformance import ErrorCase, Fault, Verb
    from connectors.contract import Options, Plugin

TIME_SCALE = 50.0


class World:
    """The sandbox's control interface."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(base_url=url, timeout=10)

    async def post(self, path: str, **fields: object) -> dict[str, Any]:
        """Make something happen; texts of any characters."""
        # json.dumps escapes lone surrogates, which httpx' own encoder would refuse.
        answer = await self._http.post(path, content=json.dumps(fields), headers={"Content-Type": "application/json"})
        assert answer.status_code in {200, 201}, answer.text
        result: dict[str, Any] = answer.json()
        return result

    async def patch(self, path: str, **fields: object) -> None:
        """Change something."""
        answer = await self._http.patch(path, content=json.dumps(fields))
        assert answer.status_code == 200, answer.text

    async def delete(self, path: str) -> None:
        """Take something away."""
        answer = await self._http.delete(path)
        assert answer.status_code == 200, answer.text

    async def get(self, path: str) -> dict[str, Any]:
        """Look."""
        result: dict[str, Any] = (await self._http.get(path)).json()
        return result

    async def close(self) -> None:
        """Release the sockets."""
        await self._http.aclose()


# What each fault of the suite is in the sandbox's words.
FAULTS: dict[Fault, str] = {"before": "timeout_before", "after": "disconnect", "malformed": "malformed"}


@dataclass(kw_only=True)
class SandboxStage:
    """A page of the sandbox."""

    plugin: Plugin
    options: Options
    page_link: str
    world: World
    platform: str
    page: str
    methods: dict[Verb, str]
    cases: dict[str, tuple[ErrorCase, dict[str, object]]]
    """Each documented error with the fault that brings it."""
    refuses: frozenset[str] = frozenset()
    """Characters that the platform cannot hold."""
    longest: int = 4096

    async def write_post(self, text: str) -> str:
        """Publish a post on the page."""
        return str((await self.world.post("/world/posts", platform=self.platform, page=self.page, text=text))["id"])

    async def write_comment(self, post: str, text: str, *, reply_to: str | None = None) -> str:
        """Write a comment as a citizen."""
        told = await self.world.post(
            "/world/comments",
            platform=self.platform,
            page=self.page,
            post_id=post,
            reply_to=reply_to,
            author="Инна Павлова",
            text=text,
        )
        return str(told["id"])

    async def edit_comment(self, post: str, comment: str, text: str) -> None:
        """Change a comment."""
        await self.world.patch(self._address(post, comment), text=text)

    async def delete_comment(self, post: str, comment: str) -> None:
        """Delete a comment."""
        await self.world.delete(self._address(post, comment))

    def _address(self, post: str, comment: str) -> str:
        return f"/world/comments/{self.platform}/{self.page}/{post}/{comment}"

    def takes(self, text: str) -> bool:
        """Whether the platform can hold such a text."""
        return len(text) <= self.longest and not self.refuses & set(text)

    async def answers(self) -> list[str]:
        """The texts of the answers that stand in the page's name."""
        return [answer["text"] for answer in (await self.world.get("/truth"))["answers"]]

    async def fault(self, verb: Verb, fault: Fault) -> None:
        """Let the next call fail."""
        await self.world.post("/faults", platform=self.platform, method=self.methods[verb], kind=FAULTS[fault])

    def error_cases(self) -> Sequence[ErrorCase]:
        """Every documented error."""
        return [case for case, _ in self.cases.values()]

    async def order(self, case: ErrorCase) -> None:
        """Let the next call answer this error."""
        await self.world.delete("/faults")
        fields = self.cases[case.name][1]
        await self.world.post("/faults", platform=self.platform, method=self.methods[case.verb], **fields)


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 5.0) -> bool:
    """Whether something becomes true in time."""
    for _ in range(int(seconds / 0.05)):
        if await check():
            return True
        await asyncio.sleep(0.05)
    return False
