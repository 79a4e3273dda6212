"""What the benchmarks stand on: an embedded PostgreSQL of their own, migrated, with the sample region's directory."""

from __future__ import annotations

import csv
import os
import tempfile
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

import app.sample
from app.bootstrap import migrate
from app.directory.queries import ids_of_codes
from app.exchange.agencies import import_agencies
from app.exchange.calendars import complete_calendars, import_calendar
from app.exchange.rules import import_rules
from app.exchange.territories import import_territories
from app.exchange.topics import import_topics
from app.kernel.db import Database, make_engine
from app.kernel.embedded import prepare, start_embedded
from app.sources.service import connect_page
from connectors.contract import PageSnapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

    from app.kernel.db import WriteSession

NOW = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
SETTINGS = ("max_wal_size = '8GB'", "checkpoint_timeout = '30min'")
"""As a server for so much data is set; what needs a restart stays as it is."""
SAMPLE = Path(app.sample.__file__).resolve().parent


def on_processor(pid: int) -> float:
    """Milliseconds that a process has computed, as Linux counts."""
    return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e6


def on_processor_ended(pid: int) -> float:
    """Milliseconds that those of its children had computed which have ended."""
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[13:15]
    return (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def ground(keep: Path | None = None) -> AsyncIterator[tuple[URL, Database]]:
    """The owner's URL and database, with the sample's pages watched; gone afterwards, unless there is a place to keep it."""
    with tempfile.TemporaryDirectory(prefix="otklik-bench-") as place:
        url = await prepare(start_embedded(keep or Path(place)), name="bench")
        await migrate(url)
        database = Database(make_engine(url, pool_size=0, application="bench"))
        async with database.engine.connect() as connection:
            settled = await connection.execution_options(isolation_level="AUTOCOMMIT")
            for setting in SETTINGS:
                await settled.execute(text(f"ALTER SYSTEM SET {setting}"))
            await settled.execute(text("SELECT pg_reload_conf()"))
        async with database.read() as session:
            filled = await session.scalar(text("SELECT EXISTS (SELECT FROM territory)"))
        if not filled:
            await _directory(database)
        yield url, database
        await database.dispose()


async def _directory(database: Database) -> None:
    async with database.write() as session:
        for importer, name in (
            (import_territories, "territories"),
            (import_agencies, "agencies"),
            (import_calendar, "calendar"),
            (import_topics, "topics"),
        ):
            await importer(session, (SAMPLE / f"{name}.csv").read_bytes(), now=NOW)
        await complete_calendars(session, now=NOW)
        await _pages(session)
        await import_rules(session, (SAMPLE / "rules.csv").read_bytes(), now=NOW)


async def _pages(session: WriteSession) -> None:
    """The sample's pages without a platform to ask: their ids stand in the file."""
    with (SAMPLE / "pages.csv").open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    agencies = await ids_of_codes(session, "agency", [row["agency"] for row in rows])
    territories = await ids_of_codes(session, "territory", [row["territory"] for row in rows])
    for row in rows:
        await connect_page(
            session,
            platform=row["platform"],
            snapshot=PageSnapshot(external_id=row["external_id"], title=row["title"], link=row["link"]),
            agency_id=agencies[row["agency"]],
            territory_id=territories[row["territory"]],
            sphere_id=None,
            watched_since=NOW - timedelta(days=1),
            now=NOW,
        )
