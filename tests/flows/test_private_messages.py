"""What citizens write to a bot in private: heard only where an administrator switched it on, answered in the dialog."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.appeals import service as appeals
from app.appeals.office import OfficeKeeper
from app.flows import inbound
from app.flows.outbound import Outbound
from app.flows.polling import Poller
from app.flows.pushing import take_pushed
from app.kernel.clock import SystemClock
from app.kernel.errors import NotFoundError
from app.people.rules import Role
from app.sources import private
from app.sources.hooks import Hook, take_event
from connectors.contract import Credential, Options, PushRequest
from connectors.max import plugin
from connectors.sandbox.server import running
from connectors.telegram import plugin as telegram_plugin
from tests.connectors.staging import World
from tests.factories import make_operator
from tests.flows.conftest import PIT, Town, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.kernel.db import Database

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]
TOKEN, SCALE = "made-up-token-of-max", 50.0
BOT_TOKEN = "4200:AAF-never-a-real-one_0123456789abcd"


@pytest.fixture
def style() -> str:
    return "probing"


def pushed(chat: str, comment: str, words: str, author: int, written_at: str) -> bytes:
    """As MAX tells a private message, at the moment when the stand-in says that it was written."""
    sender = {"user_id": author, "first_name": "Вера", "username": None, "is_bot": False, "last_activity_time": 0, "name": "Вера"}
    now = int(datetime.fromisoformat(written_at).timestamp()) * 1000
    message = {
        "sender": sender,
        "recipient": {"chat_id": int(chat), "chat_type": "dialog", "user_id": 41},
        "timestamp": now,
        "link": None,
        "body": {"mid": comment, "seq": 1, "text": words, "attachments": None},
    }
    return json.dumps({"update_type": "message_created", "timestamp": now, "message": message}).encode()


async def switched(owner_db: Database, web_db: Database, page_id: int, *, is_on: bool) -> None:
    """As the screen does."""
    async with owner_db.write() as session:
        who = await make_operator(session, role=Role.ADMINISTRATOR)
    async with web_db.write(operator_id=who.id) as session:
        await private.switch(session, operator_id=who.id, page_id=page_id, is_on=is_on)


async def test_telegram_s_bot_hears_nothing_until_it_is_switched_on_and_answers_in_the_chat(
    owner_db: Database, worker_db: Database, web_db: Database, rows: Rows
) -> None:
    """What was written before, and after it was switched off again, is never brought in; what is open is answered all the same."""
    clock = SystemClock()
    with running(time_scale=SCALE) as sandbox:
        world = World(sandbox.url)
        await world.post("/world/pages", platform="telegram", page="answers_bot", title="Ответы")
        await world.post("/world/tokens", platform="telegram", token=BOT_TOKEN, username="answers_bot", name="Ответы")
        chat = (await world.post("/world/posts", platform="telegram", page="answers_bot", text="Диалог"))["id"]

        async def write(words: str) -> None:
            await world.post("/world/comments", platform="telegram", page="answers_bot", post_id=chat, author="Вера", text=words)
            await Poller(worker_db, "telegram", connector, clock, worker="w", time_scale=1000).round()
            await inbound.open_all(worker_db, OfficeKeeper(worker_db, clock), clock)

        limits = {"poll_seconds": 0.0}
        credential = Credential(key="1", kind="bot", secret=BOT_TOKEN)
        connector = telegram_plugin.build(Options(api_url=sandbox.url, credentials=(credential,), time_scale=SCALE, limits=limits))
        page = await connector.describe_page("https://t.me/answers_bot")
        office = await settle(owner_db, web_db, platform="telegram", snapshot=page, now=clock.now())
        ((page_id,),) = await rows("SELECT id FROM page")
        await write(PIT)
        await switched(owner_db, web_db, page_id, is_on=True)
        for words in ("/start", PIT, "И у школы тоже яма на дороге."):
            await write(words)
        await switched(owner_db, web_db, page_id, is_on=False)
        await write("А фонари?")
        assert [tuple(row) for row in await rows("SELECT text, fate FROM comment ORDER BY id")] == [
            (PIT, "opened"), ("И у школы тоже яма на дороге.", "appended"),
        ]  # fmt: skip
        ((number,),) = await rows("SELECT number FROM appeal")
        async with web_db.write(operator_id=office.operator.operator_id) as session:
            await appeals.answer(session, office.operator, number=number, words="Засыпем завтра.", text_limits={}, now=clock.now())
        assert await Outbound(worker_db, {"telegram": connector}, clock, worker="w", time_scale=SCALE).send_due() == 1
        (answer,) = (await world.get("/truth"))["answers"]
        assert (answer["post_id"], answer["text"]) == (chat, "Засыпем завтра.")
        await connector.close()
        await world.close()
    assert [tuple(row) for row in await rows("SELECT status, platform FROM appeal")] == [("answered", "telegram")]


async def test_the_switch_holds_for_what_comes_while_telegram_is_waited_for(
    owner_db: Database, worker_db: Database, web_db: Database, rows: Rows
) -> None:
    """A poll that began before it was switched hears nothing for the other side of the switch: it is asked anew."""
    clock = SystemClock()
    with running(time_scale=SCALE) as sandbox:
        world = World(sandbox.url)
        await world.post("/world/pages", platform="telegram", page="answers_bot", title="Ответы")
        await world.post("/world/tokens", platform="telegram", token=BOT_TOKEN, username="answers_bot", name="Ответы")
        chat = (await world.post("/world/posts", platform="telegram", page="answers_bot", text="Диалог"))["id"]
        credential = Credential(key="1", kind="bot", secret=BOT_TOKEN)
        connector = telegram_plugin.build(
            Options(api_url=sandbox.url, credentials=(credential,), time_scale=SCALE, limits={"poll_seconds": 400.0})
        )
        page = await connector.describe_page("https://t.me/answers_bot")
        await settle(owner_db, web_db, platform="telegram", snapshot=page, now=clock.now())
        ((page_id,),) = await rows("SELECT id FROM page")
        poller = Poller(worker_db, "telegram", connector, clock, worker="w", time_scale=1)
        for is_on, words in ((True, PIT), (False, "А фонари?")):
            waiting = asyncio.create_task(poller.round())
            while not await rows("SELECT 1 FROM feed WHERE leased_by IS NOT NULL"):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)  # the call is under way
            await switched(owner_db, web_db, page_id, is_on=is_on)
            await world.post("/world/comments", platform="telegram", page="answers_bot", post_id=chat, author="Вера", text=words)
            await waiting
            await poller.round()
            assert [row.text for row in await rows("SELECT text FROM comment ORDER BY id")] == [PIT]
        await connector.close()
        await world.close()


async def test_only_an_administrator_switches_and_only_a_bot(town: Town, rows: Rows) -> None:
    """The database says so too, whatever a route forgets."""
    ((page_id,),) = await rows("SELECT id FROM page")
    async with town.owner.write() as session:
        await session.execute(text("""UPDATE page SET options = '{"dialogs": "yes"}'"""))
    for who in (town.operator, town.coordinator):
        with pytest.raises(DBAPIError, match="only an administrator"):
            async with town.web.write(operator_id=who.operator_id) as session:
                await private.switch(session, operator_id=who.operator_id, page_id=page_id, is_on=True)
    await switched(town.owner, town.web, page_id, is_on=True)
    assert [row.options for row in await rows("SELECT options - 'private_since' AS options FROM page")] == [
        {"dialogs": "yes", "private": "on"}
    ]
    async with town.owner.write() as session:
        await session.execute(text("UPDATE page SET options = '{}'"))
    with pytest.raises(NotFoundError):
        await switched(town.owner, town.web, page_id, is_on=True)


async def test_a_private_question_opens_one_appeal_and_is_answered_in_the_dialog(
    owner_db: Database, worker_db: Database, web_db: Database, rows: Rows
) -> None:
    """The first message comes by push; from then on the dialog is read like a thread, and all of it is one matter."""
    clock = SystemClock()
    with running(time_scale=SCALE) as sandbox:
        world = World(sandbox.url)
        await world.post("/world/pages", platform="max", page="answers_bot", id=6243, title="Ответы")
        await world.post("/world/tokens", platform="max", token=TOKEN, username="answers_bot", name="Ответы")
        chat = (await world.post("/world/posts", platform="max", page="answers_bot", text="Диалог"))["id"]

        async def write(words: str) -> str:
            told = await world.post("/world/comments", platform="max", page="answers_bot", post_id=chat, author="Вера", text=words)
            return str(told["id"])

        connector = plugin.build(
            Options(api_url=sandbox.url, credentials=(Credential(key="1", kind="bot", secret=TOKEN),), time_scale=SCALE)
        )
        page = await connector.describe_page("https://max.ru/answers_bot")
        office = await settle(owner_db, web_db, platform="max", snapshot=page, now=clock.now())
        ((page_id,),) = await rows("SELECT id FROM page")
        await write("Написано до включения.")
        await asyncio.sleep(1.1)  # MAX's stand-in tells whole seconds
        await switched(owner_db, web_db, page_id, is_on=True)
        (before,) = (await world.get("/truth"))["comments"]
        assert before["text"] == "Написано до включения."
        asked = await write(PIT)
        _, written = (await world.get("/truth"))["comments"]
        body = pushed(chat, asked, PIT, int(written["author_id"]), written["written_at"])
        read = plugin.push.read(PushRequest(body=body)) if plugin.push else None
        assert read is not None
        async with web_db.write() as session:
            hook = Hook(page_id=page_id, confirmation="")
            assert await take_event(session, hook, event_id=read.event_id, body=body, happened_at=read.happened_at, now=clock.now())
        assert await take_pushed(worker_db, {"max": connector}, clock) == 1
        keeper = OfficeKeeper(worker_db, clock)
        await inbound.open_all(worker_db, keeper, clock)
        ((number,),) = await rows("SELECT number FROM appeal")
        await write("И у школы тоже яма на дороге.")
        await Poller(worker_db, "max", connector, clock, worker="w", time_scale=1000).round()
        await inbound.open_all(worker_db, keeper, clock)
        assert [row.fate for row in await rows("SELECT fate FROM comment ORDER BY id")] == ["opened", "appended"]
        async with web_db.write(operator_id=office.operator.operator_id) as session:
            await appeals.answer(session, office.operator, number=number, words="Засыпем завтра.", text_limits={}, now=clock.now())
        assert await Outbound(worker_db, {"max": connector}, clock, worker="w", time_scale=SCALE).send_due() == 1
        (answer,) = (await world.get("/truth"))["answers"]
        assert (answer["post_id"], answer["text"]) == (chat, "Засыпем завтра.")
        await connector.close()
        await world.close()
    assert [tuple(row) for row in await rows("SELECT status, platform FROM appeal")] == [("answered", "max")]
