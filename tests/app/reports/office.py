"""An office at work: random acts on random appeals, done by the program's own services."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals import answers, approval, clock as clocks, history, merging, removal, service as appeals
from app.appeals.models import Appeal
from app.appeals.reapply import apply_norms
from app.appeals.records import stop_waiting
from app.appeals.reopening import load_promises
from app.appeals.rules import WAITING, Act, CloseReason, DismissReason, Status, possible
from app.kernel.db import utc_now_of
from app.kernel.errors import ConflictError
from app.people.queries import access_of_operator
from app.people.rules import Role
from app.replies.rules import AnswerKind, ReplyState
from app.replies.service import needs_approval
from app.sla.policy import Term
from app.sla.rules import PauseReason, Promise
from tests import factories as make

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from app.directory.models import Agency, Topic
    from app.kernel.db import Database, WriteSession
    from app.people.rules import Access
    from app.sla.models import SlaPolicyVersion


# Each appeal, and what it lacks for some acts.
_APPEALS = text(
    """
    SELECT a.id, a.number, a.status, a.agency_id, array_remove(ARRAY[
      CASE WHEN NOT EXISTS (SELECT FROM reply r WHERE r.appeal_id = a.id AND r.state = 'sent') THEN 'answer' END,
      CASE WHEN NOT EXISTS (SELECT FROM reply r WHERE r.appeal_id = a.id AND r.state = 'awaiting') THEN 'draft' END,
      CASE WHEN NOT EXISTS (SELECT FROM sla_pause p WHERE p.appeal_id = a.id AND p.until IS NULL) THEN 'pause' END,
      CASE WHEN a.merged_into IS NULL THEN 'older' END], NULL) AS lacks
    FROM appeal a ORDER BY a.id
    """
)
_NOT = {"answer": Act.REPLY_REMOVED, "draft": Act.REPLY_APPROVED, "pause": Act.RESUMED, "older": Act.UNMERGED}


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
    policies: list[SlaPolicyVersion] = field(default_factory=list)
    """All versions of the promise of a first answer."""
    done: set[str] = field(default_factory=set)

    async def open(self, count: int) -> None:
        async with self.db.write() as session:
            region = await make.make_territory(session)
            self.agencies = [await make.make_agency(session, territory=region, name=name) for name in ("А", "Б", "В")]
            self.topics = [await make.make_topic(session, name=name) for name in ("Дороги", "Дворы")]
            await make.make_calendar(session, territory=region)
            self.policies.append(await make.make_policy(session, code="first"))
            await make.make_policy(session, promise=Promise.FINAL_ANSWER, term=Term(days=7, working=True, after_interim=True))
            self.agencies[-1].approval_required = True
            for name in ("Анна", "Борис"):
                person = await make.make_operator(session, role=Role.COORDINATOR, name=name)
                access = await access_of_operator(session, operator_id=person.id)
                assert access is not None
                self.people.append(access)
        for _ in range(count):
            await self.write()

    async def write(self) -> None:
        """A citizen's matter comes in, with its clock."""
        async with self.db.write() as session:
            now = await utc_now_of(session)
            agency, topic = self.dice.choice(self.agencies), self.dice.choice([*self.topics, None])
            written = now - timedelta(hours=self.dice.uniform(1, 30))
            page = await make.make_page(session, agency=agency)
            comment = await make.make_comment(session, post=await make.make_post(session, page=page), written_at=written, recorded_at=now)
            appeal = await make.make_appeal(session, comment=comment, topic=topic, opened_at=now)
            await make.make_timer(session, appeal=appeal, policy=self.policies[0], recorded_at=now)

    async def step(self, only: Act | None = None) -> None:
        """One act that can happen to one appeal now; `only` this one, if it can happen at all."""
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
            Act.REOPENED: self._reopen,
            Act.PAUSED: self._pause,
            Act.RESUMED: self._resume,
            Act.EXTENDED: self._extend,
            Act.POLICY_APPLIED: self._apply,
            Act.INTERIM_SENT: self._interim,
            Act.REPLY_REMOVED: self._remove,
            Act.MERGED: self._merge,
            Act.UNMERGED: lambda turn: merging.unmerge(turn.session, access, number=turn.number, seen_version=None, now=turn.now),
        }
        async with self.db.write(operator_id=access.operator_id) as session:
            now = await utc_now_of(session)
            rows = (await session.execute(_APPEALS)).all()
            able = [(row, (possible(Status(row.status)) & doable.keys()) - {_NOT[name] for name in row.lacks}) for row in rows]
            able = [(row, acts) for row, acts in able if only is None or only in acts]
            if not able:
                return
            appeal, acts = self.dice.choice(able)
            act = only or self.dice.choice(sorted(acts))
            earlier = now - timedelta(minutes=self.dice.uniform(0, 50))
            with suppress(ConflictError):  # an answer that awaits approval is not left behind, say: nothing was written yet
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

    async def _reopen(self, turn: _Turn) -> None:
        promises = await load_promises(turn.session, now=turn.now)
        await appeals.reopen(
            turn.session, turn.access, number=turn.number, plan=lambda held: promises.plan(held, turn.now), seen_version=None, now=turn.now
        )

    async def _interim(self, turn: _Turn) -> None:
        """The real answer will follow; nothing of the kind where answers are approved first."""
        if await needs_approval(turn.session, agency_id=turn.agency_id):
            return
        kind = AnswerKind.INTERIM
        words = "Разбираемся."
        reply_id = await appeals.answer(turn.session, turn.access, number=turn.number, words=words, text_limits={}, kind=kind, now=turn.now)
        await self._publish(turn, reply_id, turn.access.operator_id)

    async def _remove(self, turn: _Turn) -> None:
        """An answer that stood is found to stand no more."""
        query = "SELECT id FROM reply WHERE appeal_id = :id AND state = 'sent' ORDER BY id DESC LIMIT 1"
        reply_id = await turn.session.scalar(text(query), {"id": turn.appeal_id})
        if reply_id is not None:
            told = removal.Told(operator_id=None, data={})
            await removal.record_removed(turn.session, appeal_id=turn.appeal_id, reply_id=reply_id, told=told, now=turn.now)

    async def _pause(self, turn: _Turn) -> None:
        reason = self.dice.choice((PauseReason.WAITING_FOR_AUTHOR, PauseReason.OTHER))
        await clocks.pause(turn.session, turn.access, number=turn.number, reason=reason, seen_version=None, now=turn.now)

    async def _resume(self, turn: _Turn) -> None:
        """Somebody lets it go on, or the citizen has written some time ago."""
        query = "SELECT since FROM sla_pause WHERE appeal_id = :id AND until IS NULL AND reason = 'waiting_for_author'"
        since = await turn.session.scalar(text(query), {"id": turn.appeal_id})
        if since is None or self.dice.random() < 0.3:
            await clocks.resume(turn.session, turn.access, number=turn.number, seen_version=None, now=turn.now)
            return
        appeal = await turn.session.get_one(Appeal, turn.appeal_id)
        at = since + (turn.now - since) * self.dice.random()
        await stop_waiting(turn.session, [(turn.appeal_id, at, int(appeal.comment_id or 0))], {turn.appeal_id: appeal.cycle})

    async def _extend(self, turn: _Turn) -> None:
        await clocks.extend(
            turn.session, turn.access, number=turn.number, promise=self.dice.choice((Promise.FIRST_ANSWER, Promise.FINAL_ANSWER)),
            amount=self.dice.randint(1, 9), unit="hours", reason="Ждём асфальт.", seen_version=None, now=turn.now,
        )  # fmt: skip

    async def _apply(self, turn: _Turn) -> None:
        """Another norm, sometimes by other hours, for everything that waits."""
        term = Term(seconds=self.dice.choice((1, 4, 20, 40)) * 3600, working=self.dice.random() < 0.5)
        self.policies.append(await make.make_policy(turn.session, code="first", version=len(self.policies) + 1, term=term))
        promises = await load_promises(turn.session, now=turn.now)
        await apply_norms(turn.session, promises, operator_id=turn.access.operator_id, territories=None, after=0, now=turn.now)

    async def _merge(self, turn: _Turn) -> None:
        """With another of the same agency that waits, if there is one."""
        query = "SELECT number FROM appeal WHERE agency_id = :agency AND id <> :id AND status = ANY (:waiting) ORDER BY id"
        given = {"agency": turn.agency_id, "id": turn.appeal_id, "waiting": [one.value for one in WAITING]}
        others = (await turn.session.scalars(text(query), given)).all()
        if others:
            other = self.dice.choice(others)
            await merging.merge(turn.session, turn.access, number=turn.number, other=other, seen_version=None, now=turn.now)
