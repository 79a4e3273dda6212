"""Whether private messages to a bot open appeals: one switch for each bot, with what to ask before it is moved."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.kernel.errors import NotFoundError
from app.people.rules import Permission
from app.sources import private
from app.sources.private import Bot
from app.web.deps import requires
from app.web.ui.fields import Form
from app.web.ui.thread_view import web_address
from app.web.ui.visit import CurrentVisit, see_other, visit_of

PATH = "/administration/private"
router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.CONFIGURE))])


@dataclass(frozen=True, kw_only=True, slots=True)
class PrivatePage:
    """The bots that are connected as pages."""

    bots: tuple[Bot, ...]


@router.get(PATH)
async def private_screen(visit: CurrentVisit) -> Response:
    """The bots, and what to know first."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
        found = await private.bots(session)
    return visit.page("private.html", {"page": PrivatePage(bots=tuple(replace(bot, link=web_address(bot.link)) for bot in found))}, frame)


@router.post(PATH)
async def switch(visit: CurrentVisit, form: Form) -> Response:
    """Move one bot's switch."""
    page_id = form.number("page")
    if page_id is None:
        raise NotFoundError("private.unknown", "There is no such bot.")
    async with visit.writing() as session:
        await private.switch(session, operator_id=visit.access.operator_id, page_id=page_id, is_on=form.text("decision") == "on")
    return see_other(PATH)
