"""The screens of working hours: whose there are, a year of them, changing them with the effect shown first, their versions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from app.audit import service as audit
from app.kernel.errors import InvalidError
from app.people.rules import Permission
from app.sla.calendars import (
    CalendarRow,
    Scope,
    calendar_versions,
    checked_scope,
    effect_of_hours,
    hours_in,
    nearest,
    newest_calendars,
    proposed,
    save_hours,
)
from app.sla.ical import LARGEST_FILE, read_ical
from app.sla.norms import LOOKED_BACK, MOST_JUDGED, past_matters
from app.sla.own_hours import LATER_YEARS, changed_days, difference
from app.sla.service import load_book
from app.web.deps import requires
from app.web.ui import calendar_year
from app.web.ui.calendar_form import Typed, digest, rows_of, typed, with_read, written
from app.web.ui.calendar_views import CalendarPage, CalendarsPage, LeftOutView, Preview, VersionLine
from app.web.ui.fields import Form, row_number
from app.web.ui.norms import effect_view
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

if TYPE_CHECKING:
    from app.kernel.db import ReadSession
    from app.sla.calendars import Planned

HERE = "/administration/calendars"
MOST_DAYS_TOLD = 60

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.NORM_EDIT))])


@router.get(HERE)
async def calendars_screen(visit: CurrentVisit) -> Response:
    """All hours in their newest version."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
        stored = await newest_calendars(session)
    page = CalendarsPage(
        rows=calendar_year.lines(visit, stored),
        territories=calendar_year.territories(visit),
        agencies=calendar_year.agencies(visit),
    )
    return visit.page("calendars.html", {"page": page}, frame)


@router.get(HERE + "/of")
async def one_calendar(visit: CurrentVisit, territory: str = "", agency: str = "", year: str = "") -> Response:
    """A year of a territory's or an agency's hours, and the form to change them."""
    scope = checked_scope(visit.office.desk.directory, row_number(territory), row_number(agency))
    async with visit.reading() as session:
        frame = await visit.frame(session)
        page = await _page(visit, session, scope, _year(visit, year), None)
    return visit.page("calendar.html", {"page": page}, frame)


@router.post(HERE + "/save")
async def save(visit: CurrentVisit, request: Request, form: Form) -> Response:
    """Read a file into the form; or show what the hours would do; once that was looked at, save them as a new version."""
    directory = visit.office.desk.directory
    scope = checked_scope(directory, form.number("territory"), form.number("agency"))
    given, act = typed(form, visit.words), form.text("act")
    left_out: tuple[LeftOutView, ...] = ()
    read = None
    if act == "read":
        try:
            given, left_out, read = await _with_file(visit, request, given, scope)
        except InvalidError as error:
            given = replace(given, errors={**given.errors, "file": _sentence(visit, error)}, hours=None)
    seen_version = form.number("version") or 0
    if act == "save" and given.hours is not None and form.text("seen") == digest(given.hours, scope, seen_version):
        async with visit.writing() as session:
            await save_hours(session, visit.access, directory, scope, given.hours, seen_version=seen_version, now=visit.now)
            await audit.record(
                session, operator_id=visit.access.operator_id, act="calendar.saved", subject="territory", subject_id=scope[0]
            )
        return see_other(calendar_year.address(scope, year=_year(visit, form.text("year"))))
    async with visit.reading() as session:
        frame = await visit.frame(session)
        try:
            page = await _page(visit, session, scope, _year(visit, form.text("year")), given)
        except InvalidError as error:  # hours that contradict themselves
            field = str(error.params.get("field", "week"))
            given = replace(given, errors={field: _sentence(visit, error)}, hours=None)
            page = await _page(visit, session, scope, _year(visit, form.text("year")), given)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if page.errors else HTTPStatus.OK
    return visit.page("calendar.html", {"page": replace(page, left_out=left_out, read=read)}, frame, status=status)


async def _with_file(visit: Visit, request: Request, given: Typed, scope: Scope) -> tuple[Typed, tuple[LeftOutView, ...], int]:
    """What was typed with a file's days off before it. InvalidError that says what is wrong with the file."""
    file = (await request.form()).get("file")
    if not isinstance(file, UploadFile) or not file.size:
        raise InvalidError("calendar.no_file", "Choose a file first.", field="file")
    data = await file.read(LARGEST_FILE + 1)
    first, last = date(visit.now.year - 1, 1, 1), date(visit.now.year + LATER_YEARS, 12, 31)
    zone = visit.office.desk.directory.timezone_of(scope[0])
    found = await run_in_threadpool(read_ical, data, first=first, last=last, timezone=zone)
    rows = with_read(given.rows, found.spans)
    hours = given.hours
    if hours is not None:
        own = dict(hours.own)
        for span in found.spans:
            own = span.days() | own  # what stands in the form wins
        hours = replace(hours, own=own)
    left_out = tuple(LeftOutView(number=one.number, name=one.name, why=one.why.value) for one in found.left_out)
    return replace(given, rows=rows, hours=hours), left_out, len(found.spans)


async def _page(visit: Visit, session: ReadSession, scope: Scope, year: int, given: Typed | None) -> CalendarPage:
    directory = visit.office.desk.directory
    stored = await newest_calendars(session)
    versions = await calendar_versions(session, scope)
    hours = hours_in(stored, directory, scope)
    row = nearest(stored, directory, scope)
    zone = directory.timezone_of(scope[0])
    now_worked = hours.calendar(zone, this_year=visit.now.year) if row is None or row.scope != scope else row.read()
    shown, preview, seen = now_worked, None, ""
    version = versions[0].version if versions else 0
    if given is not None and given.hours is not None:
        planned = proposed(stored, directory, scope, given.hours, now=visit.now)
        shown = given.hours.calendar(zone, this_year=visit.now.year)
        preview = await _preview(visit, session, scope, row, planned)
        seen = digest(given.hours, scope, version)
    months = calendar_year.months(shown, now_worked, year)
    return CalendarPage(
        name=calendar_year.name_of(visit, scope),
        territory=scope[0],
        agency=scope[1],
        timezone=zone,
        inherited="" if row is None or row.scope == scope else calendar_year.name_of(visit, row.scope),
        version=version,
        mine=calendar_year.is_mine(visit, scope[0]),
        year=year,
        years=tuple(range(visit.now.year - 1, visit.now.year + LATER_YEARS + 1)),
        months=months,
        year_days=sum(one.days for one in months),
        year_hours=sum(one.hours for one in months),
        provisional=calendar_year.is_provisional(shown, year),
        week=given.week if given else tuple(written(one) for one in hours.week),
        by_law=given.by_law if given else hours.by_law,
        spans=given.rows if given else rows_of(hours.own),
        versions=_version_lines(versions),
        below=calendar_year.below(visit, stored, scope),
        preview=preview,
        seen=seen,
        errors={} if given is None else given.errors,
    )


async def _preview(visit: Visit, session: ReadSession, scope: Scope, row: CalendarRow | None, planned: list[Planned]) -> Preview | None:
    own = next((one for one in planned if one.scope == scope), None)
    if own is None:
        return None
    before = own.calendar if row is None else row.read()
    today = visit.now.astimezone(own.calendar.zone).date()
    days = changed_days(before, own.calendar, today, today + timedelta(days=365))
    found = await past_matters(session, visit.office.desk.directory, since=visit.now - LOOKED_BACK, until=visit.now)
    book = await load_book(session, now=visit.now)
    told = await run_in_threadpool(effect_of_hours, planned, book, found, now=visit.now)
    return Preview(
        difference=difference(before, own.calendar),
        days=tuple(days[:MOST_DAYS_TOLD]),
        more_days=max(len(days) - MOST_DAYS_TOLD, 0),
        followers=tuple(calendar_year.name_of(visit, one.scope) for one in planned if one.scope != scope),
        effect=effect_view(visit, told, most=MOST_JUDGED),
    )


def _version_lines(versions: list[CalendarRow]) -> tuple[VersionLine, ...]:
    earlier: list[CalendarRow | None] = [*versions[1:], None]
    return tuple(
        VersionLine(
            version=one.version,
            since=one.valid_from,
            recorded_at=one.recorded_at,
            by=one.by,
            changed=None if before is None else difference(before.read(), one.read()),
        )
        for one, before in zip(versions, earlier, strict=False)
    )


def _year(visit: Visit, text: str) -> int:
    number = row_number(text)
    return number if number is not None and 2015 <= number <= visit.now.year + LATER_YEARS else visit.now.year  # noqa: PLR2004 - where calendars begin


def _sentence(visit: Visit, error: InvalidError) -> str:
    return visit.words("fault", error.code, error.params, otherwise=error.detail)
