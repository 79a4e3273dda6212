"""A deadline that goes up while its reader is not to be disturbed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.appeals.filters import format_number
from app.kernel.clock import FixedClock
from app.notices import addresses
from app.notices.hours import Hours
from tests.flows.test_telling import DUE, MORNING, Town
from tests.mail_server import mail_server

if TYPE_CHECKING:
    from app.kernel.db import Database

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]

RULE = "INSERT INTO notice_rule (role, after_seconds, carriers, created_at) VALUES ('operator', 3600, CAST(:carriers AS jsonb), now())"


async def test_of_a_deadline_that_went_up_while_somebody_slept_they_are_told_once(
    owner_db: Database, worker_db: Database, web_db: Database
) -> None:
    async with mail_server() as mail:
        town = Town(mail, owner_db, worker_db, web_db, FixedClock(MORNING))
        await town.settle_in()
        person = town.people["operator"].id
        hours = Hours(days=frozenset(range(1, 8)), opens=9 * 60, closes=10 * 60, timezone="Europe/Moscow")
        async with web_db.write(operator_id=person) as session:
            await addresses.set_hours(session, operator_id=person, hours=hours, now=MORNING)
        async with owner_db.write() as session:
            await session.execute(text(RULE), {"carriers": '["email"]'})
        (appeal,) = await town.appeals()
        await town.at(DUE)
        await town.at(DUE + timedelta(hours=1))
        assert [one for one in town.told() if one[0] == "operator"] == []
        await town.at(MORNING + timedelta(days=1))  # nine in Moscow
        (told,) = [subject for who, subject in town.told() if who == "operator"]
        assert told == f"Обращение {format_number(appeal.number)}: ответа всё ещё нет"
