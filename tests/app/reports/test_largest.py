"""Which pages have most is read from an index, whatever is asked: the same pages as whoever looks at every line finds."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, text

from app.people.queries import access_of_operator
from app.people.rules import Role
from app.reports import rollup
from app.reports.measures import MEASURES
from app.reports.rules import Grouping, Period
from app.reports.service import Asked, measured
from tests import factories as make
from tests.app.reports.alike import CELLS_ALWAYS, alike
from tests.app.reports.test_plan import _nodes

if TYPE_CHECKING:
    from app.kernel.db import Database

NOW = datetime(2026, 6, 30, tzinfo=UTC)
PERIODS = [
    Period(start=date(2026, 2, 1), end=date(2026, 2, 28), tz="UTC"),
    Period(start=date(2026, 1, 1), end=date(2026, 3, 31), tz="UTC"),
    Period(start=date(2026, 1, 20), end=date(2026, 3, 31), tz="UTC"),
]
# Few pages have most; some are large in one month alone; many have the same number.
_LINES = text(
    """
    INSERT INTO report_line (appeal_id, cycle, started_at, agency_id, territory_id, page_id, platform, first_stopped_at, first_outcome,
      first_seconds, agency_seconds, reopened, repeated, dismissed)
    SELECT n, 1, at, 1, 1, CASE WHEN d.c < 0.03 THEN NULL ELSE CAST(floor(power(d.a, 3) * 1500) AS bigint)
        + CASE WHEN extract(month FROM at) = 2 THEN 300 ELSE 0 END END, 'vk', at,
      CASE WHEN d.b < 0.2 THEN 'cancelled' ELSE 'met' END, 60, CASE WHEN d.c < 0.3 THEN 30 END, false, false, d.b < 0.2
    FROM generate_series(1, 9000) n
    CROSS JOIN LATERAL (SELECT timestamptz '2026-01-01 UTC' + n * interval '14 minutes' AS at) t
    CROSS JOIN LATERAL (SELECT random() + n * 0 AS a, random() AS b, random() AS c) d
    """
)
_KEPT = "INSERT INTO report_state (id, tz, built_at, stage, lines_kept) VALUES (1, 'Asia/Tokyo', now(), 'done', true)"


async def some_lines(owner: Database, worker: Database, seed: int) -> None:
    """Lines without a history, and their cells."""
    async with owner.write() as session:
        await session.execute(text("SELECT setseed(:seed)"), {"seed": seed / 10**6})
        await session.execute(_LINES)
        await session.execute(text(_KEPT))
    while (await rollup.refresh(worker, tz="UTC")).more:
        pass
    async with owner.write() as session:
        await session.execute(text("ANALYZE report_cell, report_shape, report_line"))


@pytest.mark.timeout(60)
async def test_the_largest_are_those_of_every_line(owner_db: Database, worker_db: Database) -> None:
    seed = random.randrange(10**6)
    await some_lines(owner_db, worker_db, seed)
    for queued in (0, 40):
        async with owner_db.write() as session:  # of these nothing is known any more: what was kept is taken away
            await session.execute(text("INSERT INTO report_queue (appeal_id) SELECT n * 150 FROM generate_series(1, :n) n"), {"n": queued})
        async with owner_db.read() as session:
            for period in PERIODS:
                for code in ("first-answer", "agency-answer", "dismissed", "final-answer"):
                    asked = Asked(measure=MEASURES[code], access=None, period=period, now=NOW)
                    kept, told = [
                        await measured(session, replace(asked, exact_up_to=most), group_by=Grouping.PAGE, limit=7)
                        for most in (CELLS_ALWAYS, 10**9)
                    ]
                    where = f"seed {seed}, {code}, {period}, {queued} queued"
                    assert [row.key for row in kept.rows] == [row.key for row in told.rows], where
                    assert kept.approximate
                    assert kept.next_cursor == told.next_cursor, where
                    assert alike(kept.total, told.total), where
                    for mine, theirs in zip(kept.rows, told.rows, strict=True):
                        assert alike(replace(mine, label=theirs.label), theirs), where  # pages without a row have no name


async def test_no_page_is_looked_at_for_nothing(owner_db: Database, web_db: Database, worker_db: Database) -> None:
    """Every page's cell is found by the number of its lines, or by its key."""
    await some_lines(owner_db, worker_db, 1)
    async with owner_db.write() as writing:
        reader = (await make.make_operator(writing, role=Role.SUPERVISOR)).id
    statements: list[tuple[str, Any]] = []

    def listen(_connection: object, _cursor: object, statement: str, parameters: Any, _context: object, _many: object) -> None:
        if "numeric_send" in statement:
            statements.append((statement, parameters))

    event.listen(web_db.engine.sync_engine, "before_cursor_execute", listen)
    async with web_db.read(operator_id=reader) as session:
        access = await access_of_operator(session, operator_id=reader)
        asked = Asked(access=access, period=PERIODS[0], now=NOW, exact_up_to=CELLS_ALWAYS)
        assert len((await measured(session, asked, group_by=Grouping.PAGE, limit=7)).rows) == 7
    event.remove(web_db.engine.sync_engine, "before_cursor_execute", listen)
    ((statement, parameters),) = statements
    async with web_db.read(operator_id=reader) as session:
        explained = await (await session.connection()).exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
    read = [node for node in _nodes(explained.scalar_one()[0]["Plan"]) if node.get("Relation Name") in {"report_cell", "report_shape"}]
    assert "ix_report_cell_lines" in {node.get("Index Name") for node in read}
    for node in read:
        of_platforms = "dim = 4" in node.get("Index Cond", "")
        assert of_platforms or node.get("Index Name") == "ix_report_cell_lines" or "key" in node.get("Index Cond", ""), node
