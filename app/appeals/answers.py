"""An answer stands on the platform - ours, or one that the page wrote by hand: the clock stops, the appeal is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals import history
from app.appeals.rules import Act, Status, after
from app.kernel.db import Bulk
from app.replies import service as replies
from app.sla import service as sla
from app.sla.rules import Promise, StopCause
from app.sources.queries import comments_by_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.kernel.db import WriteSession
    from app.sources.queries import UnseenComment

ANSWER_PROMISES = (Promise.FIRST_ANSWER, Promise.INTERIM_ANSWER, Promise.FINAL_ANSWER)

_ANSWERED_TO = Bulk(
    """
    SELECT r.id AS answer_id, c.appeal_id, c.id AS comment_id, c.revision FROM {rows}
    JOIN comment c ON c.post_id = r.post_id AND c.external_id = r.external_id
    WHERE c.appeal_id IS NOT NULL AND NOT c.by_page
    """,
    id="bigint", post_id="bigint", external_id="text",
)  # fmt: skip

_EARLIER_ANSWERS = Bulk(
    """
    SELECT DISTINCT ON (r.id) r.id AS comment_id, t.appeal_id, t.revision, c.id AS answer_id FROM {rows}
    JOIN comment t ON t.id = r.id
    JOIN comment c ON c.post_id = r.post_id AND c.reply_to_external_id = r.external_id
    WHERE c.by_page AND c.fate = 'page_own' AND c.appeal_id IS NULL AND c.deleted_at IS NULL AND c.written_at >= r.written_at
    ORDER BY r.id, c.written_at
    """,
    id="bigint", post_id="bigint", external_id="text", written_at="timestamptz",
)  # fmt: skip

_LINK = Bulk("UPDATE comment c SET appeal_id = r.appeal_id FROM {rows} WHERE c.id = r.id", id="bigint", appeal_id="bigint")

_LOCK_APPEALS = text("SELECT id, status, cycle, agency_id FROM appeal WHERE id = ANY (:ids) ORDER BY id FOR UPDATE")

_ANSWERED = text(
    """
    UPDATE appeal SET status = :status, version = version + 1, touched_at = :now, due_at = :due, answered_at = coalesce(answered_at, :at)
    WHERE id = :id
    """
)


async def record_page_answers(session: WriteSession, comments: Sequence[UnseenComment], *, now: datetime) -> None:
    """Of the page's own comments, those that reply to a citizen with an appeal: ours coming back, or written by hand."""
    by_id = {comment.id: comment for comment in comments}
    targets = await _ANSWERED_TO.run(
        session, [(one.id, one.post_id, one.reply_to_external_id) for one in comments if one.reply_to_external_id is not None]
    )
    await _record(session, [(row.appeal_id, by_id[row.answer_id], row.comment_id, row.revision) for row in targets], now)


async def record_earlier_answers(session: WriteSession, opened: Mapping[int, UnseenComment], *, now: datetime) -> None:
    """An appeal opened late (a coordinator decided) may have been answered on the platform already."""
    rows = await _EARLIER_ANSWERS.run(session, [(one.id, one.post_id, one.external_id, one.written_at) for one in opened.values()])
    if rows:
        found = {comment.id: comment for comment in await comments_by_id(session, [row.answer_id for row in rows])}
        await _record(session, [(row.appeal_id, found[row.answer_id], row.comment_id, row.revision) for row in rows], now)


async def _record(session: WriteSession, pairs: Sequence[tuple[int, UnseenComment, int, int]], now: datetime) -> None:
    if not pairs:
        return
    await _LINK.run(session, sorted((answer.id, appeal_id) for appeal_id, answer, _, _ in pairs))
    appeals = {row.id: row for row in await session.execute(_LOCK_APPEALS, {"ids": sorted({appeal_id for appeal_id, *_ in pairs})})}
    for appeal_id, answer, comment_id, revision in sorted(pairs, key=lambda pair: pair[1].written_at):
        appeal = appeals[appeal_id]
        seen = replies.Seen(
            appeal_id=appeal_id, comment_id=comment_id, comment_revision=revision, cycle=appeal.cycle, agency_id=appeal.agency_id,
            external_id=answer.external_id, text=answer.text, link=answer.link, published_at=answer.written_at,
        )  # fmt: skip
        recorded = await replies.record_seen(session, seen)
        if recorded is not None:
            act = Act.ANSWERED_BY_HAND if recorded.by_hand else Act.REPLY_SENT
            await record_answer(
                session,
                appeal_id=appeal_id,
                act=act,
                reply_id=recorded.id,
                published_at=answer.written_at,
                operator_id=recorded.operator_id,
                now=now,
            )


async def record_answer(
    session: WriteSession, *, appeal_id: int, act: Act, reply_id: int, published_at: datetime, operator_id: int | None, now: datetime
) -> None:
    """Stop the answer timers at the platform's moment, move the appeal on, say it in the history."""
    appeal = (await session.execute(_LOCK_APPEALS, {"ids": [appeal_id]})).one()
    stop = sla.Stop(
        appeal_id=appeal_id,
        cycle=appeal.cycle,
        promises=ANSWER_PROMISES,
        at=published_at,
        cause=StopCause.FULFILLED,
        agency_id=appeal.agency_id,
    )
    await sla.stop_timers(session, [stop])
    due = (await sla.running_due(session, [appeal_id])).get(appeal_id)
    status = after(act, Status(appeal.status))
    await session.execute(_ANSWERED, {"id": appeal_id, "status": status.value, "now": now, "due": due, "at": published_at})
    event = history.Event(
        appeal_id=appeal_id, act=act, cycle=appeal.cycle, operator_id=operator_id, occurred_at=published_at, data={"reply": reply_id}
    )
    await history.record(session, [event])
