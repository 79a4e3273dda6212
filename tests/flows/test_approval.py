"""Answers that another person approves before they are published: nobody approves their own, and the history tells both."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.appeals import approval, merging, outcomes, service as appeals
from app.appeals.rules import CloseReason
from app.kernel.errors import ConflictError, ForbiddenError, InvalidError
from app.people.models import Operator
from app.people.queries import access_of_operator
from app.people.rules import Role
from app.replies.rules import AnswerKind
from tests.factories import grant, make_operator, make_territory
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


async def two_as_one(town: Town, older: int, rows: Rows) -> int:
    """A neighbour asked the same, later; theirs is merged into the older one. Their number."""
    town.pass_time(1800)
    town.world.write_comment(next(iter(town.world.posts)), PIT, author="Анна")
    await town.bring_in()
    (younger,) = [row.number for row in await rows("SELECT number FROM appeal") if row.number != older]
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await merging.merge(session, town.operator, number=younger, other=older, seen_version=None, now=town.clock.now())
    return int(younger)


async def answer_both(town: Town, number: int, words: str) -> tuple[int, list[int]]:
    """As the screen does with "Also to the authors of merged appeals"."""
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        given: dict[str, Any] = {"number": number, "words": words, "text_limits": {}, "kind": AnswerKind.FINAL, "now": town.clock.now()}
        mine = await appeals.answer(session, town.operator, **given)
        return mine, await merging.answer_merged(session, town.operator, reply_id=mine, **given)


async def test_the_authors_of_merged_appeals_are_answered_with_the_same_approval(town: Town, number: int, rows: Rows) -> None:
    """Handed in, returned, withdrawn and approved together; each citizen's clock knows its own moment."""
    younger = await two_as_one(town, number, rows)
    merged_at = town.clock.now()
    for words, state in (("Назовите срок.", "returned"), (None, "withdrawn")):
        mine, also = await answer_both(town, number, "Разберёмся.")
        assert len(also) == 1
        if words is None:
            async with town.web.write(operator_id=town.operator.operator_id) as session:
                await outcomes.decide_reply(session, town.operator, reply_id=mine, decision="withdraw", now=town.clock.now())
        else:
            await decide(town, mine, town.coordinator, words=words)
        found = await rows("SELECT id, state FROM reply ORDER BY id DESC LIMIT 2")
        assert [tuple(row) for row in found] == [(also[0], state), (mine, state)]
    town.pass_time(600)
    handed_in = town.clock.now()
    mine, (also_id,) = await answer_both(town, number, "Засыпем завтра.")
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        with pytest.raises(ConflictError):  # they stay one matter while the answer waits
            await merging.unmerge(session, town.operator, number=younger, seen_version=None, now=town.clock.now())
    assert await town.outbound().send_due() == 0
    town.pass_time(600)
    await decide(town, mine, town.coordinator)
    assert await town.outbound().send_due() == 2
    assert [answer.text for answer in town.world.answers] == ["Засыпем завтра."] * 2
    found = await rows(
        "SELECT a.number, a.status, a.answered_at, r.created_at, r.published_at, r.approved_by, t.outcome, t.stopped_at FROM appeal a"
        " JOIN reply r ON r.appeal_id = a.id AND r.state = 'sent' JOIN sla_timer t ON t.appeal_id = a.id AND t.promise = 'first_answer'"
        " ORDER BY a.id"
    )
    one, other = found
    assert {row.created_at for row in found} == {handed_in}, "what the agency's own clock stops at"
    assert {row.approved_by for row in found} == {town.coordinator.operator_id}
    assert (one.number, one.status, one.answered_at, one.outcome, one.stopped_at) == (
        number, "answered", one.published_at, "met", one.published_at,
    )  # fmt: skip
    assert (other.number, other.answered_at, other.outcome, other.stopped_at) == (younger, other.published_at, "cancelled", merged_at)
    told = await rows("SELECT data FROM appeal_event WHERE act = 'reply_approved'")
    assert [row.data for row in told] == [{"reply": mine, "also": [also_id]}]


@pytest.mark.parametrize("supervises", [False, True])
async def test_a_merged_draft_out_of_its_approvers_reach_is_approved_by_itself(
    town: Town, number: int, rows: Rows, *, supervises: bool
) -> None:
    """A coordinator of the older appeal's territory may not see the younger one, or may only see it: it waits for somebody who decides."""
    younger = await two_as_one(town, number, rows)
    async with town.owner.write() as session:
        elsewhere = (await make_territory(session, name="Соседний район")).id
        await session.execute(text("UPDATE appeal SET territory_id = :at WHERE number = :number"), {"at": elsewhere, "number": younger})
    mine, (also_id,) = await answer_both(town, number, "Засыпем завтра.")
    coordinator = town.coordinator
    if supervises:
        async with town.owner.write() as session:
            await grant(session, operator=await session.get_one(Operator, coordinator.operator_id), role=Role.SUPERVISOR)
            seeing = await access_of_operator(session, operator_id=coordinator.operator_id)
        assert seeing is not None
        coordinator = seeing
    await decide(town, mine, coordinator)
    assert [row.state for row in await rows("SELECT state FROM reply ORDER BY id")] == ["queued", "awaiting"]
    async with town.owner.write() as session:
        chief = await make_operator(session, role=Role.COORDINATOR)
    async with town.web.read() as session:
        access = await access_of_operator(session, operator_id=chief.id)
    assert access is not None
    await decide(town, also_id, access)
    assert await town.outbound().send_due() == 2
