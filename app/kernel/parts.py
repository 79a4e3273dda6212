"""What the composition root hands to a process: explicit, frozen, nothing looked up later."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from babel.support import NullTranslations
    from sqlalchemy.engine import URL

    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.kernel.live import Live
    from app.kernel.mail import MailServer
    from app.kernel.metrics import CallMeter
    from app.kernel.vault import Vault
    from connectors.contract import Connector, Plugin


@dataclass(frozen=True, kw_only=True, slots=True)
class OidcClient:
    """Who we are at an OIDC provider. `name` is what its button says."""

    issuer: str
    client_id: str
    client_secret: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Entrance:
    """How people come in. A session ends after `lasts` in any case, and after `idle` without a request of its person.

    `second_factor_roles`: whoever holds one of these roles needs a second factor. `address`: what people open, never
    what a request says that it is.
    """

    vault: Vault
    lasts: timedelta
    idle: timedelta
    second_factor_roles: frozenset[str]
    oidc: OidcClient | None
    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeParts:
    """How people are told outside the screen. A channel without its setting is closed."""

    catalogue: Callable[[str], NullTranslations]
    """The words of a language."""
    address: str
    """What people open, without a slash at its end."""
    timezone: str
    locale: str = "ru"
    """Of whoever is not known yet."""
    mail: MailServer | None = None
    telegram_url: str = ""
    """Another origin than the platform's own; as `max_url`."""
    telegram_token: str = field(default="", repr=False)
    max_url: str = ""
    max_token: str = field(default="", repr=False)
    webhook_hosts: str = ""
    digest_over: int = 3
    digest_minutes: float = 15

    @property
    def open_carriers(self) -> tuple[str, ...]:
        """Those that can be used, in the order of the screens."""
        given = {"email": self.mail, "telegram": self.telegram_token, "max": self.max_token, "webhook": self.webhook_hosts}
        return tuple(name for name, setting in given.items() if setting)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebParts:
    """What the web process stands on. `database` acts as otklik_web: row-level security binds it."""

    clock: Clock
    database: Database
    live: Live
    plugins: Mapping[str, Plugin]
    locale: str
    timezone: str
    entrance: Entrance
    secure_cookies: bool
    public_url: str | None
    media_hosts: str = ""
    """From where pictures may be fetched, as the settings write it."""
    media_folder: Path = Path("var/media")
    media_cache_mb: int = 256
    answer_pictures: int = 10
    answer_picture_bytes: int = 5 * 1024 * 1024
    """How many pictures go with an answer at most, and how large each may be when it comes."""
    migration: str
    """The newest migration of this program: /health/ready compares it with the database's."""
    webhook_hosts: str = ""
    webhook_vault: Vault
    """Seals the secret of a system that is told; the worker opens it."""
    token_vault: Vault
    """Opens the token that a platform signs its pushes with, and is given no other."""
    metrics_token: str | None = None
    """Whoever asks for /metrics has it; None: only whoever asks from this machine."""
    notices: NoticeParts | None = None
    """Which channels a person may choose; None: the screen alone."""
    api_url: Callable[[str], str | None] = lambda _platform: None
    """Another origin for a platform's API that the settings name: what leads there is trusted as the platform's own sites are."""


class SharedCalls(Protocol):
    """A part of something that all workers share: renewed while they live, given back at the end."""

    async def beat(self) -> bool:
        """Renew it."""

    async def leave(self) -> None:
        """Give it back."""

    def limits(self) -> Mapping[str, int]:
        """Calls in a window that each token allows, by its key."""

    def quotas(self) -> Mapping[tuple[str, str], int]:
        """Calls in a day, by (token's key, method)."""


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
    shared_calls: SharedCalls | None = None
    """This worker's part of what the tokens allow; None: it is alone."""
    context: timedelta = timedelta(hours=24)
    """Comments older than this before a page's connection open nothing."""
    meters: Mapping[str, CallMeter] = field(default_factory=dict)
    """By platform: they count its connector's calls."""
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
    media_cache_mb: int = 256
    webhook_vault: Vault | None = None
    """Opens the secrets of webhooks; without it nobody is told."""
    notices: NoticeParts | None = None
    """How people are told outside the screen; None: not at all."""
    tokens_mark: str = ""
    """Of the platforms' tokens that the connectors hold: another one means that they must be built anew."""
