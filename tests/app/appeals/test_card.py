"""The card: all of an appeal in a bounded number of statements, and no more than the reader may know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.appeals import cards
from app.appeals.queries import card
from app.appeals.rules import Act, Status
from app.kernel.errors import ForbiddenError
from app.people.rules import Role
from app.replies.rules import ReplyState
from app.sources.models import CommentRevision
from tests import factories
from tests.app.appeals.reading import reading_as
from tests.databases import hearing

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

MOST_STATEMENTS = 13
HOSTILE = "\u202eтекст\u202c <script>alert(1)</script> \u200b'; DROP TABLE appeal; -- {{ 7*7 }} 👩‍🚒"


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    with hearing(database, "before_cursor_execute", note):
        yield sent


async def test_everything_is_there(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        agency = await factories.make_agency(session)
        person = await factories.make_operator(session, scope=agency, name="Анна Ветрова")
        author = await factories.make_author(session, name=HOSTILE)
        neighbour = await factories.make_author(session)
        topic = await factories.make_topic(session)
        page = await factories.make_page(session, agency=agency)
        post = await factories.make_post(session, page=page)
        comment = await factories.make_comment(session, post=post, author=author, text=HOSTILE)
        appeal = await factories.make_appeal(session, comment=comment, agency=agency, topic=topic)
        other = await factories.make_comment(
            session, post=post, author=neighbour, text="И у нас.", root_external_id=comment.root_external_id,
            written_at=comment.written_at + timedelta(minutes=1),
        )  # fmt: skip
        session.add(
            CommentRevision(
                comment_id=other.id, revision=2, text="И у нас тоже.", raw=b"{}", observed_at=clock.now(), recorded_at=clock.now()
            )
        )
        other.revision, other.text, other.edited_at = 2, "И у нас тоже.", clock.now()
        await factories.make_verdict(session, comment=comment, topic=topic, agency=agency, reasons=[{"code": "question", "params": {}}])
        await factories.make_verdict(session, comment=comment, topic=topic, agency=agency, operator=person)
        reply = await factories.make_reply(session, appeal=appeal, operator=person, state=ReplyState.UNCERTAIN)
        await factories.make_timer(session, appeal=appeal)
        await factories.make_pause(session, appeal=appeal, since=clock.now())
        await factories.make_event(session, appeal=appeal, act=Act.NOTED, operator=person)
        earlier_page = await factories.make_post(session, page=page)
        earlier = await factories.make_appeal(session, comment=await factories.make_comment(session, post=earlier_page, author=author))
        foreign = await factories.make_appeal(session, comment=await factories.make_comment(session, author=author))
    async with reading_as(web_db, person) as (session, access):
        with counted(web_db) as sent:
            found = await card(session, access, appeal.number)
        assert await card(session, access, foreign.number) is None
        assert await card(session, access, 123) is None
    assert len(sent) <= MOST_STATEMENTS, sent
    assert found is not None
    assert (found.appeal.author_name, found.appeal.topic_name) == (HOSTILE, topic.name)
    assert found.post is not None
    assert found.post.text == post.text
    assert [one.text for one in found.comments] == [HOSTILE, "И у нас тоже."]
    assert [(one.by_author, one.of_appeal, one.by_page) for one in found.comments] == [(True, True, False), (False, False, False)]
    assert [one.text for one in found.comments[1].revisions] == ["И у нас.", "И у нас тоже."]
    assert found.comments[0].revisions == ()
    assert [one.operator_name for one in found.verdicts] == [None, "Анна Ветрова"]
    assert found.verdict is found.verdicts[-1]
    assert [(one.id, one.state, one.operator_name) for one in found.replies] == [(reply.id, ReplyState.UNCERTAIN, "Анна Ветрова")]
    assert [(one.act, one.operator_name) for one in found.events] == [(Act.OPENED, None), (Act.NOTED, "Анна Ветрова")]
    assert len(found.timers) == len(found.pauses) == len(found.assignments) == 1
    assert [one.number for one in found.earlier_appeals] == [earlier.number], "the foreign one is not told of"
    assert found.held_until is None


async def test_a_long_thread_is_cut_but_never_the_citizens_own_words(owner_db: Database, web_db: Database) -> None:
    async with owner_db.write() as session:
        agency = await factories.make_agency(session)
        person = await factories.make_operator(session, scope=agency)
        page = await factories.make_page(session, agency=agency)
        post = await factories.make_post(session, page=page)
        first = await factories.make_comment(session, post=post, text="ы" * 25_000)
        appeal = await factories.make_appeal(session, comment=first)
        neighbour = await factories.make_author(session)
        for minute in range(1, cards.SHOWN_COMMENTS + 31):
            await factories.make_comment(
                session,
                post=post,
                author=neighbour,
                root_external_id=first.root_external_id,
                written_at=first.written_at + timedelta(minutes=minute),
            )
    async with reading_as(web_db, person) as (session, access):
        found = await card(session, access, appeal.number)
    assert found is not None
    assert len(found.comments) == cards.SHOWN_COMMENTS
    assert found.earlier_comments == 31
    assert found.comments[0].id == first.id
    assert (len(found.comments[0].text), found.comments[0].length) == (cards.SHOWN_TEXT, 25_000)
    assert found.comments[-1].written_at == first.written_at + timedelta(minutes=cards.SHOWN_COMMENTS + 30)


async def test_a_former_agency_reads_its_own_period(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    """What was recorded after the appeal was handed on is out of its sight, in every part of the card."""
    handed_on = clock.now() + timedelta(hours=1)
    before, after = handed_on - timedelta(minutes=1), handed_on + timedelta(minutes=1)
    async with owner_db.write() as session:
        former, present = await factories.make_agency(session), await factories.make_agency(session)
        was, holds = (
            await factories.make_operator(session, scope=former),
            await factories.make_operator(session, scope=present, name="Олег Лисин"),
        )
        page = await factories.make_page(session, agency=present)
        post = await factories.make_post(session, page=page)
        comment = await factories.make_comment(session, post=post)
        appeal = await factories.make_appeal(session, comment=comment, agency=present, operator=holds)
        await factories.make_assignment(session, appeal=appeal, agency_id=former.id, since=comment.recorded_at, until=handed_on)
        for moment in (before, after):
            await factories.make_event(session, appeal=appeal, act=Act.NOTED, occurred_at=moment, recorded_at=moment)
            await factories.make_reply(session, appeal=appeal, operator=holds, created_at=moment, text=f"Ответ {moment}")
            await factories.make_comment(
                session,
                post=post,
                author=await factories.make_author(session),
                root_external_id=comment.root_external_id,
                written_at=moment,
                recorded_at=moment,
            )
            verdict = await factories.make_verdict(session, comment=comment)
            await session.refresh(verdict)
        never = await factories.make_operator(session, scope=await factories.make_agency(session))
    async with reading_as(web_db, was) as (session, access):
        seen = await card(session, access, appeal.number)
    async with reading_as(web_db, holds) as (session, access):
        whole = await card(session, access, appeal.number)
    async with reading_as(web_db, never) as (session, access):
        assert await card(session, access, appeal.number) is None
    assert seen is not None
    assert whole is not None
    assert seen.held_until == handed_on
    assert whole.held_until is None
    assert [one.recorded_at for one in seen.events if one.act is Act.NOTED] == [before]
    assert [one.created_at for one in seen.replies] == [before]
    assert [one.written_at for one in seen.comments] == [comment.written_at, before]
    assert seen.verdicts == (), "they were recorded after its period"
    assert {one.agency_id for one in whole.assignments} == {former.id, present.id}
    assert (seen.appeal.operator_name, whole.appeal.operator_name) == (None, "Олег Лисин")
    assert len(whole.events) > len(seen.events)
    assert len(whole.replies) == 2
    assert len(whole.comments) == 3


async def test_a_former_agency_is_not_told_how_it_went_on(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    """What was written over after its period is told as it was: the state, the deadline, the citizen's words."""
    handed_on = clock.now() + timedelta(hours=1)
    later = handed_on + timedelta(hours=2)
    async with owner_db.write() as session:
        agency = await factories.make_agency(session)
        was = await factories.make_operator(session, scope=agency)
        comment = await factories.make_comment(session, text="Когда починят свет?")
        comment.text, comment.revision, comment.edited_at = "Когда починят свет? Мой телефон 8 900", 2, later
        session.add(CommentRevision(comment_id=comment.id, revision=2, text=comment.text, raw=b"{}", observed_at=later, recorded_at=later))
        appeal = await factories.make_appeal(
            session, comment=comment, status=Status.CLOSED, cycle=2, answered_at=later, closed_at=later, close_reason="solved"
        )
        await factories.make_assignment(session, appeal=appeal, agency_id=agency.id, since=comment.recorded_at, until=handed_on)
        for act, cycle in ((Act.REPLY_SENT, 1), (Act.REOPENED, 2), (Act.REPLY_SENT, 2), (Act.CLOSED, 2)):
            await factories.make_event(session, appeal=appeal, act=act, cycle=cycle, occurred_at=later)
        timer = await factories.make_timer(
            session, appeal=appeal, cycle=1, recorded_at=comment.recorded_at, breached_at=later, stopped_at=later
        )
    async with reading_as(web_db, was) as (session, access):
        seen = await card(session, access, appeal.number)
    assert seen is not None
    told = seen.appeal
    assert (told.status, told.cycle, told.due_at) == (Status.NEW, 1, timer.due_at)
    assert (told.answered_at, told.closed_at, told.close_reason) == (None, None, None)
    assert [(one.breached_at, one.stopped_at, one.outcome, one.elapsed_seconds) for one in seen.timers] == [(None, None, None, None)]
    assert [(one.text, one.revision, one.edited_at) for one in seen.comments] == [("Когда починят свет?", 1, None)]


async def test_who_may_not_read_gets_nothing(owner_db: Database, web_db: Database) -> None:
    async with owner_db.write() as session:
        administrator = await factories.make_operator(session, role=Role.ADMINISTRATOR)
        appeal = await factories.make_appeal(session)
    async with reading_as(web_db, administrator) as (session, access):
        with pytest.raises(ForbiddenError):
            await card(session, access, appeal.number)


async def test_an_appeal_taken_down_has_its_own_words(owner_db: Database, web_db: Database) -> None:
    async with owner_db.write() as session:
        agency = await factories.make_agency(session)
        person = await factories.make_operator(session, scope=agency)
        appeal = await factories.make_taken_down_appeal(session, agency=agency, text=HOSTILE)
    async with reading_as(web_db, person) as (session, access):
        found = await card(session, access, appeal.number)
    assert found is not None
    assert (found.appeal.text, found.post, found.comments, found.verdict) == (HOSTILE, None, (), None)
