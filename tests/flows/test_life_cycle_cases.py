"""Lives that once broke a law, each told by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.appeals import outcomes, service as appeals
from app.appeals.desk import decide_comment
from app.appeals.office import OfficeKeeper
from app.appeals.rules import CloseReason, DismissReason
from app.flows import inbound
from app.replies import service as replies
from app.triage.rules import Kind
from connectors.contract import Attachment, OutcomeUnknown, UnknownPayload
from tests.flows.conftest import AGAIN, PIT, Town, asked, post_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]

ACTS = "SELECT act, cycle FROM appeal_event WHERE act NOT LIKE 'sla%' ORDER BY id"


async def acts(rows: Rows) -> list[tuple[str, int]]:
    return [(row.act, row.cycle) for row in await rows(ACTS)]


# --- what was asked after an answer --------------------------------------------------------------------------------


@pytest.mark.parametrize("read_between", [True, False])
async def test_a_question_after_the_pages_answer_waits_again_however_it_was_read(town: Town, rows: Rows, *, read_between: bool) -> None:
    """Question, answer by hand, question, answer by hand: two cycles, whether read one by one or all at once."""
    first = await asked(town)
    for number, words in enumerate((PIT, AGAIN)):
        town.pass_time(600)
        question = first if number == 0 else town.world.write_comment(post_of(town), words, author="Олег", reply_to=first)
        town.pass_time(600)
        town.world.write_comment(post_of(town), f"Уже едем, {number}.", by_page=True, reply_to=question)
        if read_between:
            await town.bring_in()
    await town.bring_in()
    assert [(row.cycle, row.outcome, row.elapsed_seconds is not None) for row in await rows("SELECT * FROM sla_timer ORDER BY cycle")] == [
        (1, "met", True),
        (2, "met", True),
    ]
    assert [(row.status, row.cycle) for row in await rows("SELECT status, cycle FROM appeal")] == [("answered", 2)]


async def test_a_question_asked_while_our_answer_was_being_settled_waits(town: Town, rows: Rows) -> None:
    """The sender died after publishing; the citizen asked on; then the answer was found."""
    first = await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    await town.answer(appeal.number, "Засыпем завтра.")
    async with town.worker.write() as session:
        (claimed,) = await replies.OUTBOX.claim(
            session, worker="dead", platforms=["fake"], now=town.clock.now(), lease=timedelta(seconds=90), most=8
        )
    from app.flows.outbound import _outgoing  # noqa: PLC0415 - what the dead worker had sent

    await town.connector.send(_outgoing(claimed))
    town.pass_time(60)
    later = town.world.write_comment(post_of(town), AGAIN, author="Олег", reply_to=first)
    town.pass_time(60)
    await town.bring_in()
    await town.outbound("w2").look_up_interrupted()
    (again,) = await rows("SELECT status, cycle, due_at FROM appeal")
    assert (again.status, again.cycle) == ("new", 2)
    running = await rows("SELECT started_at, due_at FROM sla_timer WHERE stopped_at IS NULL")
    assert [(row.started_at, row.due_at) for row in running] == [(town.world.comments[later].written_at, again.due_at)]


async def test_an_old_answer_heard_of_late_does_not_answer_the_new_question(town: Town, rows: Rows) -> None:
    """Uncertain in the first cycle; answered by hand; asked again; then a person finds the first answer."""
    town.world.can_look_up = False
    first = await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    await town.answer(appeal.number, "Засыпем завтра.")
    town.world.fail("send", OutcomeUnknown("timeout"), moment="after")
    await town.outbound().send_due()
    published = town.world.answers[0].published_at
    del town.world.comments[town.world.answers[0].external_id], town.world.events[-1]  # no reading shows it: only a person may know
    town.pass_time(60)
    town.world.write_comment(post_of(town), "Уже едем.", by_page=True, reply_to=first)
    await town.bring_in()
    town.world.write_comment(post_of(town), AGAIN, author="Олег", reply_to=first)
    await town.bring_in()
    (reply,) = await rows("SELECT id FROM reply WHERE state = 'uncertain'")
    now = town.clock.now()
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await outcomes.decide_reply(session, town.operator, reply_id=reply.id, decision="found", published_at=published, now=now)
    assert [(row.status, row.cycle) for row in await rows("SELECT status, cycle FROM appeal")] == [("new", 2)]
    assert [row.cycle for row in await rows("SELECT cycle FROM sla_timer WHERE stopped_at IS NULL")] == [2]
    assert (await acts(rows))[-1] == ("reply_sent", 1)


async def test_an_appeal_taken_up_again_keeps_its_own_promise(town: Town, rows: Rows) -> None:
    """The deadline is that of the urgent appeal, not that of an ordinary comment."""
    first = await asked(town)
    async with town.owner.write() as session:
        from sqlalchemy import text  # noqa: PLC0415

        await session.execute(text("UPDATE appeal SET priority = 'urgent'"))
        default = "INSERT INTO sla_policy_version (code, version, name, priority, promises, valid_from) VALUES "
        urgent = "('urgent', 1, 'Срочный', 'urgent', '{\"first_answer\": {\"seconds\": 3600}}', '2020-01-01')"
        await session.execute(text((default + urgent).replace(":", "\\:")))
    town.world.write_comment(post_of(town), "Уже едем.", by_page=True, reply_to=first)
    await town.bring_in()
    town.pass_time(60)
    town.world.write_comment(post_of(town), "Так и не приехали, почему?", author="Олег", reply_to=first)
    await town.bring_in()
    (timer,) = await rows("SELECT t.*, p.code FROM sla_timer t JOIN sla_policy_version p ON p.id = t.policy_version_id WHERE cycle = 2")
    assert timer.code in {"urgent", "default-urgent-territory-1"}
    assert timer.term["seconds"] < 9 * 3600


async def test_ten_days_are_counted_to_the_moment_of_writing(town: Town, rows: Rows) -> None:
    """Written on the ninth day and noticed on the eleventh: the same matter. On the eleventh day: another one."""
    first = await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    now = town.clock.now()
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await appeals.close(session, town.operator, number=appeal.number, reason=CloseReason.CANNOT_REPLY, seen_version=None, now=now)
    town.world.write_comment(post_of(town), AGAIN, author="Олег", reply_to=first, at=now + timedelta(days=9))
    town.pass_time(11 * 86_400)
    await town.bring_in()
    assert [(row.status, row.cycle) for row in await rows("SELECT status, cycle FROM appeal ORDER BY id")] == [("new", 2)]
    now = town.clock.now()
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await appeals.close(session, town.operator, number=appeal.number, reason=CloseReason.CANNOT_REPLY, seen_version=None, now=now)
    town.world.write_comment(post_of(town), AGAIN, author="Олег", reply_to=first, at=now + timedelta(days=10, seconds=1))
    town.pass_time(11 * 86_400)
    await town.bring_in()
    assert [row.status for row in await rows("SELECT status FROM appeal ORDER BY id")] == ["closed", "new"]


async def test_after_a_dismissal_a_further_question_opens_its_own(town: Town, rows: Rows) -> None:
    first = await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await appeals.dismiss(
            session, town.operator, number=appeal.number, reason=DismissReason.SPAM, seen_version=None, now=town.clock.now()
        )
    town.pass_time(60)
    town.world.write_comment(post_of(town), AGAIN, author="Олег", reply_to=first)
    await town.bring_in()
    assert [row.status for row in await rows("SELECT status FROM appeal ORDER BY id")] == ["dismissed", "new"]


# --- the page's answers to what waits ------------------------------------------------------------------------------


@pytest.mark.parametrize("opens", [True, False], ids=["it opens one", "it joins one"])
async def test_the_pages_answer_to_a_comment_in_triage_counts_once_it_is_decided(town: Town, rows: Rows, *, opens: bool) -> None:
    """Answered by hand while it waited for the coordinator: no clock runs on."""
    post = town.world.write_post(town.page, "Фото")
    photo = town.world.write_comment(post, "", author="Олег", attachments=(Attachment(kind="photo", external_id="1"),))
    await town.bring_in()
    if not opens:
        town.world.write_comment(post, PIT, author="Олег", reply_to=photo)
    town.pass_time(60)
    by_hand = town.world.write_comment(post, "Уже едем.", by_page=True, reply_to=photo)
    await town.bring_in()
    (waiting,) = await rows("SELECT id FROM comment WHERE fate = 'in_triage'")
    office = await OfficeKeeper(town.web, town.clock).get()
    async with town.web.write(operator_id=town.coordinator.operator_id) as session:
        await decide_comment(
            session, town.coordinator, office, comment_id=waiting.id, topic_id=None, agency_id=town.agency_id, kind=Kind.APPEAL,
            now=town.clock.now(),
        )  # fmt: skip
    assert [row.status for row in await rows("SELECT status FROM appeal")] == ["answered"]
    assert [row.external_id for row in await rows("SELECT external_id FROM reply")] == [by_hand]
    (timer,) = await rows("SELECT stopped_at FROM sla_timer")
    assert timer.stopped_at == town.world.comments[by_hand].written_at


async def test_an_answer_to_one_of_two_citizens_in_a_thread_is_that_citizens(town: Town, rows: Rows) -> None:
    first = await asked(town)
    second = town.world.write_comment(post_of(town), "У нас на дороге такая же яма, когда закроют?", author="Вера", reply_to=first)
    await town.bring_in()
    town.world.write_comment(post_of(town), "[Олег], к вам уже едем.", by_page=True, reply_to=second)
    await town.bring_in()
    found = await rows("SELECT u.name, a.status FROM appeal a JOIN author u ON u.id = a.author_id ORDER BY u.name")
    assert [(row.name, row.status) for row in found] == [("Вера", "answered"), ("Олег", "new")]


# --- our own answers coming back -----------------------------------------------------------------------------------


async def test_an_answer_that_a_person_found_gets_its_id_when_it_is_read(town: Town, rows: Rows) -> None:
    """And is not taken for a second one, written by hand."""
    town.world.can_look_up = False
    await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    await town.answer(appeal.number, "Засыпем завтра.")
    town.world.fail("send", OutcomeUnknown("timeout"), moment="after")
    await town.outbound().send_due()
    (reply,) = await rows("SELECT id, first_tried_at FROM reply")
    town.pass_time(3600)
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await outcomes.decide_reply(session, town.operator, reply_id=reply.id, decision="found", now=town.clock.now())
    assert [row.stopped_at for row in await rows("SELECT stopped_at FROM sla_timer")] == [reply.first_tried_at]
    await town.bring_in()
    (stored,) = await rows("SELECT state, by_hand, external_id FROM reply")
    assert (stored.state, stored.by_hand, stored.external_id) == ("sent", False, town.world.answers[0].external_id)
    assert [act for act, _ in await acts(rows)] == ["opened", "reply_queued", "reply_uncertain", "reply_sent"]


@pytest.mark.parametrize(("said", "stands"), [(timedelta(days=-3), "tried"), (timedelta(days=3), "now")])
async def test_nobody_can_say_that_it_stood_before_we_tried_or_stands_in_the_future(
    town: Town, rows: Rows, said: timedelta, stands: str
) -> None:
    town.world.can_look_up = False
    await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    await town.answer(appeal.number, "Засыпем завтра.")
    town.world.fail("send", OutcomeUnknown("timeout"), moment="after")
    await town.outbound().send_due()
    (reply,) = await rows("SELECT id, first_tried_at FROM reply")
    town.pass_time(3600)
    now = town.clock.now()
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await outcomes.decide_reply(session, town.operator, reply_id=reply.id, decision="found", published_at=now + said, now=now)
    expected = {"tried": reply.first_tried_at, "now": now}[stands]
    assert [row.published_at for row in await rows("SELECT published_at FROM reply")] == [expected]


async def test_an_answer_whose_words_the_platform_changed_is_not_taken_for_another(town: Town, rows: Rows) -> None:
    """Read while its sender is about to write down its outcome: it waits for that, and is one answer."""
    await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    await town.answer(appeal.number, "Засыпем завтра -- обещаем.")
    async with town.worker.write() as session:
        (claimed,) = await replies.OUTBOX.claim(
            session, worker="w1", platforms=["fake"], now=town.clock.now(), lease=timedelta(seconds=90), most=8
        )
    from app.flows.outbound import _outgoing  # noqa: PLC0415 - the first half of sending

    sent = await town.connector.send(_outgoing(claimed))
    town.world.edit_comment(sent.external_id, "Засыпем завтра — обещаем.")
    await town.bring_in()
    assert [row.by_hand for row in await rows("SELECT by_hand FROM reply")] == [False]
    await town.outbound()._done(claimed, sent)
    await town.bring_in()
    (stored,) = await rows("SELECT state, by_hand, external_id FROM reply")
    assert (stored.state, stored.by_hand, stored.external_id) == ("sent", False, sent.external_id)
    assert [row.fate for row in await rows("SELECT fate FROM comment WHERE by_page")] == ["page_own"]


async def test_an_answer_believed_absent_and_read_after_all_is_not_sent_again(town: Town, rows: Rows) -> None:
    """The platform published it later than it could be looked up."""
    await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    await town.answer(appeal.number, "Засыпем завтра.")
    town.world.fail("send", OutcomeUnknown("timeout"), moment="before")
    await town.outbound().send_due()
    (reply,) = await rows("SELECT state FROM reply")
    assert reply.state == "queued"
    town.world.write_comment(post_of(town), "Засыпем завтра.", by_page=True, reply_to="2" if "2" in town.world.comments else "3")
    await town.bring_in()
    town.pass_time(3600)
    assert await town.outbound().send_due() == 0
    assert [(row.state, row.by_hand) for row in await rows("SELECT state, by_hand FROM reply")] == [("sent", False)]


# --- what comes back, what breaks ----------------------------------------------------------------------------------


async def test_a_question_that_was_gone_when_triage_looked_and_is_back_opens_its_appeal(town: Town, rows: Rows) -> None:
    """Deleted by a moderator before we looked, restored later."""
    post = town.world.write_post(town.page, "Дороги")
    comment = town.world.write_comment(post, PIT, author="Олег")
    town.pass_time(31)
    await town.poller().round()
    gone = town.world.comments[comment]
    town.world.delete_comment(comment)
    town.world.write_comment(post, "Хорошо!", author="Вера")
    town.world.write_comment(post, "Хорошо!", author="Нина")
    await town.bring_in()
    assert [(row.fate, row.fate_reason) for row in await rows("SELECT fate, fate_reason FROM comment WHERE id = 1")] == [
        ("not_appeal", "deleted")
    ]
    town.pass_time(60)
    town.world.comments[comment] = gone
    town.world._tell(gone)
    await town.bring_in()
    assert [row.fate for row in await rows("SELECT fate FROM comment WHERE id = 1")] == ["opened"]


async def test_a_comment_at_which_triage_breaks_goes_before_a_person(town: Town, rows: Rows) -> None:
    """And holds up no other."""
    post = town.world.write_post(town.page, "Дороги")
    for author, words in (("Олег", PIT), ("Вера", "Боже мой"), ("Нина", PIT)):
        town.world.write_comment(post, words, author=author)
    town.pass_time(31)
    await town.poller().round()
    keeper = OfficeKeeper(town.worker, town.clock)
    office = await keeper.get()

    class Brittle:
        name, version = office.desk.classifier.name, office.desk.classifier.version

        def classify(self, batch: Any) -> Any:
            if any(sample.text == "Боже мой" for sample in batch):
                raise ZeroDivisionError
            return office.desk.classifier.classify(batch)

    from dataclasses import replace  # noqa: PLC0415

    keeper._office = replace(office, desk=replace(office.desk, classifier=Brittle()))
    await inbound.open_all(town.worker, keeper, town.clock)
    found = {row.text: row.fate for row in await rows("SELECT text, fate FROM comment")}
    assert found == {PIT: "opened", "Боже мой": "in_triage"}
    assert len(await rows("SELECT 1 FROM comment WHERE fate = 'in_triage' AND triage_due_at IS NOT NULL")) == 1


@pytest.mark.parametrize("style", ["probing"])
async def test_one_pages_unreadable_wall_holds_up_no_other(town: Town, rows: Rows) -> None:
    """Set aside with its bytes; the page says so; the other page is read in the same round."""
    from app.sources.service import connect_page  # noqa: PLC0415

    other = town.world.add_page("Липки. Официально")
    now = town.clock.now()
    async with town.owner.write() as session:
        await connect_page(
            session, platform="fake", snapshot=town.world.pages[other.external_id], agency_id=town.agency_id, territory_id=1,
            sphere_id=None, watched_since=now - timedelta(days=1), now=now,
        )  # fmt: skip
    for external_id in town.world.pages:
        town.world.write_comment(town.world.write_post(external_id, "Дороги"), PIT)
    town.world.fail("discover", UnknownPayload("malformed", "no items \0", raw=b"\xff{"))  # of whichever is listed first
    await town.bring_in()
    assert len(await rows("SELECT 1 FROM appeal")) == 1
    assert [row.raw for row in await rows("SELECT raw FROM set_aside")] == [b"\xff{"]
    assert [row.error_code for row in await rows("SELECT error_code FROM feed ORDER BY error_code")] == ["malformed", None]
