"""The switch that stops publishing: what is stopped now, how to stop and how to let go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import ConflictError, InvalidError, NotFoundError
from app.people.rules import Permission
from app.replies import approvals, stops
from app.replies.approvals import ApprovedFirst
from app.web.deps import CurrentAccess, requires
from app.web.ui.choices import agency_choices
from app.web.ui.fields import Form, row_number
from app.web.ui.places import place_choices
from app.web.ui.stop_views import StopView, stop_view
from app.web.ui.views import Choice
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of)])

_DEMANDS = [Depends(requires(Permission.PUBLISHING_STOP))]


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishingPage:
    """What is stopped, what was, and what this person may stop: agencies, the page that they came from, everything."""

    standing: tuple[StopView, ...]
    past: tuple[StopView, ...]
    agencies: tuple[Choice, ...]
    page_id: str = ""
    page_title: str = ""
    page_agency: str = ""
    everywhere: bool = False
    approved_first: tuple[ApprovedFirst, ...] = ()
    may_require: bool = False
    """Whether this person decides which agencies' answers are approved first: for the agencies of `askable`."""
    askable: tuple[Choice, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


@router.get("/publishing", dependencies=_DEMANDS)
async def publishing_screen(visit: CurrentVisit, request: Request) -> Response:
    """What is stopped and was; a form to stop, for the page that `page` names if it does."""
    return await _page(visit, page_id=row_number(request.query_params.get("page", "")))


@router.get("/publishing/banner")
async def banner(visit: CurrentVisit, _access: CurrentAccess) -> Response:
    """The stops that concern whoever is signed in: for screens that are open already."""
    async with visit.reading() as session:
        found = await stops.standing_stops(session)
    return visit.part("stops.html", {"stops": tuple(stop_view(one) for one in found)})


@router.post("/publishing/stop", dependencies=_DEMANDS)
async def stop(visit: CurrentVisit, form: Form) -> Response:
    """Stop at once."""
    page_id = row_number(form.text("page"))
    try:
        async with visit.writing() as session:
            await stops.stop(
                session, visit.access, subject=_subject(form.text("subject"), page_id), reason=form.text("reason"), now=visit.now
            )
    except (InvalidError, ConflictError) as error:
        sentence = visit.words("fault", error.code, error.params, otherwise=error.detail)
        return await _page(visit, page_id=page_id, values=form.values, error=sentence)
    return see_other("/publishing")


@router.post("/publishing/{stop_id}/release", dependencies=_DEMANDS)
async def release(visit: CurrentVisit, stop_id: str) -> Response:
    """Let what waits go out."""
    found = row_number(stop_id)
    if found is None:
        raise NotFoundError("publishing.unknown", "There is no such stop that you may see.")
    async with visit.writing() as session:
        await stops.release(session, visit.access, stop_id=found, now=visit.now)
    return see_other("/publishing")


@router.post("/publishing/approval", dependencies=[Depends(requires(Permission.CONFIGURE))])
async def require(visit: CurrentVisit, form: Form) -> Response:
    """An agency's answers are approved by another person first from now on, or are not."""
    agency_id = form.number("agency") or 0
    try:
        async with visit.writing() as session:
            await approvals.require_approval(session, visit.access, agency_id=agency_id, needed=form.text("needed") == "1")
    except ConflictError as error:
        return await _page(visit, page_id=None, error=visit.words("fault", error.code, error.params, otherwise=error.detail))
    return see_other("/publishing")


def _subject(value: str, page_id: int | None) -> stops.Subject:
    """`page`, `all`, or an agency's number. InvalidError `publishing.subject` for anything else."""
    if value == "all":
        return stops.Subject()
    agency_id = row_number(value)
    subject = stops.Subject(page_id=page_id) if value == "page" else stops.Subject(agency_id=agency_id)
    if subject.kind == "all":
        raise InvalidError("publishing.subject", "There is no such page or agency: choose one from the list.", field="subject")
    return subject


async def _page(visit: Visit, *, page_id: int | None, values: Mapping[str, str] | None = None, error: str = "") -> Response:
    async with visit.reading() as session:
        frame = await visit.frame(session)
        standing = await stops.standing_stops(session)
        past = await stops.past_stops(session)
        first = await approvals.approved_first(session)
        page = None if page_id is None else await stops.stoppable_page(session, visit.access, page_id=page_id)
    given = values or {}
    directory = visit.office.desk.directory
    agencies = tuple(
        one
        for one in agency_choices(directory, given.get("subject", ""))
        if stops.may_stop(visit.access, agency_id=int(one.value), territory_id=directory.agencies[int(one.value)].territory_id)
    )
    view = PublishingPage(
        standing=tuple(stop_view(one, may_release=one.may_be_released_by(visit.access)) for one in standing),
        past=tuple(map(stop_view, past)),
        agencies=agencies,
        page_id="" if page is None else str(page.id),
        page_title="" if page is None else page.title,
        page_agency="" if page is None else page.agency_name,
        everywhere=stops.administers(visit.access),
        approved_first=tuple(first),
        may_require=visit.access.may(Permission.CONFIGURE),
        askable=_askable(visit, {one.id for one in first}),
        values=given,
        error=error,
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK
    return visit.page("publishing.html", {"page": view}, frame, status=status)


def _askable(visit: Visit, already: set[int]) -> tuple[Choice, ...]:
    """The agencies within an administrator's own scope that do not ask for approval yet."""
    if not visit.access.may(Permission.CONFIGURE):
        return ()
    given = place_choices(visit.office.desk.directory, visit.access, visit.words)
    mine = {int(one.value.partition(":")[2]) for one in given if one.value.startswith("agency:")}
    return tuple(one for one in agency_choices(visit.office.desk.directory) if int(one.value) in mine - already)
