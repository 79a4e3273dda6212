"""The coordinator's queue: comments about which the program could not decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.appeals import desk
from app.appeals.filters import MOST_ROWS, Cursor
from app.appeals.waiting import TriageRow as FoundRow, triage_comment, triage_queue
from app.kernel.errors import ConflictError, InvalidError, NotFoundError
from app.people.rules import Permission
from app.sources.queries import comments_by_id
from app.triage.rules import Kind
from app.web.deps import requires
from app.web.ui.choices import agency_choices, topic_choices
from app.web.ui.fields import Fields, Form, row_number
from app.web.ui.reasons import route_reasons, triage_reasons
from app.web.ui.thread_view import attachments, web_address
from app.web.ui.triage_views import ActionForm, Suggestion, TriagePage, TriageRow
from app.web.ui.views import Choice, Due, Reason
from app.web.ui.visit import CurrentVisit, Visit, see_other, visit_of

if TYPE_CHECKING:
    from app.kernel.db import ReadSession, WriteSession

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.TRIAGE_WORK))])

ROWS = 20
_SUGGESTIONS = 3
_MOST = 0.8
_NOT_APPEALS = tuple(kind for kind in Kind if kind not in {Kind.APPEAL, Kind.UNDECIDED, Kind.PAGE_VOICE})


@router.get("/triage")
async def triage_screen(visit: CurrentVisit, request: Request) -> Response:
    """The page."""
    async with visit.reading() as session:
        frame = await visit.frame(session)
        page = await _read(session, visit, cursor=request.query_params.get("cursor"))
    return visit.page("triage.html", {"page": page}, frame)


@router.get("/triage/rows")
async def triage_rows(visit: CurrentVisit, request: Request) -> Response:
    """The next rows (`cursor`), or those that are shown once more (`take`: how many)."""
    take = row_number(request.query_params.get("take", ""))
    limit = ROWS if take is None else min(max(take, ROWS), MOST_ROWS)
    async with visit.reading() as session:
        page = await _read(session, visit, cursor=request.query_params.get("cursor"), limit=limit)
    return visit.part("triage_rows.html", {"page": page})


@router.get("/triage/{comment_id}")
async def triage_dialog(visit: CurrentVisit, comment_id: str) -> Response:
    """Choose topic and agency for one comment."""
    return await _dialog(visit, _comment_in_path(comment_id), Fields({}))


@router.post("/triage/{comment_id}")
async def decide(visit: CurrentVisit, comment_id: str, form: Form) -> Response:
    """An appeal about `topic` for `agency` (act `open`), or none, of this `kind` (act `dismiss`)."""
    asked = _comment_in_path(comment_id)
    try:
        async with visit.writing() as session:
            await _decide(session, visit, asked, form)
            page = await _read(session, visit) if visit.wants_part else None
    except (ConflictError, InvalidError) as error:
        if visit.wants_part or isinstance(error, ConflictError):
            raise
        return await _dialog(visit, asked, form, error=visit.words("fault", error.code, error.params, otherwise=error.detail))
    return see_other("/triage") if page is None else visit.part("triage_rows.html", {"page": page})


async def _decide(session: WriteSession, visit: Visit, comment_id: int, form: Fields) -> None:
    opens = form.text("act") == "open"
    row = await _waiting(session, visit, comment_id)
    if row.revision != form.version():
        raise ConflictError("triage.edited", "The citizen has edited the comment: read it again, then decide.")
    topic_id = form.number("topic")
    if opens and topic_id is not None and topic_id not in visit.office.desk.directory.topics:
        raise InvalidError("appeal.topic", "There is no such topic: choose one from the list.", field="topic")
    await desk.decide_comment(
        session,
        visit.access,
        visit.office,
        comment_id=comment_id,
        topic_id=topic_id if opens else None,
        agency_id=form.number("agency") if opens else None,
        kind=Kind.APPEAL if opens else _kind(form.text("kind")),
        now=visit.now,
    )


def _kind(value: str) -> Kind:
    """The kind that was chosen. InvalidError `triage.kind` when none was."""
    if value not in _NOT_APPEALS:
        raise InvalidError("triage.kind", "Choose why it needs no answer.", field="kind")
    return Kind(value)


def _comment_in_path(value: str) -> int:
    found = row_number(value)
    if found is None:
        raise _unknown()
    return found


def _unknown() -> NotFoundError:
    return NotFoundError("comment.unknown", "There is no such comment that you may see.")


async def _read(session: ReadSession, visit: Visit, *, cursor: str | None = None, limit: int = ROWS) -> TriagePage:
    found = await triage_queue(session, visit.access, after=Cursor.parse(cursor) if cursor else None, limit=limit)
    visit.looking.looks("comment", [row.comment_id for row in found.rows])
    return TriagePage(
        rows=tuple(_row(visit, row) for row in found.rows),
        kinds=tuple(Choice(value=kind.value, label=visit.words("kind", kind.value)) for kind in _NOT_APPEALS),
        total=found.total,
        next_cursor=None if found.next is None else str(found.next),
        first=not (cursor and visit.wants_part),
    )


def _row(visit: Visit, row: FoundRow) -> TriageRow:
    directory = visit.office.desk.directory
    reasons = triage_reasons(row.reasons, directory)
    if row.agency_id is None:
        reasons += route_reasons(row.route_reason, directory, row.page_title)
    if row.fate_reason == "edited":
        reasons = (Reason(code="edited"), *reasons)
    return TriageRow(
        comment_id=str(row.comment_id),
        version=row.revision,
        platform=row.platform,
        page=row.page_title,
        author=row.author_name or "",
        text=row.text,
        written_at=row.written_at,
        reasons=reasons,
        post=row.post_text,
        url=web_address(row.link),
        territory=row.territory_name,
        due=_due(row),
        attachments=attachments(row.attachments, visit.media, platform=row.platform, at=f"comment/{row.comment_id}"),
        suggestions=_suggestions(visit, row),
    )


def _due(row: FoundRow) -> Due | None:
    """`warn_at` moves on to the deadline itself once it was warned of: then most of the plain time says that it is near."""
    if row.due_at is None:
        return None
    most = row.written_at + (row.due_at - row.written_at) * _MOST
    return Due(due_at=row.due_at, near_at=row.warn_at if row.warn_at is not None and row.warn_at < row.due_at else most)


def _suggestions(visit: Visit, row: FoundRow) -> tuple[Suggestion, ...]:
    """The likeliest topics, each with the agency that the rules name for it."""
    desk_now = visit.office.desk
    directory = desk_now.directory
    found = []
    for code, score in row.scores:
        topic_id = directory.topic_id(code)
        if topic_id is None:
            continue
        place = desk_now.place(page_id=row.page_id, territory_id=row.territory_id, topic_id=topic_id, page_agency_id=row.page_agency_id)
        agency = directory.agencies.get(desk_now.route([place])[0].agency_id or 0)
        if agency is not None:
            topic = directory.topics[topic_id]
            found.append(
                Suggestion(topic=str(topic.id), topic_label=topic.name, agency=str(agency.id), agency_label=agency.name, score=score)
            )
    return tuple(found[:_SUGGESTIONS])


async def _waiting(session: ReadSession, visit: Visit, comment_id: int) -> FoundRow:
    """The comment that waits. NotFoundError when it is out of sight, ConflictError when a colleague was faster."""
    row = await triage_comment(session, visit.access, comment_id)
    if row is None and not await comments_by_id(session, [comment_id]):
        raise _unknown()
    if row is None:
        raise ConflictError("triage.decided", "Somebody has decided about this comment already: reload the list.")
    return row


async def _dialog(visit: Visit, comment_id: int, form: Fields, *, error: str = "") -> Response:
    async with visit.reading() as session:
        frame = await visit.frame(session)
        row = await _waiting(session, visit, comment_id)
    visit.looking.look("comment", comment_id)
    directory, suggested = visit.office.desk.directory, _suggestions(visit, row)[:1]
    topic = form.text("topic") or "".join(one.topic for one in suggested)
    agency = form.text("agency") or "".join(one.agency for one in suggested) or str(row.page_agency_id)
    view = ActionForm(
        action="triage",
        post_to=f"/triage/{comment_id}",
        back_to="/triage",
        subject=row.text or row.page_title,
        version=row.revision,
        choices=topic_choices(directory, topic, whole=visit.words("hint", "whole_group")),
        agencies=agency_choices(directory, agency),
        error=error,
    )
    if visit.wants_part:
        return visit.part("action_form.html", {"form": view})
    return visit.page("action.html", {"form": view}, frame, status=422 if error else 200)
