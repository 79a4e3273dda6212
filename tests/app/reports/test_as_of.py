"""A report as of a past moment is the report that was made at that moment, whatever was done since."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from app.appeals.rules import Act
from app.kernel.db import utc_now_of
from app.reports import rollup
from app.reports.backlog import backlog
from app.reports.ground import source_of
from app.reports.measures import BACKLOG, MEASURES
from app.reports.queries import Source
from app.reports.rules import Grouping, Period
from app.reports.service import Asked, measured, response_times
from app.reports.working import know_calendars
from app.sla.calendar import round_the_clock
from tests import factories as make
from tests.app.reports.alike import CELLS_ALWAYS, alike
from tests.app.reports.office import Office

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import Database, ReadSession
    from app.reports.figures import Report

GROUPINGS = (Grouping.AGENCY, Grouping.TOPIC, Grouping.OPERATOR, Grouping.PLATFORM)


def around(moment: datetime) -> Period:
    """A month before and a day after."""
    return Period(start=(moment - timedelta(days=30)).date(), end=(moment + timedelta(days=1)).date(), tz="UTC")


async def reports(
    session: ReadSession, *, period: Period, now: datetime, as_of: datetime | None, groupings: Sequence[Grouping] = GROUPINGS
) -> list[Report]:
    return [await response_times(session, access=None, period=period, group_by=group_by, now=now, as_of=as_of) for group_by in groupings]


@pytest.mark.timeout(60)
async def test_the_past_stays_as_it_was_reported(owner_db: Database) -> None:
    seed = random.randrange(10**6)
    office = Office(owner_db, random.Random(seed))
    await office.open(10)
    told: list[tuple[datetime, list[Report]]] = []
    async with owner_db.read() as session:
        period = around(await utc_now_of(session))
    for _ in range(45):
        await office.step()
        async with owner_db.read() as session:
            moment = await utc_now_of(session)
            some = office.dice.sample(GROUPINGS, 2)
            told.append((moment, await reports(session, period=period, now=moment, as_of=None, groupings=some)))
    changes = 0
    async with owner_db.read() as session:
        end = await utc_now_of(session)
        for moment, then in told:
            again = await reports(session, period=period, now=end, as_of=moment, groupings=[one.group_by for one in then])
            for before, after in zip(then, again, strict=True):
                assert (after.rows, after.total) == (before.rows, before.total), f"seed {seed}, as of {moment}, by {before.group_by}"
            changes += then[0].total != told[-1][1][0].total
    assert changes > 10, f"seed {seed}: the walk did not change the figures"
    assert len(office.done) >= 5, f"seed {seed}: {office.done}"


@pytest.mark.timeout(60)
async def test_what_is_kept_knows_the_past_too(owner_db: Database, worker_db: Database) -> None:
    """Of what changed little since, lines and cells are put right; of all else, and told to, the history is replayed: it is the same."""
    seed = random.randrange(10**6)
    office = Office(owner_db, random.Random(seed))
    await office.open(10)
    moments: list[datetime] = []
    for step in range(30):
        await office.step()
        if step % 7 == 0:
            await rollup.refresh(worker_db, tz="UTC")
        async with owner_db.read() as session:
            moments.append(await utc_now_of(session))
    from_cells = from_lines = 0
    async with owner_db.read() as session:
        for moment in moments[-1:9:-2]:
            asked = Asked(access=None, period=around(moment), now=moments[-1], as_of=moment)
            for group_by in (Grouping.AGENCY, Grouping.TOPIC, Grouping.OPERATOR):
                told, kept, cells = [
                    await measured(session, one, group_by=group_by)
                    for one in (replace(asked, replayed=True), asked, replace(asked, exact_up_to=CELLS_ALWAYS))
                ]
                where = f"seed {seed}, as of {moment}, by {group_by}"
                assert (kept.rows, kept.total) == (told.rows, told.total), where
                assert [row.key for row in cells.rows] == [row.key for row in told.rows], where
                assert all(
                    alike(mine, theirs) for mine, theirs in zip((*cells.rows, cells.total), (*told.rows, told.total), strict=True)
                ), where
                from_cells += cells.approximate
            waits = replace(asked, measure=BACKLOG)
            replayed, put_right = [(await backlog(session, one)).points for one in (replace(waits, replayed=True), waits)]
            assert put_right == replayed, f"seed {seed}, as of {moment}"
            from_lines += await source_of(session, asked) is Source.SINCE
    assert min(from_cells, from_lines) > 0, f"seed {seed}: nothing was read from what is kept"


async def test_an_answer_noticed_late_was_not_there_before(owner_db: Database) -> None:
    """Published at 12:00, heard of at 18:00: at 15:00 the appeal was waiting, and three hours older."""
    noon = datetime(2026, 11, 17, 12, 0, tzinfo=UTC)
    async with owner_db.write() as session:
        appeal = await make.make_taken_down_appeal(session, written_at=noon - timedelta(hours=2))
        await make.make_timer(session, appeal=appeal, stopped_at=noon)
        await make.make_event(session, appeal=appeal, act=Act.ANSWERED_BY_HAND, occurred_at=noon, recorded_at=noon + timedelta(hours=6))
    period = Period(start=date(2026, 11, 17), end=date(2026, 11, 17), tz="UTC")
    now = noon + timedelta(days=2)
    async with owner_db.read() as session:
        early = (await reports(session, period=period, now=now, as_of=noon - timedelta(hours=3)))[0].total
        before = (await reports(session, period=period, now=now, as_of=noon + timedelta(hours=3)))[0].total
        after = (await reports(session, period=period, now=now, as_of=noon + timedelta(hours=6)))[0].total
    assert early.opened == 0, "not recorded yet"
    assert (before.waiting, before.answered, before.oldest_unanswered_age_s) == (1, 0, 5 * 3600)
    assert (after.waiting, after.answered, after.average_s) == (0, 1, 2 * 3600)


async def test_a_norm_that_was_applied_later_makes_no_past_report_late(owner_db: Database) -> None:
    """What waits is put under another norm: as of before, its deadline is the one before."""
    office = Office(owner_db, random.Random(1))
    await office.open(4)
    async with owner_db.read() as session:
        moment = await utc_now_of(session)
        then = await reports(session, period=around(moment), now=moment, as_of=None)
    overdue = set()
    for _ in range(4):
        await office.step(Act.POLICY_APPLIED)
        async with owner_db.read() as session:
            now = await utc_now_of(session)
            today = await reports(session, period=around(moment), now=now, as_of=None)
            again = await reports(session, period=around(moment), now=now, as_of=moment)
        assert [(one.rows, one.total) for one in again] == [(one.rows, one.total) for one in then]
        overdue.add(today[0].total.overdue)
    assert overdue != {then[0].total.overdue}


async def test_a_pause_whose_end_was_noticed_late_went_on_until_then(owner_db: Database) -> None:
    """The citizen wrote at 12:00 and was heard at 16:00: at 15:00 the clock stood still, and the agency had had half an hour."""
    ten = datetime(2026, 11, 17, 10, 0, tzinfo=UTC)
    since, until, heard = ten + timedelta(minutes=30), ten + timedelta(hours=2), ten + timedelta(hours=6)
    async with owner_db.write() as session:
        appeal = await make.make_taken_down_appeal(session, written_at=ten)
        await make.make_timer(session, appeal=appeal, due_at=ten + timedelta(hours=2, minutes=30))  # 11:00, and as long as it stood
        await make.make_pause(session, appeal=appeal, since=since, until=until)
        await make.make_event(session, appeal=appeal, act=Act.PAUSED, occurred_at=since)
        await make.make_event(session, appeal=appeal, act=Act.REPLY_SUBMITTED, occurred_at=ten + timedelta(hours=3), data={"reply": 1})
        await make.make_event(session, appeal=appeal, act=Act.RESUMED, occurred_at=until, recorded_at=heard)
    period = Period(start=date(2026, 11, 17), end=date(2026, 11, 17), tz="UTC")
    told = {}
    async with owner_db.read() as session:
        for moment in (ten + timedelta(hours=5), heard):
            asked = Asked(access=None, period=period, now=ten + timedelta(days=2), as_of=moment)
            first = await measured(session, asked, group_by=Grouping.AGENCY)
            own = await measured(session, replace(asked, measure=MEASURES["agency-answer"]), group_by=Grouping.AGENCY)
            told[moment] = (first.total.waiting, first.total.overdue, own.total.average_s)
    assert list(told.values()) == [(1, 0, 1800), (1, 1, 1800 + 3600)]


async def test_hours_that_were_applied_later_measured_nothing_before(owner_db: Database) -> None:
    """A draft was handed in by office hours with a lunch; then round the clock was applied to what still waited."""
    ten = datetime(2026, 11, 17, 10, 0, tzinfo=UTC)  # 13:00 in Moscow
    drafted, applied = ten + timedelta(hours=5), ten + timedelta(hours=6)
    async with owner_db.write() as session:
        appeal = await make.make_taken_down_appeal(session, written_at=ten)
        office, always = await make.make_calendar(session), await make.make_calendar(session, calendar=round_the_clock("Europe/Moscow"))
        await make.make_timer(session, appeal=appeal, calendar=always)
        await make.make_event(session, appeal=appeal, act=Act.REPLY_SUBMITTED, occurred_at=drafted, data={"reply": 1})
        change = {"promise": "first_answer", "due_before": ten.isoformat(), "calendar_before": office.id}
        await make.make_event(session, appeal=appeal, act=Act.POLICY_APPLIED, occurred_at=applied, data=change)
        await know_calendars(session)
    period = Period(start=date(2026, 11, 17), end=date(2026, 11, 17), tz="UTC")
    asked = Asked(measure=MEASURES["agency-answer"], access=None, period=period, now=applied, as_of=drafted)
    async with owner_db.read() as session:
        told = [(await measured(session, replace(asked, as_of=at), group_by=Grouping.AGENCY)).total for at in (drafted, applied)]
    assert [one.working_average_s for one in told] == [4 * 3600, 5 * 3600]
