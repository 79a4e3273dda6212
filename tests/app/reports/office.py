"""An office at work: random acts on random appeals, done by the program's own services."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals import answers, approval, history, service as appeals
from app.appeals.models import Appeal
from app.appeals.rules import Act, CloseReason, DismissReason, Status, possible
from app.kernel.db import utc_now_of
from app.kernel.errors import ConflictError
from app.people.queries import access_of_operator
from app.people.rules import Role
from app.replies.rules import ReplyState
from app.replies.service import needs_approval
from app.sla.rules import Promise
from app.sla.service import PlannedTimer
from tests import factories as make

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from app.directory.models import Agency, Topic
    from app.kernel.db import Database, WriteSession
    from app.people.rules import Access
    from app.sla.models import SlaPolicyVersion


@dataclass(frozen=True, slots=True)
class _Turn:
    """An act under way: on which appeal, by whom, when, and when a platform says that it happened."""

    session: WriteSession
    access: Access
    appeal_id: int
    number: int
    agency_id: int
    now: datetime
    earlier: datetime


@dataclass
class Office:
    """Does at random what people and platforms do, by the program's own services."""

    db: Database
    dice: random.Random
    people: list[Access] = field(default_factory=list)
    agencies: list[Agency] = field(default_factory=list)
    topics: list[Topic] = field(default_factory=list)
    policy: SlaPolicyVersion | None = None
    done: set[str] = field(default_factory=set)

    async def open(self, count: int) -> None:
        async with self.db.write() as session:
            region = await make.make_territory(session)
            self.agencies = [await make.make_agency(session, territory=region, name=name) for name in ("А", "Б", "В")]
            self.topics = [await make.make_topic(session, name=name) for name in ("Дороги", "Дворы")]
            self.policy = await make.make_policy(session)
            self.agencies[-1].approval_required = True
            for name in ("Анна", "Борис"):
                person = await make.make_operator(session, role=Role.COORDINATOR, name=name)
                access = await access_of_operator(session, operator_id=person.id)
                assert access is not None
                self.people.append(access)
        for _ in range(count):
            await self._write()

    async def _write(self) -> None:
        async with self.db.write() as session:
            now = await utc_now_of(session)
            agency, topic = self.dice.choice(self.agencies), self.dice.choice([*self.topics, None])
            written = now - timedelta(hours=self.dice.uniform(1, 30))
            page = await make.make_page(session, agency=agency)
            comment = await make.make_comment(session, post=await make.make_post(session, page=page), written_at=written, recorded_at=now)
            appeal = await make.make_appeal(session, comment=comment, topic=topic, opened_at=now)
            await make.make_timer(session, appeal=appeal, policy=self.policy, recorded_at=now)

    async def step(self) -> None:
        """One act that can happen to one appeal now."""
        access = self.dice.choice(self.people)
        doable: dict[Act, Callable[[_Turn], Awaitable[object]]] = {
            Act.TAKEN: lambda turn: appeals.take(turn.session, access, number=turn.number, now=turn.now),
            Act.ROUTED: self._route,
            Act.TOPIC_SET: self._set_topic,
            Act.REPLY_QUEUED: self._answer,
            Act.REPLY_APPROVED: self._approve,
            Act.ANSWERED_BY_HAND: self._by_hand,
            Act.DISMISSED: lambda turn: appeals.dismiss(
                turn.session, access, number=turn.number, reason=DismissReason.SPAM, seen_version=None, now=turn.now
            ),
            Act.RATED: self._rate,
            Act.CLOSED: lambda turn: appeals.close(
                turn.session,
                access,
                number=turn.number,
                reason=CloseReason.CANNOT_REPLY,
                seen_version=None,
                now=turn.now,
            ),
            Act.REOPENED: lambda turn: appeals.reopen(
                turn.session,
                access,
                number=turn.number,
                plan=lambda _: self._plan(turn.now),
                seen_version=None,
                now=turn.now,
            ),
        }
        async with self.db.write(operator_id=access.operator_id) as session:
            now = await utc_now_of(session)
            rows = await session.execute(text("SELECT id, number, status, agency_id FROM appeal ORDER BY id"))
            appeal = self.dice.choice(rows.all())
            act = self.dice.choice(sorted(possible(Status(appeal.status)) & doable.keys()))
            earlier = now - timedelta(minutes=self.dice.uniform(0, 50))
            with suppress(ConflictError):  # an answer that awaits approval is not left behind: nothing was written yet
                await doable[act](_Turn(session, access, appeal.id, appeal.number, appeal.agency_id, now, earlier))
                self.done.add(act)

    async def _route(self, turn: _Turn) -> None:
        other = self.dice.choice([one for one in self.agencies if one.id != turn.agency_id])
        await appeals.route(
            turn.session,
            turn.access,
            number=turn.number,
            agency_id=other.id,
            territory_id=None,
            seen_version=None,
            now=turn.now,
        )

    async def _rate(self, turn: _Turn) -> None:
        """The citizen's own comment does it; what becomes of such a comment is tested where comments are taken in."""
        cycle = int(await turn.session.scalar(text("SELECT cycle FROM appeal WHERE id = :id"), {"id": turn.appeal_id}) or 0)
        data = {"comment": 1, "mark": self.dice.randint(1, 5)}
        event = history.Event(appeal_id=turn.appeal_id, act=Act.RATED, cycle=cycle, operator_id=None, occurred_at=turn.earlier, data=data)
        await history.record(turn.session, [event])

    async def _set_topic(self, turn: _Turn) -> None:
        topic = self.dice.choice(self.topics)
        await appeals.set_topic(turn.session, turn.access, number=turn.number, topic_id=topic.id, now=turn.now)

    async def _answer(self, turn: _Turn) -> None:
        """Queued, and at once settled as published some time ago; or handed in for approval."""
        reply_id = await appeals.answer(turn.session, turn.access, number=turn.number, words="Починим.", text_limits={}, now=turn.now)
        if not await needs_approval(turn.session, agency_id=turn.agency_id):
            await self._publish(turn, reply_id, turn.access.operator_id)

    async def _approve(self, turn: _Turn) -> None:
        """What another wrote is approved and published, or returned; there may be nothing to approve."""
        query = "SELECT id, operator_id FROM reply WHERE appeal_id = :id AND state = 'awaiting' AND operator_id <> :me ORDER BY id LIMIT 1"
        found = (await turn.session.execute(text(query), {"id": turn.appeal_id, "me": turn.access.operator_id})).one_or_none()
        if found is None:
            return
        asked = {"reply_id": found.id, "seen_version": None, "now": turn.now}
        if self.dice.random() < 0.3:
            await approval.give_back(turn.session, turn.access, words="Короче.", **asked)
            return
        await approval.approve(turn.session, turn.access, **asked)
        await self._publish(turn, found.id, found.operator_id)

    async def _publish(self, turn: _Turn, reply_id: int, operator_id: int) -> None:
        await turn.session.execute(
            text("UPDATE reply SET state = 'sent', published_at = :at WHERE id = :id"),
            {"at": turn.earlier, "id": reply_id},
        )
        await self._settle(turn, Act.REPLY_SENT, reply_id, operator_id)

    async def _by_hand(self, turn: _Turn) -> None:
        appeal = await turn.session.get_one(Appeal, turn.appeal_id)
        reply = await make.make_reply(turn.session, appeal=appeal, by_hand=True, state=ReplyState.SENT, published_at=turn.earlier)
        await self._settle(turn, Act.ANSWERED_BY_HAND, reply.id, None)

    async def _settle(self, turn: _Turn, act: Act, reply_id: int, operator_id: int | None) -> None:
        await answers.record_answer(
            turn.session,
            appeal_id=turn.appeal_id,
            act=act,
            reply_id=reply_id,
            published_at=turn.earlier,
            operator_id=operator_id,
            now=turn.now,
        )

    def _plan(self, now: datetime) -> Sequence[PlannedTimer]:
        assert self.policy is not None
        term = self.policy.promises[Promise.FIRST_ANSWER.value]
        return [
            PlannedTimer(
                promise=Promise.FIRST_ANSWER, policy_version_id=self.policy.id, calendar_version_id=None, choice={},
                term=term, started_at=now, due_at=now + timedelta(hours=9), warnings=(),
            )
        ]  # fmt: skip
