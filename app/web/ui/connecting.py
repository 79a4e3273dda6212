"""Connecting a page, step by step: its address, what the platform says of it, what is missing, for whom it is watched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.directory.queries import sphere_choices
from app.kernel.db import ReadSession
from app.kernel.errors import ConflictError, InvalidError
from app.people.rules import Permission
from app.sources import intakes
from app.sources.intakes import Intake
from app.web.deps import requires
from app.web.ui.choices import agency_choices
from app.web.ui.fields import Fields, Form, row_number
from app.web.ui.queue_view import sorting
from app.web.ui.thread_view import web_address
from app.web.ui.views import Choice
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.PAGE_CONNECT))])

_PATH = "/pages/connect"
_WAITING = frozenset({"asked", "wanted"})


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckView:
    """One ability: whether it is there, and what to do when it is not."""

    ability: str
    state: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectPage:
    """Where it stands. `state` is empty before anything was asked."""

    platforms: tuple[Choice, ...]
    values: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    state: str = ""
    intake: str = ""
    """Which of the pages on their way it is: each form says so."""
    platform: str = ""
    link: str = ""
    title: str = ""
    url: str = ""
    members: int | None = None
    official: bool | None = None
    needed: str = ""
    tokens: tuple[tuple[str, int], ...] = ()
    checks: tuple[CheckView, ...] = ()
    problem: str = ""
    page_id: str = ""
    is_bot: bool = False
    """It reads private messages alone, and only once they are switched on."""
    agencies: tuple[Choice, ...] = ()
    territories: tuple[Choice, ...] = ()
    spheres: tuple[Choice, ...] = ()

    @property
    def waiting(self) -> bool:
        """Whether the worker is at it."""
        return self.state in _WAITING

    @property
    def blocked(self) -> bool:
        """Whether comments cannot be read: nothing would come of connecting it."""
        return any(check.ability == "read" and check.state == "no" for check in self.checks)


@router.get("/pages/connect")
async def connect_screen(visit: CurrentVisit, request: Request) -> Response:
    """How far a page is that this person connects (`intake`, else the last); while the worker is at it the screen looks again by itself."""
    asked = request.query_params.get("intake")
    return await _shown(visit, Fields({} if asked is None else {"intake": asked}), fresh=request.query_params.get("fresh") == "1")


@router.post("/pages/connect")
async def begin(visit: CurrentVisit, form: Form) -> Response:
    """Have a page's platform asked."""
    try:
        platform = _platform(visit, form)
        async with visit.writing() as session:
            intake_id = await intakes.ask(
                session, operator_id=visit.access.operator_id, platform=platform, link=form.text("link"), now=visit.now
            )
    except (InvalidError, ConflictError) as error:
        return await _shown(visit, form, error=visit.words("fault", error.code, error.params, otherwise=error.detail), fresh=True)
    return _step(intake_id)


@router.post("/pages/connect/again")
async def again(visit: CurrentVisit, form: Form) -> Response:
    """Something was mended: ask once more."""
    async with visit.writing() as session:
        found = await _intake(visit, session, form)
        if found is not None:
            await intakes.ask_again(session, intake_id=found.id, now=visit.now)
    return _step(None if found is None else found.id)


@router.post("/pages/connect/agency")
async def want(visit: CurrentVisit, form: Form) -> Response:
    """Watch it from now on, for an agency within reach."""
    spheres = {one.value for one in await _spheres(visit, "")}
    try:
        agency_id, territory_id = _place(visit, form)
        sphere_id = form.number("sphere") if form.text("sphere") in spheres else None
        async with visit.writing() as session:
            found = await _intake(visit, session, form)
            if found is not None:
                await intakes.want(session, intake_id=found.id, agency_id=agency_id, territory_id=territory_id, sphere_id=sphere_id)
    except InvalidError as error:
        return await _shown(visit, form, error=visit.words("fault", error.code, error.params, otherwise=error.detail))
    return _step(None if found is None else found.id)


async def _intake(visit: Visit, session: ReadSession, form: Fields) -> Intake | None:
    """The page that this form is of: in another tab the same person may connect another one."""
    intake_id = row_number(form.text("intake"))
    return None if intake_id is None else await intakes.one(session, operator_id=visit.access.operator_id, intake_id=intake_id)


def _step(intake_id: int | None) -> Response:
    return see_other(_PATH if intake_id is None else f"{_PATH}?intake={intake_id}")


def _platform(visit: Visit, form: Fields) -> str:
    if form.text("platform") not in visit.parts.plugins:
        raise InvalidError("intake.platform", "Choose the platform.", field="platform")
    return form.text("platform")


def _place(visit: Visit, form: Fields) -> tuple[int, int]:
    """The agency, within reach, and the territory: its own unless another is chosen."""
    directory = visit.office.desk.directory
    agency = directory.agencies.get(form.number("agency") or 0)
    territory_id = form.number("territory") or (agency.territory_id if agency is not None else 0)
    if agency is None or territory_id not in directory.territories or not _may(visit, agency.id, agency.territory_id):
        raise InvalidError("intake.agency", "Choose an agency within your reach.", field="agency")
    return agency.id, territory_id


def _may(visit: Visit, agency_id: int, territory_id: int) -> bool:
    return visit.access.reaches(Permission.PAGE_CONNECT, agency_id=agency_id, territory_id=territory_id)


async def _spheres(visit: Visit, chosen: str) -> tuple[Choice, ...]:
    async with visit.reading() as session:
        return tuple(Choice(value=str(one.id), label=one.name, chosen=str(one.id) == chosen) for one in await sphere_choices(session))


async def _shown(visit: Visit, form: Fields, *, fresh: bool = False, error: str = "") -> Response:
    async with visit.reading() as session:
        frame = await visit.frame(session)
        last = not fresh and "intake" not in form.values
        found = await (intakes.one(session, operator_id=visit.access.operator_id) if last else _intake(visit, session, form))
    spheres = await _spheres(visit, form.text("sphere"))
    view = _view(visit, found, form, spheres, error)
    return visit.page("connect.html", {"page": view}, frame, status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK)


def _view(visit: Visit, found: Intake | None, form: Fields, spheres: tuple[Choice, ...], error: str) -> ConnectPage:
    platforms = tuple(
        Choice(value=one, label=visit.words("platform", one), chosen=one == form.text("platform")) for one in sorted(visit.parts.plugins)
    )
    if found is None:
        return ConnectPage(platforms=platforms, values=form.values, error=error)
    directory = visit.office.desk.directory
    agencies = tuple(
        one
        for one in agency_choices(directory, form.text("agency"))
        if _may(visit, int(one.value), directory.agencies[int(one.value)].territory_id)
    )
    territories = tuple(
        Choice(value=str(node.id), label=node.name, chosen=str(node.id) == form.text("territory"))
        for node in sorted(directory.territories.values(), key=lambda node: (sorting(node.name), node.id))
    )
    told = found.told or {}
    return ConnectPage(
        platforms=platforms, values=form.values, error=error, state=found.state, intake=str(found.id), platform=found.platform,
        link=found.link, title=told.get("title", ""), url=web_address(told.get("link", "")), members=told.get("members"),
        official=told.get("official"), needed=visit.words("tokens_needed", found.platform, otherwise=""),
        tokens=tuple(sorted((found.tokens or {}).items())), checks=tuple(_check(visit, found.platform, one) for one in found.checks or ()),
        problem=fix_words(visit, found.platform, found.code or "", "") if found.code else "",
        page_id="" if found.page_id is None else str(found.page_id), is_bot=told.get("options", {}).get("dialogs") == "yes",
        agencies=agencies, territories=territories, spheres=spheres,
    )  # fmt: skip


def _check(visit: Visit, platform: str, found: Mapping[str, str]) -> CheckView:
    fix = fix_words(visit, platform, found["code"], found["ability"]) if found["code"] else ""
    return CheckView(ability=found["ability"], state=found["state"], fix=fix)


def fix_words(visit: Visit, platform: str, code: str, ability: str) -> str:
    """The most fitting words there are."""
    for key in (f"{platform} {code} {ability}", f"{platform} {code}"):
        if words := visit.words("check_fix", key, otherwise=""):
            return words
    return visit.words("check_fix", code, otherwise=visit.words("feed_problem", code))
