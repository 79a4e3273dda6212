"""The queue: who sees what, in which order, page by page while others write."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.appeals.filters import Cursor, QueueFilters, format_number
from app.appeals.queries import queue
from app.appeals.rules import Status
from app.kernel.errors import ForbiddenError, InvalidError
from app.people.rules import Role
from app.replies.rules import ReplyState
from app.sources.models import Post
from tests import factories
from tests.app.appeals.reading import reading_as

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.people.models import Operator


EVERYTHING_WAITING = QueueFilters()


async def numbers(
    web_db: Database, person: Operator, clock: FixedClock, filters: QueueFilters = EVERYTHING_WAITING, *, limit: int = 100
) -> list[int]:
    """The appeals of the first page."""
    async with reading_as(web_db, person) as (session, access):
        return [row.number for row in (await queue(session, access, filters=filters, now=clock.now(), limit=limit)).rows]


async def test_each_sees_their_own(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        region = await factories.make_territory(session)
        town = await factories.make_territory(session, parent=region)
        ministry = await factories.make_agency(session, territory=region)
        clinic = await factories.make_agency(session, territory=town, parent=ministry)
        school = await factories.make_agency(session, territory=region)
        at_clinic = await factories.make_appeal(session, agency=clinic, territory=town)
        at_school = await factories.make_appeal(session, agency=school, territory=region)
        people = {
            "clinic": await factories.make_operator(session, scope=clinic),
            "ministry": await factories.make_operator(session, scope=ministry),
            "school": await factories.make_operator(session, scope=school),
            "town": await factories.make_operator(session, role=Role.COORDINATOR, scope=town),
            "region": await factories.make_operator(session, role=Role.COORDINATOR, scope=region),
            "all": await factories.make_operator(session, role=Role.SUPERVISOR),
            "both": await factories.make_operator(session, scope=school),
        }
        await factories.grant(session, operator=people["both"], role=Role.COORDINATOR, scope=town)
    seen = {name: set(await numbers(web_db, person, clock)) for name, person in people.items()}
    clinic_only, school_only = {at_clinic.number}, {at_school.number}
    everything = clinic_only | school_only
    assert seen == {
        "clinic": clinic_only,
        "ministry": clinic_only,
        "school": school_only,
        "town": clinic_only,
        "region": everything,
        "all": everything,
        "both": everything,
    }
    wanted = QueueFilters(agency_ids=(clinic.id,))
    assert await numbers(web_db, people["school"], clock, wanted) == [], "asking for a foreign agency shows nothing"
    assert await numbers(web_db, people["both"], clock, wanted) == [at_clinic.number]
    assert await numbers(web_db, people["all"], clock, QueueFilters(agency_ids=())) == []


async def test_who_may_not_read_gets_nothing(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        administrator = await factories.make_operator(session, role=Role.ADMINISTRATOR)
        await factories.make_appeal(session)
    with pytest.raises(ForbiddenError):
        await numbers(web_db, administrator, clock)


async def test_deadlines_first_and_those_without_last(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    now = clock.now()
    async with owner_db.write() as session:
        agency = await factories.make_agency(session)
        person = await factories.make_operator(session, scope=agency)
        made = [
            await factories.make_appeal(session, agency=agency, due_at=due)
            for due in (now + timedelta(hours=5), None, now - timedelta(hours=1), now + timedelta(hours=1), None)
        ]
        closed = await factories.make_appeal(session, agency=agency, status=Status.CLOSED, closed_at=now, due_at=None)
    order = [made[index].number for index in (2, 3, 0, 1, 4)]
    assert await numbers(web_db, person, clock) == order
    assert await numbers(web_db, person, clock, QueueFilters(overdue=True)) == [made[2].number]
    everything = QueueFilters(statuses=frozenset(Status))
    assert await numbers(web_db, person, clock, everything) == [one.number for one in (closed, *reversed(made))], "the newest first"


async def test_rows_carry_what_the_screen_shows(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        agency = await factories.make_agency(session, name="Управа Заречья")
        topic = await factories.make_topic(session, name="Освещение")
        person = await factories.make_operator(session, scope=agency, name="Анна Ветрова")
        author = await factories.make_author(session, name="Семён Орлов")
        page = await factories.make_page(session, agency=agency, title="Заречье")
        comment = await factories.make_comment(session, post=await factories.make_post(session, page=page), author=author, text="Первое.")
        appeal = await factories.make_appeal(session, comment=comment, topic=topic, operator=person, due_at=clock.now())
        later = await factories.make_comment(
            session, post=await session.get_one(Post, comment.post_id), author=author, text="Второе, " + "ю" * 300,
            root_external_id=comment.root_external_id, written_at=comment.written_at + timedelta(minutes=5), appeal=appeal,
        )  # fmt: skip
        warned = clock.now() - timedelta(hours=1)
        await factories.make_timer(
            session, appeal=appeal, due_at=clock.now(), warnings=[warned - timedelta(hours=1), warned], breached_at=clock.now()
        )
        await factories.make_reply(session, appeal=appeal, state=ReplyState.FAILED)
        await factories.make_reply(session, appeal=appeal, state=ReplyState.SENT)
        taken = await factories.make_taken_down_appeal(session, agency=agency, text="Просят вывезти ветки.")
    async with reading_as(web_db, person) as (session, access):
        rows = (await queue(session, access, filters=QueueFilters(), now=clock.now())).rows
    first, second = rows
    assert first.number == appeal.number
    assert (first.page_title, first.topic_name, first.agency_name, first.operator_name) == (
        "Заречье",
        "Освещение",
        "Управа Заречья",
        "Анна Ветрова",
    )
    assert first.author_name == "Семён Орлов"
    assert first.snippet == later.text[:200]
    assert first.comments == 2
    assert (first.near_at, first.breached) == (warned, True)
    assert first.reply_state is ReplyState.FAILED, "trouble stands before what went well"
    assert first.in_trouble
    assert second.number == taken.number
    assert (second.snippet, second.comments, second.page_title, second.reply_state) == ("Просят вывезти ветки.", 0, None, None)


async def test_filters_narrow(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        agency = await factories.make_agency(session)
        other = await factories.make_agency(session)
        topic = await factories.make_topic(session)
        person = await factories.make_operator(session, role=Role.COORDINATOR)
        plain = await factories.make_appeal(session, agency=agency)
        telegram = await factories.make_appeal(session, agency=agency, platform="telegram", topic=topic)
        mine = await factories.make_appeal(session, agency=other, operator=person, status=Status.IN_WORK)
        troubled = await factories.make_appeal(session, agency=other, status=Status.ANSWERED)
        await factories.make_reply(session, appeal=troubled, state=ReplyState.UNCERTAIN)

    async def shown(**asked: object) -> set[int]:
        return set(await numbers(web_db, person, clock, QueueFilters(**asked)))  # type: ignore[arg-type] # by name

    assert await shown() == {plain.number, telegram.number, mine.number}
    assert await shown(mine=True) == {mine.number}
    assert await shown(platforms=("telegram",)) == {telegram.number}
    assert await shown(topic_ids=(topic.id,)) == {telegram.number}
    assert await shown(agency_ids=(other.id,)) == {mine.number}
    assert await shown(territory_ids=(other.territory_id,)) == {mine.number}
    assert await shown(statuses=frozenset({Status.NEW})) == {plain.number, telegram.number}
    assert await shown(trouble=True) == {troubled.number}
    assert await shown(statuses=frozenset({Status.ANSWERED}), agency_ids=(other.id,)) == {troubled.number}
    assert await shown(platforms=("no\u2028such",)) == set()


async def test_search_finds_words_and_numbers_within_reach(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        ours, theirs = await factories.make_agency(session), await factories.make_agency(session)
        person = await factories.make_operator(session, scope=ours)
        words = "Возле школы сломаны качели, ребёнок упал."
        page, other = await factories.make_page(session, agency=ours), await factories.make_page(session, agency=theirs)
        found = await factories.make_appeal(
            session, comment=await factories.make_comment(session, post=await factories.make_post(session, page=page), text=words),
            status=Status.CLOSED, closed_at=clock.now(),
        )  # fmt: skip
        foreign = await factories.make_appeal(
            session, comment=await factories.make_comment(session, post=await factories.make_post(session, page=other), text=words)
        )
        by_hand = await factories.make_taken_down_appeal(session, agency=ours, text="Качели у дома скрипят.")
    search = {
        "качель": {found.number, by_hand.number},
        "сломанные качели": {found.number},
        format_number(found.number): {found.number},
        str(by_hand.number).zfill(9): {by_hand.number},
        format_number(foreign.number): set(),
        "ничего похожего": set(),
        "\0'\"--;()&|!:*": set(),
    }
    for asked, expected in search.items():
        assert set(await numbers(web_db, person, clock, QueueFilters(search=asked))) == expected, asked


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("by_deadline", [True, False])
async def test_walking_pages_tells_each_appeal_once(
    owner_db: Database,
    web_db: Database,
    clock: FixedClock,
    seed: int,
    by_deadline: bool,  # noqa: FBT001 - a case
) -> None:
    """While others open appeals: those that were there at the start are each told once; new ones at most once."""
    chance = random.Random(seed)
    now = clock.now()
    async with owner_db.write() as session:
        agencies = [await factories.make_agency(session) for _ in range(3)]
        person = await factories.make_operator(session, scope=agencies[0])
        await factories.grant(session, operator=person, role=Role.OPERATOR, scope=agencies[1])
        pages = [await factories.make_page(session, agency=agency) for agency in agencies]
        posts = [await factories.make_post(session, page=page) for page in pages]

    async def add() -> None:
        async with owner_db.write() as session:
            comment = await factories.make_comment(session, post=chance.choice(posts))
            due = chance.choice([None, now, now + timedelta(minutes=chance.randrange(5))])
            await factories.make_appeal(session, comment=comment, due_at=due)

    for _ in range(25):
        await add()
    filters = QueueFilters() if by_deadline else QueueFilters(statuses=frozenset(Status))
    at_start = set(await numbers(web_db, person, clock, filters))
    assert len(at_start) > 8
    told: list[int] = []
    after: Cursor | None = None
    while True:
        async with reading_as(web_db, person) as (reader, access):
            page = await queue(reader, access, filters=filters, now=now, after=after, limit=4)
        told += [row.number for row in page.rows]
        if page.next is None:
            break
        after = Cursor.parse(str(page.next))
        await add()
    assert len(told) == len(set(told)), "told twice"
    assert at_start <= set(told), "left out"


async def test_a_cursor_of_another_list_is_refused(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        person = await factories.make_operator(session)
    async with reading_as(web_db, person) as (session, access):
        with pytest.raises(InvalidError):
            await queue(session, access, filters=QueueFilters(), now=clock.now(), after=Cursor(by_deadline=False, id=1))
        with pytest.raises(InvalidError):
            await queue(session, access, filters=QueueFilters(), now=clock.now(), limit=101)


async def test_row_level_security_stands_behind(owner_db: Database, web_db: Database) -> None:
    """A query that forgot `visible_to` gets nothing of others."""
    async with owner_db.write() as session:
        ours, theirs = await factories.make_agency(session), await factories.make_agency(session)
        person = await factories.make_operator(session, scope=ours)
        mine = await factories.make_appeal(session, agency=ours)
        await factories.make_appeal(session, agency=theirs)
    async with web_db.read(operator_id=person.id) as session:
        assert list((await session.execute(text("SELECT number FROM appeal"))).scalars()) == [mine.number]
    async with web_db.read() as session:
        assert list((await session.execute(text("SELECT number FROM appeal"))).scalars()) == []
