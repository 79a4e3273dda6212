"""How much of the tokens is used and what is late, as /metrics tells it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.flows.gauges import SECOND, Gauges
from app.kernel import metrics
from app.kernel.metrics import CallMeter
from app.kernel.parts import WorkerParts
from app.sources.budget import SharedBudget
from connectors.contract import Options
from connectors.fake import FakeWorld, fake_plugin
from tests.factories import make_page

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database


def value(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


_FEEDS = (
    (-1, 60, 0), (60, 60, 0), (1, 5, 3), (None, 5, 0),  # due just now, not due yet, failing since lately, on a stream that is read
    (-20, 60, 0), (-30, 60, 0),  # not read though due
    (5, 60, 3),  # tried again and again
    (None, 60, 0),  # on a stream that nobody reads
)  # fmt: skip
"""Minutes until a page is due, and since it was read; failures since then."""


async def test_shares_of_quotas_and_rates_and_late_pages_are_told(
    owner_db: Database, worker_db: Database, database_url: URL, clock: FixedClock
) -> None:
    platform, world = "fake", FakeWorld()
    async with owner_db.write() as session:
        token = await session.scalar(
            text("INSERT INTO credential (platform, kind, secret) VALUES ('fake', 'fake', '') RETURNING CAST(id AS text)")
        )
        add = text(
            "INSERT INTO feed (platform, key, page_id, due_at, polled_at, failures) "
            "VALUES ('fake', CAST(CAST(:id AS bigint) AS text), :id, coalesce(CAST(:due AS timestamptz), 'infinity'), :polled, "
            ":failures)"
        )
        for due, polled, failures in _FEEDS:
            page = await make_page(session, platform=platform)
            due_at = None if due is None else clock.now() + timedelta(minutes=due)
            given = {"id": page.id, "due": due_at, "polled": clock.now() - timedelta(minutes=polled), "failures": failures}
            await session.execute(add, given)
    budget, meter = SharedBudget(worker_db, worker="w"), CallMeter(platform)
    parts = WorkerParts(
        clock=clock, database=worker_db, jobs_url=database_url, jobs_role=None, heartbeat=timedelta(seconds=6),
        connectors={platform: fake_plugin(world).build(Options(api_url=None, credentials=()))}, shared_calls=budget,
        meters={platform: meter}, plugins={}, name="w", timezone="UTC", time_scale=1.0, terms={},
    )  # fmt: skip
    series = Gauges(parts)
    budget.places(token, 10, 0)
    assert await budget.take(token, "wall.get", limit=20, seconds=86_400) is None
    for outcome in ("ok", "ok", "rate"):
        meter.called("wall.get", outcome)
    await series.read()
    assert value("otklik_pages_overdue", platform=platform) == 4
    assert value("otklik_budget_used", platform=platform, limit="wall.get") == pytest.approx(5 / 20), "a block of five was taken"
    assert (value("otklik_budget_used", platform=platform, limit=SECOND) or 0) > 0
    assert (value("otklik_platform_calls_total", platform=platform, method="wall.get", outcome="ok") or 0) >= 2
    await series.read()
    assert value("otklik_budget_used", platform=platform, limit=SECOND) == 0, "nothing was called since"
