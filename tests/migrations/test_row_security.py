"""The second lock: whatever a query forgot, each person's rows are theirs - to see, and to write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.people.rules import Role
from app.sources.rules import Fate
from tests import factories as make
from tests.factories import MORNING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.directory.models import Agency, Territory
    from app.kernel.db import Database

pytestmark = pytest.mark.migrations


@dataclass
class Place:
    """An appeal of the road agency that was with the housing agency before, on a page of the town's."""

    people: dict[str, int] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)


@pytest.fixture
async def place(owner_db: Database) -> Place:
    found = Place()
    async with owner_db.write() as session:
        region = await make.make_territory(session)
        town = await make.make_territory(session, parent=region)
        elsewhere = await make.make_territory(session, parent=region)
        hall = await make.make_agency(session, territory=town)
        roads, housing, other = [await make.make_agency(session, territory=region) for _ in range(3)]
        yard = await make.make_agency(session, parent=roads)
        page = await make.make_page(session, agency=hall, territory=town)
        comment = await make.make_comment(session, post=await make.make_post(session, page=page))
        waiting = await make.make_comment(session, post=await make.make_post(session, page=page), fate=Fate.IN_TRIAGE)
        appeal = await make.make_appeal(session, comment=comment, agency=roads, territory=town)
        await make.make_assignment(session, appeal=appeal, agency_id=housing.id, since=MORNING, until=MORNING.replace(hour=23))
        scopes: dict[str, tuple[Role | None, Agency | Territory | None]] = {
            "worker of roads": (Role.OPERATOR, roads),
            "worker of a part of roads": (Role.OPERATOR, yard),
            "worker of housing": (Role.OPERATOR, housing),
            "worker of another agency": (Role.OPERATOR, other),
            "worker of the page's agency": (Role.OPERATOR, hall),
            "coordinator of the town": (Role.COORDINATOR, town),
            "coordinator of the region": (Role.COORDINATOR, region),
            "coordinator elsewhere": (Role.COORDINATOR, elsewhere),
            "supervisor": (Role.SUPERVISOR, None),
            "administrator": (Role.ADMINISTRATOR, None),
            "without a role": (None, None),
        }
        for name, (role, scope) in scopes.items():
            found.people[name] = (await make.make_operator(session, role=role, scope=scope)).id
        left = await make.make_operator(session, role=Role.SUPERVISOR)
        await session.execute(text("UPDATE operator SET deactivated_at = now() WHERE id = :id"), {"id": left.id})
        found.people["who has left"] = left.id
        await session.execute(text("INSERT INTO feed (platform, key, page_id) VALUES ('vk', '1', :page)"), {"page": page.id})
        found.ids = {"appeal": appeal.id, "comment": comment.id, "waiting": waiting.id, "agency": other.id}
    return found


EVERYTHING = {"appeal": 1, "appeal_event": 1, "appeal_assignment": 2, "comment": 2, "author": 2, "feed": 1, "queue_line": 1}
NOTHING = dict.fromkeys(EVERYTHING, 0)
THE_MATTER = EVERYTHING | {"comment": 1, "author": 1, "feed": 0}
THE_PAGE = NOTHING | {"comment": 2, "author": 2, "feed": 1}

SIGHT = {
    "worker of roads": THE_MATTER,
    "worker of a part of roads": NOTHING,
    # What was added since is not theirs; what was there until they handed it on stays readable, but stands in no list.
    "worker of housing": THE_MATTER | {"queue_line": 0},
    "worker of another agency": NOTHING,
    "worker of the page's agency": THE_PAGE,
    "coordinator of the town": EVERYTHING,
    "coordinator of the region": EVERYTHING,
    "coordinator elsewhere": NOTHING,
    "supervisor": EVERYTHING,
    "administrator": NOTHING | {"feed": 1},  # how pages are watched, and nothing of citizens
    "without a role": NOTHING,
    "who has left": NOTHING,
}


async def test_each_person_sees_what_is_theirs(place: Place, web_db: Database) -> None:
    """Queries without any condition, as the web process runs them."""
    for name, expected in SIGHT.items():
        async with web_db.read(operator_id=place.people[name]) as session:
            seen = {table: await session.scalar(text(f"SELECT count(*) FROM {table}")) for table in expected}  # noqa: S608 - constants
        assert seen == expected, name
    async with web_db.read() as session:  # the program itself, on behalf of nobody
        assert await session.scalar(text("SELECT count(*) FROM appeal")) == 0


WRITES = {
    "works on it": "UPDATE appeal SET touched_at = now() WHERE id = :appeal RETURNING id",
    "writes history": "INSERT INTO appeal_event (appeal_id, act, cycle, occurred_at) VALUES (:appeal, 'noted', 1, now()) RETURNING id",
    "answers": "INSERT INTO reply (appeal_id, comment_id, cycle, text, state) VALUES (:appeal, :comment, 1, 'Да', 'queued') RETURNING id",
    "adds words": "INSERT INTO appeal_text (appeal_id, text) VALUES (:appeal, 'Да') RETURNING appeal_id",
    "hands it over": (
        "INSERT INTO appeal_assignment (appeal_id, agency_id, since, until) VALUES (:appeal, :agency, now(), now()) RETURNING id"
    ),
    "corrects": (
        "INSERT INTO verdict (comment_id, classifier, version, kind, confidence) VALUES (:comment, '?', '1', 'appeal', 1) RETURNING id"
    ),
    "decides": "UPDATE comment SET fate = 'not_appeal' WHERE id = :waiting RETURNING id",
    "routes": "SELECT otklik_route_appeal(:appeal, :agency, (SELECT territory_id FROM agency WHERE id = :agency), 1, now())",
}
ALL = set(WRITES)
ON_THE_APPEAL = ALL - {"decides"}
MAY_WRITE = {
    "worker of roads": ON_THE_APPEAL,
    "worker of a part of roads": set(),
    "worker of housing": set(),
    "worker of another agency": set(),
    "worker of the page's agency": {"corrects", "decides"},
    "coordinator of the town": ALL,
    "coordinator of the region": ALL,
    "coordinator elsewhere": set(),
    "supervisor": ALL,  # their permissions in code are fewer
    "administrator": set(),
    "without a role": set(),
    "who has left": set(),
}


@pytest.mark.parametrize("name", MAY_WRITE)
async def test_each_person_writes_only_where_they_work(place: Place, web_db: Database, name: str) -> None:
    """A former agency reads its period and writes nothing; to see a thread is not to decide about it."""
    done = set()
    for what, statement in WRITES.items():
        named = {key: value for key, value in place.ids.items() if f":{key}" in statement}
        if await _does(web_db, place.people[name], statement, named):
            done.add(what)
    assert done == MAY_WRITE[name]


async def _does(web_db: Database, operator_id: int, statement: str, named: Mapping[str, int]) -> bool:
    """Whether the statement writes a row; undone, so that each one finds the same rows."""
    async with web_db.write(operator_id=operator_id) as session:
        try:
            written = (await session.execute(text(statement), named)).scalar_one_or_none() is not None
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != "42501":
                raise
            written = False
        await session.rollback()
    return written


async def test_the_narrow_door_moves_only_what_waits(place: Place, owner_db: Database, web_db: Database) -> None:
    """A closed appeal is not brought back by handing it on, nor one that has changed since it was read."""
    statement = text("SELECT otklik_route_appeal(:appeal, :agency, NULL, :version, now())")
    person = place.people["worker of roads"]
    for version, status in ((2, "new"), (1, "closed"), (1, "answered"), (1, "dismissed")):
        async with owner_db.write() as session:
            await session.execute(text("UPDATE appeal SET status = :status"), {"status": status})
        async with web_db.write(operator_id=person) as session:
            named = {"appeal": place.ids["appeal"], "agency": place.ids["agency"], "version": version}
            assert await session.scalar(statement, named) is None, (version, status)
