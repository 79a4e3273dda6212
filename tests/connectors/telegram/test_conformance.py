"""Telegram's connector over HTTP, through the real aiogram, against the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connectors.conformance import ConnectorConformance, ErrorCase
from connectors.contract import AccessLost, Credential, Options, OutcomeUnknown, Rejected, TryLater, UnknownPayload
from connectors.telegram import connector, plugin
from connectors.telegram.errors import BAD_REQUEST
from tests.connectors.spoiling import SpoiledAnswers
from tests.connectors.staging import TIME_SCALE, SandboxStage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from connectors.contract import ConnectorError
    from tests.connectors.staging import Server

assert connector  # loaded while collecting: its SDK takes longer than a test may

TOKEN = "4200:AAF-never-a-real-one_0123456789abcd"


def cases() -> dict[str, tuple[ErrorCase, dict[str, object]]]:
    """Every refusal that the connector knows."""
    known: dict[str, tuple[ErrorCase, dict[str, object]]] = {}
    for words, error, code in BAD_REQUEST:
        fault: dict[str, object] = {"kind": "error", "code": 400, "text": f"Bad Request: {words}"}
        known[words] = ErrorCase(name=words, verb="send", error=error, code=code), fault
    others: list[tuple[str, str, type[ConnectorError], str, dict[str, object]]] = [
        ("another bad request", "send", Rejected, "bad_request", {"kind": "error", "code": 400}),
        ("unauthorized", "read", AccessLost, "reauthorise", {"kind": "error", "code": 401}),
        ("forbidden", "send", AccessLost, "no_right", {"kind": "error", "code": 403}),
        ("not found", "read", AccessLost, "reauthorise", {"kind": "error", "code": 404}),
        ("conflict", "read", TryLater, "conflict", {"kind": "error", "code": 409}),
        ("too large", "send", Rejected, "too_long", {"kind": "error", "code": 413}),
        ("flood", "send", TryLater, "rate", {"kind": "flood", "retry_after": 1}),
        ("flood while polling", "read", TryLater, "rate", {"kind": "flood"}),
        ("unknown status", "read", UnknownPayload, "http_status", {"kind": "error", "code": 418}),
        ("unknown status on send", "send", OutcomeUnknown, "http_status", {"kind": "error", "code": 418}),
        ("server error", "read", TryLater, "server", {"kind": "error", "code": 502}),
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
    """A channel with its discussion group, and one bot that hears everything."""
    async with server.world(TIME_SCALE) as world:
        await world.post("/world/pages", platform="telegram", page="sadovoye", discussion="sadovoye_chat", title="Село Садовое")
        await world.post(
            "/world/tokens",
            platform="telegram",
            token=TOKEN,
            username="sadovoye_bot",
            can_read_all_group_messages=True,
            pages=["sadovoye"],
        )
        yield SandboxStage(
            plugin=plugin,
            options=Options(
                api_url=world.url,
                credentials=(Credential(key="bot", kind="bot", secret=TOKEN),),
                time_scale=TIME_SCALE,
                timeout=2.0,
                # The burst of answers in the table of errors would take minutes at one a second.
                limits={"poll_seconds": 0, "chat_per_second": 1000, "group_per_minute": 1000},
            ),
            page_link="https://t.me/sadovoye",
            world=world,
            platform="telegram",
            page="sadovoye",
            methods={
                "read": "getUpdates",
                "send": "sendMessage",
                "pictures": "sendMediaGroup",
                "edit": "editMessageText",
                "delete": "deleteMessage",
            },
            cases=cases(),
        )


class TestTelegram(SpoiledAnswers, ConnectorConformance):
    """The whole suite, and what only HTTP can do to an answer."""
