"""VK's connector over HTTP, through the real vk_api, against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors.conformance import ConnectorConformance, ErrorCase, Verb
from connectors.contract import AccessLost, Credential, Options, OutcomeUnknown, Rejected, TryLater, UnknownPayload
from connectors.vk import plugin
from connectors.vk.errors import BY_WORDS, MEANINGS
from tests.connectors.spoiling import SpoiledAnswers
from tests.connectors.staging import TIME_SCALE, SandboxStage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from connectors.contract import ConnectorError
    from tests.connectors.staging import Server

READ: dict[str, type[ConnectorError]] = {
    "later": TryLater,
    "rejected": Rejected,
    "access": AccessLost,
    "unclear": TryLater,
}
SEND: dict[str, type[ConnectorError]] = READ | {"unclear": OutcomeUnknown}


def cases() -> dict[str, tuple[ErrorCase, dict[str, object]]]:
    """Every error number that the connector knows, in reading and in sending, and two that it does not."""
    known: dict[str, tuple[ErrorCase, dict[str, object]]] = {}
    for number, meaning in MEANINGS.items():
        fault: dict[str, object] = {"kind": "error", "code": number, "text": "words of the platform"}
        reading_and_sending: tuple[tuple[Verb, dict[str, type[ConnectorError]]], ...] = (("read", READ), ("send", SEND))
        for side, kinds in reading_and_sending:
            case = ErrorCase(name=f"{side} {number}", verb=side, error=kinds[meaning.kind], code=meaning.code)
            known[case.name] = case, fault
    for (number, words), meaning in BY_WORDS.items():
        case = ErrorCase(name=f"words {words}", verb="send", error=SEND[meaning.kind], code=meaning.code)
        known[case.name] = case, {"kind": "error", "code": number, "text": f"Said so: {words} check it"}
    others: list[tuple[str, str, type[ConnectorError], str, dict[str, object]]] = [
        ("captcha", "send", AccessLost, "captcha", {"kind": "captcha"}),
        ("flood", "send", TryLater, "flood", {"kind": "flood"}),
        ("unknown number", "read", UnknownPayload, "unknown_error", {"kind": "error", "code": 4242}),
        ("unknown number on send", "send", Rejected, "unknown_error", {"kind": "error", "code": 4242}),
        ("gateway down", "read", TryLater, "server", {"kind": "http_500"}),
        ("gateway down on send", "send", OutcomeUnknown, "server", {"kind": "http_500"}),
        ("half an answer", "read", UnknownPayload, "malformed", {"kind": "truncated"}),
        ("half an answer to send", "send", OutcomeUnknown, "malformed", {"kind": "truncated"}),
        ("broken connection", "read", TryLater, "network", {"kind": "disconnect"}),
        ("no answer", "read", TryLater, "network", {"kind": "timeout_before"}),
        ("no answer to send", "send", OutcomeUnknown, "network", {"kind": "timeout_after"}),
    ]
    for name, verb, error, code, fault in others:
        known[name] = ErrorCase(name=name, verb="send" if verb == "send" else "read", error=error, code=code), fault
    return known


@pytest.fixture
async def stage(server: Server) -> AsyncIterator[SandboxStage]:
    """A VK page whose reading token is a service one and whose writing token is the community's own."""
    async with server.world(TIME_SCALE) as world:
        await world.post("/world/pages", platform="vk", page="sadovoye", id=4242, title="Село Садовое", members=812)
        for kind in ("service", "community"):
            await world.post("/world/tokens", platform="vk", kind=kind, token=f"secret-{kind}", page="sadovoye")
        credentials = (
            Credential(key="reader", kind="service", secret="secret-service"),
            Credential(key="writer", kind="community", secret="secret-community", page_external_id="-4242"),
        )
        await world.post("/world/tokens", platform="vk", kind="user", token="secret-user", page="sadovoye")
        everything = (*credentials, Credential(key="administrator", kind="user", secret="secret-user", page_external_id="-4242"))
        yield SandboxStage(
            plugin=plugin,
            options=Options(api_url=world.url, credentials=credentials, time_scale=TIME_SCALE, timeout=2.0),
            page_link="https://vk.com/sadovoye",
            world=world,
            platform="vk",
            page="sadovoye",
            methods={
                "read": "wall.getComments",
                "send": "wall.createComment",
                "pictures": "wall.createComment",
                "edit": "wall.editComment",
                "delete": "wall.deleteComment",
            },
            cases=cases(),
            longest=16_384,
            amending=Options(api_url=world.url, credentials=everything, time_scale=TIME_SCALE, timeout=2.0),
        )


class TestVk(SpoiledAnswers, ConnectorConformance):
    """The whole suite, and what only HTTP can do to an answer."""
