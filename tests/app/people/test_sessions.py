"""Sessions: how long they last, that a change makes a new one, who may end them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.kernel.errors import NotFoundError
from app.people import sessions
from app.people.queries import session_of
from tests import factories as make

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

LASTS, IDLE = timedelta(hours=12), timedelta(minutes=60)


async def hire(owner_db: Database) -> int:
    async with owner_db.write() as session:
        return (await make.make_operator(session)).id


async def begin(web_db: Database, clock: FixedClock, operator_id: int) -> str:
    browser = sessions.Browser(address="203.0.113.7", agent="Firefox\r\n145")
    async with web_db.write(operator_id=operator_id) as session:
        return await sessions.open_session(session, operator_id=operator_id, now=clock.now(), lasts=LASTS, browser=browser)


async def lives(web_db: Database, clock: FixedClock, token: str) -> bool:
    async with web_db.read() as session:
        return await session_of(session, token=token, now=clock.now(), idle=IDLE) is not None


async def test_a_session_left_alone_ends_and_one_in_use_ends_all_the_same(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    operator_id = await hire(owner_db)
    alone, used = await begin(web_db, clock, operator_id), await begin(web_db, clock, operator_id)
    for _ in range(13):
        clock.moment += timedelta(minutes=59)
        async with web_db.read() as session:
            found = await session_of(session, token=used, now=clock.now(), idle=IDLE)
        if found is None:
            break
        async with web_db.write(operator_id=operator_id) as session:
            await sessions.touch_session(session, session_id=found.id, now=clock.now())
        clock.moment += timedelta(minutes=1)
        assert not await lives(web_db, clock, alone)
    assert not await lives(web_db, clock, used), "the absolute limit"


async def test_being_there_is_written_at_most_once_a_minute(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    operator_id = await hire(owner_db)
    token = await begin(web_db, clock, operator_id)
    began = clock.now()
    async with web_db.read() as session:
        found = await session_of(session, token=token, now=clock.now(), idle=IDLE)
    assert found is not None
    for seconds, seen in ((30, 0), (61, 61), (90, 61), (122, 122)):
        async with web_db.write(operator_id=operator_id) as session:
            await sessions.touch_session(session, session_id=found.id, now=began + timedelta(seconds=seconds))
        async with owner_db.read() as session:
            assert await session.scalar(text("SELECT seen_at FROM operator_session")) == began + timedelta(seconds=seen)


async def test_a_new_token_takes_over_and_lasts_no_longer(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    operator_id = await hire(owner_db)
    old, other = await begin(web_db, clock, operator_id), await begin(web_db, clock, operator_id)
    clock.moment += timedelta(minutes=30)
    async with web_db.write(operator_id=operator_id) as session:
        fresh = await sessions.rotate_session(session, token=old, now=clock.now(), second_factor=True, others_end=True)
        assert fresh is not None
        assert await sessions.rotate_session(session, token=old, now=clock.now()) is None, "the old one is no session any more"
    assert (await lives(web_db, clock, old), await lives(web_db, clock, other), await lives(web_db, clock, fresh)) == (False, False, True)
    async with web_db.read() as session:
        found = await session_of(session, token=fresh, now=clock.now(), idle=IDLE)
        assert found is not None
        assert found.second_factor
        assert await session_of(session, token=fresh, now=clock.now() + LASTS - timedelta(minutes=30), idle=LASTS * 2) is None


async def test_the_list_shows_what_is_open_and_no_secret(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    operator_id = await hire(owner_db)
    here, there = await begin(web_db, clock, operator_id), await begin(web_db, clock, operator_id)
    async with web_db.read(operator_id=operator_id) as session:
        lines = await sessions.list_sessions(session, operator_id=operator_id, now=clock.now(), idle=IDLE, token=here)
    assert [(line.here, line.address, line.agent) for line in lines] == [
        (True, "203.0.113.7", "Firefox145"),
        (False, "203.0.113.7", "Firefox145"),
    ]
    assert here not in repr(lines)
    assert there not in repr(lines)
    async with web_db.write(operator_id=operator_id) as session:
        await sessions.close_session_by_id(session, operator_id=operator_id, session_id=lines[1].id, now=clock.now())
        with pytest.raises(NotFoundError):
            await sessions.close_session_by_id(session, operator_id=operator_id, session_id=lines[1].id, now=clock.now())
    assert (await lives(web_db, clock, here), await lives(web_db, clock, there)) == (True, False)


async def test_nobody_ends_or_opens_a_session_of_somebody_else(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    """In code, and by a statement that forgot to ask: row-level security is the second lock."""
    victim, stranger = await hire(owner_db), await hire(owner_db)
    token = await begin(web_db, clock, victim)
    async with owner_db.read() as session:
        number = await session.scalar(text("SELECT id FROM operator_session"))
    async with web_db.write(operator_id=stranger) as session:
        with pytest.raises(NotFoundError):
            await sessions.close_session_by_id(session, operator_id=stranger, session_id=number or 0, now=clock.now())
        await sessions.close_session(session, token=token, now=clock.now())
        await session.execute(text("UPDATE operator_session SET ended_at = now()"))
    assert await lives(web_db, clock, token)
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with web_db.write(operator_id=stranger) as session:
            await sessions.open_session(session, operator_id=victim, now=clock.now(), lasts=LASTS)
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with web_db.write(operator_id=stranger) as session:
            await session.execute(text("UPDATE operator_session SET operator_id = :id"), {"id": stranger})
