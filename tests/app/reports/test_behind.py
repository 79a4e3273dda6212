"""The list behind a number is as long as the number: totals, rows, buckets, cells and bins, for every reader, from lines and from cells."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.kernel.errors import InvalidError
from app.people.rules import Access
from app.reports.backlog import backlog
from app.reports.behind import BEHIND, LISTED, BehindRow, Times, behind
from app.reports.distribution import distribution
from app.reports.grid import grid
from app.reports.measures import BACKLOG, FIRST_ANSWER, MEASURES, Unit
from app.reports.rollup import rebuild
from app.reports.rules import TREES, Bucket, Filters, Grouping, Period
from app.reports.service import Asked, measured, trended
from tests.app.reports.test_adds_up import COUNTS, NOW, QUARTER, populate

if TYPE_CHECKING:
    from app.kernel.db import Database, ReadSession
    from app.reports.figures import Figures

TREE_COUNTS = ("opened", "late", "overdue", "unanswered")
ANYBODY = Access(operator_id=1, name="", login="", is_service=False, grants=(), agency_ids=(), territory_ids=(), whole=True)


def within(asked: Asked, *, key: int | str | None, group_by: Grouping, period: Period | None = None) -> Asked:
    """The question of a row or a cell."""
    if key is None:
        filters = Filters(nobodys=(group_by,))
    elif group_by is Grouping.PLATFORM:
        filters = Filters(platforms=(str(key),))
    else:
        filters = Filters(**{f"{group_by.value}_ids": (int(key),)})  # type: ignore[arg-type] # tuples of ids
    return replace(asked, filters=filters, period=period or asked.period)


async def agree(session: ReadSession, asked: Asked, figures: Figures, codes: tuple[str, ...]) -> int:
    """Assert it of these numbers; how many appeals they are."""
    seen = 0
    for code in codes:
        listed = await behind(session, asked, figure=code, limit=1)
        assert listed.total == getattr(figures, code), (asked.measure.code, code, asked.filters)
        seen += listed.total
    return seen


@pytest.mark.timeout(60)
async def test_the_list_is_as_long_as_the_number(owner_db: Database) -> None:
    seed, seen = random.randrange(10**6), 0
    async with owner_db.write() as session:
        await session.execute(text("SELECT setseed(:seed)"), {"seed": seed / 10**6})
        ids = await populate(session, 300)
    await rebuild(owner_db, tz=QUARTER.tz)
    narrow = replace(ANYBODY, whole=False, agency_ids=tuple(one for one in ids["agencies"][2:5] if one), territory_ids=(1,))
    async with owner_db.read() as session:
        for measure in MEASURES.values():
            codes = tuple(one.code for one in measure.measures if one.unit is Unit.COUNT)
            if measure is BACKLOG:
                continue
            asked = Asked(measure=measure, access=None, period=QUARTER, now=NOW)
            seen += await agree(session, asked, (await measured(session, asked, group_by=Grouping.PLATFORM)).total, codes)
        for access in (None, narrow):
            asked = Asked(access=access, period=QUARTER, now=NOW)
            for group_by in Grouping:
                for row in (await measured(session, asked, group_by=group_by)).rows:
                    seen += await agree(session, within(asked, key=row.key, group_by=group_by), row, TREE_COUNTS)
            for point in (await trended(session, asked, bucket=Bucket.MONTH)).points:
                part = replace(asked, period=Period(start=point.slice.start, end=point.slice.end, tz=QUARTER.tz))
                assert (await behind(session, part, figure="decided")).total == point.in_time_of, f"seed {seed}"
                seen += await agree(session, part, point, COUNTS[:-1])
        asked = Asked(measure=BACKLOG, access=None, period=QUARTER, now=NOW)
        for point in (await backlog(session, asked, bucket=Bucket.MONTH)).points:
            part = replace(asked, period=Period(start=point.slice.start, end=point.slice.end, tz=QUARTER.tz))
            seen += await agree(session, part, point, ("waiting",))
    assert seen > 1_000, f"seed {seed}: hardly anything was counted"


@pytest.mark.timeout(60)
async def test_cells_and_bins_are_lists_too_and_cells_say_what_lines_say(owner_db: Database) -> None:
    seed = random.randrange(10**6)
    async with owner_db.write() as session:
        await session.execute(text("SELECT setseed(:seed)"), {"seed": seed / 10**6})
        ids = await populate(session, 300)
        some = await session.execute(text("SELECT id FROM appeal ORDER BY id LIMIT 3"))
        late = [row.id for row in some]
    await rebuild(owner_db, tz=QUARTER.tz)
    async with owner_db.write() as session:  # and something is queued
        await session.execute(text("INSERT INTO report_queue (appeal_id) SELECT unnest(CAST(:ids AS bigint[]))"), {"ids": late})
    asked = Asked(access=None, period=QUARTER, now=NOW)
    kept = replace(asked, exact_up_to=-1)
    filtered = replace(asked, filters=Filters(agency_ids=(int(ids["agencies"][0] or 0),)))
    async with owner_db.read() as session:
        for group_by in TREES:
            found = await grid(session, asked, group_by=group_by, bucket=Bucket.MONTH)
            assert found == await grid(session, kept, group_by=group_by, bucket=Bucket.MONTH), f"seed {seed}: cells say otherwise"
            report = await measured(session, asked, group_by=group_by)
            assert [(row.key, row.depth, sum(cell.opened for cell in row.cells)) for row in found.rows] == [
                (row.key, row.depth, row.opened) for row in report.rows
            ]
            assert sum(cell.answered for cell in found.total) == report.total.answered
            row = found.rows[len(found.rows) // 2]
            for part, cell in zip(found.slices, row.cells, strict=True):
                period = Period(start=part.start, end=part.end, tz=QUARTER.tz)
                await agree(session, within(asked, key=row.key, group_by=group_by, period=period), cell, TREE_COUNTS)
        below = await grid(session, filtered, group_by=Grouping.AGENCY, bucket=Bucket.WEEK)
        assert [row.key for row in below.rows] == [row.key for row in (await measured(session, filtered, group_by=Grouping.AGENCY)).rows]
        for working in (False, True):
            bins = await distribution(session, asked, working=working)
            rough = await distribution(session, kept, working=working)
            assert rough.approximate
            assert rough.answered == bins.answered
            assert bins.norms == (() if working else (86_400,)) or bins.norms
            assert 0 < bins.answered <= (await measured(session, asked, group_by=Grouping.PLATFORM)).total.answered
            for one in bins.bins:
                listed = await behind(
                    session, asked, figure="answered", times=Times(over_s=one.over_s, upto_s=one.upto_s, working=working), limit=1
                )
                assert listed.total == one.answered == (one.in_time or 0) + (one.late or 0) + (one.unpromised or 0), f"seed {seed}"


async def test_a_list_is_read_page_by_page_the_longest_first(owner_db: Database) -> None:
    async with owner_db.write() as session:
        await session.execute(text("SELECT setseed(0.5)"))
        await populate(session, 60)
    asked = Asked(access=None, period=QUARTER, now=NOW)
    async with owner_db.read() as session:
        pages: list[BehindRow] = []
        cursor = None
        while True:
            page = await behind(session, asked, figure="opened", limit=7, cursor=cursor)
            pages += page.rows
            cursor = page.next_cursor
            if cursor is None:
                break
    assert len({row.number for row in pages}) == len(pages) == page.total
    waiting = [row.started_at for row in pages if row.stopped_at is None]
    assert pages[: len(waiting)] == [row for row in pages if row.stopped_at is None]
    assert waiting == sorted(waiting)
    spent = [row.elapsed_s or 0 for row in pages[len(waiting) :]]
    assert spent == sorted(spent, reverse=True)


@pytest.mark.parametrize(
    ("figure", "over", "cursor", "limit", "code"),
    [
        ("average_s", None, None, 10, "report.figure"),
        ("opened", 9, None, 10, "report.times"),
        ("opened", None, "1.x.2", 10, "report.cursor"),
        ("opened", None, None, 0, "report.limit"),
    ],
)
async def test_a_list_that_cannot_be_is_refused(
    owner_db: Database, figure: str, over: int | None, cursor: str | None, limit: int, code: str
) -> None:
    asked = Asked(access=None, period=QUARTER, now=NOW)
    async with owner_db.read() as session:
        with pytest.raises(InvalidError) as refused:
            await behind(session, asked, figure=figure, times=Times(over_s=over, upto_s=5), cursor=cursor, limit=limit)
    assert refused.value.code == code


def test_behind_every_figure_stands_a_list() -> None:
    for measure in MEASURES.values():
        assert {BEHIND[one.code] for one in measure.measures} <= set(LISTED), measure.code
    assert FIRST_ANSWER.chief in BEHIND
