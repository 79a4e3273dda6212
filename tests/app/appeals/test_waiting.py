"""The coordinators' queue and the list of pages: what a person's own roles cover, in order, page by page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from app.appeals.filters import Cursor
from app.appeals.pages import PageFilters, PageOrder, pages
from app.appeals.queries import triage_queue
from app.appeals.waiting import triage_waiting
from app.kernel.errors import ForbiddenError, InvalidError
from app.people.rules import Role
from app.sources.rules import Fate
from app.triage.models import Verdict
from tests import factories
from tests.app.appeals.reading import reading_as

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database


async def test_waiting_comments_by_their_deadline(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    now = clock.now()
    async with owner_db.write() as session:
        town, elsewhere = await factories.make_territory(session), await factories.make_territory(session)
        person = await factories.make_operator(session, role=Role.COORDINATOR, scope=town)
        # An operator's scope does not make one a coordinator there.
        foreign_agency = await factories.make_agency(session, territory=elsewhere)
        await factories.grant(session, operator=person, role=Role.OPERATOR, scope=foreign_agency)
        page, foreign = await factories.make_page(session, territory=town), await factories.make_page(session, agency=foreign_agency)
        post = await factories.make_post(session, page=page)
        topic = await factories.make_topic(session)
        waiting = [
            await factories.make_comment(
                session, post=post, fate=Fate.IN_TRIAGE, fate_reason="undecided", triage_due_at=due, text=f"Вопрос {number}"
            )
            for number, due in enumerate((now + timedelta(hours=2), None, now, now + timedelta(hours=1), None))
        ]
        await factories.make_comment(session, post=post, fate=Fate.NOT_APPEAL)
        await factories.make_comment(session, post=await factories.make_post(session, page=foreign), fate=Fate.IN_TRIAGE, triage_due_at=now)
        session.add(
            Verdict(
                comment_id=waiting[2].id, classifier="keywords", version="1", kind="undecided", topic_id=topic.id, confidence=0.4,
                scores={"roads": 0.1, "lights": 0.3}, reasons=[{"code": "weak", "params": {}}],
            )
        )  # fmt: skip
    order = [waiting[index].id for index in (2, 3, 0, 1, 4)]
    told: list[int] = []
    after: Cursor | None = None
    async with reading_as(web_db, person) as (session, access):
        for _ in range(5):
            found = await triage_queue(session, access, after=after, limit=2)
            assert found.total == 5
            told += [row.comment_id for row in found.rows]
            if found.next is None:
                break
            after = Cursor.parse(str(found.next))
        assert told == order
        assert await triage_waiting(session, access) == 5
        first = (await triage_queue(session, access, limit=1)).rows[0]
    assert (first.text, first.page_title, first.kind, first.topic_id) == ("Вопрос 2", page.title, "undecided", topic.id)
    assert first.scores == (("lights", 0.3), ("roads", 0.1))
    assert first.reasons == [{"code": "weak", "params": {}}]


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.SUPERVISOR, Role.ADMINISTRATOR])
async def test_only_coordinators_decide(owner_db: Database, web_db: Database, role: Role) -> None:
    async with owner_db.write() as session:
        person = await factories.make_operator(session, role=role)
    async with reading_as(web_db, person) as (session, access):
        with pytest.raises(ForbiddenError):
            await triage_queue(session, access)
        with pytest.raises(ForbiddenError):
            await triage_waiting(session, access)


async def test_pages_of_ones_own_scopes(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        region = await factories.make_territory(session)
        town = await factories.make_territory(session, parent=region)
        ministry = await factories.make_agency(session, territory=region)
        clinic = await factories.make_agency(session, parent=ministry)
        school = await factories.make_agency(session, territory=town)
        made = {name: await factories.make_page(session, agency=agency) for name, agency in {"clinic": clinic, "school": school}.items()}
        people = {
            "ministry": await factories.make_operator(session, scope=ministry),
            "town": await factories.make_operator(session, role=Role.COORDINATOR, scope=town),
            "region": await factories.make_operator(session, role=Role.SUPERVISOR, scope=region),
            "administrator": await factories.make_operator(session, role=Role.ADMINISTRATOR),
            "nobody": await factories.make_operator(session, scope=await factories.make_agency(session)),
        }
    seen = {}
    for name, person in people.items():
        async with reading_as(web_db, person) as (session, access):
            seen[name] = {row.id for row in (await pages(session, access, PageFilters(), now=clock.now())).rows}
    clinic_page, school_page = made["clinic"].id, made["school"].id
    assert seen == {
        "ministry": {clinic_page},
        "town": {school_page},
        "region": {clinic_page, school_page},
        "administrator": {clinic_page, school_page},
        "nobody": set(),
    }
    async with reading_as(web_db, people["administrator"]) as (session, access):
        first = await pages(session, access, PageFilters(), now=clock.now(), order=PageOrder.OLD, limit=1)
        assert first.next is not None
        second = await pages(session, access, PageFilters(), now=clock.now(), order=PageOrder.OLD, after=first.next, limit=1)
        assert [row.id for row in (*first.rows, *second.rows)] == sorted([clinic_page, school_page])
        assert second.next is None
        for bad in ("x", "-1", "1 ", "9" * 30):
            with pytest.raises(InvalidError):
                await pages(session, access, PageFilters(), now=clock.now(), after=bad)
