"""`otklik import calendar`: working hours by weekday become calendar versions on the Russian production calendar.

Exceptions of a territory or an agency stay when its week changes; what follows what is told in `app/sla/own_hours.py`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.directory.queries import ids_of_codes
from app.directory.service import load_directory
from app.exchange.result import Imported, compare
from app.exchange.table import Faults, Line, read_table
from app.sla.calendar import CalendarError, Ranges
from app.sla.calendars import BEGINNING, Scope, hours_in, newest_calendars, planned, write_all
from app.sla.own_hours import Hours, Week, typed_hours
from app.sla.policy import Term, promises_to_json
from app.sla.rules import Promise
from app.sla.service import FINAL_AFTER_INTERIM

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOUR = 3600
FIRST_PROMISES = {
    Promise.TRIAGE: Term(seconds=1 * _HOUR, working=True),
    Promise.FIRST_ANSWER: Term(seconds=9 * _HOUR, working=True),
    Promise.FINAL_ANSWER: FINAL_AFTER_INTERIM,
}
"""What holds until a region sets its own: norms differ from region to region, so these are only rows to begin with."""


async def import_calendar(session: WriteSession, data: bytes, *, now: datetime, dry_run: bool = False) -> Imported:
    """Set the weekly hours of territories, or of single agencies. Raises ImportFaultsError with every fault.

    A change is a new version from `now` on; deadlines that run keep the version that they were counted by.
    """
    lines = read_table(data, required=("territory", *DAYS), optional=("agency",))
    faults = Faults()
    wanted = await _wanted(session, lines, faults)
    faults.stop()
    stored = await newest_calendars(session)
    result, _ = compare(
        "calendars",
        {str(scope): week for scope, week in wanted.items()},
        {str(scope): row.read().week for scope, row in stored.items()},
        dry_run=dry_run,
    )
    if not dry_run:
        await complete_calendars(session, wanted, now=now)
    return result


async def complete_calendars(session: WriteSession, weeks: Mapping[Scope, Week] | None = None, *, now: datetime) -> int:
    """Have a calendar in force everywhere and a promise to begin with; how many versions were written."""
    directory, stored = await load_directory(session), await newest_calendars(session)
    given: dict[Scope, Hours] = {}
    for scope, week in (weeks or {}).items():
        hours = hours_in(stored, directory, scope)
        if scope not in stored or hours.week != week:
            given[scope] = hours.on_week(week)
    written = await write_all(session, planned(stored, directory, given, this_year=now.year), now=now)
    if directory.territories:
        await _first_promises(session, now)
    return written


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
            week.append(typed_hours(line[day], day))
        except CalendarError as error:
            faults.add(line, f"{error}. Write hours as 09:00-13:00 14:00-18:00; an empty cell is a day off.")
            week.append(())
    return tuple(week)


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
