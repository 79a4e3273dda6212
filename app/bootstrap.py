"""The composition root: settings become a database, connectors and the parts of a process."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from app.exchange.credentials import credentials_mark, open_credentials
from app.kernel.agreed import AgreedClock
from app.kernel.clock import SystemClock
from app.kernel.db import STANDS_STILL_MS, Database, DatabaseRole, make_engine
from app.kernel.embedded import DATABASE, database_url, prepare, start_embedded
from app.kernel.errors import SetupError
from app.kernel.live import Live
from app.kernel.locks import Lock
from app.kernel.mail import parse_mail_server
from app.kernel.marks import CREATED_MARK, plain, quoted
from app.kernel.metrics import CallMeter
from app.kernel.parts import Entrance, NoticeParts, OidcClient, WebParts, WorkerParts
from app.kernel.vault import PLATFORM_TOKENS, SIGN_IN, WEBHOOKS, Vault, open_vault
from app.privacy.rules import KINDS
from app.settings import Settings
from app.sources.budget import SharedBudget
from app.web.ui.render import catalogue
from connectors.contract import Budget, Connector, Options, Plugin
from connectors.registry import BrokenConnectorError, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import SecretStr
    from sqlalchemy.engine import Connection

CALL_SECONDS = 20.0
"""A call to a platform without an answer is given up after so long, in the platform's time."""
SHORTEST_CALL_SECONDS = 3.0
"""However fast the scaled time runs: a busy machine must be able to answer."""
_MIGRATED = text(
    "INSERT INTO audit_entry (act, subject, data) VALUES ('database.migrated', 'database', "
    "jsonb_build_object('from', CAST(:before AS text), 'to', CAST(:after AS text)))"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """The prepared, not yet migrated database: its owner's URL."""

    url: URL


def read_settings() -> Settings:
    """The settings. Raises SetupError with the names of those that are wrong."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"OTKLIK_{str(one['loc'][0]).upper()}: {one['msg']}" if one["loc"] else one["msg"].removeprefix("Value error, ")
            for one in error.errors()
        )
        raise SetupError("setup.settings", f"Settings are wrong. {wrong}") from error


def check_data_dir(path: Path) -> None:
    """Make the data directory. Raises SetupError when it cannot be written to."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".writable.{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise SetupError(
            "setup.data_dir",
            f"The data directory {path} cannot be written to ({error.strerror or error}). Set OTKLIK_DATA_DIR to a writable one.",
        ) from error


def forget_dead_users(data_dir: Path) -> None:
    """Strike processes that were killed off the embedded PostgreSQL's list of users: it stops with the last one."""
    path = data_dir / "postgres" / ".handle_pids.json"
    try:
        listed = json.loads(path.read_text(encoding="ascii"))
        living = [pid for pid in listed if isinstance(pid, int) and _lives(pid)]
        if living != listed:
            path.write_text(json.dumps(living), encoding="ascii")
    except (OSError, ValueError):
        return  # not there yet, or being written just now: the next start looks again


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


async def open_ground(settings: Settings) -> Ground:
    """Reach the settings' PostgreSQL or start the embedded one, create roles and database. SetupError: down, too old, or it refuses us."""
    if settings.database_url is None:
        check_data_dir(settings.data_dir)
        forget_dead_users(settings.data_dir)
        admin = start_embedded(settings.data_dir.resolve())
        return Ground(url=await _create_if_missing(admin, DATABASE))
    url = database_url(settings.database_url.get_secret_value())
    if not url.database:
        raise SetupError("setup.url", "OTKLIK_DATABASE_URL names no database. Write postgresql://user:password@host:5432/name.")
    try:
        return Ground(url=await prepare(url))
    except SetupError as error:
        if not isinstance(error.__cause__, asyncpg.InvalidCatalogNameError):
            raise
    return Ground(url=await _create_if_missing(url.set(database="postgres"), url.database))


async def _create_if_missing(admin: URL, name: str) -> URL:
    """The database `name`; when we create it, we mark it as ours, and only such a one may be filled with samples."""
    checked = await prepare(admin)
    connection = await asyncpg.connect(plain(checked))
    try:
        if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            return checked.set(database=name)
        url = await prepare(admin, name=name)
        await connection.execute(f"COMMENT ON DATABASE {quoted(name)} IS '{CREATED_MARK}'")
    except asyncpg.PostgresError as error:
        raise SetupError("setup.database", f"The database {name} cannot be created: {error}. Create it and try again.") from error
    else:
        return url
    finally:
        await connection.close()


def _migrations() -> Config:
    """The migrations beside the package (a checkout) or inside it (a wheel)."""
    here = Path(__file__).resolve().parent
    for place in (here / "_migrations", here.parent / "migrations"):
        if (place / "env.py").is_file():
            config = Config()
            config.set_main_option("script_location", str(place).replace("%", "%%"))
            config.set_main_option("path_separator", "os")
            return config
    raise SetupError("setup.migrations", "The migrations are missing: this installation is incomplete. Install otklik again.")


def newest_migration() -> str:
    """The newest migration that this program knows."""
    return ScriptDirectory.from_config(_migrations()).get_current_head() or ""


def _refuse_newer(version: str | None) -> None:
    """Raise SetupError when the database was migrated by a newer program: this one would not understand it."""
    if version is not None and version not in {script.revision for script in ScriptDirectory.from_config(_migrations()).walk_revisions()}:
        raise SetupError(
            "setup.older", f"The database is at migration {version}, which this older program does not know. Install the newer one."
        )


async def migrate(url: URL) -> tuple[str | None, str]:
    """Bring the database to the newest migration; the migrations before and after. Raises SetupError for a newer database."""
    engine = make_engine(url, pool_size=0, application="otklik migrate")
    config = _migrations()

    def upgrade(connection: Connection) -> str | None:
        config.attributes["connection"] = connection
        known = connection.exec_driver_sql("SELECT to_regclass('public.alembic_version')").scalar()
        before = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if known else None
        connection.commit()
        _refuse_newer(before)
        command.upgrade(config, "head")
        if before != newest_migration():
            connection.execute(_MIGRATED, {"before": before, "after": newest_migration()})
        return before

    try:
        async with engine.connect() as guard, engine.connect() as connection:
            await guard.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": Lock.MIGRATION.value})
            before = await connection.run_sync(upgrade)
            await connection.commit()
            await guard.rollback()
        return before, newest_migration()
    finally:
        await engine.dispose()


async def check_migrated(database: Database) -> None:
    """Raise SetupError unless the database can be reached and stands at this program's newest migration."""
    try:
        async with database.read() as session:
            known = (await session.execute(text("SELECT to_regclass('public.alembic_version')"))).scalar_one_or_none()
            version = (await session.execute(text("SELECT version_num FROM alembic_version"))).scalar_one_or_none() if known else None
    except (OSError, DBAPIError, asyncpg.PostgresError) as error:
        reason = getattr(error, "orig", None) or error
        raise SetupError(
            "setup.database", f"PostgreSQL does not let us in: {reason}. Check the database URL and that the server runs."
        ) from error
    _refuse_newer(version)
    if version != newest_migration():
        raise SetupError(
            "setup.migrate", f"The database is at migration {version or 'none'}, this program at {newest_migration()}. Run: otklik migrate"
        )


def owner_database(settings: Settings, ground: Ground) -> Database:
    """Acts as the owner: for the commands of an administrator."""
    return Database(make_engine(ground.url, pool_size=0, application="otklik command"), timezone=settings.timezone)


def load_plugins(settings: Settings) -> dict[str, Plugin]:
    """The connectors to use. Raises SetupError when an enabled one does not load."""
    try:
        return load(settings.connectors)
    except BrokenConnectorError as error:
        raise SetupError("setup.connectors", str(error)) from error


def settings_vault(settings: Settings, *, purpose: str = PLATFORM_TOKENS) -> Vault:
    """The vault of this installation, for one purpose."""
    key = settings.secret_key
    return open_vault(None if key is None else key.get_secret_value(), settings.data_dir, purpose=purpose)


def own_address(settings: Settings) -> str:
    """What people open, without a slash at its end."""
    return (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")


def build_entrance(settings: Settings) -> Entrance:
    """How people come in."""
    oidc = None
    if settings.oidc_issuer is not None and settings.oidc_client_id is not None and settings.oidc_client_secret is not None:
        oidc = OidcClient(
            issuer=settings.oidc_issuer,
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret.get_secret_value(),
            name=settings.oidc_name,
        )
    return Entrance(
        vault=settings_vault(settings, purpose=SIGN_IN),
        lasts=timedelta(hours=settings.session_hours),
        idle=timedelta(minutes=settings.session_idle_minutes),
        second_factor_roles=frozenset(settings.second_factor_roles or ()),
        oidc=oidc,
        address=own_address(settings),
    )


async def build_connectors(
    settings: Settings,
    database: Database,
    plugins: Mapping[str, Plugin],
    budget: Budget | None = None,
    meters: Mapping[str, CallMeter] | None = None,
) -> dict[str, Connector]:
    """A connector for each platform that has a credential. Raises SetupError when the tokens cannot be opened."""
    async with database.read() as session:
        credentials = await open_credentials(session, settings_vault(settings))
    connectors: dict[str, Connector] = {}
    for platform, plugin in ((one, plugins[one]) for one in plugins if one in credentials):
        options = Options(
            api_url=settings.api_url(platform),
            credentials=credentials[platform],
            timeout=max(CALL_SECONDS / settings.time_scale, SHORTEST_CALL_SECONDS),
            time_scale=settings.time_scale,
            budget=budget,
            meter=(meters or {}).get(platform),
        )
        try:
            connectors[platform] = plugin.build(options)
        except Exception as error:
            raise SetupError("setup.connectors", f"The connector {platform} cannot be built: {error}") from error
    return connectors


async def _process_database(
    settings: Settings, own: SecretStr | None, role: DatabaseRole, *, pool_size: int, still: int | None = None
) -> tuple[Database, URL, str | None]:
    """A process with a login of its own never sees the owner's; else it takes its role on with the owner's login.

    The role's name is a plain string: asyncpg refuses an enum.
    """
    if own is not None:
        url, acting = database_url(own.get_secret_value()), None
    else:
        url, acting = (await open_ground(settings)).url, role
    engine = make_engine(url, role=acting, pool_size=pool_size, application=role.value.replace("_", " "), stands_still_ms=still)
    database = Database(engine, timezone=settings.timezone)
    try:
        await check_migrated(database)
    except SetupError:
        await database.dispose()
        raise
    return database, url, None if acting is None else acting.value


def build_notices(settings: Settings) -> NoticeParts:
    """How people are told outside the screen."""
    mail, telegram, messenger = settings.smtp_url, settings.notice_telegram_token, settings.notice_max_token
    return NoticeParts(
        catalogue=cache(catalogue),
        address=own_address(settings),
        timezone=settings.timezone,
        locale=settings.locale,
        mail=None if mail is None else parse_mail_server(mail.get_secret_value(), settings.mail_from or ""),
        telegram_url=settings.telegram_api_url or "",
        telegram_token="" if telegram is None else telegram.get_secret_value(),
        max_url=settings.max_api_url or "",
        max_token="" if messenger is None else messenger.get_secret_value(),
        webhook_hosts=settings.webhook_hosts or "",
        digest_over=settings.notice_digest_over,
        digest_minutes=settings.notice_digest_minutes,
    )


async def build_web(settings: Settings) -> WebParts:
    """The parts of the web process. Raises SetupError when the database is away or not migrated."""
    database, url, role = await _process_database(settings, settings.web_database_url, DatabaseRole.WEB, pool_size=settings.web_pool)
    return WebParts(
        clock=SystemClock(),
        database=database,
        live=Live(url, role=role),
        plugins=load_plugins(settings),
        locale=settings.locale,
        timezone=settings.timezone,
        entrance=build_entrance(settings),
        secure_cookies=(settings.public_url or "").startswith("https://"),
        public_url=settings.public_url,
        media_hosts=settings.media_hosts,
        media_folder=settings.data_dir / "media",
        media_cache_mb=settings.media_cache_mb,
        answer_pictures=settings.answer_pictures,
        answer_picture_bytes=settings.answer_picture_mb * 1024 * 1024,
        migration=newest_migration(),
        webhook_hosts=settings.webhook_hosts or "",
        webhook_vault=settings_vault(settings, purpose=WEBHOOKS),
        token_vault=settings_vault(settings),
        metrics_token=None if settings.metrics_token is None else settings.metrics_token.get_secret_value(),
        notices=build_notices(settings),
        api_url=settings.api_url,
    )


async def build_worker(settings: Settings) -> WorkerParts:
    """The parts of the worker. Raises SetupError when the database is away, not migrated, or a connector does not load."""
    database, url, role = await _process_database(
        settings, settings.worker_database_url, DatabaseRole.WORKER, pool_size=settings.worker_pool, still=STANDS_STILL_MS
    )
    clock = AgreedClock()
    await clock.agree(database)
    plugins = load_plugins(settings)
    name = f"{socket.gethostname()}:{os.getpid()}"
    budget = SharedBudget(database, worker=name)
    meters = {platform: CallMeter(platform) for platform in plugins}
    async with database.read() as session:
        mark = await credentials_mark(session)  # before they are opened: what changes in between is noticed afterwards
    return WorkerParts(
        clock=clock,
        database=database,
        jobs_url=url,
        jobs_role=role,
        heartbeat=timedelta(seconds=settings.job_heartbeat_seconds),
        connectors=await build_connectors(settings, database, plugins, budget, meters),
        meters=meters,
        context=timedelta(hours=settings.context_hours),
        shared_calls=budget,
        plugins=plugins,
        name=name,
        timezone=settings.timezone,
        time_scale=settings.time_scale,
        author_answer_limits=settings.author_answer_limits,
        page_answer_limits=settings.page_answer_limits,
        terms=terms_of(settings),
        webhook_hosts=settings.webhook_hosts or "",
        webhook_vault=settings_vault(settings, purpose=WEBHOOKS),
        notices=build_notices(settings),
        media_cache_mb=settings.media_cache_mb,
        tokens_mark=mark,
    )


def terms_of(settings: Settings) -> dict[str, timedelta]:
    """How long each kind of data is kept."""
    days = {kind: int(getattr(settings, f"keep_{kind}_days")) for kind in KINDS}
    return {kind: timedelta(days=term) for kind, term in days.items() if term}
