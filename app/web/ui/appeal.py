"""One appeal: its page, its part for a script, and the small dialogs of what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.appeals.filters import parse_number
from app.appeals.queries import card
from app.appeals.rules import CloseReason, DismissReason
from app.kernel.errors import ConflictError, NotFoundError
from app.people.rules import Permission
from app.sla.rules import PauseReason
from app.web.deps import requires
from app.web.ui.card_view import card_view
from app.web.ui.choices import agency_choices, topic_choices
from app.web.ui.queue import read_queue
from app.web.ui.queue_view import filters_of, number_text
from app.web.ui.triage_views import ActionForm
from app.web.ui.views import AppealCard, Choice, Draft, QueueFilters
from app.web.ui.visit import CurrentVisit, Visit, current_query, visit_of

if TYPE_CHECKING:
    from app.appeals.card_rows import Card
    from app.kernel.db import ReadSession

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.APPEAL_READ))])

_SUBJECT = 200
_DEMANDS = {"route": Permission.APPEAL_ROUTE, "extend": Permission.APPEAL_EXTEND}


@router.get("/appeals/{number}")
async def appeal_screen(visit: CurrentVisit, request: Request, number: str) -> Response:
    """The workplace with this appeal open, or only the appeal for a script."""
    filters, asked = filters_of(request.query_params), number_in_path(number)
    if visit.wants_part:
        async with visit.reading() as session:
            view = await read_card(session, visit, asked, filters)
        return visit.part("appeal_fragment.html", {"card": view})
    return await workplace(visit, asked, filters)


@router.get("/appeals/{number}/{action}", name="appeal_dialog")
async def appeal_dialog(visit: CurrentVisit, number: str, action: str) -> Response:
    """A small dialog, as a part for a script or as a page of its own."""
    return await dialog(visit, number_in_path(number), action)


async def workplace(
    visit: Visit, number: int, filters: QueueFilters, *, draft: Draft | None = None, error: str = "", status: int = HTTPStatus.OK
) -> Response:
    """The three panes. `draft` and `error`: what was refused, and why."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
        page = await read_queue(session, visit, filters)
        view = await read_card(session, visit, number, filters, draft=draft, error=error)
    return visit.page("workplace.html", {"queue": page, "card": view}, frame, status=status)


async def dialog(
    visit: Visit,
    number: int,
    action: str,
    *,
    error: str = "",
    text: str = "",
    chosen: Mapping[str, str] | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    """The dialog of an act that is possible now. NotFoundError, ForbiddenError or ConflictError when it is not."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
        found = await read_rows(session, visit, number)
        view = await card_view(session, visit, found, filters=filters_of(current_query(visit.request)))
    form = replace(action_form(visit, view, action, chosen or {}), error=error, text=text)
    if visit.wants_part:
        return visit.part("action_form.html", {"form": form})
    return visit.page("action.html", {"form": form}, frame, status=status)


def action_form(visit: Visit, view: AppealCard, action: str, chosen: Mapping[str, str]) -> ActionForm:
    """What the dialog asks. NotFoundError for one that does not exist, ConflictError when the act cannot happen now."""
    reasons: dict[str, tuple[str, type[StrEnum]]] = {
        "dismiss": ("dismiss_reason", DismissReason),
        "close": ("close_reason", CloseReason),
        "pause": ("pause_reason", PauseReason),
    }
    if action not in {"route", "topic", "reopen", "extend", "merge", "posted", *reasons}:
        raise NotFoundError("http.404", "There is nothing at this address.")
    visit.access.require(_DEMANDS.get(action, Permission.APPEAL_WORK))
    if action not in view.actions:
        raise ConflictError("appeal.state", "This cannot be done with the appeal as it is now: reload it.")
    directory = visit.office.desk.directory
    choices: tuple[Choice, ...] = ()
    if action in reasons:
        table, values = reasons[action]
        choices = tuple(
            Choice(value=one.value, label=visit.words(table, one.value), chosen=chosen.get("reason") == one.value) for one in values
        )
    elif action == "extend":
        running = [line for line in view.deadlines if line.stopped_at is None and visit.now < line.due.due_at]
        asked = chosen.get("promise") or (running[0].promise if running else "")
        choices = tuple(
            Choice(value=one.promise, label=visit.words("promise", one.promise), chosen=one.promise == asked) for one in running
        )
    elif action == "topic":
        choices = topic_choices(directory, chosen.get("topic", ""), whole=visit.words("hint", "whole_group"))
    return ActionForm(
        action=action,
        post_to=f"/appeals/{view.number}/{action}",
        back_to=f"/appeals/{view.number}{view.filters.query()}",
        subject=_subject(view),
        version=view.version,
        choices=choices,
        agencies=agency_choices(directory, chosen.get("agency", "")) if action == "route" else (),
        url=_source(view),
        **{name: chosen[name] for name in ("amount", "unit", "other", "link", "written") if name in chosen},
    )


def _source(view: AppealCard) -> str:
    """Where the matter can be seen."""
    return next((comment.url for comment in view.comments if comment.url), "")


def _subject(view: AppealCard) -> str:
    """The citizen's words that it is about."""
    said = next((comment.text for comment in view.comments if comment.voice == "citizen" and comment.text), "")
    return said[:_SUBJECT] or view.topic or view.number


async def read_card(
    session: ReadSession, visit: Visit, number: int, filters: QueueFilters, *, draft: Draft | None = None, error: str = ""
) -> AppealCard:
    """The appeal as it is shown. NotFoundError when it is out of sight."""
    found = await read_rows(session, visit, number)
    return await card_view(session, visit, found, filters=filters, draft=draft, error=error)


async def read_rows(session: ReadSession, visit: Visit, number: int) -> Card:
    """The appeal's rows. NotFoundError when it is out of sight."""
    found = await card(session, visit.access, number)
    if found is None:
        raise unknown(number)
    visit.looking.look("appeal", found.appeal.id)
    return found


def number_in_path(value: str) -> int:
    """The number in an address. NotFoundError when it is none: there is no such appeal."""
    number = parse_number(value)
    if number is None:
        raise unknown(value)
    return number


def unknown(value: object) -> NotFoundError:
    """The same words whether there is none or it may not be known."""
    return NotFoundError("appeal.unknown", f"There is no appeal {value} that you may see.")


def address(number: int, filters: QueueFilters) -> str:
    """Where an appeal stands, in the queue from which it was opened."""
    return f"/appeals/{number_text(number)}{filters.query()}"
