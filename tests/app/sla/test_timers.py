"""Timers as rows: started once, stopped once at the platform's moment, measured without pauses."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals.rules import Status
from app.directory.models import Territory
from app.people.rules import Role
from app.sla import service as sla
from app.sla.calendar import CalendarError
from app.sla.models import SlaPolicyVersion
from app.sla.policy import Matter, Term
from app.sla.queries import timers_of
from app.sla.rules import Promise, StopCause
from tests import factories as make
from tests.databases import hearing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.appeals.models import Appeal
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database, WriteSession

MORNING = make.MORNING  # a Tuesday, 09:00 in Moscow
WORKING = Term(seconds=9 * 3600, working=True)


async def timers(database: Database) -> list[Any]:
    async with database.read() as session:
        return list((await session.execute(text("SELECT * FROM sla_timer ORDER BY id"))).all())


async def promised(owner_db: Database, *, now: datetime = MORNING) -> Appeal:
    """An appeal of the morning, in a place with the default promises and hours."""
    async with owner_db.write() as session:
        appeal = await make.make_appeal(session)
        await sla.ensure_default_calendar(session, territory_id=appeal.territory_id, timezone="Europe/Moscow", now=now)
        await sla.ensure_default_policy(session, territory_id=None, now=now)
    return appeal


def matter_of(appeal: Appeal, priority: str = "ordinary") -> Matter:
    return Matter(agencies=(appeal.agency_id,), territories=(appeal.territory_id,), platform="vk", priority=priority)


def stop(
    appeal: Appeal, at: datetime, cause: StopCause = StopCause.FULFILLED, *, cycle: int = 1, promises: Sequence[Promise] | None = None
) -> sla.Stop:
    return sla.Stop(appeal_id=appeal.id, cycle=cycle, promises=promises, at=at, cause=cause, agency_id=appeal.agency_id)


async def start(session: WriteSession, appeal: Appeal, *, now: datetime = MORNING, cycle: int = 1) -> None:
    book = await sla.load_book(session, now=now)
    await sla.start_timers(session, [(appeal.id, cycle, timer) for timer in book.plan(matter_of(appeal), appeal.written_at)])


async def test_a_default_promise_from_start_to_answer(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    appeal = await promised(owner_db)
    async with worker_db.write() as session:
        await start(session, appeal, now=clock.now())
        assert await sla.running_due(session, [appeal.id, 999]) == {appeal.id: datetime(2026, 11, 18, 7, 0, tzinfo=UTC), 999: None}
    (row,) = await timers(owner_db)
    assert (row.promise, row.started_at, row.stopped_at) == ("first_answer", MORNING, None)
    assert row.warn_at == datetime(2026, 11, 17, 11, 30, tzinfo=UTC)  # 14:30: four and a half hours, a lunch between
    assert [datetime.fromisoformat(one) for one in row.warnings] == [row.warn_at, datetime(2026, 11, 17, 14, 12, tzinfo=UTC)]
    async with worker_db.write() as session:
        await sla.stop_timers(session, [stop(appeal, MORNING + timedelta(hours=25))])
        assert await sla.running_due(session, [appeal.id]) == {appeal.id: None}
    (row,) = await timers(owner_db)
    assert (row.outcome, row.agency_id, row.breached_at, row.warn_at) == ("met", appeal.agency_id, None, None)
    assert (row.elapsed_seconds, row.working_seconds) == (25 * 3600, 9 * 3600)


async def test_a_promise_has_one_timer_in_a_cycle(owner_db: Database, worker_db: Database) -> None:
    appeal = await promised(owner_db)
    for cycle in (1, 1, 2):
        async with worker_db.write() as session:
            await start(session, appeal, cycle=cycle)
    assert [row.cycle for row in await timers(owner_db)] == [1, 2]


async def test_the_web_role_starts_and_stops_what_it_may_see(owner_db: Database, web_db: Database) -> None:
    appeal = await promised(owner_db)
    async with owner_db.write() as session:
        insider = await make.make_operator(session, role=Role.OPERATOR, scope=await make.make_agency(session, name="Чужая"))
        whole = await make.make_operator(session, role=Role.COORDINATOR)
    async with web_db.write(operator_id=whole.id) as session:
        await start(session, appeal)
    async with web_db.write(operator_id=insider.id) as session:
        await sla.stop_timers(session, [stop(appeal, MORNING + timedelta(hours=1))])
    assert [row.stopped_at for row in await timers(owner_db)] == [None]
    async with web_db.write(operator_id=whole.id) as session:
        await sla.stop_timers(session, [stop(appeal, MORNING + timedelta(hours=1))])
    assert [row.outcome for row in await timers(owner_db)] == ["met"]


@pytest.mark.parametrize(
    ("cause", "hours", "outcome", "breached"),
    [
        (StopCause.FULFILLED, 9, "met", False),
        (StopCause.FULFILLED, 10, "late", True),
        (StopCause.CLOSED, 2, "unanswered", False),
        (StopCause.CLOSED, 30, "unanswered", True),
        (StopCause.DISMISSED, 30, "cancelled", True),
        (StopCause.MERGED, 1, "cancelled", False),
    ],
)
async def test_how_it_ends(owner_db: Database, worker_db: Database, cause: StopCause, hours: int, outcome: str, *, breached: bool) -> None:
    async with owner_db.write() as session:
        appeal = await make.make_appeal(session)
        timer = await make.make_timer(session, appeal=appeal)
    async with worker_db.write() as session:
        await sla.stop_timers(session, [stop(appeal, MORNING + timedelta(hours=hours), cause)])
    (row,) = await timers(owner_db)
    assert (row.outcome, row.breached_at) == (outcome, timer.due_at if breached else None)
    assert (row.elapsed_seconds, row.working_seconds) == (hours * 3600, None)


async def test_a_breach_that_the_platforms_time_refutes_is_taken_back(owner_db: Database, worker_db: Database) -> None:
    async with owner_db.write() as session:
        appeal = await make.make_appeal(session)
        due = MORNING + timedelta(hours=9)
        await make.make_timer(session, appeal=appeal, due_at=due, breached_at=due)
    async with worker_db.write() as session:
        await sla.stop_timers(session, [stop(appeal, due)])
    assert [(row.outcome, row.breached_at) for row in await timers(owner_db)] == [("met", None)]


async def test_what_stands_stopped_stays_as_it_is(owner_db: Database, worker_db: Database) -> None:
    appeal = await promised(owner_db)
    async with worker_db.write() as session:
        await start(session, appeal)
        early, late = stop(appeal, MORNING + timedelta(hours=1)), stop(appeal, MORNING + timedelta(hours=2), StopCause.CLOSED)
        await sla.stop_timers(session, [early, late])
        await sla.stop_timers(session, [late])
    assert [(row.outcome, row.elapsed_seconds) for row in await timers(owner_db)] == [("met", 3600)]


async def test_of_two_who_stop_at_once_the_first_counts(owner_db: Database, worker_db: Database) -> None:
    appeal = await promised(owner_db)
    async with worker_db.write() as session:
        await start(session, appeal)

    async def second() -> None:
        async with worker_db.write() as session:
            await sla.stop_timers(session, [stop(appeal, MORNING + timedelta(hours=2))])

    async with worker_db.write() as session:
        await sla.stop_timers(session, [stop(appeal, MORNING + timedelta(hours=1))])
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.3)
        assert not waiting.done()
    await waiting
    assert [(row.stopped_at, row.elapsed_seconds) for row in await timers(owner_db)] == [(MORNING + timedelta(hours=1), 3600)]


async def test_only_the_named_promises_of_that_cycle_stop(owner_db: Database, worker_db: Database) -> None:
    async with owner_db.write() as session:
        appeal = await make.make_appeal(session)
        for cycle, promise in [(1, Promise.FIRST_ANSWER), (1, Promise.FINAL_ANSWER), (2, Promise.FIRST_ANSWER)]:
            await make.make_timer(session, appeal=appeal, cycle=cycle, promise=promise)
    async with worker_db.write() as session:
        await sla.stop_timers(session, [stop(appeal, MORNING, promises=(Promise.FIRST_ANSWER, Promise.INTERIM_ANSWER))])
        await sla.stop_timers(session, [stop(appeal, MORNING, promises=())])
    running = [(row.cycle, row.promise) for row in await timers(owner_db) if row.stopped_at is None]
    assert running == [(1, "final_answer"), (2, "first_answer")]


async def test_pauses_are_no_time_and_an_open_one_moves_the_deadline(owner_db: Database, worker_db: Database) -> None:
    async with owner_db.write() as session:
        appeal = await make.make_appeal(session)
        hours = await make.make_calendar(session)
        await make.make_timer(session, appeal=appeal, calendar=hours, term=WORKING, due_at=MORNING + timedelta(hours=25))
        await make.make_pause(session, appeal=appeal, since=MORNING + timedelta(hours=1), until=MORNING + timedelta(hours=2))
        await make.make_pause(session, appeal=appeal, since=MORNING + timedelta(hours=24))
    async with worker_db.write() as session:
        await sla.stop_timers(session, [stop(appeal, MORNING + timedelta(hours=28))])
    (row,) = await timers(owner_db)
    # Tuesday 9-18 without lunch and one paused hour: 7; Wednesday's pause began at 9:00 and lasted.
    assert (row.elapsed_seconds, row.working_seconds) == (23 * 3600, 7 * 3600)
    # An hour of the promise was left when the clock stopped at 9:00; at 13:00 it would have begun to run again.
    assert (row.outcome, row.due_at) == ("met", MORNING + timedelta(hours=30))


async def test_an_answer_before_the_question_counts_as_no_time(owner_db: Database, worker_db: Database) -> None:
    async with owner_db.write() as session:
        appeal = await make.make_appeal(session)
        await make.make_timer(session, appeal=appeal, calendar=await make.make_calendar(session))
    async with worker_db.write() as session:
        await sla.stop_timers(session, [stop(appeal, MORNING - timedelta(seconds=5))])
    assert [(row.outcome, row.elapsed_seconds, row.working_seconds) for row in await timers(owner_db)] == [("met", 0, 0)]


async def test_many_stop_in_as_many_statements_as_one(owner_db: Database, worker_db: Database) -> None:
    async with owner_db.write() as session:
        hours = await make.make_calendar(session)
        policy = await make.make_policy(session)
        comment = await make.make_comment(session)
        appeals = [await make.make_appeal(session, comment=comment, cycle=1, status=Status.CLOSED) for _ in range(30)]
        for appeal in appeals:
            await make.make_timer(session, appeal=appeal, policy=policy, calendar=hours)
    counted: list[str] = []
    for batch in (appeals[:1], appeals[1:]):
        counted.clear()
        with hearing(worker_db, "before_cursor_execute", lambda *given: counted.append(given[2])):
            async with worker_db.write() as session:
                await sla.stop_timers(session, [stop(appeal, MORNING + timedelta(hours=1)) for appeal in batch])
        assert len(counted) == 1 + 4  # the transaction's own, then timers, calendars, pauses, the update
    assert {row.working_seconds for row in await timers(owner_db)} == {3600}


async def test_a_policy_that_cannot_be_read_leaves_the_others(owner_db: Database, worker_db: Database) -> None:
    appeal = await promised(owner_db)
    async with owner_db.write() as session:
        promises = {"first_answer": {"seconds": "soon"}}
        session.add(SlaPolicyVersion(code="broken", version=1, name="?", promises=promises, valid_from=MORNING - timedelta(days=9)))
    async with worker_db.read() as session:
        book = await sla.load_book(session, now=MORNING)
    assert [timer.choice["policy"] for timer in book.plan(matter_of(appeal), MORNING)] == ["default"]
    assert [timer.choice["policy"] for timer in book.plan(matter_of(appeal, "urgent"), MORNING)] == ["default-urgent"]


async def test_what_is_not_in_force_yet_is_not_in_the_book(owner_db: Database, worker_db: Database) -> None:
    appeal = await promised(owner_db)
    async with owner_db.write() as session:
        later = await make.make_policy(session, code="default", version=2, valid_from=MORNING + timedelta(days=1))
    followed = []
    for now, expected in [(MORNING, "default-1"), (MORNING + timedelta(days=1), "default-2")]:
        async with worker_db.read() as session:
            book = await sla.load_book(session, now=now)
        (timer,) = book.plan(matter_of(appeal), MORNING + timedelta(days=2))
        assert f"{timer.choice['policy']}-{timer.choice['version']}" == expected
        followed.append(timer.policy_version_id)
    assert followed[-1] == later.id


async def test_defaults_are_made_once(owner_db: Database) -> None:
    appeal = await promised(owner_db)
    async with owner_db.write() as session:
        child = await make.make_territory(session, parent=await session.get_one(Territory, appeal.territory_id))
        own = await sla.ensure_default_calendar(session, territory_id=appeal.territory_id, timezone="Europe/Moscow", now=MORNING)
        assert await sla.ensure_default_calendar(session, territory_id=child.id, timezone="Europe/Moscow", now=MORNING) == own
        far = await sla.ensure_default_calendar(session, territory_id=child.id, timezone="Asia/Kamchatka", now=MORNING)
        assert far != own
        assert await sla.ensure_default_calendar(session, territory_id=child.id, timezone="Asia/Kamchatka", now=MORNING) == far
        assert await sla.ensure_default_policy(session, territory_id=None, now=MORNING) == []
        assert await sla.ensure_default_policy(session, territory_id=child.id, now=MORNING) == []
        with pytest.raises(CalendarError):
            await sla.ensure_default_calendar(session, territory_id=(await make.make_territory(session)).id, timezone="Mars", now=MORNING)


async def test_a_territorys_default_promise_is_its_own(owner_db: Database) -> None:
    async with owner_db.write() as session:
        here, there = await make.make_territory(session), await make.make_territory(session)
        assert len(await sla.ensure_default_policy(session, territory_id=here.id, now=MORNING)) == 2
        assert len(await sla.ensure_default_policy(session, territory_id=there.id, now=MORNING)) == 2
        assert len(await sla.ensure_default_policy(session, territory_id=None, now=MORNING)) == 2
        book = await sla.load_book(session, now=MORNING)
    chosen = book.plan(Matter(territories=(here.id,)), MORNING)[0].choice["policy"]
    assert chosen == f"default-territory-{here.id}"


async def test_the_screen_gets_the_arithmetic(owner_db: Database, worker_db: Database) -> None:
    appeal = await promised(owner_db)
    async with worker_db.write() as session:
        await start(session, appeal)
    async with worker_db.read() as session:
        (view,) = await timers_of(session, appeal_id=appeal.id)
    assert (view.policy_code, view.seconds, view.working, view.timezone) == ("default", 9 * 3600, True, "Europe/Moscow")
    assert [(row.date.day, row.counted.total_seconds() / 3600) for row in view.rows] == [(17, 8), (18, 1)]
    assert view.near_at == datetime(2026, 11, 17, 14, 12, tzinfo=UTC)
    assert [reason["code"] for reason in view.reasons] == ["chosen"]


async def test_a_long_or_plain_term_is_not_told_day_by_day(owner_db: Database, worker_db: Database) -> None:
    async with owner_db.write() as session:
        appeal = await make.make_appeal(session)
        hours = await make.make_calendar(session)
        await make.make_timer(session, appeal=appeal, calendar=hours)
        long = Term(seconds=9 * 3600, working=True)
        await make.make_timer(
            session, appeal=appeal, promise=Promise.FINAL_ANSWER, calendar=hours, term=long, due_at=MORNING + timedelta(days=300)
        )
        await make.make_timer(session, appeal=appeal, promise=Promise.INTERIM_ANSWER, stopped_at=MORNING + timedelta(hours=1))
        await make.make_pause(session, appeal=appeal, since=MORNING + timedelta(hours=2), until=MORNING + timedelta(hours=3))
    async with worker_db.read() as session:
        views = {view.promise: view for view in await timers_of(session, appeal_id=appeal.id)}
    assert [len(view.rows) for view in views.values()] == [0, 0, 0]
    assert views[Promise.INTERIM_ANSWER].timezone is None
    assert views[Promise.INTERIM_ANSWER].pauses == ()
    assert len(views[Promise.FIRST_ANSWER].pauses) == 1
