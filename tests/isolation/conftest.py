"""The region over a database as the web role, and those who ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx
import pytest

from app.kernel import log
from app.media.rules import Size, parse_media_hosts
from app.media.service import Cache, MediaProxy, cache_key
from app.web.app import create_app
from app.web.deps import csrf_of, session_cookie
from tests.databases import copy_of
from tests.isolation.town import PICTURE, SECRET, Town, build
from tests.web.api.conftest import make_parts

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI
    from sqlalchemy.engine import URL

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from tests.databases import Databases
    from tests.isolation.asks import Ask


MOMENT = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> None:
    """As the program logs; structlog's own default would draw each traceback with all its values."""
    log.set_up(level="ERROR", as_json=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grown:
    """A database that holds the region, to be copied from, and what the region is."""

    name: str
    town: Town


@pytest.fixture(scope="session")
async def grown(databases: Databases, cluster: URL, template: str) -> AsyncIterator[Grown]:
    """Built once: each test has a copy of its own."""
    async with copy_of(cluster, template) as url:
        async with databases.acting(url, None, application="tests owner") as database, database.write() as session:
            town = await build(session, MOMENT)
        yield Grown(name=str(url.database), town=town)


@pytest.fixture
async def database_url(cluster: URL, grown: Grown) -> AsyncIterator[URL]:
    """The owner's URL of a copy with the region in it."""
    async with copy_of(cluster, grown.name) as url:
        yield url


@pytest.fixture
def town(grown: Grown) -> Town:
    """The region."""
    return grown.town


@pytest.fixture
def web(web_db: Database, database_url: URL, clock: FixedClock, tmp_path: Path) -> FastAPI:
    """The application; the picture under a citizen's comment has been fetched already."""
    clock.moment = MOMENT
    app = create_app(make_parts(web_db, database_url, clock))
    for size in Size:
        Cache(tmp_path, most_bytes=1_000_000).put(cache_key("vk", PICTURE, size), SECRET.encode())
    app.state.web = replace(app.state.web, media=MediaProxy(parse_media_hosts("vk: *.userapi.com"), tmp_path))
    return app


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back."""

    status: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Asker:
    """Asks as one of the region's people, by their browser's session."""

    app: FastAPI
    token: str

    async def __call__(self, ask: Ask) -> Answer:
        """One request, as the ask says it. A stream is heard until it has told what there is."""
        headers = {"Cookie": f"{session_cookie(self.app.state.web.parts)}={self.token}", "X-CSRF-Token": csrf_of(self.token)}
        if ask.part:
            headers |= {"HX-Request": "true", "HX-Request-Type": "partial", "HX-Current-URL": "http://otklik.example/queue"}
        if ask.route == "/live":
            return await self._listen(ask, headers)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://otklik.example") as http:
            response = await http.request(
                ask.method, ask.address, params=ask.query, data=ask.form, json=ask.json, content=ask.content, headers=headers
            )
        return Answer(status=response.status_code, text=response.text)

    async def _listen(self, ask: Ask, headers: dict[str, str]) -> Answer:
        """The first looks of a stream: it lasts until whoever listens goes away."""
        status, heard, asked, enough = 0, b"", asyncio.Event(), asyncio.Event()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": ask.method,
            "scheme": "http",
            "path": ask.address,
            "raw_path": ask.address.encode(),
            "root_path": "",
            "query_string": urlencode(ask.query).encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("otklik.example", 80),
        }

        async def receive() -> dict[str, object]:
            if not asked.is_set():
                asked.set()
                return {"type": "http.request", "body": b"", "more_body": False}
            await enough.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, object]) -> None:
            nonlocal status, heard
            if message["type"] == "http.response.start":
                status = int(str(message["status"]))
            else:
                heard += bytes(message["body"])  # type: ignore[call-overload] # ASGI's body is bytes
                if b"event: counts" in heard or not message.get("more_body"):
                    enough.set()

        async with asyncio.timeout(10):
            await self.app(scope, receive, send)  # type: ignore[arg-type] # ASGI's messages are mutable mappings
        return Answer(status=status, text=heard.decode())
