"""A region comes in from files: all of it or, with every fault told, nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.directory.service import load_directory
from app.exchange.agencies import import_agencies
from app.exchange.calendars import complete_calendars, import_calendar
from app.exchange.rules import import_rules
from app.exchange.table import ImportFaultsError
from app.exchange.territories import import_spheres, import_territories
from app.exchange.topics import import_topics
from app.sla.calendar import from_json, working_time
from tests import factories as make

if TYPE_CHECKING:
    from app.exchange.result import Imported
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

SAMPLE = Path(__file__).resolve().parents[3] / "app" / "sample"
TERRITORIES = "code,parent,name,timezone\nregion,,Область,Asia/Omsk\ncity,region,Город,\neast,region,Восток,Asia/Tomsk\n"
AGENCIES = "code,parent,territory,name\nministry,,region,Министерство\nclinic,ministry,city,Больница\n"
TOPICS = "code,parent,name,weight,keywords\nhealth,,Медицина,2,врач*=2\nqueue,health,Очереди,,очеред*\n"


async def load(owner_db: Database, importer: Any, data: str, clock: FixedClock, **options: Any) -> Imported:
    async with owner_db.write() as session:
        result: Imported = await importer(session, data.encode(), now=clock.now(), **options)
        return result


async def faults(owner_db: Database, importer: Any, data: str, clock: FixedClock) -> list[tuple[int, str]]:
    with pytest.raises(ImportFaultsError) as refused:
        await load(owner_db, importer, data, clock)
    return [(fault.line, fault.text) for fault in refused.value.faults]


async def region(owner_db: Database, clock: FixedClock) -> None:
    for importer, data in ((import_territories, TERRITORIES), (import_agencies, AGENCIES), (import_topics, TOPICS)):
        await load(owner_db, importer, data, clock)


async def count(owner_db: Database, table: str) -> int:
    async with owner_db.read() as session:
        return int((await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one())  # noqa: S608 - ours


async def test_the_sample_region_comes_in_and_again_changes_nothing(owner_db: Database, clock: FixedClock) -> None:
    order = (
        (import_territories, "territories"), (import_spheres, "spheres"), (import_agencies, "agencies"),
        (import_calendar, "calendar"), (import_topics, "topics"),
    )  # fmt: skip
    for importer, name in order:
        first = await load(owner_db, importer, (SAMPLE / f"{name}.csv").read_text(encoding="utf-8"), clock)
        again = await load(owner_db, importer, (SAMPLE / f"{name}.csv").read_text(encoding="utf-8"), clock)
        assert first.added > 0, name
        assert (again.added, again.changed, again.same) == (0, 0, first.added), name
    assert await count(owner_db, "calendar_version") == 1
    assert await count(owner_db, "sla_policy_version") == 1


async def test_a_dry_run_counts_and_writes_nothing(owner_db: Database, clock: FixedClock) -> None:
    result = await load(owner_db, import_territories, TERRITORIES, clock, dry_run=True)
    assert (result.added, result.written, await count(owner_db, "territory")) == (3, False, 0)


async def test_children_may_stand_above_their_parents_and_move(owner_db: Database, clock: FixedClock) -> None:
    upside_down = "code,parent,name,timezone\nward,city,Район,\ncity,region,Город,\nregion,,Область,Asia/Omsk\n"
    await load(owner_db, import_territories, upside_down, clock)
    moved = await load(owner_db, import_territories, "code,parent,name\nward,region,Ленинский район\n", clock)
    assert (moved.added, moved.changed) == (0, 1)
    async with owner_db.read() as session:
        directory = await load_directory(session)
    ward = next(node for node in directory.territories.values() if node.code == "ward")
    assert (ward.name, len(ward.lineage)) == ("Ленинский район", 2)


async def test_every_fault_of_a_tree_is_told_and_nothing_written(owner_db: Database, clock: FixedClock) -> None:
    found = await faults(
        owner_db,
        import_territories,
        "code,parent,name,timezone\n"
        "a,b,А,\nb,a,Б,\nC,,В,Europe/Moscow\nd,x,Г,\ne,,Д,\nf,,Е,Europe/Atlantis\ng,d,,\nd,,Дубль,Europe/Moscow\n,,Пусто,Europe/Moscow\n",
        clock,
    )
    told = dict(found)
    assert "own ancestor" in told[2]
    assert "own ancestor" in told[3]
    assert "code 'C'" in told[4]
    assert "parent 'x'" in told[5]
    assert "timezone is empty" in told[6]
    assert "Europe/Atlantis" in told[7]
    assert "name is empty" in told[8]
    assert "line 5 too" in told[9]
    assert "code is empty" in told[10]
    assert await count(owner_db, "territory") == 0


async def test_a_circle_over_what_is_stored_is_told(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    found = await faults(owner_db, import_territories, "code,parent,name\nregion,city,Область\n", clock)
    assert any("own ancestor" in sentence for _, sentence in found)


async def test_codes_of_other_tables_must_be_known(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    assert "territory 'moon'" in (await faults(owner_db, import_agencies, "code,parent,territory,name\nx,,moon,Икс\n", clock))[0][1]
    found = await faults(owner_db, import_topics, "code,parent,name,weight,keywords\nx,,Икс,0,\ny,,Игрек,,=3\nz,,Зет,x,ok\n", clock)
    assert [line for line, _ in found] == [2, 3, 4]
    found = await faults(
        owner_db,
        import_rules,
        "page,territory,topic,agency\nvk:nobody,,,ministry\n,moon,,ministry\n,,moon,ministry\n,,,moon\n,city,,\n",
        clock,
    )
    assert [line for line, _ in found] == [2, 3, 4, 5, 6]


async def test_a_changed_rule_is_retired_and_followed_by_a_new_one(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    head = "page,territory,topic,agency,comment\n"
    first = await load(owner_db, import_rules, head + ",region,health,ministry,А\n,,,@page,Прочее\n", clock)
    assert first.added == 2
    clock.moment += timedelta(hours=1)
    second = await load(owner_db, import_rules, head + ",region,health,clinic,А\n", clock)
    assert (second.added, second.changed) == (0, 1)
    async with owner_db.read() as session:
        rows = (
            await session.execute(
                text("SELECT a.code, r.retired_at FROM routing_rule r LEFT JOIN agency a ON a.id = r.agency_id ORDER BY r.id")
            )
        ).all()
    assert [(row.code, row.retired_at is None) for row in rows] == [("ministry", False), (None, True), ("clinic", True)]
    await load(owner_db, import_rules, head + ",region,health,clinic,А\n", clock, replace=True)
    assert await count(owner_db, "routing_rule WHERE retired_at IS NULL") == 1


async def test_the_same_rule_twice_is_told(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    found = await faults(owner_db, import_rules, "page,territory,topic,agency\n,city,health,clinic\n,city,health,ministry\n", clock)
    assert found == [(3, "The same page, territory and topic stand in line 2 too. Keep one.")]


WEEK = "monday,tuesday,wednesday,thursday,friday,saturday,sunday"


async def hours(owner_db: Database, territory: str, at: datetime, agency: str | None = None) -> tuple[str, float]:
    """The zone, and the working hours of one ordinary week there."""
    async with owner_db.read() as session:
        directory = await load_directory(session)
    places = {node.code: node.id for node in directory.territories.values()}
    agencies = {node.code: node.id for node in directory.agencies.values()}
    row = directory.calendar_of(places[territory], at, agency_id=agencies.get(agency or ""))
    assert row is not None
    calendar = from_json(dict(row.definition), id=str(row.id), version=row.version)
    monday = datetime(2026, 11, 16, tzinfo=UTC)
    return calendar.timezone, working_time(calendar, monday, monday + timedelta(days=7)).total_seconds() / 3600


async def test_until_the_first_clock_runs_hours_hold_for_the_past_as_well(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    async with owner_db.write() as session:
        await complete_calendars(session, now=clock.now())
    await load(owner_db, import_calendar, f"territory,{WEEK}\nregion,{'09:00-13:00,' * 5},\n", clock)
    assert await hours(owner_db, "city", clock.now() - timedelta(days=900)) == ("Asia/Omsk", 20)
    assert await hours(owner_db, "east", clock.now() - timedelta(days=900)) == ("Asia/Tomsk", 20)


async def test_hours_are_inherited_in_the_own_time_zone_and_follow_the_parent(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    async with owner_db.write() as session:
        assert await complete_calendars(session, now=clock.now()) == 2
        assert await complete_calendars(session, now=clock.now()) == 0
    assert await hours(owner_db, "city", clock.now()) == ("Asia/Omsk", 40)
    assert await hours(owner_db, "east", clock.now() - timedelta(days=900)) == ("Asia/Tomsk", 40)

    clock.moment += timedelta(days=1)
    async with owner_db.write() as session:
        await make.make_timer(session, appeal=await make.make_appeal(session))
    half = f"territory,{WEEK}\nregion,{'09:00-13:00,' * 5},\n"
    changed = await load(owner_db, import_calendar, half, clock)
    assert (changed.added, changed.changed) == (0, 1)
    assert await hours(owner_db, "city", clock.now()) == ("Asia/Omsk", 20)
    assert await hours(owner_db, "east", clock.now()) == ("Asia/Tomsk", 20)
    assert await hours(owner_db, "east", clock.now() - timedelta(seconds=1)) == ("Asia/Tomsk", 40), "what was, stays"

    clock.moment += timedelta(days=1)
    own = f"territory,agency,{WEEK}\neast,,{'10:00-11:00,' * 5},\ncity,clinic,{'00:00-24:00,' * 7}"[:-1]
    await load(owner_db, import_calendar, own, clock)
    clock.moment += timedelta(days=1)
    await load(owner_db, import_calendar, f"territory,{WEEK}\nregion,{'09:00-12:00,' * 5},\n", clock)
    assert await hours(owner_db, "east", clock.now()) == ("Asia/Tomsk", 5), "own hours do not follow"
    assert await hours(owner_db, "city", clock.now()) == ("Asia/Omsk", 15)
    assert await hours(owner_db, "city", clock.now(), agency="clinic") == ("Asia/Omsk", 168)


async def test_hours_that_cannot_be_read_are_told(owner_db: Database, clock: FixedClock) -> None:
    await region(owner_db, clock)
    found = await faults(
        owner_db, import_calendar, f"territory,agency,{WEEK}\nregion,,9 to 6,,,,,,\nmoon,,,,,,,,\nregion,nobody,18:00-09:00,,,,,,\n", clock
    )
    assert [line for line, _ in found] == [2, 3, 4, 4]
    assert "09:00-13:00 14:00-18:00" in found[0][1]
    twice = f"territory,{WEEK}\nregion,,,,,,,\nregion,,,,,,,\n"
    assert [line for line, _ in await faults(owner_db, import_calendar, twice, clock)] == [3]
