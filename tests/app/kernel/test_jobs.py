"""Jobs exist exactly when the rows of their transaction do; a handler that raises is tried again, then held."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.kernel import jobs
from app.kernel.db import Database, DatabaseRole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import URL


async def _until(condition: Any, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


async def _count(database: Database, status: str) -> int:
    async with database.read() as session:
        return int(await session.scalar(text("SELECT count(*) FROM pgqueuer WHERE status::text = :status"), {"status": status}) or 0)


async def test_a_job_is_rolled_back_with_its_rows(web_db: Database, worker_db: Database) -> None:
    """Enqueued in the caller's transaction, by the web role too."""
    with pytest.raises(ZeroDivisionError):
        async with web_db.write() as session:
            await jobs.enqueue(session, jobs.OUTBOUND_SEND, {"reply": 1})
            raise ZeroDivisionError
    assert await _count(worker_db, "queued") == 0
    async with web_db.write() as session:
        await jobs.enqueue(session, jobs.OUTBOUND_SEND, {"reply": 1})
    assert await _count(worker_db, "queued") == 1


@pytest.mark.timeout(60)
async def test_jobs_run_as_the_worker_and_are_tried_again(database_url: URL, worker_db: Database) -> None:
    """The first attempt raises, the second works; the job is gone then."""
    seen: list[Mapping[str, Any]] = []

    async def handler(payload: Mapping[str, Any]) -> None:
        seen.append(payload)
        if len(seen) == 1:
            raise ValueError

    stop = asyncio.Event()
    running = asyncio.create_task(
        jobs.run(database_url, {jobs.OUTBOUND_SEND: handler}, role=DatabaseRole.WORKER, heartbeat=timedelta(seconds=2), stop=stop)
    )
    async with worker_db.write() as session:
        await jobs.enqueue(session, jobs.OUTBOUND_SEND, {"reply": 7})

    async def done() -> bool:
        return len(seen) == 2 and await _count(worker_db, "queued") + await _count(worker_db, "picked") == 0

    await _until(done, 30)
    assert seen == [{"reply": 7}, {"reply": 7}]
    stop.set()
    async with asyncio.timeout(15):
        await running
