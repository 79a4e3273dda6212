"""Interim answers, pauses and extensions in whole journeys; each name says which mistake of other systems it is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals import clock as clocks, service as appeals
from app.appeals.queries import card
from app.appeals.rules import CloseReason, DismissReason
from app.flows import deadlines
from app.kernel.errors import ConflictError, ForbiddenError, InvalidError
from app.replies.rules import AnswerKind
from app.reports.rules import Period
from app.reports.verify import verify
from app.sla.queries import calendars_of
from app.sla.rules import Pause, PauseReason, Promise
from app.sla.shares import Period as Held, shares
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]

# A Tuesday, 10:00 in Moscow; the office works 9 to 18 with a lunch hour.
TEN = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)


@pytest.fixture
def style() -> str:
    """How the platform tells its news does not matter here."""
    return "probing"


@pytest.fixture
async def number(town: Town, rows: Rows) -> int:
    """An appeal written at about ten in the morning."""
    post = town.world.write_post(town.page, "Ремонт улиц")
    town.world.write_comment(post, PIT, author="Олег")
    await town.bring_in()
    (appeal,) = await rows("SELECT number FROM appeal")
    return int(appeal.number)


async def act(town: Town, work: Any, *, coordinator: bool = False) -> None:
    """In the name of the operator, or of the coordinator."""
    access = town.coordinator if coordinator else town.operator
    async with town.web.write(operator_id=access.operator_id) as session:
        await work(session, access)


async def answer(town: Town, number: int, words: str, kind: AnswerKind = AnswerKind.FINAL) -> None:
    """Written and published."""
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await appeals.answer(
            session, town.operator, number=number, words=words, text_limits={}, kind=kind, now=town.clock.now()
        )  # fmt: skip
    assert await town.outbound().send_due() == 1


async def pause(town: Town, number: int, reason: PauseReason = PauseReason.WAITING_FOR_AUTHOR) -> None:
    """The operator stops the clock."""
    await act(
        town, lambda session, access: clocks.pause(session, access, number=number, reason=reason, seen_version=None, now=town.clock.now())
    )


async def resume(town: Town, number: int) -> None:
    """The operator lets it go on."""
    await act(town, lambda session, access: clocks.resume(session, access, number=number, seen_version=None, now=town.clock.now()))


async def extend(
    town: Town, number: int, amount: int, unit: str = "days", promise: Promise = Promise.FIRST_ANSWER, why: str = "Ждём"
) -> None:
    """The coordinator puts a deadline off."""
    await act(
        town,
        lambda session, access: clocks.extend(
            session, access, number=number, promise=promise, amount=amount, unit=unit, reason=why, seen_version=None, now=town.clock.now()
        ),
        coordinator=True,
    )


async def timer(rows: Rows, promise: str = "first_answer") -> Any:
    (found,) = await rows(f"SELECT * FROM sla_timer WHERE promise = '{promise}' ORDER BY id DESC LIMIT 1")  # noqa: S608 - a test
    return found


def found_id(rows: list[Any]) -> int:
    """Of the only appeal."""
    return int(rows[0].id)


async def assert_history_agrees(town: Town) -> None:
    """The clocks are what a recount from raw history says."""
    start = TEN.date() - timedelta(days=1)
    period = Period(start=start, end=start + timedelta(days=60), tz="Europe/Moscow")
    assert (await verify(town.owner, period=period, now=town.clock.now())).differences == ()


async def test_an_interim_answer_keeps_the_first_promise_and_starts_the_final_one(town: Town, rows: Rows, number: int) -> None:
    """One clock per obligation: another one never overrules the first answer's (zammad 5177)."""
    town.pass_time(3600)
    await answer(town, number, "Передали дорожникам.", AnswerKind.INTERIM)
    (published,) = [one.published_at for one in town.world.answers]
    first, final = await timer(rows), await timer(rows, "final_answer")
    assert (first.outcome, first.stopped_at) == ("met", published)
    assert (final.started_at, final.stopped_at) == (published, None)
    assert final.due_at == datetime(2026, 11, 26, 15, 0, tzinfo=UTC)  # seven working days after the 17th end on Thursday the 26th at 18:00
    (row,) = await rows("SELECT status, due_at, answered_at FROM appeal")
    assert (row.status, row.due_at, row.answered_at) == ("in_work", final.due_at, None)
    town.pass_time(60)
    await town.bring_in()  # our interim answer is read back: nothing is answered by hand by that
    assert (await timer(rows, "final_answer")).stopped_at is None

    town.pass_time(2 * 86_400)
    await answer(town, number, "Засыпали.")
    final = await timer(rows, "final_answer")
    assert (final.outcome, final.stopped_at) == ("met", town.world.answers[-1].published_at)
    assert (await timer(rows)).stopped_at == published
    assert [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")] == [
        "opened", "reply_queued", "interim_sent", "reply_queued", "reply_sent",
    ]  # fmt: skip
    await assert_history_agrees(town)


async def test_a_second_interim_answer_gives_no_more_time(town: Town, rows: Rows, number: int) -> None:
    await answer(town, number, "Передали.", AnswerKind.INTERIM)
    before = await timer(rows, "final_answer")
    town.pass_time(86_400)
    await answer(town, number, "Ещё работаем.", AnswerKind.INTERIM)
    assert await timer(rows, "final_answer") == before


async def test_without_a_norm_for_the_final_answer_there_is_no_interim_one(town: Town, rows: Rows, number: int) -> None:
    """Else it would take the appeal off every clock; nor does an obligation that nobody promised fail at once (frappe 1554)."""
    async with town.owner.write() as session:
        await session.execute(text("UPDATE sla_policy_version SET valid_until = now() - interval '10 years'"))
        await session.execute(
            text(
                "INSERT INTO sla_policy_version (code, version, name, promises, valid_from) VALUES "
                "('bare', 1, 'Только первый ответ', '{\"first_answer\": {\"seconds\": 3600, \"working\": false}}', '2015-01-01')"
            )
        )
    with pytest.raises(InvalidError, match="No norm says"):
        await answer(town, number, "Передали.", AnswerKind.INTERIM)
    assert await rows("SELECT 1 FROM sla_timer WHERE promise = 'final_answer'") == []


async def test_a_pause_moves_the_deadline_by_the_working_time_that_it_lasted(town: Town, rows: Rows, number: int) -> None:
    """Over the night and lunch nothing is added; held time is counted where it lay, not from the creation on (frappe 2449)."""
    before = (await timer(rows)).due_at
    assert before.replace(second=0) == datetime(2026, 11, 18, 8, 0, tzinfo=UTC)
    town.clock.moment = datetime(2026, 11, 17, 14, 0, tzinfo=UTC)  # 17:00
    await pause(town, number)
    town.clock.moment = datetime(2026, 11, 18, 7, 0, tzinfo=UTC)  # 10:00 next morning: an hour of the evening and one of the morning
    await resume(town, number)
    assert (await timer(rows)).due_at == before + timedelta(hours=2)  # 11:00 and two working hours: the beginning of lunch
    assert [row.due_at for row in await rows("SELECT due_at FROM appeal")] == [before + timedelta(hours=2)]
    (row,) = await rows("SELECT since, until, reason, operator_id FROM sla_pause")
    assert (row.reason, row.operator_id) == ("waiting_for_author", town.operator.operator_id)
    town.pass_time(60)
    await answer(town, number, "Засыпали.")
    stopped = await timer(rows)
    assert stopped.elapsed_seconds == round((stopped.stopped_at - stopped.started_at - (row.until - row.since)).total_seconds())
    await assert_history_agrees(town)


async def test_a_pause_of_before_the_news_counts_for_the_question_too(town: Town, rows: Rows, number: int) -> None:
    """Answered by hand and asked again on the platform; not knowing it, the operator paused; then both were read.

    The clock of the new question began before the pause: it stood still with the appeal, for an hour, in its deadline,
    its warnings and its time alike.
    """
    first = next(iter(town.world.comments))
    town.pass_time(600)
    town.world.write_comment(next(iter(town.world.posts)), "Уже едем.", by_page=True, reply_to=first)
    town.pass_time(600)
    again = town.world.write_comment(next(iter(town.world.posts)), "Так и не приехали, когда?", author="Олег", reply_to=first)
    asked_at = town.world.comments[again].written_at
    await pause(town, number, PauseReason.PLATFORM_DOWN)
    town.pass_time(3600)
    await resume(town, number)
    await town.bring_in()
    second = await timer(rows)
    assert (second.cycle, second.started_at) == (2, asked_at)
    # Nine hours from about 10:20, an hour of lunch and an hour of standing still: 18:00 and 3 h 20 min of the next morning.
    assert second.due_at == asked_at + timedelta(hours=24 + 2)
    assert [row.due_at for row in await rows("SELECT due_at FROM appeal")] == [second.due_at]
    assert datetime.fromisoformat(second.warnings[0]) == asked_at + timedelta(hours=4.5 + 1 + 1)
    await assert_history_agrees(town)
    town.pass_time(60)
    await answer(town, number, "Засыпали.")
    stopped = await timer(rows)
    assert stopped.elapsed_seconds == round((stopped.stopped_at - asked_at - timedelta(hours=1)).total_seconds())
    await assert_history_agrees(town)


async def test_a_standing_clock_neither_warns_nor_runs_out_nor_shows_as_overdue(town: Town, rows: Rows, number: int) -> None:
    """A paused matter was called failed before anybody asked whether it was paused, and kept its old deadline (frappe)."""
    await pause(town, number)
    town.pass_time(30 * 86_400)
    done = await deadlines.run_due(town.worker, town.clock)
    assert (done.warned, done.breached) == (0, 0)
    assert [row.due_at for row in await rows("SELECT due_at FROM appeal")] == [None]
    await resume(town, number)
    assert (await deadlines.run_due(town.worker, town.clock)).breached == 0
    (row,) = await rows("SELECT due_at FROM appeal")
    assert row.due_at > town.clock.now()


async def test_what_was_late_before_a_pause_stays_late(town: Town, rows: Rows, number: int) -> None:
    town.pass_time(3 * 86_400)
    before = await timer(rows)
    await pause(town, number)
    assert [row.due_at for row in await rows("SELECT due_at FROM appeal")] == [before.due_at]
    assert (await deadlines.run_due(town.worker, town.clock)).breached == 1
    town.pass_time(86_400)
    await resume(town, number)
    after = await timer(rows)
    assert (after.due_at, after.breached_at, after.warn_at) == (before.due_at, before.due_at, None)


async def test_the_citizen_ends_the_waiting_by_writing_at_their_own_time(town: Town, rows: Rows, number: int) -> None:
    await pause(town, number)
    town.pass_time(3600)
    root = next(iter(town.world.comments))
    town.world.write_comment(next(iter(town.world.posts)), "Яма у дома 5, корпус 2, на дороге", author="Олег", reply_to=root)
    wrote = town.world.comments[list(town.world.comments)[-1]].written_at
    town.pass_time(1800)  # and we notice half an hour later
    await town.bring_in()
    (row,) = await rows("SELECT until FROM sla_pause")
    assert row.until == wrote
    told = await rows("SELECT act, occurred_at FROM appeal_event WHERE act = 'resumed'")
    assert [(one.act, one.occurred_at) for one in told] == [("resumed", wrote)]
    assert [row.due_at for row in await rows("SELECT due_at FROM appeal")] == [(await timer(rows)).due_at]
    await assert_history_agrees(town)


async def test_a_pause_for_another_reason_does_not_end_by_a_comment(town: Town, rows: Rows, number: int) -> None:
    await pause(town, number, PauseReason.PLATFORM_DOWN)
    town.pass_time(3600)
    root = next(iter(town.world.comments))
    town.world.write_comment(next(iter(town.world.posts)), "Ну что там с дорогой?", author="Олег", reply_to=root)
    await town.bring_in()
    assert [row.until for row in await rows("SELECT until FROM sla_pause")] == [None]


@pytest.mark.parametrize("end", ["answer", "dismiss", "close"])
async def test_the_end_of_an_appeal_ends_its_pause_and_stops_every_clock(town: Town, rows: Rows, number: int, end: str) -> None:
    """Clocks that ran on after the end showed misses that were none (chatwoot 10178, 15024)."""
    await answer(town, number, "Передали.", AnswerKind.INTERIM)
    await pause(town, number)
    town.pass_time(600)
    if end == "answer":
        await answer(town, number, "Засыпали.")
    elif end == "dismiss":
        await act(
            town,
            lambda session, access: appeals.dismiss(
                session, access, number=number, reason=DismissReason.SPAM, seen_version=None, now=town.clock.now()
            ),
        )
    else:
        await act(
            town,
            lambda session, access: appeals.close(
                session, access, number=number, reason=CloseReason.CANNOT_REPLY, seen_version=None, now=town.clock.now()
            ),
        )
    assert await rows("SELECT 1 FROM sla_timer WHERE stopped_at IS NULL") == []
    assert await rows("SELECT 1 FROM sla_pause WHERE until IS NULL") == []
    outcome = {"answer": "met", "dismiss": "cancelled", "close": "unanswered"}[end]
    assert (await timer(rows, "final_answer")).outcome == outcome
    before = await timer(rows, "final_answer")
    town.pass_time(60 * 86_400)
    await deadlines.run_due(town.worker, town.clock)
    assert await timer(rows, "final_answer") == before
    with pytest.raises(ConflictError):
        await pause(town, number)


async def test_a_clock_stands_still_once(town: Town, number: int) -> None:
    with pytest.raises(ConflictError):
        await resume(town, number)
    await pause(town, number)
    with pytest.raises(ConflictError):
        await pause(town, number)


async def test_an_extension_is_a_coordinators_act_with_a_reason_and_keeps_the_deadline_before(town: Town, rows: Rows, number: int) -> None:
    before = await timer(rows)
    with pytest.raises(ForbiddenError):
        await act(
            town,
            lambda session, access: clocks.extend(
                session, access, number=number, promise=Promise.FIRST_ANSWER, amount=2, unit="days", reason="Ждём", seen_version=None,
                now=town.clock.now(),
            ),
        )  # fmt: skip
    for amount, unit, why, problem in (
        (2, "days", "  ", "Say why"),
        (0, "days", "Ждём", "whole number"),
        (2, "years", "Ждём", "whole number"),
    ):
        with pytest.raises(InvalidError, match=problem):
            await extend(town, number, amount, unit, why=why)
    await extend(town, number, 2, why="Ждём асфальт")
    after = await timer(rows)
    assert after.due_at == datetime(2026, 11, 20, 15, 0, tzinfo=UTC)  # the end of Friday: two working days after Wednesday
    (row,) = await rows("SELECT * FROM sla_extension")
    assert (row.due_before, row.due_after, row.reason, row.operator_id) == (
        before.due_at, after.due_at, "Ждём асфальт", town.coordinator.operator_id,
    )  # fmt: skip
    assert all(datetime.fromisoformat(one) < after.due_at for one in after.warnings)
    assert after.warn_at > before.warn_at
    (told,) = await rows("SELECT data FROM appeal_event WHERE act = 'extended'")
    assert datetime.fromisoformat(told.data["due_before"]) == before.due_at
    assert "асфальт" not in str(told.data)
    town.clock.moment = after.due_at - timedelta(minutes=5)
    await answer(town, number, "Засыпали.")
    assert (await timer(rows)).outcome == "met"
    await assert_history_agrees(town)


async def test_what_is_late_cannot_be_put_off_into_time(town: Town, number: int) -> None:
    town.pass_time(3 * 86_400)
    with pytest.raises(ConflictError, match="has passed"):
        await extend(town, number, 5)


async def test_each_agency_has_its_share_of_the_time_and_the_citizens_clock_goes_on(town: Town, rows: Rows, number: int) -> None:
    """Blame follows who held the appeal: two first-answer clocks stand side by side («Инцидент», from the last assignment)."""
    started = (await timer(rows)).started_at
    town.pass_time(2 * 3600)
    await act(
        town,
        lambda session, access: appeals.route(
            session, access, number=number, agency_id=town.other_agency_id, territory_id=None, seen_version=None, now=town.clock.now()
        ),
    )
    assert (await timer(rows)).started_at == started
    async with town.owner.write() as owner:  # the database handed it on by its own clock, which is ahead of the town's
        moved = {"now": town.clock.now(), "appeal": found_id(await rows("SELECT id FROM appeal"))}
        for column in ("until", "since"):
            await owner.execute(
                text(f"UPDATE appeal_assignment SET {column} = :now WHERE appeal_id = :appeal AND {column} > :now"),  # noqa: S608
                moved,
            )
    town.pass_time(3 * 3600)
    async with town.web.read(operator_id=town.coordinator.operator_id) as session:
        found = await card(session, town.coordinator, number)
        calendars = await calendars_of(session, [found.timers[0].calendar_version_id] if found else [])
    assert found is not None
    (calendar,) = calendars.values()
    now = town.clock.now()
    parts = shares(
        [Held(one.agency_id, one.since, one.until) for one in found.assignments],
        started_at=started, ended_at=now, pauses=[Pause(one.since, one.until) for one in found.pauses], calendar=calendar,
    )  # fmt: skip
    assert [part.agency_id for part in parts] == [None, town.agency_id, town.other_agency_id]
    assert sum((part.plain for part in parts), timedelta(0)) == now - started
    theirs = parts[2]
    assert timedelta(hours=2, minutes=59) < theirs.plain <= timedelta(hours=3, seconds=5)
    assert theirs.working is not None
    assert theirs.working < theirs.plain  # lunch lay in it
