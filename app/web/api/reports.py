"""How soon people are answered, for other systems: the same service as the supervisor's page."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field

from app.people.rules import Access, Permission
from app.reports.figures import Figures, Report
from app.reports.rules import Grouping, Period
from app.reports.service import MOST_ROWS, response_times
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
    unanswered: int
    waiting: int
    overdue: int
    closed_unanswered: int
    oldest_unanswered_age_s: float | None
    average_s: float | None
    median_s: float | None
    p90_s: float | None
    working_average_s: float | None
    working_median_s: float | None
    working_p90_s: float | None
    in_time_share: float | None = Field(description="0 to 1, of those whose fate is decided")
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
    measures: list[MeasureOut]


class ResponseTimesOut(BaseModel):
    """The report with its definition."""

    period_from: date = Field(serialization_alias="from")
    period_to: date = Field(serialization_alias="to")
    time_zone: str
    group_by: Grouping
    as_of: datetime | None
    ages_at: datetime
    small_below: int
    rows: list[RowOut]
    total: FiguresOut
    next: str | None
    definition: DefinitionOut


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
) -> ResponseTimesOut:
    """Average, median and 90th percentile in calendar and working time, the share in time; the unanswered stand beside them."""
    report = await response_times(
        session,
        access=access,
        period=Period(start=since, end=until, tz=tz or parts.timezone),
        group_by=group_by,
        as_of=as_of,
        now=now,
        limit=limit,
        cursor=cursor,
    )
    return _told(report)


def _told(report: Report) -> ResponseTimesOut:
    total: Figures = report.total
    return ResponseTimesOut(
        period_from=report.period.start,
        period_to=report.period.end,
        time_zone=report.time_zone,
        group_by=report.group_by,
        as_of=report.as_of,
        ages_at=report.ages_at,
        small_below=report.small_below,
        rows=[RowOut.model_validate(row) for row in report.rows],
        total=FiguresOut.model_validate(total),
        next=report.next_cursor,
        definition=DefinitionOut.model_validate(report.definition),
    )
