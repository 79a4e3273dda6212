"""The switch: nothing goes out while it is on, not even what a worker has claimed; all of it goes out after."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals import outcomes
from app.flows.outbound import Outbound
from app.kernel.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from app.people.queries import access_of_operator
from app.people.rules import Role
from app.replies import service as replies, stops
from app.replies.rules import Limits, parse_limits
from app.replies.stops import Subject
from tests.factories import make_agency, make_operator
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.people.rules import Access

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


@pytest.fixture
async def queued(town: Town, rows: Rows) -> int:
    """An answer in the outbox; the number of its appeal."""
    town.world.write_comment(town.world.write_post(town.page, "Дороги"), PIT)
    await town.bring_in()
    (appeal,) = await rows("SELECT number FROM appeal")
    await town.answer(appeal.number, "Засыпем завтра.")
    return int(appeal.number)


async def _person(town: Town, role: Role, **scope: int) -> Access:
    async with town.owner.write() as session:
        operator = await make_operator(session, role=role)
        for column, value in scope.items():
            await session.execute(
                text(f"UPDATE operator_role SET {column} = :id WHERE operator_id = :who"),  # noqa: S608 - a constant
                {"id": value, "who": operator.id},
            )
    async with town.web.read() as session:
        access = await access_of_operator(session, operator_id=operator.id)
    assert access is not None
    return access


async def _stop(town: Town, who: Access, subject: Subject, reason: str = "Чужие руки") -> int:
    async with town.web.write(operator_id=who.operator_id) as session:
        return await stops.stop(session, who, subject=subject, reason=reason, now=town.clock.now())


async def _release(town: Town, who: Access, stop_id: int) -> None:
    async with town.web.write(operator_id=who.operator_id) as session:
        await stops.release(session, who, stop_id=stop_id, now=town.clock.now())


async def _page_id(rows: Rows) -> int:
    (page,) = await rows("SELECT id FROM page")
    return int(page.id)


@pytest.mark.usefixtures("queued")
@pytest.mark.parametrize("kind", ["page", "agency", "agency above", "all"])
async def test_nothing_goes_out_while_it_is_stopped_and_all_of_it_after(town: Town, rows: Rows, kind: str) -> None:
    who, subject = town.coordinator, Subject(agency_id=town.agency_id)
    if kind == "page":
        subject = Subject(page_id=await _page_id(rows))
    elif kind == "agency above":
        async with town.owner.write() as session:
            await session.execute(
                text("UPDATE agency SET parent_id = :above WHERE id = :id"), {"above": town.other_agency_id, "id": town.agency_id}
            )
        subject = Subject(agency_id=town.other_agency_id)
    elif kind == "all":
        who, subject = await _person(town, Role.ADMINISTRATOR), Subject()
    stop_id = await _stop(town, who, subject)
    assert await town.outbound().send_due() == 0
    assert [tuple(row) for row in await rows("SELECT state, attempts FROM reply")] == [("queued", 0)]
    await _release(town, who, stop_id)
    assert await town.outbound().send_due() == 1
    assert len(town.world.answers) == 1
    audited = await rows("SELECT act, operator_id FROM audit_entry WHERE act LIKE 'publishing.%' ORDER BY id")
    assert [tuple(row) for row in audited] == [("publishing.stopped", who.operator_id), ("publishing.resumed", who.operator_id)]


@pytest.mark.usefixtures("queued")
async def test_another_agency_s_stop_holds_up_nobody_here(town: Town) -> None:
    await _stop(town, town.coordinator, Subject(agency_id=town.other_agency_id))
    assert await town.outbound().send_due() == 1


@pytest.mark.usefixtures("queued")
async def test_what_a_worker_has_claimed_goes_back_untouched(town: Town, rows: Rows) -> None:
    """Stopped between claim and send: asked once more right before, not sent, not counted as tried."""
    worker = town.outbound()
    claimed = await worker._claim(interrupted=False)
    stop_id = await _stop(town, town.coordinator, Subject(page_id=await _page_id(rows)))
    for one in claimed:
        await worker._take(one)
    assert town.world.sends == []
    assert [tuple(row) for row in await rows("SELECT state, attempts, first_tried_at, leased_by FROM reply")] == [("queued", 0, None, None)]
    await _release(town, town.coordinator, stop_id)
    assert await worker.send_due() == 1
    assert len(town.world.answers) == 1


@pytest.mark.usefixtures("queued")
async def test_a_claim_that_another_worker_took_over_is_not_sent(town: Town) -> None:
    slow = town.outbound("slow")
    (claimed,) = await slow._claim(interrupted=False)
    town.pass_time(100)
    async with town.worker.write() as session:
        (taken,) = await replies.OUTBOX.claim(
            session, worker="next", platforms=["fake"], now=town.clock.now(), lease=slow._lease, most=8, interrupted=True
        )
    assert taken.id == claimed.id
    await slow._take(claimed)
    assert town.world.sends == []


async def test_the_history_says_who_wrote_let_go_and_sent(town: Town, rows: Rows, queued: int) -> None:
    assert queued
    await town.outbound("worker-7").send_due()
    (event,) = await rows("SELECT operator_id, data FROM appeal_event WHERE act = 'reply_sent'")
    assert event.operator_id == town.operator.operator_id
    assert (event.data["approved_by"], event.data["sender"]) == (town.operator.operator_id, "worker-7")


async def test_a_runaway_waits_for_a_coordinator_and_nothing_is_lost(town: Town, rows: Rows, queued: int) -> None:
    """Held with its reason in the history; its author cannot let it go, the coordinator can."""
    await town.answer(queued, "И бордюр.")
    limits = Limits(author=parse_limits("1/day"))
    worker = Outbound(town.worker, {town.platform: town.connector}, town.clock, worker="w", time_scale=1, limits=limits)
    await worker.send_due()
    await worker.send_due()
    assert [tuple(row) for row in await rows("SELECT state, error_code, error_detail FROM reply ORDER BY id")] == [
        ("sent", None, None),
        ("held", "limit_author", "1/day"),
    ]
    (event,) = await rows("SELECT data FROM appeal_event WHERE act = 'reply_held'")
    assert event.data["code"] == "limit_author"
    (held,) = await rows("SELECT id FROM reply WHERE state = 'held'")
    with pytest.raises(ForbiddenError, match=r"publishing\.stop"):
        async with town.web.write(operator_id=town.operator.operator_id) as session:
            await outcomes.decide_reply(session, town.operator, reply_id=held.id, decision="resend", now=town.clock.now())
    async with town.web.write(operator_id=town.coordinator.operator_id) as session:
        await outcomes.decide_reply(session, town.coordinator, reply_id=held.id, decision="resend", now=town.clock.now())
    await worker.send_due()
    assert [row.state for row in await rows("SELECT state FROM reply ORDER BY id")] == ["sent", "sent"]
    (sent,) = await rows("SELECT operator_id, data FROM appeal_event WHERE act = 'reply_sent' ORDER BY id DESC LIMIT 1")
    assert (sent.operator_id, sent.data["approved_by"]) == (town.operator.operator_id, town.coordinator.operator_id)


async def test_who_may_stop_what(town: Town, rows: Rows, style: str) -> None:
    """In code and, should that be forgotten, in the database."""
    if style == "streaming":
        pytest.skip("the same for both")
    page = Subject(page_id=await _page_id(rows))
    async with town.owner.write() as session:
        elsewhere = await make_agency(session)
    supervisor, administrator = await _person(town, Role.SUPERVISOR), await _person(town, Role.ADMINISTRATOR)
    partly = await _person(town, Role.ADMINISTRATOR, agency_id=town.agency_id)
    far = await _person(town, Role.COORDINATOR, territory_id=elsewhere.territory_id)
    table = [
        (town.operator, page, False), (supervisor, page, False), (far, page, False), (partly, page, False),
        (town.coordinator, page, True), (town.coordinator, Subject(agency_id=town.other_agency_id), True),
        (town.coordinator, Subject(agency_id=elsewhere.id), False), (town.coordinator, Subject(), False),
        (administrator, page, True), (administrator, Subject(agency_id=elsewhere.id), True), (administrator, Subject(), True),
    ]  # fmt: skip
    for number, (who, subject, allowed) in enumerate(table):
        stop_id = None
        with contextlib.suppress(ForbiddenError):
            stop_id = await _stop(town, who, subject)
        assert (stop_id is not None) is allowed, number
        async with town.web.read(operator_id=who.operator_id) as session:
            named = {"page": subject.page_id, "agency": subject.agency_id}
            assert await session.scalar(text("SELECT otklik_may_stop(:page, :agency)"), named) is allowed, number
        if stop_id is not None:
            with pytest.raises(ConflictError):
                await _stop(town, who, subject)
            if subject.agency_id != elsewhere.id:
                with pytest.raises((ForbiddenError, NotFoundError)):
                    await _release(town, far, stop_id)
            await _release(town, who, stop_id)
            with pytest.raises(ConflictError):
                await _release(town, who, stop_id)


async def test_a_stop_is_told_to_whom_it_concerns(town: Town, rows: Rows, queued: int) -> None:
    """Those within, above and below, those with an appeal on the page, the administrator; nobody else."""
    assert queued
    async with town.owner.write() as session:
        below = await make_agency(session, parent=None)
        await session.execute(text("UPDATE agency SET parent_id = :a WHERE id = :b"), {"a": town.agency_id, "b": below.id})
        stranger = await make_agency(session)
    people = {
        "operator": town.operator, "coordinator": town.coordinator, "administrator": await _person(town, Role.ADMINISTRATOR),
        "below": await _person(town, Role.OPERATOR, agency_id=below.id), "supervisor": await _person(town, Role.SUPERVISOR),
        "other": await _person(town, Role.OPERATOR, agency_id=town.other_agency_id),
        "stranger": await _person(town, Role.COORDINATOR, territory_id=stranger.territory_id),
    }  # fmt: skip
    expected = {
        "page": {"operator", "coordinator", "administrator", "supervisor"},
        "agency": {"operator", "coordinator", "administrator", "supervisor", "below"},
        "all": set(people),
    }
    page_id = await _page_id(rows)
    subjects = {"page": Subject(page_id=page_id), "agency": Subject(agency_id=town.agency_id), "all": Subject()}
    for kind, subject in subjects.items():
        stop_id = await _stop(town, people["administrator"], subject)
        told = set()
        for name, who in people.items():
            async with town.web.read(operator_id=who.operator_id) as session:
                told |= {name} if await stops.standing_stops(session) else set()
        assert told == expected[kind], kind
        await _release(town, people["administrator"], stop_id)
    async with town.owner.write() as session:  # the appeal goes to another agency: its people are concerned by the page now
        await session.execute(text("UPDATE appeal SET agency_id = :id"), {"id": town.other_agency_id})
    await _stop(town, people["administrator"], subjects["page"])
    async with town.web.read(operator_id=people["other"].operator_id) as session:
        (seen,) = await stops.standing_stops(session)
    assert (seen.kind, seen.reason) == ("page", "Чужие руки")


async def test_a_stop_says_why_and_names_something(town: Town) -> None:
    for reason in ("", "  ", "х" * 501):
        with pytest.raises(InvalidError):
            await _stop(town, town.coordinator, Subject(agency_id=town.agency_id), reason)
    with pytest.raises(InvalidError):
        await _stop(town, town.coordinator, Subject(page_id=10**12))
