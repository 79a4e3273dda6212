"""MAX's connector over HTTP against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors.conformance import ConnectorConformance, ErrorCase
from connectors.conformance.stage import Harness, Target
from connectors.contract import Credential, Options, PageRef, PostRef, Rejected
from connectors.max import plugin
from connectors.max.errors import BY_STATUS
from tests.connectors.spoiling import SpoiledAnswers
from tests.connectors.staging import TIME_SCALE, SandboxStage, cases_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.connectors.staging import Server

TOKEN = "made-up-token-of-max"


def cases() -> dict[str, tuple[ErrorCase, dict[str, object]]]:
    """Every status that the connector knows, and the code that narrows one."""
    known = cases_of({status: (meaning.kind, meaning.code) for status, meaning in BY_STATUS.items()}, numbered=False)
    late = ErrorCase(name="too late", verb="send", error=Rejected, code="too_late")
    return known | {"too late": (late, {"kind": "error", "code": 422, "text": "comments.timeout_exceeded"})}


class MaxStage(SandboxStage):
    """Comments carry no pictures, private messages do."""

    async def picture_target(self) -> Target:
        """A citizen's message to the bot."""
        post = str((await self.world.post("/world/posts", platform="max", page="sadovoye_bot", text="Диалог"))["id"])
        told = await self.world.post(
            "/world/comments", platform="max", page="sadovoye_bot", post_id=post, author="Инна Павлова", text="Когда дадут воду?"
        )
        harness = await Harness.on(self)
        bot = await harness.connector.describe_page("https://max.ru/sadovoye_bot")
        page = PageRef(external_id=bot.external_id, options=bot.options)
        return Target(
            harness=harness, post=PostRef(page=page, external_id=post), comment=str(told["id"]), tried_at=self.options.now()
        )  # fmt: skip


@pytest.fixture
async def stage(server: Server) -> AsyncIterator[SandboxStage]:
    """A channel, and a bot that administers it."""
    async with server.world(TIME_SCALE) as world:
        await world.post("/world/pages", platform="max", page="sadovoye", id=6242, title="Село Садовое", members=812)
        await world.post("/world/pages", platform="max", page="sadovoye_bot", id=6243, title="Ответы")
        await world.post("/world/tokens", platform="max", token=TOKEN, username="sadovoye_bot", pages=["sadovoye", "sadovoye_bot"])
        yield MaxStage(
            plugin=plugin,
            options=Options(
                api_url=world.url, credentials=(Credential(key="bot", kind="bot", secret=TOKEN),), time_scale=TIME_SCALE, timeout=2.0
            ),
            page_link="https://max.ru/sadovoye",
            world=world,
            platform="max",
            page="sadovoye",
            methods={
                "read": "getComments",
                "send": "sendComment",
                "edit": "editComment",
                "delete": "deleteComment",
                "pictures": "sendMessage",
            },
            cases=cases(),
            longest=4000,
        )


class TestMax(SpoiledAnswers, ConnectorConformance):
    """The whole suite, and what only HTTP can do to an answer."""
