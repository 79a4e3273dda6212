"""What was approved stays; what changed since is told figure by figure; what cannot be signed is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.kernel.errors import InvalidError, NotFoundError
from app.people.rules import Access, Role
from app.reports.approved import approve, approved_list, approved_one, since_approval
from app.reports.measures import BACKLOG, FIRST_ANSWER
from app.reports.rules import Filters, Grouping, Period
from app.reports.service import Asked
from tests import factories as make

if TYPE_CHECKING:
    from app.kernel.db import Database, WriteSession

NOW = datetime(2026, 11, 17, 9, tzinfo=UTC)
OCTOBER = Period(start=date(2026, 10, 1), end=date(2026, 10, 31), tz="Europe/Moscow")


async def person_of(session: WriteSession) -> Access:
    person = await make.make_operator(session, role=Role.SUPERVISOR, name="Нина Озерова")
    return Access(operator_id=person.id, name="", login="", is_service=False, grants=(), agency_ids=(), territory_ids=(), whole=True)


async def answered(session: WriteSession, hours: float) -> None:
    appeal = await make.make_appeal(session, agency=await make.make_agency(session), written_at=NOW - timedelta(days=30))
    await make.make_timer(session, appeal=appeal, stopped_at=appeal.written_at + timedelta(hours=hours))


async def test_an_approved_report_stays_and_tells_what_changed(owner_db: Database) -> None:
    async with owner_db.write() as session:
        access = await person_of(session)
        await answered(session, 2)
    asked = Asked(access=access, period=OCTOBER, now=NOW)
    async with owner_db.write(operator_id=access.operator_id) as session:
        report_id = await approve(session, asked, group_by=Grouping.AGENCY)
    async with owner_db.read() as session:
        one = await approved_one(session, report_id)
        assert await since_approval(session, one, now=NOW + timedelta(days=3)) == ()
    async with owner_db.write() as session:
        await answered(session, 4)  # found late
    async with owner_db.read() as session:
        again = await approved_one(session, report_id)
        changed = await since_approval(session, again, now=NOW + timedelta(days=3))
        (head,) = await approved_list(session)
    assert again == one
    assert again.whole
    assert again.report.total.answered == 1
    assert again.report.definition.population == FIRST_ANSWER.population
    assert (head.approver, head.id, head.as_of) == ("Нина Озерова", report_id, NOW)
    of_all = {change.measure.code: (change.then, change.now) for change in changed if change.total}
    assert of_all["answered"] == (1, 2)
    assert of_all["average_s"] == (7_200, 10_800)
    assert any(change.key is not None and change.then is None and change.now == 1 for change in changed)


async def test_a_body_that_was_not_signed_is_told(owner_db: Database) -> None:
    async with owner_db.write() as session:
        access = await person_of(session)
        report_id = await approve(session, Asked(access=access, period=OCTOBER, now=NOW), group_by=Grouping.TOPIC)
        forged = await session.scalar(
            text(
                "INSERT INTO approved_report (measure, period_start, period_end, tz, group_by, as_of, body, digest, whole, agency_ids,"
                " territory_ids, approved_by) SELECT measure, period_start, period_end, tz, group_by, as_of,"
                " jsonb_set(body, '{total,in_time}', '99'), digest, whole, agency_ids, territory_ids, approved_by FROM approved_report"
                " WHERE id = :id RETURNING id"
            ),
            {"id": report_id},
        )
    async with owner_db.read() as session:
        assert (await approved_one(session, report_id)).whole
        assert not (await approved_one(session, forged or 0)).whole
        with pytest.raises(NotFoundError):
            await approved_one(session, 10**9)


async def test_operators_names_are_those_of_today(owner_db: Database) -> None:
    async with owner_db.write() as session:
        access = await person_of(session)
        await make.make_timer(
            session,
            appeal=await make.make_appeal(
                session,
                written_at=NOW - timedelta(days=30),
                operator=await make.make_operator(session, name="Анна"),
            ),
        )
        report_id = await approve(session, Asked(access=access, period=OCTOBER, now=NOW), group_by=Grouping.OPERATOR)
        assert "Анна" not in (await session.scalar(text("SELECT CAST(body AS text) FROM approved_report")) or "")
        await session.execute(text("UPDATE operator SET name = 'Анна Новая' WHERE name = 'Анна'"))
    async with owner_db.read() as session:
        assert [row.label for row in (await approved_one(session, report_id)).report.rows] == ["Анна Новая"]


async def test_what_cannot_be_signed_is_refused(owner_db: Database) -> None:
    async with owner_db.write() as session:
        access = await person_of(session)
        good = Asked(access=access, period=OCTOBER, now=NOW)
        for asked, code in (
            (replace(good, period=Period(start=date(2026, 11, 1), end=date(2026, 11, 17), tz="UTC")), "report.not_over"),
            (replace(good, filters=Filters(topic_ids=(1,))), "report.not_approvable"),
            (replace(good, measure=BACKLOG), "report.not_approvable"),
            (replace(good, as_of=NOW), "report.not_approvable"),
            (replace(good, access=replace(access, whole=False)), "report.not_approvable"),
        ):
            with pytest.raises(InvalidError) as refused:
                await approve(session, asked, group_by=Grouping.AGENCY)
            assert refused.value.code == code
