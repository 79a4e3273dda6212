"""How soon people are answered, for other systems: the same service as the supervisor's page."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from app.kernel.db import ReadSession
from app.kernel.errors import InvalidError, NotFoundError
from app.people.rules import Access, Permission
from app.reports.backlog import backlog
from app.reports.export import as_csv, as_xlsx
from app.reports.figures import Report
from app.reports.measures import BACKLOG, MEASURES
from app.reports.rules import SMALL_BELOW, Bucket, Filters, Grouping, Period, before
from app.reports.service import MOST_ROWS, Asked, measured, trended
from app.web.api.document import BEARER, problems
from app.web.api.models import Told
from app.web.deps import Now, Parts, Reading, requires

router = APIRouter(prefix="/api/v1/reports", tags=["reports"], dependencies=[Depends(BEARER)])

Reader = Annotated[Access, Depends(requires(Permission.REPORT_READ))]


class FiguresOut(Told):
    """One line of figures; times in seconds, null without answers."""

    opened: int
    answered: int
    in_time: int
    late: int
    unpromised: int
    unanswered: int
    waiting: int
    overdue: int
    closed_unanswered: int
    reopened: int
    repeated: int
    dismissed: int
    oldest_unanswered_age_s: float | None
    average_s: float | None
    median_s: float | None
    p90_s: float | None
    p99_s: float | None
    working_average_s: float | None
    working_median_s: float | None
    working_p90_s: float | None
    working_p99_s: float | None
    in_time_share: float | None = Field(description="0 to 1, of those whose fate is decided")
    overdue_share: float | None
    reopened_share: float | None
    repeated_share: float | None
    dismissed_share: float | None
    small_number: bool = Field(description="Too few answers to compare")


class RowOut(FiguresOut):
    """One group. Rows of depth 0 add up to the total; deeper ones are parts of the row above."""

    key: int | str | None = Field(description="An id, or a platform; null for what belongs to no group")
    label: str
    parent_key: int | None
    depth: int
    platform: str | None


class MeasureOut(Told):
    """What a figure means."""

    code: str
    title: str
    meaning: str
    unit: str


class DefinitionOut(Told):
    """What is counted, from when to when."""

    code: str
    title: str
    population: str
    clock: str
    attribution: str
    chief: str = Field(description="The figure that the measure is about")
    available: bool = Field(description="False: there is no data, and `population` says why")
    measures: list[MeasureOut]


class PointOut(FiguresOut):
    """The figures of one bucket: local days, both included."""

    period_from: date = Field(serialization_alias="from")
    period_to: date = Field(serialization_alias="to")


class PreviousOut(BaseModel):
    """The total of the period before: the month before a month, else as many days."""

    period_from: date = Field(serialization_alias="from")
    period_to: date = Field(serialization_alias="to")
    total: FiguresOut


class ReportOut(BaseModel):
    """The report with its definition. `points` instead of rows when a bucket was asked for."""

    period_from: date = Field(serialization_alias="from")
    period_to: date = Field(serialization_alias="to")
    time_zone: str
    group_by: Grouping | None
    bucket: Bucket | None = None
    as_of: datetime | None
    ages_at: datetime
    small_below: int = SMALL_BELOW
    approximate: bool = Field(description="Percentiles are within 1 %; all else is exact")
    rows: list[RowOut] = []
    points: list[PointOut] = []
    total: FiguresOut
    previous: PreviousOut | None = None
    next: str | None = None
    definition: DefinitionOut


class Format(StrEnum):
    """How it is given."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"


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
    DISMISSED = "dismissed"
    LOAD = "load"
    BACKLOG = "backlog"


RowId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Ids = Annotated[list[RowId], Query(max_length=200, description="Only these, with all below them where there is a tree")]


def narrowed(
    agency: Ids = [],  # noqa: B006 - FastAPI reads it, nobody changes it
    territory: Ids = [],  # noqa: B006
    topic: Ids = [],  # noqa: B006
    page: Ids = [],  # noqa: B006
    operator: Ids = [],  # noqa: B006
    platform: Annotated[list[Annotated[str, Field(max_length=40)]], Query(max_length=20)] = [],  # noqa: B006
) -> Filters:
    """The filters of the address."""
    return Filters(
        agency_ids=tuple(agency),
        territory_ids=tuple(territory),
        topic_ids=tuple(topic),
        page_ids=tuple(page),
        operator_ids=tuple(operator),
        platforms=tuple(platform),
    )


_FILES = {
    Format.CSV: ("text/csv; charset=utf-8", as_csv),
    Format.XLSX: ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", as_xlsx),
}


@router.get("/response-times", summary="Time to first answer", responses=problems(), response_model_by_alias=True)
async def report_response_times(
    access: Reader,
    session: Reading,
    parts: Parts,
    now: Now,
    since: Annotated[date, Query(alias="from", description="The first local day")],
    until: Annotated[date, Query(alias="to", description="The last local day, included")],
    group_by: Annotated[Grouping, Query()],
    tz: Annotated[str | None, Query(max_length=64, description="The report's time zone; the installation's unless given")] = None,
    as_of: Annotated[AwareDatetime | None, Query(description="What was recorded by then: a past report stays as it was")] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = MOST_ROWS,
) -> ReportOut:
    """Average, median and 90th percentile in calendar and working time, the share in time; the unanswered stand beside them."""
    asked = Asked(access=access, period=Period(start=since, end=until, tz=tz or parts.timezone), as_of=as_of, now=now)
    return _told(await measured(session, asked, group_by=group_by, limit=limit, cursor=cursor))


@router.get(
    "/{measure}",
    summary="One measure, by group or by day",
    responses={
        200: {"model": ReportOut, "content": {kind: {} for kind, _ in _FILES.values()}},
        304: {"description": "As it was"},
        **problems(),
    },
)
async def report_measure(
    request: Request,
    access: Reader,
    session: Reading,
    parts: Parts,
    now: Now,
    filters: Annotated[Filters, Depends(narrowed)],
    measure: MeasureCode,
    since: Annotated[date, Query(alias="from", description="The first local day")],
    until: Annotated[date, Query(alias="to", description="The last local day, included")],
    group_by: Annotated[Grouping, Query()] = Grouping.AGENCY,
    bucket: Annotated[Bucket | None, Query(description="Points by day, week, month, quarter or year instead of groups")] = None,
    tz: Annotated[str | None, Query(max_length=64, description="The report's time zone; the installation's unless given")] = None,
    as_of: Annotated[AwareDatetime | None, Query(description="What was recorded by then: a past report stays as it was")] = None,
    compare: Annotated[bool, Query(description="The total of the period before as well")] = False,  # noqa: FBT002 - a query's own default
    kind: Annotated[Format, Query(alias="format")] = Format.JSON,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = MOST_ROWS,
) -> Response:
    """Figures with their definition: population and clock in words. A tag tells whether anything changed since the last time."""
    period = Period(start=since, end=until, tz=tz or parts.timezone)
    counted = MEASURES[measure.value]
    asked = Asked(measure=counted, access=access, period=period, filters=filters, as_of=as_of, now=_to_the_minute(now, as_of))
    if not asked.measure.available:
        raise NotFoundError("report.no_data", asked.measure.population, measure=measure.value)
    if bucket is not None or asked.measure is BACKLOG:
        return await _over_time(request, session, asked, bucket or Bucket.DAY, kind)
    report = await measured(session, asked, group_by=group_by, limit=limit, cursor=cursor)
    if kind is not Format.JSON:
        return _as_file(request, asked, report, kind)
    out = _told(report)
    if compare:
        out.previous = await _previous(session, asked, group_by)
    return _answer(request, _json(out), "application/json")


def _to_the_minute(now: datetime, as_of: datetime | None) -> datetime:
    """The moment of ages: by the minute, so that a tag lives as long; never before a moment that is asked for."""
    minute = now.replace(second=0, microsecond=0)
    return minute if as_of is None or as_of <= minute else now


async def _over_time(request: Request, session: ReadSession, asked: Asked, bucket: Bucket, kind: Format) -> Response:
    if kind is not Format.JSON:
        raise InvalidError("report.format", "Points are given as JSON only: leave `bucket` out for a file.", field="format")
    return _answer(request, _json(await _points(session, asked, bucket)), "application/json")


def _as_file(request: Request, asked: Asked, report: Report, kind: Format) -> Response:
    media, make = _FILES[kind]
    name = f"{asked.measure.code}-{asked.period.start.isoformat()}-{asked.period.end.isoformat()}.{kind.value}"
    return _answer(request, make(report), media, {"Content-Disposition": f'attachment; filename="{name}"'})


async def _previous(session: ReadSession, asked: Asked, group_by: Grouping) -> PreviousOut:
    earlier = replace(asked, period=before(asked.period))
    report = await measured(session, earlier, group_by=group_by, limit=1)
    return PreviousOut(period_from=earlier.period.start, period_to=earlier.period.end, total=FiguresOut.model_validate(report.total))


async def _points(session: ReadSession, asked: Asked, bucket: Bucket) -> ReportOut:
    if asked.measure is BACKLOG:
        trend = await backlog(session, asked, bucket=bucket)
    else:
        trend = await trended(session, asked, bucket=bucket)
    return ReportOut(
        period_from=trend.period.start, period_to=trend.period.end, time_zone=trend.period.tz, group_by=None, bucket=bucket,
        as_of=trend.as_of, ages_at=trend.ages_at, approximate=trend.approximate,
        points=[
            PointOut(period_from=one.slice.start, period_to=one.slice.end, **FiguresOut.model_validate(one).model_dump())
            for one in trend.points
        ],
        total=FiguresOut.model_validate(trend.total), definition=DefinitionOut.model_validate(trend.definition),
    )  # fmt: skip


def _json(out: ReportOut) -> bytes:
    return out.model_dump_json(by_alias=True).encode("utf-8")


def _answer(request: Request, body: bytes, media: str, headers: dict[str, str] | None = None) -> Response:
    """The body with its tag; nothing when the asker has it already. An XLSX file holds its own moment, so its tag is of no use."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    told = {"ETag": tag, "Cache-Control": "private, no-cache", **(headers or {})}
    if tag in {one.strip() for one in request.headers.get("if-none-match", "").split(",")}:
        return Response(status_code=304, headers=told)
    return Response(body, media_type=media, headers=told)


def _told(report: Report) -> ReportOut:
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
        next=report.next_cursor,
        definition=DefinitionOut.model_validate(report.definition),
    )
