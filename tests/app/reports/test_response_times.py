"""Small populations whose figures were computed by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from app.appeals.rules import Act, Status
from app.kernel.errors import InvalidError
from app.replies.rules import ReplyState
from app.reports.figures import Figures, Report, Row
from app.reports.measures import FIRST_ANSWER
from app.reports.rules import Bucket, Filters, Grouping, Period
from app.reports.service import response_times, trend
from app.sla.calendar import WorkingCalendar
from app.sla.rules import Promise, TimerOutcome
from tests import factories as make

if TYPE_CHECKING:
    from app.kernel.db import Database, WriteSession
    from app.sla.models import SlaTimer

MOSCOW = ZoneInfo("Europe/Moscow")
NOVEMBER = Period(start=date(2026, 11, 1), end=date(2026, 11, 30), tz="Europe/Moscow")
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
HOUR = 3600


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of November 2026 by the clock of Moscow."""
    return datetime(2026, 11, day, hour, minute, tzinfo=MOSCOW)


async def ask(database: Database, group_by: Grouping = Grouping.PLATFORM, **asked: Any) -> Report:
    given: dict[str, Any] = {"access": None, "period": NOVEMBER, "now": NOW} | asked
    async with database.read() as session:
        return await response_times(session, group_by=group_by, **given)


async def one(session: WriteSession, written: datetime, answered: datetime | None = None, **more: Any) -> SlaTimer:
    """An appeal taken down at `written`, due nine plain hours later."""
    appeal = await make.make_taken_down_appeal(session, written_at=written, **more)
    return await make.make_timer(session, appeal=appeal, stopped_at=answered)


def lines(report: Report) -> dict[str, Row]:
    return {row.label: row for row in report.rows}


async def test_late_answers_are_in_the_average_and_unanswered_beside_it(owner_db: Database) -> None:
    async with owner_db.write() as session:
        hours = WorkingCalendar("Europe/Moscow", make.NINE_TO_SIX)
        calendar = await make.make_calendar(session, calendar=hours)
        for written, answered in (
            (at(17, 9), at(17, 10)),  # 1 h, in time: 1 working hour
            (at(17, 9), at(17, 18)),  # 9 h, at its deadline: 8 working hours
            (at(17, 17), at(18, 11)),  # 18 h, late: 1 + 2 working hours
        ):
            appeal = await make.make_taken_down_appeal(session, written_at=written)
            await make.make_timer(session, appeal=appeal, calendar=calendar, hours=hours, stopped_at=answered)
        await one(session, at(19, 22))  # waits, due the 20th at 7:00, overdue at 12:00 Moscow time
        await one(session, at(20, 8))  # waits, not yet due
        closed = await make.make_taken_down_appeal(session, written_at=at(16, 9), status=Status.CLOSED)
        await make.make_timer(session, appeal=closed, stopped_at=at(16, 10), outcome=TimerOutcome.UNANSWERED)
        spam = await make.make_taken_down_appeal(session, written_at=at(16, 9), status=Status.DISMISSED)
        await make.make_timer(session, appeal=spam, stopped_at=at(16, 10), outcome=TimerOutcome.CANCELLED)
    report = await ask(owner_db)
    assert report.total == Figures(
        opened=6,
        answered=3,
        in_time=2,
        late=1,
        waiting=2,
        overdue=1,
        closed_unanswered=1,
        oldest_unanswered_age_s=14 * HOUR,
        average_s=(1 + 9 + 18) * HOUR / 3,
        median_s=9 * HOUR,
        p90_s=16.2 * HOUR,  # between the second and the third: 0.9 of two steps
        p99_s=17.82 * HOUR,
        working_average_s=(1 + 8 + 3) * HOUR / 3,
        working_median_s=3 * HOUR,
        working_p90_s=7 * HOUR,
        working_p99_s=7.9 * HOUR,
    )
    assert (report.total.unanswered, report.total.in_time_of, report.total.in_time_share) == (3, 5, 0.4)
    assert report.total.small_number
    assert (report.time_zone, report.ages_at, report.definition) == ("Europe/Moscow", NOW, FIRST_ANSWER)
    assert lines(report)["webform"].opened == 6


async def test_nothing_gives_zeros_and_no_figures(owner_db: Database) -> None:
    for group_by in Grouping:
        report = await ask(owner_db, group_by)
        assert (report.rows, report.total) == ((), Figures())
        assert report.total.in_time_share is None


async def test_one_answer_is_its_own_average_median_and_p90(owner_db: Database) -> None:
    async with owner_db.write() as session:
        await one(session, at(17, 9), at(17, 11))
    total = (await ask(owner_db)).total
    assert (total.average_s, total.median_s, total.p90_s) == (2 * HOUR,) * 3
    assert (total.working_average_s, total.working_median_s, total.working_p90_s) == (None,) * 3, "no calendar: no working time"


async def test_a_clock_ahead_of_ours_makes_no_negative_age(owner_db: Database) -> None:
    async with owner_db.write() as session:
        await one(session, NOW + timedelta(seconds=30))
    assert (await ask(owner_db)).total.oldest_unanswered_age_s == 0


async def test_each_cycle_counts_and_only_first_answers_do(owner_db: Database) -> None:
    async with owner_db.write() as session:
        appeal = await make.make_taken_down_appeal(session, written_at=at(10, 9))
        await make.make_timer(session, appeal=appeal, cycle=1, stopped_at=at(10, 11))
        await make.make_timer(session, appeal=appeal, cycle=2, started_at=at(12, 9), stopped_at=at(12, 13))
        await make.make_timer(session, appeal=appeal, cycle=3, started_at=at(13, 9))
        await make.make_timer(session, appeal=appeal, cycle=1, promise=Promise.FINAL_ANSWER, stopped_at=at(30, 9))
    total = (await ask(owner_db)).total
    assert (total.opened, total.answered, total.waiting, total.average_s) == (3, 2, 1, 3 * HOUR)


@pytest.mark.parametrize(
    ("tz", "seen"),
    [
        ("Europe/Moscow", {"2nd 00:00:00", "2nd 12:00:00", "2nd 23:59:59"}),
        ("Asia/Kamchatka", {"1st 23:59:59", "2nd 00:00:00", "2nd 12:00:00"}),  # nine hours ahead
        ("UTC", {"2nd 12:00:00", "2nd 23:59:59", "3rd 02:59:59"}),  # three hours behind
    ],
)
async def test_a_day_is_the_report_zones_own(owner_db: Database, tz: str, seen: set[str]) -> None:
    """The 2nd of November by three clocks; the names are moments of Moscow's."""
    second = timedelta(seconds=1)
    written = {
        "1st 23:59:59": at(2, 0) - second,
        "2nd 00:00:00": at(2, 0),
        "2nd 12:00:00": at(2, 12),
        "2nd 23:59:59": at(3, 0) - second,
        "3rd 02:59:59": at(3, 3) - second,
    }
    async with owner_db.write() as session:
        for name, moment in written.items():
            await one(session, moment, topic=await make.make_topic(session, name=name))
    day = date(2026, 11, 2)
    report = await ask(owner_db, Grouping.TOPIC, period=Period(start=day, end=day, tz=tz))
    assert set(lines(report)) == seen
    assert report.total.opened == len(seen)


async def test_a_node_holds_its_children_and_the_total_counts_each_once(owner_db: Database) -> None:
    async with owner_db.write() as session:
        ministry = await make.make_agency(session, name="Минздрав")
        clinic = await make.make_agency(session, name="Поликлиника", parent=ministry)
        ward = await make.make_agency(session, name="Ёлкинский филиал", parent=clinic)
        other = await make.make_agency(session, name="Дороги")
        for agency, hours in ((ministry, 2), (ward, 4), (ward, 6), (other, 8)):
            await one(session, at(17, 0), at(17, hours), agency=agency)
    report = await ask(owner_db, Grouping.AGENCY)
    assert [(row.label, row.depth, row.parent_key, row.opened, row.average_s) for row in report.rows] == [
        ("Дороги", 0, None, 1, 8 * HOUR),
        ("Минздрав", 0, None, 3, 4 * HOUR),
        ("Поликлиника", 1, ministry.id, 2, 5 * HOUR),
        ("Ёлкинский филиал", 2, clinic.id, 2, 5 * HOUR),
    ]
    assert (report.total.opened, report.total.average_s) == (4, 5 * HOUR)
    within = await ask(owner_db, Grouping.AGENCY, filters=Filters(agency_ids=(clinic.id,)))
    assert [(row.label, row.depth, row.opened) for row in within.rows] == [
        ("Поликлиника", 0, 2),
        ("Ёлкинский филиал", 1, 2),
    ]
    assert within.total.opened == 2


async def test_without_a_topic_there_is_a_line_of_its_own_at_the_end(owner_db: Database) -> None:
    async with owner_db.write() as session:
        group = await make.make_topic(session, name="ЖКХ")
        roof = await make.make_topic(session, name="Кровля", parent=group)
        await one(session, at(17, 0), topic=roof)
        await one(session, at(17, 0))
        await one(session, at(17, 0))
    report = await ask(owner_db, Grouping.TOPIC)
    assert [(row.key, row.label, row.depth, row.opened) for row in report.rows] == [
        (group.id, "ЖКХ", 0, 1),
        (roof.id, "Кровля", 1, 1),
        (None, "", 0, 2),
    ]


async def test_an_answer_belongs_to_who_held_it_then_and_a_waiting_appeal_to_who_holds_it(owner_db: Database) -> None:
    async with owner_db.write() as session:
        first, second = await make.make_agency(session, name="Первое"), await make.make_agency(session, name="Второе")
        answered = await make.make_taken_down_appeal(session, agency=second, written_at=at(17, 9))
        await make.make_timer(session, appeal=answered, stopped_at=at(17, 10), agency_id=first.id)
        waiting = await make.make_taken_down_appeal(session, agency=second, written_at=at(17, 9))
        await make.make_timer(session, appeal=waiting)
    rows = lines(await ask(owner_db, Grouping.AGENCY))
    assert (rows["Первое"].answered, rows["Первое"].waiting) == (1, 0)
    assert (rows["Второе"].answered, rows["Второе"].waiting) == (0, 1)


async def test_operators_are_judged_by_what_they_wrote_and_hold(owner_db: Database) -> None:
    async with owner_db.write() as session:
        anna, boris = await make.make_operator(session, name="Анна"), await make.make_operator(session, name="Борис")
        written_by_boris = await make.make_appeal(session, operator=anna, written_at=at(17, 9))
        reply = await make.make_reply(session, appeal=written_by_boris, operator=boris, state=ReplyState.SENT, published_at=at(17, 10))
        await make.make_event(session, appeal=written_by_boris, act=Act.REPLY_SENT, occurred_at=at(17, 10), data={"reply": reply.id})
        await make.make_timer(session, appeal=written_by_boris, stopped_at=at(17, 10))
        by_hand = await make.make_appeal(session, operator=anna, written_at=at(17, 9))
        found = await make.make_reply(session, appeal=by_hand, by_hand=True, state=ReplyState.SENT, published_at=at(17, 11))
        await make.make_event(session, appeal=by_hand, act=Act.ANSWERED_BY_HAND, occurred_at=at(17, 11), data={"reply": found.id})
        await make.make_timer(session, appeal=by_hand, stopped_at=at(17, 11))
        held = await make.make_appeal(session, operator=anna, written_at=at(17, 9))
        await make.make_timer(session, appeal=held)
    report = await ask(owner_db, Grouping.OPERATOR)
    assert {(row.key, row.label, row.answered, row.waiting) for row in report.rows} == {
        (boris.id, "Борис", 1, 0),
        (anna.id, "Анна", 0, 1),
        (None, "", 1, 0),
    }
    only = await ask(owner_db, Grouping.PLATFORM, filters=Filters(operator_ids=(boris.id,)))
    assert only.total.opened == 1


async def test_filters_narrow_together(owner_db: Database) -> None:
    async with owner_db.write() as session:
        region = await make.make_territory(session, name="Край")
        town = await make.make_territory(session, name="Город", parent=region)
        agency = await make.make_agency(session, territory=region)
        page = await make.make_page(session, agency=agency, territory=town, platform="telegram", title="Город пишет")
        comment = await make.make_comment(session, post=await make.make_post(session, page=page), written_at=at(17, 9))
        topic = await make.make_topic(session)
        appeal = await make.make_appeal(session, comment=comment, topic=topic)
        await make.make_timer(session, appeal=appeal)
        await one(session, at(17, 9), territory=region)
        await one(session, at(17, 9))
    every: dict[str, Any] = {
        "agency_ids": (agency.id,),
        "territory_ids": (town.id,),
        "topic_ids": (topic.id,),
        "page_ids": (page.id,),
        "platforms": ("telegram",),
    }
    for name, value in every.items():
        assert (await ask(owner_db, filters=Filters(**{name: value}))).total.opened == 1, name
    assert (await ask(owner_db, filters=Filters(**every))).total.opened == 1
    assert (await ask(owner_db, filters=Filters(**every | {"platforms": ("vk",)}))).total.opened == 0
    assert (await ask(owner_db, filters=Filters(territory_ids=(region.id,)))).total.opened == 2
    row = (await ask(owner_db, Grouping.PAGE, filters=Filters(page_ids=(page.id,)))).rows[0]
    assert (row.key, row.label, row.platform) == (page.id, "Город пишет", "telegram")


async def test_few_answers_are_marked(owner_db: Database) -> None:
    async with owner_db.write() as session:
        few, enough = await make.make_agency(session, name="Четыре"), await make.make_agency(session, name="Пять")
        for agency, count in ((few, 4), (enough, 5)):
            for _ in range(count):
                await one(session, at(17, 9), at(17, 10), agency=agency)
        for _ in range(3):
            await one(session, at(17, 9), agency=few)
    rows = lines(await ask(owner_db, Grouping.AGENCY))
    assert (rows["Четыре"].opened, rows["Четыре"].small_number) == (7, True), "waiting ones give no times"
    assert not rows["Пять"].small_number


async def test_pages_of_rows_hold_every_row_once(owner_db: Database) -> None:
    async with owner_db.write() as session:
        for number in range(7):
            operator = await make.make_operator(session, name=f"Оператор {number}")
            topic = await make.make_topic(session, name=f"Тема {number}")
            for _ in range(1 + number // 3):
                appeal = await make.make_appeal(session, operator=operator, topic=topic, written_at=at(17, 9))
                await make.make_timer(session, appeal=appeal)
        appeal = await make.make_taken_down_appeal(session, written_at=at(17, 9))
        await make.make_timer(session, appeal=appeal)
    for group_by in (Grouping.OPERATOR, Grouping.TOPIC, Grouping.PAGE):
        whole = await ask(owner_db, group_by)
        rows: list[Row] = []
        cursor = None
        for _ in range(20):
            part = await ask(owner_db, group_by, limit=3, cursor=cursor)
            assert part.total == whole.total
            rows += part.rows
            cursor = part.next_cursor
            if cursor is None:
                break
        assert rows == list(whole.rows)
        assert sum(row.opened for row in rows) == whole.total.opened


async def test_a_trend_has_every_day_and_adds_up(owner_db: Database) -> None:
    async with owner_db.write() as session:
        await one(session, at(1, 0), at(1, 2))
        await one(session, at(1, 23, 59), at(2, 3, 59))
        await one(session, at(30, 23, 59))
    async with owner_db.read() as session:
        days = await trend(session, access=None, period=NOVEMBER, bucket=Bucket.DAY, now=NOW)
        weeks = await trend(session, access=None, period=NOVEMBER, bucket=Bucket.WEEK, now=NOW)
    assert [point.slice.start.day for point in days.points] == list(range(1, 31))
    assert [(point.opened, point.average_s) for point in days.points[:2]] == [(2, 3 * HOUR), (0, None)]
    assert days.points[-1].opened == 1
    assert [(point.slice.start.day, point.slice.end.day) for point in weeks.points] == [
        (1, 1),
        (2, 8),
        (9, 15),
        (16, 22),
        (23, 29),
        (30, 30),
    ]
    for bucketed in (days, weeks):
        assert sum(point.opened for point in bucketed.points) == bucketed.total.opened == 3


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"as_of": NOW + timedelta(seconds=1)}, "report.as_of"),
        ({"as_of": NOW.replace(tzinfo=None)}, "report.as_of"),
        ({"as_of": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))}, "report.as_of"),
        ({"limit": 0}, "report.limit"),
        ({"limit": 1001}, "report.limit"),
        ({"cursor": "nonsense"}, "report.cursor"),
        ({"cursor": "9" * 30 + "."}, "report.cursor"),
        ({"cursor": "1.\0"}, "report.cursor"),
        ({"cursor": "7", "group_by": Grouping.TOPIC}, "report.cursor"),
    ],
)
async def test_wrong_questions_are_refused(owner_db: Database, asked: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidError) as refused:
        await ask(owner_db, **asked)
    assert refused.value.code == code
