"""The log of jobs ends somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel import jobs

if TYPE_CHECKING:
    from app.kernel.db import Database


async def test_old_lines_go_some_at_a_time_and_new_ones_stay(owner_db: Database, worker_db: Database) -> None:
    old = (
        "INSERT INTO pgqueuer_log (created, job_id, status, priority, entrypoint) SELECT now() - interval '8 days', n, 'successful', 0, 'x'"
    )
    async with owner_db.write() as session:
        await session.execute(text(f"{old} FROM generate_series(1, 7) n"))
        await jobs.enqueue(session, jobs.INBOUND_TRIAGE, {})
    gone = []
    for _ in range(3):
        async with worker_db.write() as session:
            gone.append(await jobs.forget(session, most=5))
    assert gone == [5, 2, 0]
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM pgqueuer_log")) == 1
