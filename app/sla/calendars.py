"""Working hours as rows: the newest version of each, all versions, a new one with those that follow it, and what it would do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from app.kernel.errors import ConflictError, ForbiddenError, InvalidError
from app.people.rules import Permission
from app.sla.book import DatedCalendar, read_calendar
from app.sla.calendar import CalendarError, WorkingCalendar, to_json
from app.sla.effect import Effect, Past, effect
from app.sla.own_hours import OFFICE, Hours, Place, hours_of, spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from app.directory.service import Directory
    from app.kernel.db import ReadSession, WriteSession
    from app.people.rules import Access
    from app.sla.book import Book

# The first version of a calendar measures what was written before it, too.
BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)

Scope = tuple[int, int | None]
"""(territory, agency or None)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarRow:
    """A version of working hours. `by`: whoever set it, "" when a command did; `mine`: the asker may set another."""

    id: int
    territory_id: int
    agency_id: int | None
    version: int
    valid_from: datetime
    recorded_at: datetime
    by: str
    mine: bool
    definition: str

    @property
    def scope(self) -> Scope:
        """Whose hours they are."""
        return (self.territory_id, self.agency_id)

    def read(self) -> WorkingCalendar:
        """The calendar. CalendarError when the definition is wrong."""
        return read_calendar(self.definition, self.id, self.version)


_ROWS = """
SELECT {newest} v.id, v.territory_id, v.agency_id, v.version, v.valid_from, v.recorded_at, coalesce(o.name, '') AS by,
  otklik_sets_norms(v.territory_id) AS mine, CAST(v.definition AS text) AS definition
FROM calendar_version v LEFT JOIN operator o ON o.id = v.operator_id
{only} ORDER BY v.territory_id, v.agency_id, v.version DESC
"""
_NEWEST = text(_ROWS.format(newest="DISTINCT ON (v.territory_id, v.agency_id)", only=""))
_VERSIONS = text(
    _ROWS.format(newest="", only="WHERE v.territory_id = :territory AND v.agency_id IS NOT DISTINCT FROM CAST(:agency AS bigint)")
)


async def newest_calendars(session: ReadSession) -> dict[Scope, CalendarRow]:
    """The newest version of each."""
    rows = [CalendarRow(**row._mapping) for row in await session.execute(_NEWEST)]  # noqa: SLF001 - SQLAlchemy's documented name
    return {row.scope: row for row in rows}


async def calendar_versions(session: ReadSession, scope: Scope) -> list[CalendarRow]:
    """All versions of one, the newest first."""
    found = await session.execute(_VERSIONS, {"territory": scope[0], "agency": scope[1]})
    return [CalendarRow(**row._mapping) for row in found]  # noqa: SLF001 - SQLAlchemy's documented name


def nearest(stored: Mapping[Scope, CalendarRow], directory: Directory, scope: Scope) -> CalendarRow | None:
    """The hours that hold for a scope: its own, else those of the nearest agency or territory above it."""
    scopes: list[Scope] = []
    if scope[1] is not None:
        above = (directory.agencies[one] for one in directory.agency_lineage(scope[1]))
        scopes += [(one.territory_id, one.id) for one in above]
    scopes += [(one, None) for one in directory.territory_lineage(scope[0])]
    return next((stored[one] for one in scopes if one in stored), None)


def hours_in(stored: Mapping[Scope, CalendarRow], directory: Directory, scope: Scope) -> Hours:
    """What the nearest hours were made of; office hours where there are none."""
    found = nearest(stored, directory, scope)
    return OFFICE if found is None else hours_of(found.read())


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A version to be written."""

    scope: Scope
    version: int
    calendar: WorkingCalendar

    @property
    def definition(self) -> str:
        """Its JSON."""
        return orjson.dumps(to_json(self.calendar)).decode()


def planned(stored: Mapping[Scope, CalendarRow], directory: Directory, given: Mapping[Scope, Hours], *, this_year: int) -> list[Planned]:
    """The versions that hours given for some scopes ask for, those of territories that follow them too; none where nothing changes.

    CalendarError when hours contradict themselves.
    """
    known = {scope[0]: row.read() for scope, row in stored.items() if scope[1] is None}
    nodes = sorted(directory.territories.values(), key=lambda one: (len(one.lineage), one.id))
    places = [Place(id=one.id, parent_id=one.parent_id, timezone=one.timezone) for one in nodes]
    by_place = {scope[0]: hours for scope, hours in given.items() if scope[1] is None}
    made = spread(places, {place: (hours_of(one), one.timezone) for place, one in known.items()}, by_place)
    wanted: dict[Scope, tuple[Hours, str]] = {(place, None): found for place, found in made.items()}
    wanted |= {scope: (hours, directory.timezone_of(scope[0])) for scope, hours in given.items() if scope[1] is not None}
    found = []
    for scope, (hours, timezone) in wanted.items():
        row = stored.get(scope)
        concerned = scope in given or any((place, None) in given for place in directory.territory_lineage(scope[0]))
        if row is not None and not concerned and (hours_of(row.read()), row.read().timezone) == (hours, timezone):
            continue  # the law's days that became known since are nobody's decision yet
        calendar = hours.calendar(timezone, this_year=this_year)
        if row is None or to_json(row.read()) != to_json(calendar):
            found.append(Planned(scope=scope, version=1 if row is None else row.version + 1, calendar=calendar))
    return found


_ADD = text(
    """
    INSERT INTO calendar_version (territory_id, agency_id, version, definition, valid_from, recorded_at)
    VALUES (:territory, :agency, :version, CAST(:definition AS jsonb), :since, :now)
    """
)
_ANY_TIMER = text("SELECT EXISTS (SELECT FROM sla_timer)")


async def write_all(session: WriteSession, versions: Iterable[Planned], *, now: datetime) -> int:
    """Write versions as the owner's commands do; how many."""
    since, count = await _since(session, now), 0
    for one in versions:
        await session.execute(_ADD, _row(one, BEGINNING if one.version == 1 else since) | {"now": now})
        count += 1
    return count


async def _since(session: ReadSession, now: datetime) -> datetime:
    """Until the first clock ran, hours that are given hold for the past as well: there is nothing yet that they would change."""
    return now if await session.scalar(_ANY_TIMER) else BEGINNING


def _row(one: Planned, since: datetime) -> dict[str, Any]:
    return {"territory": one.scope[0], "agency": one.scope[1], "version": one.version, "definition": one.definition, "since": since}


# --- set by somebody ----------------------------------------------------------------------------------------------

_SETS = text("SELECT otklik_sets_norms(:territory)")
_SAVE = text("SELECT otklik_add_calendar(:territory, :agency, :version, CAST(:definition AS jsonb), :since)")


def checked_scope(directory: Directory, territory_id: int | None, agency_id: int | None) -> Scope:
    """The scope that is meant; an agency's hours are kept with its own territory. InvalidError when there is no such."""
    if agency_id is not None and agency_id in directory.agencies:
        return (directory.agencies[agency_id].territory_id, agency_id)
    if agency_id is None and territory_id is not None and territory_id in directory.territories:
        return (territory_id, None)
    raise InvalidError("calendar.scope", "Choose a territory or an agency from the list.", field="territory")


def proposed(stored: Mapping[Scope, CalendarRow], directory: Directory, scope: Scope, hours: Hours, *, now: datetime) -> list[Planned]:
    """The versions that saving would write: of this scope and of those that follow it. InvalidError when the hours are wrong."""
    try:
        return [
            one
            for one in planned(stored, directory, {scope: hours}, this_year=now.year)
            if one.scope == scope or (scope[1] is None and scope[0] in directory.territory_lineage(one.scope[0]))
        ]
    except CalendarError as error:
        raise InvalidError("calendar.hours", f"These hours cannot be used: {error}.", field="week") from error


async def save_hours(
    session: WriteSession, access: Access, directory: Directory, scope: Scope, hours: Hours, *, seen_version: int, now: datetime
) -> int:
    """New versions from now on, of this scope and of those that follow it; how many. Deadlines that run stay as they are.

    `seen_version`: the newest that the person saw, 0 when there was none. ForbiddenError when the territory is not theirs,
    ConflictError when somebody was faster.
    """
    access.require(Permission.NORM_EDIT)
    if not await session.scalar(_SETS, {"territory": scope[0]}):
        raise ForbiddenError("norm.scope", "You set norms of your own territory only.", field="territory")
    stored = await newest_calendars(session)
    known = stored.get(scope)
    if (0 if known is None else known.version) != seen_version:
        raise _overtaken()
    since = await _since(session, now)
    versions = proposed(stored, directory, scope, hours, now=now)
    for one in versions:
        if await session.scalar(_SAVE, _row(one, since)) is None:
            raise _overtaken()
    return len(versions)


def _overtaken() -> ConflictError:
    return ConflictError("calendar.version", "Somebody has set these hours since you opened them: load the page again.")


def effect_of_hours(versions: Sequence[Planned], book: Book, found: Sequence[Past], *, now: datetime) -> Effect:
    """What these versions would have done to matters of the past, by the norms of today."""
    dated = [
        DatedCalendar(
            id=-number, version=one.version, territory_id=one.scope[0], agency_id=one.scope[1], valid_from=now, definition=one.definition
        )
        for number, one in enumerate(versions, 1)
    ]
    return effect(found, before=book, after=book.with_calendars(dated), now=now)
