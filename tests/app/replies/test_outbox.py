"""The outbox against a real database: who may claim what, in which order, and who has the last word about an outcome."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.kernel.errors import ConflictError
from app.replies import service as replies
from app.replies.rules import ReplyState
from app.replies.seen import Seen, record_seen
from app.replies.service import Claimed
from tests import factories as make
from tests.factories import MORNING

if TYPE_CHECKING:
    from app.appeals.models import Appeal
    from app.kernel.db import Database
    from app.replies.models import Reply

LEASE = timedelta(seconds=90)
LATER = MORNING + timedelta(minutes=5)


async def answer(
    owner_db: Database,
    *,
    appeal: Appeal | None = None,
    words: str = "Засыпем завтра.",
    state: ReplyState = ReplyState.QUEUED,
    **columns: Any,
) -> Reply:
    """An answer, due at once unless it says otherwise."""
    async with owner_db.write() as session:
        where = appeal or await make.make_appeal(session)
        reply = await make.make_reply(session, appeal=where, state=state, text=words, created_at=MORNING)
        for name, value in columns.items():
            setattr(reply, name, value)
        await session.flush()
    return reply


async def claim(database: Database, *, at: datetime = LATER, worker: str = "w1", interrupted: bool = False, most: int = 8) -> list[Claimed]:
    async with database.write() as session:
        return await replies.OUTBOX.claim(session, worker=worker, platforms=["vk"], now=at, lease=LEASE, most=most, interrupted=interrupted)


async def one(database: Database, sql: str) -> Any:
    async with database.read() as session:
        return (await session.execute(text(sql))).one()


def seen(appeal_id: int, *, external_id: str = "77", words: str = "Засыпем завтра.") -> Seen:
    return Seen(
        appeal_id=appeal_id, comment_id=1, comment_revision=1, cycle=1, agency_id=1, external_id=external_id, text=words, link="",
        published_at=LATER,
    )  # fmt: skip


# --- claiming -------------------------------------------------------------------------------------------------------


async def test_answers_of_one_appeal_go_out_one_after_the_other(owner_db: Database, worker_db: Database) -> None:
    """The second waits as long as the first is on its way or uncertain; one that failed holds up nobody."""
    async with owner_db.write() as session:
        appeal = await make.make_appeal(session)
    first = await answer(owner_db, appeal=appeal)
    second = await answer(owner_db, appeal=appeal, words="И бордюр.")
    (claimed,) = await claim(worker_db)
    assert claimed.id == first.id
    assert await claim(worker_db) == []
    for state, expected in ((ReplyState.UNCERTAIN, []), (ReplyState.FAILED, [second.id])):
        async with owner_db.write() as session:
            await session.execute(text("UPDATE reply SET state = :state WHERE id = :id"), {"state": state.value, "id": first.id})
        assert [found.id for found in await claim(worker_db)] == expected


async def test_only_what_is_due_and_of_a_platform_that_we_serve_is_claimed(owner_db: Database, worker_db: Database) -> None:
    await answer(owner_db, due_at=LATER + timedelta(seconds=1))
    async with owner_db.write() as session:
        elsewhere = await make.make_appeal(session, platform="telegram")
    await answer(owner_db, appeal=elsewhere)
    assert await claim(worker_db) == []
    assert len(await claim(worker_db, at=LATER + timedelta(seconds=1))) == 1


async def test_many_workers_claim_each_answer_once(owner_db: Database, worker_db: Database) -> None:
    expected = {(await answer(owner_db)).id for _ in range(12)}
    found = await asyncio.gather(*(claim(worker_db, worker=f"w{number}", most=5) for number in range(4)))
    ids = [claimed.id for some in found for claimed in some]
    assert len(ids) == len(set(ids))
    rest = await claim(worker_db, most=99)
    assert {*ids, *(claimed.id for claimed in rest)} == expected


async def test_a_lease_that_ran_out_is_taken_over_once_and_the_late_sender_has_no_say(owner_db: Database, worker_db: Database) -> None:
    await answer(owner_db)
    (dead,) = await claim(worker_db)
    assert await claim(worker_db, at=LATER + LEASE, interrupted=True) == []
    (taken,) = await claim(worker_db, at=LATER + LEASE + timedelta(seconds=1), interrupted=True)
    assert await claim(worker_db, at=LATER + LEASE + timedelta(seconds=1), interrupted=True) == []
    assert (taken.first_tried_at, taken.guid, taken.attempts, taken.interrupted) == (dead.first_tried_at, dead.guid, 1, True)
    for claimed, ours in ((dead, False), (taken, True), (taken, False)):
        async with worker_db.write() as session:
            assert await replies.OUTBOX.settle(session, claimed=claimed, state=ReplyState.FAILED, code="gone", detail="?") is ours


async def test_a_pause_that_the_platform_names_is_kept_else_it_grows(owner_db: Database, worker_db: Database) -> None:
    await answer(owner_db)
    for after, pause in ((timedelta(seconds=40), 40), (None, 10), (None, 20)):
        moment = (await one(owner_db, "SELECT due_at FROM reply")).due_at + timedelta(seconds=1)
        (claimed,) = await claim(worker_db, at=moment)
        async with worker_db.write() as session:
            assert await replies.OUTBOX.put_back(session, claimed=claimed, now=moment, after=after, code="flood", detail="", time_scale=1)
        assert (await one(owner_db, "SELECT due_at FROM reply")).due_at == moment + timedelta(seconds=pause)


async def test_whatever_a_platform_says_of_an_outcome_can_be_written_down(owner_db: Database, worker_db: Database) -> None:
    """Else an answer that stands would be forgotten as one that is on its way."""
    await answer(owner_db)
    (claimed,) = await claim(worker_db)
    async with worker_db.write() as session:
        assert await replies.OUTBOX.settle(
            session, claimed=claimed, state=ReplyState.SENT, code="\0", detail="\0\ud800" + "x" * 9_000, external_id="7\0", link="\ud800",
            published_at=LATER,
        )  # fmt: skip
    row = await one(owner_db, "SELECT state, error_detail, external_id, link FROM reply")
    assert (row.state, row.external_id, row.link) == ("sent", "7\ufffd", "\ufffd")
    assert row.error_detail == "\ufffd\ufffd" + "x" * 498


# --- being seen -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [ReplyState.SENDING, ReplyState.UNCERTAIN, ReplyState.FAILED, ReplyState.QUEUED])
async def test_an_answer_that_was_tried_is_known_by_its_words(owner_db: Database, worker_db: Database, state: ReplyState) -> None:
    """Whatever we believed of it; and again it is known by its id."""
    reply = await answer(owner_db, state=state, attempts=1, words="Засыпем\n завтра. ")
    for expected in (reply.id, None):
        async with worker_db.write() as session:
            recorded = await record_seen(session, seen(reply.appeal_id))
        assert (None if recorded is None else (recorded.id, recorded.by_hand)) == (None if expected is None else (expected, False))
    assert (await one(owner_db, "SELECT count(*) AS n FROM reply WHERE state = 'sent' AND external_id = '77'")).n == 1


async def test_an_answer_that_was_never_tried_is_not_there_yet(owner_db: Database, worker_db: Database) -> None:
    """Somebody wrote the same words by hand."""
    reply = await answer(owner_db)
    async with worker_db.write() as session:
        recorded = await record_seen(session, seen(reply.appeal_id))
    assert recorded is not None
    assert recorded.by_hand
    assert (await one(owner_db, "SELECT state FROM reply WHERE NOT by_hand")).state == "queued"


@pytest.mark.parametrize("state", [ReplyState.WITHDRAWN, ReplyState.SENT])
async def test_what_is_settled_claims_no_further_comment(owner_db: Database, worker_db: Database, state: ReplyState) -> None:
    """The same words a second time are a second answer."""
    reply = await answer(owner_db, state=state, attempts=1)
    async with worker_db.write() as session:
        recorded = await record_seen(session, seen(reply.appeal_id))
    assert recorded is not None
    assert recorded.by_hand


async def test_one_that_a_person_found_keeps_its_moment_and_gets_its_id(owner_db: Database, worker_db: Database) -> None:
    reply = await answer(owner_db, state=ReplyState.UNCERTAIN, attempts=1)
    async with worker_db.write() as session:
        await replies.confirm(session, reply_id=reply.id, published_at=MORNING)
        assert await record_seen(session, seen(reply.appeal_id)) is None
    row = await one(owner_db, "SELECT state, external_id, published_at FROM reply")
    assert (row.state, row.external_id, row.published_at) == ("sent", "77", MORNING)


# --- people ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(ReplyState))
async def test_a_person_decides_only_what_waits_for_a_person(owner_db: Database, state: ReplyState) -> None:
    """Sending again, withdrawing, finding: each only from where it makes sense; a refusal changes nothing."""
    reply = await answer(owner_db, state=state)
    allowed = {
        "resend": {ReplyState.FAILED, ReplyState.UNCERTAIN, ReplyState.HELD},
        "withdraw": {ReplyState.AWAITING, ReplyState.QUEUED, ReplyState.FAILED, ReplyState.UNCERTAIN, ReplyState.HELD},
        "confirm": {ReplyState.UNCERTAIN},
    }
    for decision, states in allowed.items():
        done = True
        try:
            async with owner_db.write() as session:
                if decision == "resend":
                    await replies.resend(session, reply_id=reply.id, operator_id=None, now=LATER)
                elif decision == "withdraw":
                    await replies.withdraw(session, reply_id=reply.id, now=LATER)
                else:
                    await replies.confirm(session, reply_id=reply.id, published_at=LATER)
        except ConflictError:
            done = False
        assert done is (state in states), decision
        async with owner_db.write() as session:
            await session.execute(text("UPDATE reply SET state = :state"), {"state": state.value})


async def test_withdrawing_and_claiming_at_once_has_one_winner(owner_db: Database, worker_db: Database) -> None:
    """Either it is withdrawn and never claimed, or it is on its way and cannot be withdrawn."""
    for _ in range(6):
        reply = await answer(owner_db)

        async def withdraw(reply_id: int = reply.id) -> bool:
            try:
                async with worker_db.write() as session:
                    await replies.withdraw(session, reply_id=reply_id, now=LATER)
            except ConflictError:
                return False
            return True

        withdrawn, claimed = await asyncio.gather(withdraw(), claim(worker_db))
        assert withdrawn is not bool(claimed)
