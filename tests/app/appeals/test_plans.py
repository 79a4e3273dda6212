"""The queue stays on its indexes, and reads no more rows than its page needs, with thirty thousand appeals stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals.filters import Cursor, QueueFilters
from app.appeals.plan import plan_once
from app.appeals.queries import queue, queue_statement
from app.appeals.rules import Status
from app.people.rules import Role
from tests import factories
from tests.app.appeals.crowd import analyse, fill
from tests.app.appeals.reading import reading_as

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database, ReadSession
    from app.people.models import Operator
    from app.people.rules import Access

COUNT = 30_000
PAGES = 40
LIMIT = 25
# One agency's page and no more: of each of a person's agencies at most a page is read, then only the page is dressed.
MOST_ROWS = 600


async def plan(session: ReadSession, access: Access, clock: FixedClock, filters: QueueFilters, after: Cursor | None) -> dict[str, Any]:
    """The plan of a page as it ran."""
    await plan_once(session)
    statement, params = queue_statement(access, filters=filters, now=clock.now(), after=after, limit=LIMIT)
    rows = await session.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.text}"), params)
    found: dict[str, Any] = rows.scalar_one()[0]["Plan"]
    return found


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """All nodes of a plan."""
    yield node
    for below in node.get("Plans", []):
        yield from nodes(below)


def read_of(found: dict[str, Any], table: str) -> int:
    """How many rows of a table were looked at."""
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes(found)
        if node.get("Relation Name") == table
    )


@pytest.mark.timeout(120)
async def test_the_queue_stays_on_its_indexes(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        agencies = [await factories.make_agency(session, name=f"Управа {number}") for number in range(PAGES // 2)]
        pages = [await factories.make_page(session, agency=agencies[number // 2]) for number in range(PAGES)]
        for page in pages:
            await factories.make_post(session, page=page)
        topics = [await factories.make_topic(session) for _ in range(30)]
        policy = await factories.make_policy(session)
        people: dict[str, Operator] = {
            "operator": await factories.make_operator(session, scope=agencies[0]),
            "supervisor": await factories.make_operator(session, role=Role.SUPERVISOR),
            "several": await factories.make_operator(session, scope=agencies[1]),
        }
        for agency in agencies[2:8]:
            await factories.grant(session, operator=people["several"], role=Role.OPERATOR, scope=agency)
        await fill(
            session,
            count=COUNT,
            page_ids=[page.id for page in pages],
            topic_ids=[topic.id for topic in topics],
            policy_id=policy.id,
            now=clock.now(),
        )
        await session.execute(
            text("UPDATE appeal SET operator_id = :me WHERE id % 500 = 0 AND status = 'in_work'"), {"me": people["supervisor"].id}
        )
    async with owner_db.write() as session:
        await analyse(session)
    cases = {
        ("operator", QueueFilters()): "ix_appeal_agency_queue",
        ("several", QueueFilters()): "ix_appeal_agency_queue",
        ("supervisor", QueueFilters(agency_ids=(agencies[3].id,))): "ix_appeal_agency_queue",
        ("supervisor", QueueFilters()): "ix_appeal_queue",
        ("supervisor", QueueFilters(overdue=True)): "ix_appeal_queue",
        ("supervisor", QueueFilters(mine=True)): "ix_appeal_operator_queue",
        ("operator", QueueFilters(statuses=frozenset({Status.CLOSED}))): "ix_appeal_agency_id_id",
        ("supervisor", QueueFilters(statuses=frozenset({Status.CLOSED}))): "pk_appeal",
        ("supervisor", QueueFilters(search="дома 77 фонари")): "pk_appeal",
    }
    for (name, filters), index in cases.items():
        async with reading_as(web_db, people[name]) as (session, access):
            first = await queue(session, access, filters=filters, now=clock.now(), limit=LIMIT)
            assert len(first.rows) == LIMIT or filters.mine or filters.search, (name, filters)
            for after in (None, first.next):
                found = await plan(session, access, clock, filters, after)
                used = {node.get("Index Name") for node in nodes(found)}
                assert index in used, (name, filters, used)
                scanned = {node["Relation Name"] for node in nodes(found) if node["Node Type"] == "Seq Scan" and node["Actual Loops"]}
                assert not scanned & {"appeal", "comment", "author", "sla_timer", "appeal_event"}, (name, filters, scanned)
                looked_at = read_of(found, "appeal")
                assert looked_at < MOST_ROWS, (name, filters, looked_at)
