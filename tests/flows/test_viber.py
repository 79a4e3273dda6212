"""What citizens write to a bot on Viber: pushed by the stand-in over HTTP to the web process, signed; answered in the dialog, once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import uvicorn
from sqlalchemy import text

from app.appeals import service as appeals
from app.appeals.office import OfficeKeeper
from app.exchange.credentials import add_credential
from app.flows import inbound
from app.flows.outbound import Outbound
from app.flows.polling import Poller
from app.flows.pushing import take_pushed
from app.kernel.clock import SystemClock
from app.kernel.vault import Vault
from app.sources.hooks import add_hook
from app.web.app import create_app
from connectors.contract import Credential, Options, PageRef, RegistersPush
from connectors.sandbox.server import running
from connectors.sandbox.viber.events import SIGNATURE_HEADER, signature
from connectors.viber import plugin
from tests.connectors.staging import World, eventually
from tests.flows.conftest import PIT, Office, settle
from tests.flows.test_private_messages import switched
from tests.web.api.conftest import make_parts
from tests.web.entrance import KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from fastapi import FastAPI
    from sqlalchemy import URL

    from app.kernel.db import Database
    from connectors.contract import Connector

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]
TOKEN, SCALE = "made-up-token-of-viber", 50.0


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The application on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await task


@dataclass(kw_only=True)
class Bot:
    """A bot of the stand-in, connected as a page and pushed for."""

    world: World
    owner: Database
    worker: Database
    web: Database
    connector: Connector
    office: Office
    page_id: int
    dialog: str
    address: str
    clock: SystemClock = field(default_factory=SystemClock)

    async def write(self, words: str) -> None:
        """Vera writes; what is pushed is stored."""
        await self.world.post("/world/comments", platform="viber", page="answers", post_id=self.dialog, author="Вера", text=words)
        assert await eventually(self._pushed)
        await self.take()

    async def _pushed(self) -> bool:
        async with self.owner.read() as session:
            return bool(
                await session.scalar(text("SELECT count(*) FROM pushed_event WHERE handled_at IS NULL AND event_id LIKE 'message:%'"))
            )

    async def take(self) -> None:
        """As the worker does."""
        await take_pushed(self.worker, {"viber": self.connector}, self.clock)
        await inbound.open_all(self.worker, OfficeKeeper(self.worker, self.clock), self.clock)

    async def answer(self, number: int, words: str) -> None:
        """An operator answers, the worker sends."""
        operator = self.office.operator
        async with self.web.write(operator_id=operator.operator_id) as session:
            await appeals.answer(session, operator, number=number, words=words, text_limits={}, now=self.clock.now())
        await Outbound(self.worker, {"viber": self.connector}, self.clock, worker="w", time_scale=SCALE).send_due()

    async def stands(self) -> list[str]:
        """The answers that stand in the dialog."""
        return [one["text"] for one in (await self.world.get("/truth"))["answers"]]


@pytest.fixture
async def bot(owner_db: Database, worker_db: Database, web_db: Database, database_url: URL) -> AsyncIterator[Bot]:
    """Connected, its token stored, its webhook set by the connector; private messages are off, as after every connecting."""
    clock = SystemClock()
    parts = make_parts(web_db, database_url, clock)  # type: ignore[arg-type]  # the wall clock will do
    with running(time_scale=SCALE) as sandbox:
        async with served(create_app(parts)) as here:
            world = World(sandbox.url)
            await world.post("/world/pages", platform="viber", page="answers", id=6244, title="Ответы")
            await world.post("/world/tokens", platform="viber", token=TOKEN, page="answers")
            dialog = (await world.post("/world/posts", platform="viber", page="answers", text="Диалог"))["id"]
            async with owner_db.write() as session:
                number = await add_credential(session, Vault(KEY), plugin, kind="bot", secret=TOKEN, page_id=None, now=clock.now())
            credential = Credential(key=str(number), kind="bot", secret=TOKEN)
            limits = {"poll_seconds": 0.0}
            connector = plugin.build(Options(api_url=sandbox.url, credentials=(credential,), time_scale=SCALE, limits=limits))
            page = await connector.describe_page("viber://pa?chatURI=answers")
            office = await settle(owner_db, web_db, platform="viber", snapshot=page, now=clock.now())
            async with owner_db.write() as session:
                page_id = int(await session.scalar(text("SELECT id FROM page")) or 0)
                await add_hook(session, page_id=page_id, confirmation="", now=clock.now(), signed=True)
            assert isinstance(connector, RegistersPush)
            address = f"{here}/hooks/viber/{page.external_id}"
            await connector.register_push(PageRef(external_id=page.external_id, options=page.options), address)
            yield Bot(
                world=world, owner=owner_db, worker=worker_db, web=web_db, connector=connector, office=office, page_id=page_id,
                dialog=dialog, address=address,
            )  # fmt: skip
            await connector.close()
            await world.close()


async def test_a_message_opens_an_appeal_and_is_answered_once(bot: Bot, rows: Rows) -> None:
    """What was written before the switch is never brought in; an event told twice counts once; the answer goes to the person."""
    await bot.write("А фонари когда?")
    assert await rows("SELECT id FROM comment") == []
    await switched(bot.owner, bot.web, bot.page_id, is_on=True)
    await bot.write(PIT)
    await bot.write("И у школы тоже яма на дороге.")
    assert [tuple(row) for row in await rows("SELECT text, fate FROM comment ORDER BY id")] == [
        (PIT, "opened"), ("И у школы тоже яма на дороге.", "appended"),
    ]  # fmt: skip
    ((number,),) = await rows("SELECT number FROM appeal")
    await bot.answer(number, "Засыпем завтра.")
    assert await bot.stands() == ["Засыпем завтра."]
    assert [tuple(row) for row in await rows("SELECT status, platform FROM appeal")] == [("answered", "viber")]


async def test_only_what_the_bot_s_own_token_signed_is_let_in_and_once(bot: Bot, rows: Rows) -> None:
    """Another token, a changed byte, no signature: refused alike, and nothing is kept. A revoked token signs no more."""
    await switched(bot.owner, bot.web, bot.page_id, is_on=True)
    await bot.world.post("/world/comments", platform="viber", page="answers", post_id=bot.dialog, author="Вера", text=PIT)
    assert await eventually(bot._pushed)
    ((body,),) = await rows("SELECT body FROM pushed_event WHERE event_id LIKE 'message:%'")
    good = signature(bytes(body), TOKEN)
    async with httpx.AsyncClient(trust_env=False) as http:

        async def told(content: bytes, signed: str | None, address: str = bot.address) -> int:
            headers = {} if signed is None else {SIGNATURE_HEADER: signed}
            return (await http.post(address, content=content, headers=headers)).status_code

        for content, signed, address in (
            (bytes(body), signature(bytes(body), "another"), bot.address),
            (bytes(body), None, bot.address),
            (bytes(body), "ё", bot.address),
            (bytes(body).replace(b"message_token", b"message_token "), good, bot.address),
            (bytes(body), good, f"{bot.address}9"),
        ):
            assert await told(content, signed and signed.encode("latin-1", "replace").decode("latin-1"), address) == 403
        assert [await told(bytes(body), sent) for sent in (good, good.upper())] == [200, 200]
        await bot.take()
        assert await told(bytes(body), good) == 200
        await bot.take()
        assert [tuple(row) for row in await rows("SELECT text, fate FROM comment")] == [(PIT, "opened")]
        async with bot.owner.write() as session:
            await session.execute(text("UPDATE credential SET revoked_at = now()"))
        assert await told(bytes(body), good) == 403


async def test_the_web_process_is_told_no_token_but_of_a_page_that_signs(bot: Bot) -> None:
    """Nor anything while somebody is signed in, nor once the hook is of the ordinary kind, or gone."""
    asked = text("SELECT page_id FROM otklik_signers('viber', 'pa:6244')")

    async def signers(operator_id: int | None = None) -> list[int]:
        async with bot.web.read(operator_id=operator_id) as session:
            return list((await session.scalars(asked)).all())

    assert await signers() == [bot.page_id]
    assert await signers(bot.office.operator.operator_id) == []
    for change in ("signed = false", "signed = true, revoked_at = now()"):
        async with bot.owner.write() as session:
            await session.execute(text(f"UPDATE page_hook SET {change}"))  # noqa: S608 - the two above
        assert await signers() == []


async def test_whoever_has_left_is_not_answered_and_a_lost_answer_waits_for_a_person(bot: Bot, rows: Rows) -> None:
    """Nothing is sent twice: Viber shows no history, so what became of it is for a person to say."""
    await switched(bot.owner, bot.web, bot.page_id, is_on=True)
    await bot.write(PIT)
    ((number,),) = await rows("SELECT number FROM appeal")
    await bot.world.patch(f"/world/posts/viber/answers/{bot.dialog}", comments_open=False)
    await bot.answer(number, "Засыпем завтра.")
    assert await rows("SELECT state, error_code FROM reply") == [("failed", "unsubscribed")]
    await bot.world.patch(f"/world/posts/viber/answers/{bot.dialog}", comments_open=True)
    await bot.world.post("/faults", platform="viber", method="send_message", kind="disconnect")
    await bot.answer(number, "Засыпем в пятницу.")
    assert [row.state for row in await rows("SELECT state FROM reply ORDER BY id DESC LIMIT 1")] == ["uncertain"]
    await Outbound(bot.worker, {"viber": bot.connector}, bot.clock, worker="w", time_scale=SCALE).send_due()
    assert await bot.stands() == ["Засыпем в пятницу."]


async def test_a_bot_that_viber_tells_nothing_of_is_shown_so(bot: Bot, rows: Rows) -> None:
    """Polling brings nothing, it watches: silent while private messages are off, and once the webhook is gone it says what to do."""
    poller = Poller(bot.worker, "viber", bot.connector, bot.clock, worker="w", time_scale=1000)

    async def looked() -> list[Any]:
        await poller.round()
        return [row.error_code for row in await rows("SELECT error_code FROM feed WHERE page_id IS NOT NULL")]

    await switched(bot.owner, bot.web, bot.page_id, is_on=True)
    assert await looked() == [None]
    await bot.connector.register_push(PageRef(external_id="pa:6244"), None)  # type: ignore[attr-defined]  # Viber's
    assert await looked() == ["no_webhook"]
