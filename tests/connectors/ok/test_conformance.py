"""OK's connector over HTTP against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors.conformance import ConnectorConformance
from connectors.contract import Credential, Options
from connectors.ok import plugin
from connectors.ok.errors import MEANINGS
from connectors.sandbox.limits import Limits
from tests.connectors.spoiling import SpoiledAnswers
from tests.connectors.staging import TIME_SCALE, SandboxStage, cases_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.connectors.staging import Server

KEYS = "CKEY made-up-secret made-up-access"


@pytest.fixture
async def stage(server: Server) -> AsyncIterator[SandboxStage]:
    """A group, and the token of somebody who administers it."""
    # The suite makes a new connector for each act, and none knows the calls of the one before it.
    async with server.world(TIME_SCALE, Limits(ok_per_second=60)) as world:
        await world.post("/world/pages", platform="ok", page="sadovoye", id=5242, title="Село Садовое", members=812)
        await world.post("/world/tokens", platform="ok", token=KEYS, pages=["sadovoye"])
        credential = Credential(key="editor", kind="user", secret=KEYS)
        yield SandboxStage(
            plugin=plugin,
            options=Options(
                api_url=world.url,
                credentials=(credential,),
                time_scale=TIME_SCALE,
                timeout=2.0,
                limits={"calls_per_second": 30, "list_seconds": 0.0},
            ),
            page_link="https://ok.ru/sadovoye",
            world=world,
            platform="ok",
            page="sadovoye",
            methods={
                "read": "discussions.getComments",
                "send": "discussions.addDiscussionComment",
                "edit": "discussions.editDiscussionComment",
                "delete": "discussions.deleteDiscussionComment",
            },
            cases=cases_of({number: (meaning.kind, meaning.code) for number, meaning in MEANINGS.items()}),
            longest=4000,
        )


class TestOk(SpoiledAnswers, ConnectorConformance):
    """The whole suite, and what only HTTP can do to an answer."""
