"""Places, agencies, topics, calendars, people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from app.directory.models import Agency, CalendarVersion, Sphere, Territory, Topic
from app.people.models import Operator, OperatorRole
from app.people.rules import Role
from app.sla.calendar import Range, WorkingCalendar, to_json
from tests.factories._base import id_of, stored, unique

if TYPE_CHECKING:
    from app.kernel.db import WriteSession

NINE_TO_SIX = ((Range(9 * 3600, 13 * 3600), Range(14 * 3600, 18 * 3600)),) * 5 + ((), ())


async def make_territory(
    session: WriteSession,
    *,
    name: str = "Заречье",
    code: str | None = None,
    parent: Territory | None = None,
    timezone: str | None = None,
) -> Territory:
    """A place; without a time zone it has its parent's."""
    return await stored(session, Territory(name=name, code=code or unique("territory"), parent_id=id_of(parent), timezone=timezone))


async def make_agency(
    session: WriteSession,
    *,
    name: str = "Управа Заречья",
    code: str | None = None,
    parent: Agency | None = None,
    territory: Territory | None = None,
) -> Agency:
    """Who answers; its parent's territory, else a new one."""
    if territory is None and parent is None:
        territory = await make_territory(session)
    territory_id = territory.id if territory else parent.territory_id if parent else None
    return await stored(session, Agency(name=name, code=code or unique("agency"), parent_id=id_of(parent), territory_id=territory_id))


async def make_topic(
    session: WriteSession,
    *,
    name: str = "Дворы",
    code: str | None = None,
    parent: Topic | None = None,
    weight: int = 1,
    terms: str = "",
) -> Topic:
    """What about."""
    return await stored(session, Topic(name=name, code=code or unique("topic"), parent_id=id_of(parent), weight=weight, terms=terms))


async def make_sphere(session: WriteSession, *, name: str = "Благоустройство", code: str | None = None) -> Sphere:
    """What kind of body."""
    return await stored(session, Sphere(name=name, code=code or unique("sphere")))


async def make_calendar(
    session: WriteSession,
    *,
    territory: Territory | None = None,
    agency: Agency | None = None,
    calendar: WorkingCalendar | None = None,
    version: int = 1,
    valid_from: datetime = datetime(2020, 1, 1, tzinfo=UTC),
) -> CalendarVersion:
    """Working hours: Monday to Friday 9 to 18 with a lunch hour in Moscow, no holidays, unless given."""
    where = territory or await make_territory(session)
    hours = calendar or WorkingCalendar("Europe/Moscow", NINE_TO_SIX)
    return await stored(
        session,
        CalendarVersion(
            territory_id=where.id,
            agency_id=id_of(agency),
            version=version,
            definition=to_json(hours),
            valid_from=valid_from,
        ),
    )


async def make_operator(
    session: WriteSession,
    *,
    role: Role | None = Role.OPERATOR,
    scope: Agency | Territory | None = None,
    name: str = "Ирина Лебедева",
    login: str | None = None,
    is_service: bool = False,
) -> Operator:
    """A member of staff with one role (None: none yet); no scope means the whole region. They have no password."""
    person = await stored(session, Operator(name=name, login=login or unique("operator"), is_service=is_service))
    if role is not None:
        await grant(session, operator=person, role=role, scope=scope)
    return person


async def grant(
    session: WriteSession,
    *,
    operator: Operator,
    role: Role,
    scope: Agency | Territory | None = None,
    until: datetime | None = None,
) -> OperatorRole:
    """One more role of a person."""
    return await stored(
        session,
        OperatorRole(
            operator_id=operator.id,
            role=role.value,
            agency_id=scope.id if isinstance(scope, Agency) else None,
            territory_id=scope.id if isinstance(scope, Territory) else None,
            until=until,
        ),
    )
