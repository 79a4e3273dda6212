"""From a pushed event to an appeal: stored like any batch, once, beside what polling reads; a bad one holds up no other."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from sqlalchemy import text

from app.flows import inbound
from app.flows.pushing import take_pushed
from app.sources import hooks
from app.sources.hooks import Hook
from connectors.contract import AcceptsPush, Credential, Options, PageRef, Pages
from connectors.registry import load
from tests import factories
from tests.databases import hearing

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from connectors.contract import Batch

_STORED = "SELECT c.external_id, c.text, a.name FROM comment c JOIN author a ON a.id = c.author_id"

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


async def test_events_are_handled_in_turn_by_all_workers(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock
) -> None:
    """A comment is not met before its post, which another worker is just storing."""
    async with owner_db.write() as session:
        page = await factories.make_page(session)
        page.external_id = "-77"
    moment = int(clock.now().timestamp())
    post = {"id": 3, "owner_id": -77, "from_id": -77, "date": moment, "text": "Дороги", "comments": {"count": 0}}
    reply = {"id": 9, "from_id": 5, "post_id": 3, "post_owner_id": -77, "date": moment, "text": "Когда?"}
    connector = load(("vk",))["vk"].build(Options(api_url="http://127.0.0.1:1", credentials=()))
    assert isinstance(connector, AcceptsPush)
    for kind, told in (("wall_post_new", post), ("wall_reply_new", reply)):
        body = json.dumps({"type": kind, "group_id": 77, "event_id": kind, "object": told}).encode()
        async with web_db.write() as session:
            hook = Hook(page_id=page.id, confirmation="")
            assert await hooks.take_event(session, hook, event_id=kind, body=body, happened_at=None, now=clock.now())
    async with worker_db.write() as session:
        (event,) = await hooks.waiting_events(session, platforms=["vk"], most=1)
        other = asyncio.create_task(take_pushed(worker_db, {"vk": connector}, clock))
        assert not (await asyncio.wait({other}, timeout=0.3))[0]
        told_first = connector.parse_push(PageRef(external_id="-77"), Pages(), event.body, observed_at=clock.now())
        await inbound.take_in(session, platform="vk", batch=told_first, now=clock.now())
        await hooks.events_handled(session, ids=[event.id], now=clock.now())
    assert await other == 1
    async with owner_db.read() as reading:
        assert (await reading.scalars(text("SELECT text FROM comment"))).all() == ["Когда?"]
        assert await reading.scalar(text("SELECT count(*) FROM set_aside")) == 0
    await connector.close()


async def test_pushed_events_become_comments_and_a_bad_one_is_set_aside(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock
) -> None:
    async with owner_db.write() as session:
        page = await factories.make_page(session)
        page.external_id = "-77"
        post = await factories.make_post(session, page=page)
        post.external_id = "3"
        known = await factories.make_author(session, name="Пётр Кузнецов")
        known.external_id = "5"

    def event(number: str, **told: Any) -> bytes:
        body = {"id": 9, "from_id": 5, "post_id": 3, "post_owner_id": -77, "date": int(clock.now().timestamp()), "text": "Когда?"} | told
        return json.dumps({"type": "wall_reply_new", "group_id": 77, "event_id": number, "object": body}).encode()

    connector = load(("vk",))["vk"].build(
        Options(api_url="http://127.0.0.1:1", credentials=(Credential(key="1", kind="user", secret="made up"),))
    )
    hook = Hook(page_id=page.id, confirmation="")
    for number, body in (
        ("a", event("a")),
        ("b", b"{}"),
        ("c", event("c", id=10, text="И где?")),
        ("d", event("d", post_id=999)),
        ("e", event("e")),
    ):
        async with web_db.write() as session:
            assert await hooks.take_event(session, hook, event_id=number, body=body, happened_at=None, now=clock.now())
    assert await take_pushed(worker_db, {"vk": connector}, clock) == 5
    assert await take_pushed(worker_db, {"vk": connector}, clock) == 0
    async with owner_db.read() as reading:
        comments = (await reading.execute(text(_STORED))).all()
        answered = [("10", "И где?", "Пётр Кузнецов"), ("9", "Когда?", "Пётр Кузнецов"), ("9", "Когда?", "Пётр Кузнецов")]
        assert sorted(tuple(row) for row in comments) == answered
        posts = (await reading.execute(text("SELECT external_id, text, link FROM post WHERE external_id = '999'"))).all()
        assert [tuple(row) for row in posts] == [("999", "", "https://vk.com/wall-77_999")]  # which no listing had shown
        assert (await reading.scalars(text("SELECT reason FROM set_aside"))).all() == [
            "pushed: group_id is not a whole number but NoneType"
        ]
        assert await reading.scalar(text("SELECT count(*) FROM pushed_event WHERE body IS NOT NULL OR handled_at IS NULL")) == 0
    async with worker_db.write() as session:
        assert await hooks.forget_events(session, now=clock.now()) == 0
        assert await hooks.forget_events(session, now=clock.now() + hooks.REMEMBERED * 2) == 5
    await connector.close()


class Broken:
    """A connector with a bug."""

    def parse_push(self, page: PageRef, pages: Pages, body: bytes, *, observed_at: datetime) -> Batch:
        """Breaks at whatever is pushed."""
        raise ZeroDivisionError(page, pages, body, observed_at)


async def test_a_bug_of_a_connector_holds_up_no_event(owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        page = await factories.make_page(session)
    async with web_db.write() as session:
        hook = Hook(page_id=page.id, confirmation="")
        assert await hooks.take_event(session, hook, event_id="a", body=b"{}", happened_at=None, now=clock.now())
    assert await take_pushed(worker_db, {"vk": cast("Any", Broken())}, clock) == 1
    async with owner_db.read() as reading:
        assert (await reading.scalars(text("SELECT reason FROM set_aside"))).all() == ["pushed: bug: ZeroDivisionError"]


@pytest.mark.parametrize(("platform", "needed"), [("vk", 0), ("viber", 0), ("telegram", 1), ("max", 1)])
async def test_all_pages_are_read_only_for_whom_an_event_may_tell_of_others(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock, platform: str, needed: int
) -> None:
    """A country's pages are tens of thousands: to read them for each event would take longer than all else."""
    async with owner_db.write() as session:
        page = await factories.make_page(session, platform=platform)
    async with web_db.write() as session:
        hook = Hook(page_id=page.id, confirmation="")
        assert await hooks.take_event(session, hook, event_id="a", body=b"{}", happened_at=None, now=clock.now())
    connector = load((platform,))[platform].build(Options(api_url="http://127.0.0.1:1", credentials=()))
    read: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        read.append(statement)

    with hearing(worker_db, "before_cursor_execute", note):
        assert await take_pushed(worker_db, {platform: connector}, clock) == 1
    assert sum("FROM page WHERE platform = $1 AND active" in one for one in read) == needed
    await connector.close()


async def test_a_bot_that_was_sent_away_is_noticed_at_once(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock
) -> None:
    """MAX says so of a channel; the listing that follows at once meets the refusal, which the page list shows."""
    async with owner_db.write() as session:
        pages = [await factories.make_page(session, platform="max") for _ in range(2)]
        pages[0].external_id, pages[1].external_id = "-6242", "-6243"
        for page in pages:
            await session.execute(
                text("INSERT INTO feed (platform, key, page_id, due_at, discover_at) VALUES ('max', :key, :page, :later, :later)"),
                {"key": page.external_id, "page": page.id, "later": clock.now() + timedelta(hours=1)},
            )
    connector = load(("max",))["max"].build(
        Options(api_url="http://127.0.0.1:1", credentials=(Credential(key="1", kind="bot", secret="made up"),))
    )
    user = {"user_id": 1, "first_name": "Администратор", "is_bot": False, "last_activity_time": 1}
    event = {"update_type": "bot_removed", "timestamp": 1, "chat_id": -6242, "user": user, "is_channel": True}
    async with web_db.write() as session:
        hook = Hook(page_id=pages[1].id, confirmation="")  # one hook serves all channels of the bot
        assert await hooks.take_event(session, hook, event_id="a", body=json.dumps(event).encode(), happened_at=None, now=clock.now())
    assert await take_pushed(worker_db, {"max": connector}, clock) == 1
    async with owner_db.read() as reading:
        due = text("SELECT key FROM feed WHERE due_at <= :now AND discover_at <= :now")
        assert (await reading.scalars(due, {"now": clock.now()})).all() == ["-6242"]
    await connector.close()
