"""Any life of appeals: citizens, page, operators, clock, faults and crashes in any order; the laws hold after each step."""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from app.appeals import amending, approval, clock as clocks, merging, outcomes, service as appeals
from app.appeals.desk import decide_comment
from app.appeals.office import OfficeKeeper
from app.appeals.reapply import apply_everywhere
from app.appeals.rules import CloseReason, DismissReason
from app.flows import deadlines, inbound
from app.flows.amending import Amending
from app.kernel.clock import FixedClock
from app.kernel.db import DatabaseRole
from app.kernel.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from app.replies.amending import Change
from app.replies.rules import AnswerKind
from app.reports.rules import Period
from app.reports.verify import verify
from app.sla.policy import Term
from app.sla.rules import PauseReason, Promise
from app.triage.rules import Kind
from connectors.contract import Attachment
from connectors.fake import FakeWorld, fake_plugin
from tests.databases import Databases, plain
from tests.factories import MORNING, make_policy
from tests.flows.life_cycle_laws import Laws
from tests.flows.life_cycle_town import FAULTS, Crash, Fuse, found_town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.engine import URL

    from app.kernel.db import WriteSession
    from app.people.rules import Access
    from tests.flows.life_cycle_town import LivingTown

pytestmark = [pytest.mark.flows, pytest.mark.timeout(1800 if os.environ.get("OTKLIK_TEST_LIVES") else 300)]  # noqa: TID251

AUTHORS = ("Олег", "Олег", "Вера", None)
WORDS = (
    "Когда засыпят яму на дороге у дома 5 по улице Садовой?", "А яма на дороге так и стоит, когда почините?", "Спасибо большое!",
    "Тут всё непонятно как-то", "")  # fmt: skip
DEEDS = (
    *["write"] * 5, *["meddle answer"] * 2, "meddle edit", "meddle delete", *["fault"] * 2,
    *["work all"] * 4, "work read", "work triage", "work send", "work look_up", "work deadlines",
    "wait 1", "wait 30", "wait 264", "decide comment", *["decide answer"] * 2,
    *["act answer"] * 5, "act take", "act note", "act route", "act set_topic", "act dismiss", "act close", "act reopen",
    *["act edit"] * 2, *["act remove"] * 2, "work amend",
    "rule approval", "rule norm", *["act interim"] * 2, *["act pause"] * 2, "act resume", "act extend", *["act merge"] * 2, "act unmerge",
)  # fmt: skip
REFUSALS = (ConflictError, ForbiddenError, InvalidError, NotFoundError)
pick = st.integers(0, 99)
fuse = st.one_of(st.none(), st.none(), st.none(), st.integers(1, 40))


class Life(RuleBasedStateMachine):
    """`runner` and `databases` are set by the test: lives use them in turn."""

    runner: asyncio.Runner
    databases: Databases

    def __init__(self) -> None:
        super().__init__()
        self.handles = AsyncExitStack()
        self.fuse = Fuse()
        self.town: LivingTown
        self.laws: Laws
        self.answers = 0
        self.norms = 0

    def run(self, work: Awaitable[Any]) -> Any:
        async def waited() -> Any:
            return await work

        return self.runner.run(waited())

    def attempt(self, work: Awaitable[Any], blow: int | None) -> None:
        """The worker does something, and its process may die at the `blow`-th statement (or never)."""
        self.fuse.left = blow
        try:
            self.run(work)
        except Crash:
            self.town.pass_time(31)  # until its leases of feeds are over
        finally:
            self.fuse.left = None

    # --- begin and end ------------------------------------------------------------------------------------------------

    @initialize(style=st.sampled_from(["probing", "streaming"]), honours_guid=st.booleans(), can_look_up=st.booleans())
    def found(self, style: Any, *, honours_guid: bool, can_look_up: bool) -> None:
        """A town on an empty platform, with a first question that has been read."""
        clock = FixedClock(MORNING)
        self.world = FakeWorld(style=style, now=clock.now, poll_wait=0.0, honours_guid=honours_guid, can_look_up=can_look_up)
        self.run(self._found(clock))
        self.write(author="Олег", words=WORDS[0], where=0, thread=None)
        self.work(part="all", blow=None)

    async def _found(self, clock: FixedClock) -> None:
        url = await self.databases.shared()
        owner, worker, web = [
            await self.handles.enter_async_context(self.databases.acting(url, role, application="tests"))
            for role in (None, DatabaseRole.WORKER, DatabaseRole.WEB)
        ]
        self.town = await found_town(owner, worker, web, self.world, clock, self.fuse)
        self.laws = Laws(connection=await asyncpg.connect(plain(url)), world=self.world)
        self.post = self.world.write_post(self.town.page, "Ремонт улиц")

    def teardown(self) -> None:
        if not hasattr(self, "laws"):
            return
        try:
            self.world.faults.clear()
            self.run(self._rest())
        finally:
            self.run(self._leave())

    async def _rest(self) -> None:
        """All machines work until there is nothing left to do; then everything must be in its place."""
        town, keeper = self.town, OfficeKeeper(self.town.worker, self.town.clock)
        for _ in range(4):
            town.pass_time(7 * 3600)
            await town.poller().round()
            await inbound.open_all(town.worker, keeper, town.clock)
            while await town.outbound().send_due() + await town.outbound().look_up_interrupted() + await self._amending().round():
                town.pass_time(901)
            await deadlines.run_due(town.worker, town.clock)
        await self.laws.rest()
        start = MORNING.date() - timedelta(days=1)
        period = Period(start=start, end=start + timedelta(days=365), tz="Europe/Moscow")
        assert (await verify(town.owner, period=period, now=town.clock.now())).differences == (), "the clocks are not what the history says"

    async def _leave(self) -> None:
        await self.laws.connection.close()
        await self.handles.aclose()

    @invariant()
    def laws_hold(self) -> None:
        if hasattr(self, "laws"):
            self.run(self.laws.hold())

    @rule(deed=st.sampled_from(DEEDS), one=pick, two=pick, words=st.sampled_from(WORDS), blow=fuse)
    def live(self, *, deed: str, one: int, two: int, words: str, blow: int | None) -> None:
        """One thing happens. A single rule, since hypothesis leaves out whole rules for the length of a life."""
        group, _, what = deed.partition(" ")
        deeds: dict[str, Callable[[], None]] = {
            "write": lambda: self.write(author=AUTHORS[one % len(AUTHORS)], words=words, where=two, thread=(0, 0, 1, None)[two % 4]),
            "meddle": lambda: self.meddle(where=one, deed=what, words=words),
            "fault": lambda: self.plan_fault(FAULTS[one % len(FAULTS)]),
            "work": lambda: self.work(part=what, blow=blow),
            "wait": lambda: self.town.pass_time(3600 * int(what)),
            "rule": lambda: self.change_norm(one) if what == "norm" else self.change_rule(),
            "act": lambda: self.act(which=one, who=two, act=what),
            "decide": lambda: self.decide(which=one, yes=bool(two % 2), judges=what == "answer"),
        }
        deeds[group]()

    # --- citizens, and the page's people on the platform itself -------------------------------------------------------

    def write(self, *, author: str | None, words: str, where: int, thread: int | None) -> None:
        """A comment, in a thread or beginning one; without words it is a picture."""
        self.town.pass_time(2)
        attachments = () if words else (Attachment(kind="photo", external_id="p"),)
        roots = sorted({one.root_external_id or "" for one in self.world.comments.values()}, key=int)
        parent = None
        if thread is not None and roots:
            living = [key for key, one in self.world.comments.items() if one.root_external_id == roots[thread % len(roots)]]
            parent = living[where % len(living)]
        self.world.write_comment(self.post, words, author=author, reply_to=parent, attachments=attachments)

    def meddle(self, *, where: int, deed: str, words: str) -> None:
        """The page answers on the platform itself; a citizen changes or deletes what they wrote."""
        self.town.pass_time(2)
        living = [key for key, one in self.world.comments.items() if not one.by_page]
        if not living:
            return
        comment = living[where % len(living)]
        if deed == "edit":
            self.world.edit_comment(comment, words)
        elif deed == "delete":
            self.world.delete_comment(comment)
        else:
            self.answers += 1
            self.world.write_comment(self.post, f"Уже едем, {self.answers}.", by_page=True, reply_to=comment)

    def plan_fault(self, fault: tuple[str, BaseException, Any]) -> None:
        verb, error, moment = fault
        if len(self.world.faults[verb]) < 3:
            self.world.fail(verb, error, moment=moment)

    # --- the worker ---------------------------------------------------------------------------------------------------

    def work(self, *, part: str, blow: int | None) -> None:
        """One part of the worker, or one after the other."""
        if part in {"all", "read"}:
            self.town.pass_time(31)
            self.attempt(self.town.poller().round(), blow)
        if part in {"all", "triage"}:
            keeper = OfficeKeeper(self.town.worker, self.town.clock)
            self.attempt(inbound.open_all(self.town.worker, keeper, self.town.clock), blow)
        if part in {"all", "send"}:
            self.town.pass_time(6)
            self.attempt(self.town.outbound().send_due(), blow)
        if part in {"all", "amend"}:
            self.attempt(self._amending().round(), blow)
        if part == "look_up":
            self.town.pass_time(91)
            self.attempt(self.town.outbound("w2").look_up_interrupted(), blow)
        if part in {"all", "deadlines"}:
            self.attempt(deadlines.run_due(self.town.worker, self.town.clock), blow)

    def _amending(self) -> Amending:
        town = self.town
        return Amending(town.worker, {town.platform: town.connector}, town.clock, worker="w1", time_scale=10_000)

    # --- people -------------------------------------------------------------------------------------------------------

    def _who(self, number: int) -> Access:
        return (self.town.operator, self.town.coordinator)[number % 2]

    def _act(self, act: Callable[[WriteSession], Awaitable[Any]], who: Access) -> None:
        async def work() -> None:
            async with self.town.web.write(operator_id=who.operator_id) as session:
                await act(session)

        self.town.pass_time(1)
        try:
            self.run(work())
        except REFUSALS:
            return

    def _one(self, sql: str, number: int) -> Any | None:
        rows = self.run(self.laws.connection.fetch(sql))
        return rows[number % len(rows)] if rows else None

    def act(self, *, which: int, who: int, act: str) -> None:
        """An operator or the coordinator does something with an appeal; what is refused changes nothing."""
        appeal = self._one("SELECT number, agency_id FROM appeal ORDER BY id", which)
        if appeal is None:
            return
        if act in {"edit", "remove"}:
            self.amend(which=which, who=who, change=Change.EDIT if act == "edit" else Change.DELETE)
            return
        access, now, number = self._who(who), self.town.clock.now() + timedelta(seconds=1), appeal["number"]
        other = self.town.other_agency_id if appeal["agency_id"] == self.town.agency_id else self.town.agency_id
        twin = self._one("SELECT number FROM appeal ORDER BY id DESC", who) or appeal
        self.answers += 1
        words = f"Засыпем завтра, {self.answers}."
        acts: dict[str, Callable[[WriteSession], Awaitable[Any]]] = {
            "take": lambda session: appeals.take(session, access, number=number, now=now),
            "note": lambda session: appeals.note(session, access, number=number, words="Звонил.", now=now),
            "route": lambda session: appeals.route(
                session, access, number=number, agency_id=other, territory_id=None, seen_version=None, now=now
            ),
            "set_topic": lambda session: appeals.set_topic(session, access, number=number, topic_id=1, now=now),
            "dismiss": lambda session: appeals.dismiss(
                session, access, number=number, reason=DismissReason.SPAM, seen_version=None, now=now
            ),
            "close": lambda session: appeals.close(
                session, access, number=number, reason=CloseReason.CANNOT_REPLY, seen_version=None, now=now
            ),
            "reopen": lambda session: appeals.reopen(session, access, number=number, plan=self._plan, seen_version=None, now=now),
            "answer": lambda session: appeals.answer(session, access, number=number, words=words, text_limits={}, now=now),
            "interim": lambda session: appeals.answer(
                session, access, number=number, words=words, text_limits={}, kind=AnswerKind.INTERIM, now=now
            ),
            "pause": lambda session: clocks.pause(
                session, access, number=number, reason=tuple(PauseReason)[who % 2], seen_version=None, now=now
            ),
            "resume": lambda session: clocks.resume(session, access, number=number, seen_version=None, now=now),
            "merge": lambda session: merging.merge(session, access, number=number, other=twin["number"], seen_version=None, now=now),
            "unmerge": lambda session: merging.unmerge(session, access, number=number, seen_version=None, now=now),
            "extend": lambda session: clocks.extend(
                session,
                access,
                number=number,
                promise=tuple(Promise)[1 + who % 3],
                amount=1 + who % 5,
                unit=("days", "hours")[which % 2],
                reason="Ждём асфальт.",
                seen_version=None,
                now=now,
            ),
        }
        self._act(acts[act], access)

    def amend(self, *, which: int, who: int, change: Change) -> None:
        """Other words for an answer that stands, or its removal."""
        reply = self._one("SELECT id FROM reply WHERE state = 'sent' AND NOT by_hand ORDER BY id", which)
        if reply is None:
            return
        access, now = self._who(who), self.town.clock.now() + timedelta(seconds=1)
        self.answers += 1
        words = f"Засыпем позже, {self.answers}." if change is Change.EDIT else ""
        plugins = {self.town.platform: fake_plugin(self.world)}

        given: dict[str, Any] = {
            "reply_id": reply["id"],
            "change": change,
            "words": words,
            "reason": "Ошибка",
            "plugins": plugins,
            "now": now,
        }
        self._act(lambda session: amending.amend(session, access, **given), access)

    def _plan(self, held: appeals.Held) -> Any:
        office = self.town.office
        matter = office.matter(topic_id=held.topic_id, agency_id=held.agency_id, territory_id=held.territory_id, platform=held.platform)
        return office.book.plan(matter, self.town.clock.now())

    def decide(self, *, which: int, yes: bool, judges: bool) -> None:
        """The coordinator decides about a waiting comment, or about an answer in trouble."""
        comment = self._one("SELECT id FROM comment WHERE fate = 'in_triage' ORDER BY id", which)
        judged = "SELECT id, guid, state FROM reply WHERE state IN ('failed', 'uncertain', 'queued', 'awaiting') ORDER BY id"
        reply = self._one(judged, which)
        if reply is not None and (judges or comment is None):
            self._judge(reply, again=yes)
        elif comment is not None:
            kind, agency = (Kind.APPEAL, self.town.agency_id) if yes else (Kind.CHATTER, None)
            self._act(
                lambda session: decide_comment(
                    session, self.town.coordinator, self.town.office, comment_id=comment["id"], topic_id=None, agency_id=agency, kind=kind,
                    now=self.town.clock.now(),
                ),
                self.town.coordinator,
            )  # fmt: skip

    def change_rule(self) -> None:
        """From now on the agency's answers are approved by another person first, or no more."""
        change = "UPDATE agency SET approval_required = NOT approval_required WHERE id = $1"
        self.run(self.laws.connection.execute(change, self.town.agency_id))

    def change_norm(self, number: int) -> None:
        """Another promise of a first answer for everybody, also for what waits already."""
        self.run(self._change_norm(1 + number % 40))

    async def _change_norm(self, hours: int) -> None:
        self.norms += 1
        async with self.town.owner.write() as session:
            term = Term(seconds=hours * 3600, working=bool(hours % 2))
            await make_policy(session, term=term, code="other", version=self.norms, agency_id=self.town.agency_id)
        await apply_everywhere(self.town.worker, self.town.clock, operator_id=self.town.coordinator.operator_id, territories=None)

    def _judge(self, reply: Any, *, again: bool) -> None:
        """A person looks at the platform and says what became of an answer in trouble; one still waiting may be withdrawn.

        One that awaits approval is approved by the coordinator, who may not approve their own, or returned.
        """
        if reply["state"] == "awaiting":
            self._act(lambda session: self._approve(session, reply["id"], yes=again), self.town.coordinator)
            return
        standing = {answer.guid: answer for answer in self.world.answers}.get(str(reply["guid"]))
        decision, at = ("resend" if again and reply["state"] != "queued" else "withdraw"), None
        if standing is not None:
            decision, at = "found", standing.published_at
        self._act(
            lambda session: outcomes.decide_reply(
                session, self.town.coordinator, reply_id=reply["id"], decision=decision, published_at=at, now=self.town.clock.now()
            ),
            self.town.coordinator,
        )

    async def _approve(self, session: WriteSession, reply_id: int, *, yes: bool) -> None:
        access, now = self.town.coordinator, self.town.clock.now()
        if yes:
            await approval.approve(session, access, reply_id=reply_id, seen_version=None, now=now)
        else:
            await approval.give_back(session, access, reply_id=reply_id, words="Короче.", seen_version=None, now=now)


def test_any_life_keeps_the_laws(cluster: URL, template: str) -> None:
    """Some hundred steps; hypothesis prints the steps of a life that breaks a law.

    The same lives each time, so that a change is judged by itself; OTKLIK_TEST_LIVES=200 lives as many new ones.
    """
    new_lives = int(os.environ.get("OTKLIK_TEST_LIVES", "0"))  # noqa: TID251 - of the tests, no setting of the program
    databases = Databases(cluster, template)
    with asyncio.Runner() as runner:
        try:
            run_state_machine_as_test(
                type("LifeHere", (Life,), {"runner": runner, "databases": databases}),
                settings=settings(
                    max_examples=new_lives or 12, derandomize=not new_lives, stateful_step_count=35, deadline=None,
                    phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
                ),
            )  # fmt: skip
        finally:
            runner.run(databases.close())
