"""Reports for other systems: the same figures as on the supervisor's screen, with their definitions in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, Field
from starlette.responses import Response

from app.kernel.db import ReadSession
from app.people.rules import Access, Permission
from app.reports import tables
from app.reports.backlog import backlog
from app.reports.behind import MOST_ROWS as MOST_BEHIND, Times, behind
from app.reports.distribution import distribution
from app.reports.figures import Report, Trend
from app.reports.grid import grid
from app.reports.measures import BACKLOG, MEASURES
from app.reports.rules import Bucket, Filters, Grouping, Period, before
from app.reports.service import MOST_ROWS, Asked, measured, trended
from app.web.api.document import BEARER
from app.web.api.report_forms import Format, forms, told
from app.web.api.report_models import (
    BehindRowOut,
    BinOut,
    DefinitionOut,
    DistributionOut,
    FiguresOut,
    GridOut,
    GridRowOut,
    ListingOut,
    PointOut,
    PreviousOut,
    ReportOut,
    RowOut,
    SliceOut,
)
from app.web.deps import Now, Parts, Reading, requires

router = APIRouter(prefix="/api/v1/reports", tags=["reports"], dependencies=[Depends(BEARER)])

Reader = Annotated[Access, Depends(requires(Permission.REPORT_READ))]
# Figures are for every reader of reports; which appeals stand behind them, for those who may read appeals too.
AppealReader = Annotated[Access, Depends(requires(Permission.APPEAL_READ))]


class MeasureCode(StrEnum):
    """What can be asked for."""

    FIRST_ANSWER = "first-answer"
    IN_TIME = "in-time"
    OVERDUE = "overdue"
    INTERIM_ANSWER = "interim-answer"
    FINAL_ANSWER = "final-answer"
    AGENCY_ANSWER = "agency-answer"
    APPROVAL = "approval"
    DETECTION_LAG = "detection-lag"
    TRIAGE_LAG = "triage-lag"
    REOPENED = "reopened"
    REPEATED = "repeated"
    RATING = "rating"
    DISMISSED = "dismissed"
    LOAD = "load"
    BACKLOG = "backlog"


RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Ids = Annotated[list[RowId], Query(max_length=200, description="Only these, with all below them where there is a tree")]
Kind = Annotated[Format, Query(alias="format")]
FirstDay = Annotated[date, Query(alias="from", description="The first local day")]
LastDay = Annotated[date, Query(alias="to", description="The last local day, included")]
Zone = Annotated[str | None, Query(max_length=64, description="The report's time zone; the installation's unless given")]
AsOf = Annotated[AwareDatetime | None, Query(description="What was recorded by then: a past report stays as it was")]


def narrowed(
    agency: Ids = [],  # noqa: B006 - FastAPI reads it, nobody changes it
    territory: Ids = [],  # noqa: B006
    topic: Ids = [],  # noqa: B006
    page: Ids = [],  # noqa: B006
    operator: Ids = [],  # noqa: B006
    platform: Annotated[list[Annotated[str, Field(max_length=40)]], Query(max_length=20)] = [],  # noqa: B006
    nobody: Annotated[list[Grouping], Query(max_length=6, description="Only what belongs to none of these: lines without a key")] = [],  # noqa: B006
) -> Filters:
    """The filters of the address."""
    return Filters(
        agency_ids=tuple(agency),
        territory_ids=tuple(territory),
        topic_ids=tuple(topic),
        page_ids=tuple(page),
        operator_ids=tuple(operator),
        platforms=tuple(platform),
        nobodys=tuple(nobody),
    )


def asked_of(
    access: Reader,
    parts: Parts,
    now: Now,
    filters: Annotated[Filters, Depends(narrowed)],
    measure: MeasureCode,
    since: FirstDay,
    until: LastDay,
    tz: Zone = None,
    as_of: AsOf = None,
) -> Asked:
    """What every report of a measure is asked."""
    counted = MEASURES[measure.value]
    period = Period(start=since, end=until, tz=tz or parts.timezone)
    return Asked(measure=counted, access=access, period=period, filters=filters, as_of=as_of, now=_to_the_minute(now, as_of))


def _to_the_minute(now: datetime, as_of: datetime | None) -> datetime:
    """The moment of ages: by the minute, so that a tag lives as long; never before a moment that is asked for."""
    minute = now.replace(second=0, microsecond=0)
    return minute if as_of is None or as_of <= minute else now


@router.get("/response-times", summary="Time to first answer", responses=forms(ReportOut))
async def report_response_times(
    request: Request,
    access: Reader,
    session: Reading,
    parts: Parts,
    now: Now,
    since: FirstDay,
    until: LastDay,
    group_by: Annotated[Grouping, Query()],
    tz: Zone = None,
    as_of: AsOf = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = MOST_ROWS,
) -> Response:
    """Average, median and 90th percentile in calendar and working time, the share in time; the unanswered stand beside them."""
    period = Period(start=since, end=until, tz=tz or parts.timezone)
    asked = Asked(access=access, period=period, as_of=as_of, now=_to_the_minute(now, as_of))
    report = await measured(session, asked, group_by=group_by, limit=limit, cursor=cursor)
    return told(request, Format.JSON, lambda: report_out(report), lambda: tables.of_report(report))


@router.get("/{measure}", summary="One measure, by group or by day", responses=forms(ReportOut))
async def report_measure(
    request: Request,
    session: Reading,
    asked: Annotated[Asked, Depends(asked_of)],
    group_by: Annotated[Grouping, Query()] = Grouping.AGENCY,
    bucket: Annotated[Bucket | None, Query(description="Points by day, week, month, quarter or year instead of groups")] = None,
    compare: Annotated[bool, Query(description="The total of the period before; in files its own line")] = False,  # noqa: FBT002
    kind: Kind = Format.JSON,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = MOST_ROWS,
) -> Response:
    """Figures with their definition: population and clock in words. A tag tells whether anything changed since the last time."""
    if bucket is not None or asked.measure is BACKLOG:
        trend = await (backlog if asked.measure is BACKLOG else trended)(session, asked, bucket=bucket or Bucket.DAY)
        earlier = await _earlier(session, asked, group_by) if compare else None
        return told(request, kind, lambda: _trend_out(trend, earlier), lambda: tables.of_trend(trend, previous=earlier))
    report = await measured(session, asked, group_by=group_by, limit=limit, cursor=cursor)
    earlier = await _earlier(session, asked, group_by) if compare else None
    return told(request, kind, lambda: report_out(report, earlier), lambda: tables.of_report(report, previous=earlier))


@router.get(
    "/{measure}/distribution",
    summary="How long answers took, from which time to which",
    responses=forms(DistributionOut),
)
async def report_distribution(
    request: Request,
    session: Reading,
    asked: Annotated[Asked, Depends(asked_of)],
    working: Annotated[bool, Query(description="By working time instead of the calendar")] = False,  # noqa: FBT002 - a query's own default
    kind: Kind = Format.JSON,
) -> Response:
    """Answers by the time that they took, and the norms that held: a bin ends with each norm."""
    found = await distribution(session, asked, working=working)
    return told(
        request,
        kind,
        lambda: DistributionOut(
            **_head(asked), working=working, approximate=found.approximate, answered=found.answered,
            bins=[BinOut.model_validate(one) for one in found.bins], norms_s=list(found.norms),
        ),
        lambda: tables.of_distribution(found),
    )  # fmt: skip


@router.get(
    "/{measure}/grid",
    summary="Agencies, territories or topics by week",
    responses=forms(GridOut),
)
async def report_grid(
    request: Request,
    session: Reading,
    asked: Annotated[Asked, Depends(asked_of)],
    group_by: Annotated[Grouping, Query(description="agency, territory or topic")] = Grouping.AGENCY,
    bucket: Annotated[Bucket, Query()] = Bucket.WEEK,
    kind: Kind = Format.JSON,
) -> Response:
    """A cell for each node and each day, week, month, quarter or year: counts and averages."""
    found = await grid(session, asked, group_by=group_by, bucket=bucket)
    return told(
        request,
        kind,
        lambda: GridOut(
            **_head(asked), group_by=group_by, bucket=bucket, slices=[SliceOut.model_validate(one) for one in found.slices],
            rows=[GridRowOut.model_validate(one) for one in found.rows], total=[FiguresOut.model_validate(one) for one in found.total],
        ),
        lambda: tables.of_grid(found),
    )  # fmt: skip


@router.get(
    "/{measure}/appeals",
    summary="The very appeals behind a number",
    responses=forms(ListingOut),
)
async def report_appeals(
    request: Request,
    _appeals: AppealReader,
    session: Reading,
    asked: Annotated[Asked, Depends(asked_of)],
    figure: Annotated[str, Query(max_length=40, description="A number of the report, `unanswered`, or `decided`")] = "opened",
    over: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="Took longer than so many seconds")] = None,
    upto: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="Took at most so many seconds")] = None,
    working: Annotated[bool, Query(description="These seconds are of working time")] = False,  # noqa: FBT002 - a query's own default
    kind: Kind = Format.JSON,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_BEHIND)] = MOST_BEHIND,
) -> Response:
    """By the same definition as the number, so as many. Whoever waits comes first, then the slowest answers. Needs `appeal.read` too."""
    found = await behind(session, asked, figure=figure, times=Times(over_s=over, upto_s=upto, working=working), limit=limit, cursor=cursor)
    return told(
        request,
        kind,
        lambda: ListingOut(
            **_head(asked), figure=figure, total=found.total, rows=[BehindRowOut.model_validate(row) for row in found.rows],
            next=found.next_cursor,
        ),
        lambda: tables.of_listing(
            found, asked.measure, figure=figure, period=asked.period, as_of=asked.as_of, ages_at=asked.ages_at
        ),
    )  # fmt: skip


async def _earlier(session: ReadSession, asked: Asked, group_by: Grouping) -> Report | Trend:
    """The total of the period before, with one row at most; of the backlog its last day."""
    past = replace(asked, period=before(asked.period))
    if asked.measure is BACKLOG:
        return await backlog(session, past, bucket=Bucket.YEAR)
    return await measured(session, past, group_by=group_by, limit=1)


def _previous(report: Report | Trend | None) -> PreviousOut | None:
    if report is None:
        return None
    return PreviousOut(period_from=report.period.start, period_to=report.period.end, total=FiguresOut.model_validate(report.total))


def _head(asked: Asked) -> dict[str, Any]:
    return {
        "period_from": asked.period.start,
        "period_to": asked.period.end,
        "time_zone": asked.period.tz,
        "as_of": asked.as_of,
        "ages_at": asked.ages_at,
        "definition": DefinitionOut.model_validate(asked.measure),
    }


def _trend_out(trend: Trend, earlier: Report | Trend | None) -> ReportOut:
    return ReportOut(
        period_from=trend.period.start, period_to=trend.period.end, time_zone=trend.period.tz, group_by=None, bucket=trend.bucket,
        as_of=trend.as_of, ages_at=trend.ages_at, approximate=trend.approximate,
        points=[
            PointOut(period_from=one.slice.start, period_to=one.slice.end, **FiguresOut.model_validate(one).model_dump())
            for one in trend.points
        ],
        total=FiguresOut.model_validate(trend.total), previous=_previous(earlier),
        definition=DefinitionOut.model_validate(trend.definition),
    )  # fmt: skip


def report_out(report: Report, earlier: Report | Trend | None = None) -> ReportOut:
    """The report with its rows, as JSON has it; `earlier`: that of the period before."""
    return ReportOut(
        period_from=report.period.start,
        period_to=report.period.end,
        time_zone=report.time_zone,
        group_by=report.group_by,
        as_of=report.as_of,
        ages_at=report.ages_at,
        small_below=report.small_below,
        approximate=report.approximate,
        rows=[RowOut.model_validate(row) for row in report.rows],
        total=FiguresOut.model_validate(report.total),
        previous=_previous(earlier),
        next=report.next_cursor,
        definition=DefinitionOut.model_validate(report.definition),
    )
