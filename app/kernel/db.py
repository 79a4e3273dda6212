"""PostgreSQL: engines, the declarative base, and the only commit of the program.

A function that takes a `ReadSession` reads; one that takes a `WriteSession` writes. Nobody but this file commits.
Every transaction states its operator (`otklik.operator_id` and the reach beside it, empty for the program itself): row-level
security reads it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NewType

from sqlalchemy import BigInteger, CursorResult, DateTime, Identity, MetaData, String, event, text
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.pool import NullPool
from sqlalchemy.types import UserDefinedType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from sqlalchemy.engine import URL
    from sqlalchemy.orm import MappedColumn

ReadSession = NewType("ReadSession", AsyncSession)
WriteSession = NewType("WriteSession", ReadSession)


STANDS_STILL_MS = 10_000
"""A worker that stops in the midst of a transaction would lock feeds and budgets for as long as it stands still: others wait no longer
than this, which is less than a lease of feeds has left at most (app/flows/polling.py)."""


class DatabaseRole(StrEnum):
    """The roles of the database: created once per cluster, before any migration."""

    WEB = "otklik_web"
    WORKER = "otklik_worker"


class Base(DeclarativeBase):
    """All tables. Moments are `timestamptz`, texts are `text`, numbers of rows are `bigint`."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_kw: object) -> str:
        """The name of the type."""
        return "xid8"


def row_id() -> MappedColumn[int]:
    """A bigint identity primary key."""
    return mapped_column(BigInteger, Identity(always=True), primary_key=True)


def moment(*, nullable: bool = False, default_now: bool = False) -> MappedColumn[Any]:
    """A `timestamptz` column."""
    default = text("now()") if default_now else None
    return mapped_column(DateTime(timezone=True), nullable=nullable, server_default=default)


def word() -> MappedColumn[str]:
    """A short text column that must be there."""
    return mapped_column(String, nullable=False)


def make_engine(
    url: URL, *, role: DatabaseRole | None = None, pool_size: int = 8, application: str, stands_still_ms: int | None = None
) -> AsyncEngine:
    """An engine whose connections act as `role` from their first statement (`pool_size` 0: no pool).

    `stands_still_ms`: a transaction in which nothing was asked for so long is ended by the database, with all that it locks.
    """
    settings = {"application_name": application, "timezone": "UTC", "jit": "off"}
    if role is not None:
        settings["role"] = role.value
    if stands_still_ms is not None:
        settings["idle_in_transaction_session_timeout"] = str(stands_still_ms)
    pool: dict[str, Any] = {"poolclass": NullPool} if pool_size == 0 else {"pool_size": pool_size, "max_overflow": pool_size}
    engine = create_async_engine(url, connect_args={"server_settings": settings}, hide_parameters=True, **pool)
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapted connection
    """A connection that the server ended is replaced; asking it with a ping would cost a round trip each time."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


class Database:
    """Opens transactions. One per process and role. `timezone`: the installation's own; its sessions know it (`home_zone`)."""

    def __init__(self, engine: AsyncEngine, *, timezone: str = "Europe/Moscow") -> None:
        self.engine = engine
        self.timezone = timezone
        self._sessions = async_sessionmaker(engine, expire_on_commit=False, autoflush=False, info={"timezone": timezone})

    @asynccontextmanager
    async def read(self, *, operator_id: int | None = None) -> AsyncIterator[ReadSession]:
        """A read-only transaction on behalf of an operator (None: the program itself)."""
        async with self._sessions() as session:
            await _begin(session, operator_id, read_only=True)
            yield ReadSession(session)
            await session.rollback()

    @asynccontextmanager
    async def write(self, *, operator_id: int | None = None) -> AsyncIterator[WriteSession]:
        """A transaction that commits when the block ends and rolls back when it raises."""
        async with self._sessions() as session:
            await _begin(session, operator_id, read_only=False)
            yield WriteSession(ReadSession(session))
            await session.commit()

    async def dispose(self) -> None:
        """Close the pool."""
        await self.engine.dispose()


def home_zone(session: ReadSession) -> str:
    """The time zone of the installation: it holds where a territory has none of its own."""
    return str(session.info["timezone"])


# The operator's reach is computed by the database and kept in the transaction: the policies look it up. Nobody has none.
_ENTER = text("SELECT otklik_enter(CAST(:operator AS bigint)), set_config('transaction_read_only', :read_only, true)")
_NOBODY = text(
    "SELECT set_config('otklik.operator_id', '', true), set_config('otklik.whole', '', true), set_config('otklik.agencies', '', true), "
    "set_config('otklik.territories', '', true), set_config('transaction_read_only', :read_only, true)"
)


async def _begin(session: AsyncSession, operator_id: int | None, *, read_only: bool) -> None:
    given = {"read_only": "on" if read_only else "off"}
    if operator_id is None:
        await session.execute(_NOBODY, given)
    else:
        await session.execute(_ENTER, {"operator": operator_id, **given})


class Bulk:
    """A statement over many rows given as parallel arrays: `FROM {rows}` becomes `unnest` of typed arrays.

    Multi-row VALUES would be planned anew for each number of rows; arrays keep one prepared statement.
    """

    def __init__(self, sql: str, **columns: str) -> None:
        casts = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in columns.items())
        names = ", ".join(columns)
        self._names = tuple(columns)
        self._statement = text(sql.replace("{rows}", f"unnest({casts}) AS r({names})"))

    async def run(self, session: WriteSession, rows: Sequence[Sequence[object]], **extra: object) -> list[Any]:
        """Execute for `rows` (tuples in the order of the columns); the returned rows, if the statement returns any."""
        if not rows:
            return []
        arrays = dict(zip(self._names, (list(column) for column in zip(*rows, strict=True)), strict=True))
        result = await session.execute(self._statement, {**arrays, **extra})
        return list(result.all()) if isinstance(result, CursorResult) and result.returns_rows else []


async def utc_now_of(session: ReadSession) -> datetime:
    """The database's own moment: for leases, where two machines must agree."""
    value: datetime = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
    return value
