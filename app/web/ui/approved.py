"""Approved reports: approving one, the list of them, one with what has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.audit import service as audit
from app.people.rules import Permission
from app.reports.approved import ApprovedHead, Change, approve, approved_list, approved_one, since_approval
from app.reports.measures import MEASURES
from app.reports.periods import kind_of
from app.web.deps import current_person, requires
from app.web.ui import report_build as build
from app.web.ui.fields import Form, row_number
from app.web.ui.measure_views import ApprovedLine, ApprovedView, ChangeLine, Link, Shown
from app.web.ui.reports import asked_of, question_from
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

if TYPE_CHECKING:
    from app.reports.approved import Approved

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of)])
_READS = [Depends(requires(Permission.REPORT_READ))]
_SIGNS = [Depends(requires(Permission.REPORT_APPROVE)), Depends(current_person)]
MOST_CHANGES = 200


@router.post("/reports/approve", dependencies=_SIGNS)
async def approve_report(visit: CurrentVisit, form: Form) -> Response:
    """Freeze the report of the form, as it stands now."""
    question = question_from(visit, {name: form.text(name) for name in ("measure", "from", "to", "group_by")})
    async with visit.writing() as session:
        report_id = await approve(session, asked_of(visit, question), group_by=question.group_by)
        await audit.record(
            session,
            operator_id=visit.access.operator_id,
            act="report.approved",
            subject="approved_report",
            subject_id=report_id,
            data={"measure": question.measure.code},
        )
    return see_other(f"/reports/approved/{report_id}")


@router.get("/reports/approved", dependencies=_READS)
async def approved_screen(visit: CurrentVisit) -> Response:
    """All that whoever asks may see, the newest first."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
        found = await approved_list(session)
    return visit.page("approved_list.html", {"rows": tuple(_line(visit, one) for one in found)}, frame)


@router.get("/reports/approved/{report_id}", dependencies=_READS)
async def one_approved(visit: CurrentVisit, report_id: str) -> Response:
    """The figures as they were approved, and those that would come out otherwise today."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
        one = await approved_one(session, row_number(report_id) or 0)
        changed = await since_approval(session, one, now=visit.now)
    return visit.page("approved.html", {"page": _view(visit, one, changed)}, frame)


def _line(visit: Visit, one: ApprovedHead) -> ApprovedLine:
    return ApprovedLine(
        href=f"/reports/approved/{one.id}", title=MEASURES[one.measure].title, since=one.period.start, until=one.period.end,
        kind=kind_of(one.period), group_by=visit.words("group_by", one.group_by.value), approver=one.approver, at=one.recorded_at,
    )  # fmt: skip


def _view(visit: Visit, one: Approved, changed: tuple[Change, ...]) -> ApprovedView:
    head, report = one.head, one.report
    question = question_from(
        visit,
        {
            "measure": head.measure,
            "from": head.period.start.isoformat(),
            "to": head.period.end.isoformat(),
            "group_by": head.group_by.value,
        },
    )
    seen = build.told_changes(report.definition, changed)
    labels = {row.key: build.label_of(head.group_by, row, visit.words) for row in report.rows}
    return ApprovedView(
        line=_line(visit, head),
        definition=report.definition,
        zone=head.period.zone,
        digest=head.digest,
        whole=one.whole,
        columns=build.columns(report.definition),
        rows=build.frozen_rows(report, visit.words),
        changes=tuple(
            ChangeLine(
                label="" if change.total else labels.get(change.key, change.label),
                total=change.total,
                figure=change.measure.title,
                then=Shown(change.then, change.measure.unit.value),
                now=Shown(change.now, change.measure.unit.value),
            )
            for change in seen[:MOST_CHANGES]
        ),
        more_changes=max(len(seen) - MOST_CHANGES, 0),
        today=question.here(),
        files=tuple(Link(form.upper(), f"/reports/approved/{head.id}/file?format={form}") for form in ("xlsx", "csv")),
    )
