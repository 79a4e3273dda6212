"""Bots Long Poll: nothing is heard twice or lost, whatever the line says; only VK is called, whatever an answer says."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from connectors.conformance.stage import caught
from connectors.contract import AccessLost, Options, TryLater, UnknownPayload
from connectors.vk.connector import VkConnector
from tests.connectors.raw_server import http, raw_server
from tests.connectors.staging import World
from tests.connectors.vk.test_vk import KINDS, PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.connectors.staging import Server

SCALE = 50.0


class Line:
    """A community of the sandbox, and who listens to it."""

    def __init__(self, world: World, *kinds: str) -> None:
        self.world = world
        self.kinds = kinds
        self.vk = self.another()
        self.cursor: str | None = None

    def another(self) -> VkConnector:
        """Another process with the same tokens."""
        credentials = tuple(KINDS[kind] for kind in self.kinds)
        return VkConnector(Options(api_url=self.world.url, credentials=credentials, time_scale=SCALE, timeout=1), self.world.url)

    async def hear(self) -> list[tuple[str, str]]:
        """(kind of event, text); the cursor goes on."""
        heard = await self.vk.listen(PAGE.external_id, self.cursor)
        self.cursor = heard.cursor
        told = [json.loads(event.body) for event in heard.events]
        assert [one["event_id"] for one in told] == [event.event_id for event in heard.events]
        return [(one["type"], one["object"].get("text", "")) for one in told]

    async def write(self, text: str) -> str:
        """A citizen's comment."""
        told = await self.world.post("/world/comments", platform="vk", page="sadovoye", post_id="1", author="Инна", text=text)
        return str(told["id"])

    async def fault(self, method: str = "longpoll", **what: object) -> None:
        """Let the next wait go wrong."""
        await self.world.post("/faults", platform="vk", method=method, **what)


@asynccontextmanager
async def line(server: Server, *kinds: str) -> AsyncIterator[Line]:
    async with server.world(SCALE) as world:
        await world.post("/world/pages", platform="vk", page="sadovoye", id=4242, title="Село Садовое")
        await world.post("/world/posts", platform="vk", page="sadovoye", text="Пост")
        for kind in KINDS:
            await world.post("/world/tokens", platform="vk", kind=kind, token=f"s-{kind}", page="sadovoye")
        here = Line(world, *kinds)
        yield here
        await here.vk.close()


async def test_what_happens_is_heard_in_order_and_goes_on_in_another_process(server: Server) -> None:
    async with line(server, "community") as here:
        assert await here.hear() == []  # from now on
        number = await here.write("Когда?")
        assert await here.hear() == [("wall_reply_new", "Когда?")]
        await here.world.patch(f"/world/comments/vk/sadovoye/1/{number}", text="Когда же?")
        await here.world.delete(f"/world/comments/vk/sadovoye/1/{number}")
        await here.vk.close()
        here.vk = here.another()  # what happened while nobody listened is heard as well
        assert await here.hear() == [("wall_reply_edit", "Когда же?"), ("wall_reply_delete", "")]


@pytest.mark.parametrize(("code", "missed", "heard"), [(1, True, []), (2, False, [("wall_reply_new", "Пока глухо")]), (3, True, [])])
async def test_a_refused_wait_goes_on_as_vk_says(server: Server, code: int, missed: bool, heard: list[tuple[str, str]]) -> None:  # noqa: FBT001 - a column of the table
    """1: a new `ts`; 2: a new key, and nothing is lost; 3: both. What is lost is said, so that polling looks."""
    async with line(server, "community") as here:
        await here.hear()
        await here.write("Пока глухо")
        await here.fault(kind="error", code=code)
        refused = await here.vk.listen(PAGE.external_id, here.cursor)
        assert (refused.events, refused.missed) == ((), missed)
        here.cursor = refused.cursor
        told = await here.hear()
        await here.write("И дальше")
        told += await here.hear() if code != 1 or not told else []
        assert told == [*heard, ("wall_reply_new", "И дальше")]


@pytest.mark.parametrize("kind", ["timeout_before", "disconnect", "malformed", "truncated"])
async def test_a_line_that_goes_silent_or_mad_is_left(server: Server, kind: str) -> None:
    """The next call asks for a new one, and hears what was said meanwhile."""
    async with line(server, "community") as here:
        await here.hear()
        await here.write("Слышно?")
        await here.fault(kind=kind)
        assert isinstance(await caught(here.vk.listen(PAGE.external_id, here.cursor)), (TryLater, UnknownPayload))
        assert await here.hear() == [("wall_reply_new", "Слышно?")]
        calls = {row["method"]: row["calls"] for row in (await here.world.get("/calls"))["methods"]}
        assert calls["groups.getLongPollServer"] == 2


async def test_only_a_token_that_may_is_used_and_what_is_switched_off_says_so(server: Server) -> None:
    async with line(server, "service") as here:
        refused = await caught(here.vk.listen(PAGE.external_id, None))
        assert isinstance(refused, AccessLost)
        assert refused.code == "token_kind"
    async with line(server, "community") as here:
        words = "One of the parameters specified was missing or invalid: longpoll for this group is not enabled"
        await here.fault("groups.getLongPollServer", kind="error", code=100, text=words)
        refused = await caught(here.vk.listen(PAGE.external_id, None))
        assert isinstance(refused, AccessLost)
        assert refused.code == "listening_off"


@pytest.mark.parametrize(
    "address", ["https://vk.com.example.org/x", "http://lp.vk.com/x", "https://10.0.0.1/", "ftp://vk.com/", "https://vk.com:1/", "//["]
)
async def test_an_address_that_is_none_of_vks_is_never_called(address: str) -> None:
    async with raw_server() as raw:
        raw.plan(http(json.dumps({"response": {"key": "k", "server": address, "ts": "1"}}).encode()))
        vk = VkConnector(Options(api_url=raw.url, credentials=(KINDS["community"],), time_scale=50, timeout=2), raw.url)
        refused = await caught(vk.listen(PAGE.external_id, None))
        await vk.close()
    assert isinstance(refused, UnknownPayload)
    assert len(raw.requests) == 1
