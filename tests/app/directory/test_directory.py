"""The directory as a value, and as lists to choose from."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import text

from app.directory import queries
from app.directory.service import lineages, load_directory
from app.kernel.db import Database
from app.kernel.errors import InvalidError
from app.sla.book import DatedPolicy
from app.sla.policy import Matter, PolicyVersion, Term
from app.sla.rules import Promise
from app.sla.service import load_book
from tests.factories import make_territory

JANUARY, JUNE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


_REGION = (
    "INSERT INTO territory (code, name, timezone) VALUES ('region', 'Область', 'Asia/Omsk')",
    """
    INSERT INTO territory (code, name, parent_id, timezone) SELECT v.code, v.name, r.id, v.zone FROM territory r,
      (VALUES ('city', 'Ёлкино', NULL), ('east', 'Восток', 'Asia/Tomsk'), ('zhar', 'Жарки', NULL)) v(code, name, zone)
    """,
    "INSERT INTO territory (code, name, parent_id) SELECT 'ward', 'Ленинский', id FROM territory WHERE code = 'city'",
    "INSERT INTO agency (code, name, territory_id) SELECT 'ministry', 'Минздрав', id FROM territory WHERE code = 'region'",
    """
    INSERT INTO agency (code, name, territory_id, parent_id) SELECT 'clinic', 'Больница', t.id, a.id FROM territory t, agency a
    WHERE t.code = 'ward' AND a.code = 'ministry'
    """,
    "INSERT INTO topic (code, name, weight, terms) VALUES ('health', 'Медицина', 2, 'врач')",
    "INSERT INTO topic (code, name, parent_id) SELECT 'queue', 'Очереди', id FROM topic",
    "INSERT INTO sphere (code, name) VALUES ('s1', 'Спорт'), ('s2', 'Ёлки'), ('s3', 'Здоровье')",
)
_CALENDAR = """
INSERT INTO calendar_version (territory_id, agency_id, version, definition, valid_from)
SELECT t.id, (SELECT id FROM agency WHERE code = :agency), :version, CAST(:definition AS jsonb), :since
FROM territory t WHERE t.code = :code
"""
_VERSIONS = (("region", 1, JANUARY, None), ("region", 2, JUNE, None), ("city", 1, JUNE, None), ("ward", 1, JUNE, "clinic"))


async def fill(owner_db: Database) -> None:
    async with owner_db.write() as session:
        for statement in _REGION:
            await session.execute(text(statement))
        for code, version, since, agency in _VERSIONS:
            row = {"code": code, "version": version, "since": since, "agency": agency}
            definition = json.dumps({"of": f"{code}{version}{agency or ''}"})
            await session.execute(text(_CALENDAR), {**row, "definition": definition})


async def test_lineages_time_zones_and_topics(owner_db: Database, worker_db: Database) -> None:
    await fill(owner_db)
    async with worker_db.read() as session:
        directory = await load_directory(session)
    places = {node.code: node for node in directory.territories.values()}
    agencies = {node.code: node for node in directory.agencies.values()}
    assert places["ward"].lineage == (places["ward"].id, places["city"].id, places["region"].id)
    assert {code: node.timezone for code, node in places.items()} == {
        "region": "Asia/Omsk",
        "city": "Asia/Omsk",
        "ward": "Asia/Omsk",
        "zhar": "Asia/Omsk",
        "east": "Asia/Tomsk",
    }
    assert agencies["clinic"].lineage == (agencies["clinic"].id, agencies["ministry"].id)
    assert directory.agencies_under(agencies["ministry"].id) == (agencies["ministry"].id, agencies["clinic"].id)
    queue = directory.topics[directory.topic_ids["queue"]]
    assert directory.topic_lineage(directory.topic_id("queue")) == (queue.id, directory.topic_ids["health"])
    assert (directory.topic_id("nothing"), directory.topic_id(None), directory.agency_lineage(None)) == (None, None, ())
    assert directory.topics[directory.topic_ids["health"]].terms == "врач"
    assert directory.timezone_of(None) == "Europe/Moscow"


async def test_where_no_zone_is_set_the_installations_holds(owner_db: Database) -> None:
    """Its days ended at midnight in Moscow, whatever OTKLIK_TIMEZONE said."""
    database = Database(owner_db.engine, timezone="Asia/Vladivostok")
    async with database.write() as session:
        place = await make_territory(session, timezone=None)
        own = await make_territory(session, timezone="Asia/Kamchatka")
    async with database.read() as session:
        directory, book = await load_directory(session), await load_book(session, now=JUNE)
    assert directory.timezone_of(place.id) == directory.timezone_of(None) == "Asia/Vladivostok"
    days = PolicyVersion(id=1, code="days", version=1, promises={Promise.FIRST_ANSWER: Term(days=1)})
    promising = book.with_policy(DatedPolicy(policy=days, valid_from=JANUARY, valid_until=None))
    (timer,) = promising.plan(Matter(territories=(place.id,)), JUNE)
    assert timer.due_at == datetime(2026, 6, 2, 14, tzinfo=UTC)  # the end of 2 June in Vladivostok
    (timer,) = promising.plan(Matter(territories=(own.id, place.id)), JUNE)
    assert timer.due_at == datetime(2026, 6, 2, 12, tzinfo=UTC)  # and in Kamchatka


@pytest.mark.parametrize(
    ("territory", "agency", "at", "expected"),
    [
        ("ward", None, datetime(2026, 3, 1, tzinfo=UTC), "region1"),
        ("ward", None, JUNE, "city1"),
        ("zhar", None, JUNE, "region2"),
        ("ward", "clinic", JUNE, "ward1clinic"),
        ("ward", "clinic", datetime(2026, 5, 31, tzinfo=UTC), "region1"),
        ("ward", "ministry", JUNE, "city1"),
        ("ward", None, datetime(2025, 12, 31, tzinfo=UTC), None),
    ],
)
async def test_the_nearest_calendar_in_force(
    owner_db: Database, worker_db: Database, territory: str, agency: str | None, at: datetime, expected: str | None
) -> None:
    await fill(owner_db)
    async with worker_db.read() as session:
        directory = await load_directory(session)
        codes = await queries.ids_of_codes(session, "territory", [territory])
        agencies = await queries.ids_of_codes(session, "agency", [agency or ""])
    found = directory.calendar_of(codes[territory], at, agency_id=agencies.get(agency or ""))
    assert (found and found.definition["of"]) == expected


async def test_pickers_sort_yo_as_ye_and_keep_children_under_parents(owner_db: Database, web_db: Database) -> None:
    await fill(owner_db)
    async with web_db.read() as session:
        places = await queries.territory_choices(session)
        assert [(one.name, one.depth) for one in places] == [("Область", 0), ("Восток", 1), ("Ёлкино", 1), ("Ленинский", 2), ("Жарки", 1)]
        assert [one.name for one in await queries.sphere_choices(session)] == ["Ёлки", "Здоровье", "Спорт"]
        assert [one.code for one in await queries.topic_choices(session)] == ["health", "queue"]
        assert [one.code for one in await queries.agency_choices(session)] == ["ministry", "clinic"]
        city = (await queries.ids_of_codes(session, "territory", ["city", "unknown"]))["city"]
        assert len(await queries.territories_with_children(session, [city])) == 2
        assert await queries.agencies_with_children(session, []) == []


def test_a_circle_is_told() -> None:
    with pytest.raises(InvalidError, match="own ancestor"):
        lineages({1: 2, 2: 3, 3: 1})


@given(st.lists(st.integers(min_value=0, max_value=40), max_size=40))
def test_every_lineage_begins_with_itself_and_ends_at_a_root(parents: list[int]) -> None:
    tree = {node: (parent % node if node and parent else None) for node, parent in enumerate(parents)}
    for node, line in lineages(tree).items():
        assert line[0] == node
        assert tree[line[-1]] is None
        assert list(line[1:]) == [tree[one] for one in line[:-1]]
