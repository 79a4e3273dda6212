"""A comment comes in, an appeal is answered, the answer stands under the comment, the clock has stopped."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals import service as appeals
from app.appeals.desk import decide_comment
from app.appeals.intake import open_batch
from app.appeals.office import OfficeKeeper
from app.appeals.queries import card
from app.appeals.rules import CloseReason, DismissReason
from app.appeals.unheard import unheard
from app.flows import inbound
from app.kernel.errors import ConflictError, NotFoundError
from app.reports.rules import Period
from app.reports.verify import verify
from app.sources.queries import unseen_comments
from app.triage.rules import Kind
from connectors.contract import Attachment, Batch
from tests.flows.conftest import AGAIN, PIT, Town, asked, post_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.sources.queries import UnseenComment

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


async def test_a_question_is_answered_under_the_very_comment(town: Town, rows: Rows) -> None:
    """The whole way, and the figures that it leaves."""
    post = town.world.write_post(town.page, "Начали ремонт улицы Садовой")
    await town.bring_in()
    comment = town.world.write_comment(post, PIT)
    town.pass_time(60)
    await town.bring_in()
    (appeal,) = await rows("SELECT * FROM appeal")
    assert (appeal.status, appeal.agency_id) == ("new", town.agency_id)
    town.pass_time(3600)
    await town.answer(appeal.number, "Засыпем 20 ноября.")
    assert await town.outbound().send_due() == 1
    (answer,) = town.world.answers
    assert (answer.reply_to_external_id, answer.text) == (comment, "Засыпем 20 ноября.")
    (timer,) = await rows("SELECT * FROM sla_timer WHERE promise = 'first_answer'")
    assert timer.stopped_at == answer.published_at
    assert timer.started_at == town.world.comments[comment].written_at
    assert timer.outcome == "met"
    assert timer.elapsed_seconds == int((answer.published_at - timer.started_at).total_seconds())
    assert [row.status for row in await rows("SELECT status FROM appeal")] == ["answered"]
    # Our own answer comes back by polling: it is the page's own, and nothing else happens.
    await town.bring_in()
    assert [(row.state, row.by_hand) for row in await rows("SELECT state, by_hand FROM reply")] == [("sent", False)]
    assert [row.fate for row in await rows("SELECT fate FROM comment ORDER BY id")] == ["opened", "page_own"]
    acts = [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")]
    assert acts == ["opened", "reply_queued", "reply_sent"]


async def test_the_five_fates(town: Town, rows: Rows) -> None:
    """Each comment is exactly one of five."""
    post = town.world.write_post(town.page, "Праздник в парке")
    town.world.write_comment(post, PIT, author="Олег")
    root = town.world.write_comment(post, "Спасибо большое!", author="Вера")
    town.world.write_comment(post, "Мы старались.", by_page=True, reply_to=root)
    town.world.write_comment(post, "", author="Нина", attachments=(Attachment(kind="photo", external_id="p1"),))
    town.world.write_comment(post, "Тут всё непонятно как-то", author="Глеб")
    await town.bring_in()
    fates = {row.text: row.fate for row in await rows("SELECT text, fate FROM comment")}
    assert fates[PIT] == "opened"
    assert fates["Спасибо большое!"] == "not_appeal"
    assert fates["Мы старались."] == "page_own"
    assert fates[""] == "in_triage"
    assert len(await rows("SELECT 1 FROM comment WHERE fate IS NULL")) == 0
    assert len(await rows("SELECT 1 FROM verdict")) == 5
    waiting = await rows("SELECT triage_due_at, triage_warn_at FROM comment WHERE fate = 'in_triage'")
    assert waiting
    assert all(row.triage_due_at is not None for row in waiting)


async def test_one_citizen_in_one_thread_is_one_appeal(town: Town, rows: Rows) -> None:
    """A further comment is appended; another citizen in the thread opens their own."""
    post = town.world.write_post(town.page, "Дороги")
    root = town.world.write_comment(post, PIT, author="Олег")
    town.world.write_comment(post, "И яма на дороге у школы тоже, когда почините?", author="Олег", reply_to=root)
    town.world.write_comment(post, "У нас на дороге такая же яма, когда её закроют?", author="Вера", reply_to=root)
    await town.bring_in()
    town.world.write_comment(post, "Ау, ответьте про дорогу!", author="Олег", reply_to=root)
    await town.bring_in()
    found = await rows("SELECT a.id, count(*) AS n FROM appeal a JOIN comment c ON c.appeal_id = a.id GROUP BY a.id ORDER BY a.id")
    assert [row.n for row in found] == [3, 1]


async def test_thanks_after_the_answer_do_not_reopen_but_a_new_question_does(town: Town, rows: Rows) -> None:
    """A reopening starts a new cycle with a timer of its own."""
    post = town.world.write_post(town.page, "Дороги")
    root = town.world.write_comment(post, PIT, author="Олег")
    await town.bring_in()
    (appeal,) = await rows("SELECT * FROM appeal")
    await town.answer(appeal.number, "Завтра.")
    await town.outbound().send_due()
    town.pass_time(600)
    town.world.write_comment(post, "Спасибо!", author="Олег", reply_to=root)
    await town.bring_in()
    assert [row.status for row in await rows("SELECT status FROM appeal")] == ["answered"]
    town.pass_time(86_400)
    town.world.write_comment(post, "Яма на дороге так и стоит, когда почините?", author="Олег", reply_to=root)
    await town.bring_in()
    (again,) = await rows("SELECT status, cycle, due_at FROM appeal")
    assert (again.status, again.cycle) == ("new", 2)
    assert again.due_at is not None
    assert [row.cycle for row in await rows("SELECT cycle FROM sla_timer WHERE promise = 'first_answer' ORDER BY cycle")] == [1, 2]


async def test_the_citizens_own_mark_under_the_answer_is_its_rating(town: Town, rows: Rows) -> None:
    """The last one counts, nobody else's does, it takes nothing up again, and a later question leaves it where it belongs."""
    post = town.world.write_post(town.page, "Дороги")
    root = town.world.write_comment(post, PIT, author="Олег")
    town.world.write_comment(post, "5", author="Олег", reply_to=root)  # nothing has been answered: a figure
    await town.bring_in()
    (appeal,) = await rows("SELECT * FROM appeal")
    await town.answer(appeal.number, "Завтра.")
    await town.outbound().send_due()
    again = "Яма на дороге так и стоит, когда почините?"
    for words, author in (("Спасибо, 4", "Олег"), ("1", "Пётр"), ("Ставлю 2!", "Олег"), (again, "Олег")):
        town.pass_time(600)
        town.world.write_comment(post, words, author=author, reply_to=root)
    await town.bring_in()
    told = await rows("SELECT cycle, data ->> 'mark' AS mark, operator_id FROM appeal_event WHERE act = 'rated' ORDER BY id")
    assert [(row.cycle, row.mark, row.operator_id) for row in told] == [(1, "4", None), (1, "2", None)]
    assert [(row.status, row.cycle) for row in await rows("SELECT status, cycle FROM appeal ORDER BY id LIMIT 1")] == [("new", 2)]


async def test_the_pages_answer_by_hand_stops_the_clock(town: Town, rows: Rows) -> None:
    """Somebody answered on the platform itself."""
    post = town.world.write_post(town.page, "Дороги")
    root = town.world.write_comment(post, PIT, author="Олег")
    await town.bring_in()
    town.pass_time(1800)
    by_hand = town.world.write_comment(post, "Уже едем.", by_page=True, reply_to=root)
    await town.bring_in()
    (reply,) = await rows("SELECT by_hand, state, external_id FROM reply")
    assert (reply.by_hand, reply.state, reply.external_id) == (True, "sent", by_hand)
    (timer,) = await rows("SELECT stopped_at FROM sla_timer WHERE promise = 'first_answer'")
    assert timer.stopped_at == town.world.comments[by_hand].written_at


async def test_a_mark_that_is_read_together_with_the_answer_by_hand_marks_it(town: Town, rows: Rows) -> None:
    """Whether the question was known before or comes in the same batch; what was asked after the mark waits."""
    post = town.world.write_post(town.page, "Дороги")
    roots = {"Олег": town.world.write_comment(post, PIT, author="Олег")}
    await town.bring_in()
    roots["Пётр"] = town.world.write_comment(post, f"{PIT} Опять!", author="Пётр")
    for words, by_page in (("2", False), ("Уже едем.", True), ("4", False), ("5", False)):
        town.pass_time(600)
        for author, root in roots.items():
            town.world.write_comment(post, words, author=None if by_page else author, by_page=by_page, reply_to=root)
    town.pass_time(600)
    town.world.write_comment(post, "Яма на дороге так и стоит, когда почините?", author="Пётр", reply_to=roots["Пётр"])
    await town.bring_in()
    told = await rows("SELECT appeal_id, cycle, data ->> 'mark' AS mark FROM appeal_event WHERE act = 'rated' ORDER BY appeal_id, id")
    assert [(row.cycle, row.mark) for row in told] == [(1, "4"), (1, "5")] * 2
    assert [(row.status, row.cycle) for row in await rows("SELECT status, cycle FROM appeal ORDER BY id")] == [("answered", 1), ("new", 2)]


async def test_old_comments_are_context(town: Town, rows: Rows) -> None:
    """Written a day before the page was connected: they open nothing."""
    post = town.world.write_post(town.page, "Старое", at=town.clock.now() - timedelta(days=9))
    town.world.write_comment(post, PIT, at=town.clock.now() - timedelta(days=2))
    await town.bring_in()
    assert [(row.fate, row.fate_reason) for row in await rows("SELECT fate, fate_reason FROM comment")] == [("not_appeal", "context")]


async def test_edits_and_deletions_stay_readable(town: Town, rows: Rows) -> None:
    """An edit is a revision, a deletion a mark; both stand in the history of the appeal."""
    post = town.world.write_post(town.page, "Дороги")
    comment = town.world.write_comment(post, PIT)
    await town.bring_in()
    town.pass_time(60)
    town.world.edit_comment(comment, PIT + " И бордюр!")
    town.world.write_comment(post, "Хорошо!", author="Вера")  # a counter changes: the wall is read again
    await town.bring_in()
    assert [row.text for row in await rows("SELECT text FROM comment_revision WHERE comment_id = 1 ORDER BY revision")] == [
        PIT,
        PIT + " И бордюр!",
    ]
    town.pass_time(60)
    town.world.delete_comment(comment)
    await town.bring_in()
    (gone,) = await rows("SELECT text, deleted_at FROM comment WHERE id = 1")
    assert gone.text == PIT + " И бордюр!"
    assert gone.deleted_at is not None
    acts = [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")]
    assert acts == ["opened", "comment_edited", "comment_deleted"]
    (appeal,) = await rows("SELECT number FROM appeal")
    with pytest.raises(ConflictError, match="deleted"):
        await town.answer(appeal.number, "Завтра.")


async def test_what_was_written_before_the_answer_and_noticed_after_it_reopens_nothing(town: Town, rows: Rows) -> None:
    """The citizen's time counts. It is shown as what the answer does not speak of; what is written after the answer reopens as ever."""
    comment = await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    town.pass_time(3600)
    before = town.clock.now()
    town.pass_time(60)
    await town.answer(appeal.number, "Засыпем 20 ноября.")
    await town.outbound().send_due()
    late = town.world.write_comment(post_of(town), AGAIN, author="Олег", reply_to=comment, at=before)
    await town.bring_in()
    (noticed,) = await rows(f"SELECT id, fate FROM comment WHERE external_id = '{late}'")  # noqa: S608 - the fake's number
    assert noticed.fate == "appended"
    assert [tuple(row) for row in await rows("SELECT status, cycle FROM appeal")] == [("answered", 1)]
    assert await rows("SELECT 1 FROM sla_timer WHERE stopped_at IS NULL") == []

    async def on_the_card() -> frozenset[int]:
        async with town.web.read(operator_id=town.operator.operator_id) as session:
            found = await card(session, town.operator, appeal.number)
        assert found is not None
        return unheard(found.events)

    assert await on_the_card() == {noticed.id}
    town.world.write_comment(post_of(town), AGAIN, author="Олег", reply_to=comment)
    await town.bring_in()
    assert [tuple(row) for row in await rows("SELECT status, cycle FROM appeal")] == [("new", 2)]
    assert await on_the_card() == frozenset()


@pytest.mark.parametrize("decided", [False, True])
async def test_what_was_no_appeal_is_looked_at_again_when_it_is_edited(town: Town, rows: Rows, *, decided: bool) -> None:
    """An edit that asks opens an appeal, whose clock begins with the edit. What a person decided, a person decides again."""
    post = town.world.write_post(town.page, "Дороги")
    photo = (Attachment(kind="photo", external_id="1"),) if decided else ()
    comment = town.world.write_comment(post, "" if decided else "Спасибо большое!", author="Олег", attachments=photo)
    await town.bring_in()
    office = await OfficeKeeper(town.web, town.clock).get()
    if decided:
        async with town.web.write(operator_id=town.coordinator.operator_id) as session:
            await decide_comment(
                session, town.coordinator, office, comment_id=1, topic_id=None, agency_id=None, kind=Kind.CHATTER, now=town.clock.now()
            )
    states = f"SELECT fate, fate_reason, triage_due_at FROM comment WHERE external_id = '{comment}'"  # noqa: S608 - the fake's number

    async def edited(words: str) -> Any:
        town.pass_time(5 * 3600)
        town.world.edit_comment(comment, words)
        town.world.write_comment(post, "Хорошо!", author="Вера")  # a counter changes: the wall is read again
        await town.bring_in()
        (row,) = await rows(states)
        return row

    assert (await edited("Спасибо!")).fate == "not_appeal"
    one = await edited(PIT)
    edited_at = town.world.comments[comment].edited_at
    assert edited_at is not None
    if decided:
        assert (one.fate, one.fate_reason) == ("in_triage", "edited")
        assert one.triage_due_at > edited_at
        async with town.web.write(operator_id=town.coordinator.operator_id) as session:
            await decide_comment(
                session, town.coordinator, office, comment_id=1, topic_id=None, agency_id=town.agency_id, kind=Kind.APPEAL,
                now=town.clock.now(),
            )  # fmt: skip
    begun = await rows("SELECT a.written_at, t.started_at FROM appeal a JOIN sla_timer t ON t.appeal_id = a.id")
    assert {(row.written_at, row.started_at) for row in begun} == {(edited_at, edited_at)}
    period = Period(start=date(2026, 11, 1), end=date(2026, 11, 30), tz="Europe/Moscow")
    assert (await verify(town.owner, period=period, now=town.clock.now())).differences == ()


@pytest.mark.parametrize(("before", "after", "fates"), [("Спасибо!", PIT, ["opened"]), (PIT, None, ["not_appeal"])])
async def test_what_changes_while_triage_looks_is_looked_at_again(
    town: Town, rows: Rows, before: str, after: str | None, fates: list[str]
) -> None:
    """A thanks that becomes a question between the look and the verdict gets its fate by the question; what is deleted opens nothing."""
    post = town.world.write_post(town.page, "Дороги")
    comment = town.world.write_comment(post, before, author="Олег")
    keeper = OfficeKeeper(town.worker, town.clock)

    async def read() -> list[UnseenComment]:
        town.pass_time(31)
        await town.poller().round()
        async with town.worker.read() as session:
            return await unseen_comments(session, after=0, most=10)

    looked = inbound.look(await keeper.get(), await read())
    if after is None:
        town.world.delete_comment(comment)
    else:
        town.world.edit_comment(comment, after)
        town.world.write_comment(post, "Хорошо!", author="Вера")  # a counter changes: the wall is read again
    await read()
    async with town.worker.write() as session:
        assert (await open_batch(session, looked, now=town.clock.now())).fates == {}
    await inbound.open_all(town.worker, keeper, town.clock)
    assert [row.fate for row in await rows("SELECT fate FROM comment ORDER BY id LIMIT 1")] == fates


async def test_an_edit_comes_after_the_verdict_that_it_undoes_however_long_it_was_on_its_way(town: Town) -> None:
    """Its transaction had begun before; its clock begins with the edit all the same."""
    post = town.world.write_post(town.page, "Дороги")
    comment = town.world.write_comment(post, "Спасибо!")
    town.pass_time(31)
    await town.poller().round()
    written = town.world.comments[comment]
    town.pass_time(3600)
    town.world.edit_comment(comment, PIT)
    edited = Batch(comments=(town.world.comments[comment],))
    async with town.worker.write() as session:
        assert await session.scalar(text("SELECT now()")) is not None
        await inbound.open_all(town.worker, OfficeKeeper(town.worker, town.clock), town.clock)
        await inbound.take_in(session, platform=town.platform, batch=edited, now=town.clock.now())
    async with town.worker.read() as session:
        (unseen,) = await unseen_comments(session, after=0, most=10)
    assert written.written_at < unseen.written_at == town.clock.now()


async def test_a_coordinator_decides_what_triage_could_not(town: Town, rows: Rows) -> None:
    """From the triage queue to an appeal, or to nothing; each once."""
    post = town.world.write_post(town.page, "Фото")
    for author in ("Нина", "Глеб"):
        town.world.write_comment(post, "", author=author, attachments=(Attachment(kind="photo", external_id=author),))
    await town.bring_in()
    first, second = await rows("SELECT id FROM comment WHERE fate = 'in_triage' ORDER BY id")
    office = await OfficeKeeper(town.web, town.clock).get()
    async with town.web.write(operator_id=town.coordinator.operator_id) as session:
        await decide_comment(
            session,
            town.coordinator,
            office,
            comment_id=first.id,
            topic_id=None,
            agency_id=town.agency_id,
            kind=Kind.APPEAL,
            now=town.clock.now(),
        )
        await decide_comment(
            session, town.coordinator, office, comment_id=second.id, topic_id=None, agency_id=None, kind=Kind.CHATTER, now=town.clock.now()
        )
    assert [row.fate for row in await rows("SELECT fate FROM comment ORDER BY id")] == ["opened", "not_appeal"]
    (timer,) = await rows("SELECT started_at FROM sla_timer")
    (written,) = await rows("SELECT written_at FROM comment WHERE fate = 'opened'")
    assert timer.started_at == written.written_at  # the citizen's time, whatever triage took
    with pytest.raises(ConflictError):
        async with town.web.write(operator_id=town.coordinator.operator_id) as session:
            await decide_comment(
                session,
                town.coordinator,
                office,
                comment_id=first.id,
                topic_id=None,
                agency_id=None,
                kind=Kind.CHATTER,
                now=town.clock.now(),
            )


async def test_a_routed_appeal_leaves_the_operators_sight(town: Town, rows: Rows) -> None:
    """Re-routing goes through one narrow door; the former agency keeps its own period readable but works no more."""
    post = town.world.write_post(town.page, "Дороги")
    town.world.write_comment(post, PIT)
    await town.bring_in()
    (appeal,) = await rows("SELECT number, due_at FROM appeal")
    now = town.clock.now()
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await appeals.take(session, town.operator, number=appeal.number, now=now)
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await appeals.route(
            session, town.operator, number=appeal.number, agency_id=town.other_agency_id, territory_id=None, seen_version=2, now=now
        )
    (moved,) = await rows("SELECT agency_id, operator_id, status, due_at FROM appeal")
    assert (moved.agency_id, moved.operator_id, moved.status) == (town.other_agency_id, None, "new")
    assert moved.due_at == appeal.due_at  # the citizen's clock goes on
    with pytest.raises(NotFoundError):
        async with town.web.write(operator_id=town.operator.operator_id) as session:
            await appeals.note(session, town.operator, number=appeal.number, words="?", now=now)
    assert [row.until is None for row in await rows("SELECT until FROM appeal_assignment ORDER BY id")] == [False, False, True]


async def test_dismissal_and_closing_stop_the_clock(town: Town, rows: Rows) -> None:
    """Dismissed leaves the population; closing without an answer needs its reason."""
    post = town.world.write_post(town.page, "Дороги")
    for author in ("Олег", "Вера"):
        town.world.write_comment(post, PIT, author=author)
    await town.bring_in()
    first, second = await rows("SELECT number FROM appeal ORDER BY id")
    now = town.clock.now()
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await appeals.dismiss(session, town.operator, number=first.number, reason=DismissReason.SPAM, seen_version=None, now=now)
        await appeals.close(session, town.operator, number=second.number, reason=CloseReason.CANNOT_REPLY, seen_version=None, now=now)
    assert sorted(row.outcome for row in await rows("SELECT outcome FROM sla_timer")) == ["cancelled", "unanswered"]
    assert [row.due_at for row in await rows("SELECT due_at FROM appeal")] == [None, None]
