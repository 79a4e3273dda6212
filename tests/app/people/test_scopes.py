"""To see is not to work: each permission reaches as far as the role that gives it, and no further."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from app.appeals import service as appeals
from app.appeals.rules import DismissReason
from app.kernel.errors import ForbiddenError, NotFoundError
from app.people.queries import access_of_operator
from app.people.rules import ROLE_PERMISSIONS, Permission, Role
from tests import factories as make
from tests.factories import MORNING

if TYPE_CHECKING:
    from app.kernel.db import Database
    from app.people.rules import Access


async def access_of(database: Database, operator_id: int) -> Access:
    async with database.read(operator_id=operator_id) as session:
        access = await access_of_operator(session, operator_id=operator_id)
    assert access is not None
    return access


async def test_who_supervises_the_region_works_for_their_own_agency_only(owner_db: Database, web_db: Database) -> None:
    async with owner_db.write() as session:
        agency, other = [await make.make_agency(session) for _ in range(2)]
        part = await make.make_agency(session, parent=agency)
        person = await make.make_operator(session, role=Role.SUPERVISOR)
        await make.grant(session, operator=person, role=Role.OPERATOR, scope=agency)
        mine, below, theirs = [await make.make_appeal(session, agency=one) for one in (agency, part, other)]
    access = await access_of(web_db, person.id)
    assert access.whole
    for appeal, works in ((mine, True), (below, True), (theirs, False)):
        reach = {"agency_id": appeal.agency_id, "territory_id": appeal.territory_id}
        assert access.reaches(Permission.APPEAL_READ, **reach)
        assert access.reaches(Permission.APPEAL_NOTE, **reach)
        assert access.reaches(Permission.APPEAL_WORK, **reach) is works
        assert not access.reaches(Permission.CONFIGURE, **reach)
    async with web_db.write(operator_id=person.id) as session:
        await appeals.note(session, access, number=theirs.number, words="Обратите внимание.", now=MORNING)
        await appeals.take(session, access, number=mine.number, now=MORNING)
    with pytest.raises(ForbiddenError):
        async with web_db.write(operator_id=person.id) as session:
            await appeals.dismiss(session, access, number=theirs.number, reason=DismissReason.SPAM, seen_version=None, now=MORNING)


async def test_a_coordinator_of_one_town_who_answers_for_an_agency_elsewhere_triages_in_town_only(
    owner_db: Database, web_db: Database
) -> None:
    async with owner_db.write() as session:
        region = await make.make_territory(session)
        town = await make.make_territory(session, parent=region)
        ward = await make.make_territory(session, parent=town)
        agency = await make.make_agency(session, territory=region)
        person = await make.make_operator(session, role=Role.COORDINATOR, scope=town)
        await make.grant(session, operator=person, role=Role.OPERATOR, scope=agency)
    access = await access_of(web_db, person.id)
    assert access.reaches(Permission.TRIAGE_WORK, agency_id=0, territory_id=ward.id)
    assert not access.reaches(Permission.TRIAGE_WORK, agency_id=agency.id, territory_id=region.id)
    assert access.reaches(Permission.APPEAL_WORK, agency_id=agency.id, territory_id=region.id)


async def test_who_has_no_role_reaches_nothing_and_an_administrator_no_appeal(owner_db: Database, web_db: Database) -> None:
    async with owner_db.write() as session:
        appeal = await make.make_appeal(session)
        people = {role: await make.make_operator(session, role=role) for role in (None, Role.ADMINISTRATOR)}
    for role, person in people.items():
        access = await access_of(web_db, person.id)
        able = frozenset() if role is None else ROLE_PERMISSIONS[role]
        for permission in Permission:
            assert access.reaches(permission, agency_id=appeal.agency_id, territory_id=appeal.territory_id) is (permission in able)
        assert (access.whole, access.agency_ids, access.territory_ids) == (False, (), ())
        with pytest.raises((ForbiddenError, NotFoundError)):
            async with web_db.write(operator_id=person.id) as session:
                await appeals.take(session, access, number=appeal.number, now=MORNING)
