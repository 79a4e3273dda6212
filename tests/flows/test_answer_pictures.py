"""Pictures go with an answer through the real SDKs to the platforms' stand-ins: they stand once, whatever happens on the way."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals import amending as amendments, pictures, service as appeals
from app.appeals.office import OfficeKeeper
from app.appeals.pictures import Chosen, PictureLimits
from app.flows import inbound
from app.flows.amending import Amending
from app.flows.outbound import Outbound
from app.flows.polling import Poller
from app.kernel.clock import SystemClock
from app.kernel.errors import InvalidError
from app.replies.amending import Change
from connectors.contract import Credential, Options
from connectors.sandbox.server import running
from connectors.telegram import plugin as telegram
from connectors.vk import plugin as vk
from tests.app.media.test_pictures import picture
from tests.connectors.staging import World
from tests.flows.conftest import PIT, Office, settle

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from app.kernel.db import Database
    from connectors.contract import Connector, Plugin

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(120)]
SCALE = 50.0
BOT = "4200:AAF-never-a-real-one_0123456789abcd"
PLUGINS: dict[str, Plugin] = {"vk": vk, "telegram": telegram}
PICTURES = (picture("PNG", size=(40, 30)), picture("JPEG", size=(30, 40)))
LIMITS = {"poll_seconds": 0.0, "chat_per_second": 1000, "group_per_minute": 1000}


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One page on a stand-in, its office, and a worker's hands."""

    platform: str
    world: World
    connector: Connector
    office: Office
    worker: Database
    web: Database
    clock: SystemClock
    rows: Rows

    async def ask(self, words: str = PIT, author: str = "Вера") -> int:
        """A citizen asks, and it is read; the number of their appeal."""
        await self.world.post("/world/comments", platform=self.platform, page="town", author=author, text=words)
        await Poller(self.worker, self.platform, self.connector, self.clock, worker="w", time_scale=1000).round()
        await inbound.open_all(self.worker, OfficeKeeper(self.worker, self.clock), self.clock)
        return int((await self.rows("SELECT number FROM appeal ORDER BY id DESC LIMIT 1"))[0].number)

    async def answer(self, number: int, words: str, files: Sequence[bytes] = PICTURES) -> None:
        """As the web process does."""
        who = self.office.operator
        made = await pictures.drawn(files, PictureLimits())
        async with self.web.write(operator_id=who.operator_id) as session:
            chosen = await pictures.keep(session, who, made, PictureLimits().taken(PLUGINS), now=self.clock.now())
            await appeals.answer(session, who, number=number, words=words, text_limits={}, pictures=chosen, now=self.clock.now())

    async def publish(self) -> None:
        """A worker's rounds until nothing is due."""
        hands: dict[str, Any] = {"worker": "w", "time_scale": 1000.0}
        outbound = Outbound(self.worker, {self.platform: self.connector}, self.clock, **hands)
        amending = Amending(self.worker, {self.platform: self.connector}, self.clock, **hands)
        while await outbound.send_due() + await amending.round():
            pass

    async def stands(self) -> list[tuple[str, int]]:
        """What stands there: the words of each answer, and how many pictures it has."""
        answers = (await self.world.get("/truth"))["answers"]
        return [(one["text"], len(one["pictures"])) for one in answers if one["deleted_at"] is None]

    async def fault(self, method: str, kind: str) -> None:
        """Of the next call of a method."""
        await self.world.post("/faults", platform=self.platform, method=method, kind=kind)


@asynccontextmanager
async def scene_on(platform: str, owner_db: Database, worker_db: Database, web_db: Database, rows: Rows) -> AsyncIterator[Scene]:
    clock = SystemClock()
    with running(time_scale=SCALE) as sandbox:
        world = World(sandbox.url)
        if platform == "vk":
            await world.post("/world/pages", platform="vk", page="town", id=4242, title="Посёлок")
            kinds = ("service", "community", "user")
            for kind in kinds:
                await world.post("/world/tokens", platform="vk", kind=kind, token=f"made-up-{kind}", page="town")
            credentials = tuple(
                Credential(key=kind, kind=kind, secret=f"made-up-{kind}", page_external_id=None if kind == "service" else "-4242")
                for kind in kinds
            )
        else:
            await world.post("/world/pages", platform="telegram", page="town", discussion="town_talk", title="Посёлок")
            await world.post(
                "/world/tokens", platform="telegram", token=BOT, username="town_bot", can_read_all_group_messages=True, pages=["town"]
            )
            credentials = (Credential(key="bot", kind="bot", secret=BOT),)
        options = Options(api_url=sandbox.url, credentials=credentials, time_scale=SCALE, timeout=2.0, limits=LIMITS)
        connector = PLUGINS[platform].build(options)
        page = await connector.describe_page("https://vk.com/town" if platform == "vk" else "https://t.me/town")
        office = await settle(owner_db, web_db, platform=platform, snapshot=page, now=clock.now(), kinds=[one.kind for one in credentials])
        await world.post("/world/posts", platform=platform, page="town", text="Дороги")
        yield Scene(
            platform=platform, world=world, connector=connector, office=office, worker=worker_db, web=web_db, clock=clock, rows=rows
        )  # fmt: skip
        await connector.close()
        await world.close()


@pytest.fixture
async def scene(
    request: pytest.FixtureRequest, owner_db: Database, worker_db: Database, web_db: Database, rows: Rows
) -> AsyncIterator[Scene]:
    async with scene_on(request.param, owner_db, worker_db, web_db, rows) as made:
        yield made


@pytest.mark.parametrize("scene", ["vk", "telegram"], indirect=True)
async def test_an_answer_with_pictures_stands_once_and_keeps_them(scene: Scene) -> None:
    """As one, with the words changed afterwards too; lost on its way it is found, or before a person, and never twice."""
    first = await scene.ask()
    await scene.answer(first, "Засыпем завтра.")
    await scene.publish()
    assert await scene.stands() == [("Засыпем завтра.", 2)]
    (kept,) = await scene.rows("SELECT state, cardinality(parts) AS parts FROM reply")
    assert (kept.state, kept.parts) == ("sent", 2 if scene.platform == "telegram" else 0)
    who = scene.office.operator
    async with scene.web.write(operator_id=who.operator_id) as session:
        await amendments.amend(
            session, who, reply_id=1, change=Change.EDIT, words="Засыпем в пятницу.", reason="Другой день", plugins=PLUGINS,
            now=scene.clock.now(),
        )  # fmt: skip
    await scene.publish()
    assert await scene.stands() == [("Засыпем в пятницу.", 2)]

    second = await scene.ask("А яма на дороге у школы?", "Олег")
    await scene.answer(second, "И там засыпем.")
    if scene.platform == "vk":  # the upload fails at first, may be repeated, and is no act
        await scene.fault("upload", "disconnect")
        await scene.fault("photos.saveWallPhoto", "malformed")
    await scene.fault("wall.createComment" if scene.platform == "vk" else "sendMediaGroup", "disconnect")
    for _ in range(4):
        await scene.publish()
        async with scene.worker.write() as session:
            await session.execute(text("UPDATE reply SET due_at = now() - interval '1 second' WHERE state = 'queued'"))
    assert sorted(await scene.stands()) == [("Засыпем в пятницу.", 2), ("И там засыпем.", 2)]
    states = [row.state for row in await scene.rows("SELECT state FROM reply ORDER BY id")]
    assert states == ["sent", "sent" if scene.platform == "vk" else "uncertain"]


@pytest.mark.parametrize("scene", ["telegram"], indirect=True)
async def test_pictures_follow_a_long_answer_as_an_act_of_their_own(scene: Scene, rows: Rows) -> None:
    """The clock stops with the words. Pictures whose fate nobody knows go before a person, and are not sent again by themselves."""
    words = "Ответ: " + "яму засыпем. " * 100
    number = await scene.ask()
    await scene.answer(number, words)
    await scene.fault("sendMediaGroup", "disconnect")
    await scene.publish()
    await scene.publish()
    assert await scene.stands() == [(words.strip(), 2)]
    assert [tuple(row) for row in await rows("SELECT state FROM reply")] == [("sent",)]
    assert [tuple(row) for row in await rows("SELECT change, state, attempts FROM amendment")] == [("attach", "uncertain", 1)]
    assert [row.status for row in await rows("SELECT status FROM appeal")] == ["answered"]

    again = await scene.ask("А яма на дороге у школы?", "Олег")
    await scene.answer(again, words, PICTURES[:1])
    await scene.publish()
    assert (await scene.stands())[-1] == (words.strip(), 1)
    (late,) = await rows("SELECT m.state, r.parts, r.external_id FROM amendment m JOIN reply r ON r.id = m.reply_id WHERE m.id = 2")
    assert (late.state, len(late.parts)) == ("done", 1)
    assert late.external_id not in late.parts
    acts = [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")]
    assert acts[-1] == "pictures_sent"


@pytest.mark.parametrize("scene", ["vk"], indirect=True)
async def test_what_cannot_go_is_refused_before_it_is_queued(scene: Scene, rows: Rows) -> None:
    """More than the platform takes, somebody else's, one that is put to another answer; nothing is left half done."""
    number = await scene.ask()
    with pytest.raises(InvalidError) as refused:
        await scene.answer(number, "Засыпем.", PICTURES * 2)
    assert refused.value.code == "picture.many"
    other = scene.office.coordinator
    async with scene.web.write(operator_id=other.operator_id) as session:
        (made,) = await pictures.drawn(PICTURES[:1], PictureLimits())
        foreign = await pictures.bring(session, other, made, now=scene.clock.now())
        assert await pictures.bring(session, other, made, now=scene.clock.now()) == foreign  # the same bytes once more
    who, taken = scene.office.operator, PictureLimits().taken(PLUGINS)
    for chosen in (Chosen(ids=[foreign], taken=taken), Chosen(ids=[foreign], taken={})):
        with pytest.raises(InvalidError):
            async with scene.web.write(operator_id=who.operator_id) as session:
                await appeals.answer(
                    session, who, number=number, words="Засыпем.", text_limits={}, pictures=chosen, now=scene.clock.now()
                )  # fmt: skip
    assert await rows("SELECT id FROM reply") == []
    assert [tuple(row) for row in await rows("SELECT operator_id, reply_id FROM reply_picture")] == [(other.operator_id, None)]
