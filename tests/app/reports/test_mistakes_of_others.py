"""What measures of existing systems got wrong, each mistake by its name."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from app.appeals.rules import Act, Status
from app.replies.rules import ReplyState
from app.reports.measures import AGENCY_ANSWER, APPROVAL, FINAL_ANSWER, FIRST_ANSWER, IN_TIME, MEASURES
from app.reports.rules import Bucket, Grouping
from app.reports.service import Asked, measured, response_times, trended
from app.reports.verify import verify
from app.sla.rules import Promise, TimerOutcome
from tests import factories as make
from tests.app.reports.test_response_times import HOUR, NOVEMBER, NOW, ask, at, one

if TYPE_CHECKING:
    from app.kernel.db import Database


async def test_the_average_is_not_taken_over_answers_in_time_alone(owner_db: Database) -> None:
    async with owner_db.write() as session:
        await one(session, at(17, 9), at(17, 10))
        await one(session, at(17, 9), at(18, 8))
    total = (await ask(owner_db)).total
    assert (total.in_time, total.late, total.average_s) == (1, 1, 12 * HOUR)


async def test_statistics_do_not_need_a_promise(owner_db: Database) -> None:
    """No policy fits, so no clock ran: the answer is in the average all the same, neither in time nor late."""
    async with owner_db.write() as session:
        appeal = await make.make_taken_down_appeal(session, written_at=at(17, 9), status=Status.ANSWERED)
        reply = await make.make_reply(session, appeal=appeal, state=ReplyState.SENT, published_at=at(17, 12))
        await make.make_event(session, appeal=appeal, act=Act.REPLY_SENT, occurred_at=at(17, 12), data={"reply": reply.id})
        await make.make_taken_down_appeal(session, written_at=at(17, 9))
    total = (await ask(owner_db)).total
    assert (total.opened, total.answered, total.unpromised, total.average_s) == (2, 1, 1, 3 * HOUR)
    assert (total.in_time, total.late, total.waiting, total.overdue, total.in_time_share) == (0, 0, 1, 0, None)


async def test_a_reopened_appeal_is_not_measured_from_its_creation(owner_db: Database) -> None:
    async with owner_db.write() as session:
        appeal = await make.make_taken_down_appeal(session, written_at=at(2, 9))
        await make.make_timer(session, appeal=appeal, stopped_at=at(2, 10))
        await make.make_event(session, appeal=appeal, act=Act.REOPENED, cycle=2, occurred_at=at(17, 9))
        await make.make_timer(session, appeal=appeal, cycle=2, started_at=at(17, 9), stopped_at=at(17, 10))
    total = (await ask(owner_db)).total
    assert (total.opened, total.p99_s, total.reopened) == (2, HOUR, 1)


async def test_a_late_notice_does_not_make_an_answer_faster(owner_db: Database) -> None:
    """The clock starts when the citizen wrote, not when we read it."""
    async with owner_db.write() as session:
        appeal = await make.make_taken_down_appeal(session, written_at=at(17, 9), opened_at=at(17, 14))
        await make.make_timer(session, appeal=appeal, stopped_at=at(17, 15))
    assert (await ask(owner_db)).total.average_s == 6 * HOUR


async def test_a_miss_does_not_grow_after_the_end(owner_db: Database) -> None:
    async with owner_db.write() as session:
        await one(session, at(2, 9), at(3, 9))
    async with owner_db.read() as session:
        found = [
            (await response_times(session, access=None, period=NOVEMBER, group_by=Grouping.PLATFORM, now=NOW + days)).total
            for days in (timedelta(0), timedelta(days=9))
        ]
    assert found[0] == found[1]
    assert (found[0].average_s, found[0].overdue, found[0].oldest_unanswered_age_s) == (24 * HOUR, 0, None)


async def test_spam_has_no_deadline_to_miss(owner_db: Database) -> None:
    async with owner_db.write() as session:
        spam = await make.make_taken_down_appeal(session, written_at=at(2, 9), status=Status.DISMISSED)
        await make.make_timer(session, appeal=spam, stopped_at=at(9, 9), outcome=TimerOutcome.CANCELLED)
    total = (await ask(owner_db)).total
    assert (total.opened, total.late, total.in_time_of) == (0, 0, 0)


async def test_a_clock_that_stands_still_is_not_overdue(owner_db: Database) -> None:
    """The failed check came before the paused one, so what waited for the citizen was counted as missed (frappe)."""
    async with owner_db.write() as session:
        late, waits = [await make.make_taken_down_appeal(session, written_at=at(2, 9)) for _ in range(2)]
        for appeal in (late, waits):
            await make.make_timer(session, appeal=appeal)  # due at 18:00
        await make.make_timer(session, appeal=waits, promise=Promise.FINAL_ANSWER)
        await make.make_pause(session, appeal=waits, since=at(2, 10))
        await make.make_pause(session, appeal=late, since=at(2, 19))  # it had run out before
    total = (await ask(owner_db)).total
    assert (total.opened, total.waiting, total.overdue) == (2, 2, 1)
    async with owner_db.read() as session:
        asked = Asked(access=None, period=NOVEMBER, now=NOW, measure=FINAL_ANSWER)
        total = (await measured(session, asked, group_by=Grouping.AGENCY)).total
        assert (total.opened, total.waiting, total.overdue) == (1, 1, 0)
        then = replace(asked, measure=FIRST_ANSWER, as_of=at(2, 21))
        assert (await measured(session, then, group_by=Grouping.AGENCY)).total.overdue == 1
    found = await verify(owner_db, period=NOVEMBER, now=NOW)
    assert [one for one in found.differences if one.group] == []


async def test_the_unanswered_are_not_left_out(owner_db: Database) -> None:
    async with owner_db.write() as session:
        await one(session, at(17, 9), at(17, 10))
        await one(session, at(2, 9))
    total = (await ask(owner_db)).total
    assert (total.opened, total.unanswered, total.overdue, total.in_time_share) == (2, 1, 1, 0.5)
    assert total.oldest_unanswered_age_s == (NOW - at(2, 9)).total_seconds()


async def test_table_card_and_chart_tell_the_same(owner_db: Database) -> None:
    """One query layer: whatever is cut how, the total is one."""
    async with owner_db.write() as session:
        for hour in range(5):
            await one(session, at(17, 9), at(17, 10 + hour))
    asked = Asked(access=None, period=NOVEMBER, now=NOW)
    async with owner_db.read() as session:
        totals = {(await measured(session, asked, group_by=group_by)).total for group_by in Grouping}
        totals |= {(await trended(session, asked, bucket=bucket)).total for bucket in Bucket}
    assert len(totals) == 1


async def test_the_agency_does_not_answer_for_the_way_to_it(owner_db: Database) -> None:
    """Two days with another agency, one hour of its own: blame follows who held the appeal."""
    async with owner_db.write() as session:
        appeal = await make.make_taken_down_appeal(session, written_at=at(10, 9))
        await make.make_event(
            session,
            appeal=appeal,
            act=Act.ROUTED,
            occurred_at=at(12, 9),
            data={"from": 1, "agency": appeal.agency_id, "territory": appeal.territory_id},
        )
        await make.make_event(session, appeal=appeal, act=Act.REPLY_QUEUED, occurred_at=at(12, 10))
        await make.make_timer(session, appeal=appeal, stopped_at=at(12, 11))
    async with owner_db.read() as session:
        asked = Asked(access=None, period=NOVEMBER, now=NOW, measure=AGENCY_ANSWER)
        assert (await measured(session, asked, group_by=Grouping.AGENCY)).total.average_s == HOUR
    assert (await ask(owner_db)).total.average_s == 50 * HOUR


async def test_approval_is_nobodys_time_but_its_own(owner_db: Database) -> None:
    """The agency's clock ends when its first draft is handed in; approval runs from the draft that was approved."""
    async with owner_db.write() as session:
        appeal = await make.make_taken_down_appeal(session, written_at=at(12, 9), opened_at=at(12, 9))
        for act, hour, reply in (
            (Act.REPLY_SUBMITTED, 10, 1), (Act.REPLY_RETURNED, 11, 1), (Act.REPLY_SUBMITTED, 12, 2), (Act.REPLY_APPROVED, 15, 2),
        ):  # fmt: skip
            await make.make_event(session, appeal=appeal, act=act, occurred_at=at(12, hour), data={"reply": reply})
        await make.make_timer(session, appeal=appeal, stopped_at=at(12, 16))
    async with owner_db.read() as session:
        for measure, hours in ((AGENCY_ANSWER, 1), (APPROVAL, 3)):
            asked = Asked(access=None, period=NOVEMBER, now=NOW, measure=measure)
            assert (await measured(session, asked, group_by=Grouping.AGENCY)).total.average_s == hours * HOUR, measure.code


def test_populations_are_written_down() -> None:
    """And calendar and working time stand side by side wherever there is working time."""
    for definition in MEASURES.values():
        assert definition.population
        assert definition.clock
    for definition in (FIRST_ANSWER, AGENCY_ANSWER):
        codes = [measure.code for measure in definition.measures]
        assert {f"working_{code}" for code in ("average_s", "median_s", "p90_s", "p99_s")} <= set(codes)
    assert IN_TIME.measures[0].code == "in_time_share"
