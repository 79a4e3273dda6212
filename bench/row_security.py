"""What row-level security costs: queue, search and report with it and without it, on the same rows in the same run. Prints ratios.

    python bench/row_security.py [--appeals 1000000] [--rounds 21] [--explain] [--keep DIR]

An embedded PostgreSQL of its own is filled inside the server, a year of appeals, the same ones each time. Then an operator
of one agency with its children, a coordinator of a territory and a supervisor of the whole region ask, turn by turn, once
as the web role, which row-level security binds, and once as the owner, whom it does not: the same code and statements.
`--explain` prints the plan of whatever costs more than a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # else the folder of benchmarks shadows modules of the standard library

import asyncpg  # noqa: E402
from sqlalchemy import event, text  # noqa: E402
from sqlalchemy.engine import URL  # noqa: E402

from app.appeals.filters import QueueFilters  # noqa: E402
from app.appeals.queries import card, facets, queue  # noqa: E402
from app.appeals.rules import Status  # noqa: E402
from app.kernel.db import Database, DatabaseRole, ReadSession, make_engine  # noqa: E402
from app.people.api_tokens import create_service_token  # noqa: E402
from app.people.queries import access_of_operator  # noqa: E402
from app.people.rules import Access, Grant, Role  # noqa: E402
from app.reports import rollup  # noqa: E402
from app.reports.rules import Grouping, Period  # noqa: E402
from app.reports.service import response_times  # noqa: E402
from app.sla.service import ensure_default_policy  # noqa: E402
from bench.ground import NOW, ground  # noqa: E402
from tests.app.appeals.crowd import fill  # noqa: E402

AGENCY = "adm-svetloozersk"
MONTHS = 12
TZ = "Europe/Moscow"
AIM = 1.10

Question = Callable[[ReadSession, Access], Awaitable[object]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """One question of one person: milliseconds at the median, with and without."""

    bound: float
    free: float
    bound_cpu: float
    free_cpu: float

    @property
    def ratio(self) -> float:
        """The price."""
        return self.bound / self.free

    @property
    def cpu_ratio(self) -> float:
        """The price in time of the server's processor: whatever else the machine does is not in it."""
        return self.bound_cpu / self.free_cpu if self.free_cpu else 1.0


async def _queue(session: ReadSession, access: Access) -> object:
    return (await queue(session, access, filters=QueueFilters(), now=NOW, limit=30)).rows[0]


async def _closed(session: ReadSession, access: Access) -> object:
    return (await queue(session, access, filters=QueueFilters(statuses=frozenset({Status.CLOSED})), now=NOW, limit=30)).rows[0]


async def _search(session: ReadSession, access: Access) -> object:
    return (await queue(session, access, filters=QueueFilters(search="дома 4711 фонари"), now=NOW, limit=30)).rows


async def _facets(session: ReadSession, access: Access) -> object:
    counts = await facets(session, access, filters=QueueFilters(), now=NOW)
    return None if counts.capped else counts  # of more than are counted, which ones are counted is nobody's promise


async def _card(session: ReadSession, access: Access) -> object:
    first = (await queue(session, access, filters=QueueFilters(), now=NOW, limit=1)).rows[0]
    return await card(session, access, first.number)


async def _report(session: ReadSession, access: Access) -> object:
    period = Period(start=(NOW - timedelta(days=30)).date(), end=NOW.date(), tz=TZ)
    return await response_times(session, access=access, period=period, group_by=Grouping.AGENCY, now=NOW)


QUESTIONS: dict[str, Question] = {
    "queue": _queue,
    "closed appeals": _closed,
    "search": _search,
    "filters' counts": _facets,
    "queue and card": _card,
    "report of a month": _report,
}


async def main(appeals: int, rounds: int, *, explain: bool, keep: Path | None) -> None:
    """Fill, ask, print."""
    async with ground(keep) as (url, owner):
        began = time.monotonic()
        people = await _people(owner)
        if people is None:
            people = await _fill(url, owner, appeals)
            print(f"{appeals:,} appeals of {MONTHS} months stored in {time.monotonic() - began:.0f} s", flush=True)
        web = Database(make_engine(url, role=DatabaseRole.WEB, pool_size=1, application="bench web"))
        free = Database(make_engine(url, pool_size=1, application="bench owner"))
        worst = 0.0
        print(f"medians of {rounds}, milliseconds{'with':>11}{'without':>11}{'ratio':>8}   server's processor: with, without, ratio")
        for who, operator_id in people.items():
            for what, ask in QUESTIONS.items():
                if who == "operator" and what.startswith("report"):
                    continue  # operators see no reports
                found = await _compare(web, free, operator_id, ask, rounds)
                worst = max(worst, found.ratio)
                print(
                    f"{who:14}{what:20}{found.bound:11.2f}{found.free:11.2f}{found.ratio:8.2f}{found.bound_cpu:14.2f}{found.free_cpu:11.2f}{found.cpu_ratio:8.2f}"
                )
                if explain and max(found.ratio, found.cpu_ratio) > AIM:
                    await _explain(web, operator_id, ask)
        print(f"dearest: {worst:.2f} (aim: at most {AIM:.2f})")
        await web.dispose()
        await free.dispose()


async def _fill(url: URL, owner: Database, appeals: int) -> dict[str, int]:
    async with owner.write() as session:
        await ensure_default_policy(session, territory_id=None, now=NOW - timedelta(days=365))
        agency = await session.scalar(text("SELECT id FROM agency WHERE code = :code"), {"code": AGENCY})
        territory = await session.scalar(text("SELECT territory_id FROM agency WHERE id = :id"), {"id": agency})
        grants = {
            "operator": Grant(role=Role.OPERATOR, agency_id=agency),
            "coordinator": Grant(role=Role.COORDINATOR, territory_id=territory),
            "supervisor": Grant(role=Role.SUPERVISOR),
        }
        for name, grant in grants.items():
            await create_service_token(session, name=name, grants=[grant], now=NOW)
        await session.execute(
            text(
                "INSERT INTO post (page_id, external_id, text, link, published_at, observed_at) "
                "SELECT id, 'bench', 'Пост', 'https://vk.example/' || id, now(), now() FROM page"
            )
        )
        pages = list(await session.scalars(text("SELECT id FROM page ORDER BY id")))
        topics = list(await session.scalars(text("SELECT id FROM topic ORDER BY id")))
        policy = await session.scalar(text("SELECT min(id) FROM sla_policy_version"))
    for month in range(MONTHS):
        async with owner.write() as session:
            moment = NOW - timedelta(days=30 * month)
            await fill(session, count=appeals // MONTHS, page_ids=pages, topic_ids=topics, policy_id=policy or 0, now=moment)
    connection = await asyncpg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False))
    await connection.execute("ANALYZE")  # a build over tables that nobody has counted takes for ever
    await rollup.rebuild(owner, tz=TZ, progress=lambda _what, _done: None)  # the report's screen reads sums, as it does everywhere
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    return await _people(owner) or {}


async def _people(owner: Database) -> dict[str, int] | None:
    """Who asks, by name; None while nothing is stored."""
    async with owner.read() as session:
        rows = await session.execute(text("SELECT name, id FROM operator WHERE name IN ('operator', 'coordinator', 'supervisor')"))
        found = {row.name: int(row.id) for row in rows}
    return {name: found[name] for name in ("operator", "coordinator", "supervisor")} if found else None


async def _compare(web: Database, free: Database, operator_id: int, ask: Question, rounds: int) -> Found:
    """Turn by turn, so that whatever else the machine does meets both."""
    times: dict[int, list[float]] = {0: [], 1: []}
    worked: dict[int, list[float]] = {0: [], 1: []}
    answers: list[object] = []
    async with free.read() as session:
        access = await access_of_operator(session, operator_id=operator_id)
    if access is None:
        raise SystemExit("the person is gone")
    servers = [await _server(database) for database in (web, free)]
    for round_ in range(rounds + 2):
        for which, database in enumerate((web, free)):
            before, began = _worked(servers[which]), time.perf_counter()
            # The begin of the transaction computes the person's reach: a part of the price, so it is timed.
            # The search has the scope inside, whoever runs it, so it needs the person either way.
            who = operator_id if database is web or ask is _search else None
            async with database.read(operator_id=who) as session:
                answers.append(await ask(session, access))
            if round_ > 1:  # the first ones plan and warm up
                times[which].append(time.perf_counter() - began)
                worked[which].append(_worked(servers[which]) - before)
    if answers[-1] != answers[-2]:
        raise SystemExit("with and without row-level security the answers differ")
    bound, unbound, bound_cpu, free_cpu = (statistics.median(of[which]) * 1_000 for of in (times, worked) for which in (0, 1))
    return Found(bound=bound, free=unbound, bound_cpu=bound_cpu, free_cpu=free_cpu)


async def _server(database: Database) -> int:
    """The process that serves its only connection."""
    async with database.read() as session:
        return int(await session.scalar(text("SELECT pg_backend_pid()")) or 0)


def _worked(process: int) -> float:
    """Seconds that a process of the server was on a processor; 0 where the system does not say. Parallel workers are not in it."""
    try:
        return int(Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    except OSError:
        return 0.0


async def _explain(web: Database, operator_id: int, ask: Question) -> None:
    """The plans of the statements of one question."""
    sent: list[tuple[str, object]] = []

    def note(_connection: object, _cursor: object, sql: str, parameters: object, _context: object, _many: object) -> None:
        if sql.lstrip().startswith(("WITH", "SELECT")) and "set_config" not in sql and not sql.startswith("EXPLAIN"):
            sent.append((sql, parameters))

    event.listen(web.engine.sync_engine, "before_cursor_execute", note)
    async with web.read(operator_id=operator_id) as session:
        access = await access_of_operator(session, operator_id=operator_id)
        sent.clear()
        if access is not None:
            await ask(session, access)
        event.remove(web.engine.sync_engine, "before_cursor_execute", note)
        connection = await session.connection()
        for sql, parameters in sent:
            plan = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", parameters)  # type: ignore[arg-type] # as it was sent
            print("\n".join(row[0] for row in plan))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--appeals", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=21)
    options.add_argument("--explain", action="store_true")
    options.add_argument("--keep", type=Path, help="the data directory stays there, and a second run on it only measures")
    given = options.parse_args()
    asyncio.run(main(given.appeals, given.rounds, explain=given.explain, keep=given.keep))
