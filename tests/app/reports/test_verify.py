"""The recount agrees with what the program itself wrote, and finds whatever was changed behind its back."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from app.appeals import answers, clock as clocks, merging, removal, service as appeals
from app.appeals.models import Appeal
from app.appeals.rules import Act, Status
from app.kernel.db import utc_now_of
from app.replies.rules import ReplyState
from app.reports import rollup
from app.reports.measures import FIRST_ANSWER
from app.reports.rules import Grouping, Period
from app.reports.service import Asked, measured
from app.reports.verify import Verification, verify
from app.sla.calendar import Range, WorkingCalendar
from app.sla.policy import Term
from app.sla.rules import PauseReason, TimerOutcome
from tests import factories as make
from tests.app.reports.office import Office
from tests.app.reports.test_as_of import around

if TYPE_CHECKING:
    from app.kernel.db import Database, ReadSession, WriteSession
    from app.reports.figures import Report

MONTH = Period(start=date(2026, 11, 1), end=date(2026, 11, 30), tz="Europe/Moscow")
NOW = datetime(2026, 11, 25, tzinfo=UTC)
HOUR = timedelta(hours=1)
ROUND = WorkingCalendar("Europe/Moscow", ((Range(0, 86_400),),) * 7)


async def answered(session: WriteSession, *, hours: float = 2, act: Act = Act.REPLY_SENT, **made: Any) -> Appeal:
    """An appeal answered on the platform, told as the program tells it."""
    appeal = await make.make_appeal(session, status=Status.ANSWERED, **made)
    at = appeal.written_at + hours * HOUR
    reply = await make.make_reply(session, appeal=appeal, state=ReplyState.SENT, published_at=at, by_hand=act is Act.ANSWERED_BY_HAND)
    await make.make_event(session, appeal=appeal, act=act, occurred_at=at, recorded_at=at + HOUR / 60, data={"reply": reply.id})
    calendar = await make.make_calendar(session, calendar=ROUND)
    await make.make_timer(session, appeal=appeal, calendar=calendar, hours=ROUND, stopped_at=at)
    return appeal


async def a_month(owner_db: Database) -> None:
    """Answers in time, late and by hand; one waiting, dismissed, closed, reopened each; children in every tree."""
    async with owner_db.write() as session:
        ministry = await make.make_agency(session)
        clinic = await make.make_agency(session, parent=ministry)
        group = await make.make_topic(session)
        topic = await make.make_topic(session, parent=group)
        anna = await make.make_operator(session)
        for hours in (1, 2, 4, 8, 16, 32.5):
            await answered(session, hours=hours, agency=clinic, topic=topic, operator=anna)
        await answered(session, act=Act.ANSWERED_BY_HAND, agency=ministry)
        waiting = await make.make_appeal(session, agency=clinic)
        await make.make_timer(session, appeal=waiting)
        for act, outcome in ((Act.DISMISSED, TimerOutcome.CANCELLED), (Act.CLOSED, TimerOutcome.UNANSWERED)):
            ended = await make.make_taken_down_appeal(session, agency=ministry, topic=group)
            await make.make_event(session, appeal=ended, act=act, occurred_at=make.MORNING + HOUR)
            await make.make_timer(session, appeal=ended, stopped_at=make.MORNING + HOUR, outcome=outcome)
        again = await answered(session, agency=clinic)
        await make.make_event(session, appeal=again, act=Act.REOPENED, cycle=2, occurred_at=make.MORNING + 30 * HOUR)
        await make.make_timer(session, appeal=again, cycle=2, started_at=make.MORNING + 30 * HOUR)
        again.cycle = 2
        await session.flush()
    while (await rollup.refresh(owner_db, tz=MONTH.tz)).more:  # a busy machine builds in several goes
        pass


async def test_a_true_month_has_no_differences(owner_db: Database, worker_db: Database) -> None:
    await a_month(owner_db)
    for database in (owner_db, worker_db):
        told: list[int] = []
        checked = await verify(database, period=MONTH, now=NOW, progress=told.append)
        assert checked.differences == ()
        assert (checked.timers, told) == (12, [12])
        assert checked.figures > 12


@pytest.mark.timeout(60)
async def test_what_the_services_write_is_what_the_history_says(owner_db: Database) -> None:
    seed = random.randrange(10**6)
    office = Office(owner_db, random.Random(seed))
    await office.open(8)
    for _ in range(40):
        await office.step()
    async with owner_db.read() as session:
        now = await utc_now_of(session)
    await rollup.refresh(owner_db, tz="UTC")
    checked = await verify(owner_db, period=around(now), now=now)
    assert checked.timers >= 8
    assert checked.differences == (), f"seed {seed}"


async def test_what_followed_another_appeal_to_an_agency_was_given_to_it(owner_db: Database) -> None:
    """Merged, handed on with the older one, and parted again: the clocks of both are the second agency's."""
    office = Office(owner_db, random.Random(1))
    await office.open(0)
    first, second, *_ = office.agencies
    office.agencies = [first]
    await office.write()
    await office.write()
    access = office.people[0]
    async with owner_db.write(operator_id=access.operator_id) as session:
        now = await utc_now_of(session)
        await session.execute(text("UPDATE appeal SET opened_at = written_at"))
        older, younger = (await session.scalars(text("SELECT number FROM appeal ORDER BY written_at"))).all()
        await merging.merge(session, access, number=younger, other=older, seen_version=None, now=now)
        await appeals.route(session, access, number=older, agency_id=second.id, territory_id=None, seen_version=None, now=now)
    async with owner_db.write(operator_id=access.operator_id) as session:
        now = await utc_now_of(session)
        await merging.unmerge(session, access, number=younger, seen_version=None, now=now)
        await appeals.answer(session, access, number=younger, words="Починим.", text_limits={}, now=now)
    await rollup.refresh(owner_db, tz="UTC")
    checked = await verify(owner_db, period=around(now), now=now)
    assert checked.differences == ()
    async with owner_db.read() as session:
        own = await session.scalar(text("SELECT agency_seconds FROM report_line WHERE agency_seconds IS NOT NULL"))
    assert own < 60, "it is not asked for the time before it had it"


async def test_a_pause_that_a_merge_ended_has_moved_the_deadline(owner_db: Database) -> None:
    """It stood still, was merged and parted again; then an answer of before all that was heard of."""
    office = Office(owner_db, random.Random(1))
    await office.open(0)
    office.agencies = office.agencies[:1]
    await office.write()
    await office.write()
    access = office.people[0]
    now = NOW
    for act in (Act.PAUSED, Act.MERGED, Act.UNMERGED, Act.ANSWERED_BY_HAND):
        async with owner_db.write(operator_id=access.operator_id) as session:
            now = await utc_now_of(session)
            older, younger = (await session.scalars(text("SELECT id FROM appeal ORDER BY written_at"))).all()
            appeal = await session.get_one(Appeal, younger)
            asked: dict[str, Any] = {"number": appeal.number, "seen_version": None, "now": now}
            if act is Act.PAUSED:
                await clocks.pause(session, access, reason=PauseReason.OTHER, **asked)
            elif act is Act.MERGED:
                await merging.merge(session, access, other=(await session.get_one(Appeal, older)).number, **asked)
            elif act is Act.UNMERGED:
                await merging.unmerge(session, access, **asked)
            else:
                published = now - HOUR / 2
                reply = await make.make_reply(session, appeal=appeal, by_hand=True, state=ReplyState.SENT, published_at=published)
                await answers.record_answer(
                    session, appeal_id=younger, act=act, reply_id=reply.id, published_at=published, operator_id=None, now=now
                )
    checked = await verify(owner_db, period=around(now), now=now, measures=())
    assert checked.differences == ()


async def test_a_pause_moves_a_deadline_once_though_an_answer_came_and_went(owner_db: Database) -> None:
    """It stood still and went on; then an answer of before was heard of, which stopped the clock, and was taken away."""
    office = Office(owner_db, random.Random(2))  # with which it was written some hours ago: it is not late
    await office.open(1)
    access = office.people[0]
    now, due = NOW, []
    for act in (Act.PAUSED, Act.RESUMED, Act.ANSWERED_BY_HAND, Act.REPLY_REMOVED):
        async with owner_db.write(operator_id=access.operator_id) as session:
            now = await utc_now_of(session)
            appeal = (await session.scalars(select(Appeal))).one()
            asked: dict[str, Any] = {"number": appeal.number, "seen_version": None, "now": now}
            if act is Act.PAUSED:
                await clocks.pause(session, access, reason=PauseReason.OTHER, **asked)
            elif act is Act.RESUMED:
                await clocks.resume(session, access, **asked)
            elif act is Act.ANSWERED_BY_HAND:
                published = now - HOUR / 2
                reply = await make.make_reply(session, appeal=appeal, by_hand=True, state=ReplyState.SENT, published_at=published)
                await answers.record_answer(
                    session, appeal_id=appeal.id, act=act, reply_id=reply.id, published_at=published, operator_id=None, now=now
                )
            else:
                told = removal.Told(operator_id=None, data={})
                reply_id = (await session.scalars(text("SELECT id FROM reply"))).one()
                await removal.record_removed(session, appeal_id=appeal.id, reply_id=reply_id, told=told, now=now)
            due.append((await session.scalars(text("SELECT due_at FROM sla_timer"))).one())
    assert due[0] < due[1] == due[2] == due[3]
    checked = await verify(owner_db, period=around(now), now=now, measures=())
    assert checked.differences == ()


def whats(checked: Verification) -> set[str]:
    """What differs of clocks."""
    return {one.what for one in checked.differences if one.number is not None and not one.what.startswith("line")}


@pytest.mark.parametrize(
    ("fraud", "found"),
    [
        ("UPDATE sla_timer SET elapsed_seconds = elapsed_seconds - 600 WHERE {one}", {"elapsed_seconds"}),
        ("UPDATE sla_timer SET working_seconds = NULL WHERE {one}", {"working_seconds"}),
        ("UPDATE sla_timer SET outcome = 'met' WHERE {late}", {"outcome"}),
        ("UPDATE sla_timer SET outcome = 'cancelled' WHERE {late}", {"outcome"}),
        ("UPDATE sla_timer SET due_at = due_at + interval '2 days' WHERE {late}", {"due_at"}),
        (
            "UPDATE sla_timer SET stopped_at = stopped_at - interval '1 hour' WHERE {one}",
            {"stopped_at"},
        ),
        ("UPDATE sla_timer SET stopped_at = NULL, outcome = NULL WHERE {one}", {"stopped_at", "outcome"}),
        ("UPDATE sla_timer SET started_at = started_at + interval '1 hour' WHERE {one}", {"started_at"}),
        ("UPDATE sla_timer SET started_at = '2025-01-01' WHERE {one}", {"timer", "started_at"}),
        ("UPDATE sla_timer SET agency_id = (SELECT min(id) FROM agency) WHERE {one}", {"agency_id"}),
        ("UPDATE appeal SET agency_id = (SELECT min(id) FROM agency) WHERE {waits}", {"agency_id"}),
        ("UPDATE appeal SET topic_id = NULL WHERE id = (SELECT appeal_id FROM sla_timer WHERE {one})", {"topic_id"}),
        ("DELETE FROM sla_timer WHERE {late}", {"timer"}),
        ("DELETE FROM sla_timer WHERE cycle = 2", {"timer"}),
        (
            "UPDATE reply SET published_at = published_at - interval '5 hours' WHERE id = (SELECT max(id) FROM reply)",
            {"stopped_at", "elapsed_seconds", "working_seconds", "event.occurred_at"},
        ),
        ("UPDATE reply SET state = 'failed', published_at = NULL WHERE id = (SELECT max(id) FROM reply)", {"answer"}),
        (
            "UPDATE comment SET written_at = written_at - interval '1 hour' WHERE id = (SELECT min(id) FROM comment)",
            {"started_at", "due_at", "elapsed_seconds", "working_seconds"},
        ),
    ],
)  # fmt: skip
async def test_whatever_was_changed_is_found(owner_db: Database, fraud: str, found: set[str]) -> None:
    await a_month(owner_db)
    # The last but one of the answers in time; the late one of 32.5 hours; the appeal that waits in its first cycle.
    one = "id = (SELECT id FROM sla_timer WHERE outcome = 'met' ORDER BY elapsed_seconds DESC LIMIT 1)"
    late = "id = (SELECT id FROM sla_timer WHERE outcome = 'late' ORDER BY elapsed_seconds DESC LIMIT 1)"
    waits = "id = (SELECT appeal_id FROM sla_timer WHERE stopped_at IS NULL AND cycle = 1)"
    async with owner_db.write() as session:
        changed = await session.execute(text(fraud.format(one=one, late=late, waits=waits) + " RETURNING id"))
        assert len(changed.all()) == 1
    checked = await verify(owner_db, period=MONTH, now=NOW, measures=())
    assert whats(checked) == found


BROKEN = {
    "UPDATE report_line SET first_seconds = first_seconds - 600 WHERE {one}": {"first_seconds"},
    "UPDATE report_line SET first_outcome = 'met', first_due_at = first_stopped_at WHERE {late}": {"first_outcome", "first_due_at"},
    "UPDATE report_line SET triage_seconds = 0, triage_working = NULL WHERE {one}": {"triage_seconds", "triage_working"},
    "UPDATE report_line SET detection_seconds = 1, agency_seconds = 5 WHERE {one}": {"detection_seconds", "agency_seconds"},
    "UPDATE report_line SET repeated = NOT repeated, reopened = NOT reopened WHERE {one}": {"repeated", "reopened"},
    "UPDATE report_line SET page_id = NULL, operator_id = 0 WHERE {one}": {"page_id", "operator_id"},
    "UPDATE report_line SET final_due_at = now(), interim_outcome = 'met' WHERE {one}": {"final_due_at", "interim_outcome"},
    "DELETE FROM report_line WHERE {one}": {"line"},
    "UPDATE report_line SET cycle = 7 WHERE {one}": {"line"},
}


@pytest.mark.timeout(60)
async def test_a_line_broken_by_hand_is_told(owner_db: Database) -> None:
    await a_month(owner_db)
    by = "(appeal_id, cycle) = (SELECT appeal_id, cycle FROM report_line WHERE first_outcome = '{}' ORDER BY first_seconds DESC LIMIT 1)"
    for fraud, found in BROKEN.items():
        async with owner_db.write() as session:
            changed = await session.execute(text(fraud.format(one=by.format("met"), late=by.format("late")) + " RETURNING appeal_id"))
            appeal = changed.scalar_one()
        told = (await verify(owner_db, period=MONTH, now=NOW, measures=())).differences
        assert {one.what.removeprefix("line.") for one in told if not one.group} == found, fraud
        async with owner_db.write() as session:
            await session.execute(text("INSERT INTO report_queue (appeal_id) VALUES (:id)"), {"id": appeal})
        await rollup.refresh(owner_db, tz=MONTH.tz)
    left = (await verify(owner_db, period=MONTH, now=NOW, measures=())).differences
    assert left, "what a line gave too little, its sums lack"
    assert all(one.group for one in left), "computing them anew mends lines"
    await rollup.rebuild(owner_db, tz=MONTH.tz)
    assert (await verify(owner_db, period=MONTH, now=NOW, measures=())).differences == ()


@pytest.mark.timeout(60)
async def test_a_sum_broken_by_hand_is_told(owner_db: Database) -> None:
    """Cells are read instead of lines when there are many: what they say is held against the history as well."""
    await a_month(owner_db)

    async def of_cells(session: ReadSession, asked: Asked, *, group_by: Grouping, cursor: str | None = None) -> Report:
        return await measured(session, replace(asked, exact_up_to=-1), group_by=group_by, cursor=cursor)

    assert (await verify(owner_db, period=MONTH, now=NOW, report=of_cells)).differences == ()
    async with owner_db.write() as session:
        await session.execute(text("UPDATE report_cell SET first_late = first_late - 1, first_met = first_met + 1 WHERE dim = 4"))
        await session.execute(text("UPDATE report_shape SET calendar = calendar * 2 + otklik_sketch(1) WHERE dim = 3 AND clock = 'agency'"))
        await session.execute(text("UPDATE report_shape SET calendar = otklik_sketch(1) WHERE dim = 3 AND clock = 'first'"))
    told = {(one.group, one.what) for one in (await verify(owner_db, period=MONTH, now=NOW, report=of_cells)).differences}
    assert {("first-answer: total", "late"), ("first-answer: platform vk", "in_time")} <= told
    assert {what for group, what in told if "topic" in group} == {"median_s", "p90_s", "p99_s"}


@pytest.mark.timeout(60)
async def test_a_sum_of_a_day_is_told_though_no_report_of_the_month_reads_it(owner_db: Database) -> None:
    """A month of few lines reads lines, one of many a sum of its own; the backlog and trends read days."""
    await a_month(owner_db)
    day = f"{make.MORNING:%F}"
    async with owner_db.write() as session:
        for statement in (
            "UPDATE report_cell SET opened = opened + 1 WHERE dim = 4 AND level = 1",
            "DELETE FROM report_cell WHERE dim = 6",
        ):
            await session.execute(text(statement))
    found = (await verify(owner_db, period=MONTH, now=NOW)).differences
    assert f"day {day}: platform vk" in {one.group for one in found if one.what == "opened" and one.stored == one.expected + 1}  # type: ignore[operator]
    assert {one.group.partition(" ")[0] for one in found if "operator" in one.group and one.stored == 0} == {"month"}, "people have no days"
    longer = Period(start=MONTH.start, end=MONTH.end - timedelta(days=1), tz=MONTH.tz)
    assert not [one for one in (await verify(owner_db, period=longer, now=NOW)).differences if one.group.startswith("month")], (
        "no whole month"
    )


async def test_a_wrong_figure_is_found_though_every_row_is_right(owner_db: Database) -> None:
    """The classic: an average over those in time alone, which looks better the more are late."""
    await a_month(owner_db)

    async def flattering(session: ReadSession, asked: Asked, *, group_by: Grouping, cursor: str | None = None) -> Report:
        report = await measured(session, asked, group_by=group_by, cursor=cursor)
        fast = [1, 2, 2, 2, 4, 8]
        total = replace(report.total, average_s=sum(fast) / len(fast) * 3600)
        return replace(report, total=total if group_by is Grouping.TOPIC and asked.measure is FIRST_ANSWER else report.total)

    checked = await verify(owner_db, period=MONTH, now=NOW, report=flattering)
    assert [(one.what, one.group) for one in checked.differences] == [("average_s", "first-answer: total")]
    lost = await verify(owner_db, period=MONTH, now=NOW, report=_without_the_last)
    assert {one.what for one in lost.differences} >= {"opened"}


async def _without_the_last(session: ReadSession, asked: Asked, *, group_by: Grouping, cursor: str | None = None) -> Report:
    report = await measured(session, asked, group_by=group_by, cursor=cursor)
    return replace(report, rows=report.rows[:-1])


async def test_pauses_and_days_are_recounted(owner_db: Database) -> None:
    """A clock that stood still for two hours, due three hours later than nine; and a term in whole days."""
    async with owner_db.write() as session:
        calendar = await make.make_calendar(session, calendar=ROUND)
        paused = await make.make_appeal(session)
        await make.make_pause(session, appeal=paused, since=make.MORNING + HOUR, until=make.MORNING + 3 * HOUR)
        await make.make_pause(session, appeal=paused, since=make.MORNING + 2 * HOUR, until=make.MORNING + 4 * HOUR)
        at = make.MORNING + 12 * HOUR
        reply = await make.make_reply(session, appeal=paused, state=ReplyState.SENT, published_at=at)
        queued = at - timedelta(milliseconds=1500)  # after so many seconds and a half: the database rounds up, Python to the even one
        await make.make_event(session, appeal=paused, act=Act.REPLY_QUEUED, occurred_at=queued, data={"reply": reply.id})
        await make.make_event(session, appeal=paused, act=Act.REPLY_SENT, occurred_at=at, data={"reply": reply.id})
        timer = await make.make_timer(session, appeal=paused, calendar=calendar, hours=ROUND, stopped_at=at, due_at=at)
        timer.elapsed_seconds = timer.working_seconds = 9 * 3600
        by_days = await make.make_appeal(session)
        await make.make_timer(
            session,
            appeal=by_days,
            calendar=calendar,
            term=Term(days=3),
            due_at=datetime(2026, 11, 20, 21, tzinfo=UTC),  # the end of the third day in Moscow
        )
        stands = await make.make_appeal(session)
        await make.make_timer(session, appeal=stands, calendar=calendar, hours=ROUND)
        await make.make_pause(session, appeal=stands, since=make.MORNING + HOUR)
        await session.flush()
    await rollup.refresh(owner_db, tz=MONTH.tz)
    assert (await verify(owner_db, period=MONTH, now=NOW)).differences == ()


async def test_nothing_to_verify_is_said(owner_db: Database) -> None:
    checked = await verify(owner_db, period=MONTH, now=NOW)
    assert (checked.timers, checked.differences) == (0, ())
