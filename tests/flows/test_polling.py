"""Feeds are shared by leases, errors are written down, nothing is lost by either."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.exchange.pages import PageLine, list_pages
from app.flows.polling import Poller
from app.flows.polling_plan import REREAD, SOONEST, Plan
from app.sources import service as sources
from app.sources.hooks import add_hook
from app.sources.service import connect_page
from connectors.contract import AccessLost, Options, PushedInstead, Rejected, TryLater, UnknownPayload
from connectors.fake.connector import ProbingConnector
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from connectors.contract import Batch, ConnectorError, PageRef, PostCount, PostRef

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]

VERB = {"probing": "discover", "streaming": "poll"}


@pytest.mark.parametrize("error", [TryLater("rate", after=timedelta(seconds=20)), AccessLost("reauthorise"), ZeroDivisionError("bug")])
async def test_a_failure_is_written_down_and_tried_again(town: Town, rows: Rows, style: str, error: Exception) -> None:
    """The feed says what is wrong until a poll succeeds; then everything written meanwhile comes in."""
    post = town.world.write_post(town.page, "Дороги")
    town.world.write_comment(post, PIT)
    town.world.fail(VERB[style], error)
    await town.bring_in()
    (feed,) = await rows("SELECT error_code, failures, leased_by, due_at FROM feed WHERE due_at <> 'infinity'")
    assert feed.failures == 1
    assert feed.error_code in {"rate", "reauthorise", "bug"}
    assert feed.leased_by is None
    assert feed.due_at > town.clock.now()
    town.pass_time(61)
    await town.bring_in()
    assert len(await rows("SELECT 1 FROM comment")) == 1
    assert {(row.error_code, row.failures) for row in await rows("SELECT error_code, failures FROM feed")} == {(None, 0)}


async def test_a_stream_that_is_pushed_to_us_is_no_trouble(town: Town, rows: Rows, style: str) -> None:
    """Whose hook it is says the page's own; another's is named by its host, and what does not arrive is told."""
    if style != "streaming":
        pytest.skip("walls are read whether they push or not")
    (page,) = await rows("SELECT id, external_id FROM page")
    path = f"/hooks/{town.platform}/{page.external_id}"

    async def told(address: str, complaint: str = "") -> list[Any]:
        town.world.fail("poll", PushedInstead(address, complaint, after=timedelta(seconds=20), credential_key="1"))
        town.pass_time(61)
        await town.bring_in()
        return [tuple(row) for row in await rows("SELECT DISTINCT error_code, error_detail FROM feed")]

    assert await told(f"otklik.example{path}") == [("webhook", "otklik.example")]
    async with town.owner.write() as session:
        await add_hook(session, page_id=page.id, confirmation="", now=town.clock.now())
    assert await told(f"otklik.example{path}") == [(None, None)]
    assert await told(f"otklik.example{path}0") == [("webhook", "otklik.example")]
    assert await told(f"otklik.example{path}", "403 Forbidden") == [("push_failing", "403 Forbidden")]


async def test_a_malformed_answer_is_set_aside_with_its_bytes(town: Town, rows: Rows, style: str) -> None:
    """The next answer is read as ever."""
    town.world.fail(VERB[style], UnknownPayload("malformed", "no items", raw=b"\xff{"))
    await town.bring_in()
    (aside,) = await rows("SELECT reason, raw FROM set_aside")
    assert aside.raw == b"\xff{"
    post = town.world.write_post(town.page, "Дороги")
    town.world.write_unreadable(post, "no date", b"{}")
    town.world.write_comment(post, PIT)
    town.pass_time(60)
    await town.bring_in()
    assert len(await rows("SELECT 1 FROM appeal")) == 1
    assert len(await rows("SELECT 1 FROM set_aside")) == 2


@pytest.mark.parametrize("style", ["probing"])
async def test_the_same_unreadable_answer_is_set_aside_once_and_counted(town: Town, rows: Rows) -> None:
    """However often it is met; another answer, or the same one about another post, is another thing."""
    posts = [town.world.write_post(town.page, "Дороги") for _ in range(2)]
    for post in posts:
        town.world.write_comment(post, PIT)
    town.world.fail("read_thread", UnknownPayload("malformed", "no items", raw=b"{}"), times=6)
    for _ in range(3):
        await town.bring_in()
    met = await rows("SELECT reference, times, recorded_at, last_at FROM set_aside ORDER BY reference")
    assert [(row.reference, row.times) for row in met] == [(post, 3) for post in posts]
    assert all(row.last_at - row.recorded_at == timedelta(seconds=62) for row in met)
    town.world.fail("read_thread", UnknownPayload("malformed", "no items", raw=b"[]"))
    await town.bring_in()
    assert sorted(row.times for row in await rows("SELECT times FROM set_aside")) == [1, 3, 3]


async def test_a_dead_workers_feed_is_taken_over_and_it_stores_nothing_more(town: Town, rows: Rows) -> None:
    """A lease of 30 seconds; what the late worker read is the other's to store."""
    post = town.world.write_post(town.page, "Дороги")
    await town.bring_in()
    town.world.write_comment(post, PIT)
    town.pass_time(31)
    now = town.clock.now()
    async with town.worker.write() as session:
        (dead,) = await sources.lease_feeds(session, platform="fake", worker="dead", now=now, lease=timedelta(seconds=30), most=9)
    await town.poller("w2").round()
    assert len(await rows("SELECT 1 FROM comment")) == 0  # the lease holds
    town.pass_time(31)
    await town.poller("w2").round()
    assert len(await rows("SELECT 1 FROM comment")) == 1
    async with town.worker.write() as session:
        with pytest.raises(Exception, match="taken this feed over"):
            await sources.keep_lease(session, feed_ids=[dead.id], worker="dead", until=now)


@pytest.mark.parametrize("style", ["streaming"])
async def test_a_worker_whose_lease_went_to_another_reads_no_more(town: Town, rows: Rows) -> None:
    """It learns of it when it renews, in the middle of a long poll, and leaves the feed to the other."""
    await town.bring_in()
    town.pass_time(31)
    town.world.poll_wait = 60
    late = Poller(town.worker, town.platform, town.connector, town.clock, worker="late", time_scale=10)
    reading = asyncio.create_task(late.round())
    polls = town.world.calls["poll"]
    while town.world.calls["poll"] == polls:
        await asyncio.sleep(0.01)
    town.pass_time(31)
    async with town.worker.write() as session:
        now = town.clock.now()
        assert await sources.lease_feeds(session, platform="fake", worker="other", now=now, lease=timedelta(seconds=90), most=9)
    assert await asyncio.wait_for(reading, 15)
    assert [row.leased_by for row in await rows("SELECT leased_by FROM feed WHERE due_at <> 'infinity'")] == ["other"]


async def test_two_workers_poll_a_page_once(town: Town, rows: Rows, style: str) -> None:
    """At once; the comments are there once."""
    post = town.world.write_post(town.page, "Дороги")
    for number in range(20):
        town.world.write_comment(post, PIT, author=f"Автор {number}")
    town.pass_time(31)
    await asyncio.gather(*(town.poller(f"w{number}").round() for number in range(3)))
    assert town.world.calls[VERB[style]] == 1
    assert len(await rows("SELECT 1 FROM comment")) == 20


async def test_a_batch_cut_anywhere_is_complete(town: Town, rows: Rows) -> None:
    """Repeated news and small parts."""
    post = town.world.write_post(town.page, "Дороги")
    for number in range(150):
        town.world.write_comment(post, PIT, author=f"Автор {number}")
    town.world.repeat(0, 40)
    for _ in range(4):
        await town.bring_in()
    assert len(await rows("SELECT 1 FROM comment")) == 150
    assert len(await rows("SELECT 1 FROM appeal")) == 150


@pytest.mark.parametrize("style", ["probing"])
async def test_a_page_that_is_gone_says_so_and_others_go_on(town: Town, rows: Rows) -> None:
    """Refused by the platform: shown on the page's feed until it can be listed again."""
    town.world.fail("discover", Rejected("gone", "no such page"))
    await town.bring_in()
    assert [row.error_code for row in await rows("SELECT error_code FROM feed")] == ["gone"]


@pytest.mark.parametrize("style", ["probing"])
async def test_a_spent_quota_of_listings_is_said_and_known_posts_are_read_on(town: Town, rows: Rows) -> None:
    """New posts wait until the platform lets us list again; nothing else does."""
    post = town.world.write_post(town.page, "Дороги")
    await town.bring_in()
    town.world.fail("discover", TryLater("quota", "error 29: Rate limit reached", after=timedelta(hours=5)))
    town.world.write_comment(post, PIT)
    town.world.write_comment(town.world.write_post(town.page, "Свет"), PIT)
    town.pass_time(900)
    await town.bring_in()
    assert len(await rows("SELECT 1 FROM comment")) == 1
    assert [tuple(row) for row in await rows("SELECT error_code, failures FROM feed")] == [("quota", 0)]
    town.pass_time(900)
    await town.bring_in()
    assert [row.error_code for row in await rows("SELECT error_code FROM feed")] == ["quota"]
    town.pass_time(5 * 3600)
    await town.bring_in()
    assert len(await rows("SELECT 1 FROM comment")) == 2
    assert [row.error_code for row in await rows("SELECT error_code FROM feed")] == [None]


@pytest.mark.parametrize("verb", ["probe", "read_thread"])
@pytest.mark.parametrize("style", ["probing"])
async def test_a_spent_quota_of_looks_holds_up_no_listing(town: Town, rows: Rows, verb: str) -> None:
    """Posts wait until the platform lets us look again; new ones are found meanwhile, for that has a quota of its own."""
    post = town.world.write_post(town.page, "Дороги")
    await town.bring_in()
    poller = town.poller()

    async def after(seconds: float) -> tuple[int, int, str | None]:
        town.pass_time(seconds)
        await poller.round()
        (feed,) = await rows("SELECT error_code FROM feed")
        return len(await rows("SELECT 1 FROM post")), len(await rows("SELECT 1 FROM comment")), feed.error_code

    town.world.fail(verb, TryLater("quota", "error 29: Rate limit reached", after=timedelta(hours=5)))
    town.world.write_comment(post, PIT)
    assert await after(900) == (1, 0, "quota")
    town.world.write_post(town.page, "Свет")
    assert await after(3 * 3600) == (2, 0, None)  # the new one could be looked at
    assert await after(2 * 3600) == (2, 1, None)


async def test_a_page_says_how_its_reading_goes(town: Town) -> None:
    """Also a page that a stream carries with others: when it was read last, what is wrong, and that it is well again."""

    async def line() -> PageLine:
        async with town.owner.read() as session:
            (page,) = await list_pages(session, now=town.clock.now())
        return page

    await town.bring_in()
    read_at = (await line()).polled_at
    assert read_at == town.clock.now()
    town.world.fail("discover" if town.world.style == "probing" else "poll", AccessLost("reauthorise", "the token was revoked"))
    await town.bring_in()
    broken = await line()
    assert (broken.polled_at, broken.error) == (read_at, "reauthorise")
    town.pass_time(900)
    await town.bring_in()
    well = await line()
    assert (well.polled_at, well.error) == (town.clock.now(), None)


@pytest.mark.parametrize("style", ["probing"])
async def test_an_edit_is_seen_while_somebody_waits(town: Town, rows: Rows) -> None:
    """No counter tells of it: posts with a waiting appeal are read again every ten minutes, others every six hours."""
    waiting, quiet = town.world.write_post(town.page, "Дороги"), town.world.write_post(town.page, "Праздник")
    asks = town.world.write_comment(waiting, PIT, author="Олег")
    thanks = town.world.write_comment(quiet, "Спасибо большое!", author="Вера")
    await town.bring_in()
    town.world.edit_comment(asks, f"{PIT} Дом не 5, а 7.")
    town.world.edit_comment(thanks, "Спасибо огромное!")
    town.pass_time(660)
    await town.bring_in()
    assert [row.text for row in await rows("SELECT text FROM comment ORDER BY id")] == [f"{PIT} Дом не 5, а 7.", "Спасибо большое!"]
    assert [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")] == ["opened", "comment_edited"]
    town.pass_time(6 * 3600)
    await town.bring_in()
    assert [row.text for row in await rows("SELECT text FROM comment ORDER BY id")][1] == "Спасибо огромное!"


@pytest.mark.parametrize("style", ["probing"])
async def test_an_addition_hidden_by_a_deletion_is_swept_up(town: Town, rows: Rows) -> None:
    """The counter did not change; the full reading finds both."""
    post = town.world.write_post(town.page, "Дороги")
    first = town.world.write_comment(post, PIT, author="Олег")
    await town.bring_in()
    town.world.delete_comment(first)
    town.world.write_comment(post, PIT, author="Вера")
    await town.bring_in()
    assert len(await rows("SELECT 1 FROM comment")) == 1
    town.pass_time(6 * 3600)
    await town.bring_in()
    assert [row.deleted_at is None for row in await rows("SELECT deleted_at FROM comment ORDER BY id")] == [False, True]


def test_pauses_scale_together() -> None:
    """Twenty times faster, the same ratios."""
    plain, fast = Plan(time_scale=1), Plan(time_scale=20)

    def again(plan: Plan, seconds: float, *, waiting: bool = False, calls: float = 0) -> timedelta:
        return plan.look_again(seconds, waiting=waiting, calls=calls, calls_a_second=3)

    assert again(plain, 77) == again(fast, 77) * 20 == timedelta(seconds=77)
    assert again(plain, 0.01) == SOONEST
    assert again(plain, 50_000, waiting=True) == REREAD < again(plain, 50_000)
    assert again(plain, 1, calls=50) >= timedelta(seconds=50 / 3 * 9), "one thread takes a tenth of the calls at most"
    assert plain.scaled(100) == fast.scaled(100) * 20
    assert plain.pause_after(None, 3) > plain.pause_after(None, 2)
    assert plain.pause_after(timedelta(seconds=7), 9) == timedelta(seconds=7)


@pytest.mark.parametrize("style", ["probing"])
async def test_a_lively_post_weighs_more_than_a_quiet_one(town: Town, rows: Rows) -> None:
    """What was seen under a post says how much of the looks it gets; each keeps one a day."""
    lively, quiet = town.world.write_post(town.page, "Дороги"), town.world.write_post(town.page, "Праздник")
    await town.bring_in()
    for number in range(20):
        town.pass_time(3)
        town.world.write_comment(lively, "Спасибо!", author=f"Житель {number}")
        await town.bring_in()
    posts = {row.external_id: row for row in await rows("SELECT external_id, probe_at, weight, heat FROM post")}
    assert posts[lively].weight > 3 * posts[quiet].weight
    assert posts[lively].heat > posts[quiet].heat == 0
    assert all(town.clock.now() < post.probe_at <= town.clock.now() + timedelta(days=1) for post in posts.values())


class Tokenless(ProbingConnector):
    """None of its tokens may read."""

    def calls_per_second(self, verb: str) -> float:  # noqa: ARG002 - the contract's
        """No call at all."""
        return 0.0


@pytest.mark.parametrize("style", ["probing"])
async def test_without_a_token_that_may_read_the_call_itself_says_so(town: Town, rows: Rows) -> None:
    """The rhythm of no calls at all is no rhythm: nothing divides by it, and the feed tells what is missing."""
    town.world.write_post(town.page, "Дороги")
    await town.bring_in()
    town.pass_time(900)
    town.world.fail("probe", AccessLost("token_kind"))
    poller = Poller(
        town.worker, town.platform, Tokenless(town.world, Options(api_url=None, credentials=())), town.clock, worker="w", time_scale=1
    )
    await poller.round()
    assert [row.error_code for row in await rows("SELECT error_code FROM feed")] == ["token_kind"]


class Closed(ProbingConnector):
    """Some pages let us in no more, each in its own way; their errors say nothing of the others."""

    lost: Mapping[str, ConnectorError] = {}

    async def discover(self, page: PageRef, *, limit: int) -> Batch:
        """The newest posts of a page."""
        self._let_in(page.external_id)
        return await super().discover(page, limit=limit)

    async def probe(self, posts: Sequence[PostRef]) -> Sequence[PostCount]:
        """Counters of those posts that can be counted."""
        open_ = [post for post in posts if post.page.external_id not in self.lost]
        if not open_:
            self._let_in(posts[0].page.external_id)
        return await super().probe(open_)

    async def read_thread(self, post: PostRef, *, root_external_id: str | None, cursor: str | None) -> Batch:
        """A part of the comments of a post."""
        self._let_in(post.page.external_id)
        return await super().read_thread(post, root_external_id=root_external_id, cursor=cursor)

    def _let_in(self, page: str) -> None:
        if page in self.lost:
            raise self.lost[page]


@pytest.mark.parametrize("style", ["probing"])
@pytest.mark.parametrize("error", [AccessLost("no_right"), AccessLost("reauthorise"), TryLater("bug", after=timedelta(minutes=1))])
async def test_a_page_that_cannot_be_read_holds_up_no_other(town: Town, rows: Rows, error: ConnectorError) -> None:
    """Its right or its own token is lost, or its wall trips the connector: that stands on its feed, and all others are read as ever."""
    other = town.world.add_page("Лесной. Официально")
    async with town.owner.write() as session:
        territory = await session.scalar(text("SELECT territory_id FROM page"))
        await connect_page(
            session, platform=town.platform, snapshot=town.world.pages[other.external_id], agency_id=town.agency_id,
            territory_id=territory, sphere_id=None, watched_since=town.clock.now() - timedelta(hours=24), now=town.clock.now(),
        )  # fmt: skip
    connector = Closed(town.world, Options(api_url=None, credentials=()))
    closed = town.world.write_post(town.page, "Дороги")
    post = town.world.write_post(other.external_id, "Дороги")
    town.connector = connector
    await town.bring_in()
    connector.lost = {town.page: error}
    for number in range(4):
        town.world.write_comment(closed, PIT, author=f"Один {number}")
        town.world.write_comment(post, PIT, author=f"Другой {number}")
        town.pass_time(600)
        await town.bring_in()
    assert len(await rows("SELECT 1 FROM comment")) == 4
    feeds = {row.page_id: row for row in await rows("SELECT page_id, error_code, failures FROM feed ORDER BY page_id")}
    assert [row.error_code for row in feeds.values()] == [error.code, None]
    connector.lost = {}
    town.pass_time(900)
    await town.bring_in()
    assert len(await rows("SELECT 1 FROM comment")) == 8
