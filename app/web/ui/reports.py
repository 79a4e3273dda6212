"""The supervisor's page: how soon people are answered, for a period, by one grouping."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import InvalidError
from app.people.rules import Permission
from app.reports.figures import Figures, Report, Row
from app.reports.rules import Grouping, Period
from app.reports.service import response_times
from app.web.deps import requires
from app.web.ui.report_views import MeasureRow, ReportView
from app.web.ui.views import Choice
from app.web.ui.visit import CurrentVisit, Visit, visit_of

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.REPORT_READ))])

MOST_ROWS = 200
_LAST_DAYS = 30
_HOUR = 3600.0


@router.get("/reports")
async def report_screen(visit: CurrentVisit, request: Request) -> Response:
    """Table and chart. A period that cannot be counted is said so beside the last 30 days."""
    zone = ZoneInfo(visit.parts.timezone)
    today = visit.now.astimezone(zone).date()
    error = ""
    try:
        period, grouping = _asked(request.query_params, today, zone)
    except InvalidError as refused:
        error = visit.words("fault", refused.code, refused.params, otherwise=refused.detail)
        period, grouping = _asked({}, today, zone)
    async with visit.reading() as session:
        frame = await visit.frame(session)
        report = await response_times(session, access=visit.access, period=period, group_by=grouping, now=visit.now, limit=MOST_ROWS)
    return visit.page("report.html", {"report": replace(_view(visit, report, today), error=error)}, frame, status=422 if error else 200)


def _asked(query: Mapping[str, str], today: date, zone: ZoneInfo) -> tuple[Period, Grouping]:
    start, end = query.get("from") or "", query.get("to") or ""
    try:
        since = date.fromisoformat(start) if start else today - timedelta(days=_LAST_DAYS - 1)
        until = date.fromisoformat(end) if end else today
    except ValueError:
        raise InvalidError("report.period", "Give days such as 2026-11-30.", field="from") from None
    try:
        grouping = Grouping(query.get("group_by") or Grouping.AGENCY)
    except ValueError:
        raise InvalidError("report.grouping", "There is no such grouping.", field="group_by") from None
    return Period(start=since, end=until, tz=zone.key), grouping


def _view(visit: Visit, report: Report, today: date) -> ReportView:
    period = report.period
    return ReportView(
        since=period.start,
        until=period.end,
        zone=period.zone,
        group_by=report.group_by.value,
        groupings=tuple(
            Choice(value=one.value, label=visit.words("group_by", one.value), chosen=one is report.group_by) for one in Grouping
        ),
        presets=tuple(
            Choice(
                value=f"{since.isoformat()}/{until.isoformat()}",
                label=visit.words("preset", name),
                chosen=(since, until) == (period.start, period.end),
            )
            for name, (since, until) in _presets(today).items()
        ),
        rows=tuple(_row(visit, report.group_by, row) for row in report.rows),
        total=_measures(report.total, label=""),
        as_of=report.ages_at,
        small_below=report.small_below,
        definition=report.definition,
        more=report.next_cursor is not None,
    )


def _presets(today: date) -> Mapping[str, tuple[date, date]]:
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    return {
        "last_30": (today - timedelta(days=_LAST_DAYS - 1), today),
        "this_month": (month, today),
        "last_month": (before.replace(day=1), before),
        "this_quarter": (today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1), today),
        "this_year": (today.replace(month=1, day=1), today),
    }


def _row(visit: Visit, grouping: Grouping, row: Row) -> MeasureRow:
    label = visit.words("platform", row.label or str(row.key)) if grouping is Grouping.PLATFORM else row.label
    if row.key is None:
        label = visit.words("nobody", grouping.value)
    if grouping is Grouping.PAGE and row.platform:
        label = f"{label} ({visit.words('platform', row.platform)})"
    return _measures(row, label=label, key="" if row.key is None else str(row.key), depth=row.depth)


def _measures(figures: Figures, *, label: str, key: str = "", depth: int = 0) -> MeasureRow:
    return MeasureRow(
        label=label,
        answered=figures.answered,
        average_hours=_hours(figures.average_s),
        median_hours=_hours(figures.median_s),
        p90_hours=_hours(figures.p90_s),
        working_average_hours=_hours(figures.working_average_s),
        in_time=figures.in_time,
        in_time_of=figures.in_time_of,
        unanswered=figures.unanswered,
        unanswered_overdue=figures.overdue,
        oldest_hours=_hours(figures.oldest_unanswered_age_s),
        small=figures.small_number and figures.answered > 0,  # a line without answers says so itself
        key=key,
        depth=depth,
    )


def _hours(seconds: float | None) -> float | None:
    return None if seconds is None else seconds / _HOUR
