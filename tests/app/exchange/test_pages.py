"""Pages are watched from a moment on; platforms are asked only about what is not known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import pytest
from sqlalchemy import text

from app.exchange.agencies import import_agencies
from app.exchange.credentials import add_credential, list_credentials, open_credentials, revoke_credential
from app.exchange.page_names import PageNames, screen_name
from app.exchange.pages import Platforms, import_pages, list_pages
from app.exchange.table import ImportFaultsError
from app.exchange.territories import import_spheres, import_territories
from app.kernel.errors import InvalidError, SetupError
from app.kernel.vault import Vault, open_vault
from connectors.contract import AccessLost, Credential, Options, PageSnapshot, Rejected, TryLater
from connectors.fake import FakeWorld, fake_plugin
from connectors.fake.connector import ProbingConnector
from connectors.pages import PageFacts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from app.exchange.result import Imported
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from connectors.contract import ConnectorError
    from connectors.fake.world import Style

HEAD = "platform,link,external_id,title,agency,territory,sphere\n"
CONTEXT = timedelta(hours=24)


@pytest.fixture
async def region(owner_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        await import_territories(session, b"code,parent,name,timezone\nr,,R,Asia/Omsk\n", now=clock.now())
        await import_agencies(session, b"code,parent,territory,name\na,,r,A\nb,,r,B\n", now=clock.now())
        await import_spheres(session, b"code,name\nhealth,H\n", now=clock.now())


def platforms(world: FakeWorld, *, tokens: bool = True) -> Platforms:
    plugin = fake_plugin(world)
    credentials = (Credential(key="7", kind="fake", secret="x"),)
    connectors = {"fake": plugin.build(Options(api_url=None, credentials=credentials))} if tokens else {}
    return Platforms(plugins={"fake": plugin}, connectors=connectors)


def fake_world(style: Style = "probing") -> FakeWorld:
    world = FakeWorld(style=style)
    for number in ("1", "2"):
        world.pages[number] = PageSnapshot(
            external_id=number,
            title=f"Страница {number}",
            link=f"https://fake.example/{number}",
            members=5,
            options={"group": f"-{number}"},
        )
    return world


async def load(owner_db: Database, clock: FixedClock, world: FakeWorld, rows: str, *, tokens: bool = True, **options: bool) -> Imported:
    return await import_pages(
        owner_db, (HEAD + rows).encode(), platforms=platforms(world, tokens=tokens), context=CONTEXT, now=clock.now(), **options
    )


async def feeds(owner_db: Database) -> list[tuple[str, str | None]]:
    async with owner_db.read() as session:
        rows = await session.execute(text("SELECT f.key, p.external_id FROM feed f LEFT JOIN page p ON p.id = f.page_id ORDER BY f.key"))
        return [(row.key, row.external_id) for row in rows]


@pytest.mark.usefixtures("region")
async def test_a_link_is_enough_when_the_platform_can_be_asked(owner_db: Database, clock: FixedClock) -> None:
    result = await load(
        owner_db, clock, fake_world(), "fake,https://fake.example/1,,,a,r,health\nfake,https://fake.example/2,,Своё имя,b,r,\n"
    )
    assert (result.added, result.written) == (2, True)
    async with owner_db.read() as session:
        first, second = await list_pages(session, now=clock.now())
        row = (await session.execute(text("SELECT options, members FROM page WHERE external_id = '1'"))).one()
    assert {first.title, second.title} == {"Страница 1", "Своё имя"}
    assert (row.options, row.members) == ({"group": "-1"}, 5)
    assert first.watched_since == clock.now() - CONTEXT
    assert await feeds(owner_db) == [("1", "1"), ("2", "2")]


@pytest.mark.usefixtures("region")
async def test_a_second_time_nothing_is_asked_and_the_first_moment_stays(owner_db: Database, clock: FixedClock) -> None:
    world = fake_world()
    rows = "fake,https://fake.example/1,,,a,r,health\n"
    await load(owner_db, clock, world, rows)
    since = clock.now() - CONTEXT
    clock.moment += timedelta(days=3)
    world.pages.clear()
    again = await load(owner_db, clock, world, rows)
    assert (again.added, again.changed, again.same) == (0, 0, 1)
    moved = await load(owner_db, clock, world, "fake,https://fake.example/1,,,b,r,health\n")
    assert (moved.added, moved.changed) == (0, 1)
    async with owner_db.read() as session:
        (page,) = await list_pages(session, now=clock.now())
    assert (page.agency, page.watched_since, page.title) == ("b", since, "Страница 1")
    with pytest.raises(ImportFaultsError, match="does not tell"):
        await load(owner_db, clock, world, rows, refresh=True)


@pytest.mark.usefixtures("region")
async def test_an_id_and_a_title_need_no_token_but_a_stream_does(owner_db: Database, clock: FixedClock) -> None:
    rows = "fake,https://fake.example/1,1,Имя,a,r,\n"
    assert (await load(owner_db, clock, fake_world(), rows, tokens=False)).added == 1
    with pytest.raises(ImportFaultsError, match="otklik credentials add --platform fake"):
        await load(owner_db, clock, fake_world("streaming"), "fake,https://fake.example/2,2,Имя,a,r,\n", tokens=False)


@pytest.mark.usefixtures("region")
async def test_a_page_that_the_file_describes_is_asked_about_when_wanted(owner_db: Database, clock: FixedClock) -> None:
    rows = "fake,https://fake.example/1,1,Имя,a,r,\n"
    for refresh, members in ((False, None), (True, 5)):
        await load(owner_db, clock, fake_world(), rows, refresh=refresh)
        async with owner_db.read() as session:
            (page,) = await list_pages(session, now=clock.now())
        assert (page.title, page.members) == ("Имя", members)


@pytest.mark.usefixtures("region")
async def test_a_platform_that_is_busy_is_asked_again_and_a_long_pause_is_told(owner_db: Database, clock: FixedClock) -> None:
    """A worker that reads with the same token may have taken the second's share of calls."""
    world = fake_world()
    world.fail("describe_page", TryLater("rate", "Too many requests per second", after=timedelta(0)))
    assert (await load(owner_db, clock, world, "fake,https://fake.example/1,,,a,r,\n")).added == 1
    world.fail("describe_page", TryLater("quota", "the day's share is used up", after=timedelta(hours=5)))
    with pytest.raises(ImportFaultsError, match="the day's share is used up"):
        await load(owner_db, clock, world, "fake,https://fake.example/2,,,a,r,\n")


@pytest.mark.usefixtures("region")
async def test_pages_of_a_stream_share_the_feed_of_their_token(owner_db: Database, clock: FixedClock) -> None:
    await load(owner_db, clock, fake_world("streaming"), "fake,https://fake.example/1,,,a,r,\nfake,https://fake.example/2,,,a,r,\n")
    assert await feeds(owner_db) == [("7", None)]


@pytest.mark.usefixtures("region")
async def test_every_fault_is_told_and_nothing_is_written(owner_db: Database, clock: FixedClock) -> None:
    world = fake_world()
    with pytest.raises(ImportFaultsError) as refused:
        await load(owner_db, clock, world, "moon,https://x/1,,,a,r,\nfake,,,,a,r,\nfake,https://fake.example/1,,,nobody,nowhere,nothing\n")
    assert [fault.line for fault in refused.value.faults] == [2, 3, 4, 4, 4]
    with pytest.raises(ImportFaultsError) as refused:
        await load(
            owner_db, clock, world,
            "fake,https://fake.example/9,,,a,r,\nfake,https://fake.example/1,2,,a,r,\n"
            "fake,https://fake.example/2,,,a,r,\nfake,https://www.fake.example/2/,,,a,r,\n",
        )  # fmt: skip
    told = {fault.line: fault.text for fault in refused.value.faults}
    assert "gone" in told[2]
    assert "external_id is 2" in told[3]
    for link in ("javascript:alert(1)", "file:///etc/passwd"):
        with pytest.raises(ImportFaultsError, match="leads to no page"):
            await load(owner_db, clock, world, f"fake,{link},2,Имя,a,r,\n")
    with pytest.raises(ImportFaultsError, match="line 2 too"):
        await load(owner_db, clock, world, "fake,https://fake.example/2,,,a,r,\nfake,https://www.fake.example/2/,,,a,r,\n")
    async with owner_db.read() as session:
        assert await list_pages(session, now=clock.now()) == []


@pytest.mark.usefixtures("region")
async def test_a_platform_that_is_down_is_told(owner_db: Database, clock: FixedClock) -> None:
    world = fake_world()
    world.fail("describe_page", AccessLost("reauthorise", "token is gone"))
    with pytest.raises(ImportFaultsError, match="reauthorise"):
        await load(owner_db, clock, world, "fake,https://fake.example/1,,,a,r,\n")


@pytest.mark.usefixtures("region")
async def test_a_page_is_found_by_each_of_its_names(owner_db: Database, clock: FixedClock) -> None:
    await load(owner_db, clock, fake_world(), "fake,https://fake.example/Town_Hall,-77,Имя,a,r,\n")
    async with owner_db.read() as session:
        names = await PageNames.load(session)
    for name in (
        "fake:-77",
        "fake:town_hall",
        "https://fake.example/Town_Hall",
        "fake.example/town_hall/",
        "http://www.fake.example/Town_Hall",
    ):
        assert names.find(name) is not None, name
    for name in ("fake:77", "vk:town_hall", "", "https://other.example/Town_Hall"):
        assert names.find(name) is None, name
    assert screen_name("https://t.me/@channel/") == "channel"


async def test_tokens_are_sealed_listed_without_secrets_and_revoked(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    vault, plugin = Vault("k" * 32), fake_plugin(FakeWorld())
    async with owner_db.write() as session:
        number = await add_credential(session, vault, plugin, kind="fake", secret=" s3cret\n", page_id=None, now=clock.now())
        for kind, secret in (("user", "x"), ("fake", "  "), ("fake", "a\nb")):
            with pytest.raises(InvalidError):
                await add_credential(session, vault, plugin, kind=kind, secret=secret, page_id=None, now=clock.now())
    async with owner_db.read() as session:
        stored = (await session.execute(text("SELECT secret FROM credential"))).scalar_one()
        assert b"s3cret" not in stored
        assert "s3cret" not in repr(await list_credentials(session))
    async with worker_db.read() as session:
        opened = await open_credentials(session, vault)
        assert [(one.key, one.kind, one.secret) for one in opened["fake"]] == [(str(number), "fake", "s3cret")]
        with pytest.raises(SetupError, match="another key"):
            await open_credentials(session, Vault("z" * 32))
        assert "fake" in await open_credentials(session, Vault(f"{'z' * 32},{'k' * 32}")), "an old key still opens"
    async with owner_db.write() as session:
        assert await revoke_credential(session, credential_id=number, now=clock.now())
        assert not await revoke_credential(session, credential_id=number, now=clock.now())
        assert await open_credentials(session, vault) == {}


def test_the_key_file_is_made_once_and_only_for_us(tmp_path: Path) -> None:
    first = open_vault(None, tmp_path / "var")
    assert (tmp_path / "var" / "secret.key").stat().st_mode & 0o777 == 0o600
    assert open_vault(None, tmp_path / "var").open(first.seal("x")) == "x"
    assert [path.name for path in (tmp_path / "var").iterdir()] == ["secret.key"]
    (tmp_path / "var" / "secret.key").write_bytes(b"\xff")
    for given, folder in ((None, tmp_path / "var"), ("short", tmp_path), (None, tmp_path / "var" / "secret.key")):
        with pytest.raises(SetupError):
            open_vault(given, folder)


@pytest.mark.usefixtures("region")
async def test_many_links_are_asked_about_at_once_and_each_line_has_its_outcome(owner_db: Database, clock: FixedClock) -> None:
    world = fake_world()
    known = [PageFacts(external_id=one.external_id, title=one.title, link=one.link, members=one.members) for one in world.pages.values()]

    class Telling(ProbingConnector):
        pages_limit = 2
        calls: ClassVar[list[list[str]]] = []

        async def tell_pages(self, names: Sequence[str]) -> Mapping[str, PageFacts | ConnectorError]:
            self.calls.append(list(names))
            return {name: next((one for one in known if one.link == name), Rejected("gone", name)) for name in names}

    plugin = fake_plugin(world)
    telling = Platforms(plugins={"fake": plugin}, connectors={"fake": Telling(world, Options(api_url=None, credentials=()))})
    rows = "".join(f"fake,https://fake.example/{one},,,a,r,\n" for one in (1, 2, "gone"))
    with pytest.raises(ImportFaultsError, match="gone") as refused:
        await import_pages(owner_db, (HEAD + rows).encode(), platforms=telling, context=CONTEXT, now=clock.now())
    assert [fault.line for fault in refused.value.faults] == [4]
    assert [len(names) for names in Telling.calls] == [2, 1]
    assert world.calls["describe_page"] == 0
    result = await import_pages(owner_db, (HEAD + rows).encode(), platforms=telling, context=CONTEXT, now=clock.now(), leave_out=True)
    assert (result.added, [(one.line, "gone" in one.text) for one in result.left_out]) == (2, [(4, True)])
