"""Pages that are listened to: what is heard is in the inbox with the cursor past it, whoever dies, fails or takes over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.flows.listening import Ears
from app.sources import listeners
from app.sources.models import CredentialRow
from connectors.contract import AccessLost, Heard, HeardEvent, TryLater
from tests import factories

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


@dataclass
class Line:
    """A platform that tells what a test has planned, and then nothing."""

    plan: list[Heard | Exception] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    quiet: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, page_external_id: str, cursor: str | None) -> Heard:
        """The next of the plan."""
        self.asked.append((page_external_id, cursor))
        if not self.plan:
            self.quiet.set()
            await asyncio.Event().wait()
        told = self.plan.pop(0)
        if isinstance(told, Exception):
            raise told
        return told


def heard(cursor: str, *numbers: str, missed: bool = False) -> Heard:
    """Events under these numbers."""
    events = tuple(HeardEvent(event_id=number, body=b"{}") for number in numbers)
    return Heard(events=events, cursor=cursor, missed=missed)


async def _page(owner_db: Database, clock: FixedClock) -> int:
    async with owner_db.write() as session:
        page = await factories.make_page(session)
        page.platform, page.external_id = "vk", "-77"
        assert not await listeners.start_listening(session, page_id=page.id, kinds=("community",), now=clock.now())
        session.add(CredentialRow(platform="vk", kind="community", page_id=page.id, secret=b"sealed"))
        await session.flush()
        assert await listeners.start_listening(session, page_id=page.id, kinds=("community",), now=clock.now())
        return page.id


async def _events(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(text("SELECT event_id FROM pushed_event ORDER BY id")))


async def test_events_and_cursor_are_one_and_another_worker_goes_on(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    await _page(owner_db, clock)
    first = Line(plan=[heard("1"), heard("3", "a", "b"), heard("3"), heard("4", "b", "c")])
    dying = Ears(worker_db, "vk", first, clock, worker="w1", time_scale=1)
    await dying.round()
    await asyncio.wait_for(first.quiet.wait(), 20)
    assert await _events(worker_db) == ["a", "b", "c"]
    assert first.asked == [("-77", None), ("-77", "1"), ("-77", "3"), ("-77", "3"), ("-77", "4")]
    second = Line(plan=[heard("5", "d")])
    other = Ears(worker_db, "vk", second, clock, worker="w2", time_scale=1)
    await other.round()
    assert second.asked == []  # the lease holds
    clock.moment += timedelta(seconds=31)  # the first one stalls
    await other.round()
    await asyncio.wait_for(second.quiet.wait(), 20)
    assert second.asked[0] == ("-77", "4")
    assert await _events(worker_db) == ["a", "b", "c", "d"]
    await dying.round()
    assert not dying._pages
    await other.close()
    async with worker_db.read() as session:
        assert (await session.execute(text("SELECT cursor, leased_by FROM page_listener"))).one() == ("5", None)
    await dying.close()


async def test_a_failure_is_written_down_and_waited_out_and_what_was_missed_is_polled(
    owner_db: Database, worker_db: Database, clock: FixedClock
) -> None:
    page_id = await _page(owner_db, clock)
    async with worker_db.write() as session:
        feed = "INSERT INTO feed (platform, key, page_id, due_at) VALUES ('vk', '-77', :page, :later)"
        await session.execute(text(feed), {"page": page_id, "later": clock.now() + timedelta(hours=1)})
    line = Line(
        plan=[AccessLost("listening_off", "switched off"), TryLater("network", after=timedelta(seconds=5)), heard("9", missed=True)]
    )
    ears = Ears(worker_db, "vk", line, clock, worker="w1", time_scale=1)

    async def next_round(seconds: float) -> tuple[str | None, int]:
        clock.moment += timedelta(seconds=seconds)
        await ears.round()
        async with asyncio.timeout(20):
            while ears._pages and not line.quiet.is_set() and not all(task.done() for task in ears._pages.values()):
                await asyncio.sleep(0.01)
        async with owner_db.read() as session:
            (shown,) = await listeners.list_listeners(session)
            failures = (await session.execute(text("SELECT failures FROM page_listener"))).scalar_one()
        return shown.error, failures

    assert await next_round(0) == ("listening_off: switched off", 1)
    assert await next_round(0) == ("listening_off: switched off", 1)  # not yet
    assert await next_round(3) == ("network", 2)
    assert await next_round(6) == (None, 0)
    async with owner_db.write() as session:
        assert (await session.execute(text("SELECT due_at FROM feed"))).scalar_one() == clock.now()
        assert await listeners.stop_listening(session, page_id=page_id)
        assert not await listeners.stop_listening(session, page_id=page_id)
    clock.moment += timedelta(seconds=10)
    await ears.round()
    assert not ears._pages
    await ears.close()
