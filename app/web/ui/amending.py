"""What people do to an answer that stands: other words, its removal, and what colleagues say of that."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.appeals import amending
from app.kernel.db import WriteSession
from app.kernel.errors import InvalidError, NotFoundError
from app.people.rules import Permission
from app.replies.amending import Change
from app.web.deps import requires
from app.web.ui.actions import done
from app.web.ui.fields import Form, row_number
from app.web.ui.visit import CurrentVisit, visit_of

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of)])


@router.post("/replies/{reply_id}/amend", dependencies=[Depends(requires(Permission.APPEAL_WORK))])
async def amend(visit: CurrentVisit, reply_id: str, form: Form) -> Response:
    """Put other words in its place, or take it away: the worker does it, once a colleague has approved where that is asked for."""

    async def work(session: WriteSession) -> int:
        found = row_number(reply_id)
        if found is None:
            raise NotFoundError("reply.unknown", "There is no such answer that you may see.")
        asked, _ = await amending.amend(
            session,
            visit.access,
            reply_id=found,
            change=_change(form.text("change")),
            words=form.text("text"),
            reason=form.text("reason"),
            plugins=visit.parts.plugins,
            seen_version=form.version(),
            now=visit.now,
        )
        return asked

    return await done(visit, work)


@router.post("/amendments/{amendment_id}/approve", dependencies=[Depends(requires(Permission.ANSWER_APPROVE))])
async def approve(visit: CurrentVisit, amendment_id: str, form: Form) -> Response:
    """Let another's change be done, or return it with a word why."""

    async def work(session: WriteSession) -> int:
        found, seen, decision = _number(amendment_id), form.version(), form.text("decision")
        if decision == "approve":
            return await amending.approve(session, visit.access, amendment_id=found, seen_version=seen, now=visit.now)
        if decision == "return":
            words = form.text("text")
            return await amending.give_back(session, visit.access, amendment_id=found, words=words, seen_version=seen, now=visit.now)
        raise InvalidError("reply.decision", "Say approve or return.", field="decision")

    return await done(visit, work)


@router.post("/amendments/{amendment_id}/resolve", dependencies=[Depends(requires(Permission.APPEAL_WORK))])
async def resolve(visit: CurrentVisit, amendment_id: str, form: Form) -> Response:
    """What a person says of a change that was not done."""

    async def work(session: WriteSession) -> int:
        found = _number(amendment_id)
        return await amending.decide(session, visit.access, amendment_id=found, decision=form.text("decision"), now=visit.now)

    return await done(visit, work)


def _number(amendment_id: str) -> int:
    found = row_number(amendment_id)
    if found is None:
        raise NotFoundError("amendment.unknown", "There is no such change that you may see.")
    return found


def _change(value: str) -> Change:
    try:
        return Change(value)
    except ValueError:
        raise InvalidError("amendment.change", "Say edit or delete.", field="change") from None
