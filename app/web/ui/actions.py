"""What people do with an appeal: each act is one form, one transaction, and the fresh card - or why it was refused.

A refusal is a sentence in the person's language beside what they wrote; nothing they typed is lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import APIRouter, Depends
from starlette.responses import Response

from app.appeals import approval, clock, elsewhere, merging, outcomes, pictures, service
from app.appeals.correction import correct_topic
from app.appeals.filters import parse_number
from app.appeals.idempotency import done_once
from app.appeals.queries import card
from app.appeals.rules import CloseReason, DismissReason
from app.kernel.db import WriteSession
from app.kernel.errors import ConflictError, InvalidError, NotFoundError
from app.people.rules import Permission
from app.replies.rules import AnswerKind
from app.sla.rules import PauseReason, Promise
from app.web.deps import requires
from app.web.ui.appeal import address, dialog, number_in_path, workplace
from app.web.ui.card_view import card_view
from app.web.ui.fields import Fields, Form, local_moment, row_number
from app.web.ui.queue_view import filters_of
from app.web.ui.views import Draft
from app.web.ui.visit import CurrentVisit, Visit, current_query, see_other, visit_of

if TYPE_CHECKING:
    from app.replies.pictures import NewPicture
    from app.sla.service import PlannedTimer

Work = Callable[[WriteSession], Awaitable[int]]
"""Does the act; the number of the appeal that it was done to."""
Refused = Callable[[str, int], Awaitable[Response]]
"""Answers a form that was sent without a script: the sentence that says why not, and the status."""

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of)])


def _demands(permission: Permission) -> Sequence[Any]:
    return [Depends(requires(permission))]


@router.post("/appeals/{number}/take", dependencies=_demands(Permission.APPEAL_WORK))
async def take(visit: CurrentVisit, number: str) -> Response:
    """Make it one's own."""
    asked = number_in_path(number)

    async def work(session: WriteSession) -> int:
        await service.take(session, visit.access, number=asked, now=visit.now)
        return asked

    return await done(visit, work)


@router.post("/appeals/{number}/route", dependencies=_demands(Permission.APPEAL_ROUTE))
async def route(visit: CurrentVisit, number: str, form: Form) -> Response:
    """Hand it to another agency, with a word to the colleagues there."""
    asked, words = number_in_path(number), form.text("text")

    async def work(session: WriteSession) -> int:
        agency_id = form.number("agency")
        if agency_id is None:
            raise InvalidError("appeal.agency", "There is no such agency: choose one from the list.", field="agency")
        await service.hold(session, visit.access, number=asked, permission=Permission.APPEAL_ROUTE, seen_version=form.version())
        if words.strip():
            await service.note(session, visit.access, number=asked, words=words, now=visit.now)
        await service.route(session, visit.access, number=asked, agency_id=agency_id, territory_id=None, seen_version=None, now=visit.now)
        return asked

    return await done(visit, work, refused=_dialog_again(visit, asked, "route", form))


@router.post("/appeals/{number}/topic", dependencies=_demands(Permission.APPEAL_WORK))
async def topic(visit: CurrentVisit, number: str, form: Form) -> Response:
    """Correct the topic; `reroute`: to whoever answers about it."""
    asked = number_in_path(number)

    async def work(session: WriteSession) -> int:
        topic_id = form.number("topic")
        if topic_id is None:
            raise InvalidError("appeal.topic", "There is no such topic: choose one from the list.", field="topic")
        reroute = form.text("reroute") == "1"
        await correct_topic(session, visit.access, visit.office, number=asked, topic_id=topic_id, reroute=reroute, now=visit.now)
        return asked

    return await done(visit, work, refused=_dialog_again(visit, asked, "topic", form))


@router.post("/appeals/{number}/dismiss", dependencies=_demands(Permission.APPEAL_WORK))
async def dismiss(visit: CurrentVisit, number: str, form: Form) -> Response:
    """It was nothing to answer."""
    asked = number_in_path(number)

    async def work(session: WriteSession) -> int:
        reason = _chosen(DismissReason, form.text("reason"))
        await service.dismiss(session, visit.access, number=asked, reason=reason, seen_version=form.version(), now=visit.now)
        return asked

    return await done(visit, work, refused=_dialog_again(visit, asked, "dismiss", form))


@router.post("/appeals/{number}/close", dependencies=_demands(Permission.APPEAL_WORK))
async def close(visit: CurrentVisit, number: str, form: Form) -> Response:
    """It is finished."""
    asked = number_in_path(number)

    async def work(session: WriteSession) -> int:
        reason = _chosen(CloseReason, form.text("reason"))
        await service.close(session, visit.access, number=asked, reason=reason, seen_version=form.version(), now=visit.now)
        return asked

    return await done(visit, work, refused=_dialog_again(visit, asked, "close", form))


@router.post("/appeals/{number}/reopen", dependencies=_demands(Permission.APPEAL_WORK))
async def reopen(visit: CurrentVisit, number: str, form: Form) -> Response:
    """Take it up again, with a deadline from now on."""
    asked = number_in_path(number)

    def plan(held: service.Held) -> list[PlannedTimer]:
        matter = visit.office.matter(
            topic_id=held.topic_id, agency_id=held.agency_id, territory_id=held.territory_id, platform=held.platform, priority=held.priority
        )
        return visit.office.book.plan(matter, visit.now)

    async def work(session: WriteSession) -> int:
        await service.reopen(session, visit.access, number=asked, plan=plan, seen_version=form.version(), now=visit.now)
        return asked

    return await done(visit, work, refused=_dialog_again(visit, asked, "reopen", form))


@router.post("/appeals/{number}/note", dependencies=_demands(Permission.APPEAL_NOTE))
async def note(visit: CurrentVisit, number: str, form: Form) -> Response:
    """Tell colleagues something."""
    asked, words = number_in_path(number), form.text("text")

    async def work(session: WriteSession) -> int:
        await service.note(session, visit.access, number=asked, words=words, now=visit.now)
        return asked

    return await done(visit, work, refused=_draft_kept(visit, asked, "note", words))


@router.post("/appeals/{number}/answer", dependencies=_demands(Permission.APPEAL_WORK))
async def answer(visit: CurrentVisit, number: str, form: Form) -> Response:
    """Answer the citizen: the worker publishes it under their comment. The same `key` answers once."""
    asked, words = number_in_path(number), form.text("text")
    limits = {platform: plugin.text_limit for platform, plugin in visit.parts.plugins.items()}
    kind = AnswerKind.INTERIM if form.text("interim") == "1" else AnswerKind.FINAL
    brought: list[NewPicture] = []

    async def prepare() -> None:
        brought.extend(await pictures.drawn(await form.files("pictures"), visit.pictures))

    async def work(session: WriteSession) -> int:
        comment_id, version = form.number("comment"), form.version()

        async def give() -> tuple[int, bool]:
            taken = visit.pictures.taken(visit.parts.plugins)
            chosen = await pictures.keep(session, visit.access, brought, taken, now=visit.now)
            common: Any = {"number": asked, "words": words, "kind": kind, "text_limits": limits, "pictures": chosen, "now": visit.now}
            reply_id = await service.answer(
                session, visit.access, comment_id=comment_id, promises=visit.office.promises, seen_version=version, **common
            )
            if form.text("also") == "1":
                await merging.answer_merged(session, visit.access, reply_id=reply_id, **common)
            return reply_id, False

        request = ("answer", asked, words, comment_id, kind.value, [one.digest for one in brought])
        await done_once(session, visit.access, key=form.text("key") or None, request=request, give=give)
        return asked

    return await done(visit, work, first=prepare, refused=_draft_kept(visit, asked, "answer", words))


@router.post("/appeals/{number}/posted", dependencies=_demands(Permission.APPEAL_WORK))
async def posted(visit: CurrentVisit, number: str, form: Form) -> Response:
    """The citizen was answered where we cannot publish: what was said, where it stands, since when."""
    asked, words = number_in_path(number), form.text("text")

    async def work(session: WriteSession) -> int:
        await elsewhere.posted_by_hand(
            session,
            visit.access,
            number=asked,
            words=words,
            link=form.text("link"),
            published_at=local_moment(form.text("written"), visit.zone),
            promises=visit.office.promises,
            seen_version=form.version(),
            now=visit.now,
        )
        return asked

    return await done(visit, work, refused=_dialog_again(visit, asked, "posted", form))


@router.post("/appeals/{number}/pause", dependencies=_demands(Permission.APPEAL_WORK))
async def pause(visit: CurrentVisit, number: str, form: Form) -> Response:
    """The clock stands still; what colleagues should know of it becomes a note."""
    asked, words = number_in_path(number), form.text("text")

    async def work(session: WriteSession) -> int:
        reason = _chosen(PauseReason, form.text("reason"))
        await clock.pause(session, visit.access, number=asked, reason=reason, seen_version=form.version(), now=visit.now)
        if words.strip():
            await service.note(session, visit.access, number=asked, words=words, now=visit.now)
        return asked

    return await done(visit, work, refused=_dialog_again(visit, asked, "pause", form))


@router.post("/appeals/{number}/resume", dependencies=_demands(Permission.APPEAL_WORK))
async def resume(visit: CurrentVisit, number: str, form: Form) -> Response:
    """The clock goes on."""
    asked = number_in_path(number)

    async def work(session: WriteSession) -> int:
        await clock.resume(session, visit.access, number=asked, seen_version=form.version(), now=visit.now)
        return asked

    return await done(visit, work)


@router.post("/appeals/{number}/extend", dependencies=_demands(Permission.APPEAL_EXTEND))
async def extend(visit: CurrentVisit, number: str, form: Form) -> Response:
    """A deadline is put off, and why."""
    asked = number_in_path(number)

    async def work(session: WriteSession) -> int:
        await clock.extend(
            session,
            visit.access,
            number=asked,
            promise=_chosen(Promise, form.text("promise")),
            amount=form.number("amount") or 0,
            unit=form.text("unit"),
            reason=form.text("text"),
            seen_version=form.version(),
            now=visit.now,
        )
        return asked

    return await done(visit, work, refused=_dialog_again(visit, asked, "extend", form))


@router.post("/appeals/{number}/merge", dependencies=_demands(Permission.APPEAL_WORK))
async def merge(visit: CurrentVisit, number: str, form: Form) -> Response:
    """This appeal and another one are one matter: the younger is merged into the older."""
    asked = number_in_path(number)

    async def work(session: WriteSession) -> int:
        other = parse_number(form.text("other"))
        if other is None:
            raise InvalidError("merge.number", "Give the number of the other appeal.", field="other")
        await merging.merge(session, visit.access, number=asked, other=other, seen_version=form.version(), now=visit.now)
        return asked

    return await done(visit, work, refused=_dialog_again(visit, asked, "merge", form))


@router.post("/appeals/{number}/unmerge", dependencies=_demands(Permission.APPEAL_WORK))
async def unmerge(visit: CurrentVisit, number: str, form: Form) -> Response:
    """It is a matter of its own after all."""
    asked = number_in_path(number)

    async def work(session: WriteSession) -> int:
        await merging.unmerge(session, visit.access, number=asked, seen_version=form.version(), now=visit.now)
        return asked

    return await done(visit, work)


@router.post("/replies/{reply_id}/resolve", dependencies=_demands(Permission.APPEAL_WORK))
async def resolve(visit: CurrentVisit, reply_id: str, form: Form) -> Response:
    """What a person says of an answer that failed, still waits, or may stand on the platform."""

    async def work(session: WriteSession) -> int:
        found = row_number(reply_id)
        if found is None:
            raise NotFoundError("reply.unknown", "There is no such answer that you may see.")
        return await outcomes.decide_reply(session, visit.access, reply_id=found, decision=form.text("decision"), now=visit.now)

    return await done(visit, work)


@router.post("/replies/{reply_id}/approve", dependencies=_demands(Permission.ANSWER_APPROVE))
async def approve(visit: CurrentVisit, reply_id: str, form: Form) -> Response:
    """Let another's answer go out, or return it with a word why."""

    async def work(session: WriteSession) -> int:
        found = row_number(reply_id)
        if found is None:
            raise NotFoundError("reply.unknown", "There is no such answer that you may see.")
        seen, decision = form.version(), form.text("decision")
        if decision == "approve":
            return await approval.approve(session, visit.access, reply_id=found, seen_version=seen, now=visit.now)
        if decision == "return":
            words = form.text("text")
            return await approval.give_back(session, visit.access, reply_id=found, words=words, seen_version=seen, now=visit.now)
        raise InvalidError("reply.decision", "Say approve or return.", field="decision")

    return await done(visit, work)


# --- how a form is answered ------------------------------------------------------------------------------------


async def done(visit: Visit, work: Work, *, first: Callable[[], Awaitable[None]] | None = None, refused: Refused | None = None) -> Response:
    """Do it in one transaction; the card as it is then. A refusal reaches a script as a problem, a person as `refused`.

    `first`: what takes its time, before the transaction; it may refuse too.
    """
    filters = filters_of(current_query(visit.request))
    try:
        if first is not None:
            await first()
        async with visit.writing() as session:
            number = await work(session)
            found = await card(session, visit.access, number) if visit.wants_part else None
            view = None if found is None else await card_view(session, visit, found, filters=filters)
    except (ConflictError, InvalidError) as error:
        if visit.wants_part or refused is None:
            raise
        status = HTTPStatus.CONFLICT if isinstance(error, ConflictError) else HTTPStatus.UNPROCESSABLE_ENTITY
        return await refused(visit.words("fault", error.code, error.params, otherwise=error.detail), status)
    if view is not None:
        return visit.part("appeal_fragment.html", {"card": view})
    return see_other(address(number, filters))


def _dialog_again(visit: Visit, number: int, action: str, form: Fields) -> Refused:
    """The dialog once more, with what was chosen - or the card, when the act cannot happen any more."""

    async def again(sentence: str, status: int) -> Response:
        try:
            return await dialog(visit, number, action, error=sentence, text=form.text("text"), chosen=form.values, status=status)
        except ConflictError:
            return await workplace(visit, number, filters_of(current_query(visit.request)), error=sentence, status=status)

    return again


def _draft_kept(visit: Visit, number: int, action: str, words: str) -> Refused:
    """The workplace with the fresh card and the person's own text still in its box."""

    async def again(sentence: str, status: int) -> Response:
        draft = Draft(action=action, text=words, error=sentence)
        return await workplace(visit, number, filters_of(current_query(visit.request)), draft=draft, status=status)

    return again


_Reason = TypeVar("_Reason", bound=StrEnum)


def _chosen(reasons: type[_Reason], value: str) -> _Reason:
    """The reason that was chosen. InvalidError `appeal.reason` when none was."""
    try:
        return reasons(value)
    except ValueError:
        raise InvalidError("appeal.reason", "Choose a reason from the list.", field="reason") from None
