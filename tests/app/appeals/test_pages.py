"""The list of pages: states, filters, order and reach; what platforms say of them by day; the file that an import takes back."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.appeals import pages as module
from app.appeals.page_file import csv_lines
from app.appeals.pages import PageFilters, PageOrder, count_states, every_page, one_page, pages
from app.exchange.pages import Platforms, import_pages
from app.flows.facts import round_of_facts
from app.kernel.errors import InvalidError, NotFoundError
from app.people.queries import access_of_operator
from app.people.rules import EVERYTHING, Role
from app.sources import facts
from app.sources.facts import KEPT_DAYS, lag_of, note_lags
from app.sources.rules import PageState
from connectors.contract import Options, Rejected
from connectors.fake import FakeWorld, fake_plugin
from connectors.pages import PageFacts
from tests.factories import make_agency, make_operator, make_page, make_sphere, make_territory

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database, ReadSession, WriteSession
    from app.people.rules import Access

STATES = (
    PageState.FINE,
    PageState.FINE,
    PageState.LATE,
    PageState.LATE,
    PageState.FAULTY,
    PageState.NO_ACCESS,
    PageState.CLOSED,
    PageState.OFF,
)
TITLES = ("Ёлка", "Ель", "Жасмин", "Ива", "Клён", "Липа", "Мак", "=Нива")


async def grow(session: WriteSession, clock: FixedClock) -> list[int]:
    """A page in each state, eight in all; the last belongs to another town."""
    town = await make_agency(session, territory=await make_territory(session))
    elsewhere = await make_agency(session, territory=await make_territory(session))
    made = []
    for place, title in enumerate(TITLES):
        page = await make_page(session, title=title, agency=elsewhere if place == 7 else town, external_id=str(place), platform="fake")
        made.append(page.id)
    now = clock.now()
    ago, soon = now - timedelta(hours=1), now + timedelta(minutes=5)
    polls = (  # polled, due, error
        (now, soon, None), (ago, soon, None), (ago, ago, None), (ago, "infinity", None), (ago, ago, "malformed"), (ago, soon, "no_right"),
        (now, soon, "comments_closed"), (now, soon, None),
    )  # fmt: skip
    for page_id, (polled, due, error) in zip(made, polls, strict=True):
        await session.execute(
            text(
                "INSERT INTO feed (platform, key, page_id, polled_at, due_at, error_code, lag_s) "
                "VALUES ('fake', CAST(CAST(:page AS bigint) AS text), :page, :polled, CAST(CAST(:due AS text) AS timestamptz), "
                ":error, :page)"
            ),
            {"page": page_id, "polled": polled, "due": str(due), "error": error},
        )
    await session.execute(text("UPDATE page SET connected_at = :ago, members = CASE WHEN id % 2 = 0 THEN id END"), {"ago": ago})
    await session.execute(text("UPDATE page SET active = false WHERE id = :id"), {"id": made[7]})
    return made


async def test_each_state_is_told_counted_and_asked_for(owner_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        await grow(session, clock)
        found = await pages(session, EVERYTHING, PageFilters(), now=clock.now(), order=PageOrder.NEW)
        assert tuple(row.state for row in reversed(found.rows)) == STATES
        counts = await count_states(session, EVERYTHING, PageFilters(state=PageState.FINE), now=clock.now())
        assert counts == {state: STATES.count(state) for state in PageState}
        for state in PageState:
            some = await pages(session, EVERYTHING, PageFilters(state=state), now=clock.now())
            assert len(some.rows) == STATES.count(state)
        words = await pages(session, EVERYTHING, PageFilters(words="ЕЛЬ"), now=clock.now())
        assert [row.title for row in words.rows] == ["Ель"]


@pytest.mark.parametrize("order", PageOrder)
async def test_pages_of_the_list_join_without_holes_in_every_order(owner_db: Database, clock: FixedClock, order: PageOrder) -> None:
    async with owner_db.write() as session:
        grown = await grow(session, clock)
        await session.execute(text("DELETE FROM feed WHERE page_id = ANY (:new)"), {"new": [grown[1], grown[4]]})
        whole = await pages(session, EVERYTHING, PageFilters(), now=clock.now(), order=order)
        seen: list[int] = []
        after: str | None = None
        while True:
            part = await pages(session, EVERYTHING, PageFilters(), now=clock.now(), order=order, after=after, limit=3)
            seen += [row.id for row in part.rows]
            after = part.next
            if after is None:
                break
        assert seen == [row.id for row in whole.rows]
        assert sorted(seen) == sorted(grown)
        for cursor in ("x", "1.", f"{2**63}.1", "1.2026-01-01", "5.1e999999"):
            if order is not PageOrder.TITLE and not (order is PageOrder.LAG and cursor == "5.1e999999"):
                with pytest.raises(InvalidError):
                    await pages(session, EVERYTHING, PageFilters(), now=clock.now(), order=order, after=cursor)
    if order is PageOrder.TITLE:
        assert [row.title for row in whole.rows] == ["=Нива", *TITLES[:7]], "ё stands with е"


@pytest.mark.parametrize("order", PageOrder)
async def test_what_most_pages_are_is_listed_the_same_by_few_as_by_many(owner_db: Database, clock: FixedClock, order: PageOrder) -> None:
    """The first ones in the order are looked at first: whether they are enough depends on how many are asked for."""
    async with owner_db.write() as session:
        await grow(session, clock)
        for state in (PageState.FINE, PageState.LATE):
            asked = PageFilters(state=state, platform="fake")
            whole = [row.id for row in (await pages(session, EVERYTHING, asked, now=clock.now(), order=order)).rows]
            first = await pages(session, EVERYTHING, asked, now=clock.now(), order=order, limit=1)
            second = await pages(session, EVERYTHING, asked, now=clock.now(), order=order, after=first.next, limit=1)
            assert [row.id for row in (*first.rows, *second.rows)] == whole
            assert (len(whole), second.next) == (2, None)


async def test_any_filters_together_leave_what_each_of_them_leaves(owner_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        await grow(session, clock)
        sphere = await make_sphere(session)
        await session.execute(text("UPDATE page SET sphere_id = :sphere WHERE external_id <> '1'"), {"sphere": sphere.id})
        everything = (await pages(session, EVERYTHING, PageFilters(), now=clock.now())).rows
        one = everything[3]
        filters: dict[str, Any] = {
            "platform": "fake", "agency_ids": (one.agency_id,), "territory_ids": (one.territory_id,), "sphere_id": sphere.id,
            "state": PageState.LATE, "words": "и",
        }  # fmt: skip
        alone = {name: await _left(session, clock, {name: value}) for name, value in filters.items()}
        for some in (pair for count in (2, 3) for pair in combinations(filters, count)):
            asked = {name: filters[name] for name in some}
            for order in (PageOrder.TITLE, PageOrder.LAG):
                assert await _left(session, clock, asked, order) == set.intersection(*(alone[name] for name in some)), some
            counts = await count_states(session, EVERYTHING, PageFilters(**asked), now=clock.now())
            assert sum(counts.values()) == len(await _left(session, clock, asked | {"state": None})), some


async def _left(session: ReadSession, clock: FixedClock, asked: dict[str, Any], order: PageOrder = PageOrder.NEW) -> set[int]:
    return {row.id for row in (await pages(session, EVERYTHING, PageFilters(**asked), now=clock.now(), order=order)).rows}


async def test_a_coordinator_sees_the_pages_of_their_town(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        grown = await grow(session, clock)
        agency = await session.scalar(
            text("SELECT a.territory_id FROM page p JOIN agency a ON a.id = p.agency_id WHERE p.id = :id"), {"id": grown[0]}
        )
        person = await make_operator(session, role=None)
        await session.execute(
            text("INSERT INTO operator_role (operator_id, role, territory_id) VALUES (:id, :role, :place)"),
            {"id": person.id, "role": Role.COORDINATOR.value, "place": agency},
        )
    async with web_db.read(operator_id=person.id) as session:
        access = await access_of_operator(session, operator_id=person.id)
        assert access is not None
        found = await pages(session, access, PageFilters(), now=clock.now())
        assert {row.id for row in found.rows} == set(grown[:7])
        assert {row.state for row in found.rows} == set(STATES) - {PageState.OFF}, "the feeds of their pages are in sight"
        assert sum((await count_states(session, access, PageFilters(), now=clock.now())).values()) == 7
        with pytest.raises(NotFoundError):
            await one_page(session, access, page_id=grown[7], now=clock.now())


async def test_the_file_comes_back_unchanged(owner_db: Database, clock: FixedClock) -> None:
    """Titles that look like formulas, and those that no table may hold, included."""
    async with owner_db.write() as session:
        await grow(session, clock)
        await session.execute(
            text("UPDATE page SET title = E'Семья \\u200d в\\nдве строки', external_id = '-' || external_id WHERE title = 'Мак'")
        )
        await session.execute(text("UPDATE page SET active = true, link = 'https://fake.example/' || id"))
        table = "".join([line async for line in csv_lines(every_page(session, EVERYTHING, PageFilters(), now=clock.now()))])
    assert "'=Нива" in table
    assert re.search(r",'-6,,", table)
    world = FakeWorld()
    platforms = Platforms(plugins={"fake": fake_plugin(world)}, connectors={})
    result = await import_pages(owner_db, table.encode(), platforms=platforms, context=timedelta(0), now=clock.now(), dry_run=True)
    assert (result.added, result.changed, result.same) == (0, 0, 8)


async def test_no_order_sorts_the_whole_country(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    """Nothing may sort 170,000 rows to show fifty, also where row-level security looks on: each order walks its index."""
    async with owner_db.write() as session:
        await grow(session, clock)
        person = await make_operator(session, role=Role.SUPERVISOR)
        await session.execute(
            text(
                "INSERT INTO page (platform, external_id, title, link, agency_id, territory_id, watched_since) "
                "SELECT 'vk', 'x' || n, md5(n::text), '', agency_id, territory_id, now() FROM page, generate_series(1, 5000) n "
                "WHERE external_id = '0'"
            )
        )
        await session.execute(
            text(
                "INSERT INTO feed (platform, key, page_id, polled_at, lag_s) "
                "SELECT platform, external_id, id, now() - id * interval '1 s', id FROM page WHERE platform = 'vk'"
            )
        )
        await session.execute(text("ANALYZE page"))
        await session.execute(text("ANALYZE feed"))
    async with web_db.read(operator_id=person.id) as session:
        access = await access_of_operator(session, operator_id=person.id)
        assert access is not None
        for order, index in ORDERED_BY.items():
            asked = [await _plan(session, access, order, clock, further=further) for further in (False, True)]
            asked += [await _plan(session, access, order, clock, further=further, state=PageState.FINE) for further in (False, True)]
            for plan in asked:
                assert index in plan, plan


ORDERED_BY = {
    PageOrder.TITLE: "ix_page_title",
    PageOrder.MEMBERS: "ix_page_members",
    PageOrder.READ: "ix_feed_polled_at",
    PageOrder.LAG: "ix_feed_lag",
    PageOrder.NEW: "pk_page",
    PageOrder.OLD: "pk_page",
}
CURSORS = {PageOrder.READ: "2026-01-01T00:00:00+00:00", PageOrder.TITLE: "a", PageOrder.LAG: "4000"}


async def _plan(
    session: ReadSession, access: Access, order: PageOrder, clock: FixedClock, *, further: bool, state: PageState | None = None
) -> str:
    way = module._ORDERS[order]
    ahead = None if way.without is not None else state
    given = module._given(access, PageFilters(), clock.now()) | {"most": 51}
    given |= module._read_cursor(f"9.{CURSORS.get(order, '9')}", way) if further else {}
    listing = module._listing(way, module._reach(given), further=further, ahead=ahead)
    rows = await session.execute(text("EXPLAIN " + listing), given)
    return "\n".join(row[0] for row in rows)


# --- what platforms say -----------------------------------------------------------------------------------------


async def test_facts_are_kept_by_day_and_asked_for_once_a_day(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    world = FakeWorld(now=clock.now)
    for number, members in (("1", 10), ("2", 20)):
        world.add_page(number, external_id=number, members=members)
    async with owner_db.write() as session:
        grown = [(await make_page(session, platform="fake", external_id=one)).id for one in ("1", "2", "gone")]
        await session.execute(
            text("UPDATE page SET link = 'https://fake.example/' || external_id, describe_at = :now"), {"now": clock.now()}
        )
    connectors = {"fake": fake_plugin(world).build(Options(api_url=None, credentials=()))}
    assert await round_of_facts(worker_db, connectors, clock)
    assert not await round_of_facts(worker_db, connectors, clock), "asked once"
    clock.moment += timedelta(days=1, hours=1)
    world.add_page("1", external_id="1", members=13)
    world.fail("describe_page", Rejected("comments_closed", "nobody may write"))
    assert await round_of_facts(worker_db, connectors, clock)
    async with owner_db.read() as session:
        counted = [
            [day.members for day in await facts.days(session, page_id=page, since=clock.now().date() - timedelta(days=9))] for page in grown
        ]
        closed = list(await session.scalars(text("SELECT comments_open FROM page ORDER BY id")))
    assert sorted(map(len, counted)) == [0, 2, 2]
    assert closed.count(False) == 1
    async with worker_db.write() as session:
        await facts.keep_facts(session, [(grown[2], PageFacts(external_id="gone", title="", link="", official=True))], now=clock.now())
        assert await facts.forget_days(session, now=clock.now() + timedelta(days=KEPT_DAYS + 5)) == 5


async def test_a_pages_lag_follows_its_comments_and_forgets_what_was_not_ours(owner_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        grown = await grow(session, clock)
        await session.execute(text("UPDATE feed SET lag_s = NULL"))
        now = clock.now()
        await note_lags(session, [lag_of(grown[0], now - timedelta(seconds=40), now), lag_of(grown[1], now - timedelta(days=3), now)])
        await note_lags(session, [lag_of(grown[0], now - timedelta(seconds=90), now)])
        lags = list(await session.scalars(text("SELECT lag_s FROM feed ORDER BY page_id LIMIT 2")))
    assert lags == [50.0, None], "what was written before the page was connected is nobody's delay"
