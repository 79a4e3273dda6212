"""How one is told of deadlines besides the screen: own addresses, each proved by a code, and own hours."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import InvalidError
from app.kernel.outgoing import parse_hosts
from app.notices import addresses
from app.notices.addresses import OwnAddress
from app.notices.hours import DAY_MINUTES, Hours
from app.notices.rules import Carrier
from app.web.deps import current_person
from app.web.ui.fields import Fields, Form
from app.web.ui.notice_views import CarrierView, HoursForm, OwnNoticesPage
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(current_person)])

PATH = "/account/notices"
_DONE = frozenset({"code", "proved", "removed", "hours"})
_WORKDAYS = frozenset(range(1, 6))


@router.get(PATH)
async def notices_screen(visit: CurrentVisit, request: Request) -> Response:
    """Own addresses and hours."""
    return await _page(visit, done=next((name for name in request.query_params if name in _DONE), ""))


@router.post(f"{PATH}/address")
async def set_address(visit: CurrentVisit, form: Form) -> Response:
    """Another address; a code goes there."""
    try:
        carrier = _carrier(visit, form)
        address = addresses.checked_address(carrier, form.text("address"), parse_hosts(visit.parts.webhook_hosts))
        async with visit.writing() as session:
            await addresses.set_address(session, operator_id=visit.access.operator_id, carrier=carrier, address=address, now=visit.now)
    except InvalidError as error:
        return await _refused(visit, form, error)
    return see_other(f"{PATH}?code=1")


@router.post(f"{PATH}/code")
async def prove(visit: CurrentVisit, form: Form) -> Response:
    """The code that was sent there: the address is used from now on."""
    carrier = _carrier(visit, form)
    async with visit.writing() as session:  # also a wrong try is written down
        right = await addresses.try_code(
            session, operator_id=visit.access.operator_id, carrier=carrier, code=form.text("code"), now=visit.now
        )
    if not right:
        return await _refused(visit, form, InvalidError("notice_address.code", "The code is wrong or too old.", field="code"))
    return see_other(f"{PATH}?proved=1")


@router.post(f"{PATH}/remove")
async def remove(visit: CurrentVisit, form: Form) -> Response:
    """Nothing is sent there any more."""
    async with visit.writing() as session:
        await addresses.remove_address(session, operator_id=visit.access.operator_id, carrier=_carrier(visit, form), now=visit.now)
    return see_other(f"{PATH}?removed=1")


@router.post(f"{PATH}/hours")
async def set_hours(visit: CurrentVisit, form: Form) -> Response:
    """When channels outside may disturb."""
    try:
        hours = _hours(visit, form)
    except ValueError as error:
        wrong = InvalidError("notice_hours.wrong", str(error), field="hours")
        return await _page(visit, errors={"hours": _sentence(visit, wrong)}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    async with visit.writing() as session:
        await addresses.set_hours(session, operator_id=visit.access.operator_id, hours=hours, now=visit.now)
    return see_other(f"{PATH}?hours=1")


def _carrier(visit: Visit, form: Fields) -> Carrier:
    """The chosen one, which the settings open."""
    named = form.text("carrier")
    if visit.parts.notices is None or named not in visit.parts.notices.open_carriers:
        raise InvalidError("notice_address.carrier", "This channel is closed.", field="carrier")
    return Carrier(named)


def _hours(visit: Visit, form: Fields) -> Hours | None:
    """The hours of the form; None: at any time. ValueError when they cannot be."""
    if form.text("limited") != "1":
        return None
    closes = _minutes(form.text("closes"))
    return Hours(
        days=frozenset(day for day in range(1, 8) if form.text(f"day{day}") == "1"),
        opens=_minutes(form.text("opens")),
        closes=closes or DAY_MINUTES,
        timezone=str(visit.zone),
        breach_any_time=form.text("breach") == "1",
    )


def _minutes(words: str) -> int:
    """HH:MM as a minute of the day; ValueError for anything else."""
    hour, _, minute = words.partition(":")
    if not (words.isascii() and hour.isdigit() and minute.isdigit() and len(words) <= len("00:00")):
        raise ValueError("write hours as 09:00")
    found = int(hour) * 60 + int(minute)
    if int(minute) > 59 or found >= DAY_MINUTES:  # noqa: PLR2004 - minutes of an hour
        raise ValueError("write hours as 09:00")
    return found


def _sentence(visit: Visit, error: InvalidError) -> str:
    return visit.words("fault", error.code, error.params, otherwise=error.detail)


async def _refused(visit: Visit, form: Fields, error: InvalidError) -> Response:
    where = form.text("carrier")
    values = {where: form.text("address")}
    return await _page(visit, values=values, errors={where: _sentence(visit, error)}, status=HTTPStatus.UNPROCESSABLE_ENTITY)


async def _page(
    visit: Visit, *, done: str = "", values: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    operator_id = visit.access.operator_id
    async with visit.reading() as session:
        frame = await visit.frame(session)
        own = {one.carrier: one for one in await addresses.own_addresses(session, operator_id=operator_id, now=visit.now)}
        hours = await addresses.own_hours(session, operator_id=operator_id)
    opened = () if visit.parts.notices is None else visit.parts.notices.open_carriers
    view = OwnNoticesPage(
        carriers=tuple(_view(name, own.get(Carrier(name))) for name in opened),
        hours=_hours_form(visit, hours),
        hosts=parse_hosts(visit.parts.webhook_hosts).names,
        done=done,
        values=values or {},
        errors=errors or {},
    )
    return visit.page("own_notices.html", {"page": view}, frame, status=status)


def _view(name: str, own: OwnAddress | None) -> CarrierView:
    if own is None:
        return CarrierView(name=name, step="none")
    return CarrierView(name=name, step="used" if own.proved else "code", address=own.address, state=own.state, at=own.at)


def _hours_form(visit: Visit, hours: Hours | None) -> HoursForm:
    if hours is None:
        return HoursForm(limited=False, days=_WORKDAYS, opens="09:00", closes="18:00", zone=str(visit.zone), breach=False)
    opens, closes = (f"{one // 60 % 24:02d}:{one % 60:02d}" for one in (hours.opens, hours.closes))
    return HoursForm(limited=True, days=hours.days, opens=opens, closes=closes, zone=hours.timezone, breach=hours.breach_any_time)
