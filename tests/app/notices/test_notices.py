"""Who sees which notice, and when one no longer stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.notices import queries, service
from app.notices.rules import Kind, timer_key, triage_key
from app.people.queries import access_of_operator
from app.people.rules import Role
from app.sla import service as sla
from app.sla.rules import Promise, StopCause
from app.sources.rules import Fate
from tests import factories as make

if TYPE_CHECKING:
    from app.kernel.db import Database
    from app.people.rules import Access

MORNING = make.MORNING
LATER = MORNING + timedelta(hours=5)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An agency with an appeal that was warned of and a comment that waits; another agency elsewhere."""

    agency_id: int
    territory_id: int
    other_agency_id: int
    other_territory_id: int
    appeal_id: int
    number: int
    timer_id: int
    comment_id: int
    operator: Access
    stranger: Access
    coordinator: Access
    administrator: Access


async def scene(owner_db: Database) -> Scene:
    async with owner_db.write() as session:
        here, there = await make.make_territory(session), await make.make_territory(session)
        agency, other = await make.make_agency(session, territory=here), await make.make_agency(session, territory=there)
        appeal = await make.make_appeal(session, agency=agency)
        timer = await make.make_timer(session, appeal=appeal)
        page = await make.make_page(session, agency=agency)
        post = await make.make_post(session, page=page)
        comment = await make.make_comment(session, post=post, fate=Fate.IN_TRIAGE, triage_due_at=LATER)
        people = {
            "operator": await make.make_operator(session, scope=agency),
            "stranger": await make.make_operator(session, scope=other),
            "coordinator": await make.make_operator(session, role=Role.COORDINATOR, scope=here),
            "administrator": await make.make_operator(session, role=Role.ADMINISTRATOR),
        }
        await session.flush()
        reach = {name: await access_of_operator(session, operator_id=person.id) for name, person in people.items()}
        made = {
            "agency_id": agency.id, "territory_id": here.id, "other_agency_id": other.id, "other_territory_id": there.id,
            "appeal_id": appeal.id, "number": appeal.number, "timer_id": timer.id, "comment_id": comment.id,
        }  # fmt: skip
    return Scene(**made, **reach)  # type: ignore[arg-type]


def of_timer(the: Scene, kind: Kind = Kind.SLA_WARNING, number: int = 1) -> service.Told:
    return service.Told(
        key=timer_key(kind, the.timer_id, LATER, number), kind=kind, agency_id=the.agency_id, territory_id=the.territory_id,
        occurred_at=MORNING, appeal_id=the.appeal_id, timer_id=the.timer_id,
    )  # fmt: skip


def of_comment(the: Scene, kind: Kind = Kind.TRIAGE_WARNING) -> service.Told:
    return service.Told(
        key=triage_key(kind, the.comment_id), kind=kind, agency_id=the.agency_id, territory_id=the.territory_id, occurred_at=MORNING,
        comment_id=the.comment_id,
    )  # fmt: skip


async def tell(database: Database, *rows: service.Told) -> frozenset[str]:
    async with database.write() as session:
        return await service.tell(session, rows, now=MORNING)


async def seen(database: Database, access: Access) -> list[Kind]:
    async with database.read(operator_id=access.operator_id) as session:
        lines = await queries.standing_notices(session, access)
        counts = await queries.count_notices(session, access)
    kinds = [line.kind for line in lines]
    assert {kind: kinds.count(kind) for kind in Kind} == counts
    return kinds


async def test_each_key_is_told_once_and_the_newest_stands(owner_db: Database, worker_db: Database) -> None:
    the = await scene(owner_db)
    first, second, breach = of_timer(the), of_timer(the, number=2), of_timer(the, Kind.SLA_BREACH)
    assert await tell(worker_db, first) == {first.key}
    assert await tell(worker_db, first) == frozenset()
    assert await tell(worker_db, second, of_comment(the)) == {second.key, of_comment(the).key}
    assert await tell(worker_db, breach, of_comment(the, Kind.TRIAGE_BREACH)) == {breach.key, of_comment(the, Kind.TRIAGE_BREACH).key}
    assert await tell(worker_db) == frozenset()
    async with owner_db.read() as session:
        standing = (await session.scalars(text("SELECT key FROM notice WHERE settled_at IS NULL ORDER BY id"))).all()
    assert standing == [breach.key, of_comment(the, Kind.TRIAGE_BREACH).key]


async def test_those_who_hold_the_matter_see_it(owner_db: Database, worker_db: Database, web_db: Database) -> None:
    the = await scene(owner_db)
    await tell(worker_db, of_timer(the), of_comment(the))
    assert await seen(web_db, the.operator) == [Kind.SLA_WARNING]
    assert await seen(web_db, the.coordinator) == [Kind.TRIAGE_WARNING, Kind.SLA_WARNING]
    assert await seen(web_db, the.stranger) == []
    assert await seen(web_db, the.administrator) == []
    async with web_db.read(operator_id=the.coordinator.operator_id) as session:
        waiting, warned = await queries.standing_notices(session, the.coordinator)
        assert [line.id for line in await queries.standing_notices(session, the.coordinator, before=waiting.id)] == [warned.id]
        assert len(await queries.standing_notices(session, the.coordinator, most=1)) == 1
    assert (warned.appeal_number, warned.promise, warned.due_at) == (the.number, Promise.FIRST_ANSWER, MORNING + timedelta(hours=9))
    assert (waiting.comment_id, waiting.due_at, waiting.appeal_number) == (the.comment_id, LATER, None)


async def test_a_query_that_forgot_its_scope_still_returns_nothing(owner_db: Database, worker_db: Database, web_db: Database) -> None:
    the = await scene(owner_db)
    await tell(worker_db, of_timer(the), of_comment(the))
    assert await seen(web_db, replace(the.stranger, whole=True)) == []
    assert len(await seen(web_db, replace(the.operator, whole=True))) == 1


async def test_what_is_over_stands_no_more_even_before_it_is_tidied(owner_db: Database, worker_db: Database, web_db: Database) -> None:
    the = await scene(owner_db)
    await tell(worker_db, of_timer(the), of_comment(the))
    async with worker_db.write() as session:
        end = sla.Stop(appeal_id=the.appeal_id, cycle=1, promises=None, at=LATER, cause=StopCause.FULFILLED, agency_id=the.agency_id)
        await sla.stop_timers(session, [end])
    assert await seen(web_db, the.coordinator) == [Kind.TRIAGE_WARNING]
    async with owner_db.write() as session:
        await session.execute(text("UPDATE comment SET fate = 'not_appeal' WHERE id = :id"), {"id": the.comment_id})
    assert await seen(web_db, the.coordinator) == []
    async with worker_db.write() as session:
        await service.tidy(session, now=LATER + timedelta(hours=1))
        await service.tidy(session, now=LATER + timedelta(hours=2))
    async with owner_db.read() as session:
        settled = (await session.scalars(text("SELECT settled_at FROM notice ORDER BY id"))).all()
    assert settled == [LATER, LATER + timedelta(hours=1)]


async def test_a_notice_follows_its_appeal(owner_db: Database, worker_db: Database, web_db: Database) -> None:
    the = await scene(owner_db)
    await tell(worker_db, of_timer(the))
    async with owner_db.write() as session:
        await session.execute(
            text("UPDATE appeal SET agency_id = :agency, territory_id = :territory WHERE id = :id"),
            {"agency": the.other_agency_id, "territory": the.other_territory_id, "id": the.appeal_id},
        )
    assert await seen(web_db, the.operator) == []
    async with worker_db.write() as session:
        await service.tidy(session, now=LATER)
    assert await seen(web_db, the.operator) == []
    assert await seen(web_db, the.stranger) == [Kind.SLA_WARNING]


async def test_who_tidies_second_does_nothing_and_nobody_waits(owner_db: Database, worker_db: Database) -> None:
    the = await scene(owner_db)
    await tell(worker_db, of_timer(the), of_comment(the))
    async with owner_db.write() as session:
        await session.execute(text("UPDATE comment SET fate = 'not_appeal' WHERE id = :id"), {"id": the.comment_id})
        await session.execute(text("UPDATE sla_timer SET stopped_at = :at WHERE id = :id"), {"at": LATER, "id": the.timer_id})
    async with owner_db.write() as holder:
        await holder.execute(text("SELECT id FROM notice WHERE comment_id IS NOT NULL FOR UPDATE"))
        async with worker_db.write() as session:
            await service.tidy(session, now=LATER)
            async with worker_db.write() as second:
                await service.tidy(second, now=LATER)
    async with owner_db.read() as session:
        rows = (await session.execute(text("SELECT settled_at FROM notice ORDER BY id"))).scalars().all()
    assert rows == [LATER, None]
