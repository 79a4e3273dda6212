"""A worker stands still past its lease and wakes up while another has its feeds: nothing that it still does counts."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.flows.polling import LEASE, Poller
from app.kernel.db import STANDS_STILL_MS, Database, DatabaseRole, make_engine
from app.sources import service as sources
from app.sources.budget import BLOCK, SharedBudget
from connectors.contract import ConnectorError, Options, TryLater, UnknownPayload
from connectors.fake.connector import ProbingConnector, StreamingConnector
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from sqlalchemy.engine import URL

    from connectors.contract import Batch, Feed, PageRef, PostCount, PostRef
    from connectors.fake import FakeWorld

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]

SLOW = 100
"""So much longer is the lease of the one that stands still, which renews it by the machine's time: however busy that is, not once."""
LONG = 8 * 86_400.0
"""After so many seconds walls are due to be listed, posts to be looked at and to be read, whatever was expected of them."""
VERBS = {"probing": ("discover", "probe", "read_thread"), "streaming": ("poll",)}
ENDS = (None, TryLater("network", after=timedelta(seconds=1)), UnknownPayload("malformed", "half an answer", raw=b"{"))
STATE = (
    "SELECT f.id, f.cursor, f.leased_by, f.error_code, f.failures, f.polled_at, f.due_at, f.discover_at, p.seen_count, p.read_at,"
    " p.probe_at, p.weight, (SELECT count(*) FROM comment) AS comments, (SELECT count(*) FROM set_aside) AS aside"
    " FROM feed f LEFT JOIN post p ON p.page_id = f.page_id ORDER BY f.id, p.id"
)


class _Still:
    """A worker stands still when an answer has come: for the verb that is named, until it is told to wake up."""

    verb = ""
    end: ConnectorError | None = None

    def __init__(self, world: FakeWorld, options: Options) -> None:
        super().__init__(world, options)  # type: ignore[call-arg]  # of the connector beside it
        self.stands, self.wake = asyncio.Event(), asyncio.Event()

    async def _hold(self, verb: str) -> None:
        if verb == self.verb:
            self.stands.set()
            await self.wake.wait()
            if self.end is not None:
                raise self.end


class _StillProbing(_Still, ProbingConnector):
    async def discover(self, page: PageRef, *, limit: int) -> Batch:
        told = await super().discover(page, limit=limit)
        await self._hold("discover")
        return told

    async def probe(self, posts: Sequence[PostRef]) -> Sequence[PostCount]:
        told = await super().probe(posts)
        await self._hold("probe")
        return told

    async def read_thread(self, post: PostRef, *, root_external_id: str | None, cursor: str | None) -> Batch:
        told = await super().read_thread(post, root_external_id=root_external_id, cursor=cursor)
        await self._hold("read_thread")
        return told


class _StillStreaming(_Still, StreamingConnector):
    async def poll(self, feed: Feed, cursor: str | None) -> Batch:
        told = await super().poll(feed, cursor)
        await self._hold("poll")
        return told


KINDS: dict[str, type[_StillProbing | _StillStreaming]] = {"probing": _StillProbing, "streaming": _StillStreaming}


@pytest.mark.parametrize("end", ENDS, ids=["answers", "fails", "nonsense"])
async def test_a_worker_that_stood_still_changes_nothing(town: Town, rows: Rows, style: str, end: ConnectorError | None) -> None:
    """Whatever it was waiting for, and however that ends; the other has stored what both read, and more."""
    post = town.world.write_post(town.page, "Дороги")
    await town.bring_in()
    for number, verb in enumerate(VERBS[style]):
        town.world.write_comment(post, PIT, author=f"Автор {number}")
        town.pass_time(LONG)
        late = KINDS[style](town.world, Options(api_url=None, credentials=town.connector.options.credentials))  # type: ignore[attr-defined]  # the fake's
        late.verb, late.end = verb, end
        poller = Poller(town.worker, town.platform, late, town.clock, worker="late", time_scale=1 / SLOW)
        reading = asyncio.create_task(poller.round())
        await late.stands.wait()
        town.pass_time(SLOW * LEASE.total_seconds() + 1)
        town.world.write_comment(post, PIT, author=f"Другой {number}")
        await town.poller("w2").round()
        town.pass_time(60)
        await town.poller("w2").round()
        before = await rows(STATE)
        assert {(row.leased_by, row.error_code, row.comments) for row in before} == {(None, None, 2 * number + 2)}
        late.wake.set()
        await reading
        assert await rows(STATE) == before, verb


@asynccontextmanager
async def _stopping(url: URL) -> AsyncIterator[Database]:
    """A worker's connections, of which the database thinks after 200 ms what it thinks of a real worker's after ten seconds."""
    database = Database(make_engine(url, role=DatabaseRole.WORKER, pool_size=0, application="tests still", stands_still_ms=200))
    yield database
    await database.dispose()


@pytest.mark.parametrize("style", ["probing"])
async def test_who_stops_in_the_midst_of_a_transaction_holds_nobody_up(town: Town) -> None:
    """Its locks are gone before its lease is: feeds, and the count of a token's calls, which all workers take from."""
    assert timedelta(milliseconds=STANDS_STILL_MS) < LEASE
    await town.bring_in()
    town.pass_time(LONG)
    now, token = town.clock.now(), "fake/1"
    async with _stopping(town.worker.engine.url) as stopping:
        with pytest.raises(Exception, match=r"idle-in-transaction|closed"):
            async with stopping.write() as session:
                (held,) = await sources.lease_feeds(session, platform="fake", worker="late", now=now, lease=LEASE, most=9)
                await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('call_quota:' || :key, 0))"), {"key": token})
                other = SharedBudget(town.worker, worker="w2")
                for _ in range(BLOCK + 1):  # waits for the lock of the one that stands still
                    assert await other.take(token, "wall.get", limit=2 * BLOCK, seconds=86_400) is None
                async with town.worker.write() as another:
                    taken = await sources.lease_feeds(another, platform="fake", worker="w2", now=now, lease=LEASE, most=9)
                assert [one.id for one in taken] == [held.id]
                await session.execute(text("SELECT 1"))
