"""The one clock of all workers: the database's. Leases end by it, so machines whose own clocks are apart take nothing from each other."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.clock import SystemClock

if TYPE_CHECKING:
    from app.kernel.clock import Clock
    from app.kernel.db import Database

RUNNING = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""It counts the time in which the machine slept, too: a worker that wakes up must know that its leases are over."""
AGREE_SECONDS = 60.0
"""A machine's own oscillator goes wrong by milliseconds in that time."""


class AgreedClock:
    """Tells the database's time: what it said last, and what has passed here since then. Before it was asked, the machine's own."""

    def __init__(self, own: Clock | None = None) -> None:
        self._own = own or SystemClock()
        self._said: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """An aware moment in UTC."""
        if self._said is None:
            return self._own.now()
        moment, at = self._said
        return moment + timedelta(seconds=time.clock_gettime(RUNNING) - at)

    async def agree(self, database: Database) -> None:
        """Ask the database; its answer is as old as half of the way there and back."""
        async with database.read() as session:
            began = time.clock_gettime(RUNNING)
            moment = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
            self._said = moment, (began + time.clock_gettime(RUNNING)) / 2
