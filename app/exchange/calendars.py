"""`otklik import calendar`: working hours by weekday become calendar versions on the Russian production calendar.

A territory without hours of its own works as its parent does; when its time zone differs, it gets the same hours in its
own zone, and they follow the parent's. A root without any works as offices do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.directory.queries import ids_of_codes
from app.directory.service import Directory, load_directory
from app.exchange.result import Imported, compare
from app.exchange.table import Faults, Line, read_table
from app.sla.calendar import CalendarError, Ranges, WorkingCalendar, from_json, parse_hours, round_the_clock, to_json
from app.sla.policy import Term, promises_to_json
from app.sla.production_calendar import OFFICE_WEEK, known_until, russian_calendar
from app.sla.rules import Promise
from app.sla.service import FINAL_AFTER_INTERIM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.kernel.db import ReadSession, WriteSession

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# The first version of a calendar measures what was written before it, too.
BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)
FIRST_YEAR = 2024
_LATER_YEARS = 3
_HOUR = 3600
FIRST_PROMISES = {
    Promise.TRIAGE: Term(seconds=1 * _HOUR, working=True),
    Promise.FIRST_ANSWER: Term(seconds=9 * _HOUR, working=True),
    Promise.FINAL_ANSWER: FINAL_AFTER_INTERIM,
}
"""What holds until a region sets its own: norms differ from region to region, so these are only rows to begin with."""

Week = tuple[Ranges, ...]
Scope = tuple[int, int | None]
"""(territory, agency or None)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    version: int
    week: Week
    timezone: str


async def import_calendar(session: WriteSession, data: bytes, *, now: datetime, dry_run: bool = False) -> Imported:
    """Set the weekly hours of territories, or of single agencies. Raises ImportFaultsError with every fault.

    A change is a new version from `now` on; deadlines that run keep the version that they were counted by.
    """
    lines = read_table(data, required=("territory", *DAYS), optional=("agency",))
    faults = Faults()
    wanted = await _wanted(session, lines, faults)
    faults.stop()
    stored = await _newest(session)
    result, _ = compare(
        "calendars",
        {str(scope): week for scope, week in wanted.items()},
        {str(scope): one.week for scope, one in stored.items()},
        dry_run=dry_run,
    )
    if not dry_run:
        await complete_calendars(session, wanted, now=now)
    return result


async def complete_calendars(session: WriteSession, weeks: Mapping[Scope, Week] | None = None, *, now: datetime) -> int:
    """Have a calendar in force everywhere and a promise to begin with; how many versions were written."""
    given = dict(weeks or {})
    directory = await load_directory(session)
    stored = await _newest(session)
    wanted = _by_territory(directory, stored, given)
    wanted |= {scope: (week, directory.timezone_of(scope[0])) for scope, week in given.items() if scope[1] is not None}
    # Until the first clock ran, hours that are given hold for the past as well: there is nothing yet that they would change.
    since = now if await session.scalar(text("SELECT EXISTS (SELECT FROM sla_timer)")) else BEGINNING
    written = 0
    for scope, (week, timezone) in wanted.items():
        known = stored.get(scope)
        if known is None or (known.week, known.timezone) != (week, timezone):
            await _write(session, scope, week, timezone, version=1 if known is None else known.version + 1, since=since, now=now)
            written += 1
    if directory.territories:
        await _first_promises(session, now)
    return written


def _by_territory(directory: Directory, stored: Mapping[Scope, _Stored], given: Mapping[Scope, Week]) -> dict[Scope, tuple[Week, str]]:
    """Which territories need rows, and which hours and zone they should have, parents before children."""
    before: dict[int, Week] = {}
    after: dict[int, Week] = {}
    zones: dict[int, str] = {}
    wanted: dict[Scope, tuple[Week, str]] = {}
    for node in sorted(directory.territories.values(), key=lambda one: len(one.lineage)):
        scope = (node.id, None)
        parent = node.parent_id
        known = stored.get(scope)
        above_before = OFFICE_WEEK if parent is None else before[parent]
        above_after = OFFICE_WEEK if parent is None else after[parent]
        before[node.id] = above_before if known is None else known.week
        has_own = known is not None and (parent is None or known.week != above_before)
        after[node.id] = given.get(scope) or (before[node.id] if has_own else above_after)
        zones[node.id] = node.timezone
        needs_row = parent is None or known is not None or scope in given or zones[parent] != node.timezone
        if needs_row:
            wanted[scope] = (after[node.id], node.timezone)
    return wanted


def calendar_of(week: Week, timezone: str, *, until: int) -> WorkingCalendar:
    """A week on the Russian production calendar; round the clock knows no holidays."""
    always = round_the_clock(timezone)
    if week == always.week:
        return always
    return russian_calendar(timezone, week=week, first_year=FIRST_YEAR, last_year=max(until, known_until()))


async def _wanted(session: ReadSession, lines: list[Line], faults: Faults) -> dict[Scope, Week]:
    territories = await ids_of_codes(session, "territory", [line["territory"] for line in lines])
    agencies = await ids_of_codes(session, "agency", [line["agency"] for line in lines])
    wanted: dict[Scope, Week] = {}
    for line in lines:
        if line["territory"] not in territories:
            faults.add(line, f"territory {line['territory']!r} is unknown. Import territories first, or mend the code.")
        if line["agency"] and line["agency"] not in agencies:
            faults.add(line, f"agency {line['agency']!r} is unknown. Import agencies first, or mend the code.")
        week = _week(line, faults)
        scope = (territories.get(line["territory"], 0), agencies.get(line["agency"]))
        if scope in wanted and not faults.found:
            faults.add(line, "The hours of this territory and agency stand in an earlier line too. Keep one.")
        wanted[scope] = week
    return wanted


def _week(line: Line, faults: Faults) -> Week:
    week: list[Ranges] = []
    for day in DAYS:
        try:
            week.append(parse_hours(line[day].replace("–", "-").split(), day))
        except CalendarError as error:
            faults.add(line, f"{error}. Write hours as 09:00-13:00 14:00-18:00; an empty cell is a day off.")
            week.append(())
    return tuple(week)


async def _newest(session: ReadSession) -> dict[Scope, _Stored]:
    rows = await session.execute(
        text(
            "SELECT DISTINCT ON (territory_id, agency_id) territory_id, agency_id, version, definition FROM calendar_version "
            "ORDER BY territory_id, agency_id, version DESC"
        )
    )
    found = {}
    for row in rows:
        calendar = from_json(row.definition, id="", version=row.version)
        found[row.territory_id, row.agency_id] = _Stored(version=row.version, week=calendar.week, timezone=calendar.timezone)
    return found


async def _write(session: WriteSession, scope: Scope, week: Week, timezone: str, *, version: int, since: datetime, now: datetime) -> None:
    calendar = calendar_of(week, timezone, until=now.year + _LATER_YEARS)
    await session.execute(
        text(
            "INSERT INTO calendar_version (territory_id, agency_id, version, definition, valid_from, recorded_at) "
            "VALUES (:territory_id, :agency_id, :version, CAST(:definition AS jsonb), :valid_from, :now)"
        ),
        {
            "territory_id": scope[0],
            "agency_id": scope[1],
            "version": version,
            "definition": json.dumps(to_json(calendar)),
            "valid_from": BEGINNING if version == 1 else since,
            "now": now,
        },
    )


async def _first_promises(session: WriteSession, now: datetime) -> None:
    """Without any policy no clock would run: begin with one for everybody."""
    await session.execute(
        text(
            "INSERT INTO sla_policy_version (code, version, name, promises, valid_from, recorded_at) "
            "SELECT 'default', 1, 'Общий норматив', CAST(:promises AS jsonb), :since, :now "
            "WHERE NOT EXISTS (SELECT FROM sla_policy_version)"
        ),
        {"promises": json.dumps(promises_to_json(FIRST_PROMISES)), "since": BEGINNING, "now": now},
    )
