"""A report as of a past moment is the report that was made at that moment, whatever was done since."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.appeals import answers, service as appeals
from app.appeals.models import Appeal
from app.appeals.rules import Act, CloseReason, DismissReason, Status, possible
from app.kernel.db import utc_now_of
from app.people.queries import access_of_operator
from app.people.rules import Role
from app.replies.rules import ReplyState
from app.reports.rules import Grouping, Period
from app.reports.service import response_times
from app.sla.rules import Promise
from app.sla.service import PlannedTimer
from tests import factories as make

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.directory.models import Agency, Topic
    from app.kernel.db import Database, ReadSession
    from app.people.rules import Access
    from app.reports.figures import ResponseTimes
    from app.sla.models import SlaPolicyVersion

GROUPINGS = (Grouping.AGENCY, Grouping.TOPIC, Grouping.OPERATOR, Grouping.PLATFORM)


def around(moment: datetime) -> Period:
    """A month before and a day after."""
    return Period(start=(moment - timedelta(days=30)).date(), end=(moment + timedelta(days=1)).date(), tz="UTC")


async def reports(
    session: ReadSession, *, period: Period, now: datetime, as_of: datetime | None
) -> list[ResponseTimes]:
    return [
        await response_times(session, access=None, period=period, group_by=group_by, now=now, as_of=as_of)
        for group_by in GROUPINGS
    ]


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
            comment = await make.make_comment(
                session, post=await make.make_post(session, page=page), written_at=written, recorded_at=now
            )
            appeal = await make.make_appeal(session, comment=comment, topic=topic, opened_at=now)
            await make.make_timer(session, appeal=appeal, policy=self.policy, recorded_at=now)

    async def step(self) -> None:
        """One act that can happen to one appeal now."""
        access = self.dice.choice(self.people)
        async with self.db.write(operator_id=access.operator_id) as session:
            now = await utc_now_of(session)
            rows = await session.execute(text("SELECT id, number, status, agency_id FROM appeal ORDER BY id"))
            appeal = self.dice.choice(rows.all())
            acts = sorted(
                possible(Status(appeal.status))
                & {
                    Act.TAKEN,
                    Act.ROUTED,
                    Act.TOPIC_SET,
                    Act.REPLY_QUEUED,
                    Act.ANSWERED_BY_HAND,
                    Act.DISMISSED,
                    Act.CLOSED,
                    Act.REOPENED,
                }
            )
            act = self.dice.choice(acts)
            earlier = now - timedelta(minutes=self.dice.uniform(0, 50))
            self.done.add(act)
            if act is Act.TAKEN:
                await appeals.take(session, access, number=appeal.number, now=now)
            elif act is Act.ROUTED:
                other = self.dice.choice([one for one in self.agencies if one.id != appeal.agency_id])
                await appeals.route(
                    session,
                    access,
                    number=appeal.number,
                    agency_id=other.id,
                    territory_id=None,
                    seen_version=None,
                    now=now,
                )
            elif act is Act.TOPIC_SET:
                await appeals.set_topic(
                    session, access, number=appeal.number, topic_id=self.dice.choice(self.topics).id, now=now
                )
            elif act is Act.REPLY_QUEUED:
                reply_id = await appeals.answer(
                    session, access, number=appeal.number, words="Починим.", text_limits={}, now=now
                )
                await session.execute(
                    text("UPDATE reply SET state = 'sent', published_at = :at WHERE id = :id"),
                    {"at": earlier, "id": reply_id},
                )
                await answers.record_answer(
                    session, appeal_id=appeal.id, act=Act.REPLY_SENT, reply_id=reply_id, published_at=earlier,
                    operator_id=access.operator_id, now=now,
                )  # fmt: skip
            elif act is Act.ANSWERED_BY_HAND:
                row = await session.get_one(Appeal, appeal.id)
                reply = await make.make_reply(
                    session, appeal=row, by_hand=True, state=ReplyState.SENT, published_at=earlier
                )
                await answers.record_answer(
                    session,
                    appeal_id=appeal.id,
                    act=act,
                    reply_id=reply.id,
                    published_at=earlier,
                    operator_id=None,
                    now=now,
                )
            elif act is Act.DISMISSED:
                await appeals.dismiss(
                    session, access, number=appeal.number, reason=DismissReason.SPAM, seen_version=None, now=now
                )
            elif act is Act.CLOSED:
                await appeals.close(
                    session, access, number=appeal.number, reason=CloseReason.CANNOT_REPLY, seen_version=None, now=now
                )
            else:
                await appeals.reopen(
                    session, access, number=appeal.number, plan=lambda _: self._plan(now), seen_version=None, now=now
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


@pytest.mark.timeout(60)
async def test_the_past_stays_as_it_was_reported(owner_db: Database) -> None:
    seed = random.randrange(10**6)  # noqa: S311 - a test's dice
    office = Office(owner_db, random.Random(seed))  # noqa: S311 - a test's dice
    await office.open(10)
    told: list[tuple[datetime, list[ResponseTimes]]] = []
    async with owner_db.read() as session:
        period = around(await utc_now_of(session))
    for _ in range(45):
        await office.step()
        async with owner_db.read() as session:
            moment = await utc_now_of(session)
            told.append((moment, await reports(session, period=period, now=moment, as_of=None)))
    changes = 0
    async with owner_db.read() as session:
        end = await utc_now_of(session)
        for moment, then in told:
            again = await reports(session, period=period, now=end, as_of=moment)
            for before, after in zip(then, again, strict=True):
                assert (after.rows, after.total) == (before.rows, before.total), (
                    f"seed {seed}, as of {moment}, by {before.group_by}"
                )
            changes += then[0].total != told[-1][1][0].total
    assert changes > 10, f"seed {seed}: the walk did not change the figures"
    assert len(office.done) >= 5, f"seed {seed}: {office.done}"


async def test_an_answer_noticed_late_was_not_there_before(owner_db: Database) -> None:
    """Published at 12:00, heard of at 18:00: at 15:00 the appeal was waiting, and three hours older."""
    noon = datetime(2026, 11, 17, 12, 0, tzinfo=UTC)
    async with owner_db.write() as session:
        appeal = await make.make_taken_down_appeal(session, written_at=noon - timedelta(hours=2))
        await make.make_timer(session, appeal=appeal, stopped_at=noon)
        await make.make_event(
            session, appeal=appeal, act=Act.ANSWERED_BY_HAND, occurred_at=noon, recorded_at=noon + timedelta(hours=6)
        )
    period = Period(start=date(2026, 11, 17), end=date(2026, 11, 17), tz="UTC")
    now = noon + timedelta(days=2)
    async with owner_db.read() as session:
        early = (await reports(session, period=period, now=now, as_of=noon - timedelta(hours=3)))[0].total
        before = (await reports(session, period=period, now=now, as_of=noon + timedelta(hours=3)))[0].total
        after = (await reports(session, period=period, now=now, as_of=noon + timedelta(hours=6)))[0].total
    assert early.opened == 0, "not recorded yet"
    assert (before.waiting, before.answered, before.oldest_unanswered_age_s) == (1, 0, 5 * 3600)
    assert (after.waiting, after.answered, after.average_s) == (0, 1, 2 * 3600)
