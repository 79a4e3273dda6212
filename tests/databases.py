"""Databases for tests: copies of a migrated template, and one that the tests of a process use in turn.

To copy a database, to warm up connections and to compile the same statements anew costs more than most tests themselves. So
one database goes from test to test: what a test left in it is deleted, and where it left anything else than rows, or
too many of them, the next one gets a fresh copy. Its connections stay open and know their statements.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
from sqlalchemy.event import listen, remove

from app.kernel.db import Database, DatabaseRole, make_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

MOST_ROWS = 3_000
"""More than that, and the places of deleted rows would slow down and mislead the next test."""
MOST_TESTS = 150
_COPY = 'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY'
"""Files are copied as files: twice as fast as through the log, and the checkpoints that it needs cost nothing in memory."""

# What is changed by anything but rows: tables, functions, triggers, policies, grants, the database's own settings and mark.
_CATALOGUES = ("pg_class", "pg_attribute", "pg_proc", "pg_trigger", "pg_policy", "pg_constraint", "pg_db_role_setting")
_SCHEMA = " UNION ALL ".join(f"SELECT '{name}', count(*), max(xmin::text::bigint) FROM {name}" for name in _CATALOGUES)  # noqa: S608
_SCHEMA += (
    " UNION ALL SELECT coalesce(shobj_description(oid, 'pg_database'), ''), 1, xmin::text::bigint FROM pg_database"
    " WHERE datname = current_database()"
)


def plain(url: URL) -> str:
    """The URL as asyncpg takes it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@asynccontextmanager
async def copy_of(cluster: URL, template: str) -> AsyncIterator[URL]:
    """The owner's URL of a copy that nobody else uses. Gone afterwards."""
    name = f"t_{uuid4().hex[:16]}"
    admin = await asyncpg.connect(plain(cluster))
    try:
        await admin.execute(_COPY.format(name=name, template=template))
        yield cluster.set(database=name)
    finally:
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


@dataclass(frozen=True, slots=True)
class _Pristine:
    """What a database was like before anybody used it: which tables hold rows, where its sequences start, its schema."""

    rows: Mapping[str, list[str]]
    empty: tuple[str, ...]
    sequences: Mapping[str, tuple[int, bool]]
    schema: list[asyncpg.Record]

    @classmethod
    async def of(cls, owner: asyncpg.Connection) -> _Pristine:
        tables = [row[0] for row in await owner.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        rows = {table: await _rows(owner, table) for table in tables}
        names = [row[0] for row in await owner.fetch("SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'")]
        sequences = {row[0]: (row[1], row[2]) for row in await owner.fetch(_stands(names))}
        empty = tuple(table for table in tables if not rows[table])
        return cls({table: rows[table] for table in tables if rows[table]}, empty, sequences, await owner.fetch(_SCHEMA))


async def _rows(owner: asyncpg.Connection, table: str) -> list[str]:
    return [row[0] for row in await owner.fetch(f'SELECT t::text FROM "{table}" t ORDER BY 1')]  # noqa: S608 - our own tables


def _stands(sequences: list[str]) -> str:
    return " UNION ALL ".join(f"SELECT '{name}', last_value, is_called FROM \"{name}\"" for name in sequences)  # noqa: S608 - our own


class _Shared:
    """A copy with the connections that tests use in turn."""

    def __init__(self, url: URL, owner: asyncpg.Connection, pristine: _Pristine) -> None:
        self.url = url
        self.tests = 0
        self.engines: dict[DatabaseRole | None, AsyncEngine] = {}
        self._owner = owner
        self._pristine = pristine

    async def is_as_new(self) -> bool:
        """Undo what the last test did; False when that cannot be: then it must be replaced."""
        self.tests += 1
        try:
            return self.tests < MOST_TESTS and await self._undone()
        except asyncpg.PostgresError:
            return False

    async def _undone(self) -> bool:
        owner, pristine = self._owner, self._pristine
        if await owner.fetch(_SCHEMA) != pristine.schema:
            return False
        used = " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT FROM \"{table}\")" for table in pristine.empty)  # noqa: S608
        deleted = 0
        for (table,) in await owner.fetch(used):
            deleted += int((await owner.execute(f'DELETE FROM "{table}"')).split()[-1])  # noqa: S608 - our own tables
        for table, rows in pristine.rows.items():
            if await _rows(owner, table) != rows:
                return False
        for name, value, called in await owner.fetch(_stands(list(pristine.sequences))):
            if (value, called) != pristine.sequences[name]:
                await owner.execute("SELECT setval($1::text::regclass, $2, $3)", f'"{name}"', *pristine.sequences[name])
        return deleted <= MOST_ROWS

    async def close(self) -> None:
        for engine in self.engines.values():
            await engine.dispose()
        await self._owner.close()


@contextmanager
def hearing(database: Database, event: str, note: Callable[..., None]) -> Iterator[None]:
    """`note` is told of an event of this database's engine meanwhile: others use the engine after us."""
    engine = database.engine.sync_engine
    listen(engine, event, note)
    try:
        yield
    finally:
        remove(engine, event, note)


class Databases:
    """Hands out databases to the tests of one process."""

    def __init__(self, cluster: URL, template: str) -> None:
        self._cluster = cluster
        self._template = template
        self._shared: _Shared | None = None

    async def shared(self) -> URL:
        """The owner's URL of the database that is used in turn, as if nobody had used it yet."""
        if self._shared is None or not await self._shared.is_as_new():
            await self.close()
            url = self._cluster.set(database=f"t_{uuid4().hex[:16]}")
            await self._execute(_COPY.format(name=url.database, template=self._template))
            settings = {"session_replication_role": "replica", "lock_timeout": "3s", "jit": "off"}  # histories refuse to be deleted
            owner = await asyncpg.connect(plain(url), server_settings=settings)
            self._shared = _Shared(url, owner, await _Pristine.of(owner))
        return self._shared.url

    @asynccontextmanager
    async def acting(self, url: URL, role: DatabaseRole | None, *, application: str) -> AsyncIterator[Database]:
        """A database handle of this role (None: the owner); over the shared database with connections that others have warmed up."""
        if self._shared is None or self._shared.url != url:
            database = Database(make_engine(url, role=role, pool_size=4, application=application))
            yield database
            await database.dispose()
            return
        if role not in self._shared.engines:
            self._shared.engines[role] = make_engine(url, role=role, pool_size=4, application=application)
        yield Database(self._shared.engines[role])

    async def close(self) -> None:
        """Drop what is shared."""
        if self._shared is not None:
            shared, self._shared = self._shared, None
            await shared.close()
            await self._execute(f'DROP DATABASE IF EXISTS "{shared.url.database}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        admin = await asyncpg.connect(plain(self._cluster))
        try:
            await admin.execute(statement)
        finally:
            await admin.close()
