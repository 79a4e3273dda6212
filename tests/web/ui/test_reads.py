"""Whoever is shown what citizens wrote stands in the audit trail: in batches, never one transaction for each look."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.audit.reads import MOST_NOTES, ReadTrail, TrailFullError
from app.kernel.db import Database, DatabaseRole, make_engine
from tests.databases import hearing

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy.engine import URL

    from app.kernel.clock import FixedClock
    from tests.web.ui.conftest import Enter, Town


async def trail(database: Database, act: str) -> list[Any]:
    async with database.read() as session:
        found = await session.execute(
            text("SELECT operator_id, act, subject, subject_id, data, recorded_at FROM audit_entry WHERE act LIKE :act ORDER BY id"),
            {"act": act},
        )
        return list(found.all())


def reads_of(web: FastAPI) -> ReadTrail:
    found: ReadTrail = web.state.web.reads
    return found


async def test_an_opened_appeal_is_one_entry_however_often_it_is_looked_at(
    enter: Enter, town: Town, web: FastAPI, owner_db: Database
) -> None:
    operator = await enter("operator")
    for _ in range(3):
        assert (await operator.get(f"/appeals/{town.number}", part=True)).status_code == 200
    assert await trail(owner_db, "appeal.read") == [], "not in the transaction of the look"
    assert await reads_of(web).flush() == 1
    [entry] = await trail(owner_db, "appeal.read")
    assert (entry.operator_id, entry.subject_id, entry.data) == (town.people["operator"].id, town.appeal.id, {})


async def test_lists_name_all_that_they_showed(enter: Enter, town: Town, web: FastAPI, owner_db: Database) -> None:
    coordinator = await enter("coordinator")
    await coordinator.get("/queue")
    await coordinator.get("/triage")
    await reads_of(web).flush()
    [queue] = await trail(owner_db, "appeal.listed")
    [waiting] = await trail(owner_db, "comment.listed")
    assert queue.data == {"ids": sorted([town.appeal.id, town.foreign.id, town.hostile.id])}
    assert waiting.data == {"ids": [town.waiting.id]}


async def test_what_somebody_may_not_see_is_no_read(enter: Enter, town: Town, web: FastAPI) -> None:
    other = await enter("other")
    assert (await other.get(f"/appeals/{town.number}", part=True)).status_code == 404
    assert await reads_of(web).flush() == 0


async def test_every_page_that_shows_citizens_words_notes_it(enter: Enter, town: Town, web: FastAPI, owner_db: Database) -> None:
    coordinator = await enter("coordinator")
    shown = {
        "/queue/rows": "appeal.listed",
        f"/appeals/{town.number}": "appeal.read",
        f"/appeals/{town.number}/topic": "appeal.read",
        "/triage/rows": "comment.listed",
        f"/triage/{town.waiting.id}": "comment.read",
    }
    for path, act in shown.items():
        before = len(await trail(owner_db, act))
        assert (await coordinator.get(path, part=True)).status_code == 200, path
        await reads_of(web).flush()
        assert len(await trail(owner_db, act)) == before + 1, path


async def test_a_thousand_looks_are_one_transaction(web_db: Database, owner_db: Database, town: Town, clock: FixedClock) -> None:
    reads, commits = ReadTrail(web_db), 0

    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1

    for number in range(1, 1001):
        reads.look(operator_id=town.people["operator"].id, subject="appeal", subject_id=number, at=clock.now())
    with hearing(web_db, "commit", count):
        assert await reads.flush() == 1000
    assert commits == 1
    assert len(await trail(owner_db, "appeal.read")) == 1000


async def test_when_the_trail_cannot_be_kept_nothing_is_shown(database_url: URL, enter: Enter, town: Town, web: FastAPI) -> None:
    """A database that takes no notes: they wait, bounded, and then looking ends."""
    operator = await enter("operator")
    away = Database(make_engine(database_url.set(database="nowhere"), role=DatabaseRole.WEB, pool_size=0, application="tests away"))
    reads = reads_of(web)
    working, reads._database = reads._database, away
    for number in range(MOST_NOTES):
        reads.look(operator_id=1, subject="appeal", subject_id=number, at=web.state.web.parts.clock.now())
    with pytest.raises(Exception, match="nowhere"):
        await reads.flush()
    with pytest.raises(TrailFullError):
        reads.look(operator_id=1, subject="appeal", subject_id=MOST_NOTES, at=web.state.web.parts.clock.now())
    refused = await operator.get(f"/appeals/{town.number}")
    assert refused.status_code == 503
    assert "фонари" not in refused.text
    reads._notes.clear()
    reads._size = 0
    reads._database = working
    assert (await operator.get(f"/appeals/{town.number}")).status_code == 200
    await away.dispose()


async def test_what_is_left_is_written_at_the_end_of_the_process(
    web_db: Database, owner_db: Database, town: Town, clock: FixedClock
) -> None:
    reads = ReadTrail(web_db)
    reads.start()
    await asyncio.sleep(0)
    reads.look(operator_id=town.people["operator"].id, subject="appeal", subject_id=7, at=clock.now())
    await reads.stop()
    assert [entry.subject_id for entry in await trail(owner_db, "appeal.read")] == [7]


@pytest.mark.parametrize(("who", "sees"), [("administrator", True), ("supervisor", False), ("coordinator", False), ("operator", False)])
async def test_only_administrators_read_the_trail(owner_db: Database, web_db: Database, town: Town, who: str, *, sees: bool) -> None:
    """By row-level security: whatever the code would ask."""
    async with owner_db.write() as session:
        await session.execute(text("INSERT INTO audit_entry (act, subject) VALUES ('a.b', 'a')"))
    async with web_db.read(operator_id=town.people[who].id) as session:
        assert bool(await session.scalar(text("SELECT count(*) FROM audit_entry"))) is sees


async def test_nobody_writes_the_trail_in_another_name(web_db: Database, town: Town) -> None:
    forged = text("INSERT INTO audit_entry (operator_id, act, subject) VALUES (:other, 'a.b', 'a')")
    with pytest.raises(Exception, match="row-level security"):
        async with web_db.write(operator_id=town.people["operator"].id) as session:
            await session.execute(forged, {"other": town.people["administrator"].id})
