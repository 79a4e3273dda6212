"""A platform tells that a page has moved, or is lost to us: the page follows, nothing is lost, and people see it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import text

from app.flows import inbound, mending
from app.flows.facts import round_of_facts
from app.flows.pushing import take_pushed
from app.sources.hooks import Hook, take_event
from app.sources.service import ensure_carried
from connectors.contract import AccessLost, Batch, Credential, Feed, Options, PageRef, Pages, TryLater
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


async def test_whoever_says_that_it_is_mended_has_the_platform_asked_about_a_page_of_a_stream(town: Town, rows: Rows) -> None:
    """The notice of it may have been missed: then nothing else would ever tell."""
    await asked(town)
    async with town.worker.write() as session:
        told = {town.page: {"no_access": "the bot is 'kicked'", "group": "-4"}}
        await inbound.take_in(session, platform=town.platform, batch=Batch(page_options=told), now=town.clock.now())
    ((page_id,),) = await rows("SELECT id FROM page")
    for failing, shown in (
        (AccessLost("no_right", "the bot is 'left'"), "the bot is 'left'"),
        (AccessLost("reauthorise", "the token is dead"), "the bot is 'left'"),
        (None, ""),
    ):
        if failing is not None:
            town.world.fail("describe_page", failing)
        await mending.try_again(town.worker, {town.platform: town.connector}, town.clock, page_id=page_id)
        assert [row.options["no_access"] for row in await rows("SELECT options FROM page")] == [shown]


async def test_a_missed_notice_is_made_up_for_once_a_day(town: Town, rows: Rows) -> None:
    await asked(town)
    for failing, shown in ((AccessLost("no_right", "the bot is 'left'"), "the bot is 'left'"), (None, "")):
        if failing is not None:
            town.world.fail("describe_page", failing)
        async with town.owner.write() as session:
            await session.execute(text("UPDATE page SET describe_at = :now"), {"now": town.clock.now()})
        await round_of_facts(town.worker, {town.platform: town.connector}, town.clock)
        assert [row.options["no_access"] for row in await rows("SELECT options FROM page")] == [shown]


async def test_an_ordinary_member_is_told_by_a_push_and_the_platform_is_asked(town: Town, rows: Rows) -> None:
    """What several pushed updates say of one page is kept together."""
    page = PageRef(external_id="-1500", options={"linked_chat_id": "-1600"})
    telegram = TelegramConnector(Options(api_url=None, credentials=()), "http://127.0.0.1:1")
    change = {"chat": {"id": -1600}, "date": 5, "new_chat_member": {"status": "member"}}
    body = orjson.dumps({"update_id": 5, "my_chat_member": change})
    assert telegram.parse_push(page, Pages([page]), body, observed_at=town.clock.now()).look_at == ()  # no bot of ours carries it
    await telegram.close()
    token = Credential(key="b", kind="bot", secret="4200:AAF-never-a-real-one_0123456789abcd")
    telegram = TelegramConnector(Options(api_url=None, credentials=(token,)), "http://127.0.0.1:1")
    (number,) = await rows("SELECT id FROM page")
    async with town.owner.write() as session:
        await session.execute(
            text("UPDATE page SET platform = 'telegram', external_id = '-1500', options = '{\"linked_chat_id\": \"-1600\"}'")
        )
    moved = {"message_id": 9, "date": 5, "chat": {"id": -1600}, "migrate_to_chat_id": -1700}
    for event, told in (("5", body), ("6", orjson.dumps({"update_id": 6, "message": moved}))):
        async with town.web.write() as session:
            hook = Hook(page_id=number.id, confirmation="")
            assert await take_event(session, hook, event_id=event, body=told, happened_at=None, now=town.clock.now())
    async with town.owner.write() as session:
        await ensure_carried(session, platform="telegram", pages=["-1500"])
    assert await take_pushed(town.worker, {"telegram": telegram}, town.clock) == 2
    await telegram.close()
    ((options,),) = await rows("SELECT options FROM page")
    assert options == {"linked_chat_id": "-1700", "no_access": ""}
    assert await rows("SELECT 1 FROM pgqueuer WHERE entrypoint = 'pages.again'")


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
