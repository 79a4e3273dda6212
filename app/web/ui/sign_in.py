"""Coming in by a password or a link, and going out."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import ForbiddenError, InvalidError
from app.kernel.parts import WebParts
from app.people import passwords, service
from app.people.sessions import CameBy, sign_out as end_session
from app.web.deps import CurrentAccess, MaybeAccess, Now, Parts, csrf_guard, forget_session, opened, session_token
from app.web.ui.entry import address_of, after_path, check_same, door_page, proceed, status_of, wait_header
from app.web.ui.fields import Form
from app.web.ui.report_views import InvitationForm, SignInForm
from app.web.ui.visit import see_other

router = APIRouter(include_in_schema=False)

_PROBLEMS = {"sign_in.refused": "wrong", "sign_in.wait": "too_many", "csrf": "old"}
_TOLD = {"out": "out", "gone": "gone", "oidc": "oidc", "oidc_unknown": "oidc_unknown", "oidc_taken": "oidc_taken"}
_LONGEST = 200


@router.get("/sign-in")
async def sign_in_screen(request: Request, access: MaybeAccess, parts: Parts, now: Now) -> Response:
    """The form; whoever is signed in already goes on."""
    after = after_path(request.query_params.get("after"))
    if access is not None:
        return see_other(after)
    problem = next((problem for name, problem in _TOLD.items() if name in request.query_params), "")
    return _sign_in_page(request, parts, now, SignInForm(after=after, problem=problem, provider=_provider(parts)))


@router.post("/sign-in")
async def sign_in(request: Request, parts: Parts, now: Now, form: Form) -> Response:
    """Look at the password, then go on to the next step."""
    login, after = form.text("login")[:_LONGEST], after_path(form.text("after"))
    try:
        await csrf_guard(request)
        person = await service.authenticate(
            parts.database, login=login, password=form.text("password"), address=address_of(request), now=now
        )
    except (InvalidError, ForbiddenError) as error:
        problem = _PROBLEMS.get(error.code, "wrong")
        refused = SignInForm(after=after, login=login, problem=problem, provider=_provider(parts))
        return wait_header(_sign_in_page(request, parts, now, refused, status=status_of(error)), error)
    return await proceed(request, parts, now, person=person, came_by=CameBy.PASSWORD, after=after)


@router.post("/sign-out")
async def sign_out(request: Request, access: CurrentAccess, parts: Parts, now: Now) -> Response:
    """End this browser's session."""
    token = session_token(request)
    if token is not None:
        async with opened(parts.database.write(operator_id=access.operator_id)) as session:
            await end_session(session, token=token, now=now)
    response = see_other("/sign-in?out=1")
    forget_session(response, parts)
    return response


@router.get("/invitation/{token}")
async def invitation_screen(request: Request, token: str, parts: Parts, now: Now) -> Response:
    """Choose a password; a link that is used up says so."""
    async with opened(parts.database.read()) as session:
        try:
            person = await service.invited(session, token=token[:_LONGEST], now=now)
        except InvalidError:
            return _gone(request, parts, now)
    return door_page(request, parts, now, "invitation.html", {"form": _form(parts, person)})


@router.post("/invitation/{token}", dependencies=[Depends(csrf_guard)])
async def accept_invitation(request: Request, token: str, parts: Parts, now: Now, form: Form) -> Response:
    """Store the password, then go on to the next step."""
    password, token = form.text("password"), token[:_LONGEST]
    invited = service.SignedIn(operator_id=0, login="", name="", locale="")
    try:
        async with opened(parts.database.read()) as session:
            invited = await service.invited(session, token=token, now=now)
        check_same(password, form.text("again"))
        person = await service.accept(parts.database, token=token, password=password, now=now)
    except InvalidError as error:
        if error.code == "invitation.gone":
            return _gone(request, parts, now)
        view = _form(parts, invited, problem=error)
        return door_page(request, parts, now, "invitation.html", {"form": view}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return await proceed(request, parts, now, person=person, came_by=CameBy.LINK, after="/")


def _gone(request: Request, parts: WebParts, now: datetime) -> Response:
    form = InvitationForm(login="", name="", least=passwords.SHORTEST, gone=True)
    return door_page(request, parts, now, "invitation.html", {"form": form}, status=HTTPStatus.NOT_FOUND)


def _form(parts: WebParts, person: service.SignedIn, *, problem: InvalidError | None = None) -> InvitationForm:
    return InvitationForm(
        login=person.login,
        name=person.name,
        least=passwords.SHORTEST,
        reset=person.kind == "reset",
        provider=_provider(parts),
        problem="" if problem is None else problem.code,
        params={} if problem is None else problem.params,
    )


def _provider(parts: WebParts) -> str:
    return "" if parts.entrance.oidc is None else parts.entrance.oidc.name


def _sign_in_page(request: Request, parts: WebParts, now: datetime, form: SignInForm, *, status: int = HTTPStatus.OK) -> Response:
    return door_page(request, parts, now, "sign_in.html", {"form": form}, status=status)
