"""What citizens write to the bot of MAX in private: heard only where somebody connected the bot, answered in the dialog."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from app.appeals import service as appeals
from app.appeals.office import OfficeKeeper
from app.flows import inbound
from app.flows.outbound import Outbound
from app.flows.polling import Poller
from app.flows.pushing import take_pushed
from app.kernel.clock import SystemClock
from app.sources.hooks import Hook, take_event
from connectors.contract import Credential, Options, PushRequest
from connectors.max import plugin
from connectors.sandbox.server import running
from tests.connectors.staging import World
from tests.flows.conftest import PIT, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.kernel.db import Database

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]
TOKEN, SCALE = "made-up-token-of-max", 50.0


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
        asked = await write(PIT)
        (written,) = (await world.get("/truth"))["comments"]
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
