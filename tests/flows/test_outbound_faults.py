"""What can go wrong when an answer is published: it stands once on the platform, or as uncertain before a person."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.appeals import outcomes, service as appeals
from app.flows.outbound import Outbound
from app.kernel.errors import ConflictError
from app.replies import service as replies
from connectors.contract import AccessLost, OutcomeUnknown, Rejected, TryLater
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from connectors.contract import Connector, Outgoing, Sent, SentLookup

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


@dataclass(kw_only=True)
class Waiting:
    """A connector whose sending waits for its turn, as at a platform's limit, until the gate is open."""

    inner: Connector
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, outgoing: Outgoing) -> Sent:
        await self.gate.wait()
        return await self.inner.send(outgoing)

    async def find_sent(self, outgoing: Outgoing) -> SentLookup:
        return await self.inner.find_sent(outgoing)


@pytest.fixture
async def queued(town: Town, rows: Rows) -> int:
    """An answer in the outbox; the number of its appeal."""
    post = town.world.write_post(town.page, "Дороги")
    town.world.write_comment(post, PIT)
    await town.bring_in()
    (appeal,) = await rows("SELECT number FROM appeal")
    await town.answer(appeal.number, "Засыпем завтра.")
    return int(appeal.number)


async def _state(rows: Rows) -> tuple[str, str | None]:
    (reply,) = await rows("SELECT state, error_code FROM reply")
    return reply.state, reply.error_code


@pytest.mark.usefixtures("queued")
async def test_a_limit_is_waited_out(town: Town, rows: Rows) -> None:
    """TryLater: queued again, not before the platform's own pause."""
    town.world.fail("send", TryLater("flood", after=timedelta(seconds=40)))
    await town.outbound().send_due()
    assert await _state(rows) == ("queued", "flood")
    town.pass_time(39)
    assert await town.outbound().send_due() == 0
    town.pass_time(2)
    assert await town.outbound().send_due() == 1
    assert len(town.world.answers) == 1
    assert (await _state(rows))[0] == "sent"


@pytest.mark.parametrize("error", [Rejected("comments_closed"), AccessLost("captcha")])
@pytest.mark.usefixtures("queued")
async def test_a_refusal_goes_to_a_person_who_sends_again(town: Town, rows: Rows, error: Exception) -> None:
    """Failed with its code; once mended, the same answer goes out once."""
    town.world.fail("send", error)
    await town.outbound().send_due()
    state, code = await _state(rows)
    assert state == "failed"
    assert code in {"comments_closed", "captcha"}
    (reply,) = await rows("SELECT id FROM reply")
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await outcomes.decide_reply(session, town.operator, reply_id=reply.id, decision="resend", now=town.clock.now())
    await town.outbound().send_due()
    assert (await _state(rows))[0] == "sent"
    assert len(town.world.answers) == 1
    acts = [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")]
    assert acts == ["opened", "reply_queued", "reply_failed", "reply_queued", "reply_sent"]


@pytest.mark.usefixtures("queued")
async def test_a_time_out_after_the_act_is_found(town: Town, rows: Rows) -> None:
    """The platform did it and did not say so: looked up, found, sent once."""
    town.world.fail("send", OutcomeUnknown("timeout"), moment="after")
    await town.outbound().send_due()
    assert (await _state(rows))[0] == "sent"
    assert len(town.world.sends) == 1


@pytest.mark.usefixtures("queued")
async def test_a_time_out_before_the_act_is_sent_again(town: Town, rows: Rows) -> None:
    """The platform is sure that it is not there."""
    town.world.fail("send", OutcomeUnknown("timeout"), moment="before")
    await town.outbound().send_due()
    assert (await _state(rows))[0] == "queued"
    town.pass_time(30)
    await town.outbound().send_due()
    assert (await _state(rows))[0] == "sent"
    assert len(town.world.answers) == 1


@pytest.mark.usefixtures("queued")
async def test_what_nobody_can_tell_goes_to_a_person(town: Town, rows: Rows) -> None:
    """No history to look into: uncertain, never sent again by itself; the person finds it or sends it again."""
    town.world.can_look_up = False
    town.world.fail("send", OutcomeUnknown("timeout"), moment="after")
    await town.outbound().send_due()
    assert (await _state(rows))[0] == "uncertain"
    town.pass_time(3600)
    assert await town.outbound().send_due() == 0
    assert await town.outbound().look_up_interrupted() == 0
    (reply,) = await rows("SELECT id FROM reply")
    at = town.clock.now() - timedelta(minutes=59)
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await outcomes.decide_reply(session, town.operator, reply_id=reply.id, decision="found", published_at=at, now=town.clock.now())
    (timer,) = await rows("SELECT stopped_at FROM sla_timer")
    assert timer.stopped_at == at
    assert len(town.world.answers) == 1


@pytest.mark.usefixtures("queued")
async def test_an_uncertain_answer_is_settled_by_being_seen(town: Town, rows: Rows) -> None:
    """Polling brings the very words back: it was published, and is not counted as written by hand."""
    town.world.can_look_up = False
    town.world.fail("send", OutcomeUnknown("timeout"), moment="after")
    await town.outbound().send_due()
    assert (await _state(rows))[0] == "uncertain"
    await town.bring_in()
    (reply,) = await rows("SELECT state, by_hand, external_id, published_at FROM reply")
    assert (reply.state, reply.by_hand, reply.external_id) == ("sent", False, town.world.answers[0].external_id)
    (timer,) = await rows("SELECT stopped_at FROM sla_timer")
    assert timer.stopped_at == town.world.answers[0].published_at


@pytest.mark.usefixtures("queued")
async def test_a_sender_that_died_is_looked_up_by_another(town: Town, rows: Rows) -> None:
    """Killed between the act and the settling: the lease ends, the answer is found, nothing goes out twice."""
    now = town.clock.now()
    async with town.worker.write() as session:
        (claimed,) = await replies.OUTBOX.claim(session, worker="dead", platforms=["fake"], now=now, lease=timedelta(seconds=90), most=8)
    from app.flows.outbound import _outgoing  # noqa: PLC0415 - what the dead worker had sent

    await town.connector.send(_outgoing(claimed))
    assert await town.outbound("w2").look_up_interrupted() == 0  # its lease still holds
    town.pass_time(91)
    assert await town.outbound("w2").look_up_interrupted() == 1
    assert (await _state(rows))[0] == "sent"
    assert len(town.world.answers) == 1


@pytest.mark.usefixtures("queued")
async def test_a_sender_that_hears_late_still_says_what_it_knows(town: Town, rows: Rows) -> None:
    """Its lease ran out while it could not write down the outcome; whoever took over could not look: it is not left uncertain."""
    from app.flows.outbound import _outgoing  # noqa: PLC0415 - what the slow worker had sent

    town.world.can_look_up = False
    async with town.worker.write() as session:
        (claimed,) = await replies.OUTBOX.claim(
            session, worker="slow", platforms=["fake"], now=town.clock.now(), lease=timedelta(seconds=90), most=8
        )
    sent = await town.connector.send(_outgoing(claimed))
    town.pass_time(91)
    assert await town.outbound("w2").look_up_interrupted() == 1
    assert (await _state(rows))[0] == "uncertain"
    for _ in range(2):
        await town.outbound("slow")._done(claimed, sent)
    assert await _state(rows) == ("sent", None)
    assert [row.act for row in await rows("SELECT act FROM appeal_event WHERE act = 'reply_sent'")] == ["reply_sent"]
    assert [row.stopped_at for row in await rows("SELECT stopped_at FROM sla_timer")] == [sent.published_at]


@pytest.mark.usefixtures("queued")
async def test_two_workers_send_once(town: Town, rows: Rows) -> None:
    """Both wake up for the same answer."""
    sent = await asyncio.gather(*(town.outbound(f"w{number}").send_due() for number in range(4)))
    assert sum(sent) == 1
    assert len(town.world.sends) == 1
    assert (await _state(rows))[0] == "sent"


@pytest.mark.usefixtures("queued")
async def test_a_bug_of_a_connector_is_no_second_answer(town: Town, rows: Rows) -> None:
    """An exception that no contract knows, after the act."""
    town.world.fail("send", ZeroDivisionError("oops"), moment="after")
    await town.outbound().send_due()
    assert (await _state(rows))[0] == "sent"
    assert len(town.world.sends) == 1


async def test_an_answer_on_its_way_forbids_closing(town: Town, queued: int) -> None:
    """Else an answer could appear under a closed appeal."""
    from app.appeals.rules import CloseReason  # noqa: PLC0415

    with pytest.raises(ConflictError, match="on its way"):
        async with town.web.write(operator_id=town.operator.operator_id) as session:
            await appeals.close(
                session, town.operator, number=queued, reason=CloseReason.CANNOT_REPLY, seen_version=None, now=town.clock.now()
            )


@pytest.mark.usefixtures("queued")
async def test_a_sender_that_was_stopped_before_the_act_leaves_it_to_others(town: Town, rows: Rows) -> None:
    """It had leave to go, then its machine stood still past its lease; meanwhile another worker has published the answer."""
    town.world.honours_guid = False
    slow, other = town.outbound("slow"), town.outbound("w2")
    (claimed,) = await slow._claim(interrupted=False)
    assert await slow._may_go(claimed)
    town.pass_time(91)
    assert await other.look_up_interrupted() == 1  # Absent: it may go out once more
    town.pass_time(30)
    assert await other.send_due() == 1
    await slow._try(claimed)
    assert len(town.world.sends) == 1
    assert await _state(rows) == ("sent", None)


@pytest.mark.usefixtures("queued")
async def test_a_sender_that_waits_too_long_for_its_call_is_broken_off(town: Town, rows: Rows) -> None:
    """Its call would leave when another worker may have taken over: it is not made any more."""
    waiting: Any = Waiting(inner=town.connector)
    lease = timedelta(seconds=0.2)
    slow = Outbound(town.worker, {town.platform: waiting}, town.clock, worker="slow", time_scale=10_000, shortest_lease=lease)
    assert await slow.send_due() == 1
    waiting.gate.set()
    await asyncio.sleep(0)
    assert town.world.sends == []
    assert await _state(rows) == ("queued", "interrupted")
