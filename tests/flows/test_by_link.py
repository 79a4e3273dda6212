"""A link that somebody pasted: to the appeal that there is, to the comment under our page, or to words that are taken down."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals import by_link, cards, desk, elsewhere
from app.appeals.office import OfficeKeeper
from app.flows import inbound, looking_up
from app.kernel.errors import ConflictError, InvalidError
from app.sources import lookups
from connectors.contract import AccessLost, TryLater
from connectors.fake import fake_plugin
from tests.flows.conftest import PIT, Town, asked, post_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from app.appeals.by_link import Led

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


@pytest.fixture
def style() -> str:
    return "probing"


async def follow(town: Town, link: str, who: Any = None) -> Led:
    """As the screen does, until the worker has had its turn."""
    who = who or town.operator
    read = by_link.read_link({town.platform: fake_plugin(town.world)}, link)
    assert read is not None

    async def ask() -> Led:
        async with town.web.write(operator_id=who.operator_id) as session:
            return await by_link.follow(session, who, platform=read[0], reference=read[1], now=town.clock.now())

    led = await ask()
    if led.state != "wanted":
        return led
    assert (await ask()).state == "wanted"
    async with town.owner.read() as session:
        lookup = await session.scalar(text("SELECT max(id) FROM link_lookup WHERE state = 'wanted'"))
    for _ in range(2):  # a job may come twice
        await looking_up.look_up(town.worker, {town.platform: town.connector}, town.clock, lookup_id=int(lookup or 0))
    return await ask()


async def open_it(town: Town, comment_id: int | None, who: Any = None) -> int:
    who = who or town.operator
    assert comment_id is not None
    office = await OfficeKeeper(town.web, town.clock).get()
    async with town.web.write(operator_id=who.operator_id) as session:
        return await desk.open_comment(
            session, who, office, comment_id=comment_id, topic_id=None, agency_id=town.agency_id, now=town.clock.now()
        )


async def test_a_comment_of_ours_that_nobody_has_read_yet_is_stored_and_answered_where_it_stands(town: Town, rows: Rows) -> None:
    post = town.world.write_post(town.page, "Дороги")
    wrote_at = town.clock.now() - timedelta(days=40)  # long before the page was connected
    comment = town.world.write_comment(post, "Спасибо, а лавочка?", author="Олег", at=wrote_at)
    led = await follow(town, town.world.comments[comment].link)
    assert (led.state, led.text, led.author_name, led.written_at) == ("stored", "Спасибо, а лавочка?", "Олег", wrote_at)
    await inbound.open_all(town.worker, OfficeKeeper(town.worker, town.clock), town.clock)
    assert [row.fate for row in await rows("SELECT fate FROM comment")] == ["not_appeal"]  # by itself it would be context
    number = await open_it(town, led.comment_id)
    (appeal,) = await rows("SELECT number, written_at, platform, source FROM appeal")
    assert (appeal.number, appeal.written_at, appeal.platform) == (number, wrote_at, town.platform)
    (timer,) = await rows("SELECT min(started_at) AS at FROM sla_timer")
    assert timer.at == wrote_at
    assert await open_it(town, led.comment_id) == number
    of_post = await follow(town, town.world.posts[post].link)
    assert (of_post.state, of_post.of_post, led.of_post) == ("found", True, False)
    assert (of_post.code, of_post.text, of_post.author_name, of_post.written_at) == ("own_post", "", "", None)  # no citizen's words
    again = await follow(town, town.world.comments[comment].link)
    assert (again.state, again.number) == ("appeal", number)
    await town.answer(number, "Поставим.")
    await town.outbound().send_due()
    assert [answer.reply_to_external_id for answer in town.world.answers] == [comment]
    assert len(await rows("SELECT id FROM appeal")) == 1


async def test_a_comment_that_is_an_appeal_leads_there_and_tells_a_stranger_nothing(town: Town, rows: Rows) -> None:
    comment = await asked(town)
    (appeal,) = await rows("SELECT number FROM appeal")
    link = town.world.comments[comment].link
    assert (await follow(town, link)).number == appeal.number
    await _hand_on(town)
    assert (await follow(town, link, town.coordinator)).number == appeal.number
    with pytest.raises(ConflictError, match="another agency"):
        (stored,) = await rows("SELECT id FROM comment")
        await open_it(town, stored.id)
    led = await follow(town, link)
    assert (led.state, led.number) == ("elsewhere", None)


async def _hand_on(town: Town) -> None:
    """To an agency that the operator does not see, without a period of their own."""
    async with town.owner.write() as session:
        await session.execute(text("UPDATE appeal SET agency_id = :other"), {"other": town.other_agency_id})
        await session.execute(text("UPDATE appeal_assignment SET agency_id = :other"), {"other": town.other_agency_id})


async def test_under_another_s_page_the_words_are_taken_down_and_the_answer_is_posted_by_hand(town: Town, rows: Rows) -> None:
    page = town.world.add_page("Чужая")
    post = town.world.write_post(page.external_id, "Новости")
    wrote_at = town.clock.now() - timedelta(hours=5)
    comment = town.world.write_comment(post, PIT, author="Вера", at=wrote_at)
    of_post = await follow(town, town.world.posts[post].link)
    assert (of_post.state, of_post.text, of_post.code) == ("found", "Новости", None)
    link = town.world.comments[comment].link
    led = await follow(town, link)
    assert (led.state, led.text, led.author_name, led.written_at) == ("found", PIT, "Вера", wrote_at)
    assert await rows("SELECT id FROM comment") == []
    office, who = await OfficeKeeper(town.web, town.clock).get(), town.operator
    new = desk.NewAppeal(
        words=led.text,
        agency_id=town.agency_id,
        author_name=led.author_name,
        link=led.link,
        platform=led.platform,
        written_at=led.written_at,
    )
    async with town.web.write(operator_id=who.operator_id) as session:
        created = await desk.create(session, who, office, new=new, source="hand", key=None, now=town.clock.now())
    assert (await follow(town, link)).number == created.number
    town.pass_time(60)
    said: dict[str, Any] = {
        "words": "Засыпем завтра.",
        "link": f"{link}-ответ",
        "promises": office.promises,
        "seen_version": None,
        "now": town.clock.now(),
    }
    at = town.clock.now() - timedelta(hours=1)
    for wrong, code in (
        ({"published_at": wrote_at - timedelta(1)}, "answer.before"),
        ({"published_at": at, "link": "javascript:x"}, "link.web"),
    ):
        async with town.web.write(operator_id=who.operator_id) as session:
            with pytest.raises(InvalidError) as refused:
                await elsewhere.posted_by_hand(session, who, number=created.number, **(said | wrong))
            assert refused.value.code == code
            await session.rollback()
    ids = []
    for moment in (at, at, None):  # said once more, by a second click or without a moment: it is the same answer
        async with town.web.write(operator_id=who.operator_id) as session:
            ids.append(await elsewhere.posted_by_hand(session, who, number=created.number, published_at=moment, **said))
    assert ids == [(ids[0][0], False), (ids[0][0], True), (ids[0][0], True)]
    (appeal,) = await rows("SELECT status, answered_at, due_at FROM appeal")
    assert (appeal.status, appeal.answered_at, appeal.due_at) == ("answered", at, None)
    assert [(row.outcome, row.stopped_at) for row in await rows("SELECT DISTINCT outcome, stopped_at FROM sla_timer")] == [("met", at)]
    (reply,) = await rows("SELECT by_hand, state, link, published_at FROM reply")
    assert tuple(reply) == (True, "sent", f"{link}-ответ", at)
    assert [row.act for row in await rows("SELECT act FROM appeal_event WHERE act = 'answered_by_hand'")] == ["answered_by_hand"]
    async with town.owner.write() as session:
        await session.execute(text("UPDATE agency SET approval_required = true WHERE id = :id"), {"id": town.agency_id})
    async with town.web.write(
        operator_id=who.operator_id
    ) as session:  # it is given already: nobody could approve it first, and that is said
        _, repeated = await elsewhere.posted_by_hand(
            session, who, number=created.number, published_at=None, **said | {"words": "Засыпали."}
        )
    assert not repeated
    assert [row.approved_by for row in await rows("SELECT approved_by FROM reply ORDER BY id")] == [who.operator_id, None]
    async with town.web.read(operator_id=who.operator_id) as session:
        shown = await cards.card(session, who, created.number)
    assert shown is not None
    assert [reply.unapproved for reply in shown.replies] == [False, True]


async def test_what_the_platform_does_not_show_has_a_reason_and_is_kept_an_hour(town: Town, rows: Rows) -> None:
    page = town.world.add_page("Чужая")
    link = f"{town.world.pages[page.external_id].link}/{town.world.write_post(page.external_id, 'Новости')}#404"
    town.world.fail("fetch_reference", AccessLost("no_right"))
    told = [await follow(town, link), await follow(town, link)]
    town.pass_time(61)
    told.append(await follow(town, link))
    assert [(led.state, led.code) for led in told] == [("refused", "no_right"), ("refused", "no_right"), ("refused", "gone")]
    town.pass_time(61)
    town.world.fail("fetch_reference", TryLater("rate", after=timedelta(seconds=3)))
    with pytest.raises(TryLater):
        await follow(town, link)
    assert [row.state for row in await rows("SELECT state FROM link_lookup ORDER BY id")] == ["refused", "refused", "wanted"]
    async with town.web.read(operator_id=town.coordinator.operator_id) as session:
        assert await session.scalar(text("SELECT count(*) FROM link_lookup")) == 0  # another's
    async with town.worker.write() as session:
        assert await lookups.tidy(session, now=town.clock.now() + timedelta(minutes=57)) == 0
        assert await lookups.tidy(session, now=town.clock.now() + timedelta(minutes=61)) == 3


async def test_nobody_has_the_platforms_asked_without_end(town: Town, rows: Rows) -> None:
    async def ask(number: int) -> None:
        read = by_link.read_link({town.platform: fake_plugin(town.world)}, f"https://{town.platform}.example/5/{number}")
        assert read is not None
        async with town.web.write(operator_id=town.operator.operator_id) as session:
            await by_link.follow(session, town.operator, platform=read[0], reference=read[1], now=town.clock.now())

    for number in range(lookups.MOST_AT_ONCE):
        await ask(number)
    await ask(0)
    with pytest.raises(ConflictError):
        await ask(lookups.MOST_AT_ONCE)
    town.pass_time(61)
    await ask(lookups.MOST_AT_ONCE)
    assert len(await rows("SELECT id FROM link_lookup")) == lookups.MOST_AT_ONCE + 1


async def test_the_page_s_own_words_and_deleted_ones_open_nothing(town: Town, rows: Rows) -> None:
    comment = await asked(town)
    own = town.world.write_comment(post_of(town), "Засыпали.", reply_to=comment, by_page=True)
    gone = town.world.write_comment(post_of(town), "А фонари?", author="Пётр")
    await town.bring_in()
    links = {external_id: town.world.comments[external_id].link for external_id in (own, gone)}
    town.world.delete_comment(gone)
    await town.bring_in()
    ids = {row.external_id: row.id for row in await rows("SELECT external_id, id FROM comment")}
    async with town.owner.write() as session:
        await session.execute(
            text("UPDATE comment SET appeal_id = NULL, fate = 'not_appeal' WHERE external_id = ANY (:ids)"), {"ids": [own, gone]}
        )
    for external_id, code in ((own, "link.by_page"), (gone, "link.deleted")):
        with pytest.raises(InvalidError) as refused:
            await open_it(town, ids[external_id])
        assert refused.value.code == code
        with pytest.raises(InvalidError) as refused:  # said at once, before the form is filled
            await follow(town, links[external_id])
        assert refused.value.code == code
