"""Stages of the conformance suite: a platform as a test can move it."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from connectors.conformance import ErrorCase
from connectors.contract import AccessLost, OutcomeUnknown, Rejected, TryLater, UnknownPayload
from connectors.sandbox.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

    from connectors.conformance import Fault, Verb
    from connectors.contract import ConnectorError, Options, Plugin
    from connectors.sandbox.limits import Limits

TIME_SCALE = 50.0


class World:
    """The sandbox's control interface."""

    def __init__(self, url: str) -> None:
        self.url = url
        # No certificates: reading them takes longer than a test.
        self._http = httpx.AsyncClient(base_url=url, timeout=10, verify=False, trust_env=False)  # noqa: S501 - loopback, plain HTTP

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


class Server:
    """One server for a whole session; each test puts a sandbox of its own on it: starting one costs more than most tests."""

    def __init__(self) -> None:
        self.app: FastAPI | None = None
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Whatever sandbox stands there now."""
        if scope["type"] != "lifespan":
            assert self.app is not None
            await self.app(scope, receive, send)

    @asynccontextmanager
    async def world(self, time_scale: float, limits: Limits | None = None) -> AsyncIterator[World]:
        """A new sandbox on the server."""
        self.app = create_app(time_scale=time_scale, limits=limits)
        world = World(self.url)
        yield world
        await world.close()
        self.app.state.sandbox.hub.close()


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
    amending: Options | None = None
    """What the connector is built from where answers are changed and deleted, if that takes another token."""

    @property
    def amending_options(self) -> Options:
        """As the suite asks for it."""
        return self.amending or self.options

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
        return [answer["text"] for answer in (await self.world.get("/truth"))["answers"] if answer["deleted_at"] is None]

    async def pictures(self) -> int:
        """How many pictures stand with the answers."""
        return sum(len(answer["pictures"]) for answer in (await self.world.get("/truth"))["answers"] if answer["deleted_at"] is None)

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


READ: dict[str, type[ConnectorError]] = {"later": TryLater, "rejected": Rejected, "access": AccessLost, "unclear": TryLater}
SEND: dict[str, type[ConnectorError]] = READ | {"unclear": OutcomeUnknown}
# What every platform may suffer: how it is called here, and what is to become of it in reading and in sending.
COMMON: tuple[tuple[str, Verb, type[ConnectorError], str, dict[str, object]], ...] = (
    ("unknown number", "read", UnknownPayload, "unknown_error", {"kind": "error", "code": 4242}),
    ("unknown number on send", "send", Rejected, "unknown_error", {"kind": "error", "code": 4242}),
    ("gateway down", "read", TryLater, "server", {"kind": "http_500"}),
    ("gateway down on send", "send", OutcomeUnknown, "server", {"kind": "http_500"}),
    ("half an answer", "read", UnknownPayload, "malformed", {"kind": "truncated"}),
    ("half an answer to send", "send", OutcomeUnknown, "malformed", {"kind": "truncated"}),
    ("broken connection", "read", TryLater, "network", {"kind": "disconnect"}),
    ("no answer", "read", TryLater, "network", {"kind": "timeout_before"}),
    ("no answer to send", "send", OutcomeUnknown, "network", {"kind": "timeout_after"}),
)


def cases_of(meanings: Mapping[int, tuple[str, str]], *, numbered: bool = True) -> dict[str, tuple[ErrorCase, dict[str, object]]]:
    """Everything that a number may mean to a connector (its kind and code), in reading and in sending, and what every platform may suffer.

    `numbered`: the platform's refusals are numbers, so that an unknown one is a refusal all the same.
    """
    known: dict[str, tuple[ErrorCase, dict[str, object]]] = {}
    alike = {meaning: number for number, meaning in meanings.items()}  # one number of those that mean the same: each costs a call
    for (kind, code), number in alike.items():
        fault: dict[str, object] = {"kind": "error", "code": number, "text": "words of the platform"}
        sides: tuple[tuple[Verb, dict[str, type[ConnectorError]]], ...] = (("read", READ), ("send", SEND))
        for verb, kinds in sides:
            known[f"{verb} {number}"] = ErrorCase(name=f"{verb} {number}", verb=verb, error=kinds[kind], code=code), fault
    for name, verb, error, code, fault in COMMON:
        if numbered or "number" not in name:
            known[name] = ErrorCase(name=name, verb=verb, error=error, code=code), fault
    return known
