"""How an administrator's command reaches the database: as its owner, migrated, one transaction at the edge."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from app import bootstrap
from app.cli.sandboxed import of_its_region
from app.kernel.clock import Clock, SystemClock
from app.kernel.db import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from app.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """What a command works with."""

    settings: Settings
    ground: bootstrap.Ground
    database: Database
    clock: Clock


@asynccontextmanager
async def owner() -> AsyncIterator[Owner]:
    """The migrated database. Raises SetupError when it is away or not migrated."""
    settings = bootstrap.read_settings()
    ground = await bootstrap.open_ground(settings)
    settings = await of_its_region(settings, ground.url)
    database = bootstrap.owner_database(settings, ground)
    try:
        await bootstrap.check_migrated(database)
        yield Owner(settings=settings, ground=ground, database=database, clock=SystemClock())
    finally:
        await database.dispose()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine."""
    return asyncio.run(work)
