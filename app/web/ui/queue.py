"""The queue: the page, its rows, the counts beside its filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.appeals.facets import facets
from app.appeals.filters import MOST_ROWS, Cursor
from app.appeals.queries import queue
from app.people.rules import Permission
from app.sources.queries import news
from app.sources.rules import News
from app.web.deps import requires
from app.web.ui.fields import row_number
from app.web.ui.queue_view import facet_view, filters_of, queue_page, wanted
from app.web.ui.views import QueueFilters, QueuePage
from app.web.ui.visit import CurrentVisit, Visit, current_address, visit_of

if TYPE_CHECKING:
    from app.kernel.db import ReadSession

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.APPEAL_READ))])

ROWS = 30


@router.get("/queue")
async def queue_screen(visit: CurrentVisit, request: Request) -> Response:
    """The workplace without an open appeal."""
    filters, cursor = filters_of(request.query_params), request.query_params.get("cursor")
    async with visit.reading() as session:
        frame = await visit.frame(session)
        page = await read_queue(session, visit, filters, cursor=cursor)
    return visit.page("workplace.html", {"queue": page, "card": None}, frame)


@router.get("/queue/rows")
async def queue_rows(visit: CurrentVisit, request: Request) -> Response:
    """Rows for new filters, the next rows (`cursor`), or those that are shown once more (`take`: how many)."""
    query = request.query_params
    filters, cursor, take = filters_of(query), query.get("cursor") or None, row_number(query.get("take", ""))
    limit = ROWS if take is None else min(max(take, ROWS), MOST_ROWS)
    async with visit.reading() as session:
        page = await read_queue(session, visit, filters, cursor=cursor, limit=limit)
    asks_anew = cursor is None and take is None
    return visit.part("queue_rows.html", {"queue": page}, headers=_address(visit, filters) if asks_anew else None)


@router.get("/queue/facets")
async def queue_facets(visit: CurrentVisit, request: Request) -> Response:
    """The filters with their counts."""
    filters = filters_of(request.query_params)
    async with visit.reading() as session:
        counted = await facets(session, visit.access, filters=wanted(filters, visit.office.desk.directory), now=visit.now)
    page = QueuePage(rows=(), filters=filters, facets=facet_view(visit, filters, counted))
    return visit.part("queue_facets.html", {"queue": page})


async def read_queue(
    session: ReadSession, visit: Visit, filters: QueueFilters, *, cursor: str | None = None, limit: int = ROWS
) -> QueuePage:
    """A page of the queue: one statement, and one more when there is nothing to show."""
    found = await queue(
        session,
        visit.access,
        filters=wanted(filters, visit.office.desk.directory),
        now=visit.now,
        after=Cursor.parse(cursor) if cursor else None,
        limit=limit,
    )
    visit.looking.looks("appeal", [row.id for row in found.rows])
    why_empty = News.READ if found.rows else await news(session)
    return queue_page(visit, filters, found, first=not (cursor and visit.wants_part), news=why_empty)


def _address(visit: Visit, filters: QueueFilters) -> Mapping[str, str]:
    """The filters go into the page's address; an open appeal stays open."""
    path = current_address(visit.request).partition("?")[0]
    return {"HX-Replace-Url": (path if path.startswith("/appeals/") else "/queue") + filters.query()}
