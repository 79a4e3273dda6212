"""Answers by other systems."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sqlalchemy import text

from app.appeals import amending, merging, pictures, service
from app.appeals.filters import format_number
from app.appeals.idempotency import done_once
from app.kernel.db import ReadSession
from app.people.rules import Access, Permission
from app.replies.amending import AmendmentState
from app.replies.rules import ReplyState
from app.web.api.appeals import Key, number_in_path
from app.web.api.document import BEARER, problems
from app.web.api.models import AmendmentAccepted, NewAmendmentBody, NewReplyBody, PictureTaken, ReplyAccepted
from app.web.deps import CurrentWeb, Now, Parts, RowId, Writing, opened, requires

router = APIRouter(prefix="/api/v1", tags=["replies"], dependencies=[Depends(BEARER)])

Worker = Annotated[Access, Depends(requires(Permission.APPEAL_WORK))]


@router.post("/appeals/{number}/replies", summary="Answer the citizen", status_code=202, responses=problems(400, 404, 409, 413))
async def answer_appeal(
    number: str, body: NewReplyBody, access: Worker, session: Writing, web: CurrentWeb, now: Now, key: Key = None
) -> ReplyAccepted:
    """Queues the answer; the worker publishes it under the citizen's comment - once a colleague has approved it, where that is asked for.

    Its state is told with the appeal.
    """
    asked = number_in_path(number)

    async def give() -> tuple[int, bool]:
        common: Any = {
            "number": asked, "words": body.text, "kind": body.kind, "now": now,
            "text_limits": {platform: plugin.text_limit for platform, plugin in web.parts.plugins.items()},
            "pictures": pictures.Chosen(ids=body.pictures, taken=web.pictures.taken(web.parts.plugins)),
        }  # fmt: skip
        reply_id = await service.answer(session, access, comment_id=body.comment_id, seen_version=body.version, **common)
        if body.also_merged:
            await merging.answer_merged(session, access, reply_id=reply_id, **common)
        return reply_id, False

    also = ("also",) if body.also_merged else ()
    request = ("reply", asked, body.text, body.comment_id, body.version, body.kind.value, *body.pictures, *also)
    reply_id, repeated = await done_once(session, access, key=key, request=request, give=give)
    return ReplyAccepted(id=reply_id, number=format_number(asked), state=await _state(session, reply_id), repeated=repeated)


@router.post(
    "/pictures",
    summary="Bring a picture for an answer",
    status_code=201,
    responses=problems(400, 413),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    },
)
async def bring_picture(request: Request, access: Worker, web: CurrentWeb, now: Now) -> PictureTaken:
    """The body is the picture itself: JPEG, PNG or WebP, whatever its media type says. It is decoded and drawn anew.

    Name its `id` in `pictures` of an answer within a day; else it is dropped. The same bytes once more give the same id.
    """
    (made,) = await pictures.drawn([await request.body()], web.pictures)
    async with opened(web.parts.database.write(operator_id=access.operator_id)) as session:
        picture_id = await pictures.bring(session, access, made, now=now)
    return PictureTaken(id=picture_id, width=made.width, height=made.height, size=len(made.content))


@router.post(
    "/replies/{reply_id}/amendments",
    summary="Change or delete an answer that stands",
    status_code=202,
    responses=problems(400, 403, 404, 409, 413),
)
async def amend_answer(
    reply_id: RowId, body: NewAmendmentBody, access: Worker, session: Writing, parts: Parts, now: Now
) -> AmendmentAccepted:
    """Asks for it; the worker does it on the platform - other words once a colleague has approved them, where that is asked for.

    One change of an answer at a time, and doing one twice changes nothing. A change moves no clock; an answer that is deleted no longer
    counts.
    """
    number, amendment_id = await amending.amend(
        session,
        access,
        reply_id=reply_id,
        change=body.change,
        words=body.text,
        reason=body.reason,
        plugins=parts.plugins,
        seen_version=body.version,
        now=now,
    )
    state = await session.scalar(text("SELECT state FROM amendment WHERE id = :id"), {"id": amendment_id})
    return AmendmentAccepted(id=amendment_id, reply_id=reply_id, number=format_number(number), state=AmendmentState(state))


async def _state(session: ReadSession, reply_id: int) -> ReplyState:
    """Of an answer that this service gave before; still known as queued when it has since gone out of sight."""
    state = await session.scalar(text("SELECT state FROM reply WHERE id = :id"), {"id": reply_id})
    return ReplyState.QUEUED if state is None else ReplyState(state)
