"""The administrator's screens of people."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.people.queries import list_operators
from app.people.rules import Permission
from app.web.deps import requires
from app.web.ui.people_views import PeoplePage
from app.web.ui.visit import CurrentVisit, visit_of

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.CONFIGURE))])


@router.get("/administration/people")
async def people_screen(visit: CurrentVisit) -> Response:
    """Everybody who may come in, with their roles."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
        people = [line for line in await list_operators(session) if not line.is_service]
    return visit.page("people.html", {"page": PeoplePage(rows=tuple(people))}, frame)
