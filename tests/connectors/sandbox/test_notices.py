"""Notices by the bot of the sandbox: what our carrier sends is what Telegram takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from app.flows.couriers import Parcel, TelegramCourier
from app.kernel.outgoing import Outgoing, parse_hosts
from app.notices.letters import Outcome
from app.notices.wording import Wording
from connectors.sandbox.truth import truth
from tests.connectors.sandbox.clients import BOT
from tests.factories import MORNING

if TYPE_CHECKING:
    from aiogram import Bot

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
