"""Runs the migrations on the connection that `app.bootstrap` hands over, or on OTKLIK_DATABASE_URL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from alembic import context

from app.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

JOBS_TABLES = ("pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics")


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """The job queue's tables belong to pgqueuer, the word indexes to SQL: frozen in migrations, never compared."""
    return not ((kind == "table" and name in JOBS_TABLES) or (kind == "index" and (name or "").endswith("_words")))


def run(connection: Connection) -> None:
    """Migrate in one transaction per migration."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        transaction_per_migration=True,
        include_name=include_name,
        compare_server_default=False,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_alone() -> None:
    """For the `alembic` command itself."""
    from app.kernel.db import make_engine  # noqa: PLC0415 - only the command line needs it
    from app.kernel.embedded import database_url  # noqa: PLC0415
    from app.settings import Settings  # noqa: PLC0415

    engine = make_engine(database_url(str(Settings().database_url)), pool_size=0, application="otklik alembic")
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


handed = context.config.attributes.get("connection")
if handed is None:
    asyncio.run(run_alone())
else:
    run(handed)
