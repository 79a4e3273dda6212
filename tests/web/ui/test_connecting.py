"""A page is connected step by step: asked about, told of with what is missing, and watched for an agency within reach."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.flows.connecting import take_intakes
from app.web.ui import labels
from connectors.contract import Options
from connectors.fake import FakeWorld, fake_plugin
from connectors.pages import AbilityCheck
from connectors.registry import load

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from connectors.contract import Connector
    from tests.web.ui.conftest import Browser, Enter, Town

PATH = "/pages/connect"


@pytest.fixture
def world() -> FakeWorld:
    """A platform with one page."""
    made = FakeWorld(platform="vk")
    made.add_page("Город", external_id="77", members=120)
    return made


def connectors(world: FakeWorld) -> dict[str, Connector]:
    return {"vk": fake_plugin(world).build(Options(api_url=None, credentials=()))}


async def work(worker_db: Database, clock: FixedClock, held: dict[str, Connector]) -> None:
    """What the job does."""
    await take_intakes(worker_db, held, clock, context=timedelta(hours=24))


async def at_step(browser: Browser, link: str) -> str:
    """Ask about a page as a tab of its own does; where that tab is then."""
    answer = await browser.post(PATH, at=PATH, platform="vk", link=link)
    assert answer.status_code == 303
    return str(answer.headers["location"])


def intake_of(page: str) -> str:
    """The page on its way that a form of this screen is of."""
    (found,) = set(re.findall(r'name="intake" value="(\d+)"', page))
    return str(found)


async def test_two_tabs_connect_two_pages_each_its_own(
    enter: Enter, town: Town, worker_db: Database, owner_db: Database, clock: FixedClock, world: FakeWorld
) -> None:
    """What was chosen in the first tab was done to the page of the second."""
    world.add_page("Посёлок", external_id="88")
    coordinator, administrator = await enter("coordinator"), await enter("administrator")
    first, second = await at_step(coordinator, "https://vk.example/77"), await at_step(coordinator, "https://vk.example/88")
    await work(worker_db, clock, connectors(world))
    tabs = [(await coordinator.get(tab)).text for tab in (first, second)]
    assert [("/77" in page, "/88" in page) for page in tabs] == [(True, False), (False, True)]
    intakes = [intake_of(page) for page in tabs]
    await administrator.post(f"{PATH}/agency", at=PATH, agency=town.theirs.id, intake=intakes[0])  # it is nobody else's
    assert "/77" not in (await administrator.get(first)).text
    answer = await coordinator.post(f"{PATH}/again", at=first, intake=intakes[0])
    assert answer.headers["location"] == first
    await work(worker_db, clock, connectors(world))
    for intake, agency in zip(intakes, (town.ours, town.theirs), strict=True):
        refused = await coordinator.post(f"{PATH}/agency", at=PATH, agency=10**9, intake=intake)
        assert intake_of(refused.text) == intake
        await coordinator.post(f"{PATH}/agency", at=PATH, agency=agency.id, intake=intake)
    await work(worker_db, clock, connectors(world))
    async with owner_db.read() as session:
        found = await session.execute(text("SELECT external_id, agency_id FROM page WHERE external_id IN ('77', '88') ORDER BY 1"))
        assert [tuple(row) for row in found] == [("77", town.ours.id), ("88", town.theirs.id)]


async def test_from_an_address_to_a_watched_page(
    enter: Enter, town: Town, worker_db: Database, owner_db: Database, clock: FixedClock, world: FakeWorld
) -> None:
    coordinator = await enter("coordinator")
    assert (await coordinator.post(PATH, at=PATH, platform="vk", link=" ")).status_code == 422
    assert (await coordinator.post(PATH, at=PATH, platform="vk", link="https://vk.example/77")).status_code == 303
    assert "Спрашиваем площадку" in (await coordinator.get(PATH)).text
    world.checks["77"] = (AbilityCheck(ability="read", state="no", code="token_kind", token_kinds=("service",)),)
    await work(worker_db, clock, connectors(world))
    blocked = (await coordinator.get(PATH)).text
    assert "Возьмите сервисный ключ" in blocked
    assert "connect-agency" not in blocked, "of a page that nobody can read nothing would come"
    world.checks.clear()
    intake = intake_of(blocked)
    await coordinator.post(f"{PATH}/again", at=PATH, intake=intake)
    await work(worker_db, clock, connectors(world))
    assert "connect-agency" in (await coordinator.get(PATH)).text
    foreign = await coordinator.post(f"{PATH}/agency", at=PATH, agency=10**9, intake=intake)
    assert foreign.status_code == 422
    await coordinator.post(f"{PATH}/agency", at=PATH, agency=town.ours.id, intake=intake)
    for _ in range(2):
        await work(worker_db, clock, connectors(world))
    assert "Страница подключена" in (await coordinator.get(PATH)).text
    async with owner_db.write() as session:
        await session.execute(text("""UPDATE page_intake SET told = told || '{"options": {"dialogs": "yes"}}'"""))
    of_bot = (await coordinator.get(PATH)).text
    assert "Бот подключён" in of_bot
    assert "Страница подключена" not in of_bot, "private messages are off until somebody switches them on"
    async with owner_db.read() as session:
        row = (await session.execute(text("SELECT agency_id, watched_since, active FROM page WHERE external_id = '77'"))).one()
        assert (row.agency_id, row.watched_since, row.active) == (town.ours.id, clock.now() - timedelta(hours=24), True)
        said = await session.scalar(text("SELECT count(*) FROM audit_entry WHERE act = 'page.connected'"))
    assert said == 1
    await coordinator.post(PATH, at=PATH, platform="vk", link="https://vk.example/77")
    await work(worker_db, clock, connectors(world))
    assert "уже подключена" in (await coordinator.get(PATH)).text


@pytest.mark.usefixtures("town")
async def test_a_platform_without_a_token_and_a_page_that_is_gone_are_told(
    enter: Enter, worker_db: Database, clock: FixedClock, world: FakeWorld
) -> None:
    coordinator = await enter("coordinator")
    for held, link, said in (
        ({}, "https://vk.example/77", "Токенов этой площадки пока нет"),
        (connectors(world), "nobody", "Такой страницы нет"),
    ):
        await coordinator.post(PATH, at=PATH, platform="vk", link=link)
        await work(worker_db, clock, held)
        assert said in (await coordinator.get(PATH)).text
    assert (await (await enter("operator")).get(PATH)).status_code == 403


def test_each_platform_says_which_tokens_it_needs() -> None:
    plugins = load(None)
    assert set(labels.TABLES["tokens_needed"]) == set(plugins)
    kinds = {kind for plugin in plugins.values() for capability in plugin.capabilities for kind in capability.token_kinds}
    assert kinds == set(labels.TABLES["token_kind"])  # and each kind goes by its name
