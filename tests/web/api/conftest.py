"""The application over a real database as the web role, and a small region to ask about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from app.appeals.filters import format_number
from app.bootstrap import newest_migration
from app.kernel import log
from app.kernel.live import Live
from app.kernel.parts import WebParts
from app.kernel.vault import WEBHOOKS, Vault
from app.people import service, staff
from app.people.api_tokens import create_service_token
from app.people.rules import Grant, Role
from app.people.sessions import open_session
from app.web.app import create_app
from app.web.deps import session_cookie
from connectors.registry import load
from tests import factories
from tests.web.entrance import KEY, make_entrance

if TYPE_CHECKING:
    from fastapi import FastAPI
    from sqlalchemy.engine import URL

    from app.appeals.models import Appeal
    from app.directory.models import Agency, Territory, Topic
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A town with two agencies that must not see each other, an appeal of each, and whoever comes with a token."""

    town: Territory
    ours: Agency
    theirs: Agency
    topic: Topic
    our_appeal: Appeal
    their_appeal: Appeal
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def our_number(self) -> str:
        """As the API writes it."""
        return format_number(self.our_appeal.number)

    @property
    def their_number(self) -> str:
        """As the API writes it."""
        return format_number(self.their_appeal.number)


@pytest.fixture
def parts(web_db: Database, database_url: URL, clock: FixedClock) -> WebParts:
    """What the web process stands on; nobody listens for news."""
    return make_parts(web_db, database_url, clock)


def make_parts(database: Database, url: URL, clock: FixedClock, *, secure: bool = False, migration: str | None = None) -> WebParts:
    """Parts over this database."""
    return WebParts(
        clock=clock,
        database=database,
        live=Live(url, role="otklik_web"),
        plugins=load(None),
        locale="ru",
        timezone="Europe/Moscow",
        entrance=make_entrance(address="https://otklik.example"),
        secure_cookies=secure,
        public_url="https://otklik.example" if secure else None,
        webhook_hosts="sed.example",
        webhook_vault=Vault(KEY, purpose=WEBHOOKS),
        token_vault=Vault(KEY),
        migration=migration or newest_migration(),
    )


@pytest.fixture
def web(parts: WebParts) -> FastAPI:
    """The application."""
    return create_app(parts)


@pytest.fixture
async def client(web: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Asks it, with nothing in hand."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(web), base_url="http://otklik.example") as http:
        yield http


@pytest.fixture
async def region(owner_db: Database, clock: FixedClock) -> Region:
    """The town, with tokens: `ours`, `theirs` (operators), `coordinator`, `supervisor`, `administrator`."""
    async with owner_db.write() as session:
        town = await factories.make_territory(session, code="town")
        ours = await factories.make_agency(session, territory=town, code="ours", name="Управа Заречья")
        theirs = await factories.make_agency(session, territory=town, code="theirs", name="Водоканал")
        topic = await factories.make_topic(session, code="lights")
        policy = await factories.make_policy(session)
        region = Region(
            town=town,
            ours=ours,
            theirs=theirs,
            topic=topic,
            our_appeal=await _appeal(session, ours, town, clock.now(), "Фонари у школы не горят.", policy),
            their_appeal=await _appeal(session, theirs, town, clock.now(), "Из крана течёт ржавая вода.", policy),
        )
        for name, grant in {
            "ours": Grant(role=Role.OPERATOR, agency_id=ours.id),
            "theirs": Grant(role=Role.OPERATOR, agency_id=theirs.id),
            "coordinator": Grant(role=Role.COORDINATOR, territory_id=town.id),
            "supervisor": Grant(role=Role.SUPERVISOR),
            "administrator": Grant(role=Role.ADMINISTRATOR),
        }.items():
            region.tokens[name] = await create_service_token(session, name=name, grants=[grant], now=clock.now())
    return region


async def _appeal(session, agency, town, now: datetime, words: str, policy) -> Appeal:  # type: ignore[no-untyped-def] # noqa: ANN001
    page = await factories.make_page(session, agency=agency, territory=town)
    post = await factories.make_post(session, page=page)
    comment = await factories.make_comment(session, post=post, text=words)
    appeal = await factories.make_appeal(session, comment=comment, agency=agency, territory=town, due_at=now)
    await factories.make_timer(session, appeal=appeal, policy=policy)
    return appeal


@pytest.fixture
def bearer(region: Region) -> Callable[[str], dict[str, str]]:
    """The header of a token by its name."""
    return lambda name: {"Authorization": f"Bearer {region.tokens[name]}"}


async def sign_in(owner_db: Database, parts: WebParts, *, login: str, grant: Grant) -> dict[str, str]:
    """A person with a browser: its cookies."""
    password = "кедр-и-брусника-7"
    async with owner_db.write() as session:
        await staff.add_operator(session, login=login, name="Анна Ветрова", password=password, grants=[grant], now=parts.clock.now())
    person = await service.authenticate(parts.database, login=login, password=password, address="203.0.113.7", now=parts.clock.now())
    async with parts.database.write(operator_id=person.operator_id) as session:
        token = await open_session(session, operator_id=person.operator_id, now=parts.clock.now(), lasts=parts.entrance.lasts)
    return {session_cookie(parts): token}


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> None:
    """As the program logs; structlog's own default would draw each traceback with all its values."""
    log.set_up(level="WARNING", as_json=True)
