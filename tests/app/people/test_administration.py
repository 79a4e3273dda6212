"""Whom an administrator may touch: asked in code, and again by row-level security when the code forgot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.kernel.errors import ForbiddenError, NotFoundError
from app.people import administration, api_tokens, staff
from app.people.queries import access_of_operator
from app.people.rules import Grant, Role
from tests import factories as make

if TYPE_CHECKING:
    from app.directory.models import Agency, Territory
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.people.rules import Access


@dataclass(frozen=True, kw_only=True, slots=True)
class Realm:
    """Region > town > ward; ministry (region) > clinic (town), school (ward). Administrators of some of it."""

    town: Territory
    ward: Territory
    ministry: Agency
    clinic: Agency
    school: Agency
    people: dict[str, int]


@pytest.fixture
async def realm(owner_db: Database) -> Realm:
    async with owner_db.write() as session:
        region = await make.make_territory(session, code="region")
        town = await make.make_territory(session, code="town", parent=region)
        ward = await make.make_territory(session, code="ward", parent=town)
        ministry = await make.make_agency(session, code="ministry", territory=region)
        clinic = await make.make_agency(session, code="clinic", territory=town, parent=ministry)
        school = await make.make_agency(session, code="school", territory=ward)
        admin = Role.ADMINISTRATOR
        people = {
            "chief": (await make.make_operator(session, role=admin, name="Chief")).id,
            "of ministry": (await make.make_operator(session, role=admin, scope=ministry, name="Of ministry")).id,
            "of town": (await make.make_operator(session, role=admin, scope=town, name="Of town")).id,
            "doctor": (await make.make_operator(session, scope=clinic, name="Doctor")).id,
            "teacher": (await make.make_operator(session, scope=school, name="Teacher")).id,
            "minister": (await make.make_operator(session, scope=ministry, name="Minister")).id,
            "nobody": (await make.make_operator(session, role=None, name="Nobody")).id,
            "supervisor": (await make.make_operator(session, role=Role.SUPERVISOR, name="Supervisor")).id,
        }
        both = await make.make_operator(session, scope=clinic, name="Both")
        await make.grant(session, operator=both, role=Role.SUPERVISOR)
        people["both"] = both.id
    return Realm(town=town, ward=ward, ministry=ministry, clinic=clinic, school=school, people=people)


async def access_of(web_db: Database, operator_id: int) -> Access:
    async with web_db.read() as session:
        access = await access_of_operator(session, operator_id=operator_id)
    assert access is not None
    return access


REACH = {
    "chief": {"chief", "of ministry", "of town", "doctor", "teacher", "minister", "nobody", "supervisor", "both"},
    "of ministry": {"of ministry", "doctor", "minister", "nobody"},
    "of town": {"of town", "doctor", "teacher", "nobody"},
    "supervisor": set(),
    "doctor": set(),
}


@pytest.mark.parametrize("who", REACH)
async def test_an_administrator_reaches_whom_their_scope_holds_whole(web_db: Database, realm: Realm, who: str) -> None:
    """Somebody with one role beyond it is out of reach: a link for them would be a way into that role."""
    access = await access_of(web_db, realm.people[who])
    async with web_db.read(operator_id=access.operator_id) as session:
        listed = {line.id for line in await administration.people(session)}
        assert listed == {realm.people[name] for name in REACH[who]}
        for name, operator_id in realm.people.items():
            if name in REACH[who] and name != who:
                await administration.require_person(session, access, operator_id=operator_id)
            else:
                with pytest.raises(ForbiddenError):
                    await administration.require_person(session, access, operator_id=operator_id)
        with pytest.raises(NotFoundError):
            await administration.require_person(session, access, operator_id=10**12)


@pytest.mark.parametrize("who", [who for who in REACH if who != "chief"])
async def test_the_database_refuses_what_the_code_forgot_to_ask(web_db: Database, clock: FixedClock, realm: Realm, who: str) -> None:
    me, now = realm.people[who], clock.now()
    for name, operator_id in realm.people.items():
        if name in REACH[who] and name != who:
            continue
        if name != who:
            with pytest.raises(DBAPIError, match="row-level security"):
                async with web_db.write(operator_id=me) as session:
                    await staff.new_link(session, operator_id=operator_id, now=now, by=me)
        with pytest.raises(DBAPIError, match="row-level security"):
            async with web_db.write(operator_id=me) as session:
                await staff.give_role(session, operator_id=operator_id, grants=[Grant(role=Role.OPERATOR)], now=now, by=me)
        async with web_db.write(operator_id=me) as session:
            ended = await session.execute(
                text("UPDATE operator_role SET until = now() WHERE operator_id = :id RETURNING id"), {"id": operator_id}
            )
            assert ended.all() == []
            if name != who:
                left = await session.execute(
                    text("UPDATE operator SET deactivated_at = now() WHERE id = :id RETURNING id"), {"id": operator_id}
                )
                assert left.all() == []


async def test_nobody_raises_themselves(web_db: Database, clock: FixedClock, realm: Realm) -> None:
    """Not even the chief: another administrator has to do it, so that one stolen session makes no second one."""
    for who in ("chief", "of ministry"):
        me = realm.people[who]
        access = await access_of(web_db, me)
        async with web_db.read(operator_id=me) as session:
            with pytest.raises(ForbiddenError) as refused:
                await administration.require_person(session, access, operator_id=me)
        assert refused.value.code in {"operator.self", "operator.reach"}
        with pytest.raises(DBAPIError, match="row-level security"):
            async with web_db.write(operator_id=me) as session:
                await staff.add_grants(session, operator_id=me, grants=[Grant(role=Role.SUPERVISOR)], now=clock.now())


async def test_a_scope_gives_no_more_than_itself(web_db: Database, clock: FixedClock, realm: Realm) -> None:
    me = realm.people["of town"]
    within = [
        Grant(role=Role.ADMINISTRATOR, territory_id=realm.town.id), Grant(role=Role.OPERATOR, territory_id=realm.ward.id),
        Grant(role=Role.SUPERVISOR, agency_id=realm.clinic.id), Grant(role=Role.OPERATOR, agency_id=realm.school.id),
    ]  # fmt: skip
    beyond = [Grant(role=Role.OPERATOR), Grant(role=Role.OPERATOR, agency_id=realm.ministry.id)]
    async with web_db.write(operator_id=me) as session:
        await administration.require_grants(session, grants=within)
        await staff.invite(session, login="new-one", name="Новая", grants=within, now=clock.now(), by=me)
        for grant in beyond:
            with pytest.raises(ForbiddenError):
                await administration.require_grants(session, grants=[grant])
    for grant in beyond:
        with pytest.raises(DBAPIError, match="row-level security"):
            async with web_db.write(operator_id=me) as session:
                await staff.invite(session, login="another", name="Другая", grants=[grant], now=clock.now(), by=me)
        with pytest.raises(DBAPIError, match="row-level security"):
            async with web_db.write(operator_id=me) as session:
                await api_tokens.create_service_token(session, name="X", grants=[grant], now=clock.now(), by=me)


async def test_an_invitation_of_a_name_that_is_taken_is_no_way_into_that_account(web_db: Database, realm: Realm) -> None:
    async with web_db.read(operator_id=realm.people["of town"]) as session:
        for name in ("chief", "minister", "both"):
            login = await session.scalar(text("SELECT login FROM operator WHERE id = :id"), {"id": realm.people[name]})
            with pytest.raises(ForbiddenError):
                await administration.require_login(session, login=str(login))
        await administration.require_login(session, login="nobody-yet")


async def test_the_list_is_searched_and_goes_on(web_db: Database, owner_db: Database, realm: Realm) -> None:
    async with owner_db.write() as session:
        for name in ("Ёлкина 100%", "Елкин_а", "Ежова"):
            await make.make_operator(session, scope=realm.clinic, name=name)
    async with web_db.read(operator_id=realm.people["chief"]) as session:
        assert [line.name for line in await administration.people(session, words="ёлкин")] == ["Елкин_а", "Ёлкина 100%"]
        assert [line.name for line in await administration.people(session, words="0%")] == ["Ёлкина 100%"]
        assert [line.name for line in await administration.people(session, words="_")] == ["Елкин_а"]
        seen: list[int] = []
        after = ""
        while page := await administration.people(session, after=after, most=2):
            seen += [line.id for line in page]
            after = administration.place_after(page[-1])
        assert len(seen) == len(set(seen)) == len(realm.people) + 3
        assert await administration.people(session, after="|||nonsense") != []


async def test_who_leaves_is_let_in_by_nothing_and_may_come_back(
    owner_db: Database, web_db: Database, clock: FixedClock, realm: Realm
) -> None:
    me, doctor, now = realm.people["of town"], realm.people["doctor"], clock.now()
    async with web_db.write(operator_id=me) as session:
        link = await staff.new_link(session, operator_id=doctor, now=now, by=me)
        await staff.leave(session, operator_id=doctor, now=now, by=me)
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM invitation WHERE expires_at > :now"), {"now": now}) == 0
    async with web_db.read() as session:
        assert await access_of_operator(session, operator_id=doctor) is None
    async with web_db.write(operator_id=me) as session:
        again = await staff.come_back(session, operator_id=doctor, now=now, by=me)
    assert again.token != link.token
    assert (await access_of(web_db, doctor)).agency_ids == (realm.clinic.id,)
