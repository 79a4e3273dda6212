"""The rating: the last mark of an answer, from lines, from cells, as of a moment, and the appeals behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from app.appeals.rules import Act
from app.reports.behind import behind
from app.reports.grid import grid
from app.reports.measures import RATING
from app.reports.rollup import rebuild
from app.reports.rules import Bucket, Grouping
from app.reports.service import Asked, measured
from tests import factories as make
from tests.app.reports.test_behind import ANYBODY
from tests.app.reports.test_response_times import HOUR, NOVEMBER, NOW, at

if TYPE_CHECKING:
    from app.kernel.db import Database

MARKS = ((5,), (1, 4), (), (2,))
"""What four citizens gave, in order; the third said nothing."""


@pytest.mark.parametrize("rolled", [False, True])
async def test_the_mean_is_of_each_citizens_last_mark(owner_db: Database, *, rolled: bool) -> None:
    async with owner_db.write() as session:
        for given in MARKS:
            appeal = await make.make_taken_down_appeal(session, written_at=at(17, 9))
            await make.make_timer(session, appeal=appeal, stopped_at=at(17, 10))
            for hour, mark in enumerate(given, start=11):
                await make.make_event(session, appeal=appeal, act=Act.RATED, occurred_at=at(17, hour), data={"comment": 1, "mark": mark})
        dismissed = await make.make_taken_down_appeal(session, written_at=at(17, 9))
        await make.make_event(session, appeal=dismissed, act=Act.DISMISSED, occurred_at=at(17, 10))
        await make.make_event(session, appeal=dismissed, act=Act.RATED, occurred_at=at(17, 11), data={"comment": 1, "mark": 1})
    if rolled:
        await rebuild(owner_db, tz=NOVEMBER.tz)
    asked = Asked(measure=RATING, access=ANYBODY, period=NOVEMBER, now=NOW)
    async with owner_db.read() as session:
        total = (await measured(session, asked, group_by=Grouping.AGENCY)).total
        days = await grid(session, asked, group_by=Grouping.AGENCY, bucket=Bucket.DAY)
        listed = await behind(session, asked, figure="rated", limit=10)
        before = (await measured(session, replace(asked, as_of=at(17, 9)), group_by=Grouping.PLATFORM)).total
    assert (total.answered, total.rated, total.rated_share) == (4, 3, 0.75)
    assert total.rating == pytest.approx(11 / 3)
    assert (total.mark_1, total.mark_2, total.mark_3, total.mark_4, total.mark_5) == (0, 1, 0, 1, 1)
    assert total.average_s == HOUR
    assert [cell.rating for cell in days.total if cell.rated] == [total.rating]
    assert listed.total == 3
    assert (before.rated, before.rating) == (0, None)
