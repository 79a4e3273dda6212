"""One's own account: password, second factor, the browsers that are signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import ForbiddenError, InvalidError
from app.people import passwords, second_factor, service
from app.people.identities import issuers_of
from app.people.second_factor import factor_state
from app.people.sessions import close_other_sessions, close_session_by_id, list_sessions, rotate_session
from app.web.deps import RowId, current_person, forget_session, needs_factor, session_token, set_session
from app.web.ui.entry import address_of, check_same, status_of, wait_header
from app.web.ui.fields import Form
from app.web.ui.people_views import AccountPage, RecoveryCodes
from app.web.ui.second_step import new_set_up, secret_of, set_up_form
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(current_person)])

_DONE = frozenset({"password", "sessions", "session", "factor_off"})


@router.get("/account")
async def account_screen(visit: CurrentVisit, request: Request) -> Response:
    """How one comes in, and where one is signed in."""
    done = next((name for name in request.query_params if name in _DONE), "")
    return await _page(visit, done=done)


@router.post("/account/password")
async def change_password(visit: CurrentVisit, form: Form) -> Response:
    """Another password; every other browser is signed out, and this one goes on with a new token."""
    access, parts, now = visit.access, visit.parts, visit.now
    try:
        await _prove(visit, form.text("current"))
        check_same(form.text("password"), form.text("again"))
        await service.change_password(
            parts.database, operator_id=access.operator_id, login=access.login, password=form.text("password"),
            token=session_token(visit.request), now=now,
        )  # fmt: skip
    except (InvalidError, ForbiddenError) as error:
        return await _refused(visit, "password", error)
    return await _rotated(visit, see_other("/account?password=1"))


@router.post("/account/sessions/end-others")
async def end_others(visit: CurrentVisit) -> Response:
    """Sign every other browser out."""
    async with visit.writing() as session:
        await close_other_sessions(session, operator_id=visit.access.operator_id, token=session_token(visit.request), now=visit.now)
    return see_other("/account?sessions=1")


@router.post("/account/sessions/{session_id}/end")
async def end_session(visit: CurrentVisit, session_id: RowId) -> Response:
    """Sign one browser out; of oneself only."""
    async with visit.writing() as session:
        await close_session_by_id(session, operator_id=visit.access.operator_id, session_id=session_id, now=visit.now)
    return see_other("/account?session=1")


@router.get("/account/second-factor")
async def set_up_screen(visit: CurrentVisit) -> Response:
    """Show the picture for the device."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
        state = await factor_state(session, operator_id=visit.access.operator_id)
    if state.confirmed_at is not None:
        return see_other("/account")
    form = new_set_up(visit.parts, visit.now, operator_id=visit.access.operator_id, login=visit.access.login)
    return visit.page("account_factor.html", {"form": form, "error": ""}, frame)


@router.post("/account/second-factor")
async def set_up(visit: CurrentVisit, form: Form) -> Response:
    """Keep the device; other browsers are signed out, this one has proved it; the recovery codes are shown this once."""
    access, parts, now = visit.access, visit.parts, visit.now
    secret = secret_of(parts, now, form, operator_id=access.operator_id)
    if secret is None:
        return see_other("/account/second-factor")
    try:
        await _prove(visit, form.text("current"))
        async with visit.writing() as session:
            kept = await second_factor.set_up(
                session, operator_id=access.operator_id, secret=secret, code=form.text("code"), vault=parts.entrance.vault, now=now
            )
    except (InvalidError, ForbiddenError) as error:
        view = set_up_form(parts, now, operator_id=access.operator_id, login=access.login, secret=secret)
        async with visit.reading() as reading:
            frame = await visit.frame(reading)
        sentence = visit.words("fault", error.code, error.params, otherwise=error.detail)
        page = visit.page("account_factor.html", {"form": view, "error": sentence}, frame, status=status_of(error))
        return wait_header(page, error)
    return await _show_codes(visit, tuple(kept), second_factor=True)


@router.post("/account/second-factor/codes")
async def new_codes(visit: CurrentVisit, form: Form) -> Response:
    """Fresh recovery codes for a code of the device."""
    try:
        await _check(visit, form.text("code"))
        async with visit.writing() as session:
            kept = await second_factor.renew_recovery_codes(session, operator_id=visit.access.operator_id, now=visit.now)
    except (InvalidError, ForbiddenError) as error:
        return await _refused(visit, "factor", error)
    return await _show_codes(visit, tuple(kept), second_factor=None)


@router.post("/account/second-factor/off")
async def factor_off(visit: CurrentVisit, form: Form) -> Response:
    """Take the second factor away, for one of its codes; not when one's role needs it."""
    access = visit.access
    try:
        _refuse_needed(visit)
        await _check(visit, form.text("code"))
        async with visit.writing() as session:
            await second_factor.take_away(session, operator_id=access.operator_id, by=access.operator_id)
    except (InvalidError, ForbiddenError) as error:
        return await _refused(visit, "factor", error)
    return await _rotated(visit, see_other("/account?factor_off=1"), second_factor=False)


async def _prove(visit: Visit, password: str) -> None:
    await service.prove_password(
        visit.parts.database, operator_id=visit.access.operator_id, password=password, address=address_of(visit.request), now=visit.now
    )


async def _check(visit: Visit, code: str) -> None:
    await second_factor.check_code(
        visit.parts.database, operator_id=visit.access.operator_id, login=visit.access.login, code=code,
        address=address_of(visit.request), vault=visit.parts.entrance.vault, now=visit.now,
    )  # fmt: skip


async def _rotated(visit: Visit, response: Response, *, second_factor: bool | None = None) -> Response:
    """The answer with a new token for this browser; all others are signed out."""
    async with visit.writing() as session:
        token = await rotate_session(
            session, token=session_token(visit.request) or "", now=visit.now, second_factor=second_factor, others_end=True
        )
    if token is None:
        forget_session(response, visit.parts)
    else:
        set_session(response, visit.parts, token)
    return response


async def _show_codes(visit: Visit, kept: tuple[str, ...], *, second_factor: bool | None) -> Response:
    """The codes, on a page whose forms already carry the anti-forgery token of the new session."""
    async with visit.writing() as session:
        token = await rotate_session(
            session, token=session_token(visit.request) or "", now=visit.now, second_factor=second_factor, others_end=True
        )
    if token is None:
        return see_other("/sign-in")
    async with visit.reading() as reading:
        frame = await visit.frame(reading)
    fresh = replace(visit, session=token)
    response = fresh.page("recovery_codes.html", {"page": RecoveryCodes(codes=kept, onward="/account")}, frame)
    set_session(response, visit.parts, token)
    return response


def _refuse_needed(visit: Visit) -> None:
    if _needed(visit):
        raise ForbiddenError("second_factor.needed", "Your role needs a second factor.")


def _needed(visit: Visit) -> bool:
    return needs_factor(visit.parts, (grant.role for grant in visit.access.grants))


async def _refused(visit: Visit, form: str, error: InvalidError | ForbiddenError) -> Response:
    sentence = visit.words("fault", error.code, error.params, otherwise=error.detail)
    return wait_header(await _page(visit, errors={form: sentence}, status=status_of(error)), error)


async def _page(visit: Visit, *, errors: Mapping[str, str] | None = None, done: str = "", status: int = HTTPStatus.OK) -> Response:
    operator_id = visit.access.operator_id
    async with visit.reading() as session:
        frame = await visit.frame(session)
        sessions = await list_sessions(
            session, operator_id=operator_id, now=visit.now, idle=visit.parts.entrance.idle, token=session_token(visit.request)
        )
        view = AccountPage(
            login=visit.access.login,
            has_password=await service.has_password(session, operator_id=operator_id),
            least=passwords.SHORTEST,
            factor=await factor_state(session, operator_id=operator_id),
            factor_needed=_needed(visit),
            sessions=tuple(sessions),
            identities=await issuers_of(session, operator_id=operator_id),
            errors=errors or {},
            done=done,
        )
    return visit.page("account.html", {"page": view}, frame, status=status)
