"""The administrators' screens of webhooks: which systems are told what, how it goes, a test, and what failed once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import ForbiddenError, InvalidError
from app.kernel.outgoing import parse_hosts
from app.notices import targets
from app.notices.targets import DeliveryLine, TargetLine
from app.notices.webhooks import ACTS
from app.people import administration
from app.people.rules import Grant, Permission, Role
from app.web.deps import RowId, current_person, requires
from app.web.ui.fields import Form
from app.web.ui.places import place_choices, place_of
from app.web.ui.views import Choice
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

router = APIRouter(
    include_in_schema=False,
    dependencies=[Depends(visit_of), Depends(current_person), Depends(requires(Permission.CONFIGURE))],
)

PATH = "/administration/webhooks"
_NEWEST = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhooksPage:
    """The systems that are told. `secret`: of one that was just added, told once; `hosts`: those that the settings allow."""

    rows: tuple[TargetLine, ...]
    places: tuple[Choice, ...]
    kinds: tuple[Choice, ...]
    hosts: tuple[str, ...]
    secret: str = ""
    done: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookPage:
    """One of them, with what was told lately; `failed`: only what was not delivered. `done` is a code."""

    target: TargetLine
    deliveries: tuple[DeliveryLine, ...]
    failed: bool
    most: int
    done: str = ""


@router.get(PATH)
async def webhooks_screen(visit: CurrentVisit, request: Request) -> Response:
    """All within the administrator's scope."""
    return await _page(visit, done="revoked" if "revoked" in request.query_params else "")


@router.post(PATH)
async def add(visit: CurrentVisit, form: Form) -> Response:
    """Tell a system from now on, and show its secret, this once."""
    try:
        agency_id, territory_id = place_of(visit.office.desk.directory, form)
        async with visit.writing() as session:
            place = Grant(role=Role.ADMINISTRATOR, agency_id=agency_id, territory_id=territory_id)
            await administration.require_grants(session, grants=[place])
            _, secret = await targets.add_target(
                session,
                visit.parts.webhook_vault,
                parse_hosts(visit.parts.webhook_hosts),
                name=form.text("name"),
                url=form.text("url").strip(),
                kinds=[kind for kind in ACTS if form.text(kind)],
                now=visit.now,
                agency_id=agency_id,
                territory_id=territory_id,
                by=visit.access.operator_id,
            )
    except (InvalidError, ForbiddenError) as error:
        where = str(error.params.get("field", "place"))
        sentence = visit.words("fault", error.code, error.params, otherwise=error.detail)
        return await _page(visit, values=form.values, errors={where: sentence})
    return await _page(visit, secret=secret, done="added")


@router.get(f"{PATH}/{{target_id}}")
async def webhook_screen(visit: CurrentVisit, request: Request, target_id: RowId) -> Response:
    """One of them: the newest tellings with every attempt."""
    asked = request.query_params
    done = next((name for name in ("tested", "again") if name in asked), "")
    async with visit.reading() as session:
        frame = await visit.frame(session)
        line = await targets.target_line(session, target_id=target_id)
        found = await targets.deliveries(session, target_id=target_id, failed="failed" in asked, most=_NEWEST)
    view = WebhookPage(target=line, deliveries=tuple(found), failed="failed" in asked, most=_NEWEST, done=done)
    return visit.page("webhook.html", {"page": view}, frame)


@router.post(f"{PATH}/{{target_id}}/test")
async def test(visit: CurrentVisit, target_id: RowId) -> Response:
    """Tell it a test."""
    async with visit.writing() as session:
        await targets.tell_test(session, target_id=target_id, now=visit.now, by=visit.access.operator_id)
    return see_other(f"{PATH}/{target_id}?tested=1")


@router.post(f"{PATH}/{{target_id}}/deliveries/{{delivery_id}}/again")
async def again(visit: CurrentVisit, target_id: RowId, delivery_id: RowId) -> Response:
    """Try once more what was not delivered."""
    async with visit.writing() as session:
        await targets.target_line(session, target_id=target_id)
        await targets.send_again(session, target_id=target_id, delivery_id=delivery_id, now=visit.now, by=visit.access.operator_id)
    return see_other(f"{PATH}/{target_id}?again=1")


@router.post(f"{PATH}/{{target_id}}/revoke")
async def revoke(visit: CurrentVisit, target_id: RowId) -> Response:
    """Tell it nothing more."""
    async with visit.writing() as session:
        if not await targets.remove_target(session, target_id=target_id, now=visit.now, by=visit.access.operator_id):
            raise targets.unknown()
    return see_other(f"{PATH}?revoked=1")


async def _page(
    visit: Visit, *, secret: str = "", done: str = "", values: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> Response:
    given = dict.fromkeys(ACTS, "1") if values is None else values
    async with visit.reading() as session:
        frame = await visit.frame(session)
        rows = await targets.list_targets(session, ended=True)
    view = WebhooksPage(
        rows=tuple(rows),
        places=place_choices(visit.office.desk.directory, visit.access, visit.words, given.get("place", "")),
        kinds=tuple(Choice(value=kind, label=visit.words("webhook_kind", kind), chosen=bool(given.get(kind))) for kind in ACTS),
        hosts=parse_hosts(visit.parts.webhook_hosts).names,
        secret=secret,
        done=done,
        values=given,
        errors=errors or {},
    )
    return visit.page("webhooks.html", {"page": view}, frame, status=HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK)
