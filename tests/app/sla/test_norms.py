"""Norms applied to appeals that wait, and what a change would have done: by the code that sets deadlines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.reapply import apply_everywhere
from app.appeals.rules import Status
from app.directory.service import load_directory
from app.flows.deadlines import run_due
from app.people.queries import access_of_operator
from app.people.rules import Role
from app.reports.rules import Period
from app.reports.verify import verify
from app.sla import service as sla
from app.sla.effect import Past, Standing, effect, standing
from app.sla.norms import Norm, effect_of, save_norm
from app.sla.pauses import begin_pause, end_pauses, extend
from app.sla.policy import Matter, Term
from app.sla.presets import PRESETS, preset
from app.sla.rules import Pause, PauseReason, Promise
from tests import factories as make

if TYPE_CHECKING:
    from app.appeals.models import Appeal
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

MORNING = make.MORNING  # Tuesday 17 November 2026, 09:00 in Moscow
FORMAL = preset("formal")


async def rows(database: Database, statement: str) -> list[Any]:
    async with database.read() as session:
        return list((await session.execute(text(statement))).all())


async def promised(owner_db: Database, clock: FixedClock, **more: Any) -> Appeal:
    """An appeal of the morning with the default clock: nine working hours."""
    clock.moment = MORNING
    async with owner_db.write() as session:
        appeal = await make.make_appeal(session, **more)
        await sla.ensure_default_calendar(session, territory_id=appeal.territory_id, timezone="Europe/Moscow", now=MORNING)
        await sla.ensure_default_policy(session, territory_id=None, now=MORNING)
        book = await sla.load_book(session, now=MORNING)
        matter = Matter(agencies=(appeal.agency_id,), territories=(appeal.territory_id,), platform=appeal.platform, priority="ordinary")
        await sla.start_timers(session, [(appeal.id, appeal.cycle, timer) for timer in book.plan(matter, appeal.written_at)])
    return appeal


async def set_by_coordinator(owner_db: Database, web_db: Database, norm: Norm, *, now: datetime) -> int:
    async with owner_db.write() as session:
        person = await make.make_operator(session, role=Role.COORDINATOR)
    async with web_db.write(operator_id=person.id) as session:
        access = await access_of_operator(session, operator_id=person.id)
        assert access is not None
        await save_norm(session, access, norm, await load_directory(session), now=now)
    return int(person.id)


def hours(number: int, *, working: bool = True) -> Norm:
    return Norm(code="default", name="Другой", promises={Promise.FIRST_ANSWER: Term(seconds=number * 3600, working=working)})


async def test_a_new_version_leaves_running_deadlines_alone_until_somebody_applies_it(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock
) -> None:
    """An edited policy rewrote what had been promised, or was never applied to what was open (chatwoot, signalen)."""
    appeal = await promised(owner_db, clock)
    (before,) = await rows(owner_db, "SELECT * FROM sla_timer")
    who = await set_by_coordinator(owner_db, web_db, hours(4), now=MORNING + timedelta(hours=1))
    assert await rows(owner_db, "SELECT * FROM sla_timer") == [before]
    clock.moment = MORNING + timedelta(hours=2)
    done = await apply_everywhere(worker_db, clock, operator_id=who, territories=None)
    assert (done.looked, done.changed) == (1, 1)
    (after,) = await rows(owner_db, "SELECT * FROM sla_timer")
    assert (after.id, after.started_at) == (before.id, before.started_at)
    assert after.due_at == MORNING + timedelta(hours=4)  # 13:00
    assert after.policy_version_id != before.policy_version_id
    assert [row.due_at for row in await rows(owner_db, "SELECT due_at FROM appeal")] == [after.due_at]
    (event,) = await rows(owner_db, "SELECT * FROM appeal_event WHERE act = 'policy_applied'")
    assert (event.operator_id, event.data["from"], event.data["policy"]) == (who, before.policy_version_id, after.policy_version_id)
    assert datetime.fromisoformat(event.data["due_before"]) == before.due_at
    assert (await apply_everywhere(worker_db, clock, operator_id=who, territories=None)).changed == 0
    period = Period(start=MORNING.date(), end=MORNING.date(), tz="Europe/Moscow")
    found = await verify(owner_db, period=period, now=clock.now())
    assert [one.what for one in found.differences] == [], appeal.id


async def test_applying_another_norm_carries_pauses_and_extensions_over(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock
) -> None:
    """Changing the policy lost the time that a matter had stood still (glpi 6902, 15605)."""
    appeal = await promised(owner_db, clock)
    async with owner_db.write() as session:
        person = await make.make_operator(session, role=Role.COORDINATOR)
        await begin_pause(session, appeal_id=appeal.id, reason=PauseReason.OTHER, at=MORNING + timedelta(hours=1), operator_id=person.id)
        await end_pauses(session, [(appeal.id, MORNING + timedelta(hours=2))])  # an hour of the morning
        await extend(
            session, appeal_id=appeal.id, cycle=1, promise=Promise.FIRST_ANSWER, by=Term(seconds=2 * 3600), reason="Ждём",
            operator_id=person.id, now=MORNING + timedelta(hours=3),
        )  # fmt: skip
    await set_by_coordinator(owner_db, web_db, hours(4), now=MORNING + timedelta(hours=3))
    clock.moment = MORNING + timedelta(hours=3)
    await apply_everywhere(worker_db, clock, operator_id=None, territories=[appeal.territory_id])
    (after,) = await rows(owner_db, "SELECT * FROM sla_timer")
    assert after.due_at == datetime(
        2026, 11, 17, 14, 0, tzinfo=UTC
    )  # 13:00, an hour that stood still and two put off, lunch between: 17:00


async def test_a_deadline_that_lies_ahead_again_is_not_missed(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock
) -> None:
    await promised(owner_db, clock)
    async with owner_db.write() as session:
        await session.execute(text("UPDATE sla_timer SET breached_at = due_at, warn_at = NULL"))
    later = MORNING + timedelta(days=2)
    assert FORMAL is not None
    await set_by_coordinator(owner_db, web_db, Norm(code="default", name="Долгий", promises=FORMAL.promises), now=later)
    clock.moment = later
    await apply_everywhere(worker_db, clock, operator_id=None, territories=None)
    (first,) = await rows(owner_db, "SELECT * FROM sla_timer")
    assert first.breached_at is None
    assert first.due_at == datetime(2026, 12, 17, 21, 0, tzinfo=UTC)  # the end of the thirtieth day after 17 November, in Moscow
    assert first.warn_at is not None


async def test_a_breach_that_a_norm_undoes_is_withdrawn_at_once_and_told_again_when_it_comes(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock
) -> None:
    """The notice, whoever it went up to, stood until the next warning; and the second breach was told to nobody."""
    await promised(owner_db, clock)
    clock.moment = MORNING + timedelta(days=2)
    await run_due(worker_db, clock)
    async with owner_db.write() as session:
        await session.execute(text("UPDATE notice SET stage = 7200, escalated_to = 'supervisor' WHERE kind = 'sla_breach'"))
    assert FORMAL is not None
    await set_by_coordinator(owner_db, web_db, Norm(code="default", name="Долгий", promises=FORMAL.promises), now=clock.moment)
    await apply_everywhere(worker_db, clock, operator_id=None, territories=None)
    assert await rows(owner_db, "SELECT 1 FROM notice WHERE settled_at IS NULL") == []
    told, withdrawn = await rows(owner_db, "SELECT act, data FROM appeal_event WHERE act LIKE 'sla%' ORDER BY id")
    assert (told.act, withdrawn.act) == ("sla_breached", "sla_breach_withdrawn")
    assert told.data["timer"] == withdrawn.data["timer"]

    (timer,) = await rows(owner_db, "SELECT * FROM sla_timer")
    for moment in (timer.warn_at, timer.due_at, timer.due_at + timedelta(days=1)):
        clock.moment = moment
        await run_due(worker_db, clock)
    given = await rows(owner_db, "SELECT kind, occurred_at, settled_at IS NULL AS stands, stage, escalated_to FROM notice ORDER BY id")
    assert [tuple(row) for row in given] == [
        ("sla_breach", MORNING + timedelta(hours=25), False, 7200, "supervisor"),  # the ninth hour at work: the next morning's first
        ("sla_warning", timer.warn_at, False, -1, None),
        ("sla_breach", timer.due_at, True, -1, None),
    ]
    events = await rows(owner_db, "SELECT act FROM appeal_event WHERE act LIKE 'sla%' ORDER BY id")
    assert [row.act for row in events] == ["sla_breached", "sla_breach_withdrawn", "sla_warned", "sla_breached"]


async def test_a_breach_is_withdrawn_from_a_clock_that_stood_still_before_the_new_deadline(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock
) -> None:
    """It has not come, however long the clock has stood: left missed, the deadline was told to nobody when it did come."""
    appeal = await promised(owner_db, clock)
    clock.moment = MORNING + timedelta(hours=25)
    await run_due(worker_db, clock)
    async with owner_db.write() as session:
        person = await make.make_operator(session, role=Role.COORDINATOR)
        at = MORNING + timedelta(hours=26)
        await begin_pause(session, appeal_id=appeal.id, reason=PauseReason.OTHER, at=at, operator_id=person.id)
    clock.moment = MORNING + timedelta(hours=60)
    await set_by_coordinator(owner_db, web_db, hours(40, working=False), now=clock.moment)
    await apply_everywhere(worker_db, clock, operator_id=None, territories=None)
    assert [row.breached_at for row in await rows(owner_db, "SELECT breached_at FROM sla_timer")] == [None]
    assert await rows(owner_db, "SELECT 1 FROM notice WHERE settled_at IS NULL") == []
    async with owner_db.write() as session:
        await end_pauses(session, [(appeal.id, clock.moment)])  # fourteen of forty hours are left
    clock.moment += timedelta(hours=15)
    await run_due(worker_db, clock)
    events = await rows(owner_db, "SELECT act FROM appeal_event WHERE act LIKE 'sla%' ORDER BY id")
    assert [row.act for row in events] == ["sla_breached", "sla_breach_withdrawn", "sla_breached"]


async def test_a_warning_of_a_term_that_has_not_come_so_far_is_withdrawn_too(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock
) -> None:
    await promised(owner_db, clock)
    clock.moment = MORNING + timedelta(hours=8)
    await run_due(worker_db, clock)
    assert FORMAL is not None
    await set_by_coordinator(owner_db, web_db, Norm(code="default", name="Долгий", promises=FORMAL.promises), now=clock.moment)
    await apply_everywhere(worker_db, clock, operator_id=None, territories=None)
    assert [row.stands for row in await rows(owner_db, "SELECT settled_at IS NULL AS stands FROM notice")] == [False]
    assert await rows(owner_db, "SELECT 1 FROM appeal_event WHERE act = 'sla_breach_withdrawn'") == []


async def test_what_is_answered_or_elsewhere_stays_as_it_was(
    owner_db: Database, worker_db: Database, web_db: Database, clock: FixedClock
) -> None:
    appeal = await promised(owner_db, clock)
    await set_by_coordinator(owner_db, web_db, hours(4), now=MORNING)
    assert (await apply_everywhere(worker_db, clock, operator_id=None, territories=[appeal.territory_id + 1])).looked == 0
    async with owner_db.write() as session:
        await session.execute(text("UPDATE appeal SET status = :status"), {"status": Status.ANSWERED.value})
    assert (await apply_everywhere(worker_db, clock, operator_id=None, territories=None)).looked == 0


# --- what a change would have done ------------------------------------------------------------------------------


def past(**more: Any) -> Past:
    fields: dict[str, Any] = {
        "appeal_id": 1,
        "cycle": 1,
        "matter": Matter(),
        "started_at": MORNING,
        "first_at": None,
        "interim_at": None,
        "final_at": None,
    }
    return Past(**fields | {"ended_at": None} | more)


async def test_the_effect_judges_by_the_code_that_sets_deadlines(owner_db: Database, clock: FixedClock) -> None:
    await promised(owner_db, clock)
    now = MORNING + timedelta(days=20)
    async with owner_db.read() as session:
        book = await sla.load_book(session, now=now)
    at = [MORNING + timedelta(hours=one) for one in (3, 5, 26, 400)]
    found = [
        past(first_at=at[0], final_at=at[0]),  # in time by both
        past(first_at=at[1], final_at=at[1]),  # 14:00: after four working hours
        past(first_at=at[2], interim_at=at[2], final_at=at[3]),  # late by both: nine hours end at 10:00 next day
        past(
            first_at=at[1], interim_at=at[1], pauses=(Pause(MORNING + timedelta(hours=1), MORNING + timedelta(hours=3)),)
        ),  # the pause saves it
        past(ended_at=at[0]),
        past(),
    ]
    told = effect_of(hours(4), book, found, now=now)
    first = Promise.FIRST_ANSWER
    assert told.judged == 6
    assert told.before[first] == {Standing.MET: 3, Standing.LATE: 1, Standing.UNANSWERED: 1, Standing.OVERDUE: 1}
    assert told.after[first] == {Standing.MET: 2, Standing.LATE: 2, Standing.UNANSWERED: 1, Standing.OVERDUE: 1}
    assert (told.worse[first], told.better.get(first, 0)) == (1, 0)
    # The new version speaks of no final answer, so nothing promises it any more.
    assert told.before[Promise.FINAL_ANSWER] == {Standing.NOT_PROMISED: 4, Standing.LATE: 1, Standing.OVERDUE: 1}
    assert told.after[Promise.FINAL_ANSWER] == {Standing.NOT_PROMISED: 6}
    assert effect(found, before=book, after=book, now=now).before == effect(found, before=book, after=book, now=now).after


async def test_the_effect_of_every_preset_can_be_told(owner_db: Database, clock: FixedClock) -> None:
    await promised(owner_db, clock)
    async with owner_db.read() as session:
        book = await sla.load_book(session, now=MORNING)
    for one in PRESETS:
        told = effect_of(Norm(name=one.name, priority=one.priority, promises=one.promises), book, [past()], now=MORNING)
        assert told.after[Promise.FIRST_ANSWER] == {Standing.WAITING: 1}
    assert standing(book, past(first_at=MORNING), Promise.FIRST_ANSWER, now=MORNING) is Standing.MET
