"""Whoever waits is woken by what a transaction committed, and after a lost connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.appeals.rules import Act
from app.kernel.db import Database, DatabaseRole
from app.kernel.live import Live
from tests.factories import make_appeal, make_event

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


async def _connected(live: Live) -> None:
    async with asyncio.timeout(10):
        while not live.connected:
            await asyncio.sleep(0.02)


@pytest.mark.timeout(60)
async def test_news_wake_and_a_lost_connection_wakes_all(database_url: URL, owner_db: Database) -> None:
    """An event of an appeal wakes; silence times out; a killed connection comes back and wakes everybody."""
    live = Live(database_url, role=DatabaseRole.WEB)
    await live.start()
    try:
        await _connected(live)
        with live.listening() as waiter:
            assert await waiter.wait(0.1) == frozenset()
            async with owner_db.write() as session:
                await make_event(session, appeal=await make_appeal(session), act=Act.OPENED)
            assert "appeals" in await waiter.wait(10)
            async with owner_db.write() as session:
                await session.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE application_name = 'otklik live' AND datname = current_database()"
                    )
                )
            woken: frozenset[str] = frozenset()
            async with asyncio.timeout(40):
                while woken != Live.ALL:
                    woken = await waiter.wait(30)
    finally:
        await live.stop()
