"""The administrator's screens of people: who may come in, what they may do, and ending both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.db import WriteSession
from app.kernel.errors import ForbiddenError, InvalidError
from app.people import administration, second_factor, staff
from app.people.identities import unlink_identities
from app.people.rules import Permission
from app.people.service import normal_login
from app.people.sessions import list_sessions
from app.web.deps import RowId, current_person, requires
from app.web.ui.fields import Fields, Form
from app.web.ui.people_views import InviteForm, PeoplePage, PersonPage
from app.web.ui.places import grant_of, place_choices, role_choices
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

router = APIRouter(
    include_in_schema=False,
    dependencies=[Depends(visit_of), Depends(current_person), Depends(requires(Permission.CONFIGURE))],
)

PATH = "/administration/people"
_AT_ONCE = 50
_DONE = frozenset({"role", "ended", "factor", "sessions", "left", "unlinked"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """What is said about the last act: a link that was made, what was done, or why it was not."""

    link: staff.Link | None = None
    done: str = ""
    error: str = ""


@router.get(PATH)
async def people_screen(visit: CurrentVisit, request: Request) -> Response:
    """Whom the administrator may change, by name."""
    words, after = request.query_params.get("q", "")[:100], request.query_params.get("after", "")[:300]
    async with visit.reading() as session:
        frame = await visit.frame(session)
        rows = await administration.people(session, words=words, after=after, most=_AT_ONCE)
    more = administration.place_after(rows[-1]) if len(rows) == _AT_ONCE else ""
    return visit.page("people.html", {"page": PeoplePage(rows=tuple(rows), words=words, after=more)}, frame)


@router.get(f"{PATH}/new")
async def invite_screen(visit: CurrentVisit) -> Response:
    """The form to take somebody on."""
    return await _invite_page(visit, {})


@router.post(f"{PATH}/new")
async def invite(visit: CurrentVisit, form: Form) -> Response:
    """Take them on and show the link, this once."""
    try:
        grant = grant_of(visit.office.desk.directory, form)
        async with visit.writing() as session:
            await administration.require_grants(session, grants=[grant])
            await administration.require_login(session, login=normal_login(form.text("login")))
            _not_oneself(visit, normal_login(form.text("login")))
            sent = await staff.invite(
                session,
                login=form.text("login"),
                name=form.text("name") or None,
                grants=[grant],
                now=visit.now,
                by=visit.access.operator_id,
            )
    except (InvalidError, ForbiddenError) as error:
        field = str(error.params.get("field", "place"))
        sentence = visit.words("fault", error.code, error.params, otherwise=error.detail)
        return await _invite_page(visit, form.values, {field: sentence})
    link = staff.Link(token=sent.token, expires_at=sent.expires_at, kind="invitation")
    return await _person_page(visit, sent.operator_id, _Said(link=link))


@router.get(f"{PATH}/{{operator_id}}")
async def person_screen(visit: CurrentVisit, operator_id: RowId, request: Request) -> Response:
    """One person: roles, sessions, second factor."""
    return await _person_page(visit, operator_id, _Said(done=next((name for name in request.query_params if name in _DONE), "")))


@router.post(f"{PATH}/{{operator_id}}/roles")
async def give_role(visit: CurrentVisit, operator_id: RowId, form: Form) -> Response:
    """A role more, within one's own scope."""
    try:
        grant = grant_of(visit.office.desk.directory, form)
        async with visit.writing() as session:
            await administration.require_person(session, visit.access, operator_id=operator_id)
            await administration.require_grants(session, grants=[grant])
            await staff.give_role(session, operator_id=operator_id, grants=[grant], now=visit.now, by=visit.access.operator_id)
    except InvalidError as error:
        return await _person_page(visit, operator_id, _Said(error=visit.words("fault", error.code, error.params, otherwise=error.detail)))
    return see_other(f"{PATH}/{operator_id}?role=1")


@router.post(f"{PATH}/{{operator_id}}/roles/{{role_id}}/end")
async def end_role(visit: CurrentVisit, operator_id: RowId, role_id: RowId) -> Response:
    """A role less."""
    async with visit.writing() as session:
        await administration.require_person(session, visit.access, operator_id=operator_id)
        await staff.end_role(session, operator_id=operator_id, role_id=role_id, now=visit.now, by=visit.access.operator_id)
    return see_other(f"{PATH}/{operator_id}?ended=1")


@router.post(f"{PATH}/{{operator_id}}/link")
async def new_link(visit: CurrentVisit, operator_id: RowId) -> Response:
    """A link to choose a password by, shown this once; those given earlier stop working."""
    async with visit.writing() as session:
        await administration.require_person(session, visit.access, operator_id=operator_id)
        link = await staff.new_link(session, operator_id=operator_id, now=visit.now, by=visit.access.operator_id)
    return await _person_page(visit, operator_id, _Said(link=link))


@router.post(f"{PATH}/{{operator_id}}/come-back")
async def come_back(visit: CurrentVisit, operator_id: RowId) -> Response:
    """Somebody who left is here again; a link is shown this once."""
    async with visit.writing() as session:
        await administration.require_person(session, visit.access, operator_id=operator_id)
        link = await staff.come_back(session, operator_id=operator_id, now=visit.now, by=visit.access.operator_id)
    return await _person_page(visit, operator_id, _Said(link=link))


@router.post(f"{PATH}/{{operator_id}}/act")
async def act(visit: CurrentVisit, operator_id: RowId, form: Form) -> Response:
    """Take the second factor away, end all sessions, forget a provider, or let somebody go."""
    async with visit.writing() as session:
        await administration.require_person(session, visit.access, operator_id=operator_id)
        done = await _act(session, visit, operator_id, form)
    return see_other(f"{PATH}/{operator_id}?{done}=1")


async def _act(session: WriteSession, visit: Visit, operator_id: int, form: Fields) -> str:
    by = visit.access.operator_id
    if form.text("act") == "reset_factor":
        await second_factor.take_away(session, operator_id=operator_id, by=by)
        await staff.end_sessions(session, operator_id=operator_id, now=visit.now, by=by)
        return "factor"
    if form.text("act") == "end_sessions":
        await staff.end_sessions(session, operator_id=operator_id, now=visit.now, by=by)
        return "sessions"
    if form.text("act") == "unlink":
        await unlink_identities(session, operator_id=operator_id, by=by)
        await staff.end_sessions(session, operator_id=operator_id, now=visit.now, by=by)
        return "unlinked"
    if form.text("act") == "leave":
        await staff.leave(session, operator_id=operator_id, now=visit.now, by=by)
        return "left"
    raise InvalidError("operator.act", "Choose what to do.", field="act")


def _not_oneself(visit: Visit, login: str) -> None:
    if login == visit.access.login:
        raise ForbiddenError("operator.self", "Nobody changes their own roles or lets themselves go: ask another administrator.")


async def _invite_page(visit: Visit, values: Mapping[str, str], errors: Mapping[str, str] | None = None) -> Response:
    view = InviteForm(
        roles=role_choices(visit.words, values.get("role", "operator")),
        places=place_choices(visit.office.desk.directory, visit.access, visit.words, values.get("place", "")),
        values=values,
        errors=errors or {},
    )
    async with visit.reading() as session:
        frame = await visit.frame(session)
    return visit.page("person_new.html", {"form": view}, frame, status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK)


async def _person_page(visit: Visit, operator_id: int, said: _Said) -> Response:
    async with visit.reading() as session:
        frame = await visit.frame(session)
        person = await administration.person(session, visit.access, operator_id=operator_id)
        sessions = await list_sessions(session, operator_id=operator_id, now=visit.now, idle=visit.parts.entrance.idle)
    view = PersonPage(
        person=person,
        sessions=tuple(sessions),
        roles=role_choices(visit.words, "operator"),
        places=place_choices(visit.office.desk.directory, visit.access, visit.words),
        self=operator_id == visit.access.operator_id,
        link="" if said.link is None else f"{visit.parts.entrance.address}/invitation/{said.link.token}",
        link_kind="" if said.link is None else said.link.kind,
        link_until=None if said.link is None else said.link.expires_at,
        done=said.done,
        error=said.error,
    )
    return visit.page("person.html", {"page": view}, frame, status=HTTPStatus.UNPROCESSABLE_ENTITY if said.error else HTTPStatus.OK)
