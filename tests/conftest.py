"""What every test stands on: a real PostgreSQL, and for each test that asks a database of its own."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, settings

from app.kernel.clock import FixedClock
from app.kernel.db import DatabaseRole, make_engine
from app.kernel.embedded import CREATE_DATABASE, prepare, start_embedded
from tests.databases import Databases, copy_of, plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL, Connection

    from app.kernel.db import Database

_ROOM_BYTES = 4_000_000_000
ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


def shared(name: str) -> Path:
    """A file of the shared folder, or a skip that says so."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs ../shared/{name}")
    return path


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted((ROOT / "migrations").rglob("*")):
        if path.suffix in {".py", ".sql"}:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


# A busy machine is nobody's fault: no example fails for the time it took.
settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("usual"), max_examples=5_000)
settings.load_profile("usual")

# The tests that connectors inherit say what differed; asked for before anything imports them.
pytest.register_assert_rewrite("connectors.conformance", "tests.connectors.spoiling", "tests.connectors.staging")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long made-up requests are sent to the running service."""
    parser.addoption("--fuzz-seconds", type=int, default=60, help="seconds of made-up requests in tests/fuzz")


async def _build_template(admin: URL, name: str) -> None:
    """Migrate once; whoever comes first does it, the others wait. Copied from, so nobody may stay connected."""
    connection = await asyncpg.connect(plain(admin))
    try:
        await connection.execute("SELECT pg_advisory_lock(7305148202)")
        await connection.execute("SET client_min_messages = error")
        if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            return
        building = f"{name}_building"
        await connection.execute(f'DROP DATABASE IF EXISTS "{building}" WITH (FORCE)')
        await connection.execute(CREATE_DATABASE.format(name=building))
        engine = make_engine(admin.set(database=building), pool_size=0, application="tests")

        def upgrade(sync: Connection) -> None:
            config = Config(str(ROOT / "alembic.ini"))
            config.attributes["connection"] = sync
            command.upgrade(config, "head")

        async with engine.connect() as session:
            await session.run_sync(upgrade)
            await session.commit()
        await engine.dispose()
        await connection.execute(f'ALTER DATABASE "{building}" RENAME TO "{name}"')
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def cluster() -> URL:
    """The PostgreSQL of the tests: OTKLIK_TEST_DATABASE_URL, else an embedded one that later runs find again."""
    from sqlalchemy.engine import make_url  # noqa: PLC0415

    given = os.environ.get("OTKLIK_TEST_DATABASE_URL")  # noqa: TID251 - of the tests, no setting of the program
    if given:
        admin = make_url(given).set(drivername="postgresql+asyncpg")
    else:
        checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]  # two checkouts under test are none of each other's business
        home = _fast_place() / f"otklik-tests-{os.getuid()}-{checkout}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its socket directory's name
            admin = start_embedded(home)
    asyncio.run(prepare(admin))
    if not given:
        asyncio.run(_unsafe_but_fast(admin))
    return admin


def _fast_place() -> Path:
    """In memory where the machine has room: a database of its own for each test is three hundred new files."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of ours is made in it, as in the temporary directory
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM_BYTES:
        return memory
    return Path(tempfile.gettempdir())


async def _unsafe_but_fast(admin: URL) -> None:
    connection = await asyncpg.connect(plain(admin))
    for setting in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):  # the last: plans change only when a test says so
        await connection.execute(f"ALTER SYSTEM SET {setting} = off")
    await connection.execute("ALTER SYSTEM SET max_wal_size = '128MB'")  # memory is not for history that nobody reads
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


@pytest.fixture(scope="session")
def template(cluster: URL) -> str:
    """The name of a migrated, empty database."""
    name = f"otklik_template_{_fingerprint()}"
    asyncio.run(_build_template(cluster, name))
    return name


@pytest.fixture(scope="session")
async def databases(cluster: URL, template: str) -> AsyncIterator[Databases]:
    """Where the tests of this process get their databases."""
    found = Databases(cluster, template)
    yield found
    await found.close()


@pytest.fixture
async def database_url(request: pytest.FixtureRequest, databases: Databases, cluster: URL, template: str) -> AsyncIterator[URL]:
    """The owner's URL of a migrated database without rows; with the marker `own_database` nobody has used it before."""
    if request.node.get_closest_marker("own_database"):
        async with copy_of(cluster, template) as url:
            yield url
        return
    before = asyncio.all_tasks()
    yield await databases.shared()
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@pytest.fixture
async def owner_db(databases: Databases, database_url: URL) -> AsyncIterator[Database]:
    """Acts as the owner: for arranging, never for what is tested."""
    async with databases.acting(database_url, None, application="tests owner") as database:
        yield database


@pytest.fixture
async def web_db(databases: Databases, database_url: URL) -> AsyncIterator[Database]:
    """Acts as the web process does: row-level security binds it."""
    async with databases.acting(database_url, DatabaseRole.WEB, application="tests web") as database:
        yield database


@pytest.fixture
async def worker_db(databases: Databases, database_url: URL) -> AsyncIterator[Database]:
    """Acts as the worker does."""
    async with databases.acting(database_url, DatabaseRole.WORKER, application="tests worker") as database:
        yield database


@pytest.fixture
def clock() -> FixedClock:
    """Stands at a Tuesday morning in Moscow, a working day."""
    from datetime import UTC, datetime  # noqa: PLC0415

    return FixedClock(datetime(2026, 11, 17, 7, 0, tzinfo=UTC))
