"""MAX's connector over HTTP against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors.conformance import ConnectorConformance, ErrorCase
from connectors.contract import Credential, Options, Rejected
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


@pytest.fixture
async def stage(server: Server) -> AsyncIterator[SandboxStage]:
    """A channel, and a bot that administers it."""
    async with server.world(TIME_SCALE) as world:
        await world.post("/world/pages", platform="max", page="sadovoye", id=6242, title="Село Садовое", members=812)
        await world.post("/world/tokens", platform="max", token=TOKEN, username="sadovoye_bot", pages=["sadovoye"])
        yield SandboxStage(
            plugin=plugin,
            options=Options(
                api_url=world.url, credentials=(Credential(key="bot", kind="bot", secret=TOKEN),), time_scale=TIME_SCALE, timeout=2.0
            ),
            page_link="https://max.ru/sadovoye",
            world=world,
            platform="max",
            page="sadovoye",
            methods={"read": "getComments", "send": "sendComment", "edit": "editComment", "delete": "deleteComment"},
            cases=cases(),
            longest=4000,
        )


class TestMax(SpoiledAnswers, ConnectorConformance):
    """The whole suite, and what only HTTP can do to an answer."""
