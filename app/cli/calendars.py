"""`otklik calendars …`: whose working hours there are, a year of them, and days off from an iCalendar file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.audit import service as audit
from app.cli import show
from app.cli.norms import By, Json, deciding
from app.cli.owner import owner, run
from app.directory.queries import ids_of_codes
from app.directory.service import load_directory
from app.kernel.errors import InvalidError, NotFoundError
from app.sla.calendar import format_hours
from app.sla.calendars import calendar_versions, checked_scope, hours_in, nearest, newest_calendars, save_hours
from app.sla.ical import LARGEST_FILE, read_ical
from app.sla.own_hours import LATER_YEARS, month_sum

if TYPE_CHECKING:
    from app.directory.service import Directory
    from app.kernel.db import ReadSession
    from app.sla.calendar import WorkingCalendar
    from app.sla.calendars import Scope
    from app.sla.ical import Read
    from app.sla.own_hours import Span

calendars = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="When is worked where: every deadline is counted by it.")
Territory = Annotated[str, typer.Option(help="Code of the territory.")]
Agency = Annotated[str, typer.Option(help="Code of the agency, for hours of its own.")]
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@calendars.command("list")
def list_all(*, json: Json = False) -> None:
    """Every territory and agency with hours of its own, in their newest version."""

    async def work() -> list[dict[str, Any]]:
        async with owner() as administrator, administrator.database.read() as session:
            directory = await load_directory(session)
            return [
                {"whose": _code(directory, scope), "version": row.version, "since": row.valid_from.isoformat(), "by": row.by}
                | _told(row.read())
                for scope, row in sorted((await newest_calendars(session)).items(), key=lambda one: (one[0][1] or 0, one[0][0]))
            ]

    rows = run(work())
    if json:
        show.as_json(rows)
    else:
        columns = ("whose", "version", "timezone", "week", "exceptions", "by")
        show.table(columns, [tuple(_cell(row[name]) for name in columns) for row in rows])


@calendars.command("show")
def show_year(
    *,
    territory: Territory = "",
    agency: Agency = "",
    year: Annotated[int | None, typer.Option(help="The year; without it, this one.")] = None,
    json: Json = False,
) -> None:
    """Working days and hours by month, days that differ from the week, and all versions."""
    told = run(_year(territory, agency, year))
    if json:
        show.as_json(told)
        return
    show.note(f"{told['whose']}, {told['timezone']}, {told['week']}")
    show.table(("month", "days", "hours"), [(str(one["month"]), str(one["days"]), f"{one['hours']:g}") for one in told["months"]])
    columns = ("date", "kind", "hours", "name")
    show.table(columns, [tuple(_cell(one[name]) for name in columns) for one in told["days"]])
    show.table(("version", "since", "by"), [(str(one["version"]), one["since"], one["by"]) for one in told["versions"]])


async def _year(territory: str, agency: str, year: int | None) -> dict[str, Any]:
    async with owner() as administrator, administrator.database.read() as session:
        directory = await load_directory(session)
        scope = await _scope(session, directory, territory, agency)
        found = nearest(await newest_calendars(session), directory, scope)
        if found is None:
            raise NotFoundError("calendar.none", "Nobody has set hours there, nor above it: otklik import calendar does.")
        calendar, shown = found.read(), year or administrator.clock.now().year
        versions = await calendar_versions(session, found.scope)
        return {
            "whose": _code(directory, found.scope),
            "year": shown,
            **_told(calendar),
            "months": [_month(calendar, shown, number) for number in range(1, 13)],
            "days": [
                {"date": day.isoformat(), "kind": value.kind.value, "hours": format_hours(value.hours), "name": value.name}
                for day, value in calendar.days.items()
                if day.year == shown
            ],
            "versions": [{"version": one.version, "since": one.valid_from.isoformat(), "by": one.by} for one in versions],
        }


@calendars.command("import")
def import_file(  # noqa: PLR0913 - the options of a command
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="An iCalendar file (.ics).")],
    *,
    by: By,
    territory: Territory = "",
    agency: Agency = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be taken.")] = False,
    json: Json = False,
) -> None:
    """Take days off from an iCalendar file, beside the exceptions there are; tells each entry that it does not take.

    The hours get a new version from now on; deadlines that run stay as they are.
    """
    if file.stat().st_size > LARGEST_FILE:
        raise InvalidError("calendar.file_large", f"The file is larger than {LARGEST_FILE // 1000} KB: take a file of fewer years.")
    data = file.read_bytes()

    found, written = run(_take(data, by=by, territory=territory, agency=agency, dry_run=dry_run))
    if json:
        taken = [{"first": one.first.isoformat(), "last": one.last.isoformat(), "name": one.name} for one in found.spans]
        left = [{"entry": one.number, "name": one.name, "why": one.why.value} for one in found.left_out]
        show.as_json({"taken": taken, "left_out": left, "versions": written})
        return
    show.table(("days off", "name"), [(_days(one), one.name) for one in found.spans])
    if found.left_out:
        show.note("Not taken:")
        show.table(("entry", "name", "why"), [(str(one.number), one.name, one.why.value) for one in found.left_out])
    if dry_run:
        show.note("Nothing was written: --dry-run.")
    else:
        show.done(f"Days off taken: {len(found.spans)}. New versions of hours: {written}.")


async def _take(data: bytes, *, by: str, territory: str, agency: str, dry_run: bool) -> tuple[Read, int]:
    """What the file says, and how many versions were written."""
    async with owner() as administrator:
        access = await deciding(administrator, by)
        now = administrator.clock.now()
        async with administrator.database.write(operator_id=access.operator_id) as session:
            directory = await load_directory(session)
            scope = await _scope(session, directory, territory, agency)
            first, last = date(now.year - 1, 1, 1), date(now.year + LATER_YEARS, 12, 31)
            found = read_ical(data, first=first, last=last, timezone=directory.timezone_of(scope[0]))
            if dry_run:
                return found, 0
            stored = await newest_calendars(session)
            hours = hours_in(stored, directory, scope)
            own = {day: value for span in found.spans for day, value in span.days().items()} | dict(hours.own)
            seen = stored[scope].version if scope in stored else 0
            written = await save_hours(session, access, directory, scope, replace(hours, own=own), seen_version=seen, now=now)
            await audit.record(session, operator_id=access.operator_id, act="calendar.saved", subject="territory", subject_id=scope[0])
            return found, written


async def _scope(session: ReadSession, directory: Directory, territory: str, agency: str) -> Scope:
    places, bodies = await ids_of_codes(session, "territory", [territory]), await ids_of_codes(session, "agency", [agency])
    for what, code, found in (("territory", territory, places), ("agency", agency, bodies)):
        if code and code not in found:
            raise NotFoundError("calendar.scope", f"There is no {what} {code!r}: mend the code.")
    if not territory and not agency:
        raise InvalidError("calendar.scope", "Say whose hours: --territory or --agency.")
    return checked_scope(directory, places.get(territory), bodies.get(agency))


def _code(directory: Directory, scope: Scope) -> str:
    return directory.territories[scope[0]].code if scope[1] is None else f"agency {directory.agencies[scope[1]].code}"


def _told(calendar: WorkingCalendar) -> dict[str, Any]:
    week = "; ".join(f"{day} {' '.join(format_hours(hours))}" for day, hours in zip(_DAYS, calendar.week, strict=True) if hours)
    own = [one for one in calendar.days.values() if one.kind.value == "exception"]
    return {"timezone": calendar.timezone, "week": week, "exceptions": len(own)}


def _month(calendar: WorkingCalendar, year: int, month: int) -> dict[str, Any]:
    counted = month_sum(calendar, year, month)
    return {"month": month, "days": counted.days, "hours": counted.seconds / 3600}


def _days(span: Span) -> str:
    return span.first.isoformat() if span.first == span.last else f"{span.first.isoformat()} … {span.last.isoformat()}"


def _cell(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
