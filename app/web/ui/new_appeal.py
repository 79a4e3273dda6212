"""Taking an appeal down by hand: from a telephone call, a letter, a visit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from uuid import uuid4

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.appeals import desk
from app.appeals.idempotency import checked_key
from app.kernel.errors import InvalidError
from app.people.rules import Permission
from app.web.deps import requires
from app.web.ui.appeal import address
from app.web.ui.choices import agency_choices, topic_choices
from app.web.ui.fields import Fields, Form
from app.web.ui.page_views import NewAppealForm
from app.web.ui.views import QueueFilters
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.APPEAL_CREATE))])

_FIELDS = {"author_name": "author", "written_at": "written"}
"""Names of the service's fields that the form calls otherwise."""


@router.get("/appeals/new")
async def new_appeal_screen(visit: CurrentVisit) -> Response:
    """The empty form."""
    return await _page(visit, {"key": uuid4().hex})


@router.post("/appeals/new")
async def take_down(visit: CurrentVisit, form: Form) -> Response:
    """Open it, and show it. The same `key` opens one."""
    try:
        new = _new(visit, form)
        async with visit.writing() as session:
            created = await desk.create(
                session, visit.access, visit.office, new=new, source="hand", key=checked_key(form.text("key")), now=visit.now
            )
    except InvalidError as error:
        field = str(error.params.get("field", "text"))
        sentence = visit.words("fault", error.code, error.params, otherwise=error.detail)
        return await _page(visit, form.values, errors={_FIELDS.get(field, field): sentence})
    return see_other(address(created.number, QueueFilters()))


def _new(visit: Visit, form: Fields) -> desk.NewAppeal:
    return desk.NewAppeal(
        words=form.text("text"),
        agency_id=form.number("agency"),
        topic_id=form.number("topic"),
        author_name=form.text("author").strip() or None,
        written_at=_moment(visit, form.text("written")),
    )


def _moment(visit: Visit, value: str) -> datetime | None:
    """A local date and time as the browser gives it; None when it is left empty. InvalidError `appeal.written`."""
    if not value:
        return None
    try:
        local = datetime.fromisoformat(value)
    except ValueError:
        raise InvalidError("appeal.written", "Give a date and a time.", field="written_at") from None
    return local if local.tzinfo is not None else local.replace(tzinfo=visit.zone)


async def _page(visit: Visit, values: Mapping[str, str], *, errors: Mapping[str, str] | None = None) -> Response:
    directory = visit.office.desk.directory
    async with visit.reading() as session:
        frame = await visit.frame(session)
    view = NewAppealForm(
        key=values.get("key") or uuid4().hex,
        topics=topic_choices(directory, values.get("topic", ""), whole=visit.words("hint", "whole_group")),
        agencies=tuple(one for one in agency_choices(directory, values.get("agency", "")) if _works_for(visit, int(one.value))),
        values=values,
        errors=errors or {},
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return visit.page("new_appeal.html", {"form": view}, frame, status=status)


def _works_for(visit: Visit, agency_id: int) -> bool:
    access, agency = visit.access, visit.office.desk.directory.agencies[agency_id]
    return access.whole or agency_id in access.agency_ids or agency.territory_id in access.territory_ids
