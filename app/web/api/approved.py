"""Approved reports by API: to read. Approving is a person's signature, so there is no request for it (decision 0026)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from app.people.rules import Permission
from app.reports import tables
from app.reports.approved import ApprovedHead, approved_list, approved_one, since_approval
from app.reports.rules import Grouping
from app.web.api.document import BEARER, problems
from app.web.api.report_forms import Format, forms, told
from app.web.api.report_models import ReportOut
from app.web.api.reports import report_out
from app.web.deps import Now, Reading, RowId, requires

router = APIRouter(
    prefix="/api/v1/reports/approved",
    tags=["reports"],
    dependencies=[Depends(BEARER), Depends(requires(Permission.REPORT_READ))],
)


class ApprovedHeadOut(BaseModel):
    """Who approved what, and when."""

    id: int
    measure: str
    period_from: date = Field(serialization_alias="from")
    period_to: date = Field(serialization_alias="to")
    time_zone: str
    group_by: Grouping
    as_of: datetime = Field(description="The moment of the figures")
    approved_by: str
    approved_at: datetime
    digest: str = Field(description="SHA-256 of what was signed")


class ApprovedOut(ApprovedHeadOut):
    """An approved report as it was."""

    whole: bool = Field(description="False: what is stored is not what was signed")
    report: ReportOut


class ChangeOut(BaseModel):
    """A figure that is another now; null where the line is new or gone."""

    key: int | str | None
    label: str
    total: bool
    figure: str
    then: float | None
    now: float | None


@router.get("", summary="Approved reports, the newest first", responses=problems())
async def list_approved(session: Reading) -> list[ApprovedHeadOut]:
    """Those whose approver saw no further than you do."""
    return [ApprovedHeadOut(**_head(one)) for one in await approved_list(session)]


@router.get("/{report_id}", summary="One approved report", responses=forms(ApprovedOut))
async def get_approved(
    request: Request, session: Reading, report_id: RowId, kind: Annotated[Format, Query(alias="format")] = Format.JSON
) -> Response:
    """Its figures as they were approved, with the definition of that day."""
    one = await approved_one(session, report_id)
    return told(
        request,
        kind,
        lambda: ApprovedOut(**_head(one.head), whole=one.whole, report=report_out(one.report)),
        lambda: tables.of_report(one.report),
    )


@router.get("/{report_id}/changes", summary="What has changed since it was approved", responses=problems(404))
async def get_changes(session: Reading, now: Now, report_id: RowId) -> list[ChangeOut]:
    """The same question asked today, within the sight of whoever approved: figures that come out otherwise."""
    one = await approved_one(session, report_id)
    return [
        ChangeOut(key=change.key, label=change.label, total=change.total, figure=change.measure.code, then=change.then, now=change.now)
        for change in await since_approval(session, one, now=now)
    ]


def _head(one: ApprovedHead) -> dict[str, Any]:
    return {
        "id": one.id, "measure": one.measure, "period_from": one.period.start, "period_to": one.period.end, "time_zone": one.period.tz,
        "group_by": one.group_by, "as_of": one.as_of, "approved_by": one.approver, "approved_at": one.recorded_at, "digest": one.digest,
    }  # fmt: skip
