"""Inbound identity spoofing and its kin: whatever a row says, an answer goes only to the thread of its own appeal."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.replies import service as replies
from app.replies.rules import ReplyState
from tests import factories as make
from tests.factories import MORNING

if TYPE_CHECKING:
    from app.kernel.db import Database

LATER = MORNING + timedelta(hours=3)


async def _claim(database: Database) -> list[replies.Claimed]:
    async with database.write() as session:
        return await replies.OUTBOX.claim(session, worker="w", platforms=["vk"], now=LATER, lease=timedelta(seconds=90), most=9)


async def _two_appeals(owner_db: Database) -> dict[str, int]:
    async with owner_db.write() as session:
        page = await make.make_page(session)
        post = await make.make_post(session, page=page)
        ours = await make.make_appeal(session, comment=await make.make_comment(session, post=post))
        theirs = await make.make_appeal(session, comment=await make.make_comment(session, post=post))
        said_by_page = await make.make_comment(session, post=post, by_page=True)
        said_by_page.appeal_id = ours.id
        reply = await make.make_reply(session, appeal=ours)
        operator = await make.make_operator(session)
        found = {"ours": ours.id, "own": ours.comment_id, "foreign": theirs.comment_id, "page": said_by_page.id}
    return {key: value or 0 for key, value in found.items()} | {"reply": reply.id, "operator": operator.id, "page_id": page.id}


_INSERT = "INSERT INTO reply (appeal_id, comment_id, cycle, text, state) VALUES (:ours, :target, 1, 'Да', 'queued') RETURNING page_id"


@pytest.mark.parametrize("target", ["foreign", "page"])
async def test_a_forged_target_is_refused_whoever_writes_it(owner_db: Database, worker_db: Database, target: str) -> None:
    """Not even the owner of the database can answer in another's thread, or to the page itself."""
    ids = await _two_appeals(owner_db)
    for database in (owner_db, worker_db):
        with pytest.raises(DBAPIError, match="own appeal"):
            async with database.write() as session:
                await session.execute(text(_INSERT), {"ours": ids["ours"], "target": ids[target]})


async def test_the_page_of_an_answer_is_the_databases_word(owner_db: Database) -> None:
    ids = await _two_appeals(owner_db)
    async with owner_db.write() as session:
        assert await session.scalar(text(_INSERT), {"ours": ids["ours"], "target": ids["own"]}) == ids["page_id"]
        await session.execute(text("UPDATE reply SET page_id = NULL"))
        assert (await session.scalars(text("SELECT DISTINCT page_id FROM reply"))).all() == [ids["page_id"]]


@pytest.mark.parametrize("change", ["comment_id = :foreign", "appeal_id = appeal_id + 1", "guid = gen_random_uuid()"])
async def test_an_answer_stays_where_it_was_written(owner_db: Database, change: str) -> None:
    ids = await _two_appeals(owner_db)
    with pytest.raises(DBAPIError, match="stays under the comment"):
        async with owner_db.write() as session:
            named = {"foreign": ids["foreign"]} if ":foreign" in change else {}
            await session.execute(text(f"UPDATE reply SET {change}"), named)  # noqa: S608 - a constant


@pytest.mark.parametrize("column", ["text", "comment_id", "appeal_id", "operator_id", "agency_id", "by_hand"])
async def test_neither_process_rewrites_words_author_or_target(web_db: Database, worker_db: Database, column: str) -> None:
    """Who got hold of a process's login cannot put other words into an approved answer."""
    for database in (web_db, worker_db):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with database.write() as session:
                await session.execute(text(f"UPDATE reply SET {column} = {column}"))  # noqa: S608 - a constant


async def test_a_forged_row_is_never_spoken_for(owner_db: Database, worker_db: Database) -> None:
    """Put in with the triggers off, as somebody with the whole server could: no worker claims it, none that had claimed it sends it."""
    ids = await _two_appeals(owner_db)
    (good,) = await _claim(worker_db)
    assert good.id == ids["reply"]
    async with owner_db.write() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        await session.execute(text("UPDATE reply SET comment_id = :foreign"), ids)
        await session.execute(text(_INSERT), {"ours": ids["ours"], "target": ids["foreign"]})
    async with worker_db.read() as session:
        assert await replies.OUTBOX.may_go(session, claimed=good) is None
    assert await _claim(worker_db) == []


async def test_who_wrote_and_who_let_it_go_are_kept_apart(owner_db: Database, worker_db: Database) -> None:
    """Sent again by another person: the author stays the author."""
    ids = await _two_appeals(owner_db)
    async with owner_db.write() as session:
        await session.execute(text("UPDATE reply SET state = 'failed', attempts = 1, approved_by = operator_id"))
        await replies.resend(session, reply_id=ids["reply"], operator_id=ids["operator"], now=LATER)
    row: Any
    async with worker_db.read() as session:
        row = (await session.execute(text("SELECT operator_id, approved_by, state FROM reply"))).one()
    assert (row.operator_id, row.approved_by, row.state) == (None, ids["operator"], ReplyState.QUEUED)
