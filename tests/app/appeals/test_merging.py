"""Two appeals of one matter become one: counted once, answered together, taken back whole; no door to what is out of sight."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals import merging, service as appeals
from app.appeals.cards import card
from app.appeals.rules import Status
from app.directory.models import Agency, Territory
from app.kernel.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from app.people.queries import access_of_operator
from app.people.rules import Role
from app.replies.rules import AnswerKind
from app.reports.measures import DISMISSED
from app.reports.rollup import refresh
from app.reports.rules import Grouping, Period
from app.reports.service import Asked, measured, response_times
from app.reports.verify import verify
from tests import factories as make

if TYPE_CHECKING:
    from app.appeals.models import Appeal
    from app.kernel.db import Database
    from app.people.rules import Access

MORNING = make.MORNING
PERIOD = Period(start=MORNING.date(), end=MORNING.date(), tz="Europe/Moscow")
NOON = MORNING + timedelta(hours=3)


async def rows(database: Database, statement: str, **params: Any) -> list[Any]:
    async with database.read() as session:
        return list((await session.execute(text(statement), params)).all())


async def pair(owner_db: Database) -> tuple[Agency, Appeal, Appeal]:
    """Two neighbours under two posts of one page, an hour apart, each with a clock of nine hours."""
    async with owner_db.write() as session:
        page = await make.make_page(session)
        policy = await make.make_policy(session)
        found = []
        for hours, name in ((0, "Анна Лугова"), (1, "Пётр Ветров")):
            comment = await make.make_comment(
                session, post=await make.make_post(session, page=page), author=await make.make_author(session, name=name),
                text=f"Нет воды, {name}", written_at=MORNING + timedelta(hours=hours),
            )  # fmt: skip
            appeal = await make.make_appeal(session, comment=comment, due_at=comment.written_at + timedelta(hours=9))
            await make.make_timer(session, appeal=appeal, policy=policy, warnings=[comment.written_at + timedelta(hours=8)])
            found.append(appeal)
        return await session.get_one(Agency, page.agency_id), found[0], found[1]


async def person(owner_db: Database, **more: Any) -> Access:
    async with owner_db.write() as session:
        someone = await make.make_operator(session, **more)
        access = await access_of_operator(session, operator_id=someone.id)
    assert access is not None
    return access


async def figures(owner_db: Database) -> tuple[int, int, int]:
    """Appeals counted, of them waiting, and dismissed ones."""
    async with owner_db.read() as session:
        total = (await response_times(session, access=None, period=PERIOD, group_by=Grouping.AGENCY, now=NOON)).total
        asked = Asked(access=None, period=PERIOD, now=NOON, measure=DISMISSED)
        return total.opened, total.waiting, (await measured(session, asked, group_by=Grouping.AGENCY)).total.dismissed


async def test_what_is_merged_is_counted_once_and_taken_back_whole(owner_db: Database, web_db: Database, worker_db: Database) -> None:
    agency, older, younger = await pair(owner_db)
    who = await person(owner_db, scope=agency)
    before = await rows(owner_db, "SELECT due_at, warn_at, started_at FROM sla_timer ORDER BY id")
    assert await figures(owner_db) == (2, 2, 0)
    async with web_db.write(operator_id=who.operator_id) as session:
        # From either side: the younger one is merged.
        assert await merging.merge(session, who, number=older.number, other=younger.number, seen_version=1, now=NOON) == older.number
    mine, other = await rows(owner_db, "SELECT * FROM appeal ORDER BY id")
    assert (mine.status, other.status, other.merged_into, other.close_reason, other.due_at) == (
        "new",
        "dismissed",
        older.id,
        "merged",
        None,
    )
    timers = await rows(owner_db, "SELECT outcome, stopped_at FROM sla_timer ORDER BY id")
    assert [(one.outcome, one.stopped_at) for one in timers] == [(None, None), ("cancelled", NOON)], "it ends without being missed"
    told = await rows(owner_db, "SELECT appeal_id, act, operator_id, data FROM appeal_event WHERE act IN ('merged', 'joined') ORDER BY id")
    assert [(one.appeal_id, one.act, one.operator_id) for one in told] == [
        (younger.id, "merged", who.operator_id), (older.id, "joined", who.operator_id),
    ]  # fmt: skip
    assert await figures(owner_db) == (1, 1, 0), "counted once, and nobody was dismissed"
    await refresh(worker_db, tz="Europe/Moscow")
    assert await figures(owner_db) == (1, 1, 0), "as kept, too"
    async with web_db.read(operator_id=who.operator_id) as session:
        shown = await card(session, who, older.number)
    assert shown is not None
    assert [(one.number, one.text, one.author_name) for one in shown.merged] == [(younger.number, "Нет воды, Пётр Ветров", "Пётр Ветров")]
    async with web_db.write(operator_id=who.operator_id) as session:
        await merging.unmerge(session, who, number=younger.number, seen_version=None, now=NOON + timedelta(hours=1))
    assert await rows(owner_db, "SELECT due_at, warn_at, started_at FROM sla_timer ORDER BY id") == before
    assert await figures(owner_db) == (2, 2, 0)
    await refresh(worker_db, tz="Europe/Moscow")
    assert await figures(owner_db) == (2, 2, 0)
    found = await verify(owner_db, period=PERIOD, now=NOON + timedelta(hours=2))
    assert found.differences == ()
    async with owner_db.read() as session:
        then = await response_times(
            session,
            access=None,
            period=PERIOD,
            group_by=Grouping.AGENCY,
            now=NOON + timedelta(days=9),
            as_of=make.MORNING + timedelta(hours=2),
        )
    assert then.total.opened == 2, "as it was known before"


async def test_what_was_merged_while_it_stood_still_warns_as_much_later(owner_db: Database, web_db: Database) -> None:
    agency, older, younger = await pair(owner_db)
    who = await person(owner_db, scope=agency)
    (before,) = await rows(owner_db, "SELECT due_at, warn_at FROM sla_timer WHERE appeal_id = :id", id=younger.id)
    async with owner_db.write() as session:
        await make.make_pause(session, appeal=younger, since=MORNING + timedelta(hours=2))
    async with web_db.write(operator_id=who.operator_id) as session:
        await merging.merge(session, who, number=younger.number, other=older.number, seen_version=None, now=NOON)
        await merging.unmerge(session, who, number=younger.number, seen_version=None, now=NOON)
    (after,) = await rows(owner_db, "SELECT due_at, warn_at, warnings FROM sla_timer WHERE appeal_id = :id", id=younger.id)
    assert (after.due_at - before.due_at, after.warn_at - before.warn_at) == (timedelta(hours=1), timedelta(hours=1))
    assert [datetime.fromisoformat(one) for one in after.warnings] == [after.warn_at]


async def test_a_merge_is_no_door_to_what_is_out_of_sight(owner_db: Database, web_db: Database) -> None:
    """A merge by number reached tickets of other mailboxes (GHSA-v8vc-cmf9-gg2c)."""
    agency, mine, _ = await pair(owner_db)
    _, foreign, _ = await pair(owner_db)
    who, reader = await person(owner_db, scope=agency), await person(owner_db, role=Role.SUPERVISOR)
    whole = await person(owner_db, role=Role.COORDINATOR)
    refusals = []
    for number in (foreign.number, 999_999_937):
        for one, two in ((mine.number, number), (number, mine.number)):
            with pytest.raises(NotFoundError) as refused:
                async with web_db.write(operator_id=who.operator_id) as session:
                    await merging.merge(session, who, number=one, other=two, seen_version=None, now=NOON)
            refusals.append(refused.value.code)
    assert set(refusals) == {"appeal.unknown"}, "whether it exists is not told"
    with pytest.raises(ForbiddenError):
        async with web_db.write(operator_id=reader.operator_id) as session:
            await merging.merge(session, reader, number=mine.number, other=foreign.number, seen_version=None, now=NOON)
    with pytest.raises(InvalidError, match="two agencies"):
        async with web_db.write(operator_id=whole.operator_id) as session:
            await merging.merge(session, whole, number=mine.number, other=foreign.number, seen_version=None, now=NOON)
    assert await rows(owner_db, "SELECT 1 FROM appeal WHERE merged_into IS NOT NULL") == []
    assert await rows(owner_db, "SELECT 1 FROM appeal_event WHERE act <> 'opened'") == []


async def test_no_missed_deadline_vanishes_by_a_merge(owner_db: Database, web_db: Database) -> None:
    """Into what is answered already nothing is merged: nobody would answer, and the clock would be gone."""
    agency, older, younger = await pair(owner_db)
    who = await person(owner_db, scope=agency)
    for status in (Status.ANSWERED, Status.CLOSED, Status.DISMISSED):
        async with owner_db.write() as session:
            await session.execute(text("UPDATE appeal SET status = :status WHERE id = :id"), {"status": status.value, "id": older.id})
        with pytest.raises(ConflictError):
            async with web_db.write(operator_id=who.operator_id) as session:
                await merging.merge(session, who, number=younger.number, other=older.number, seen_version=None, now=NOON)
    with pytest.raises(ConflictError):
        async with web_db.write(operator_id=who.operator_id) as session:
            await merging.unmerge(session, who, number=younger.number, seen_version=None, now=NOON)


async def test_one_answer_goes_to_all_and_then_they_stay_one(owner_db: Database, web_db: Database) -> None:
    agency, older, younger = await pair(owner_db)
    who = await person(owner_db, scope=agency)
    async with web_db.write(operator_id=who.operator_id) as session:
        await merging.merge(session, who, number=younger.number, other=older.number, seen_version=None, now=NOON)
        first = await appeals.answer(session, who, number=older.number, words="Воду дадут к вечеру.", text_limits={}, now=NOON)
        given: dict[str, Any] = {
            "reply_id": first,
            "words": "Воду дадут к вечеру.",
            "kind": AnswerKind.FINAL,
            "text_limits": {},
            "now": NOON,
        }
        assert len(await merging.answer_merged(session, who, number=older.number, **given)) == 1
        assert await merging.answer_merged(session, who, number=older.number, **given) == [], "each once"
    found = await rows(owner_db, "SELECT appeal_id, comment_id, text, state FROM reply ORDER BY id")
    assert [(one.appeal_id, one.comment_id) for one in found] == [(older.id, older.comment_id), (younger.id, younger.comment_id)]
    with pytest.raises(ConflictError, match="together"):
        async with web_db.write(operator_id=who.operator_id) as session:
            await merging.unmerge(session, who, number=younger.number, seen_version=None, now=NOON)


async def test_whoever_only_sees_a_merged_appeal_answers_its_author_nothing(owner_db: Database, web_db: Database) -> None:
    """Who supervises the region and coordinates one district works for that district only."""
    agency, older, younger = await pair(owner_db)
    who = await person(owner_db, scope=agency)
    async with web_db.write(operator_id=who.operator_id) as session:
        await merging.merge(session, who, number=younger.number, other=older.number, seen_version=None, now=NOON)
    async with owner_db.write() as session:
        someone = await make.make_operator(session, role=Role.COORDINATOR, scope=await session.get_one(Territory, older.territory_id))
        await make.grant(session, operator=someone, role=Role.SUPERVISOR)
        elsewhere = await make.make_territory(session, name="Соседний район")
        await session.execute(text("UPDATE appeal SET territory_id = :at WHERE id = :id"), {"at": elsewhere.id, "id": younger.id})
        both = await access_of_operator(session, operator_id=someone.id)
    assert both is not None
    async with web_db.write(operator_id=both.operator_id) as session:
        given: dict[str, Any] = {"words": "Воду дадут.", "text_limits": {}, "now": NOON}
        first = await appeals.answer(session, both, number=older.number, **given)
        assert await merging.answer_merged(session, both, number=older.number, reply_id=first, kind=AnswerKind.FINAL, **given) == []


async def test_what_was_merged_goes_along_when_it_is_handed_on(owner_db: Database, web_db: Database) -> None:
    agency, older, younger = await pair(owner_db)
    who = await person(owner_db, scope=agency)
    async with owner_db.write() as session:
        elsewhere = await make.make_agency(session)
    async with web_db.write(operator_id=who.operator_id) as session:
        await merging.merge(session, who, number=younger.number, other=older.number, seen_version=None, now=NOON)
        await appeals.route(session, who, number=older.number, agency_id=elsewhere.id, territory_id=None, seen_version=None, now=NOON)
    assert [row.agency_id for row in await rows(owner_db, "SELECT agency_id FROM appeal ORDER BY id")] == [elsewhere.id, elsewhere.id]
    there = await person(owner_db, scope=elsewhere)
    async with web_db.read(operator_id=there.operator_id) as session:
        shown = await card(session, there, older.number)
    assert shown is not None
    assert [one.text for one in shown.merged] == ["Нет воды, Пётр Ветров"]
