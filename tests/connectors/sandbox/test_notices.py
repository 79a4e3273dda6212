"""Notices by the bot of the sandbox: what our carrier sends is what Telegram takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from app.flows.couriers import Parcel, TelegramCourier
from app.flows.greeting import Greeter, build_bots
from app.kernel.outgoing import Outgoing, parse_hosts
from app.kernel.parts import NoticeParts
from app.notices.letters import Outcome
from app.notices.wording import Wording
from app.web.ui.render import catalogue
from connectors.sandbox.truth import truth
from tests.connectors.sandbox.clients import BOT, Client
from tests.factories import MORNING

if TYPE_CHECKING:
    from aiogram import Bot

    from app.kernel.clock import FixedClock
    from connectors.sandbox.server import Running


async def test_a_notice_stands_in_the_chat(sandbox: Running, bot: Bot) -> None:
    carrier = TelegramCourier(Outgoing(parse_hosts(sandbox.url.removeprefix("http://"))), url=sandbox.url, token=BOT)
    group = (await bot.get_chat("@town_news")).linked_chat_id
    letter = Wording(subject="", words="Обращение 481-937-512: срок близко.\n")
    parcel = Parcel(address=str(group), wording=letter, guid="1", at=MORNING)
    assert (await carrier.carry(parcel)).outcome is Outcome.DELIVERED
    assert "481-937-512" in json.dumps(truth(sandbox.sandbox.world), ensure_ascii=False, default=str)
    nowhere = Parcel(address="777", wording=letter, guid="2", at=MORNING)
    assert (await carrier.carry(nowhere)).outcome is Outcome.REFUSED
    stranger = TelegramCourier(Outgoing(parse_hosts(sandbox.url.removeprefix("http://"))), url=sandbox.url, token="5002:nobody")
    assert (await stranger.carry(parcel)).outcome is Outcome.LATER


async def test_the_bot_answers_whoever_calls_it_with_the_number_of_the_chat(
    sandbox: Running, http: Client, bot: Bot, clock: FixedClock
) -> None:
    parts = NoticeParts(
        catalogue=catalogue, address="https://otklik.example", timezone="Europe/Moscow", telegram_url=sandbox.url, telegram_token=BOT
    )
    ((own, outgoing),) = build_bots(parts)
    group = (await bot.get_chat("@town_news")).linked_chat_id
    greeter = Greeter(own, outgoing, clock, parts=parts)
    for text in ("Почему снова нет воды?", "/start"):
        http.post("/world/comments", {"platform": "telegram", "page": "town_news", "author": "Вера Цветова", "text": text})
    for _ in range(3):
        assert not await greeter.round()
    answer = f"Номер этого чата — {group}."
    assert json.dumps(truth(sandbox.sandbox.world), ensure_ascii=False, default=str).count(answer) == 1
