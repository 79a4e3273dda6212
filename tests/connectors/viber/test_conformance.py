"""Viber's connector over HTTP against the sandbox, which pushes to an inbox of the test's own."""

from __future__ import annotations

import json
import struct
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from fastapi import Request, Response

from connectors.bots import PRIVATE
from connectors.conformance import ConnectorConformance
from connectors.conformance.stage import Harness, Target, patiently
from connectors.contract import Credential, Options, PushRequest
from connectors.viber import plugin
from connectors.viber.connector import ViberConnector
from connectors.viber.errors import MEANINGS
from connectors.viber.push import ViberPush
from tests.connectors.spoiling import SpoiledAnswers
from tests.connectors.staging import TIME_SCALE, SandboxStage, cases_of, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from fastapi import FastAPI

    from tests.connectors.staging import Server

TOKEN = "made-up-token-of-viber"
ACCOUNT = "pa:5242"
QUIET = "/quiet"
_PERSON = struct.Struct(">QQ")


def person(dialog: str) -> str:
    """Who writes in a dialog of the sandbox, as Viber names people."""
    return b64encode(_PERSON.pack(5242, int(dialog))).decode()


def dialog(named: str) -> str:
    """The other way round."""
    return str(_PERSON.unpack(b64decode(named))[1])


@dataclass(kw_only=True)
class ViberStage(SandboxStage):
    """A bot, and the inbox that the sandbox pushes into."""

    switched_on: Mapping[str, str] = field(default_factory=lambda: {PRIVATE: "on"})
    inbox: list[bytes] = field(default_factory=list)
    written: int = 0

    async def write_post(self, text: str) -> str:
        """Somebody opens a dialog with the bot."""
        return person(await super().write_post(text))

    async def write_comment(self, post: str, text: str, *, reply_to: str | None = None) -> str:
        """They write."""
        self.written += 1
        return await super().write_comment(dialog(post), text, reply_to=reply_to)

    async def edit_comment(self, post: str, comment: str, text: str) -> None:
        """They change what they wrote."""
        await super().edit_comment(dialog(post), comment, text)

    async def pushed(self) -> Sequence[bytes]:
        """What has come; all that was written comes."""

        async def all_there() -> bool:
            return len(self.inbox) >= self.written

        assert await eventually(all_there)
        return tuple(self.inbox)

    def hear(self, app: FastAPI) -> None:
        """Take the place of the web process: only what is signed is let in."""

        async def heard(request: Request) -> Response:
            pushed = PushRequest(body=await request.body(), headers=dict(request.headers))
            assert ViberPush().is_genuine(pushed, TOKEN)
            if json.loads(pushed.body)["event"] == "message":
                self.inbox.append(pushed.body)
            return Response()

        async def quiet() -> dict[str, object]:
            """Push no more: on the server's own loop, where the tasks and connections of pushing are."""
            await app.state.pusher.stop()
            return {}

        app.add_api_route(f"/hooks/viber/{ACCOUNT}", heard, methods=["POST"], response_model=None)
        app.add_api_route(QUIET, quiet, methods=["POST"])


@pytest.fixture
async def stage(server: Server) -> AsyncIterator[ViberStage]:
    """A bot whose webhook is set, by the connector itself."""
    async with server.world(TIME_SCALE) as world:
        await world.post("/world/pages", platform="viber", page="sadovoye", id=5242, title="Село Садовое", members=812)
        await world.post("/world/tokens", platform="viber", token=TOKEN, page="sadovoye")
        credentials = (Credential(key="bot", kind="bot", secret=TOKEN),)
        staged = ViberStage(
            plugin=plugin,
            options=Options(api_url=world.url, credentials=credentials, time_scale=TIME_SCALE, timeout=2.0),
            page_link="https://chats.viber.com/sadovoye",
            world=world,
            platform="viber",
            page="sadovoye",
            methods={"read": "get_account_info", "send": "send_message"},
            cases=cases_of({status: (meaning.kind, meaning.code) for status, meaning in MEANINGS.items()}),
            longest=7000,
        )
        assert server.app is not None
        staged.hear(server.app)
        server.app.state.pusher.start()
        harness = await Harness.on(staged)
        assert isinstance(harness.connector, ViberConnector)
        bot, page, address = harness.connector, harness.page, f"{world.url}/hooks/viber/{ACCOUNT}"
        await patiently(lambda: bot.register_push(page, address))
        await bot.close()
        yield staged
        await world.post(QUIET)


class TestViber(SpoiledAnswers, ConnectorConformance):
    """The whole suite, and what only HTTP can do to an answer."""

    def aim_at_nothing(self, target: Target) -> None:
        """Answers go to people: to one whom nobody knows."""
        target.post = replace(target.post, external_id=person("4242"))

    async def test_replies_know_their_thread_and_post(self, stage: ViberStage) -> None:  # type: ignore[override]  # this stage
        """Viber names no replies: all that a person writes is one thread."""
        post = await stage.write_post("Диалог")
        first = await stage.write_comment(post, "Вопрос")
        second = await stage.write_comment(post, "И ещё", reply_to=first)
        harness = await Harness.on(stage)
        read = await harness.read()
        assert {read.comments[one].root_external_id for one in (first, second)} == {post}
        assert {read.comments[one].reply_to_external_id for one in (first, second)} == {None}
        await harness.connector.close()

    async def test_an_edit_shows(self, stage: ViberStage) -> None:  # type: ignore[override]  # this stage
        """It does not: Viber tells of none, and what was read stays as it was."""
        post = await stage.write_post("Диалог")
        comment = await stage.write_comment(post, "Как было")
        harness = await Harness.on(stage)
        first = await harness.read()
        await stage.edit_comment(post, comment, "Как стало")
        last = await stage.write_comment(post, "И ещё")
        second = await harness.read(first.cursor)
        assert {key: one.text for key, one in second.comments.items()} == {last: "И ещё"}
        assert first.comments[comment].text == "Как было"
        await harness.connector.close()


def test_every_documented_status_has_a_meaning() -> None:
    """Viber's table ends at 24."""
    assert sorted(MEANINGS) == list(range(1, 25))
