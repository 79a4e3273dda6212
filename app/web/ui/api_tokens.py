"""The administrator's screen of API tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.db import ReadSession
from app.kernel.errors import ForbiddenError, InvalidError
from app.people import administration, api_tokens
from app.people.rules import Permission
from app.web.deps import RowId, current_person, requires
from app.web.ui.fields import Fields, Form
from app.web.ui.people_views import TokensPage
from app.web.ui.places import grant_of, place_choices, role_choices
from app.web.ui.views import Choice
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

router = APIRouter(
    include_in_schema=False,
    dependencies=[Depends(visit_of), Depends(current_person), Depends(requires(Permission.CONFIGURE))],
)

PATH = "/administration/tokens"
_DAYS = 365
_GRACE_HOURS = 24
# What the API asks for: a token that holds another permission could do nothing with it.
_OF_THE_API = (
    Permission.APPEAL_READ,
    Permission.APPEAL_CREATE,
    Permission.APPEAL_WORK,
    Permission.PAGE_READ,
    Permission.REPORT_READ,
)


@router.get(PATH)
async def tokens_screen(visit: CurrentVisit, request: Request) -> Response:
    """All tokens within the administrator's scope."""
    return await _page(visit, done="revoked" if "revoked" in request.query_params else "")


@router.post(PATH)
async def create(visit: CurrentVisit, form: Form) -> Response:
    """Make a token and show it, this once."""
    try:
        grant = grant_of(visit.office.desk.directory, form)
        async with visit.writing() as session:
            await administration.require_grants(session, grants=[grant])
            secret = await api_tokens.create_service_token(
                session, name=form.text("name")[:200], grants=[grant], now=visit.now, days=_days(form),
                permissions=_chosen(form), by=visit.access.operator_id,
            )  # fmt: skip
    except (InvalidError, ForbiddenError) as error:
        field = str(error.params.get("field", "place"))
        sentence = visit.words("fault", error.code, error.params, otherwise=error.detail)
        return await _page(visit, values=form.values, errors={field: sentence})
    return await _page(visit, secret=secret, done="made")


@router.post(f"{PATH}/{{token_id}}/rotate")
async def rotate(visit: CurrentVisit, token_id: RowId, form: Form) -> Response:
    """Replace it: the old one works for another day, or ends at once."""
    grace = timedelta(0) if form.text("at_once") else timedelta(hours=_GRACE_HOURS)
    async with visit.writing() as session:
        await _require(session, token_id)
        secret = await api_tokens.rotate_token(session, token_id=token_id, now=visit.now, grace=grace, by=visit.access.operator_id)
    return await _page(visit, secret=secret, done="replaced")


@router.post(f"{PATH}/{{token_id}}/revoke")
async def revoke(visit: CurrentVisit, token_id: RowId) -> Response:
    """End it."""
    async with visit.writing() as session:
        await _require(session, token_id)
        await api_tokens.revoke_token(session, token_id=token_id, now=visit.now, by=visit.access.operator_id)
    return see_other(f"{PATH}?revoked=1")


async def _require(session: ReadSession, token_id: int) -> None:
    operator_id = await api_tokens.owner_of_token(session, token_id=token_id)
    await administration.require_service(session, operator_id=operator_id)


def _days(form: Fields) -> int | None:
    """How long it lasts; None when it does not expire. InvalidError `token.days` for what is no number."""
    if not form.text("days").strip():
        return None
    number = form.number("days")
    if number is None:
        raise InvalidError("token.days", "A token lasts 1 to 3650 days.", field="days", most=api_tokens.LONGEST_DAYS)
    return number


def _chosen(form: Fields) -> list[Permission]:
    return [permission for permission in _OF_THE_API if form.text(permission.value)]


async def _page(
    visit: Visit, *, secret: str = "", done: str = "", values: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> Response:
    given = values or {"days": str(_DAYS), "role": "supervisor", Permission.REPORT_READ.value: "1"}
    async with visit.reading() as session:
        frame = await visit.frame(session)
        rows = await api_tokens.list_tokens(session, now=visit.now)
    view = TokensPage(
        rows=tuple(rows),
        roles=role_choices(visit.words, given.get("role", "")),
        places=place_choices(visit.office.desk.directory, visit.access, visit.words, given.get("place", "")),
        permissions=tuple(
            Choice(value=one.value, label=visit.words("token_may", one.value), chosen=bool(given.get(one.value))) for one in _OF_THE_API
        ),
        secret=secret,
        done=done,
        values=given,
        errors=errors or {},
    )
    return visit.page("tokens.html", {"page": view}, frame, status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK)
