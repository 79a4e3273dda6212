"""The official pages: how watching each of them goes, narrowed and sorted; a page's card; the list as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, TypeVar

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from app.appeals.page_file import FILE_NAME, csv_lines
from app.appeals.pages import PageFilters, PageOrder, PageRow, count_states, every_page, one_page, pages
from app.directory.queries import sphere_choices
from app.kernel.errors import NotFoundError
from app.people.rules import Permission
from app.replies.stops import StopRow, may_stop, standing_stops
from app.sources import facts
from app.sources.rules import PageState
from app.web.deps import requires
from app.web.ui.fields import row_number
from app.web.ui.page_care import care_view
from app.web.ui.page_views import PageCard, PageLine, PageQuery, PagesPage, StateCount, trend
from app.web.ui.queue_view import MOST_CHOICES, sorting
from app.web.ui.thread_view import web_address
from app.web.ui.views import Choice
from app.web.ui.visit import CurrentVisit, Visit, visit_of

if TYPE_CHECKING:
    from app.directory.service import AgencyNode, TerritoryNode
    from app.kernel.db import ReadSession

_Node = TypeVar("_Node", "AgencyNode", "TerritoryNode")

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.PAGE_READ))])

TREND = timedelta(days=30)
_LONGEST = 200


@router.get("/pages")
async def pages_screen(visit: CurrentVisit, request: Request) -> Response:
    """The pages within reach, with how watching them goes; how many are in which state comes after them."""
    query = page_query(request.query_params)
    filters = page_filters(visit, query)
    after = request.query_params.get("cursor") or None
    async with visit.reading() as session:
        frame = await visit.frame(session)
        stops = await standing_stops(session)
        found = await pages(session, visit.access, filters, now=visit.now, order=PageOrder(query.order), after=after)
        view = PagesPage(
            rows=tuple(_line(visit, row, stops) for row in found.rows),
            query=query,
            states=tuple(StateCount(state=state.value) for state in PageState),
            platforms=_platforms(visit, query.platform),
            agencies=_nodes(visit.office.desk.directory.agencies, query.agency),
            territories=_nodes(visit.office.desk.directory.territories, query.territory),
            spheres=await _spheres(session, query.sphere),
            orders=tuple(Choice(value=one, label=visit.words("page_order", one), chosen=one == query.order) for one in PageOrder),
            next_cursor=found.next,
            may_connect=visit.access.may(Permission.PAGE_CONNECT),
        )
    return visit.page("pages.html", {"page": view}, frame)


@router.get("/pages/states")
async def pages_states(visit: CurrentVisit, request: Request) -> Response:
    """How many pages are in which state, of those that the other filters leave."""
    query = page_query(request.query_params)
    async with visit.reading() as session:
        counts = await count_states(session, visit.access, page_filters(visit, query), now=visit.now)
    states = tuple(StateCount(state=state.value, count=count) for state, count in counts.items())
    return visit.part("page_states.html", {"page": PagesPage(query=query, states=states)})


@router.get("/pages/file")
async def pages_file(visit: CurrentVisit, request: Request) -> Response:
    """The filtered list as a file that `otklik import pages` takes back."""
    filters = page_filters(visit, page_query(request.query_params))

    async def lines() -> AsyncIterator[str]:
        async with visit.reading() as session:
            async for part in csv_lines(every_page(session, visit.access, filters, now=visit.now)):
                yield part

    headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/pages/{page_id}")
async def page_screen(visit: CurrentVisit, page_id: str, request: Request) -> Response:
    """One page: what its platform says of it, how that has changed, how watching it goes."""
    number = row_number(page_id)
    if number is None:
        raise NotFoundError("page.unknown", "There is no such page that you may see.")
    async with visit.reading() as session:
        frame = await visit.frame(session)
        stops = await standing_stops(session)
        row = await one_page(session, visit.access, page_id=number, now=visit.now)
        told = await facts.days(session, page_id=number, since=(visit.now.astimezone(UTC) - TREND).date())
        care = await care_view(visit, session, row)
    card = PageCard(
        line=_line(visit, row, stops), trend=trend(told), connected_at=row.connected_at, described_at=row.described_at, care=care,
        tried=request.query_params.get("tried") == "1",
    )  # fmt: skip
    return visit.page("page.html", {"page": card}, frame)


# --- from an address to a question ------------------------------------------------------------------------------


def page_query(query: Mapping[str, str]) -> PageQuery:
    """The filters that an address names; what they cannot be is left out."""
    state, order = query.get("state", ""), query.get("order", "")
    return PageQuery(
        state=state if state in set(PageState) else "",
        order=order if order in set(PageOrder) else PageOrder.TITLE.value,
        q=query.get("q", "").replace("\0", "").strip()[:_LONGEST],
        platform=query.get("platform", "").replace("\0", "")[:_LONGEST],
        agency=query.get("agency", "")[:_LONGEST],
        territory=query.get("territory", "")[:_LONGEST],
        sphere=query.get("sphere", "")[:_LONGEST],
    )


def page_filters(visit: Visit, query: PageQuery) -> PageFilters:
    """What is asked of the database. Something chosen that does not exist fits nothing."""
    directory = visit.office.desk.directory
    agency, territory = row_number(query.agency), row_number(query.territory)
    agencies = directory.agencies_under(agency) if agency in directory.agencies and agency is not None else ()
    territories = directory.territories_under(territory) if territory in directory.territories and territory is not None else ()
    return PageFilters(
        platform=query.platform or None,
        agency_ids=tuple(agencies) if query.agency else None,
        territory_ids=tuple(territories) if query.territory else None,
        sphere_id=(row_number(query.sphere) or 0) if query.sphere else None,
        state=PageState(query.state) if query.state else None,
        words=query.q,
    )


# --- what is shown ----------------------------------------------------------------------------------------------


def _line(visit: Visit, row: PageRow, stops: Sequence[StopRow]) -> PageLine:
    lineage = visit.office.desk.directory.agency_lineage(row.agency_id)
    overdue = None if row.due_at is None else visit.now - row.due_at
    return PageLine(
        id=str(row.id),
        platform=row.platform,
        title=row.title,
        url=web_address(row.link),
        agency=row.agency_name,
        territory=row.territory_name,
        sphere=row.sphere_name or "",
        members=row.members,
        official=row.official,
        comments_open=row.comments_open,
        state=row.state.value,
        polled_at=row.polled_at,
        overdue_s=max(overdue.total_seconds(), 0.0) if overdue is not None and row.state is PageState.LATE else 0.0,
        lag_s=row.lag_s,
        failures=row.failures,
        problem=row.error_code or "",
        stopped=any(one.kind == "all" or one.page_id == row.id or one.agency_id in lineage for one in stops),
        may_stop=may_stop(visit.access, agency_id=row.agency_id, territory_id=row.territory_id),
    )


def _platforms(visit: Visit, chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value=one, label=visit.words("platform", one), chosen=one == chosen) for one in sorted(visit.parts.plugins))


def _nodes(nodes: Mapping[int, _Node], chosen: str) -> tuple[Choice, ...]:
    """By name; of a directory that is too long for a list those that stand highest, and the chosen one."""
    shown = sorted(nodes.values(), key=lambda node: (len(node.lineage), sorting(node.name), node.id))[:MOST_CHOICES]
    number = row_number(chosen)
    if number is not None and number in nodes and all(node.id != number for node in shown):
        shown.append(nodes[number])
    shown.sort(key=lambda node: (sorting(node.name), node.id))
    return tuple(Choice(value=str(node.id), label=node.name, chosen=str(node.id) == chosen) for node in shown)


async def _spheres(session: ReadSession, chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value=str(one.id), label=one.name, chosen=str(one.id) == chosen) for one in await sphere_choices(session))
