"""A small town on the platform in memory, and the worker's parts that serve it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.appeals import service as appeals
from app.appeals.office import OfficeKeeper
from app.flows import inbound
from app.flows.outbound import Outbound
from app.flows.polling import Poller
from app.people.queries import access_of_operator
from app.people.rules import Role
from app.sla.service import ensure_default_calendar, ensure_default_policy
from app.sources.service import connect_page
from app.triage.models import RoutingRule
from connectors.contract import Credential, Options
from connectors.fake import FakeWorld, fake_plugin
from tests.factories import make_agency, make_operator, make_territory, make_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.people.rules import Access
    from connectors.contract import Connector, PageSnapshot

PIT = "Здравствуйте! Когда засыпят яму на дороге у дома 5 по улице Садовой?"
AGAIN = "А яма на дороге так и стоит, когда почините?"


@dataclass(kw_only=True)
class Town:
    """Everything of one journey."""

    world: FakeWorld
    connector: Connector
    owner: Database
    worker: Database
    web: Database
    clock: FixedClock
    page: str
    agency_id: int
    other_agency_id: int
    operator: Access
    coordinator: Access
    workers: int = 0

    @property
    def platform(self) -> str:
        """The fake's name."""
        return self.world.platform

    def poller(self, name: str = "w1") -> Poller:
        """A worker's poller."""
        return Poller(self.worker, self.platform, self.connector, self.clock, worker=name, time_scale=1)

    def outbound(self, name: str = "w1") -> Outbound:
        """A worker's outbox."""
        return Outbound(self.worker, {self.platform: self.connector}, self.clock, worker=name, time_scale=10_000)

    def pass_time(self, seconds: float = 3) -> None:
        """Let time go by for us and for the platform."""
        self.clock.moment += timedelta(seconds=seconds)

    async def bring_in(self) -> None:
        """Poll when new posts and counters are due, then give fates."""
        self.pass_time(31)
        await self.poller().round()
        await inbound.open_all(self.worker, OfficeKeeper(self.worker, self.clock), self.clock)

    async def answer(self, number: int, words: str) -> int:
        """Queue an answer as the operator, as the web process does; the reply's id."""
        async with self.web.write(operator_id=self.operator.operator_id) as session:
            return await appeals.answer(session, self.operator, number=number, words=words, text_limits={}, now=self.clock.now())


@pytest.fixture(params=["probing", "streaming"])
def style(request: pytest.FixtureRequest) -> str:
    """Both ways in which platforms tell their news."""
    return str(request.param)


@pytest.fixture
def world(style: str, clock: FixedClock) -> FakeWorld:
    """An empty platform."""
    return FakeWorld(style=style, now=clock.now, poll_wait=0.0)  # type: ignore[arg-type]  # a parameter of two words


@dataclass(frozen=True, kw_only=True, slots=True)
class Office:
    """Who works on what comes from one page."""

    agency_id: int
    other_agency_id: int
    operator: Access
    coordinator: Access


async def settle(
    owner: Database, web: Database, *, platform: str, snapshot: PageSnapshot, now: datetime, kinds: Sequence[str] = ("fake",)
) -> Office:
    """Watch a page for an agency: with tokens of these kinds, a rule for roads, default promises, an operator and a coordinator."""
    async with owner.write() as session:
        for kind in kinds:  # the worker of these tests has its own; this is what the screen knows of them
            await session.execute(
                text("INSERT INTO credential (platform, kind, secret) VALUES (:of, :kind, '')"), {"of": platform, "kind": kind}
            )
        territory = await make_territory(session, timezone="Europe/Moscow")
        agency = await make_agency(session, territory=territory)
        other = await make_agency(session, territory=territory, name="Дорожная служба")
        roads = await make_topic(session, name="Дороги", code="roads", terms="ям*=3; дорог*=3; асфальт*=2")
        session.add(RoutingRule(territory_id=territory.id, topic_id=roads.id, agency_id=agency.id))
        await ensure_default_calendar(session, territory_id=territory.id, timezone="Europe/Moscow", now=now)
        await ensure_default_policy(session, territory_id=territory.id, now=now)
        await connect_page(
            session,
            platform=platform,
            snapshot=snapshot,
            agency_id=agency.id,
            territory_id=territory.id,
            sphere_id=None,
            watched_since=now - timedelta(hours=24),
            now=now,
        )
        operator = await make_operator(session, scope=agency)
        coordinator = await make_operator(session, role=Role.COORDINATOR, scope=territory)
    async with web.read() as session:
        access = await access_of_operator(session, operator_id=operator.id)
        coordinating = await access_of_operator(session, operator_id=coordinator.id)
    assert access is not None
    assert coordinating is not None
    return Office(agency_id=agency.id, other_agency_id=other.id, operator=access, coordinator=coordinating)


@pytest.fixture
async def town(world: FakeWorld, owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock) -> Town:
    """One page of one agency on the platform in memory, and its office."""
    page = world.add_page("Садовый. Официально")
    clock.moment = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
    office = await settle(owner_db, web_db, platform=world.platform, snapshot=world.pages[page.external_id], now=clock.now())
    plugin = fake_plugin(world)
    connector = plugin.build(Options(api_url=None, credentials=(Credential(key="1", kind="fake", secret="s"),)))
    return Town(
        world=world,
        connector=connector,
        owner=owner_db,
        worker=worker_db,
        web=web_db,
        clock=clock,
        page=page.external_id,
        agency_id=office.agency_id,
        other_agency_id=office.other_agency_id,
        operator=office.operator,
        coordinator=office.coordinator,
    )


@pytest.fixture
def rows(owner_db: Database) -> Callable[[str], object]:
    """All rows of a query, as the owner sees them."""

    async def read(sql: str) -> list[object]:
        async with owner_db.read() as session:
            return list((await session.execute(text(sql))).all())

    return read


async def asked(town: Town) -> str:
    """A first question that has been read; its id on the platform."""
    post = town.world.write_post(town.page, "Дороги")
    comment = town.world.write_comment(post, PIT, author="Олег")
    await town.bring_in()
    return comment


def post_of(town: Town) -> str:
    return next(iter(town.world.posts))
