"""Something between us and a platform repeats whatever it was asked with: nothing that we log, store, show or count holds a token."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from app.exchange.credentials import add_credential, open_credentials
from app.flows import connecting
from app.flows.outbound import Outbound
from app.flows.polling import Poller
from app.kernel import log, metrics
from app.kernel.vault import PLATFORM_TOKENS, Vault
from app.sources import intakes
from app.sources.care import care_of
from app.sources.models import Page
from connectors.contract import Options, PageSnapshot
from connectors.registry import load
from tests import factories
from tests.flows.conftest import settle
from tests.web.entrance import KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

pytestmark = [pytest.mark.flows, pytest.mark.timeout(180)]

CANARY = "CANARYcanary0123456789-CANARYcanary"
SECRETS = {
    "vk": f"vk1.a.{CANARY}",
    "telegram": f"4711:{CANARY}",
    "max": CANARY,
    "ok": f"APPLICATIONKEYCANARY {CANARY}SECRET {CANARY}ACCESS",
}
OPTIONS = {"telegram": {"linked_chat_id": "-78", "username": "town"}, "max": {"bot": "5", "link": "https://max.ru/town"}}
PLUGINS = load(None)


WAYS = ("status", "garbage", "refusal", "rows")


def answer(way: str, asked: bytes) -> bytes:
    """What stands between us and the platform says of a request: the request itself, in each shape that the platforms have."""
    words = asked.decode("latin-1")
    told = dict.fromkeys(("description", "error_msg", "code", "message"), words)
    body = {
        "status": f"<html>502 {words}</html>",
        "garbage": words,
        "refusal": json.dumps({**told, "error": {"error_code": 15, "error_msg": words}, "ok": False, "error_code": 10}),
        "rows": json.dumps({"result": [words], "messages": [words], "discussions": [words], "response": {"items": [words]}, "ok": True}),
    }[way].encode("utf-8", "replace")
    forbidden = way == "refusal" and b"/method/" not in asked and b"fb.do" not in asked
    status = "502 Bad Gateway" if way == "status" else "403 Forbidden" if forbidden else "200 OK"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


@asynccontextmanager
async def echo(way: str) -> AsyncIterator[str]:
    """A server that repeats what it is asked with."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
        writer.write(answer(way, head + await reader.readexactly(length)))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def stored(db: Database) -> str:
    """Everything in the database but the sealed tokens, as text and as bytes read as text."""
    async with db.read() as session:
        tables = (
            await session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'credential'"))
        ).all()
        said = [str(row) for table in tables for row in await session.scalars(text(f"SELECT to_jsonb(t)::text FROM {table} t"))]  # noqa: S608
        raw = [bytes(row).decode("latin-1") for row in await session.scalars(text("SELECT raw FROM set_aside"))]
    return "\n".join(said + raw)


@pytest.mark.parametrize("platform", sorted(SECRETS))
async def test_whatever_is_repeated_no_token_comes_out(
    platform: str,
    owner_db: Database,
    worker_db: Database,
    web_db: Database,
    clock: FixedClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plugin = PLUGINS[platform]
    snapshot = PageSnapshot(external_id="-77", title="Город", link="https://town.example/", options=OPTIONS.get(platform, {}))
    office = await settle(owner_db, web_db, platform=platform, snapshot=snapshot, now=clock.now(), kinds=())
    vault = Vault(KEY, purpose=PLATFORM_TOKENS)
    async with owner_db.write() as session:
        for kind in plugin.credential_kinds:
            await add_credential(session, vault, plugin, kind=kind, secret=SECRETS[platform], page_id=None, now=clock.now())
        page = (await session.scalars(select(Page))).one()
        post = await factories.make_post(session, page=page, external_id="5")
        comment = await factories.make_comment(session, post=post, external_id="6")
        appeal = await factories.make_appeal(session, comment=comment)
        await factories.make_reply(session, appeal=appeal, created_at=clock.now())
        credentials = await open_credentials(session, vault)
    async with web_db.write(operator_id=office.coordinator.operator_id) as session:
        await intakes.ask(
            session, operator_id=office.coordinator.operator_id, platform=platform, link="https://vk.com/town", now=clock.now()
        )
    meter = metrics.CallMeter(platform)
    log.set_up(level="DEBUG", as_json=False)
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    try:
        for way in WAYS:
            async with echo(way) as url:
                options = Options(api_url=url, credentials=credentials[platform], timeout=5, time_scale=60.0, meter=meter)
                connector = plugin.build(options)
                poller = Poller(worker_db, platform, connector, clock, worker="w", time_scale=60)
                clock.moment += timedelta(minutes=20)
                await poller.round()
                await Outbound(worker_db, {platform: connector}, clock, worker="w", time_scale=10_000).send_due()
                await connecting.take_intakes(worker_db, {platform: connector}, clock, context=poller.renew_every)
                await connector.close()
    finally:
        root.setLevel(logging.WARNING)
    said = capsys.readouterr()
    assert meter.calls >= len(WAYS)
    async with web_db.read(operator_id=office.coordinator.operator_id) as session:
        care = await care_of(session, page_id=page.id)
    assert care is not None
    for told in (said.err, said.out, await stored(owner_db), metrics.exposition().decode(), repr(care)):
        assert "CANARYcanary" not in told
