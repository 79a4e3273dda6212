"""Counts beside the filters: each says what a click would show."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from app.appeals.filters import QueueFilters
from app.appeals.queries import FacetCounts, facets, queue
from app.appeals.rules import WAITING, Status
from app.people.rules import Role
from app.replies.rules import ReplyState
from tests import factories
from tests.app.appeals.reading import reading_as

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.people.models import Operator


async def counted(web_db: Database, person: Operator, clock: FixedClock, filters: QueueFilters) -> tuple[FacetCounts, dict[str, int]]:
    """The counts, and how many rows each click would show in the queue itself."""
    async with reading_as(web_db, person) as (session, access):
        found = await facets(session, access, filters=filters, now=clock.now())
        clicks = {
            "waiting": filters,
            "mine": replace(filters, mine=True),
            "overdue": replace(filters, overdue=True),
            "trouble": replace(filters, trouble=True, statuses=filters.statuses or WAITING),
        }
        clicks |= {f"status {status}": replace(filters, statuses=frozenset({status})) for status in found.statuses}
        clicks |= {f"platform {one}": replace(filters, platforms=(one,)) for one in found.platforms}
        clicks |= {f"agency {one}": replace(filters, agency_ids=(one,)) for one in found.agencies}
        clicks |= {f"topic {one}": replace(filters, topic_ids=(one,)) for one in found.topics if one is not None}
        clicks |= {f"territory {one}": replace(filters, territory_ids=(one,)) for one in found.territories}
        shown = {
            name: len((await queue(session, access, filters=asked, now=clock.now(), limit=100)).rows) for name, asked in clicks.items()
        }
    return found, shown


def told(found: FacetCounts) -> dict[str, int]:
    """The counts by the names of the clicks."""
    counts = {"waiting": found.waiting, "mine": found.mine, "overdue": found.overdue, "trouble": found.trouble}
    counts |= {f"status {key}": value for key, value in found.statuses.items()}
    counts |= {f"platform {key}": value for key, value in found.platforms.items()}
    counts |= {f"agency {key}": value for key, value in found.agencies.items()}
    counts |= {f"topic {key}": value for key, value in found.topics.items() if key is not None}
    return counts | {f"territory {key}": value for key, value in found.territories.items()}


async def test_each_count_is_what_a_click_would_show(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    chance = random.Random(7)
    async with owner_db.write() as session:
        agencies = [await factories.make_agency(session) for _ in range(3)]
        topics = [await factories.make_topic(session) for _ in range(2)]
        coordinator = await factories.make_operator(session, role=Role.COORDINATOR)
        operator = await factories.make_operator(session, scope=agencies[0])
        for _ in range(30):
            appeal = await factories.make_appeal(
                session,
                agency=chance.choice(agencies),
                platform=chance.choice(["vk", "telegram"]),
                topic=chance.choice([None, *topics]),
                operator=chance.choice([None, coordinator, operator]),
                status=chance.choice([Status.NEW, Status.IN_WORK, Status.IN_WORK, Status.ANSWERED]),
                due_at=clock.now() + timedelta(hours=chance.choice([-1, 1])),
            )
            if chance.random() < 0.3:
                await factories.make_reply(session, appeal=appeal, state=ReplyState.FAILED)
    selections = [
        QueueFilters(),
        QueueFilters(mine=True),
        QueueFilters(overdue=True, platforms=("vk",)),
        QueueFilters(agency_ids=(agencies[0].id, agencies[1].id), topic_ids=(topics[0].id,)),
        QueueFilters(statuses=frozenset({Status.NEW})),
        QueueFilters(trouble=True, statuses=WAITING),
        QueueFilters(platforms=()),
    ]
    for person in (coordinator, operator):
        for filters in selections:
            found, shown = await counted(web_db, person, clock, filters)
            assert told(found) == shown, filters
            assert not found.capped
    found, _ = await counted(web_db, operator, clock, QueueFilters())
    assert set(found.agencies) == {agencies[0].id}, "others are not even counted"
    assert found.waiting > 3


async def test_a_search_is_counted_within_reach(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        ours, theirs = await factories.make_agency(session), await factories.make_agency(session)
        person = await factories.make_operator(session, scope=ours)
        for agency in (ours, theirs):
            await factories.make_taken_down_appeal(session, agency=agency, text="Сломаны качели у школы.")
            await factories.make_taken_down_appeal(session, agency=agency, text="Нет воды.")
    async with reading_as(web_db, person) as (session, access):
        found = await facets(session, access, filters=QueueFilters(search="качели"), now=clock.now())
    assert (found.waiting, dict(found.agencies)) == (1, {ours.id: 1})
