"""How fast reports answer over many appeals, against a plain sequential scan of the same lines in the same run.

    python bench/reports.py [--appeals N] [--seed N] [--keep DIR] [--rebuild] [--repeat N]

The figure to report is --appeals 10000000 (about 60 million events). With --keep the data directory stays, and a second run on it
only measures, after a build that was stopped has gone on.
Times are of the program's own functions as the web role: statement, transfer, sums and percentiles.
Beside the clock stands what the processor spent, ours and the server's: on a busy machine that is the truth, and the scan is
compared by it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # else the folder of benchmarks shadows modules of the standard library

from app.appeals.queries import QueueFilters, queue  # noqa: E402
from app.kernel.db import Database, DatabaseRole, make_engine  # noqa: E402
from app.kernel.memory import settle  # noqa: E402
from app.people.queries import access_of_operator  # noqa: E402
from app.reports import rollup  # noqa: E402
from app.reports.backlog import backlog  # noqa: E402
from app.reports.behind import behind  # noqa: E402
from app.reports.measures import BACKLOG, FIRST_ANSWER, MEASURES  # noqa: E402
from app.reports.rules import NO_FILTERS, TREES, Bucket, Filters, Grouping, Period  # noqa: E402
from app.reports.service import Asked, measured, trend  # noqa: E402
from app.reports.sketch import received  # noqa: E402
from bench import history, writes  # noqa: E402
from bench.ground import ground, on_processor, on_processor_ended  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.people.rules import Access
    from app.reports.figures import Figures

TZ = "Europe/Moscow"
NOW = datetime(2026, 12, 31, 20, 59, tzinfo=UTC)
YEAR = Period(start=date(2026, 1, 1), end=date(2026, 12, 31), tz=TZ)
MONTH = Period(start=date(2026, 10, 1), end=date(2026, 10, 31), tz=TZ)
UNEVEN = Period(start=date(2026, 1, 15), end=date(2026, 12, 20), tz=TZ)


async def fill(owner: Database, count: int, seed: int) -> None:
    """Appeals of the year 2026 with their history."""
    print(f"making {count:,} appeals (seed {seed})")
    await history.make(owner, count=count, seed=seed, start=YEAR.since, end=NOW, now=NOW)


async def keep(owner: Database) -> None:
    """Everything that is kept for reports, from the start."""
    began = time.perf_counter()

    def progress(what: str, done: int) -> None:
        if what != "lines" or done % 500_000 == 0:
            print(f"  {done:>10,} {what} after {time.perf_counter() - began:,.0f} s", flush=True)

    async with owner.read() as session:
        place = await session.scalar(text("SELECT current_setting('data_directory')"))
    server = int((Path(str(place)) / "postmaster.pid").read_text(encoding="ascii").split()[0])
    spent = on_processor_ended(server)
    done = await rollup.rebuild(owner, tz=TZ, progress=progress)
    clock, spent = time.perf_counter() - began, (on_processor_ended(server) - spent) / 1000
    print(f"otklik reports rebuild: {done:,} lines in {clock:,.0f} s, {done / clock:,.0f} a second; the server's processor {spent:,.0f} s")


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds of each run on the clock, in order; of the processor in the mean, ours and of the connection's server process."""

    runs: list[float]
    ours: float
    server: float


async def timed(act: Callable[[], Awaitable[Any]], repeat: int, server: int) -> Timed:
    """So many runs, after one to warm up."""
    await act()
    found = []
    ours, theirs = time.process_time(), on_processor(server)
    for _ in range(repeat):
        began = time.perf_counter()
        await act()
        found.append((time.perf_counter() - began) * 1000)
    return Timed(sorted(found), (time.process_time() - ours) * 1000 / repeat, (on_processor(server) - theirs) / repeat)


def told(name: str, found: Timed, aim: float | None, scan: float | None) -> None:
    """One line."""
    p50, p99 = statistics.median(found.runs), found.runs[min(len(found.runs) - 1, int(len(found.runs) * 0.99))]
    against = "" if scan is None else f"   scan {scan:7,.0f} ms, {scan / (found.ours + found.server):6.1f} times"
    held = "" if aim is None else f"   aim {aim:.0f}: {'held' if p99 <= aim else 'MISSED'}"
    print(
        f"{name:<40} p50 {p50:7.1f} ms   p99 {p99:7.1f} ms   processor {found.ours:6.1f} + {found.server:6.1f} ms{against}{held}",
        flush=True,
    )


_SCAN = """
SELECT {key}, count(*), count(*) FILTER (WHERE first_outcome = 'met'), avg(first_seconds), avg(first_working),
  percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY first_seconds),
  percentile_cont(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY first_working)
FROM report_line WHERE started_at >= :since AND started_at < :until AND NOT dismissed GROUP BY {key}
"""


async def beside(web: Database, whole: Access, repeat: int, server: int) -> None:
    """What no cell holds as it is asked for: two filters, another zone, a past moment, the appeals behind a number."""
    reader = whole.operator_id
    async with web.read(operator_id=reader) as session:
        busiest = "SELECT agency_id, topic_id FROM report_line WHERE started_at >= :since AND started_at < :until GROUP BY 1, 2"
        row = (await session.execute(text(f"{busiest} ORDER BY count(*) DESC LIMIT 1"), {"since": MONTH.since, "until": MONTH.until})).one()
    both = Filters(agency_ids=(row.agency_id,), topic_ids=(row.topic_id,))

    async def report(period: Period, filters: Filters, as_of: datetime | None) -> None:
        asked = Asked(access=whole, period=period, filters=filters, as_of=as_of, now=NOW)
        async with web.read(operator_id=reader) as session:
            await measured(session, asked, group_by=Grouping.AGENCY)

    async def listed(period: Period, filters: Filters, figure: str) -> None:
        async with web.read(operator_id=reader) as session:
            await behind(session, Asked(access=whole, period=period, filters=filters, now=NOW), figure=figure, limit=50)

    for name, period in (("month", MONTH), ("year", YEAR)):
        far = replace(period, tz="Asia/Kamchatka")
        told(f"{name}, an agency and a topic", await timed(partial(report, period, both, None), repeat, server), None, None)
        told(f"{name} by the days of Kamchatka", await timed(partial(report, far, NO_FILTERS, None), repeat, server), None, None)
        for figure in ("overdue", "late", "answered"):
            one = await timed(partial(listed, period, Filters(agency_ids=(row.agency_id,)), figure), repeat, server)
            told(f"{name}, list of {figure}, an agency", one, None, None)
            told(f"{name}, list of {figure}", await timed(partial(listed, period, NO_FILTERS, figure), repeat, server), None, None)
        for days in (1, 7, 30):
            then = NOW - timedelta(days=days)
            told(f"{name} as of {days} days before", await timed(partial(report, period, NO_FILTERS, then), repeat, server), None, None)


async def scan(owner: Database, key: str, period: Period) -> float:
    """The same figures by reading every line, once: milliseconds of the server's processor."""
    async with owner.read() as session:
        for setting in (
            "enable_indexscan = off",
            "enable_bitmapscan = off",
            "enable_indexonlyscan = off",
            "max_parallel_workers_per_gather = 0",
        ):
            await session.execute(text(f"SET LOCAL {setting}"))
        server = int(await session.scalar(text("SELECT pg_backend_pid()")) or 0)
        began = on_processor(server)
        (await session.execute(text(_SCAN.format(key=key)), {"since": period.since, "until": period.until})).all()
        return on_processor(server) - began


async def supervisor(owner: Database, web: Database) -> Access:
    """Somebody who sees the whole region."""
    async with owner.write() as session:
        reader = await session.scalar(text("SELECT id FROM operator WHERE login = 'b-o1'"))
        await session.execute(
            text(
                "INSERT INTO operator_role (operator_id, role) SELECT :id, r FROM unnest(ARRAY['supervisor', 'coordinator']) r"
                " WHERE NOT EXISTS (SELECT FROM operator_role WHERE operator_id = :id)"
            ),
            {"id": reader},
        )
    async with web.read(operator_id=reader) as reading:
        access = await access_of_operator(reading, operator_id=int(reader or 0))
    if access is None:
        raise SystemExit("The bench has no supervisor.")
    return access


async def of_the_year(web: Database, whole: Access) -> Figures:
    """The year's total, beside its agencies."""
    async with web.read(operator_id=whole.operator_id) as session:
        return (await measured(session, Asked(access=whole, period=YEAR, now=NOW), group_by=Grouping.AGENCY)).total


async def by_groups(owner: Database, report: Callable[[str, Period, Grouping], Awaitable[None]], repeat: int, server: int) -> None:
    """The main measure by each grouping, beside the scan; of trees also as it is when nobody has looked at these figures yet."""

    async def anew(period: Period, group: Grouping) -> None:
        received.cache_clear()
        await report("first-answer", period, group)

    for name, period, aim in (("year", YEAR, 200.0), ("month", MONTH, 50.0)):
        for group in Grouping:
            plain = await scan(owner, "platform" if group is Grouping.PLATFORM else f"{group.value}_id", period)
            again = await timed(partial(report, "first-answer", period, group), repeat, server)
            told(f"{name}, first answer by {group.value}", again, aim, plain)
            if group in TREES:
                told("    looked at for the first time", await timed(partial(anew, period, group), repeat, server), None, None)


async def measure(owner: Database, web: Database, repeat: int) -> None:
    """Every report, as a supervisor of the whole region asks for it."""
    whole = await supervisor(owner, web)
    reader = whole.operator_id
    async with web.read(operator_id=reader) as session:
        server = int(await session.scalar(text("SELECT pg_backend_pid()")) or 0)

    async def report(code: str, period: Period, group: Grouping) -> None:
        async with web.read(operator_id=reader) as session:
            asked = Asked(measure=MEASURES[code], access=whole, period=period, now=NOW)
            await measured(session, asked, group_by=group, limit=50 if group in {Grouping.PAGE, Grouping.OPERATOR} else 1000)

    async def chart(period: Period, bucket: Bucket) -> None:
        async with web.read(operator_id=reader) as session:
            await trend(session, measure=FIRST_ANSWER, access=whole, period=period, bucket=bucket, now=NOW)

    async def waited(period: Period) -> None:
        async with web.read(operator_id=reader) as session:
            await backlog(session, Asked(measure=BACKLOG, access=whole, period=period, now=NOW))

    async def overdue() -> None:
        async with web.read(operator_id=reader) as session:
            await queue(session, whole, filters=QueueFilters(overdue=True), limit=25, now=NOW)

    await by_groups(owner, report, repeat, server)
    for group in (Grouping.AGENCY, Grouping.TOPIC):
        told(
            f"15 January to 20 December, by {group.value}",
            await timed(partial(report, "first-answer", UNEVEN, group), repeat, server),
            200.0,
            None,
        )
    for name, period, aim in (("year", YEAR, 200.0), ("month", MONTH, 50.0)):
        told(f"{name}, backlog by day", await timed(partial(waited, period), repeat, server), aim, None)
    for code in ("in-time", "agency-answer", "reopened", "dismissed", "overdue"):
        told(f"year, {code} by agency", await timed(partial(report, code, YEAR, Grouping.AGENCY), repeat, server), 200.0, None)
    told("year, trend by week", await timed(partial(chart, YEAR, Bucket.WEEK), repeat, server), 200.0, None)
    told("month, trend by day", await timed(partial(chart, MONTH, Bucket.DAY), repeat, server), 50.0, None)
    told("overdue queue, first page of 25", await timed(overdue, repeat, server), 20.0, None)
    await beside(web, whole, min(repeat, 3), server)


async def main() -> None:
    """Fill, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--appeals", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--repeat", type=int, default=30)
    parser.add_argument("--rebuild", action="store_true", help="compute everything anew on a directory that was kept")
    given = parser.parse_args()
    async with ground(given.keep) as (url, owner):
        async with owner.read() as session:
            filled = await session.scalar(text("SELECT EXISTS (SELECT FROM appeal)"))
            begun = await session.scalar(text("SELECT EXISTS (SELECT FROM report_state)"))
            kept = await session.scalar(text("SELECT EXISTS (SELECT FROM report_state WHERE stage = 'done')"))
        worker = Database(make_engine(url, role=DatabaseRole.WORKER, pool_size=2, application="bench worker"))
        web = Database(make_engine(url, role=DatabaseRole.WEB, pool_size=1, application="bench web"))
        if not filled:
            await fill(owner, given.appeals, given.seed)
        if given.rebuild or not begun:
            await keep(owner)
        else:
            await writes.drain(worker, TZ)  # what was queued would count as every report's, what was being built is not there yet
        if given.rebuild or not kept:
            async with owner.engine.connect() as connection:
                await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM (ANALYZE)"))
        async with owner.read() as session:
            row = (
                await session.execute(
                    text(
                        "SELECT (SELECT count(*) FROM appeal) AS appeals, (SELECT count(*) FROM appeal_event) AS events,"
                        " (SELECT count(*) FROM report_cell) AS cells, pg_size_pretty(pg_database_size(current_database())) AS size,"
                        " pg_size_pretty(pg_total_relation_size('report_line')) AS lines,"
                        " pg_size_pretty(pg_total_relation_size('report_cell')) AS cell_size,"
                        " pg_size_pretty(pg_total_relation_size('report_shape')) AS shape_size"
                    )
                )
            ).one()
        print(
            f"{row.appeals:,} appeals, {row.events:,} events, {row.cells:,} cells; {row.size}: lines {row.lines}, cells {row.cell_size},"
            f" distributions {row.shape_size}"
        )
        settle()  # as the web process does
        await measure(owner, web, given.repeat)
        await writes.measure(owner, worker, partial(of_the_year, web, await supervisor(owner, web)), tz=TZ)
        await worker.dispose()
        await web.dispose()


if __name__ == "__main__":
    asyncio.run(main())
