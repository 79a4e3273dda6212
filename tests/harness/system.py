"""The whole of it: sandbox, workers and web as processes over one database that holds the sample region."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from pydantic import SecretStr
from sqlalchemy import text

from app import bootstrap
from app.cli.plan import Plan
from app.cli.sample import WORLD, SignIn, seed_sample, sign_ins
from app.kernel import marks
from app.people.api_tokens import create_service_token
from app.people.rules import Grant, Role
from app.settings import Settings
from connectors.sandbox.model import PLATFORMS
from tests.databases import copy_of
from tests.harness.program import Program, free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from sqlalchemy.engine import URL

    from app.kernel.db import Database

READY_SECONDS = 90.0
_LOOK_SECONDS = 0.1
_OK = 200


@dataclass(kw_only=True)
class System:
    """What runs, and how to ask it."""

    database_url: URL
    owner: Database
    settings: Settings
    home: Path
    sandbox: Program
    sandbox_url: str
    web: Program
    web_url: str
    workers: list[Program] = field(default_factory=list)
    _http: httpx.AsyncClient

    # --- processes

    async def start(self, *, workers: int = 1, web: bool = False) -> None:
        """Start so many workers and, if asked, the web process; return when they are ready."""
        for _ in range(workers):
            self.add_worker().start()
        if web:
            self.web.start()
            await self.until_answers(f"{self.web_url}/health/ready", self.web)

    def add_worker(self) -> Program:
        """One more worker; it is not started yet."""
        number = len(self.workers) + 1
        name = f"worker-{number}"  # under its own name the sandbox tells it from the others
        own = {f"OTKLIK_{one.upper()}_API_URL": f"{self.sandbox_url}/as/{name}" for one in PLATFORMS}
        worker = self._program(name, "worker", **own)
        self.workers.append(worker)
        return worker

    def _program(self, name: str, *arguments: str, **own: str) -> Program:
        return Program(name=name, arguments=arguments, environment={**self.web.environment, **own}, log=self.home / f"{name}.log")

    async def until_answers(self, url: str, program: Program) -> None:
        """Wait until an address answers 200. AssertionError when the program ends, or after READY_SECONDS."""
        until = time.monotonic() + READY_SECONDS
        while not await self._answers(url):
            assert program.alive(), f"{program.name} has ended:\n{program.tail()}"
            assert time.monotonic() < until, f"{url} does not answer:\n{program.tail()}"
            await asyncio.sleep(_LOOK_SECONDS)

    async def _answers(self, url: str) -> bool:
        try:
            return (await self._http.get(url)).status_code == _OK
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """End everything."""
        programs = (*self.workers, self.web, self.sandbox)
        for program in programs:
            program.ask_to_end()
        for program in programs:
            program.stop()

    def tails(self) -> str:
        """The ends of all logs, for a failing test."""
        return "\n".join(f"--- {one.name}\n{one.tail()}" for one in (*self.workers, self.web, self.sandbox))

    # --- the world

    async def write(self, page: str, words: str, *, platform: str = "vk", author: str = "Вера Лугова", **spec: object) -> str:
        """A citizen writes a comment (under the latest post unless `post_id` is given); its id."""
        body = {"platform": platform, "page": page, "author": author, "text": words, **spec}
        return str((await self.ask("POST", "/world/comments", body))["id"])

    async def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """The sandbox's control interface. Raises httpx.HTTPStatusError."""
        answer = await self._http.request(method, f"{self.sandbox_url}{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    async def truth(self) -> dict[str, list[dict[str, Any]]]:
        """Everything that was written."""
        found: dict[str, list[dict[str, Any]]] = await self.ask("GET", "/truth")
        return found

    async def page_ids(self) -> dict[tuple[str, str], str]:
        """(platform, the sandbox's name of the page) → the platform's id of it."""
        pages = (await self.ask("GET", "/world/pages"))["pages"]
        return {(one["platform"], one["page"]): one["external_id"] for one in pages}

    # --- the database

    async def rows(self, sql: str, **values: object) -> list[Any]:
        """All rows of a query, as the owner sees them."""
        async with self.owner.read() as session:
            return list((await session.execute(text(sql), values)).all())

    async def until(self, what: str, probe: Callable[[], Awaitable[object]], *, seconds: float, pause: float = 0.25) -> float:
        """Wait until the probe says something true; the seconds it took. AssertionError with the logs' ends."""
        began = time.monotonic()
        while not await probe():
            waited = time.monotonic() - began
            assert waited < seconds, f"not within {seconds:g} s: {what}; {await self.state()}\n{self.tails()}"
            await asyncio.sleep(pause)
        return time.monotonic() - began

    async def state(self) -> str:
        """How far intake and outbox are, in one line."""
        fates = await self.rows(
            "SELECT g.platform, c.fate, count(*) AS n FROM comment c JOIN page g ON g.id = c.page_id GROUP BY 1, 2 ORDER BY 1, 2"
        )
        replies = await self.rows("SELECT state, count(*) AS n FROM reply GROUP BY 1 ORDER BY 1")
        feeds = await self.rows("SELECT platform, error_code, count(*) AS n FROM feed GROUP BY 1, 2 ORDER BY 1, 2")
        told = [f"{row.platform} {row.fate} {row.n}" for row in fates] + [f"answers {row.state} {row.n}" for row in replies]
        return ", ".join(told + [f"feeds of {row.platform} {row.error_code or 'well'} {row.n}" for row in feeds])

    async def token(self, role: Role, *, agency_id: int | None = None, territory_id: int | None = None) -> str:
        """An API token of a service with one role; without a scope for the whole region."""
        grant = Grant(role=role, agency_id=agency_id, territory_id=territory_id)
        async with self.owner.write() as session:
            moment = (await session.execute(text("SELECT clock_timestamp()"))).scalar_one()
            return await create_service_token(session, name="test", grants=[grant], now=moment)

    async def sign_in_of(self, role: str) -> SignIn:
        """The sample region's person of a role, with the password."""
        people = await sign_ins(self.settings, bootstrap.Ground(url=self.database_url))
        return next(one for one in people if one.role == role)


@asynccontextmanager
async def seeded_database(cluster: URL, template: str) -> AsyncIterator[URL]:
    """A migrated database that is marked as the program's own, so that the sample region may go in."""
    async with copy_of(cluster, template) as url:
        await marks.set_mark(url, marks.CREATED_MARK)
        yield url


@asynccontextmanager
async def running_system(url: URL, home: Path, *, time_scale: float, latency: float = 0.0) -> AsyncIterator[System]:
    """The sample region over this database, its sandbox running; workers and web are the test's to start."""
    sandbox_url, web_port = f"http://127.0.0.1:{(sandbox_port := free_port())}", free_port()
    settings = Settings(
        data_dir=home / "data",
        database_url=SecretStr(marks.plain(url)),
        port=web_port,
        sandbox_port=sandbox_port,
        time_scale=time_scale,
    )
    plan = Plan(settings=settings, sample=True)
    settings = plan.with_platforms(settings)
    environment = {
        "OTKLIK_DATA_DIR": str(settings.data_dir),
        "OTKLIK_DATABASE_URL": marks.plain(url),
        "OTKLIK_PORT": str(web_port),
        **{f"OTKLIK_{name.upper()}": address for name, address in plan.platform_urls().items()},
        "OTKLIK_TIME_SCALE": str(time_scale),
        "OTKLIK_MEDIA_HOSTS": plan.media_hosts(),
        "OTKLIK_AUTHOR_ANSWER_LIMITS": "1000/minute",  # one token speaks for a whole office of operators
        "OTKLIK_PAGE_ANSWER_LIMITS": "1000/minute",
        "OTKLIK_WORKER_POOL": "4",
        "OTKLIK_WEB_POOL": "4",
    }
    world = (
        "--port",
        str(sandbox_port),
        "--data-dir",
        str(home / "sandbox"),
        "--world",
        str(WORLD),
        "--time-scale",
        str(time_scale),
        "--latency",
        str(latency),
    )
    sandbox = Program(name="sandbox", arguments=("sandbox", *world), environment=environment, log=home / "sandbox.log")
    web = Program(name="web", arguments=("web",), environment=environment, log=home / "web.log")
    ground = bootstrap.Ground(url=url)
    owner = bootstrap.owner_database(settings, ground)
    async with httpx.AsyncClient(timeout=20, trust_env=False) as http:
        system = System(
            database_url=url, owner=owner, settings=settings, home=home, sandbox=sandbox, sandbox_url=sandbox_url,
            web=web, web_url=f"http://127.0.0.1:{web_port}", _http=http,
        )  # fmt: skip
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            sandbox.start()
            await system.until_answers(f"{sandbox_url}/health", sandbox)
            await seed_sample(settings, ground)
            yield system
        finally:
            system.stop()
            await owner.dispose()
