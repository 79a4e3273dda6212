"""The API of the real web process against what any such process costs at least, in the same run. Prints ratios.

    python bench/api.py [--seconds 4] [--sizes 1000,10000,100000]

An embedded PostgreSQL of its own is filled by INSERT … SELECT to each size. Eight clients then take appeals down by
POST /api/v1/appeals and read the queue's first page, as an operator of an agency with its children (the dearest scope for
row-level security). The floors: a bare FastAPI route that inserts one row by asyncpg, and one that answers an empty page.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # else the folder of benchmarks shadows modules of the standard library

import asyncpg  # noqa: E402
import orjson  # noqa: E402
import uvicorn  # noqa: E402
from fastapi import FastAPI, Response  # noqa: E402
from pydantic import BaseModel  # noqa: E402
from sqlalchemy import text  # noqa: E402
from sqlalchemy.engine import URL  # noqa: E402

from app.kernel.clock import SystemClock  # noqa: E402
from app.kernel.db import Database  # noqa: E402
from app.people import api_tokens  # noqa: E402
from app.people.rules import Grant, Role  # noqa: E402
from app.sla.service import ensure_default_policy  # noqa: E402
from bench.ground import ground  # noqa: E402
from tests.app.appeals.crowd import analyse, fill  # noqa: E402

CLIENTS = 8
AGENCY = "adm-svetloozersk"
WORDS = "На остановке «Речной вокзал» третью неделю нет освещения, вечером страшно ходить."


@dataclass(frozen=True, slots=True)
class Figures:
    """What a run gave."""

    per_second: float
    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        """One line."""
        return f"{self.per_second:8.0f}/s   p50 {self.p50_ms:7.2f} ms   p99 {self.p99_ms:7.2f} ms"


# --- the floors --------------------------------------------------------------------------------------------------


class Line(BaseModel):
    """What the bare route takes."""

    text: str


def bare(dsn: str) -> FastAPI:
    """FastAPI and asyncpg with nothing between them."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool = await asyncpg.create_pool(dsn, min_size=CLIENTS, max_size=CLIENTS)
        yield
        await app.state.pool.close()

    app = FastAPI(lifespan=lifespan)

    @app.post("/rows", status_code=201)
    async def insert(line: Line) -> dict[str, int]:
        return {"id": await app.state.pool.fetchval("INSERT INTO bench_row (text) VALUES ($1) RETURNING id", line.text)}

    @app.get("/empty")
    async def empty() -> Response:
        return Response("<!doctype html><title>.</title>", media_type="text/html")

    return app


# --- a client that costs next to nothing ---------------------------------------------------------------------------


async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[int, bytes]:
    """One request on a kept connection: status and body."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    start = lower.index(b"content-length:") + len(b"content-length:")
    body = await reader.readexactly(int(lower[start : lower.index(b"\r\n", start)]))
    return int(head[9:12]), body


def request(method: str, path: str, *, token: str = "", body: object = None) -> bytes:
    """A request as it goes over the wire."""
    payload = b"" if body is None else orjson.dumps(body)
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(payload)}", "Content-Type: application/json"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*lines, "", ""]).encode() + payload


async def load(port: int, wire: bytes, *, seconds: float, clients: int, expected: int) -> Figures:
    """Ask from `clients` connections at once, each as soon as it is answered."""
    times: list[float] = []
    warm_until = time.perf_counter() + min(1.0, seconds / 4)
    until = warm_until + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started := time.perf_counter()) < until:
            status, body = await call(reader, writer, wire)
            if status != expected:
                message = f"{status} instead of {expected}: {body[:300]!r}"
                raise RuntimeError(message)
            if started >= warm_until:
                times.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return Figures(len(times) / seconds, statistics.median(times) * 1000, sorted(times)[int(len(times) * 0.99)] * 1000)


# --- processes ------------------------------------------------------------------------------------------------------


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def process(command: Sequence[str], port: int, path: str, environment: dict[str, str]) -> AsyncIterator[None]:
    """A server until the block ends; RuntimeError when it does not answer in time."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=os.environ | environment, cwd=ROOT,  # noqa: TID251 - handed on, not read
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(300):
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                status, _body = await call(reader, writer, request("GET", path))
                writer.close()
                if status == 200:  # noqa: PLR2004 - HTTP
                    break
            except OSError:
                pass
            await asyncio.sleep(0.1)
        else:
            message = f"{' '.join(command)} does not answer on port {port}"
            raise RuntimeError(message)
        yield
    finally:
        child.terminate()
        await child.wait()


def plain(url: URL) -> str:
    """As asyncpg and people write it."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


# --- the benchmark --------------------------------------------------------------------------------------------------


async def prepare(db: Database) -> tuple[str, int, list[int], list[int]]:
    """A token, the promise, the pages, the topics."""
    now = SystemClock().now()
    async with db.write() as session:
        await ensure_default_policy(session, territory_id=None, now=now)
        policy = int((await session.execute(text("SELECT min(id) FROM sla_policy_version"))).scalar_one())
        await session.execute(text("CREATE TABLE bench_row (id bigserial PRIMARY KEY, text text NOT NULL)"))
        await session.execute(
            text(
                "INSERT INTO post (page_id, external_id, text, link, published_at, observed_at) "
                "SELECT id, 'bench', 'Пост', 'https://vk.example/post', now(), now() FROM page"
            )
        )
        pages = list((await session.execute(text("SELECT id FROM page ORDER BY id"))).scalars())
        topics = list((await session.execute(text("SELECT id FROM topic ORDER BY id"))).scalars())
        agency = int((await session.execute(text("SELECT id FROM agency WHERE code = :code"), {"code": AGENCY})).scalar_one())
        token = await api_tokens.create_service_token(session, name="bench", grants=[Grant(role=Role.OPERATOR, agency_id=agency)], now=now)
    return token, policy, pages, topics


async def grow(db: Database, size: int, *, policy: int, pages: list[int], topics: list[int]) -> None:
    """Fill up to `size` appeals."""
    async with db.write() as session:
        stored = int((await session.execute(text("SELECT count(*) FROM appeal"))).scalar_one())
        if size > stored:
            await fill(session, count=size - stored, page_ids=pages, topic_ids=topics, policy_id=policy, now=SystemClock().now())
    async with db.write() as session:
        await analyse(session)


def say(line: str = "") -> None:
    """To whoever runs it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def run(sizes: list[int], seconds: float) -> None:
    """All of it."""
    async with ground() as (url, db):
        token, policy, pages, topics = await prepare(db)
        post = request("POST", "/api/v1/appeals", token=token, body={"text": WORDS, "agency": AGENCY, "author_name": "Анна Ветрова"})
        page = request("GET", "/api/v1/appeals?limit=25", token=token)
        floor_port, web_port = free_port(), free_port()
        floor = process(["bench/api.py", "--serve-floor", plain(url), "--port", str(floor_port)], floor_port, "/empty", {})
        web = process(
            ["-m", "app", "web"], web_port, "/health/ready",
            {"OTKLIK_DATABASE_URL": plain(url), "OTKLIK_PORT": str(web_port), "OTKLIK_DATA_DIR": "/nonexistent"},
        )  # fmt: skip
        async with floor:
            say(f"{CLIENTS} clients, {seconds:.0f} s each; floors in this run")
            rows = await load(floor_port, request("POST", "/rows", body={"text": WORDS}), seconds=seconds, clients=CLIENTS, expected=201)
            say(f"  one row by bare FastAPI + asyncpg   {rows}")
            empty = await load(floor_port, request("GET", "/empty"), seconds=seconds, clients=CLIENTS, expected=200)
            say(f"  an empty page                       {empty}")
        async with web:
            for size in sizes:
                await grow(db, size, policy=policy, pages=pages, topics=topics)
                say(f"{size:,} appeals stored")
                first = await load(web_port, page, seconds=seconds, clients=1, expected=200)
                say(f"  queue, first page, one client       {first}   {first.p50_ms / empty.p50_ms * CLIENTS:5.1f} × an empty page")
                many = await load(web_port, page, seconds=seconds, clients=CLIENTS, expected=200)
                say(f"  queue, first page, {CLIENTS} clients        {many}   {many.per_second / empty.per_second:5.3f} of an empty page")
                made = await load(web_port, post, seconds=seconds, clients=CLIENTS, expected=201)
                say(f"  appeals taken down, {CLIENTS} clients       {made}   {made.per_second / rows.per_second:5.3f} of the bare row")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--sizes", default="1000,10000,100000", help="appeals stored, by comma")
    parser.add_argument("--serve-floor", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve_floor:
        uvicorn.run(bare(given.serve_floor), host="127.0.0.1", port=given.port, log_level="warning", access_log=False, server_header=False)
        return
    asyncio.run(run([int(size) for size in given.sizes.split(",")], given.seconds))


if __name__ == "__main__":
    main()
