"""The factories make rows that the schema takes, in the shape the program itself writes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals.rules import Act
from app.people.rules import Role
from app.replies.rules import ReplyState
from app.triage.rules import Kind
from tests import factories as make

if TYPE_CHECKING:
    from app.kernel.db import Database


async def test_an_appeal_comes_with_all_it_stands_on(owner_db: Database) -> None:
    async with owner_db.write() as session:
        region = await make.make_territory(session, timezone="Europe/Moscow")
        agency = await make.make_agency(session, territory=region)
        topic = await make.make_topic(session)
        operator = await make.make_operator(session, role=Role.SUPERVISOR, scope=region)
        appeal = await make.make_appeal(session, agency=agency, topic=topic, operator=operator)
        calendar = await make.make_calendar(session, territory=region)
        await make.make_timer(session, appeal=appeal, calendar=calendar, stopped_at=make.MORNING + timedelta(hours=10))
        await make.make_reply(session, appeal=appeal, operator=operator, state=ReplyState.SENT)
        await make.make_event(session, appeal=appeal, act=Act.REPLY_SENT)
        await make.make_pause(session, appeal=appeal, since=make.MORNING)
        await make.make_rule(session, topic=topic, agency=agency)
        await make.make_verdict(session, comment=await make.make_comment(session), kind=Kind.UNDECIDED)
        await make.make_sphere(session)
        await make.make_taken_down_appeal(session)
    async with owner_db.read() as session:
        row = (
            await session.execute(
                text(
                    "SELECT a.territory_id, a.number, a.status, c.fate, h.agency_id, t.outcome, t.elapsed_seconds "
                    "FROM appeal a JOIN comment c ON c.appeal_id = a.id "
                    "JOIN appeal_assignment h ON h.appeal_id = a.id AND h.until IS NULL "
                    "JOIN sla_timer t ON t.appeal_id = a.id"
                )
            )
        ).one()
    assert row == (region.id, appeal.number, "new", "opened", agency.id, "late", 36_000)
