"""Answers that another person approves before they are published: nobody approves their own, and the history tells both."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.appeals import approval, outcomes, service as appeals
from app.appeals.rules import CloseReason
from app.kernel.errors import ConflictError, ForbiddenError, InvalidError
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.people.rules import Access

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


@pytest.fixture
def style() -> str:
    """How the platform tells its news does not matter here."""
    return "probing"


@pytest.fixture
async def number(town: Town, rows: Rows) -> int:
    """An appeal; an agency above ours asks for approval."""
    post = town.world.write_post(town.page, "Ремонт улиц")
    town.world.write_comment(post, PIT, author="Олег")
    await town.bring_in()
    async with town.owner.write() as session:
        above = {"above": town.other_agency_id, "id": town.agency_id}
        await session.execute(text("UPDATE agency SET parent_id = :above WHERE id = :id"), above)
        await session.execute(text("UPDATE agency SET approval_required = true WHERE id = :above"), above)
    (appeal,) = await rows("SELECT number FROM appeal")
    return int(appeal.number)


async def decide(town: Town, reply_id: int, who: Access, *, words: str | None = None) -> None:
    """Approve it, or return it with these words."""
    async with town.web.write(operator_id=who.operator_id) as session:
        now = town.clock.now()
        if words is None:
            await approval.approve(session, who, reply_id=reply_id, seen_version=None, now=now)
        else:
            await approval.give_back(session, who, reply_id=reply_id, words=words, seen_version=None, now=now)


async def test_an_answer_goes_out_when_another_person_has_approved_it(town: Town, number: int, rows: Rows) -> None:
    reply_id = await town.answer(number, "Засыпем завтра.")
    town.pass_time(60)
    assert await town.outbound().send_due() == 0
    for refused in (town.operator, town.coordinator):
        async with town.web.write(operator_id=refused.operator_id) as session:
            with pytest.raises(ConflictError):  # sending again is no way round
                await outcomes.decide_reply(session, refused, reply_id=reply_id, decision="resend", now=town.clock.now())
    with pytest.raises(ForbiddenError):
        await decide(town, reply_id, town.operator)
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        with pytest.raises(ConflictError):  # what waits is not left behind
            await appeals.close(
                session, town.operator, number=number, reason=CloseReason.CANNOT_REPLY, seen_version=None, now=town.clock.now()
            )
    town.pass_time(600)
    await decide(town, reply_id, town.coordinator)
    assert await town.outbound().send_due() == 1
    assert [answer.text for answer in town.world.answers] == ["Засыпем завтра."]
    events = await rows("SELECT act, operator_id FROM appeal_event ORDER BY id")
    author, approver = town.operator.operator_id, town.coordinator.operator_id
    assert [tuple(row) for row in events] == [
        ("opened", None), ("reply_submitted", author), ("reply_approved", approver), ("reply_sent", author),
    ]  # fmt: skip
    (sent,) = await rows("SELECT data FROM appeal_event WHERE act = 'reply_sent'")
    assert sent.data["approved_by"] == approver
    with pytest.raises(ConflictError):
        await decide(town, reply_id, town.coordinator)


async def test_what_is_returned_never_goes_out_and_says_why(town: Town, number: int, rows: Rows) -> None:
    first = await town.answer(number, "Разберёмся.")
    with pytest.raises(InvalidError):
        await decide(town, first, town.coordinator, words=" ")
    await decide(town, first, town.coordinator, words="Назовите срок.")
    second = await town.answer(number, "Засыпем до пятницы.")
    await decide(town, second, town.coordinator)
    town.pass_time(60)
    assert await town.outbound().send_due() == 1
    assert [answer.text for answer in town.world.answers] == ["Засыпем до пятницы."]
    assert [row.state for row in await rows("SELECT state FROM reply ORDER BY id")] == ["returned", "sent"]
    assert [row.text for row in await rows("SELECT text FROM appeal_note")] == ["Назовите срок."]


async def test_nobody_approves_their_own_even_past_the_code(town: Town, number: int, rows: Rows) -> None:
    """A coordinator who answers needs another one; the database holds both rules behind the code."""
    async with town.web.write(operator_id=town.coordinator.operator_id) as session:
        reply_id = await appeals.answer(
            session, town.coordinator, number=number, words="Засыпем завтра.", text_limits={}, now=town.clock.now()
        )
    with pytest.raises(ForbiddenError):
        await decide(town, reply_id, town.coordinator)
    own, let_go = town.coordinator.operator_id, "UPDATE reply SET state = 'queued', approved_by = :who"
    for who, setter in ((own, own), (town.operator.operator_id, own), (own, town.operator.operator_id)):
        async with town.web.write(operator_id=setter) as session:
            with pytest.raises(IntegrityError):
                await session.execute(text(let_go), {"who": who})
    async with town.web.write(operator_id=own) as session:
        with pytest.raises(IntegrityError):
            await session.execute(
                text(
                    "INSERT INTO reply (appeal_id, comment_id, cycle, operator_id, approved_by, agency_id, text, state) "
                    "SELECT appeal_id, comment_id, cycle, operator_id, operator_id, agency_id, 'Мимо', 'queued' FROM reply"
                )
            )
    assert [row.state for row in await rows("SELECT state FROM reply")] == ["awaiting"]


async def test_without_the_rule_nothing_waits(town: Town, number: int) -> None:
    async with town.owner.write() as session:
        await session.execute(text("UPDATE agency SET approval_required = false"))
    await town.answer(number, "Засыпем завтра.")
    town.clock.moment += timedelta(seconds=60)
    assert await town.outbound().send_due() == 1
