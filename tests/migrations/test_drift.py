"""The migrations and the tables say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.config import Config

from app.kernel.db import Database, make_engine
from tests.conftest import ROOT

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

pytestmark = pytest.mark.migrations


async def test_the_tables_need_no_further_migration(database_url: URL) -> None:
    """`alembic check` finds nothing to do after `upgrade head`."""
    database = Database(make_engine(database_url, pool_size=0, application="tests"))

    def check(connection: Connection) -> None:
        config = Config(str(ROOT / "alembic.ini"))
        config.attributes["connection"] = connection
        command.check(config)

    async with database.engine.connect() as connection:
        await connection.run_sync(check)
    await database.dispose()
