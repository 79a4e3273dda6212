"""The live feed: nothing is passed over, whatever order transactions end in; nobody is told of others' appeals."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals.queries import LiveCursor, changes_since, live_cursor_now
from app.appeals.rules import Act
from tests import factories
from tests.app.appeals.reading import reading_as

if TYPE_CHECKING:
    from app.appeals.models import Appeal
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.people.models import Operator


BEGINNING = LiveCursor(0, 0)


async def news(web_db: Database, person: Operator, cursor: LiveCursor) -> tuple[list[int], LiveCursor]:
    """What a stream would tell next."""
    async with reading_as(web_db, person) as (session, access):
        return await changes_since(session, access, cursor=cursor)


async def heard(web_db: Database, person: Operator, cursor: LiveCursor, *appeals: Appeal) -> LiveCursor:
    """Listen until exactly these have been told of; the cursor then.

    The edge of the feed is the oldest transaction of the whole cluster, so tests beside this one may hold it back a while.
    """
    told: set[int] = set()
    expected = {appeal.number for appeal in appeals}
    for _ in range(300):
        fresh, cursor = await news(web_db, person, cursor)
        told |= set(fresh)
        assert told <= expected
        if told == expected:
            return cursor
        await asyncio.sleep(0.05)
    message = f"heard of {told} instead of {expected}"
    raise AssertionError(message)


async def begin(web_db: Database, person: Operator) -> LiveCursor:
    """Where a screen opened now begins: at the edge, so it may be told again of what has just happened."""
    async with reading_as(web_db, person) as (session, _access):
        return await live_cursor_now(session)


async def test_a_slow_transaction_is_not_passed_over(owner_db: Database, web_db: Database) -> None:
    """Its event has the lower number but becomes visible later: the feed waits for it."""
    async with owner_db.write() as session:
        agency = await factories.make_agency(session)
        person = await factories.make_operator(session, scope=agency)
        slow, quick = await factories.make_appeal(session, agency=agency), await factories.make_appeal(session, agency=agency)
    cursor = await heard(web_db, person, BEGINNING, slow, quick)
    async with owner_db.write() as late:
        await factories.make_event(late, appeal=slow, act=Act.NOTED)
        async with owner_db.write() as session:
            await factories.make_event(session, appeal=quick, act=Act.NOTED)
        told, cursor = await news(web_db, person, cursor)
        assert told == [], "neither before both are safe to tell"
    cursor = await heard(web_db, person, LiveCursor.parse(str(cursor)), slow, quick)
    assert (await news(web_db, person, cursor))[0] == []


async def test_a_screen_misses_nothing_between_reading_and_listening(owner_db: Database, web_db: Database) -> None:
    """A transaction that was under way while the screen was read is told of when it ends."""
    async with owner_db.write() as session:
        agency = await factories.make_agency(session)
        person = await factories.make_operator(session, scope=agency)
        appeal = await factories.make_appeal(session, agency=agency)
    async with owner_db.write() as late:
        await factories.make_event(late, appeal=appeal, act=Act.NOTED)
        cursor = await begin(web_db, person)
    await heard(web_db, person, cursor, appeal)


async def test_others_are_not_told_and_cost_nothing_later(owner_db: Database, web_db: Database) -> None:
    async with owner_db.write() as session:
        ours, theirs = await factories.make_agency(session), await factories.make_agency(session)
        person, neighbour = await factories.make_operator(session, scope=ours), await factories.make_operator(session, scope=theirs)
        foreign = await factories.make_appeal(session, agency=theirs)
    start = await heard(web_db, neighbour, BEGINNING, foreign)
    async with owner_db.write() as session:
        await factories.make_event(session, appeal=foreign, act=Act.NOTED)
    await heard(web_db, neighbour, start, foreign)
    told, cursor = await news(web_db, person, start)
    assert told == []
    assert cursor.xid > start.xid, "the next look begins behind them"


async def test_a_former_agency_is_told_that_it_has_gone(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    now = clock.now()
    async with owner_db.write() as session:
        former, present = await factories.make_agency(session), await factories.make_agency(session)
        person, neighbour = await factories.make_operator(session, scope=former), await factories.make_operator(session, scope=present)
        appeal = await factories.make_appeal(session, agency=present)
        await factories.make_assignment(session, appeal=appeal, agency_id=former.id, until=now)
    start = await heard(web_db, person, BEGINNING, appeal)
    async with owner_db.write() as session:
        await factories.make_event(session, appeal=appeal, act=Act.ROUTED, occurred_at=now, recorded_at=now)
    cursor = await heard(web_db, person, start, appeal)
    async with owner_db.write() as session:
        await factories.make_event(session, appeal=appeal, act=Act.NOTED, recorded_at=now + timedelta(seconds=1))
    await heard(web_db, neighbour, cursor, appeal)
    assert (await news(web_db, person, cursor))[0] == [], "of what comes after, it is not"


async def test_a_long_absence_is_caught_up_piece_by_piece(owner_db: Database, web_db: Database) -> None:
    async with owner_db.write() as session:
        agency = await factories.make_agency(session)
        person = await factories.make_operator(session, scope=agency)
        first, last = await factories.make_appeal(session, agency=agency), await factories.make_appeal(session, agency=agency)
    start = await heard(web_db, person, BEGINNING, first, last)
    async with owner_db.write() as session:
        await session.execute(
            text(
                "INSERT INTO appeal_event (appeal_id, act, cycle, occurred_at) "
                "SELECT CASE WHEN n < 1500 THEN CAST(:first AS bigint) ELSE :last END, "
                "'noted', 1, now() FROM generate_series(1, 1500) n"
            ),
            {"first": first.id, "last": last.id},
        )
    cursor = await heard(web_db, person, start, first)
    cursor = await heard(web_db, person, cursor, first, last)
    assert (await news(web_db, person, cursor))[0] == []
