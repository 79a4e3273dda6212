"""Coming in and going out: sign-in, sign-out, a password by invitation."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse, Response

from app.kernel.errors import ForbiddenError, InvalidError
from app.kernel.parts import WebParts
from app.people import passwords, service
from app.web.deps import (
    CurrentAccess,
    MaybeAccess,
    Now,
    Parts,
    csrf_guard,
    forget_session,
    opened,
    session_token,
    set_session,
    start_seed,
)
from app.web.ui.fields import Form
from app.web.ui.report_views import InvitationForm, SignInForm
from app.web.ui.visit import LANGUAGE_COOKIE, local_path, renderer_of, see_other, stranger_screen

router = APIRouter(include_in_schema=False)

_NOT_AFTER = ("/sign-in", "/sign-out", "/live", "/static", "/invitation")
_PROBLEMS = {"sign_in.refused": "wrong", "sign_in.wait": "too_many", "csrf": "old"}
_LONGEST = 200


@router.get("/sign-in")
async def sign_in_screen(request: Request, access: MaybeAccess, parts: Parts, now: Now) -> Response:
    """The form; whoever is signed in already goes on."""
    after = _after(request.query_params.get("after"))
    if access is not None:
        return see_other(after)
    problem = "out" if "out" in request.query_params else ""
    return _page(request, parts, now, "sign_in.html", form=SignInForm(after=after, problem=problem))


@router.post("/sign-in")
async def sign_in(request: Request, parts: Parts, now: Now, form: Form) -> Response:
    """Look at the password and open a session; a new token each time, whatever the browser held."""
    login, after = form.text("login")[:_LONGEST], _after(form.text("after"))
    try:
        await csrf_guard(request)
        person = await service.authenticate(parts.database, login=login, password=form.text("password"), address=_address(request), now=now)
    except (InvalidError, ForbiddenError) as error:
        refused = SignInForm(after=after, login=login, problem=_PROBLEMS.get(error.code, "wrong"))
        response = _page(request, parts, now, "sign_in.html", form=refused, status=_status(error))
        if "seconds" in error.params:
            response.headers["Retry-After"] = str(error.params["seconds"])
        return response
    return await _signed_in(parts, now, operator_id=person.operator_id, locale=person.locale, after=after)


@router.post("/sign-out")
async def sign_out(request: Request, access: CurrentAccess, parts: Parts, now: Now) -> Response:
    """End this browser's session."""
    token = session_token(request)
    if token is not None:
        async with opened(parts.database.write(operator_id=access.operator_id)) as session:
            await service.close_session(session, token=token, now=now)
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
            gone = InvitationForm(login="", name="", least=passwords.SHORTEST, gone=True)
            return _page(request, parts, now, "invitation.html", form=gone, status=HTTPStatus.NOT_FOUND)
    return _page(
        request, parts, now, "invitation.html", form=InvitationForm(login=person.login, name=person.name, least=passwords.SHORTEST)
    )


@router.post("/invitation/{token}", dependencies=[Depends(csrf_guard)])
async def accept_invitation(request: Request, token: str, parts: Parts, now: Now, form: Form) -> Response:
    """Store the password and sign the person in."""
    password, token = form.text("password"), token[:_LONGEST]
    invited = service.SignedIn(operator_id=0, login="", name="", locale="")
    try:
        async with opened(parts.database.read()) as session:
            invited = await service.invited(session, token=token, now=now)
        _check_same(password, form.text("again"))
        person = await service.accept(parts.database, token=token, password=password, now=now)
    except InvalidError as error:
        if error.code == "invitation.gone":
            gone = InvitationForm(login="", name="", least=passwords.SHORTEST, gone=True)
            return _page(request, parts, now, "invitation.html", form=gone, status=HTTPStatus.NOT_FOUND)
        refused = InvitationForm(login=invited.login, name=invited.name, least=passwords.SHORTEST, problem=error.code, params=error.params)
        return _page(request, parts, now, "invitation.html", form=refused, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return await _signed_in(parts, now, operator_id=person.operator_id, locale=person.locale, after="/")


def _check_same(password: str, again: str) -> None:
    if password != again:
        raise InvalidError("password.differs", "The two passwords differ.", field="again")


async def _signed_in(parts: WebParts, now: datetime, *, operator_id: int, locale: str, after: str) -> Response:
    async with opened(parts.database.write(operator_id=operator_id)) as session:
        token = await service.open_session(session, operator_id=operator_id, now=now, hours=parts.session_hours)
    response = see_other(after)
    set_session(response, parts, token)
    remember(response, parts, LANGUAGE_COOKIE, locale)
    return response


def remember(response: Response, parts: WebParts, name: str, value: str) -> None:
    """Keep a choice of this browser for a year: it is no secret and proves nothing."""
    response.set_cookie(name, value, max_age=365 * 86_400, path="/", secure=parts.secure_cookies, httponly=True, samesite="lax")


def _page(
    request: Request, parts: WebParts, now: datetime, template: str, *, form: SignInForm | InvitationForm, status: int = HTTPStatus.OK
) -> Response:
    """A page for people who are not signed in, with a secret for its form."""
    secret = Response()
    screen = stranger_screen(request, parts, now, csrf=start_seed(request, secret))
    response = HTMLResponse(renderer_of(request).render(template, screen, {"form": form}), status_code=status)
    for value in secret.headers.getlist("set-cookie"):
        response.headers.append("set-cookie", value)
    return response


def _after(value: object) -> str:
    path = local_path(value)
    return "/" if urlsplit(path).path.startswith(_NOT_AFTER) else path


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"


def _status(error: InvalidError | ForbiddenError) -> int:
    if isinstance(error, InvalidError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return HTTPStatus.TOO_MANY_REQUESTS if "seconds" in error.params else HTTPStatus.FORBIDDEN
