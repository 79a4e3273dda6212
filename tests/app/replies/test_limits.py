"""A runaway: what exceeds a limit waits before a person, untried; what is let go passes; many workers count as one."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.locks import Lock
from app.replies import service as replies
from app.replies.rules import Limits, ReplyState, parse_limits
from tests import factories as make
from tests.factories import MORNING

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import Database

LATER = MORNING + timedelta(hours=3)
THREE = Limits(author=parse_limits("3/minute"))


async def _answers(owner_db: Database, count: int, *, one_page: bool = False) -> list[int]:
    """Answers of one person to as many appeals; the ids."""
    async with owner_db.write() as session:
        operator = await make.make_operator(session)
        post = await make.make_post(session) if one_page else None
        found = []
        for _ in range(count):
            appeal = await make.make_appeal(session, comment=await make.make_comment(session, post=post))
            reply = await make.make_reply(session, appeal=appeal, operator=None if one_page else operator)
            reply.due_at = MORNING
            found.append(reply.id)
    return found


async def _claim(
    database: Database, *, limits: Limits, at: datetime = LATER, worker: str = "w", most: int = 99, scale: float = 1
) -> list[replies.Claimed]:
    async with database.write() as session:
        return await replies.OUTBOX.claim(
            session, worker=worker, platforms=["vk"], now=at, lease=timedelta(seconds=90), most=most, limits=limits, time_scale=scale
        )


async def test_what_exceeds_comes_untried_with_its_reason(owner_db: Database, worker_db: Database) -> None:
    await _answers(owner_db, 5)
    claimed = await _claim(worker_db, limits=THREE)
    over = [one for one in claimed if one.exceeds is not None]
    assert len(claimed) - len(over) == 3
    assert {(one.exceeds and one.exceeds.code, one.first_tried_at) for one in over} == {("limit_author", None)}
    async with worker_db.write() as session:
        for one in over:
            assert await replies.OUTBOX.settle(session, claimed=one, state=ReplyState.HELD, code="limit_author", detail="3/minute")
        rows = (await session.execute(text("SELECT attempts, first_tried_at, error_detail FROM reply WHERE state = 'held'"))).all()
    assert [tuple(row) for row in rows] == [(0, None, "3/minute")] * 2


async def test_a_page_has_a_limit_of_its_own(owner_db: Database, worker_db: Database) -> None:
    await _answers(owner_db, 3, one_page=True)
    claimed = await _claim(worker_db, limits=Limits(page=parse_limits("2/hour")))
    assert sorted(one.exceeds.code if one.exceeds else "" for one in claimed) == ["", "", "limit_page"]


async def test_the_window_moves_on_and_keeps_the_scale_of_time(owner_db: Database, worker_db: Database) -> None:
    await _answers(owner_db, 3)
    assert len(await _claim(worker_db, limits=THREE)) == 3
    for after, scale, held in ((59, 1, True), (61, 1, False), (1, 100, False)):
        (extra,) = await _answers(owner_db, 1)
        async with owner_db.write() as session:  # the same author
            await session.execute(text("SET LOCAL session_replication_role = replica"))
            await session.execute(text("UPDATE reply SET operator_id = (SELECT min(operator_id) FROM reply)"))
        (one,) = await _claim(worker_db, limits=THREE, at=LATER + timedelta(seconds=after), scale=scale)
        assert (one.id, one.exceeds is not None) == (extra, held), after
        async with owner_db.write() as session:
            await session.execute(text("DELETE FROM reply WHERE id = :id"), {"id": extra})


async def test_many_workers_together_keep_the_limit(owner_db: Database, worker_db: Database) -> None:
    ids = await _answers(owner_db, 12)
    found = await asyncio.gather(*(_claim(worker_db, limits=THREE, worker=f"w{number}", most=4) for number in range(3)))
    claimed = [one for some in found for one in some]
    assert len({one.id for one in claimed}) == len(claimed)
    rest = await _claim(worker_db, limits=THREE)
    assert {one.id for one in [*claimed, *rest]} == set(ids)
    assert len([one for one in [*claimed, *rest] if one.exceeds is None]) == 3


async def test_what_a_person_let_go_passes_and_a_second_try_is_no_second_answer(owner_db: Database, worker_db: Database) -> None:
    first, second = await _answers(owner_db, 2)
    limit = Limits(author=parse_limits("1/day"))
    gone, over = sorted(await _claim(worker_db, limits=limit), key=lambda one: one.exceeds is not None)
    async with worker_db.write() as session:
        await replies.OUTBOX.settle(session, claimed=over, state=ReplyState.HELD, code="limit_author", detail="1/day")
        await replies.OUTBOX.put_back(session, claimed=gone, now=LATER, after=timedelta(0), code="flood", detail="", time_scale=1)
    (again,) = await _claim(worker_db, limits=limit)
    assert (again.id, again.attempts, again.exceeds) == (gone.id, 2, None)
    async with owner_db.write() as session:
        await replies.resend(session, reply_id=over.id, operator_id=None, now=LATER)
    (let_go,) = await _claim(worker_db, limits=limit)
    assert (let_go.id, let_go.exceeds) == (over.id, None)
    assert {first, second} == {gone.id, over.id}


async def test_a_sender_that_died_before_it_held_one_back_leaves_it_untried(owner_db: Database, worker_db: Database) -> None:
    """Nothing was sent, so nothing is looked up: back to the queue, and held back again."""
    await _answers(owner_db, 2)
    limit = Limits(author=parse_limits("1/day"))
    (over,) = [one for one in await _claim(worker_db, limits=limit) if one.exceeds]
    async with worker_db.write() as session:
        taken = await replies.OUTBOX.claim(
            session, worker="w2", platforms=["vk"], now=LATER + timedelta(minutes=5), lease=timedelta(seconds=90), most=9, interrupted=True
        )
        (found,) = [one for one in taken if one.id == over.id]
        assert found.first_tried_at is None
        assert await replies.OUTBOX.unclaim(session, claimed=found)
        assert (await session.execute(text("SELECT attempts, state FROM reply WHERE id = :id"), {"id": over.id})).one() == (0, "queued")
    (again,) = await _claim(worker_db, limits=limit, at=LATER + timedelta(minutes=6))
    assert again.exceeds is not None


async def test_nothing_else_holds_answers_up(owner_db: Database, worker_db: Database) -> None:
    """Every other thing that is done by one at a time - reports counted anew, a seal of the trail - has a lock of its own."""
    await _answers(owner_db, 1)
    async with owner_db.write() as session:
        for lock in set(Lock) - {Lock.ANSWER_LIMITS}:
            await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock.value})
        async with asyncio.timeout(10):
            assert len(await _claim(worker_db, limits=THREE)) == 1
