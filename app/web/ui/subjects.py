"""The administrators' screen of one citizen's data: found, handed out, erased."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.kernel.errors import ConflictError, InvalidError, NotFoundError
from app.people.rules import Permission
from app.privacy import subjects
from app.web.deps import requires
from app.web.ui.fields import Fields, Form
from app.web.ui.queue_view import number_text
from app.web.ui.views import Choice
from app.web.ui.visit import CurrentVisit, Visit, visit_of

if TYPE_CHECKING:
    from app.kernel.db import ReadSession
    from app.privacy.subjects import Subject

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.SUBJECT_WORK))])

_PLACE = "/administration/subjects"
_LONGEST = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectPage:
    """The search, who was found, and what came of it. `done`: an erasure was asked for just now."""

    platforms: tuple[Choice, ...]
    q: str = ""
    found: Subject | None = None
    open_numbers: tuple[str, ...] = ()
    searched: bool = False
    done: bool = False
    error: str = ""
    reason: str = ""
    longest_reason: int = subjects.REASON_LIMIT


@router.get(_PLACE)
async def subjects_screen(visit: CurrentVisit) -> Response:
    """The search. What is looked for never stands in an address: histories and proxies keep those."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
    return visit.page("subjects.html", {"page": _page(visit, Fields({}))}, frame)


@router.post(_PLACE)
async def find_subject(visit: CurrentVisit, form: Form) -> Response:
    """Who has this link or id."""
    return await _shown(visit, form)


@router.post(f"{_PLACE}/export")
async def export_subject(visit: CurrentVisit, form: Form) -> Response:
    """All that is stored of them, as a file."""
    async with visit.writing() as session:
        found = await subjects.hand_out(session, visit.access, author_id=form.number("author") or 0)
    body = json.dumps(found, ensure_ascii=False, indent=2)
    return Response(body, media_type="application/json", headers={"Content-Disposition": 'attachment; filename="subject.json"'})


@router.post(f"{_PLACE}/erase")
async def erase_subject(visit: CurrentVisit, form: Form) -> Response:
    """Note that they asked: the worker does it."""
    try:
        async with visit.writing() as session:
            found = await _found(session, visit, form)
            if found is None or found.id != form.number("author"):
                raise NotFoundError("subject.unknown", "Nothing is stored of such a person.")
            await subjects.ask_to_erase(session, visit.access, author_id=found.id, reason=form.text("reason"), now=visit.now)
    except (InvalidError, ConflictError) as error:
        return await _shown(visit, form, error=visit.words("fault", error.code, error.params, otherwise=error.detail))
    return await _shown(visit, form, done=True)


async def _shown(visit: Visit, form: Fields, *, error: str = "", done: bool = False) -> Response:
    async with visit.reading() as session:
        frame = await visit.frame(session)
        found = await _found(session, visit, form)
    if found is not None:
        visit.looking.look("author", found.id)
    page = _page(visit, form, found=found, error=error, done=done)
    return visit.page("subjects.html", {"page": page}, frame, status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK)


async def _found(session: ReadSession, visit: Visit, form: Fields) -> Subject | None:
    return await subjects.find(session, visit.access, platform=form.text("platform")[:_LONGEST], said=form.text("q")[:_LONGEST])


def _page(visit: Visit, form: Fields, *, found: Subject | None = None, error: str = "", done: bool = False) -> SubjectPage:
    names = sorted(visit.parts.plugins)
    return SubjectPage(
        platforms=tuple(Choice(value=name, label=visit.words("platform", name), chosen=form.text("platform") == name) for name in names),
        q=form.text("q")[:_LONGEST],
        found=found,
        open_numbers=tuple(number_text(number) for number in found.open_numbers) if found else (),
        searched=bool(form.text("q")),
        done=done,
        error=error,
        reason=form.text("reason")[:_LONGEST] if error else "",
    )
