"""Groups add up to the whole, whatever the population, the grouping, the filter and the reader."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import text

from app.people.rules import Access
from app.reports.rules import Bucket, Filters, Grouping, Period, edges, slice_of, slices
from app.reports.service import response_times, trend
from tests import factories as make

if TYPE_CHECKING:
    from app.kernel.db import Database, WriteSession
    from app.reports.figures import Figures

START = datetime(2026, 3, 1, tzinfo=UTC)
NOW = START + timedelta(days=50)
QUARTER = Period(start=date(2026, 3, 1), end=date(2026, 4, 30), tz="Asia/Yekaterinburg")
COUNTS = (
    "opened",
    "answered",
    "in_time",
    "late",
    "waiting",
    "overdue",
    "closed_unanswered",
    "unanswered",
    "in_time_of",
)

_POPULATION = """
WITH made AS (
  INSERT INTO appeal (source, platform, page_id, status, agency_id, territory_id, topic_id, operator_id, written_at,
    opened_at, touched_at)
  SELECT 'hand', p.platform, p.id, 'new', (CAST(:agencies AS bigint[]))[1 + floor(random() * 7)],
    (CAST(:territories AS bigint[]))[1 + floor(random() * 5)], (CAST(:topics AS bigint[]))[1 + floor(random() * 6)],
    (CAST(:operators AS bigint[]))[1 + floor(random() * 4)], w.at, w.at, w.at
  FROM generate_series(1, :count) n
  CROSS JOIN LATERAL (SELECT id, platform FROM page WHERE n > 0 ORDER BY random() LIMIT 1) p
  CROSS JOIN LATERAL (
    SELECT CAST(:start AS timestamptz) + random() * interval '45 days' + n * interval '0') AS w(at)
  RETURNING id, agency_id, written_at),
dice AS MATERIALIZED (
  SELECT made.*, random() AS fate, interval '1 second' * floor(random() * 200000) AS took FROM made),
timers AS (
  INSERT INTO sla_timer (appeal_id, cycle, promise, policy_version_id, term, started_at, recorded_at, due_at,
    stopped_at, outcome, agency_id, elapsed_seconds, working_seconds)
  SELECT id, 1, 'first_answer', :policy, '{"seconds": 86400, "working": false}', written_at, written_at,
    written_at + interval '1 day',
    CASE WHEN fate < 0.8 THEN written_at + took END,
    CASE WHEN fate < 0.6 THEN CASE WHEN took <= interval '1 day' THEN 'met' ELSE 'late' END
      WHEN fate < 0.7 THEN 'unanswered' WHEN fate < 0.8 THEN 'cancelled' END,
    CASE WHEN fate < 0.8 THEN agency_id END, CASE WHEN fate < 0.8 THEN extract(epoch FROM took) END,
    CASE WHEN fate < 0.8 THEN floor(extract(epoch FROM took) / 3) END
  FROM dice)
SELECT count(*) FROM made
"""


async def populate(session: WriteSession, count: int) -> dict[str, list[int | None]]:
    """Trees three deep, pages of two platforms, and `count` appeals thrown at them by the database's seeded dice."""
    land = await make.make_territory(session)
    territories = [land, *[await make.make_territory(session, parent=land) for _ in range(2)]]
    territories += [await make.make_territory(session, parent=territories[1]) for _ in range(2)]
    agencies = [await make.make_agency(session, territory=land) for _ in range(2)]
    agencies += [await make.make_agency(session, parent=agencies[0]) for _ in range(2)]
    agencies += [await make.make_agency(session, parent=agencies[2]) for _ in range(3)]
    topics = [await make.make_topic(session) for _ in range(2)]
    topics += [await make.make_topic(session, parent=topics[0]) for _ in range(3)]
    operators = [await make.make_operator(session) for _ in range(3)]
    for platform in ("vk", "telegram", "vk"):
        await make.make_page(session, agency=agencies[0], platform=platform)
    ids: dict[str, list[int | None]] = {
        "agencies": [one.id for one in agencies],
        "territories": [one.id for one in territories],
        "topics": [*[one.id for one in topics], None],
        "operators": [*[one.id for one in operators], None],
    }
    policy = await make.make_policy(session)
    await session.execute(text(_POPULATION), {**ids, "count": count, "start": START, "policy": policy.id})
    return ids


def sums(lines: list[Figures], whole: Figures) -> None:
    for name in COUNTS:
        assert sum(getattr(line, name) for line in lines) == getattr(whole, name), name
    spent = sum((line.average_s or 0) * line.answered for line in lines)
    assert spent == pytest.approx((whole.average_s or 0) * whole.answered)
    assert max((line.oldest_unanswered_age_s or 0 for line in lines), default=0) == (whole.oldest_unanswered_age_s or 0)


@pytest.mark.timeout(60)
async def test_groups_add_up_to_the_whole(owner_db: Database) -> None:
    seed = random.randrange(10**6)
    async with owner_db.write() as session:
        await session.execute(text("SELECT setseed(:seed)"), {"seed": seed / 10**6})
        ids = await populate(session, 600)
    some = {name: tuple(one for one in values[1:3] if one is not None) for name, values in ids.items()}
    anybody = Access(operator_id=1, name="", login="", is_service=False, grants=(), agency_ids=(), territory_ids=(), whole=True)
    readers = [
        None,  # who sees the whole region is asked nothing either
        replace(anybody, whole=False, agency_ids=some["agencies"]),
        replace(anybody, whole=False, agency_ids=some["agencies"], territory_ids=some["territories"]),
    ]
    filters = [
        Filters(),
        Filters(agency_ids=some["agencies"]),
        Filters(territory_ids=some["territories"], platforms=("vk",)),
        Filters(topic_ids=some["topics"]),
        Filters(operator_ids=some["operators"]),
    ]
    seen = set()
    async with owner_db.read() as session:
        for access in readers:
            for narrowed in filters:
                totals = set()
                for group_by in Grouping:
                    report = await response_times(session, access=access, period=QUARTER, group_by=group_by, filters=narrowed, now=NOW)
                    sums([row for row in report.rows if row.depth == 0], report.total)
                    totals.add(report.total)
                for bucket in Bucket:
                    days = await trend(session, access=access, period=QUARTER, bucket=bucket, filters=narrowed, now=NOW)
                    sums(list(days.points), days.total)
                    totals.add(days.total)
                assert len(totals) == 1, f"seed {seed}: the whole is the same however it is cut"
                seen |= totals
    assert len(seen) >= 10, f"seed {seed}: readers and filters made no difference"


ZONES = st.sampled_from(["Europe/Moscow", "Asia/Kamchatka", "Europe/Kaliningrad", "America/Sao_Paulo", "Africa/Cairo", "UTC"])


@given(
    start=st.dates(date(2005, 1, 1), date(2030, 1, 1)),
    days=st.integers(0, 400),
    tz=ZONES,
    bucket=st.sampled_from(list(Bucket)),
    share=st.floats(0, 1, exclude_max=True),
)
def test_slices_cover_a_period_once(start: date, days: int, tz: str, bucket: Bucket, share: float) -> None:
    """Across changed clocks too: every moment is in exactly the slice of its local day."""
    period = Period(start=start, end=start + timedelta(days=days), tz=tz)
    parts = slices(period, bucket)
    assert (parts[0].start, parts[-1].end) == (period.start, period.end)
    assert all(one.end + timedelta(days=1) == after.start for one, after in pairwise(parts))
    starts = edges(period, parts)
    assert starts[0] == period.since
    assert starts == sorted(set(starts))
    moment = min(period.since + (period.until - period.since) * share, period.until - timedelta(microseconds=1))
    number = slice_of(moment, starts)
    assert parts[number - 1].start <= moment.astimezone(period.zone).date() <= parts[number - 1].end
