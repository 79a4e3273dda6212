"""Every setting, read once from the environment (prefix OTKLIK_) or a `.env` file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.kernel.addresses import safe_address
from app.kernel.mail import parse_mail_server
from app.kernel.outgoing import parse_hosts
from app.media.rules import parse_media_hosts
from app.people.rules import Role
from app.replies.rules import parse_limits

SECRETS = (
    "database_url", "web_database_url", "worker_database_url", "secret_key", "metrics_token", "oidc_client_secret", "smtp_url",
    "notice_telegram_token", "notice_max_token",
)  # fmt: skip
"""Each may stand in a file instead: OTKLIK_…_FILE."""


class Settings(BaseSettings):
    """The settings of one process. The README lists each; a test compares."""

    model_config = SettingsConfigDict(env_prefix="OTKLIK_", env_file=".env", extra="ignore")

    data_dir: Path = Field(default=Path("./var"), description="Where the embedded PostgreSQL, keys and the sandbox's world live")
    host: str = Field(default="127.0.0.1", description="The address that the web process listens on")
    port: int = Field(default=8000, ge=1, le=65535, description="The port of the web process")
    worker_port: int | None = Field(
        default=None, ge=1, le=65535, description="A port on which the worker serves /metrics and /health/live; none when empty"
    )
    sandbox_port: int = Field(default=8010, ge=1, le=65535, description="The port of the sandbox")
    database_url: SecretStr | None = Field(default=None, description="A PostgreSQL to use instead of the embedded one (its owner)")
    web_database_url: SecretStr | None = Field(
        default=None, description="An own login for the web process; else it takes on the role otklik_web"
    )
    worker_database_url: SecretStr | None = Field(
        default=None, description="An own login for the worker; else it takes on the role otklik_worker"
    )
    secret_key: SecretStr | None = Field(
        default=None, description="The key that encrypts platform tokens and second factors; else a file in the data directory holds one"
    )
    metrics_token: SecretStr | None = Field(
        default=None, description="Whoever asks for /metrics sends it as a bearer token; without one only this machine may ask"
    )
    database_url_file: Path | None = Field(default=None, description="A file that holds OTKLIK_DATABASE_URL")
    web_database_url_file: Path | None = Field(default=None, description="A file that holds OTKLIK_WEB_DATABASE_URL")
    worker_database_url_file: Path | None = Field(default=None, description="A file that holds OTKLIK_WORKER_DATABASE_URL")
    secret_key_file: Path | None = Field(default=None, description="A file that holds OTKLIK_SECRET_KEY")
    metrics_token_file: Path | None = Field(default=None, description="A file that holds OTKLIK_METRICS_TOKEN")
    oidc_client_secret_file: Path | None = Field(default=None, description="A file that holds OTKLIK_OIDC_CLIENT_SECRET")
    smtp_url_file: Path | None = Field(default=None, description="A file that holds OTKLIK_SMTP_URL")
    notice_telegram_token_file: Path | None = Field(default=None, description="A file that holds OTKLIK_NOTICE_TELEGRAM_TOKEN")
    notice_max_token_file: Path | None = Field(default=None, description="A file that holds OTKLIK_NOTICE_MAX_TOKEN")
    connectors: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default=None, description="The connectors to load, by comma; all installed ones when empty"
    )
    vk_api_url: str | None = Field(default=None, description="Another origin for VK's API (a proxy)")
    max_api_url: str | None = Field(default=None, description="Another origin for MAX's Bot API")
    viber_api_url: str | None = Field(default=None, description="Another origin for Viber's REST API")
    ok_api_url: str | None = Field(default=None, description="Another origin for the API of Odnoklassniki")
    telegram_api_url: str | None = Field(default=None, description="Another origin for Telegram's Bot API")
    time_scale: float = Field(
        default=1.0, gt=0, description="Divides the connectors' pauses: only for tests against a sandbox of the same scale"
    )
    context_hours: int = Field(default=24, ge=0, description="Comments older than this before the page's connection open nothing")
    locale: str = Field(default="ru", pattern="^(ru|en)$", description="The language of the screens until a person chooses")
    timezone: str = Field(
        default="Europe/Moscow",
        description="The time zone of reports, of screens that show several territories' times together, "
        "and of territories that have none of their own",
    )
    public_url: str | None = Field(
        default=None, description="The address people open, when a proxy stands before the web process; https turns on secure cookies"
    )
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="How much is logged")
    log_json: bool = Field(default=False, description="Logs as JSON lines instead of text for people")
    author_answer_limits: str = Field(
        default="20/minute, 200/hour, 1000/day", description="How many answers of one person go out; more wait for a coordinator"
    )
    page_answer_limits: str = Field(
        default="30/minute, 300/hour, 2000/day", description="How many answers go out on one page; more wait for a coordinator"
    )
    media_hosts: str = Field(
        default="vk: *.userapi.com, *.vkuserphoto.ru, *.vk.com; ok: *.mycdn.me, *.okcdn.ru",
        description="Hosts from which pictures are fetched, by platform; this machine only as host:port",
    )
    media_cache_mb: int = Field(default=256, ge=1, description="Megabytes of pictures that a web process keeps in the data directory")
    answer_pictures: int = Field(
        default=10, ge=0, le=20, description="How many pictures go with an answer at most; a platform may take fewer; 0: none"
    )
    answer_picture_mb: int = Field(default=5, ge=1, le=20, description="Megabytes that each of them may have when it comes")
    webhook_hosts: str | None = Field(
        default=None, description="Hosts that may be told what happens to appeals; this machine only as host:port"
    )
    smtp_url: SecretStr | None = Field(
        default=None, description="The mail server for notices: smtp://user:password@host:587 or smtps://…:465; none: no mail"
    )
    mail_from: str | None = Field(default=None, description="Whom mail comes from; needed with OTKLIK_SMTP_URL")
    notice_telegram_token: SecretStr | None = Field(
        default=None, description="The token of the bot that tells people of deadlines in Telegram; none: it does not"
    )
    notice_max_token: SecretStr | None = Field(
        default=None, description="The token of the bot that tells people of deadlines in MAX; none: it does not"
    )
    notice_digest_over: int = Field(
        default=3, ge=1, le=100, description="More notices than this for one person and channel within the window become one message"
    )
    notice_digest_minutes: int = Field(default=15, ge=1, le=1440, description="The window, in minutes")
    keep_text_days: int = Field(
        default=1825, ge=0, description="Citizens' words and names are erased so long after their matter was closed; 0 keeps them"
    )
    keep_raw_days: int = Field(default=180, ge=0, description="The platforms' own bytes are dropped after so long; 0 keeps them")
    keep_sign_in_days: int = Field(
        default=90, ge=0, description="Failed sign-ins, ended sessions and used invitations are dropped after so long; 0 keeps them"
    )
    keep_notice_days: int = Field(default=365, ge=0, description="Settled notices are dropped after so long; 0 keeps them")
    keep_audit_days: int = Field(
        default=1825, ge=0, description="Sealed entries of the audit trail are dropped after so long, a year at least; 0 keeps them"
    )
    session_hours: int = Field(default=12, ge=1, description="A session ends after so many hours, whatever is done in it")
    session_idle_minutes: int = Field(default=60, ge=1, description="A session ends after so many minutes in which nothing is done")
    second_factor_roles: Annotated[tuple[str, ...] | None, NoDecode] = Field(
        default=None, description="Whoever holds one of these roles needs a second factor, by comma"
    )
    oidc_issuer: str | None = Field(default=None, description="The address of an OIDC provider; without it nobody signs in by one")
    oidc_client_id: str | None = Field(default=None, description="What the provider calls us")
    oidc_client_secret: SecretStr | None = Field(default=None, description="What we prove it with")
    oidc_name: str = Field(default="SSO", min_length=1, max_length=60, description="What the provider's button says")
    job_heartbeat_seconds: float = Field(default=6.0, gt=0, description="A dead worker's job is taken over after this long")
    web_pool: int = Field(default=8, ge=1, description="Database connections of the web process (up to twice as many in a rush)")
    worker_pool: int = Field(default=6, ge=1, description="Database connections of the worker (up to twice as many in a rush)")

    @field_validator(*(f"{name}_file" for name in SECRETS), mode="before")
    @classmethod
    def _none_when_empty(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _read_files(self) -> Settings:
        """A secret in a file never stands in the environment, which crash reports and process lists show."""
        for name in SECRETS:
            path: Path | None = getattr(self, f"{name}_file")
            if path is None:
                continue
            setting = f"OTKLIK_{name.upper()}"
            if getattr(self, name) is not None:
                raise ValueError(f"{setting} and {setting}_FILE are both set: keep one of them")
            try:
                told = path.read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"{setting}_FILE: {path} cannot be read ({getattr(error, 'strerror', None) or 'not text'})") from error
            if not told:
                raise ValueError(f"{setting}_FILE: {path} is empty")
            setattr(self, name, SecretStr(told))
        return self

    @field_validator("connectors", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            names = tuple(name.strip() for name in value.split(",") if name.strip())
            return names or None
        return value

    @field_validator("author_answer_limits", "page_answer_limits")
    @classmethod
    def _readable(cls, value: str) -> str:
        parse_limits(value)
        return value

    @field_validator("webhook_hosts")
    @classmethod
    def _named(cls, value: str | None) -> str | None:
        parse_hosts(value or "")
        return value

    @field_validator("media_hosts")
    @classmethod
    def _hosts(cls, value: str) -> str:
        parse_media_hosts(value)
        return value

    @field_validator("worker_port", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no time zone; use a name such as Europe/Moscow or Asia/Yekaterinburg")
        return value

    @field_validator("second_factor_roles", mode="before")
    @classmethod
    def _roles(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        names = tuple(name.strip() for name in value.split(",") if name.strip())
        unknown = sorted(set(names) - set(Role))
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: the roles are {', '.join(Role)}")
        return names or None

    @model_validator(mode="after")
    def _whole_mail(self) -> Self:
        """A mail server is of use with a sender; both are checked before anybody waits for a letter."""
        if self.smtp_url is not None:
            if self.mail_from is None:
                raise ValueError("OTKLIK_SMTP_URL needs OTKLIK_MAIL_FROM: whom letters come from")
            try:
                parse_mail_server(self.smtp_url.get_secret_value(), self.mail_from)
            except ValueError as error:
                raise ValueError(f"OTKLIK_SMTP_URL with OTKLIK_MAIL_FROM: {error}") from None
        return self

    @model_validator(mode="after")
    def _whole_provider(self) -> Self:
        """A provider is set whole or not at all, and its answers come to an address that no request can choose."""
        if self.oidc_issuer is None and self.oidc_client_id is None and self.oidc_client_secret is None:
            return self
        if self.oidc_issuer is None or self.oidc_client_id is None or self.oidc_client_secret is None:
            raise ValueError("set OTKLIK_OIDC_ISSUER, OTKLIK_OIDC_CLIENT_ID and OTKLIK_OIDC_CLIENT_SECRET together")
        if not safe_address(self.oidc_issuer):
            raise ValueError("OTKLIK_OIDC_ISSUER must begin with https://")
        if self.public_url is None:
            raise ValueError("OTKLIK_OIDC_ISSUER needs OTKLIK_PUBLIC_URL: the provider sends people back to it")
        return self

    def api_url(self, platform: str) -> str | None:
        """The origin set for a platform's API, if any."""
        value: str | None = getattr(self, f"{platform}_api_url", None)
        return value
