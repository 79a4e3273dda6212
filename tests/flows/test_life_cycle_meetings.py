"""Who waits for whom: acts that meet at one appeal, and what each of them finds."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from app.appeals import service as appeals
from app.appeals.answers import lock_appeal
from app.appeals.office import OfficeKeeper
from app.appeals.rules import CloseReason
from app.kernel.errors import ConflictError
from app.people.rules import Permission
from app.replies import service as replies
from app.replies.seen import Seen, record_seen
from app.sla.rules import Promise
from tests.flows.conftest import AGAIN, PIT, Town, asked, post_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


async def _until_somebody_waits(rows: Rows) -> None:
    for _ in range(200):
        if await rows("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"):
            return
        await asyncio.sleep(0.02)
    pytest.fail("nobody waits")


async def test_an_operator_answers_while_the_citizens_edit_is_being_stored(town: Town, rows: Rows) -> None:
    """The edit holds the comment and waits for the appeal; the answer holds the appeal and hangs on the comment."""
    comment = await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    town.pass_time(31)
    town.world.edit_comment(comment, PIT + " И бордюр!")
    town.world.write_comment(post_of(town), "Хорошо!", author="Вера")
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await session.connection()
        held = await appeals.hold(session, town.operator, number=appeal.number, permission=Permission.APPEAL_WORK)
        storing = asyncio.create_task(town.poller().round())
        await _until_somebody_waits(rows)
        await replies.queue(
            session, appeal_id=held.id, comment_id=held.comment_id or 0, comment_revision=1, cycle=1, operator_id=town.operator.operator_id,
            agency_id=held.agency_id, words="Засыпем завтра.", now=town.clock.now(),
        )  # fmt: skip
    assert await storing
    assert [row.revision for row in await rows("SELECT revision FROM comment WHERE id = 1")] == [2]


async def test_an_answer_is_settled_while_it_is_being_read(town: Town, rows: Rows) -> None:
    """The reading holds the appeal and looks at its answers; the sender takes the appeal first, too."""
    await asked(town)
    (appeal,) = await rows("SELECT id, number FROM appeal")
    await town.answer(appeal.number, "Засыпем завтра.")
    async with town.worker.write() as session:
        await lock_appeal(session, appeal.id)
        sending = asyncio.create_task(town.outbound().send_due())
        await _until_somebody_waits(rows)
        answer = town.world.answers[0]
        recorded = await record_seen(
            session,
            Seen(
                appeal_id=appeal.id, comment_id=1, comment_revision=1, cycle=1, agency_id=town.agency_id, external_id=answer.external_id,
                text=answer.text, link="", published_at=answer.published_at,
            ),
        )  # fmt: skip
        assert recorded is not None
        assert not recorded.by_hand
    assert await sending == 1
    assert [(row.state, row.external_id) for row in await rows("SELECT state, external_id FROM reply")] == [("sent", answer.external_id)]


async def test_an_appeal_is_not_reopened_beside_a_newer_one_that_is_out_of_sight(town: Town, rows: Rows) -> None:
    """The author's newer appeal in the thread was handed to another agency: a conflict that says so."""
    first = await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    now = town.clock.now()
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await appeals.close(session, town.operator, number=appeal.number, reason=CloseReason.CANNOT_REPLY, seen_version=None, now=now)
    town.pass_time(11 * 86_400)
    town.world.write_comment(post_of(town), AGAIN, author="Олег", reply_to=first)
    await town.bring_in()
    _, newer = await rows("SELECT number FROM appeal ORDER BY id")
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await appeals.route(
            session, town.operator, number=newer.number, agency_id=town.other_agency_id, territory_id=None, seen_version=None,
            now=town.clock.now(),
        )  # fmt: skip
    office = await OfficeKeeper(town.web, town.clock).get()

    def plan(held: appeals.Held) -> Any:
        matter = office.matter(topic_id=None, agency_id=held.agency_id, territory_id=held.territory_id, platform=held.platform)
        return office.book.plan(matter, town.clock.now(), promises=(Promise.FIRST_ANSWER,))

    with pytest.raises(ConflictError, match="newer"):
        async with town.web.write(operator_id=town.operator.operator_id) as session:
            await appeals.reopen(session, town.operator, number=appeal.number, plan=plan, seen_version=None, now=town.clock.now())
    assert [row.status for row in await rows("SELECT status FROM appeal ORDER BY id")] == ["closed", "new"]
