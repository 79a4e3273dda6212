"""A platform tells that a page has moved, or is lost to us: the page follows, nothing is lost, and people see it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from app.flows import inbound
from connectors.contract import Batch, Credential, Feed, Options, PageRef, TryLater
from connectors.telegram.connector import TelegramConnector
from tests.connectors.raw_server import http, raw_server
from tests.flows.conftest import Town, asked

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


@pytest.fixture
def style() -> str:
    return "streaming"


async def test_an_answer_follows_the_group_to_which_it_has_moved(town: Town, rows: Rows) -> None:
    await asked(town)
    ((number,),) = await rows("SELECT number FROM appeal")
    town.world.fail("send", TryLater("moved", "the group is now -5", after=timedelta(seconds=1), page_options={"group": "-5"}))
    await town.answer(number, "Засыпем.")
    await town.outbound().send_due()
    assert [(row.state, row.error_code) for row in await rows("SELECT state, error_code FROM reply")] == [("queued", "moved")]
    assert [row.options["group"] for row in await rows("SELECT options FROM page")] == ["-5"]
    town.pass_time(5)
    await town.outbound().send_due()
    assert [row.state for row in await rows("SELECT state FROM reply")] == ["sent"]
    assert [sent.post.page.options["group"] for sent in town.world.sends] == ["-5"]


async def test_a_page_that_is_lost_is_shown_until_it_is_back(town: Town, rows: Rows) -> None:
    """A stream goes on for its other pages: what it told of this one is not wiped away by the next good reading."""
    carried = "SELECT error_code, error_detail FROM feed WHERE page_id IS NOT NULL"
    await asked(town)
    for told, shown in (("the bot is 'kicked'\0", ("no_right", "the bot is 'kicked'\ufffd")), ("", (None, None))):
        async with town.worker.write() as session:
            batch = Batch(page_options={town.page: {"no_access": told}})
            await inbound.take_in(session, platform=town.platform, batch=batch, now=town.clock.now())
        for _ in range(2):
            await town.bring_in()
            assert [tuple(row) for row in await rows(carried)] == [shown]


@pytest.mark.parametrize(("reads_all", "lost"), [(False, True), (True, False)])
async def test_an_ordinary_member_hears_all_only_without_privacy_mode(reads_all: bool, lost: bool) -> None:  # noqa: FBT001 - a table
    change = {"chat": {"id": -1600}, "date": 5, "new_chat_member": {"status": "member"}}
    page = PageRef(external_id="-1500", options={"linked_chat_id": "-1600"})
    async with raw_server() as raw:
        results: tuple[Any, ...] = (
            [{"update_id": 5, "my_chat_member": change}], {"id": 4200, "is_bot": True, "can_read_all_group_messages": reads_all},
            {"status": "member"},
        )  # fmt: skip
        raw.plan(*(http(orjson.dumps({"ok": True, "result": result})) for result in results))
        token = Credential(key="b", kind="bot", secret="4200:AAF-never-a-real-one_0123456789abcd")
        telegram = TelegramConnector(Options(api_url=raw.url, credentials=(token,), timeout=5), raw.url)
        batch = await telegram.poll(Feed(key="b", credential_key="b", pages=(page,)), None)
        await telegram.close()
    assert bool(batch.page_options["-1500"]["no_access"]) is lost
