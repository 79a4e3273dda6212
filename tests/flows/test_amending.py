"""Answers that stand are changed and taken away: each once on the platform or before a person, and no clock is fooled by it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.appeals import amending, service as appeals
from app.appeals.rules import CloseReason
from app.flows import deadlines
from app.flows.amending import Amending, _standing
from app.kernel.errors import ConflictError, ForbiddenError, InvalidError
from app.notices import service as notices
from app.replies import amendments
from app.replies.amending import Change
from app.replies.outbox import NO_LIMITS
from app.replies.rules import Limits, parse_limits
from app.reports.lines import COLUMNS, lines_sql
from app.reports.rules import Period
from app.reports.verify import verify
from connectors.contract import OutcomeUnknown, Rejected, TryLater
from connectors.fake import fake_plugin
from tests.flows.conftest import Town, asked, post_of

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
async def reply_id(town: Town, rows: Rows) -> int:
    """An answer that stands; it was published a minute after the question was read."""
    await asked(town)
    return await answered(town, rows, "Засыпем завтра.")


async def answered(town: Town, rows: Rows, words: str) -> int:
    (appeal,) = await rows("SELECT number FROM appeal")
    reply = await town.answer(appeal.number, words)
    town.pass_time(60)
    assert await town.outbound().send_due() == 1
    return reply


async def amend(town: Town, reply_id: int, words: str | None, *, who: Access | None = None, reason: str = "Ошибка в сроке") -> int:
    """Ask for other words, or for the removal; the amendment's id."""
    who = who or town.operator
    change = Change.DELETE if words is None else Change.EDIT
    async with town.web.write(operator_id=who.operator_id) as session:
        _, amendment_id = await amending.amend(
            session, who, reply_id=reply_id, change=change, words=words or "", reason=reason,
            plugins={town.platform: fake_plugin(town.world)}, now=town.clock.now(),
        )  # fmt: skip
    return amendment_id


def worker(town: Town, name: str = "w1", limits: Limits = NO_LIMITS, time_scale: float = 10_000) -> Amending:
    return Amending(town.worker, {town.platform: town.connector}, town.clock, worker=name, time_scale=time_scale, limits=limits)


async def exact(town: Town) -> None:
    """`otklik reports verify` finds nothing."""
    day = town.clock.now().date()
    period = Period(start=day, end=day, tz="Europe/Moscow")
    found = await verify(town.owner, period=period, now=town.clock.now())
    assert found.differences == ()
    assert found.timers > 0


def standing(town: Town) -> list[str]:
    return [answer.text for answer in town.world.answers]


async def test_an_edit_moves_no_clock(town: Town, reply_id: int, rows: Rows) -> None:
    before = await rows("SELECT stopped_at, outcome, elapsed_seconds FROM sla_timer")
    town.pass_time(600)
    await amend(town, reply_id, "Засыпем до пятницы.")
    town.pass_time(60)
    assert await worker(town).round() == 1
    assert standing(town) == ["Засыпем до пятницы."]
    assert await rows("SELECT stopped_at, outcome, elapsed_seconds FROM sla_timer") == before
    (reply,) = await rows("SELECT text, state FROM reply")
    assert tuple(reply) == ("Засыпем до пятницы.", "sent")
    (done,) = await rows("SELECT text_before, reason, state FROM amendment")
    assert tuple(done) == ("Засыпем завтра.", "Ошибка в сроке", "done")
    *_, asked_for, edited = await rows("SELECT act, operator_id, data FROM appeal_event ORDER BY id")
    assert [asked_for.act, edited.act] == ["amendment_queued", "reply_edited"]
    assert edited.operator_id == town.operator.operator_id
    assert "пятниц" not in str(edited.data) + str(asked_for.data)
    await town.bring_in()  # the poll brings our own words back: nobody answered by hand
    assert len(await rows("SELECT id FROM reply")) == 1
    await exact(town)


async def test_an_answer_that_was_taken_away_stopped_no_clock(town: Town, reply_id: int, rows: Rows) -> None:
    """A dummy within the hour: the clock runs on since the citizen's time, and the next answer's moment counts."""
    (before,) = await rows("SELECT started_at, due_at FROM sla_timer")
    seen_at = town.clock.now()
    town.pass_time(600)
    await amend(town, reply_id, None, reason="Отписка")
    town.pass_time(60)
    await worker(town).round()
    assert standing(town) == []
    (timer,) = await rows("SELECT started_at, due_at, stopped_at, outcome, elapsed_seconds FROM sla_timer")
    assert tuple(timer) == (before.started_at, before.due_at, None, None, None)
    (appeal,) = await rows("SELECT status, due_at, answered_at FROM appeal")
    assert tuple(appeal) == ("in_work", before.due_at, None)
    assert [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")][-2:] == ["reply_removed", "unanswered"]
    await exact(town)
    town.pass_time(3 * 3600)
    await answered(town, rows, "Засыпали, проверьте.")
    second = town.world.answers[-1].published_at
    (timer,) = await rows("SELECT stopped_at, outcome FROM sla_timer")
    assert tuple(timer) == (second, "met")
    (appeal,) = await rows("SELECT status, answered_at FROM appeal")
    assert tuple(appeal) == ("answered", second)
    await exact(town)
    # What was known while the dummy stood stays known as it was.
    then, now = [await _line(town, at) for at in (seen_at + timedelta(seconds=1), None)]
    assert then["first_outcome"] == now["first_outcome"] == "met"
    assert then["first_stopped_at"] < now["first_stopped_at"] == second
    assert then["first_seconds"] < now["first_seconds"]
    assert then["agency_seconds"] < now["agency_seconds"]


async def _line(town: Town, as_of: datetime | None) -> dict[str, Any]:
    """The appeal's line as it is, or as it was known when the clock of the test showed that: the history is dated for it."""
    async with town.owner.write() as session:
        await session.execute(text("ALTER TABLE appeal_event DISABLE TRIGGER append_only"))
        for table in ("appeal_event", "sla_timer"):
            moment = "occurred_at" if table == "appeal_event" else "started_at"
            await session.execute(text(f"UPDATE {table} SET recorded_at = {moment}"))  # noqa: S608 - names of this file
        await session.execute(text("ALTER TABLE appeal_event ENABLE TRIGGER append_only"))
        statement = text(lines_sql("SELECT id AS appeal_id FROM appeal", as_of=as_of is not None))
        row = (await session.execute(statement, {} if as_of is None else {"as_of": as_of})).one()
    return dict(zip(COLUMNS, row, strict=True))


@pytest.mark.parametrize("ending", ["answered again", "closed"])
async def test_the_clock_stops_at_what_came_next(town: Town, reply_id: int, rows: Rows, ending: str) -> None:
    town.pass_time(1200)
    if ending == "closed":
        (appeal,) = await rows("SELECT number FROM appeal")
        async with town.web.write(operator_id=town.operator.operator_id) as session:
            await appeals.close(
                session, town.operator, number=appeal.number, reason=CloseReason.EXPLAINED, seen_version=None, now=town.clock.now()
            )
        expected = (town.clock.now(), "unanswered", "closed")
    else:
        await answered(town, rows, "Засыпали.")
        expected = (town.world.answers[-1].published_at, "met", "answered")
    town.pass_time(600)
    await amend(town, reply_id, None)
    await worker(town).round()
    (timer,) = await rows("SELECT t.stopped_at, t.outcome, a.status FROM sla_timer t JOIN appeal a ON a.id = t.appeal_id")
    assert tuple(timer) == expected
    await exact(town)


async def test_what_somebody_deletes_on_the_platform_counts_no_more(town: Town, reply_id: int, rows: Rows) -> None:
    await town.bring_in()
    (answer,) = town.world.answers
    town.world.delete_comment(answer.external_id)
    town.pass_time(600)
    await town.bring_in()
    (row,) = await rows("SELECT r.state, a.status, t.stopped_at FROM reply r JOIN appeal a ON true JOIN sla_timer t ON true")
    assert tuple(row) == ("removed", "in_work", None)
    with pytest.raises(ConflictError):
        await amend(town, reply_id, "Другое")
    await exact(town)


@pytest.mark.parametrize("words", ["Засыпем до пятницы.", None], ids=["edit", "delete"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("shows", [True, False], ids=["shows", "hides"])
async def test_an_unknown_outcome_ends_done_once(
    town: Town, reply_id: int, rows: Rows, words: str | None, moment: Any, *, shows: bool
) -> None:
    town.world.can_look_up = shows
    verb = "delete_answer" if words is None else "edit_answer"
    town.world.fail(verb, OutcomeUnknown("timeout"), moment=moment)
    await amend(town, reply_id, words)
    for _ in range(3):
        await worker(town).round()
        town.pass_time(60)
    assert standing(town) == ([] if words is None else [words])
    assert [row.state for row in await rows("SELECT state FROM amendment")] == ["done"]
    acts = [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")]
    assert acts.count("reply_removed" if words is None else "reply_edited") == 1
    if shows and moment == "after":
        assert town.world.calls[verb] == 1


async def test_what_stays_unknown_goes_to_a_person(town: Town, reply_id: int, rows: Rows) -> None:
    town.world.can_look_up = False
    town.world.fail("edit_answer", OutcomeUnknown("timeout"), times=6)
    amendment_id = await amend(town, reply_id, "Засыпем до пятницы.")
    for _ in range(8):
        await worker(town).round()
        town.pass_time(3600)
    assert [row.state for row in await rows("SELECT state FROM amendment")] == ["uncertain"]
    assert town.world.calls["edit_answer"] == 6
    with pytest.raises(ConflictError):
        await amend(town, reply_id, "Ещё раз")
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await amending.decide(session, town.operator, amendment_id=amendment_id, decision="again", now=town.clock.now())
    await worker(town).round()
    assert standing(town) == ["Засыпем до пятницы."]


@pytest.mark.parametrize("words", ["Засыпем до пятницы.", None], ids=["edit", "delete"])
async def test_killed_between_the_act_and_the_settling(town: Town, reply_id: int, rows: Rows, words: str | None) -> None:
    """The lease runs out, another worker finds it done: it is written down once, and done once."""
    await amend(town, reply_id, words)
    async with town.worker.write() as session:
        (claimed,) = await amendments.OUTBOX.claim(
            session, worker="dead", platforms=["fake"], now=town.clock.now(), lease=timedelta(seconds=90), most=8, interrupted=False,
            limits=NO_LIMITS, time_scale=1,
        )  # fmt: skip
    if words is None:
        await town.connector.delete_answer(_standing(claimed))  # type: ignore[attr-defined]
    else:
        await town.connector.edit_answer(_standing(claimed), words)  # type: ignore[attr-defined]
    assert await worker(town, "w2").round() == 0  # its lease still holds
    town.pass_time(91)
    assert await worker(town, "w2").round() == 1
    assert standing(town) == ([] if words is None else [words])
    assert town.world.calls["delete_answer" if words is None else "edit_answer"] == 1
    await worker(town, "dead")._done(claimed, ())  # it wakes and tells what it knows: nothing new
    acts = [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")]
    assert acts.count("reply_removed" if words is None else "reply_edited") == 1
    await exact(town)


async def test_refusals_limits_and_the_stop(town: Town, reply_id: int, rows: Rows) -> None:
    for refused in (" ", "Засыпем завтра."):
        with pytest.raises(InvalidError):
            await amend(town, reply_id, refused)
    with pytest.raises(InvalidError):
        await amend(town, reply_id, "Другое", reason=" ")
    town.world.fail("edit_answer", Rejected("too_late"))
    await amend(town, reply_id, "Поздно")
    await worker(town).round()
    assert [tuple(row) for row in await rows("SELECT state, error_code FROM amendment")] == [("failed", "too_late")]
    town.world.fail("edit_answer", TryLater("flood", after=timedelta(seconds=40)))
    await amend(town, reply_id, "Другое")  # the one that failed is left
    await worker(town).round()
    async with town.owner.write() as session:
        await session.execute(text("INSERT INTO publishing_stop (reason) VALUES ('Проверка')"))
    town.pass_time(60)
    assert await worker(town).round() == 0
    async with town.owner.write() as session:
        await session.execute(text("UPDATE publishing_stop SET released_at = now()"))
    assert await worker(town).round() == 1
    assert standing(town) == ["Другое"]
    held = await amend(town, reply_id, None)
    await worker(town, limits=Limits(author=parse_limits("1/day")), time_scale=1).round()
    assert [row.state for row in await rows("SELECT state FROM amendment ORDER BY id")] == ["withdrawn", "done", "held"]
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        with pytest.raises(ForbiddenError):  # whoever ran into a limit does not let themselves go on
            await amending.decide(session, town.operator, amendment_id=held, decision="again", now=town.clock.now())
    assert standing(town) == ["Другое"]


async def test_other_words_are_approved_again(town: Town, reply_id: int, rows: Rows) -> None:
    async with town.owner.write() as session:
        await session.execute(text("UPDATE agency SET approval_required = true WHERE id = :id"), {"id": town.agency_id})
    amendment_id = await amend(town, reply_id, "Засыпем до пятницы.")
    assert await worker(town).round() == 0
    own, other = town.operator, town.coordinator
    async with town.web.write(operator_id=own.operator_id) as session:
        with pytest.raises(ForbiddenError):
            await amending.approve(session, own, amendment_id=amendment_id, seen_version=None, now=town.clock.now())
        with pytest.raises(IntegrityError):  # past the code the database refuses
            await session.execute(text("UPDATE amendment SET state = 'queued', approved_by = operator_id"))
    async with town.web.write(operator_id=other.operator_id) as session:
        await amending.approve(session, other, amendment_id=amendment_id, seen_version=None, now=town.clock.now())
    assert await worker(town).round() == 1
    assert standing(town) == ["Засыпем до пятницы."]
    await amend(town, reply_id, None)  # words are taken away at once
    assert await worker(town).round() == 1
    assert standing(town) == []
    acts = [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")]
    assert acts[-6:] == ["amendment_submitted", "amendment_approved", "reply_edited", "amendment_queued", "reply_removed", "unanswered"]


async def test_no_fresh_clock_is_had_for_a_dummy(town: Town, reply_id: int, rows: Rows) -> None:
    """Reopened by a colleague, the first cycle would keep its dummy and the second begin anew: neither order is allowed."""
    (appeal,) = await rows("SELECT number FROM appeal")
    amendment_id = await amend(town, reply_id, None)
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        with pytest.raises(ConflictError):
            await appeals.reopen(session, town.operator, number=appeal.number, plan=lambda _: [], seen_version=None, now=town.clock.now())
        await amending.decide(session, town.operator, amendment_id=amendment_id, decision="withdraw", now=town.clock.now())
        await appeals.reopen(session, town.operator, number=appeal.number, plan=lambda _: [], seen_version=None, now=town.clock.now())
    with pytest.raises(ConflictError):
        await amend(town, reply_id, None)
    await amend(town, reply_id, "Засыпем до пятницы.")
    assert await worker(town).round() == 1


async def test_what_the_citizen_has_read_and_asked_about_again_still_counts(town: Town, reply_id: int, rows: Rows) -> None:
    (before,) = await rows("SELECT stopped_at, outcome FROM sla_timer")
    town.pass_time(2)  # what was written at the moment of the answer was not asked about it
    town.world.write_comment(post_of(town), "А когда? Яма всё ещё на дороге!", author="Олег", reply_to=next(iter(town.world.comments)))
    await town.bring_in()
    await amend(town, reply_id, None)
    assert await worker(town).round() == 1
    first, second = await rows("SELECT stopped_at, outcome FROM sla_timer ORDER BY cycle")
    assert (tuple(first), tuple(second)) == (tuple(before), (None, None))
    await exact(town)


@pytest.mark.parametrize("heard", ["late", "in time, but only now"])
async def test_a_deadline_that_no_answer_met_after_all_stands_before_people_again(town: Town, rows: Rows, heard: str) -> None:
    """Its notice was settled with the answer. Taken away, the answer had settled nothing: shown again, and still once in the history."""
    await asked(town)
    (timer,) = await rows("SELECT due_at FROM sla_timer")
    if heard != "late":
        town.clock.moment = timer.due_at - timedelta(minutes=1)
        town.world.write_comment(post_of(town), "Засыпем завтра.", by_page=True, reply_to=next(iter(town.world.comments)))
    town.clock.moment = timer.due_at + timedelta(minutes=1)
    await deadlines.run_due(town.worker, town.clock)
    if heard == "late":
        town.world.write_comment(post_of(town), "Засыпем завтра.", by_page=True, reply_to=next(iter(town.world.comments)))
    await town.bring_in()
    await _tidied(town)
    assert await rows("SELECT 1 FROM notice WHERE settled_at IS NULL") == []
    (answer,) = await rows("SELECT external_id FROM reply WHERE state = 'sent'")
    town.world.delete_comment(answer.external_id)
    town.pass_time(600)
    await town.bring_in()
    await deadlines.run_due(town.worker, town.clock)
    await _tidied(town)
    assert [row.kind for row in await rows("SELECT kind FROM notice WHERE settled_at IS NULL AND stage_at IS NOT NULL")] == ["sla_breach"]
    assert len(await rows("SELECT 1 FROM appeal_event WHERE act = 'sla_breached'")) == 1


async def _tidied(town: Town) -> None:
    async with town.worker.write() as session:
        await notices.tidy(session, now=town.clock.now())
