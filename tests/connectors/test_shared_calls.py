"""Connectors over plain HTTP keep to the part of a token that other workers leave them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from connectors.conformance.stage import caught
from connectors.contract import Credential, Options, TryLater
from connectors.registry import load
from connectors.telegram.client import TelegramClient
from tests.connectors.raw_server import http, raw_server

if TYPE_CHECKING:
    from datetime import timedelta


@dataclass
class Part:
    """So many places are ours."""

    ours: int
    asked: set[tuple[str, int]] = field(default_factory=set)

    def places(self, credential_key: str, limit: int, held: int) -> int:
        """The same answer, whoever asks."""
        assert held >= 0
        self.asked.add((credential_key, limit))
        return self.ours

    async def take(self, credential_key: str, method: str, *, limit: int, seconds: float) -> timedelta | None:
        """No method of these platforms has a quota of its own."""
        raise AssertionError((credential_key, method, limit, seconds))


@pytest.mark.parametrize(
    ("platform", "secret", "limit", "page"), [("ok", "KEY secret access", 3, "5242"), ("max", "token", 30, "sadovoye")]
)
async def test_a_worker_without_a_place_waits_and_one_with_a_place_calls(platform: str, secret: str, limit: int, page: str) -> None:
    async with raw_server() as raw:
        raw.plan(http(b"{}"))
        for part, reached in ((Part(ours=0), False), (Part(ours=1), True)):
            credentials = (Credential(key="7", kind="user" if platform == "ok" else "bot", secret=secret),)
            options = Options(api_url=raw.url, credentials=credentials, time_scale=50, timeout=1.0, budget=part)
            connector = load((platform,))[platform].build(options)
            told = await caught(connector.describe_page(page))
            assert (isinstance(told, TryLater) and told.code == "rate") is not reached
            assert bool(raw.requests) is reached
            assert part.asked == {("7", limit)}
            await connector.close()


async def test_a_bot_that_sends_from_two_workers_keeps_to_its_part_of_the_groups_minute() -> None:
    async with raw_server() as raw:
        raw.plan(http(b"{}"))
        for part, reached in ((Part(ours=0), False), (Part(ours=1), True)):
            bot = Credential(key="7", kind="bot", secret="7:token")
            client = TelegramClient(Options(api_url=raw.url, credentials=(bot,), time_scale=50, timeout=1.0, budget=part), raw.url)
            told = await caught(client.send(bot, chat="-1005", reply_to=1, text="Засыпали."))
            assert (isinstance(told, TryLater) and told.code == "rate") is not reached
            assert bool(raw.requests) is reached
            assert part.asked >= {("7", 30)}
            assert (("7 -1005 by the minute", 20) in part.asked) is reached  # who may not send at all does not ask
            await client.close()
