"""Machines whose clocks are apart agree on when a lease ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.flows.polling import LEASE
from app.kernel.agreed import AgreedClock
from app.kernel.clock import FixedClock

if TYPE_CHECKING:
    from app.kernel.db import Database


async def test_a_clock_that_is_wrong_takes_over_no_live_lease(worker_db: Database) -> None:
    """Two minutes behind and an hour ahead: both tell the database's time once they have asked it."""
    async with worker_db.read() as session:
        truth = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    clocks = [AgreedClock(FixedClock(truth + apart)) for apart in (timedelta(minutes=-2), timedelta(hours=1))]
    assert [clock.now() - truth for clock in clocks] == [timedelta(minutes=-2), timedelta(hours=1)]
    for clock in clocks:
        await clock.agree(worker_db)
    first, second = (clock.now() for clock in clocks)
    assert first.utcoffset() == second.utcoffset() == timedelta()
    assert max(abs(first - second), abs(first - truth)) < LEASE
