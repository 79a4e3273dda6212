"""The steps of coming in, whichever door somebody took: a second step when there is one, then a session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import HTMLResponse, Response

from app.kernel.errors import ForbiddenError, InvalidError
from app.kernel.parts import WebParts
from app.people import service
from app.people.service import SignedIn
from app.people.sessions import Browser, CameBy, open_session
from app.web.deps import needs_factor, opened, session_token, set_session, start_seed
from app.web.ui import slips
from app.web.ui.visit import LANGUAGE_COOKIE, local_path, renderer_of, see_other, stranger_screen

STEP = "step"
"""The slip of whoever has taken the first step."""
CODE_PATH, SET_UP_PATH = "/sign-in/code", "/sign-in/second-factor"
_NOT_AFTER = ("/sign-in", "/sign-out", "/live", "/static", "/invitation")


async def proceed(
    request: Request, parts: WebParts, now: datetime, *, person: SignedIn, came_by: CameBy, after: str, proved: bool = False
) -> Response:
    """After the first step: ask for a code, have a second factor set up, or let in. `proved`: the provider asked for two."""
    if proved or not (person.has_factor or needs_factor(parts, person.roles)):
        return await let_in(request, parts, now, person=person, came_by=came_by, after=after, second_factor=proved)
    response = see_other(CODE_PATH if person.has_factor else SET_UP_PATH)
    sealed = slips.seal(parts.entrance.vault, STEP, now, operator_id=person.operator_id, mark=person.mark, by=came_by.value, after=after)
    slips.carry(response, parts, STEP, sealed)
    return response


async def halfway(request: Request, parts: WebParts, now: datetime) -> tuple[SignedIn, CameBy, str] | None:
    """Who has taken the first step in this browser, as they stand now; None when it was too long ago or means nothing now."""
    note = slips.carried(request, parts, STEP, now)
    if note is None:
        return None
    async with opened(parts.database.read(operator_id=note["operator_id"])) as session:
        try:
            person = await service.first_step(session, operator_id=note["operator_id"])
        except InvalidError:
            return None
    return (person, CameBy(note["by"]), after_path(note["after"])) if person.mark == note["mark"] else None


async def let_in(
    request: Request, parts: WebParts, now: datetime, *, person: SignedIn, came_by: CameBy, after: str, second_factor: bool
) -> Response:
    """All steps are taken: a new session, whatever the browser held; its old one ends."""
    response = see_other(after)
    await give_session(response, request, parts, now, person=person, came_by=came_by, second_factor=second_factor)
    return response


async def give_session(
    response: Response, request: Request, parts: WebParts, now: datetime, *, person: SignedIn, came_by: CameBy, second_factor: bool
) -> None:
    """Open the session and put it into an answer."""
    async with opened(parts.database.write(operator_id=person.operator_id)) as session:
        token = await open_session(
            session, operator_id=person.operator_id, now=now, lasts=parts.entrance.lasts, came_by=came_by,
            second_factor=second_factor, browser=browser_of(request), instead_of=session_token(request),
        )  # fmt: skip
        await service.note_sign_in(session, operator_id=person.operator_id, came_by=came_by, second_factor=second_factor)
    set_session(response, parts, token)
    slips.drop(response, parts, STEP)
    remember(response, parts, LANGUAGE_COOKIE, person.locale)


def browser_of(request: Request) -> Browser:
    """What a session remembers of the browser."""
    return Browser(address=address_of(request), agent=request.headers.get("user-agent", ""))


def address_of(request: Request) -> str:
    """Where a request comes from; a proxy's word counts only where the server trusts it (FORWARDED_ALLOW_IPS)."""
    return request.client.host if request.client is not None else "unknown"


def remember(response: Response, parts: WebParts, name: str, value: str) -> None:
    """Keep a choice of this browser for a year: it is no secret and proves nothing."""
    response.set_cookie(name, value, max_age=365 * 86_400, path="/", secure=parts.secure_cookies, httponly=True, samesite="lax")


def door_page(
    request: Request, parts: WebParts, now: datetime, template: str, view: Mapping[str, object], *, status: int = HTTPStatus.OK
) -> Response:
    """A page for people who are not signed in, with a secret for its form."""
    secret = Response()
    screen = stranger_screen(request, parts, now, csrf=start_seed(request, secret))
    response = HTMLResponse(renderer_of(request).render(template, screen, view), status_code=status)
    for value in secret.headers.getlist("set-cookie"):
        response.headers.append("set-cookie", value)
    return response


def after_path(value: object) -> str:
    """Where to go once in: within this installation, and no door of it."""
    path = local_path(value)
    return "/" if urlsplit(path).path.startswith(_NOT_AFTER) else path


def check_same(password: str, again: str) -> None:
    """Raise InvalidError `password.differs` unless a password was typed alike twice."""
    if password != again:
        raise InvalidError("password.differs", "The two passwords differ.", field="again")


def status_of(error: InvalidError | ForbiddenError) -> int:
    """What a refusal at the door answers."""
    if isinstance(error, InvalidError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    return HTTPStatus.TOO_MANY_REQUESTS if "seconds" in error.params else HTTPStatus.FORBIDDEN


def wait_header(response: Response, error: InvalidError | ForbiddenError) -> Response:
    """Say how long to wait, when that is the reason."""
    if "seconds" in error.params:
        response.headers["Retry-After"] = str(error.params["seconds"])
    return response
