"""The second step of coming in: a code of the device, or setting a device up when one's role needs it."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

import segno
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import ForbiddenError, InvalidError
from app.kernel.parts import WebParts
from app.people import codes, second_factor
from app.web.deps import Now, Parts, csrf_guard, opened
from app.web.ui import slips
from app.web.ui.entry import CODE_PATH, SET_UP_PATH, address_of, door_page, give_session, halfway, let_in, status_of, wait_header
from app.web.ui.fields import Fields, Form
from app.web.ui.people_views import CodeForm, RecoveryCodes, SetUpForm
from app.web.ui.visit import see_other

router = APIRouter(include_in_schema=False)

_SECRET = "secret"  # noqa: S105 - a kind of slip
_LONGEST = 100
_START_AGAIN = "/sign-in?gone=1"


@router.get(CODE_PATH)
async def code_screen(request: Request, parts: Parts, now: Now) -> Response:
    """Ask for the code; whoever has not taken the first step is sent to it."""
    found = await halfway(request, parts, now)
    if found is None or not found[0].has_factor:
        return see_other(_START_AGAIN)
    return door_page(request, parts, now, "second_step.html", {"form": CodeForm(name=found[0].name)})


@router.post(CODE_PATH, dependencies=[Depends(csrf_guard)])
async def give_code(request: Request, parts: Parts, now: Now, form: Form) -> Response:
    """Look at the code, then let in."""
    found = await halfway(request, parts, now)
    if found is None or not found[0].has_factor:
        return see_other(_START_AGAIN)
    person, came_by, after = found
    try:
        await second_factor.check_code(
            parts.database, operator_id=person.operator_id, login=person.login, code=form.text("code")[:_LONGEST],
            address=address_of(request), vault=parts.entrance.vault, now=now,
        )  # fmt: skip
    except (InvalidError, ForbiddenError) as error:
        view = CodeForm(name=person.name, problem="code" if isinstance(error, InvalidError) else "too_many")
        return wait_header(door_page(request, parts, now, "second_step.html", {"form": view}, status=status_of(error)), error)
    return await let_in(request, parts, now, person=person, came_by=came_by, after=after, second_factor=True)


@router.get(SET_UP_PATH)
async def set_up_screen(request: Request, parts: Parts, now: Now) -> Response:
    """Show the picture for the device, to whoever needs a second factor and has none."""
    found = await halfway(request, parts, now)
    if found is None or found[0].has_factor:
        return see_other(_START_AGAIN)
    view = new_set_up(parts, now, operator_id=found[0].operator_id, login=found[0].login)
    return door_page(request, parts, now, "second_step_set_up.html", {"form": view})


@router.post(SET_UP_PATH, dependencies=[Depends(csrf_guard)])
async def set_up(request: Request, parts: Parts, now: Now, form: Form) -> Response:
    """Keep the device, let in, and show the recovery codes: this once."""
    found = await halfway(request, parts, now)
    if found is None or found[0].has_factor:
        return see_other(_START_AGAIN)
    person, came_by, after = found
    secret = secret_of(parts, now, form, operator_id=person.operator_id)
    if secret is None:
        return see_other(SET_UP_PATH)
    try:
        async with opened(parts.database.write(operator_id=person.operator_id)) as session:
            kept = await second_factor.set_up(
                session, operator_id=person.operator_id, secret=secret, code=form.text("code"), vault=parts.entrance.vault, now=now
            )
    except InvalidError as error:
        view = set_up_form(parts, now, operator_id=person.operator_id, login=person.login, secret=secret, problem=error.code)
        return door_page(request, parts, now, "second_step_set_up.html", {"form": view}, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    response = door_page(request, parts, now, "recovery_codes_door.html", {"page": RecoveryCodes(codes=tuple(kept), onward=after)})
    await give_session(response, request, parts, now, person=person, came_by=came_by, second_factor=True)
    return response


def new_set_up(parts: WebParts, now: datetime, *, operator_id: int, login: str) -> SetUpForm:
    """The form with a secret that nobody has yet."""
    return set_up_form(parts, now, operator_id=operator_id, login=login, secret=codes.new_secret())


def set_up_form(parts: WebParts, now: datetime, *, operator_id: int, login: str, secret: str, problem: str = "") -> SetUpForm:
    """The form with this secret; it comes back sealed, so that nobody is led to keep another's."""
    picture = segno.make(codes.address_of(secret, login=login, issuer="Otklik"), error="m", micro=False)
    return SetUpForm(
        picture=picture.svg_data_uri(scale=4, border=3, light="#fff"),
        key=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
        slip=slips.seal(parts.entrance.vault, _SECRET, now, operator_id=operator_id, secret=secret),
        problem=problem,
    )


def secret_of(parts: WebParts, now: datetime, form: Fields, *, operator_id: int) -> str | None:
    """The secret that this person was shown; None when it was too long ago."""
    note = slips.unseal(parts.entrance.vault, _SECRET, now, form.text("slip"))
    return str(note["secret"]) if note is not None and note["operator_id"] == operator_id else None
