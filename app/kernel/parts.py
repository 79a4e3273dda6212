"""What the composition root hands to a process: explicit, frozen, nothing looked up later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from sqlalchemy.engine import URL

    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.kernel.live import Live
    from app.kernel.vault import Vault
    from connectors.contract import Connector, Plugin


@dataclass(frozen=True, kw_only=True, slots=True)
class WebParts:
    """What the web process stands on. `database` acts as otklik_web: row-level security binds it."""

    clock: Clock
    database: Database
    live: Live
    plugins: Mapping[str, Plugin]
    locale: str
    timezone: str
    session_hours: int
    secure_cookies: bool
    public_url: str | None
    media_hosts: str = ""
    """From where pictures may be fetched, as the settings write it."""
    media_folder: Path = Path("var/media")
    media_cache_mb: int = 256
    migration: str
    """The newest migration of this program: /health/ready compares it with the database's."""
    metrics_token: str | None = None
    """Whoever asks for /metrics has it; None: only whoever asks from this machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerParts:
    """What the worker stands on. `database` acts as otklik_worker; jobs run on connections of their own."""

    clock: Clock
    database: Database
    jobs_url: URL
    jobs_role: str | None
    heartbeat: timedelta
    connectors: Mapping[str, Connector]
    """By platform; a platform without a usable credential is absent."""
    plugins: Mapping[str, Plugin]
    name: str
    """Of this process: leases are held in it."""
    timezone: str
    time_scale: float
    terms: Mapping[str, timedelta]
    """How long each kind of data is kept; a kind that is absent is kept for ever."""
    author_answer_limits: str = ""
    page_answer_limits: str = ""
    """How many answers of one person, and on one page, go out by themselves; as the settings write them."""
    webhook_hosts: str = ""
    vault: Vault | None = None
    """Opens the secrets of webhooks; without it nobody is told."""
