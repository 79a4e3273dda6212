"""The live channel: who is told what, resuming after a gap, and when it ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import orjson
import pytest
from sqlalchemy import text

from app.appeals import service as appeals
from app.appeals.feed import LiveCursor, live_cursor_now
from app.kernel.errors import InvalidError
from app.people.queries import access_of_operator
from app.people.sessions import open_session
from app.web.ui.live import Stream

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.kernel.parts import WebParts
    from app.people.rules import Access
    from tests.web.ui.conftest import Browser, Town

Event = tuple[str, object, str]


@pytest.fixture
async def listening(parts: WebParts) -> AsyncIterator[None]:
    """The process listens to PostgreSQL."""
    await parts.live.start()
    async with asyncio.timeout(10):
        while not parts.live.connected:
            await asyncio.sleep(0.02)
    yield
    await parts.live.stop()


async def access_of(parts: WebParts, town: Town, who: str) -> Access:
    async with parts.database.read() as session:
        found = await access_of_operator(session, operator_id=town.people[who].id)
    assert found is not None
    return found


async def cursor_now(parts: WebParts) -> LiveCursor:
    async with parts.database.read() as session:
        return await live_cursor_now(session)


def parsed(chunk: bytes) -> list[Event]:
    """The events of a chunk: name, data, id."""
    return [(name, orjson.loads(data), ident) for name, ident, data in re.findall(r"event: (\w+)\nid: (\S+)\ndata: (.*)\n", chunk.decode())]


async def heard(stream: Stream, cursor: LiveCursor | None, *, until: str, seconds: float = 8) -> list[Event]:
    """Events up to the first one of this name."""
    events: list[Event] = []
    async with asyncio.timeout(seconds):
        async for chunk in stream.events(cursor):
            events += parsed(chunk)
            if until in {name for name, _, _ in events}:
                break
    return events


def told_numbers(events: list[Event]) -> set[str]:
    """Appeals that were told of. While another test holds a transaction open, what came before is told once more: never too little."""
    told = [data for name, data, _ in events if name == "appeals"]
    return {str(number) for data in told if isinstance(data, dict) for number in data["numbers"]}


async def take(parts: WebParts, access: Access, number: int) -> None:
    async with parts.database.write(operator_id=access.operator_id) as session:
        await appeals.take(session, access, number=number, now=parts.clock.now())


@pytest.mark.usefixtures("listening")
async def test_a_change_is_told_soon_to_those_who_see_it(parts: WebParts, town: Town) -> None:
    operator, other = await access_of(parts, town, "operator"), await access_of(parts, town, "other")
    start = await cursor_now(parts)
    ours = asyncio.create_task(heard(Stream(parts, operator, token="t"), start, until="appeals"))
    theirs = asyncio.create_task(heard(Stream(parts, other, token="t"), start, until="appeals", seconds=3))
    await asyncio.sleep(0.3)
    await take(parts, operator, town.appeal.number)
    events = [event for event in await ours if event[0] == "appeals"]
    assert town.number in told_numbers(events)
    LiveCursor.parse(events[0][2])
    with pytest.raises(TimeoutError):
        await theirs


async def test_what_happened_in_a_gap_is_told_on_return(parts: WebParts, town: Town) -> None:
    operator = await access_of(parts, town, "operator")
    before = await cursor_now(parts)
    await take(parts, operator, town.appeal.number)
    events = await heard(Stream(parts, operator, token="t"), before, until="appeals")
    assert town.number in told_numbers(events)
    seen = LiveCursor.parse(next(ident for name, _, ident in events if name == "appeals"))
    again = await heard(Stream(parts, operator, token="t"), seen, until="counts")
    assert [name for name, _, _ in again] == ["counts"]


async def test_an_agency_hears_that_an_appeal_has_gone(parts: WebParts, town: Town) -> None:
    operator, other = await access_of(parts, town, "operator"), await access_of(parts, town, "other")
    before = await cursor_now(parts)
    async with parts.database.write(operator_id=operator.operator_id) as session:
        await appeals.route(
            session,
            operator,
            number=town.appeal.number,
            agency_id=town.theirs.id,
            territory_id=None,
            seen_version=None,
            now=parts.clock.now(),
        )
    for who in (operator, other):
        events = await heard(Stream(parts, who, token="t"), before, until="appeals")
        assert town.number in told_numbers(events)


async def test_counts_come_first_and_only_when_they_change(parts: WebParts, town: Town) -> None:
    coordinator, operator = await access_of(parts, town, "coordinator"), await access_of(parts, town, "operator")
    assert (await heard(Stream(parts, coordinator, token="t"), None, until="counts"))[0][1] == {
        "triage": 1,
        "overdue": 0,
        "near": 0,
        "stops": "",
    }
    assert (await heard(Stream(parts, operator, token="t"), None, until="counts"))[0][1] == {
        "triage": None,
        "overdue": 0,
        "near": 0,
        "stops": "",
    }
    stream = Stream(parts, coordinator, token="t")
    assert parsed(await stream._look(everything=True))
    assert await stream._look(everything=True) == b""


async def test_a_look_that_was_too_early_is_repeated(parts: WebParts, town: Town, owner_db: Database) -> None:
    """An older transaction hides what is newer; nobody says when it ends, so the stream looks again by itself."""
    operator = await access_of(parts, town, "operator")
    before = await cursor_now(parts)
    async with owner_db.write() as older:
        await older.execute(text("SELECT pg_current_xact_id()"))
        await take(parts, operator, town.appeal.number)
        stream = Stream(parts, operator, token="t")
        stream._cursor = before
        assert "appeals" not in {name for name, _, _ in parsed(await stream._look(everything=True))}
        listening = asyncio.create_task(heard(Stream(parts, operator, token="t"), before, until="appeals"))
        await asyncio.sleep(0.7)
    assert "appeals" in {name for name, _, _ in await listening}


async def test_the_stream_ends_with_the_session(parts: WebParts, town: Town, clock: FixedClock) -> None:
    access = await access_of(parts, town, "operator")
    async with parts.database.write(operator_id=access.operator_id) as session:
        token = await open_session(session, operator_id=access.operator_id, now=clock.now(), lasts=timedelta(hours=1))
    stream = Stream(parts, access, token=token, heartbeat=0.05, again=())
    beats = 0
    async with asyncio.timeout(10):
        async for chunk in stream.events(None):
            beats += chunk == b": still here\n\n"
            if beats == 2:
                clock.moment += timedelta(hours=2)
    assert beats >= 2


async def test_a_lost_database_ends_the_stream_quietly(parts: WebParts, town: Town) -> None:
    access = await access_of(parts, town, "operator")

    stream = Stream(replace(parts, database=cast("Database", _Away())), access, token="t")
    async with asyncio.timeout(5):
        chunks = [chunk async for chunk in stream.events(None)]
    assert chunks == [b"retry: 2000\n\n"]


class _Away:
    """A database that cannot be reached."""

    def read(self, **_more: object) -> _Away:
        return self

    async def __aenter__(self) -> None:
        raise OSError("connection refused")

    async def __aexit__(self, *_error: object) -> None:
        """Nothing was opened."""


async def test_only_readers_listen_and_only_with_a_true_cursor(operator: Browser, stranger: Browser) -> None:
    assert (await stranger.get("/live")).status_code == 303
    for bad in ("x", "1", "1.2.3", "9" * 40):
        assert (await operator.get(f"/live?after={bad}")).status_code == 422
    with pytest.raises(InvalidError):
        LiveCursor.parse("1:2")
