"""Whose figures a person sees: by the explicit condition, and by row-level security behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.appeals.rules import Act
from app.people.queries import access_of_operator
from app.people.rules import Access, Role
from app.reports import rollup
from app.reports.rules import Bucket, Grouping
from app.reports.service import response_times, trend
from tests import factories as make
from tests.app.reports.test_response_times import NOVEMBER, NOW, at

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.directory.models import Agency, Territory
    from app.kernel.db import Database
    from app.reports.figures import Report


@dataclass
class Region:
    """Ministry > clinic with two and three appeals, roads with four; one answered by the clinic and now with roads."""

    land: Territory
    town: Territory
    ministry: Agency
    clinic: Agency
    roads: Agency


async def region(owner_db: Database) -> Region:
    async with owner_db.write() as session:
        land = await make.make_territory(session, name="Край")
        town = await make.make_territory(session, name="Город", parent=land)
        ministry = await make.make_agency(session, name="Министерство", territory=land)
        clinic = await make.make_agency(session, name="Поликлиника", parent=ministry, territory=town)
        roads = await make.make_agency(session, name="Дороги", territory=land)
        for agency, count in ((ministry, 2), (clinic, 3), (roads, 4)):
            for number in range(count):
                appeal = await make.make_taken_down_appeal(session, agency=agency, written_at=at(17, 9))
                await make.make_timer(session, appeal=appeal, stopped_at=at(17, 10 + number) if number else None)
        moved = await make.make_taken_down_appeal(session, agency=roads, written_at=at(16, 9))
        await make.make_assignment(session, appeal=moved, agency_id=clinic.id, since=at(16, 9), until=at(16, 12))
        await make.make_timer(session, appeal=moved, stopped_at=at(16, 11), agency_id=clinic.id, recorded_at=at(16, 9))
    return Region(land, town, ministry, clinic, roads)


async def hired(owner_db: Database, *grants: tuple[Role, Agency | Territory | None]) -> Access:
    async with owner_db.write() as session:
        person = await make.make_operator(session, role=None)
        for role, scope in grants:
            await make.grant(session, operator=person, role=role, scope=scope)
        access = await access_of_operator(session, operator_id=person.id)
    assert access is not None
    return access


async def seen(
    database: Database,
    access: Access,
    *,
    reader: Access | None = None,
    group_by: Grouping = Grouping.AGENCY,
    as_of: datetime | None = None,
) -> Report:
    """What `access` asks for while the database believes that `reader` is asking."""
    async with database.read(operator_id=(reader or access).operator_id) as session:
        return await response_times(session, access=access, period=NOVEMBER, group_by=group_by, now=NOW, as_of=as_of)


def told(report: Report) -> list[tuple[str, int, int]]:
    return [(row.label, row.depth, row.opened) for row in report.rows]


async def test_everyone_sees_their_own(owner_db: Database, web_db: Database) -> None:
    here = await region(owner_db)
    whole = [("Дороги", 0, 4), ("Министерство", 0, 6), ("Поликлиника", 1, 4)]
    expected: Sequence[tuple[tuple[Role, Agency | Territory | None], list[tuple[str, int, int]]]] = [
        ((Role.SUPERVISOR, None), whole),
        ((Role.SUPERVISOR, here.ministry), [("Министерство", 0, 6), ("Поликлиника", 1, 4)]),
        ((Role.OPERATOR, here.clinic), [("Поликлиника", 0, 4)]),
        ((Role.OPERATOR, here.roads), [("Дороги", 0, 4)]),
        ((Role.COORDINATOR, here.land), whole),
        ((Role.COORDINATOR, here.town), [("Поликлиника", 0, 3)]),
        ((Role.ADMINISTRATOR, None), []),
    ]
    for grant, rows in expected:
        access = await hired(owner_db, grant)
        report = await seen(web_db, access)
        assert told(report) == rows, grant
        assert report.total.opened == sum(opened for _, depth, opened in rows if depth == 0)
        async with web_db.read(operator_id=access.operator_id) as session:
            days = await trend(session, access=access, period=NOVEMBER, bucket=Bucket.DAY, now=NOW)
        assert days.total == report.total


async def test_roles_add_up(owner_db: Database, web_db: Database) -> None:
    here = await region(owner_db)
    both = await hired(owner_db, (Role.OPERATOR, here.clinic), (Role.COORDINATOR, here.town), (Role.OPERATOR, here.roads))
    assert told(await seen(web_db, both)) == [("Дороги", 0, 4), ("Поликлиника", 0, 4)]


async def test_a_place_above_the_scope_is_not_shown_by_its_part(owner_db: Database, web_db: Database) -> None:
    here = await region(owner_db)
    local = await hired(owner_db, (Role.COORDINATOR, here.town))
    assert told(await seen(web_db, local, group_by=Grouping.TERRITORY)) == [("Город", 0, 3)]
    everywhere = await hired(owner_db, (Role.COORDINATOR, here.land))
    assert told(await seen(web_db, everywhere, group_by=Grouping.TERRITORY)) == [("Край", 0, 10), ("Город", 1, 3)]


async def test_a_repetition_is_one_for_every_reader(owner_db: Database, web_db: Database, worker_db: Database) -> None:
    """The earlier appeal lies with an agency that this person does not see; also as of a moment, also before the worker has looked."""
    here = await region(owner_db)
    async with owner_db.write() as session:
        author, topic = await make.make_author(session), await make.make_topic(session)
        for agency, day in ((here.roads, 10), (here.clinic, 12)):
            appeal = await make.make_taken_down_appeal(session, agency=agency, written_at=at(day, 9), topic=topic)
            appeal.author_id = author.id
            await make.make_timer(session, appeal=appeal)
    clinic = await hired(owner_db, (Role.OPERATOR, here.clinic))
    for _ in range(2):
        for as_of in (None, NOW - timedelta(hours=1)):
            assert (await seen(web_db, clinic, as_of=as_of)).total.repeated == 1, as_of
        assert (await seen(web_db, clinic, as_of=at(11, 9))).total.repeated == 0, "not recorded yet"
        await rollup.refresh(worker_db, tz=NOVEMBER.tz)


async def test_who_held_it_then_sees_the_clocks_of_then(owner_db: Database, web_db: Database) -> None:
    """Later all went on to the roads: two were given a longer norm there, of the third it became known that its pause had ended before."""
    here = await region(owner_db)
    then, gone = at(16, 9), at(16, 12)
    async with owner_db.write() as session:
        moved, again, paused = [await make.make_taken_down_appeal(session, agency=here.roads, written_at=at(14, 9)) for _ in range(3)]
        for appeal in (moved, again, paused):
            await make.make_assignment(session, appeal=appeal, agency_id=here.clinic.id, since=at(14, 9), until=gone)
        change = {"promise": "first_answer", "due_before": at(15, 9).isoformat()}
        for appeal in (moved, again):
            await make.make_timer(session, appeal=appeal, due_at=at(25, 9), recorded_at=at(14, 9))
            await make.make_event(session, appeal=appeal, act=Act.POLICY_APPLIED, occurred_at=at(17, 9), data=change)
        await make.make_timer(session, appeal=paused, due_at=at(16, 8), recorded_at=at(14, 9))
        await make.make_pause(session, appeal=paused, since=at(14, 12), until=at(15, 12))
        await make.make_event(session, appeal=paused, act=Act.PAUSED, occurred_at=at(14, 12))
        await make.make_event(session, appeal=paused, act=Act.RESUMED, occurred_at=at(15, 12), recorded_at=at(17, 9))
    clinic, region_wide = await hired(owner_db, (Role.OPERATOR, here.clinic)), await hired(owner_db, (Role.SUPERVISOR, None))
    (own,) = (await seen(web_db, clinic, as_of=then)).rows
    whole = next(row for row in (await seen(web_db, region_wide, as_of=then)).rows if row.label == "Поликлиника")
    assert (own.waiting, own.overdue) == (whole.waiting, whole.overdue) == (4, 2), "two were overdue, one was thought to stand still"
    async with owner_db.write() as session:
        school = await make.make_agency(session, name="Школа", territory=here.land)
    door = text("SELECT count(*) FROM otklik_clock_events(:appeal, :then)")
    for agency, moment, told_of in (
        (here.clinic, then, 1),
        (here.clinic, gone + timedelta(hours=1), 0),
        (here.roads, then, 1),
        (school, then, 0),
    ):
        reader = await hired(owner_db, (Role.OPERATOR, agency))
        async with web_db.read(operator_id=reader.operator_id) as session:
            assert await session.scalar(door, {"appeal": moved.id, "then": moment}) == told_of, (agency.name, moment)


@pytest.mark.parametrize("group_by", list(Grouping))
@pytest.mark.parametrize("as_of", [None, NOW - timedelta(hours=1)])
async def test_row_level_security_stands_behind_a_forgotten_condition(
    owner_db: Database, web_db: Database, group_by: Grouping, as_of: datetime | None
) -> None:
    """The statement is asked for the whole region, the database knows better."""
    here = await region(owner_db)
    clinic = await hired(owner_db, (Role.OPERATOR, here.clinic))
    forgotten = replace(clinic, whole=True)
    leaked = await seen(web_db, forgotten, reader=clinic, group_by=group_by, as_of=as_of)
    assert leaked.total.opened == 4, "the clinic's own three, and the one that it answered before it was moved"
    async with web_db.read() as session:
        nobody = await response_times(session, access=None, period=NOVEMBER, group_by=group_by, now=NOW, as_of=as_of)
    assert (nobody.rows, nobody.total.opened) == ((), 0)
    honest = await seen(owner_db, clinic, group_by=group_by, as_of=None)
    assert honest.total.opened == 4, "the condition alone, without row-level security"
