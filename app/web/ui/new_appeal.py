"""Taking an appeal down by hand: from a link to any post or comment, from a telephone call, a letter, a visit.

The link comes first. What is known of it is shown; what is not, the worker fetches while the form waits for it: in the browser by a
part of the form that asks again, without a script by the same button.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from uuid import uuid4

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.appeals import by_link, desk
from app.appeals.by_link import Led
from app.appeals.idempotency import checked_key
from app.kernel.errors import ConflictError, InvalidError
from app.people.rules import Permission
from app.web.deps import requires
from app.web.ui.appeal import address
from app.web.ui.choices import agency_choices, topic_choices
from app.web.ui.fields import Fields, Form, local_moment
from app.web.ui.page_views import LinkView, NewAppealForm
from app.web.ui.thread_view import web_address
from app.web.ui.views import QueueFilters
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of
from connectors.contract import Reference

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.APPEAL_CREATE))])

_FIELDS = {"author_name": "author", "written_at": "written"}
"""Names of the service's fields that the form calls otherwise."""
_LOOKS, _LOOKS_EVERY = 2, 0.4
"""So often does one request look whether the worker has fetched it."""


@router.get("/appeals/new")
async def new_appeal_screen(visit: CurrentVisit, request: Request) -> Response:
    """The empty form; `link` fills the first field."""
    return await _page(visit, {"key": uuid4().hex, "link": request.query_params.get("link", "")[: desk.LINK_LIMIT]})


@router.post("/appeals/new/link")
async def follow_link(visit: CurrentVisit, form: Form) -> Response:
    """Where the pasted link leads: to the appeal that there is, or the form with what stands there. `waiting`: the form asks by itself."""
    link = form.text("link").strip()
    try:
        led = await _follow(visit, link)
    except (ConflictError, InvalidError) as error:
        return await _answer(visit, form.values, errors={"link": visit.words("fault", error.code, error.params, otherwise=error.detail)})
    if led.number is not None:
        return _lead(visit, led.number)
    if led.state == "wanted" and form.text("waiting") == "1" and visit.wants_part:
        return Response(status_code=HTTPStatus.NO_CONTENT)  # nothing is put over what is being written
    return await _answer(visit, form.values, led=led)


async def _follow(visit: Visit, link: str) -> Led:
    """What is known by now, after some patience. InvalidError for a link that nothing can be fetched from."""
    read = by_link.read_link(visit.parts.plugins, link)
    if read is None:
        raise _no_place(link)
    led = await _look(visit, *read)
    for _ in range(_LOOKS):
        if led.state != "wanted":
            break
        await asyncio.sleep(_LOOKS_EVERY)
        led = await _look(visit, *read)
    if led.comment_id is not None:
        visit.looking.look("comment", led.comment_id)  # the trail says whose words they were shown
    return led


async def _look(visit: Visit, platform: str, reference: Reference) -> Led:
    async with visit.writing() as session:
        return await by_link.follow(session, visit.access, platform=platform, reference=reference, now=visit.now)


def _no_place(link: str) -> InvalidError:
    """Nothing can be fetched from there; nobody is asked."""
    if not link:
        return InvalidError("link.empty", "Paste the link first.", field="link")
    if not web_address(link):
        return InvalidError("link.web", "Give an address that begins with https://.", field="link")
    return InvalidError("link.unknown", "This is no link to a post or comment of a platform that we know.", field="link")


@router.post("/appeals/new")
async def take_down(visit: CurrentVisit, form: Form) -> Response:
    """Open it, and show it. The same `key` opens one, and so does the same comment."""
    try:
        number = await _open(visit, form)
    except (InvalidError, ConflictError) as error:
        field = str(error.params.get("field", "link" if isinstance(error, ConflictError) else "text"))
        sentence = visit.words("fault", error.code, error.params, otherwise=error.detail)
        return await _page(visit, form.values, errors={_FIELDS.get(field, field): sentence})
    return see_other(address(number, QueueFilters()))


async def _open(visit: Visit, form: Fields) -> int:
    comment_id = form.number("comment")
    async with visit.writing() as session:
        if comment_id is not None:
            chosen = {"topic_id": form.number("topic"), "agency_id": form.number("agency")}
            return await desk.open_comment(session, visit.access, visit.office, comment_id=comment_id, now=visit.now, **chosen)
        new = _new(visit, form)
        known = None if new.link is None else await by_link.taken_down(session, visit.access, link=new.link)
        if known is not None:
            return known
        created = await desk.create(
            session, visit.access, visit.office, new=new, source="hand", key=checked_key(form.text("key")), now=visit.now
        )
        return created.number


def _new(visit: Visit, form: Fields) -> desk.NewAppeal:
    link = form.text("link").strip()
    read = by_link.read_link(visit.parts.plugins, link)
    if link and read is None and not web_address(link):
        raise _no_place(link)
    return desk.NewAppeal(
        words=form.text("text"),
        agency_id=form.number("agency"),
        topic_id=form.number("topic"),
        author_name=form.text("author").strip() or None,
        link=(link or None) if read is None else read[1].link,
        platform="by_hand" if read is None else read[0],
        written_at=local_moment(form.text("written"), visit.zone),
    )


# --- the form ----------------------------------------------------------------------------------------------------


def _lead(visit: Visit, number: int) -> Response:
    """To the appeal that there is already."""
    place = address(number, QueueFilters())
    return Response(status_code=HTTPStatus.OK, headers={"HX-Redirect": place}) if visit.wants_part else see_other(place)


async def _answer(visit: Visit, values: Mapping[str, str], *, led: Led | None = None, errors: Mapping[str, str] | None = None) -> Response:
    """The form with what the link led to; for a script the part of it that says what the citizen wrote."""
    if visit.wants_part:
        return visit.part("new_appeal_source.html", {"form": _form(visit, _filled(visit, values, led), led=led, errors=errors)})
    return await _page(visit, _filled(visit, values, led), led=led, errors=errors)


def _filled(visit: Visit, values: Mapping[str, str], led: Led | None) -> Mapping[str, str]:
    """What was found, in the fields that the person has left empty."""
    if led is None or led.state not in {"found", "stored"}:
        return values
    written = "" if led.written_at is None else led.written_at.astimezone(visit.zone).strftime("%Y-%m-%dT%H:%M:%S")
    found = {"text": led.text, "author": led.author_name, "written": written}
    return {**values, "link": led.link, **{name: values.get(name, "").strip() or value for name, value in found.items()}}


async def _page(visit: Visit, values: Mapping[str, str], *, led: Led | None = None, errors: Mapping[str, str] | None = None) -> Response:
    async with visit.reading() as session:
        frame = await visit.frame(session)
    view = _form(visit, values, led=led, errors=errors)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK
    return visit.page("new_appeal.html", {"form": view}, frame, status=status)


def _form(visit: Visit, values: Mapping[str, str], *, led: Led | None, errors: Mapping[str, str] | None) -> NewAppealForm:
    directory = visit.office.desk.directory
    return NewAppealForm(
        key=values.get("key") or uuid4().hex,
        topics=topic_choices(directory, values.get("topic", ""), whole=visit.words("hint", "whole_group")),
        agencies=tuple(one for one in agency_choices(directory, values.get("agency", "")) if _works_for(visit, int(one.value))),
        values=values,
        errors=errors or {},
        link=None if led is None else _link_view(led),
    )


def _link_view(led: Led) -> LinkView:
    return LinkView(
        state=led.state,
        platform=led.platform,
        url=led.link,
        code=led.code or "",
        comment=str(led.comment_id or "") if led.state == "stored" else "",
        author=led.author_name,
        text=led.text,
        written_at=led.written_at,
        of_post=led.of_post,
    )


def _works_for(visit: Visit, agency_id: int) -> bool:
    access, agency = visit.access, visit.office.desk.directory.agencies[agency_id]
    return access.whole or agency_id in access.agency_ids or agency.territory_id in access.territory_ids
