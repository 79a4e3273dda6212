"""The plan of the month report: it reads the month, not the table, and asks the dear questions of few rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.people.queries import access_of_operator
from app.people.rules import Role
from app.reports import rollup
from app.reports.behind import _behind_sql
from app.reports.queries import Clock, Source, response_times_sql, trend_sql
from app.reports.ranges import SETTINGS, range_lines_sql
from app.reports.rules import Bucket, Grouping, Period, edges, slices
from app.reports.service import Asked
from tests import factories as make

if TYPE_CHECKING:
    from app.kernel.db import Database

YEAR = Period(start=date(2026, 1, 1), end=date(2026, 12, 31), tz="Europe/Moscow")
MONTH = Period(start=date(2026, 3, 1), end=date(2026, 3, 31), tz="Europe/Moscow")
NOW = datetime(2026, 12, 31, tzinfo=UTC)

_YEAR = """
WITH made AS (
  INSERT INTO appeal (source, platform, page_id, status, agency_id, territory_id, topic_id, written_at, opened_at,
    touched_at)
  SELECT 'hand', 'vk', :page, 'answered', (CAST(:agencies AS bigint[]))[1 + n % 20],
    CASE n % 20 WHEN 7 THEN CAST(:town AS bigint) ELSE :territory END, :topic, w.at, w.at, w.at
  FROM generate_series(1, 20000) n
  CROSS JOIN LATERAL (SELECT timestamptz '2026-01-01' + n * interval '25 minutes') AS w(at)
  RETURNING id, agency_id, written_at)
INSERT INTO sla_timer (appeal_id, cycle, promise, policy_version_id, term, started_at, recorded_at, due_at, stopped_at,
  outcome, agency_id, elapsed_seconds, working_seconds)
SELECT id, 1, 'first_answer', :policy, '{"seconds": 86400, "working": false}', written_at, written_at,
  written_at + interval '1 day', written_at + interval '5 hours', 'met', agency_id, 18000, 9000
FROM made
"""


async def a_year(owner_db: Database, worker_db: Database) -> dict[str, int]:
    """20,000 answered appeals of 20 agencies, some 1,800 a month; the readers of them."""
    async with owner_db.write() as session:
        land = await make.make_territory(session)
        town = await make.make_territory(session, parent=land)
        agencies = [await make.make_agency(session, territory=land) for _ in range(20)]
        page, topic, policy = (
            await make.make_page(session, agency=agencies[0]),
            await make.make_topic(session),
            await make.make_policy(session),
        )
        await session.execute(
            text(_YEAR),
            {
                "page": page.id,
                "agencies": [one.id for one in agencies],
                "territory": land.id,
                "town": town.id,
                "topic": topic.id,
                "policy": policy.id,
            },
        )
        readers = {
            "whole": (await make.make_operator(session, role=Role.SUPERVISOR)).id,
            "agency": (await make.make_operator(session, role=Role.SUPERVISOR, scope=agencies[3])).id,
            "territory": (await make.make_operator(session, role=Role.COORDINATOR, scope=town)).id,
        }
    await _is_built_in_bounded_time(owner_db)
    await rollup.rebuild(worker_db, tz="Europe/Moscow")
    assert await counted(owner_db) >= {"appeal", "report_line", "sla_timer"}, "the program does not wait for somebody to think of ANALYZE"
    return readers


async def _is_built_in_bounded_time(database: Database) -> None:
    """As after a bulk import: statistics are none, and still no table is read but by its index, nothing is sought row by row but there."""
    assert not await counted(database)
    async with database.read() as session:
        for setting in SETTINGS:
            await session.execute(text(f"SET LOCAL {setting}"))
        explained = await session.execute(text(f"EXPLAIN (FORMAT JSON) {range_lines_sql()}"), {"after": 0, "upto": 20_000})
    nodes = list(_nodes(explained.scalar_one()[0]["Plan"]))
    assert {"appeal", "appeal_event", "sla_timer"} <= {node.get("Relation Name") for node in nodes}
    assert not {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    for loop in nodes:
        if loop["Node Type"] == "Nested Loop":
            sought = {node["Node Type"] for node in _nodes(loop["Plans"][1])}
            assert not sought & {"CTE Scan", "Seq Scan"}, f"read anew for each row: {sought}"


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All nodes of a plan."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


async def counted(database: Database) -> set[str]:
    """Tables of which statistics are known."""
    async with database.read() as session:
        return set(
            await session.scalars(
                text("SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = 'public' AND tablename = ANY (:ones)"),
                {"ones": ["appeal", "report_line", "sla_timer"]},
            )
        )


def scans(plan: dict[str, Any], table: str) -> set[str]:
    """By which indexes a table is read, everywhere in a plan; the kind of a scan without one."""
    below = plan.get("Plans", ())
    found: set[str] = set()
    if plan.get("Relation Name") == table and plan["Node Type"] != "Bitmap Heap Scan":
        found.add(plan.get("Index Name") or plan["Node Type"])
    if plan["Node Type"] == "Bitmap Index Scan" and plan["Index Name"].startswith(f"ix_{table}"):
        found.add(plan["Index Name"])
    return found.union(*(scans(one, table) for one in below))


@pytest.mark.timeout(90)
async def test_the_month_is_read_by_its_index(owner_db: Database, web_db: Database, worker_db: Database) -> None:
    readers = await a_year(owner_db, worker_db)
    flat = {"after_opened": None, "after_key": "", "most": 51}
    for name, reader in readers.items():
        async with web_db.read(operator_id=reader) as session:
            access = await access_of_operator(session, operator_id=reader)
        asked = Asked(access=access, period=MONTH, now=NOW)
        params = asked.params()
        for group_by in Grouping:
            statement = response_times_sql(group_by, frozenset(), sight=asked.sight, source=Source.KEPT)
            await _check(web_db, reader, f"{name} by {group_by}", str(statement), params | flat)
        parts = edges(MONTH, slices(MONTH, Bucket.DAY))
        await _check(
            web_db,
            reader,
            f"{name} trend",
            str(trend_sql(frozenset(), sight=asked.sight, source=Source.KEPT)),
            params | {"edges": parts},
        )
        # The appeals behind a number: those that wait by their own index whatever the period, the others by the month.
        after = {"after_rank": None, "after_appeal": 0, "after_cycle": 0, "most": 51}
        for figure, period in (("overdue", YEAR), ("waiting", YEAR), ("answered", MONTH), ("late", MONTH)):
            listed = _behind_sql(
                frozenset(), figure=figure, sight=asked.sight, source=Source.KEPT, clock=Clock.FIRST, dismissed=False, timed=False,
                working=False,
            )  # fmt: skip
            of = replace(asked, period=period).params() | after
            await _check(web_db, reader, f"{name} list of {figure}", str(listed), {one: of[one] for one in listed.compile().params})


async def _check(web_db: Database, reader: int, name: str, statement: str, params: dict[str, Any]) -> None:
    async with web_db.read(operator_id=reader) as session:
        explained = await session.execute(text(f"EXPLAIN (FORMAT JSON) {statement}"), params)
        plan = explained.scalar_one()[0]
    used = scans(plan["Plan"], "report_line")
    assert used, name
    own = {"ix_report_line_agency_id", "ix_report_line_territory_id"}
    waits = name.endswith((" overdue", " waiting"))
    assert used <= ({"ix_report_line_first_waiting"} if waits else {"ix_report_line_started_at"} | own), f"{name}: {used}"
