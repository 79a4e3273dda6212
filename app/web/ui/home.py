"""Where people arrive, and the notices of deadlines."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.notices.queries import StandingNotice, standing_notices
from app.people.rules import Permission
from app.web.deps import requires
from app.web.ui.fields import row_number
from app.web.ui.page_views import NoticeLine, NoticesPage
from app.web.ui.queue_view import number_text
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of)])

_NOTICES = 50
_START = (
    (Permission.APPEAL_WORK, "/queue"),
    (Permission.REPORT_READ, "/reports"),
    (Permission.APPEAL_READ, "/queue"),
    (Permission.PAGE_READ, "/pages"),
)


@router.get("/")
async def home(visit: CurrentVisit) -> Response:
    """To the work: operators and coordinators to the queue, supervisors to the report, administrators to the pages."""
    return see_other(next((path for permission, path in _START if visit.access.may(permission)), "/pages"))


@router.get("/notices", dependencies=[Depends(requires(Permission.APPEAL_READ))])
async def notices_screen(visit: CurrentVisit, request: Request) -> Response:
    """Deadlines that are near or have passed, the newest first."""
    before = row_number(request.query_params.get("before", ""))
    async with visit.reading() as session:
        frame = await visit.frame(session)
        found = await standing_notices(session, visit.access, most=_NOTICES, before=before)
    more = str(found[-1].id) if len(found) == _NOTICES else None
    return visit.page("notices.html", {"page": NoticesPage(rows=tuple(_notice(visit, row) for row in found), before=more)}, frame)


def _notice(visit: Visit, row: StandingNotice) -> NoticeLine:
    agency = visit.office.desk.directory.agencies.get(row.agency_id or 0)
    return NoticeLine(
        kind=row.kind.value,
        number=number_text(row.appeal_number) if row.appeal_number is not None else "",
        promise=row.promise or "triage",
        agency=agency.name if agency else "",
        due_at=row.due_at,
        occurred_at=row.occurred_at,
        share=row.share,
        escalated_to=row.escalated_to or "",
    )
