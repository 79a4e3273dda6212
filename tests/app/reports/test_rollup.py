"""What is kept for fast reports says the same as the history, at every moment: queued, refreshed, and read as of now."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import text

from app.kernel.db import utc_now_of
from app.reports import rollup, sketch
from app.reports.backlog import backlog
from app.reports.lines import COLUMNS, lines_sql
from app.reports.measures import BACKLOG, MEASURES
from app.reports.rules import Bucket, Filters, Grouping, Period, Slice, midnight, slices
from app.reports.service import Asked, measured, trend
from app.reports.spans import DAY, MONTH, YEAR, cover, nearest_days
from tests.app.reports.alike import CELLS_ALWAYS, alike
from tests.app.reports.office import Office
from tests.app.reports.test_as_of import around

if TYPE_CHECKING:
    from app.kernel.db import Database, ReadSession


# Of one clock and one population all measures with percentiles are the same question, and all without.
DIFFERENT = {(one.clocked, one.dismissed, one.has("median_s")): one for one in MEASURES.values() if one is not BACKLOG}


async def all_ways(session: ReadSession, seed: int) -> None:
    """Every measure by every grouping: from lines, from cells, from the history as it is known now."""
    now = await utc_now_of(session)
    for measure in DIFFERENT.values():
        for group_by in (Grouping.AGENCY, Grouping.TOPIC, Grouping.OPERATOR, Grouping.PAGE):
            asked = Asked(measure=measure, access=None, period=around(now), now=now)
            exact = await measured(session, asked, group_by=group_by)
            for other in (replace(asked, exact_up_to=CELLS_ALWAYS), replace(asked, as_of=now, replayed=True)):
                again = await measured(session, other, group_by=group_by)
                where = f"seed {seed}: {measure.code} by {group_by.value}, as of {other.as_of}"
                assert [row.key for row in again.rows] == [row.key for row in exact.rows], where
                for mine, theirs in zip((*exact.rows, exact.total), (*again.rows, again.total), strict=True):
                    assert alike(mine, theirs), f"{where}: {mine} {theirs}"
    for group_by in Grouping:  # and narrowed: by cells where they hold it, else by lines
        asked = Asked(access=None, period=around(now), now=now, filters=Filters(platforms=("vk",)))
        pair = [await measured(session, replace(asked, exact_up_to=most), group_by=group_by) for most in (CELLS_ALWAYS, 10**9)]
        assert [row.key for row in pair[0].rows] == [row.key for row in pair[1].rows]
        assert all(alike(mine, theirs) for mine, theirs in zip(pair[0].rows, pair[1].rows, strict=True)), f"seed {seed}: {group_by}"
        assert alike(pair[0].total, pair[1].total), f"seed {seed}: {group_by}"
    waits = Asked(measure=BACKLOG, access=None, period=around(now), now=now)
    kept, told = [(await backlog(session, one)).points for one in (waits, replace(waits, as_of=now, replayed=True))]
    assert kept == told, f"seed {seed}"
    await by_other_days(session, now, seed)
    for bucket in (Bucket.DAY, Bucket.MONTH):
        days = await trend(session, access=None, period=around(now), now=now, bucket=bucket)
        rolled = await trend(session, access=None, period=around(now), now=now, bucket=bucket, exact_up_to=CELLS_ALWAYS)
        assert all(alike(mine, theirs) for mine, theirs in zip(days.points, rolled.points, strict=True)), f"seed {seed}: {bucket}"


async def by_other_days(session: ReadSession, now: datetime, seed: int) -> None:
    """By days that are none of the cells', and of periods that are sooner had by taking away."""
    begun, yesterday = now.date().replace(month=1, day=1), now.date() - timedelta(days=1)
    periods = [replace(around(now), tz="Asia/Kathmandu")]
    periods += [Period(start=begun, end=yesterday, tz=tz) for tz in ("UTC", "Asia/Kamchatka", "America/Caracas")]
    for period in periods:
        for group_by in (Grouping.AGENCY, Grouping.PLATFORM, Grouping.PAGE, Grouping.OPERATOR):
            far = Asked(access=None, period=period, now=now)
            pair = [await measured(session, replace(far, exact_up_to=most), group_by=group_by) for most in (CELLS_ALWAYS, 10**9)]
            where = f"seed {seed}: {group_by}, {period}"
            assert [one.approximate for one in pair] == [True, False], where
            assert [row.key for row in pair[0].rows] == [row.key for row in pair[1].rows], where
            assert all(alike(mine, theirs) for mine, theirs in zip(pair[0].rows, pair[1].rows, strict=True)), where
            assert alike(pair[0].total, pair[1].total), where


_LOST = "SELECT count(*) FROM (({lines}) EXCEPT SELECT {columns} FROM report_line) lost"


@pytest.mark.timeout(120)
async def test_lines_cells_and_history_say_the_same(owner_db: Database, worker_db: Database) -> None:
    seed = random.randrange(10**6)
    office = Office(owner_db, random.Random(seed))
    await office.open(6)
    for step in range(30):
        await office.step()
        if step % 9 == 0:
            await rollup.refresh(worker_db, tz="UTC")
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM report_queue")), "the last steps wait"
        await all_ways(session, seed)
    assert (await rollup.refresh(worker_db, tz="UTC")).appeals
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM report_queue")) == 0
        lines = lines_sql("SELECT id AS appeal_id FROM appeal", as_of=False)
        assert await session.scalar(text(_LOST.format(lines=lines, columns=", ".join(COLUMNS)))) == 0, f"seed {seed}"
        await all_ways(session, seed)


_KEPT = {
    "report_cell": "SELECT * FROM report_cell ORDER BY dim, level, start, key",
    "report_shape": "SELECT * FROM report_shape ORDER BY dim, level, clock, start, key",
}


async def test_rebuilding_gives_the_same_cells(owner_db: Database, worker_db: Database) -> None:
    """Sums that were moved step by step are those computed at once; another zone's days are other cells."""
    office = Office(owner_db, random.Random(7))
    await office.open(4)
    for _ in range(12):
        await office.step()
        await rollup.refresh(worker_db, tz="UTC")

    async def kept() -> dict[str, list[tuple[object, ...]]]:
        """Rows of which anything is left."""
        async with owner_db.read() as session:
            return {
                table: [tuple(row) for row in await session.execute(text(ordered)) if any(row[-2:] if table == "report_shape" else row[4:])]
                for table, ordered in _KEPT.items()
            }

    moved = await kept()
    told: list[tuple[str, int]] = []
    lines = await rollup.rebuild(owner_db, tz="UTC", progress=lambda what, done: told.append((what, done)))
    assert ("lines", lines) in told
    assert {what for what, _ in told} == {"lines", "months"}
    assert await kept() == moved
    await _stopped_and_gone_on_with(office, worker_db)
    await rollup.refresh(worker_db, tz="Asia/Kamchatka")
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT tz FROM report_state")) == "Asia/Kamchatka"
        assert await session.scalar(text("SELECT count(*) FROM report_queue")) == 0


async def _stopped_and_gone_on_with(office: Office, database: Database) -> None:
    """A build that is killed in its midst goes on where it was; reports are right all the while, of what happened meanwhile too."""

    def killed(what: str, _done: int) -> None:
        if what == "months":
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await rollup.rebuild(database, tz="UTC", progress=killed)
    steps = 0
    while True:
        async with database.read() as session:
            now = await utc_now_of(session)
            asked = Asked(access=None, period=around(now), now=now, exact_up_to=CELLS_ALWAYS)
            kept = await measured(session, asked, group_by=Grouping.TOPIC)
            told = await measured(session, replace(asked, as_of=now, replayed=True), group_by=Grouping.TOPIC)
            assert [row.key for row in kept.rows] == [row.key for row in told.rows]
            assert all(alike(mine, theirs) for mine, theirs in zip((*kept.rows, kept.total), (*told.rows, told.total), strict=True))
            done = await session.scalar(text("SELECT stage FROM report_state")) == "done"
            assert kept.approximate == done, "cells that are not complete are not read"
        if done:
            break
        await office.step()
        steps += (await rollup.refresh(database, tz="UTC", seconds=-1)).more
    assert steps > 1


async def test_one_refreshes_at_a_time(owner_db: Database, worker_db: Database) -> None:
    office = Office(owner_db, random.Random(3))
    await office.open(2)
    async with owner_db.write() as session:
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": rollup._LOCK})
        assert (await rollup.refresh(worker_db, tz="UTC")).appeals == 0
    assert (await rollup.refresh(worker_db, tz="UTC")).appeals == 2


TIMES = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=300)


@given(TIMES, st.sampled_from([0.5, 0.9, 0.99]))
def test_percentiles_are_within_one_percent(times: list[int], share: float) -> None:
    """Against the exact ones, linear between neighbours."""
    (told,) = sketch.together((sketch.bin_of(seconds), 1) for seconds in times).percentiles(len(times), (share,))
    exact = times[0] if len(times) == 1 else statistics.quantiles(times, n=100, method="inclusive")[round(share * 100) - 1]
    assert told == pytest.approx(exact, rel=0.01, abs=1e-9)


async def test_the_database_adds_distributions_as_we_do(owner_db: Database) -> None:
    """Sums of them, and what is taken away again; in any order, over all bins."""
    dice = random.Random(11)
    async with owner_db.read() as session:
        for count in (0, 1, 2, 40, 3_000):
            times = [dice.choice([dice.randrange(2**31), round(2 ** dice.uniform(0, 31)) - 1, 0]) for _ in range(count)]
            gone = times[: count // 3]
            sent = await session.scalar(
                text(
                    "SELECT numeric_send(sum(sign * otklik_sketch(s))) FROM (SELECT 1 AS sign, unnest(CAST(:came AS integer[])) AS s"
                    " UNION ALL SELECT -1, unnest(CAST(:gone AS integer[]))) t"
                ),
                {"came": times, "gone": gone},
            )
            assert sketch.received(sent).found == sketch.together((sketch.bin_of(seconds), 1) for seconds in times[count // 3 :]).found
        full = await session.scalar(text("SELECT numeric_send(otklik_sketch(5) * 99999999 + otklik_sketch(100) * 12345)"))
        assert sketch.received(full).found == sketch.together([(sketch.bin_of(5), 99_999_999), (sketch.bin_of(100), 12_345)]).found


async def test_the_database_bins_as_we_do(owner_db: Database) -> None:
    edges = sorted({max(0, round(sketch.GROWTH**power) + off) for power in range(1085) for off in (-1, 0, 1)} - {2**31})
    edges = [one for one in edges if one < 2**31]
    async with owner_db.read() as session:
        rows = await session.execute(text("SELECT s, otklik_bin(s) FROM unnest(CAST(:edges AS integer[])) s"), {"edges": edges})
        assert all(sketch.bin_of(seconds) == number for seconds, number in rows)


@given(st.dates(date(2015, 1, 1), date(2030, 1, 1)), st.integers(0, 500), st.booleans(), st.sampled_from(list(Bucket)))
def test_cells_cover_a_period_once(start: date, length: int, daily: bool, bucket: Bucket) -> None:  # noqa: FBT001 - drawn
    period = Period(start=start, end=start + timedelta(days=length), tz="UTC")
    parts = slices(period, bucket)
    spans = cover(parts, daily=daily)
    days: Counter[date] = Counter()
    for level, first, sign in zip(spans.levels, spans.starts, spans.signs, strict=True):
        after = first + timedelta(days=1) if level == DAY else date(first.year + 1, 1, 1)
        if level == MONTH:
            after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        days.update({first + timedelta(days=n): sign for n in range((after - first).days)})
    for first, last in spans.rest:
        days.update(first + timedelta(days=n) for n in range((last - first).days + 1))
    assert +days == {start + timedelta(days=n): 1 for n in range(length + 1)}
    assert not -days, "nothing is taken away that was not there"
    assert daily <= (not spans.rest)
    assert daily or min(spans.signs, default=1) == 1


def test_a_period_is_had_of_the_fewest_cells() -> None:
    def cells(*days: date) -> list[tuple[int, date, int]]:
        spans = cover([Slice(*days)], daily=True)
        return list(zip(spans.levels, spans.starts, spans.signs, strict=True))

    whole = (YEAR, date(2026, 1, 1), 1)
    assert cells(date(2026, 1, 1), date(2026, 12, 31)) == [whole]
    assert cells(date(2026, 1, 2), date(2026, 12, 30)) == [whole, (DAY, date(2026, 1, 1), -1), (DAY, date(2026, 12, 31), -1)]
    assert cells(date(2026, 1, 1), date(2026, 10, 31)) == [whole, (MONTH, date(2026, 11, 1), -1), (MONTH, date(2026, 12, 1), -1)]
    assert cells(date(2026, 2, 1), date(2026, 3, 1)) == [(MONTH, date(2026, 2, 1), 1), (DAY, date(2026, 3, 1), 1)]
    assert len(cells(date(2026, 1, 15), date(2026, 12, 20))) == 1 + 14 + 11


@given(
    st.integers(0, 60_000), st.integers(1, 5000), st.sampled_from(["Europe/Moscow", "Asia/Kathmandu", "Africa/Cairo", "America/Caracas"])
)
def test_days_of_another_zone_cover_a_period_with_its_ends(first: int, hours: int, zone: str) -> None:
    since = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(hours=first)
    until, place = since + timedelta(hours=hours), ZoneInfo(zone)
    days, ends = nearest_days(since, until, place)
    pieces = [*ends, *([] if days is None else [(midnight(place, days.start), midnight(place, days.end, days=1), 1)])]
    cuts = sorted({since, until, *(low for low, _, _ in pieces), *(high for _, high, _ in pieces)})
    for low, high in pairwise(cuts):
        held = sum(sign for begin, end, sign in pieces if begin <= low and high <= end)
        assert held == (since <= low and high <= until)
    assert all(high - low < timedelta(hours=25 if days is None else 13) for low, high, _ in ends)
