"""What the program writes on a database: that it made it, and what it holds. Only its own may be filled with samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

CREATED_MARK = "otklik: created by the program, empty"
SEEDING_MARK = "otklik: the sample region is on its way in"
SAMPLE_MARK = "otklik: holds the sample region"
_MARK_OF = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


async def mark_of(url: URL) -> str | None:
    """What the program wrote on the database."""
    connection = await asyncpg.connect(plain(url))
    try:
        mark: str | None = await connection.fetchval(_MARK_OF)
        return mark
    finally:
        await connection.close()


async def set_mark(url: URL, mark: str) -> None:
    """Write on the database what it holds; only one of our own marks."""
    connection = await asyncpg.connect(plain(url))
    try:
        await connection.execute(f"COMMENT ON DATABASE {quoted(url.database or '')} IS '{mark}'")
    finally:
        await connection.close()


def plain(url: URL) -> str:
    """The URL as asyncpg and people write it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
