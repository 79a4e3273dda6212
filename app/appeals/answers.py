"""An answer stands on the platform - ours, or one that the page wrote by hand: the clock stops, the appeal is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals import history
from app.appeals.reopening import cycle_at, load_promises, reopen_if_asked_later
from app.appeals.rules import WAITING, Act, Status, after
from app.kernel.db import Bulk
from app.kernel.errors import InvalidError
from app.kernel.log import logger
from app.replies.rules import AnswerKind, same_words
from app.replies.seen import Seen, record_seen
from app.sla import service as sla
from app.sla.pauses import end_pauses
from app.sla.rules import Promise, StopCause
from app.sources.queries import comments_by_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.appeals.reopening import Promises
    from app.appeals.service import Held
    from app.kernel.db import ReadSession, WriteSession
    from app.sources.queries import UnseenComment

ANSWER_PROMISES = (Promise.FIRST_ANSWER, Promise.INTERIM_ANSWER, Promise.FINAL_ANSWER)
INTERIM_PROMISES = (Promise.FIRST_ANSWER, Promise.INTERIM_ANSWER)

_ANSWERED_TO = Bulk(
    """
    SELECT r.id AS answer_id, c.appeal_id, c.id AS comment_id, c.revision FROM {rows}
    JOIN comment c USING (page_id, post_id, external_id)
    WHERE c.appeal_id IS NOT NULL AND NOT c.by_page
    """,
    id="bigint", page_id="bigint", post_id="bigint", external_id="text",
)  # fmt: skip

_EARLIER_ANSWERS = Bulk(
    """
    SELECT r.id AS comment_id, t.appeal_id, t.revision, c.id AS answer_id FROM {rows}
    JOIN comment t ON t.id = r.id
    JOIN comment c ON c.post_id = r.post_id AND c.reply_to_external_id = r.external_id
    WHERE c.by_page AND c.fate = 'page_own' AND c.appeal_id IS NULL AND c.deleted_at IS NULL AND c.written_at >= r.written_at
    ORDER BY c.id
    """,
    id="bigint", post_id="bigint", external_id="text", written_at="timestamptz",
)  # fmt: skip

# Answers of ours that are being published at this moment, under the comments that the page's own comments reply to.
_UNDER_WAY = Bulk(
    """
    SELECT r.id, o.text FROM {rows}
    JOIN comment c USING (page_id, post_id, external_id)
    JOIN reply o ON o.appeal_id = c.appeal_id AND o.comment_id = c.id AND o.state = 'sending'
    """,
    id="bigint", page_id="bigint", post_id="bigint", external_id="text",
)  # fmt: skip

_LINK = Bulk("UPDATE comment c SET appeal_id = r.appeal_id FROM {rows} WHERE c.id = r.id", id="bigint", appeal_id="bigint")

_LOCK_APPEAL = text("SELECT id, status, cycle, agency_id, topic_id, territory_id, platform, priority FROM appeal WHERE id = :id FOR UPDATE")

_REPLY = text("SELECT cycle, kind, approved_by FROM reply WHERE id = :id")
_ANSWERED = text(
    """
    UPDATE appeal SET status = :status, version = version + 1, touched_at = :now, due_at = :due,
      answered_at = coalesce(answered_at, CAST(:at AS timestamptz))
    WHERE id = :id
    """
)


async def being_published(session: WriteSession, comments: Sequence[UnseenComment]) -> set[int]:
    """Of the page's own comments, those that may be an answer of ours whose outcome its sender is about to write down.

    Platforms change words a little, so words alone do not tell; the id on the platform, once it is written down, does.
    """
    answers = {one.id: one for one in comments if one.by_page and one.reply_to_external_id is not None}
    rows = await _UNDER_WAY.run(session, [(one.id, one.page_id, one.post_id, one.reply_to_external_id) for one in answers.values()])
    alike = {row.id for row in rows if same_words(row.text, answers[row.id].text)}
    return {row.id for row in rows} - alike


async def answered_appeals(session: WriteSession, comments: Sequence[UnseenComment]) -> set[int]:
    """The appeals under whose comments the page's own ones of these stand."""
    return {row.appeal_id for row in await _answered_to(session, comments)}


async def _answered_to(session: WriteSession, comments: Sequence[UnseenComment]) -> list[Any]:
    replying = [one for one in comments if one.by_page and one.reply_to_external_id is not None]
    return await _ANSWERED_TO.run(session, [(one.id, one.page_id, one.post_id, one.reply_to_external_id) for one in replying])


async def record_page_answers(
    session: WriteSession, comments: Sequence[UnseenComment], *, now: datetime, promises: Promises | None = None
) -> None:
    """Of the page's own comments, those that reply to a citizen with an appeal: ours coming back, or written by hand."""
    by_id = {comment.id: comment for comment in comments}
    rows = await _answered_to(session, comments)
    await _record(session, [(row.appeal_id, by_id[row.answer_id], row.comment_id, row.revision) for row in rows], now, promises)


async def record_earlier_answers(
    session: WriteSession, comments: Sequence[UnseenComment], *, now: datetime, promises: Promises | None = None
) -> None:
    """Comments that came to an appeal late (a coordinator decided) may have been answered on the platform already."""
    rows = await _EARLIER_ANSWERS.run(session, [(one.id, one.post_id, one.external_id, one.written_at) for one in comments])
    if rows:
        found = {comment.id: comment for comment in await comments_by_id(session, [row.answer_id for row in rows])}
        pairs = [(row.appeal_id, found[row.answer_id], row.comment_id, row.revision) for row in rows]
        await _record(session, pairs, now, promises)


async def _record(
    session: WriteSession, pairs: Sequence[tuple[int, UnseenComment, int, int]], now: datetime, promises: Promises | None
) -> None:
    await _LINK.run(session, sorted((answer.id, appeal_id) for appeal_id, answer, _, _ in pairs))
    for appeal_id, answer, comment_id, revision in sorted(pairs, key=lambda pair: (pair[1].written_at, pair[1].id)):
        appeal = await lock_appeal(session, appeal_id)
        seen = Seen(
            appeal_id=appeal_id, comment_id=comment_id, comment_revision=revision, agency_id=appeal.agency_id,
            cycle=await cycle_at(session, appeal_id=appeal_id, cycle=appeal.cycle, at=answer.written_at),
            external_id=answer.external_id, text=answer.text, link=answer.link, published_at=answer.written_at,
        )  # fmt: skip
        recorded = await record_seen(session, seen)
        if recorded is not None:
            await record_answer(
                session,
                appeal_id=appeal_id,
                act=Act.ANSWERED_BY_HAND if recorded.by_hand else Act.REPLY_SENT,
                reply_id=recorded.id,
                published_at=answer.written_at,
                operator_id=recorded.operator_id,
                now=now,
                promises=promises,
            )


async def lock_appeal(session: WriteSession, appeal_id: int) -> Any:  # noqa: ANN401 - a typed row
    """Lock an appeal. Always before its answers: whoever took them the other way round could wait in a circle."""
    return (await session.execute(_LOCK_APPEAL, {"id": appeal_id})).one()


async def record_answer(
    session: WriteSession,
    *,
    appeal_id: int,
    act: Act,
    reply_id: int,
    published_at: datetime,
    operator_id: int | None,
    sender: str | None = None,
    now: datetime,
    promises: Promises | None = None,
) -> None:
    """Stop the answer timers at the platform's moment, move the appeal on, say it in the history.

    An answer belongs to the cycle in which it was published (or written by us): heard of late, it does not answer what
    was asked after it. An interim one keeps the first promise and starts the clock of the final one.
    The history says who wrote it, who let it go out last, and which worker (`sender`) published it.
    """
    appeal = await lock_appeal(session, appeal_id)
    reply = (await session.execute(_REPLY, {"id": reply_id})).one()
    interim = reply.kind == AnswerKind.INTERIM.value
    act = Act.INTERIM_SENT if interim else act
    cycle = max(int(reply.cycle), await cycle_at(session, appeal_id=appeal_id, cycle=appeal.cycle, at=published_at))
    before = Status(appeal.status)
    status = after(act, before) if cycle == appeal.cycle else before
    await _keep(session, appeal, INTERIM_PROMISES if interim else ANSWER_PROMISES, cycle=cycle, at=published_at)
    if cycle == appeal.cycle and interim and status in WAITING:
        await _start_final(session, appeal, published_at, promises=promises, now=now)
    elif cycle == appeal.cycle and not interim:
        await _end_pause(session, appeal_id, published_at)
    due = (await sla.running_due(session, [appeal_id])).get(appeal_id)
    answered_at = published_at if cycle == appeal.cycle and not interim else None
    await session.execute(_ANSWERED, {"id": appeal_id, "status": status.value, "now": now, "due": due, "at": answered_at})
    told = {"reply": reply_id, "approved_by": reply.approved_by, "sender": sender}
    data = {name: value for name, value in told.items() if value is not None}
    event = history.Event(appeal_id=appeal_id, act=act, cycle=cycle, operator_id=operator_id, occurred_at=published_at, data=data)
    await history.record(session, [event])
    if status is not before and not interim:
        await reopen_if_asked_later(session, appeal_id=appeal_id, promises=promises, now=now)


async def _keep(session: WriteSession, appeal: Any, kept: Sequence[Promise], *, cycle: int, at: datetime) -> None:  # noqa: ANN401 - a typed row
    """These promises were kept at that moment."""
    stop = sla.Stop(appeal_id=appeal.id, cycle=cycle, promises=kept, at=at, cause=StopCause.FULFILLED, agency_id=appeal.agency_id)
    await sla.stop_timers(session, [stop])


async def _start_final(session: WriteSession, appeal: Any, interim_at: datetime, *, promises: Promises | None, now: datetime) -> None:  # noqa: ANN401 - a typed row
    """From the interim answer on the final one is waited for. A clock of it that runs already goes on as it is."""
    known = promises or await load_promises(session, now=now)
    timer = known.plan_final(appeal, interim_at)
    if timer is not None:
        pauses = await sla.pauses_of(session, [appeal.id])
        timer = known.book.after_pauses(timer, pauses.get(appeal.id, ()))
        await sla.start_timers(session, [(appeal.id, appeal.cycle, timer)])
    elif not known.final(appeal, interim_at):  # the norm was taken away while the answer was on its way
        logger.warning("no_final_promise", appeal=appeal.id)


async def _end_pause(session: WriteSession, appeal_id: int, at: datetime) -> None:
    """Nothing is waited for any more. An answer heard of late stood before the pause began: the pause was for nothing."""
    since = await session.scalar(text("SELECT since FROM sla_pause WHERE appeal_id = :id AND until IS NULL"), {"id": appeal_id})
    if since is not None:
        await end_pauses(session, [(appeal_id, max(at, since))])


async def require_final_promise(session: ReadSession, appeal: Held, kind: AnswerKind, promises: Promises | None, now: datetime) -> None:
    """Without a norm for the final answer an interim one would take the appeal off every clock: InvalidError then.

    ConflictError when the appeal does not wait for an answer. Any other answer needs no such promise.
    """
    if kind is not AnswerKind.INTERIM:
        return
    after(Act.PAUSED, appeal.status)
    if not (promises or await load_promises(session, now=now)).final(appeal, now):
        raise InvalidError(
            "reply.no_final", "No norm says when the final answer would be due here: answer finally, or ask for a norm.", field="interim"
        )
