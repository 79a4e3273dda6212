"""Warnings and breaches: each told once, at its moment, whatever dies and however many look at once."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.flows import deadlines
from app.kernel.clock import FixedClock, SystemClock
from app.sla import due, service as sla
from app.sla.rules import StopCause
from app.sources.rules import Fate
from tests import factories as make

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from app.appeals.models import Appeal
    from app.kernel.db import Database
    from app.sources.models import Comment

pytestmark = pytest.mark.flows

MORNING = make.MORNING
HALF, NEAR, DUE = (MORNING + timedelta(minutes=minutes) for minutes in (270, 432, 540))


async def appeal_with_timer(owner_db: Database) -> Appeal:
    async with owner_db.write() as session:
        appeal = await make.make_appeal(session)
        await make.make_timer(session, appeal=appeal, due_at=DUE, warnings=(HALF, NEAR))
    return appeal


async def waiting_comment(owner_db: Database) -> Comment:
    async with owner_db.write() as session:
        return await make.make_comment(session, fate=Fate.IN_TRIAGE, triage_warn_at=NEAR, triage_due_at=DUE)


async def look(database: Database, at: datetime, *, limit: int = 500) -> deadlines.Done:
    return await deadlines.run_due(database, FixedClock(at), limit=limit)


async def notices(database: Database) -> list[tuple[str, datetime]]:
    async with database.read() as session:
        return [
            (row.key.split(":")[0], row.occurred_at)
            for row in await session.execute(text("SELECT key, occurred_at FROM notice ORDER BY id"))
        ]


async def events(database: Database) -> list[tuple[str, datetime]]:
    async with database.read() as session:
        rows = await session.execute(text("SELECT act, occurred_at FROM appeal_event WHERE act LIKE 'sla%' ORDER BY id"))
        return [(row.act, row.occurred_at) for row in rows]


def done(
    *, warned: int = 0, breached: int = 0, triage_warned: int = 0, triage_breached: int = 0, next_at: datetime | None = None
) -> deadlines.Done:
    return deadlines.Done(warned=warned, breached=breached, triage_warned=triage_warned, triage_breached=triage_breached, next_at=next_at)


async def test_a_deadline_is_warned_of_twice_and_then_breached(owner_db: Database, worker_db: Database) -> None:
    await appeal_with_timer(owner_db)
    moment = timedelta(microseconds=1)
    for at, expected in [
        (MORNING, done(next_at=HALF)),
        (HALF - moment, done(next_at=HALF)),
        (HALF, done(warned=1, next_at=NEAR)),
        (HALF + moment, done(next_at=NEAR)),
        (NEAR, done(warned=1, next_at=DUE)),
        (DUE - moment, done(next_at=DUE)),
        (DUE, done(breached=1)),
        (DUE + timedelta(days=1), done()),
    ]:
        assert await look(worker_db, at) == expected, at
    assert await notices(owner_db) == [("warn", HALF), ("warn", NEAR), ("breach", DUE)]
    assert await events(owner_db) == [("sla_warned", HALF), ("sla_warned", NEAR), ("sla_breached", DUE)]
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT breached_at FROM sla_timer")) == DUE
        standing = (await session.scalars(text("SELECT kind FROM notice WHERE settled_at IS NULL"))).all()
    assert standing == ["sla_breach"]


async def test_a_waiting_comment_is_warned_of_alike(owner_db: Database, worker_db: Database) -> None:
    await waiting_comment(owner_db)
    assert await look(worker_db, NEAR - timedelta(seconds=1)) == done(next_at=NEAR)
    assert await look(worker_db, NEAR) == done(triage_warned=1, next_at=DUE)
    assert await look(worker_db, NEAR) == done(next_at=DUE)
    assert await look(worker_db, DUE) == done(triage_breached=1)
    assert await look(worker_db, DUE) == done()
    assert await notices(owner_db) == [("triage-warn", NEAR), ("triage-breach", DUE)]
    assert await events(owner_db) == []


async def test_after_a_standstill_only_what_is_true_is_told(owner_db: Database, worker_db: Database) -> None:
    await appeal_with_timer(owner_db)
    await waiting_comment(owner_db)
    assert await look(worker_db, NEAR + timedelta(minutes=1)) == done(warned=1, triage_warned=1, next_at=DUE)
    await appeal_with_timer(owner_db)
    await waiting_comment(owner_db)
    assert await look(worker_db, DUE + timedelta(hours=5)) == done(breached=2, triage_breached=2)
    assert sorted(await notices(owner_db)) == [
        ("breach", DUE), ("breach", DUE), ("triage-breach", DUE), ("triage-breach", DUE), ("triage-warn", NEAR), ("warn", NEAR),
    ]  # fmt: skip


async def test_what_was_decided_in_time_is_not_told(owner_db: Database, worker_db: Database) -> None:
    appeal, comment = await appeal_with_timer(owner_db), await waiting_comment(owner_db)
    async with worker_db.write() as session:
        stop = sla.Stop(appeal_id=appeal.id, cycle=1, promises=None, at=MORNING, cause=StopCause.FULFILLED, agency_id=appeal.agency_id)
        await sla.stop_timers(session, [stop])
    async with owner_db.write() as session:
        await session.execute(text("UPDATE comment SET fate = 'not_appeal' WHERE id = :id"), {"id": comment.id})
    assert await look(worker_db, DUE) == done()


async def test_a_standing_clock_neither_warns_nor_runs_out(owner_db: Database, worker_db: Database) -> None:
    appeal = await appeal_with_timer(owner_db)
    async with owner_db.write() as session:
        await make.make_pause(session, appeal=appeal, since=HALF + timedelta(minutes=1))
    assert await look(worker_db, DUE + timedelta(days=1)) == done()
    async with owner_db.write() as session:
        await session.execute(text("UPDATE sla_pause SET since = :at"), {"at": DUE})
    # What had passed before the pause began stays passed.
    assert await look(worker_db, DUE + timedelta(days=1)) == done(breached=1)


async def test_a_failure_in_the_middle_leaves_all_to_the_next_look(owner_db: Database, worker_db: Database) -> None:
    await appeal_with_timer(owner_db)
    await waiting_comment(owner_db)
    async with owner_db.write() as session:
        await session.execute(
            text("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is full'; END $$")
        )
        await session.execute(text("CREATE TRIGGER refuse BEFORE INSERT ON appeal_event FOR EACH ROW EXECUTE FUNCTION refuse()"))
    with pytest.raises(DBAPIError, match="the disk is full"):
        await look(worker_db, DUE)
    assert await notices(owner_db) == []
    async with owner_db.write() as session:
        await session.execute(text("DROP TRIGGER refuse ON appeal_event"))
    assert await look(worker_db, DUE) == done(breached=1, triage_breached=1)
    assert await events(owner_db) == [("sla_breached", DUE)]


async def test_a_worker_that_dies_with_rows_in_hand_loses_none(owner_db: Database, worker_db: Database) -> None:
    await appeal_with_timer(owner_db)

    async def die() -> None:
        async with worker_db.write() as session:
            assert len(await due.take_breached(session, now=DUE, limit=10)) == 1
            own = await session.scalar(text("SELECT pg_backend_pid()"))
            async with owner_db.write() as killer:
                await killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": own})
            await session.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError):
        await die()
    assert await look(worker_db, DUE) == done(breached=1)
    assert await notices(owner_db) == [("breach", DUE)]


async def test_workers_that_look_at_once_tell_each_once(owner_db: Database, worker_db: Database) -> None:
    async with owner_db.write() as session:
        policy = await make.make_policy(session)
        post = await make.make_post(session)
        for number in range(40):
            appeal = await make.make_appeal(session, comment=await make.make_comment(session, post=post))
            await make.make_timer(
                session, appeal=appeal, policy=policy, due_at=DUE if number % 2 else DUE + timedelta(days=1), warnings=(HALF,)
            )
            await make.make_comment(session, post=post, fate=Fate.IN_TRIAGE, triage_warn_at=NEAR, triage_due_at=DUE)
    totals = [0, 0, 0]
    for _ in range(40):
        found = await asyncio.gather(*(look(worker_db, DUE, limit=3) for _ in range(4)))
        totals[0] += sum(one.warned for one in found)
        totals[1] += sum(one.breached for one in found)
        totals[2] += sum(one.triage_breached for one in found)
        if not any(one.anything for one in found):
            break
    assert totals == [20, 20, 40]
    told = await notices(owner_db)
    assert sorted(kind for kind, _ in told) == ["breach"] * 20 + ["triage-breach"] * 40 + ["warn"] * 20
    assert len(await events(owner_db)) == 40


@pytest.mark.parametrize("lock", ["SELECT id FROM appeal FOR UPDATE", "SELECT id FROM sla_timer FOR UPDATE"])
async def test_an_answer_under_way_is_not_waited_for(owner_db: Database, worker_db: Database, lock: str) -> None:
    appeal = await appeal_with_timer(owner_db)
    async with worker_db.write() as answering:
        await answering.execute(text(lock))
        async with asyncio.timeout(5):
            assert await look(worker_db, DUE + timedelta(seconds=1)) == done()
        stop = sla.Stop(appeal_id=appeal.id, cycle=1, promises=None, at=DUE, cause=StopCause.FULFILLED, agency_id=appeal.agency_id)
        await sla.stop_timers(answering, [stop])
    assert await look(worker_db, DUE + timedelta(seconds=1)) == done()
    assert await notices(owner_db) == []


# --- the loop ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def watching(database: Database) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    task = asyncio.create_task(deadlines.run(database, SystemClock(), stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(5):
            await task


async def told_within(database: Database, count: int, seconds: float) -> Sequence[Any]:
    """The notices, with the database's own time of each, as soon as there are so many."""
    end = time.monotonic() + seconds
    while True:
        async with database.read() as session:
            rows = (await session.execute(text("SELECT key, occurred_at, recorded_at FROM notice ORDER BY id"))).all()
        if len(rows) >= count or time.monotonic() > end:
            return rows
        await asyncio.sleep(0.05)


async def soon(owner_db: Database, seconds: float) -> None:
    """An appeal whose warning comes in so many seconds, its deadline two and a half later."""
    async with owner_db.write() as session:
        now = SystemClock().now()
        appeal = await make.make_appeal(session, written_at=now)
        warn, end = (now + timedelta(seconds=seconds + more) for more in (0, 2.5))
        await make.make_timer(session, appeal=appeal, due_at=end, warnings=(warn,))


async def test_each_moment_is_met_within_two_seconds(owner_db: Database, worker_db: Database) -> None:
    async with watching(worker_db):
        await soon(owner_db, 1.2)  # known before its moment
        await asyncio.sleep(0.3)
        await soon(owner_db, 0.01)  # started while the watch sleeps, its warning at once
        told = await told_within(owner_db, 4, seconds=10)
    lags = [(row.recorded_at - row.occurred_at).total_seconds() for row in told]
    assert sorted(row.key.split(":")[0] for row in told) == ["breach", "breach", "warn", "warn"]
    assert all(0 <= lag < 2 for lag in lags), lags


async def test_a_lost_database_is_waited_for(owner_db: Database, worker_db: Database) -> None:
    async with watching(worker_db):
        await asyncio.sleep(0.2)
        async with owner_db.write() as session:
            killed = await session.scalar(
                text(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND application_name = 'tests worker'"
                )
            )
        assert killed
        await soon(owner_db, 0.1)
        assert len(await told_within(owner_db, 2, seconds=10)) == 2


async def test_a_failing_look_is_tried_again(owner_db: Database, worker_db: Database) -> None:
    await soon(owner_db, 0)
    async with owner_db.write() as session:
        await session.execute(text("REVOKE INSERT ON notice FROM otklik_worker"))
    async with watching(worker_db):
        assert await told_within(owner_db, 1, seconds=1.5) == []
        async with owner_db.write() as session:
            await session.execute(text("GRANT INSERT ON notice TO otklik_worker"))
        assert len(await told_within(owner_db, 1, seconds=5)) >= 1


async def test_stopping_is_quick(worker_db: Database) -> None:
    async with watching(worker_db) as stop:
        await asyncio.sleep(0.3)
        began = time.monotonic()
        stop.set()
    assert time.monotonic() - began < 0.9


# --- the price --------------------------------------------------------------------------------------------------


async def test_a_look_reads_only_what_is_due(owner_db: Database, worker_db: Database) -> None:
    """Fifty thousand timers run, few are due: the plans follow the partial indexes."""
    appeal = await appeal_with_timer(owner_db)
    comment = await waiting_comment(owner_db)
    async with owner_db.write() as session:
        await session.execute(
            text(
                """
                INSERT INTO sla_timer (
                  appeal_id, cycle, promise, policy_version_id, term, started_at, due_at, warn_at, warnings, stopped_at)
                SELECT :appeal, n, 'first_answer', (SELECT min(id) FROM sla_policy_version), '{}', b.at, b.at + n * interval '1 minute',
                  b.at + n * interval '30 seconds', '[]', CASE WHEN n % 2 = 0 THEN b.at END
                FROM generate_series(2, 50001) AS n, (SELECT CAST(:at AS timestamptz) AS at) AS b
                """
            ),
            {"appeal": appeal.id, "at": MORNING},
        )
        await session.execute(
            text(
                """
                INSERT INTO comment (page_id, post_id, external_id, root_external_id, by_page, text, link, written_at, observed_at, fate,
                  triage_due_at, triage_warn_at)
                SELECT page_id, post_id, 'n' || n, 'n' || n, false, '', '', b.at, b.at, 'in_triage', b.at + n * interval '1 minute',
                  CASE WHEN n % 2 = 0 THEN b.at + n * interval '1 minute' END
                FROM comment, generate_series(1, 20000) AS n, (SELECT CAST(:at AS timestamptz) AS at) AS b WHERE id = :id
                """
            ),
            {"id": comment.id, "at": MORNING},
        )
        await session.execute(text("ANALYZE sla_timer, comment"))
    for statement, index in [
        (due.BREACHED, "ix_sla_timer_due_at"),
        (due.WARNED, "ix_sla_timer_warn_at"),
        (due.WAITING, "ix_comment_triage_warn_at"),
    ]:
        async with worker_db.write() as session:
            plan = "\n".join(
                (await session.scalars(text(f"EXPLAIN {statement.text}"), {"now": MORNING + timedelta(hours=1), "limit": 500})).all()
            )
        assert f"using {index}" in plan, plan
        assert "Seq Scan on sla_timer" not in plan, plan
        assert "Seq Scan on comment" not in plan, plan
