"""An answer stands no more, or stands in other words: what becomes of the clock and of the appeal.

Other words move no clock. An answer that was taken away keeps no promise: otherwise a dummy would stop the clock and go. The
clocks of the present cycle run on as if it had never stood, or stop where the next answer did. What belongs to an earlier cycle
stays: the citizen has read that answer and asked again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals import history
from app.appeals.answers import ANSWER_PROMISES, lock_appeal
from app.appeals.rules import WAITING, Act, Status, after
from app.sla import service as sla
from app.sla.pauses import end_pauses
from app.sla.rules import Promise, StopCause
from app.sla.undoing import undo_stops

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from app.kernel.db import WriteSession

CAUSES = {
    Act.REPLY_SENT: StopCause.FULFILLED,
    Act.INTERIM_SENT: StopCause.FULFILLED,
    Act.ANSWERED_BY_HAND: StopCause.FULFILLED,
    Act.CLOSED: StopCause.CLOSED,
    Act.DISMISSED: StopCause.DISMISSED,
    Act.MERGED: StopCause.MERGED,
}
_FINAL = (Act.REPLY_SENT, Act.ANSWERED_BY_HAND)

_ENDINGS = text(
    """
    SELECT e.id, e.act, e.occurred_at, CAST(e.data ->> 'reply' AS bigint) AS reply_id,
      (SELECT CAST(o.data ->> 'agency' AS bigint) FROM appeal_event o
        WHERE o.appeal_id = e.appeal_id AND o.act IN ('opened', 'routed', 'followed') AND o.data ? 'agency' AND o.id < e.id
        ORDER BY o.id DESC LIMIT 1) AS agency_id
    FROM appeal_event e
    WHERE e.appeal_id = :appeal AND e.cycle = :cycle AND e.act = ANY (:acts)
      AND NOT EXISTS (SELECT FROM appeal_event x
        WHERE x.appeal_id = e.appeal_id AND x.act = 'reply_removed' AND x.data ? 'uncounted' AND x.data -> 'reply' = e.data -> 'reply')
      AND NOT (e.act = 'merged' AND EXISTS (SELECT FROM appeal_event x WHERE x.appeal_id = e.appeal_id AND x.act = 'unmerged'
        AND x.id > e.id))
    ORDER BY e.id
    """
)
_REMOVE = text("UPDATE reply SET state = 'removed' WHERE id = :id AND state = 'sent' RETURNING id")
_LEFT = text(
    "UPDATE amendment SET state = 'withdrawn' WHERE reply_id = :id AND state IN ('awaiting', 'queued', 'failed', 'uncertain', 'held')"
)
_UPDATE = text(
    "UPDATE appeal SET status = :status, version = version + 1, touched_at = :now, due_at = :due, answered_at = :answered WHERE id = :id"
)
# A pause that the answer had ended without a word in the history.
_ENDED_BY = text(
    """
    SELECT p.until FROM sla_pause p WHERE p.appeal_id = :appeal AND p.until = :at AND NOT EXISTS (
      SELECT FROM appeal_event e WHERE e.appeal_id = p.appeal_id AND e.act = 'resumed' AND e.occurred_at = p.until)
    """
)

# An answer heard of late was published before a pause that had moved the deadline already.
_FELT = text("SELECT occurred_at FROM appeal_event WHERE appeal_id = :appeal AND act IN ('resumed', 'merged') AND id < :stop")


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Whose act it was (nobody's of ours: seen on the platform), and what the history says of it besides the reply."""

    operator_id: int | None
    data: Mapping[str, object]


async def record_edited(session: WriteSession, *, appeal_id: int, reply_id: int, amendment_id: int, told: Told, now: datetime) -> None:
    """The words of an amendment that is done stand there. The first answer's time stays what it was."""
    appeal = await lock_appeal(session, appeal_id)
    await session.execute(text("SELECT otklik_put_words(:id)"), {"id": amendment_id})
    await session.execute(text("UPDATE appeal SET version = version + 1, touched_at = :now WHERE id = :id"), {"id": appeal_id, "now": now})
    await _say(session, appeal, Act.REPLY_EDITED, told.operator_id, now, {"reply": reply_id, **told.data})


async def record_attached(session: WriteSession, *, appeal_id: int, reply_id: int, told: Told, now: datetime) -> None:
    """Its pictures stand there too."""
    appeal = await lock_appeal(session, appeal_id)
    await session.execute(text("UPDATE appeal SET version = version + 1, touched_at = :now WHERE id = :id"), {"id": appeal_id, "now": now})
    await _say(session, appeal, Act.PICTURES_SENT, told.operator_id, now, {"reply": reply_id, **told.data})


async def record_removed(session: WriteSession, *, appeal_id: int, reply_id: int, told: Told, now: datetime) -> bool:
    """It stands no more. False when that was known."""
    appeal = await lock_appeal(session, appeal_id)
    if (await session.execute(_REMOVE, {"id": reply_id})).scalar_one_or_none() is None:
        return False
    await session.execute(_LEFT, {"id": reply_id})  # nothing is left that they could be done to
    keys = {"appeal": appeal_id, "cycle": appeal.cycle, "acts": [act.value for act in CAUSES]}
    endings = (await session.execute(_ENDINGS, keys)).all()
    mine = [one for one in endings if one.reply_id == reply_id]
    others = [one for one in endings if one.reply_id != reply_id]
    data: dict[str, object] = {"reply": reply_id, **told.data}
    before = Status(appeal.status)
    status = before
    if mine:
        data |= {"uncounted": True, "clocks": await _undo(session, appeal, mine[0].id, endings, others, now)}
        stands = [one for one in others if Act(one.act) in _FINAL]
        status = before if stands else after(Act.UNANSWERED, before) if before is Status.ANSWERED else before
    await _say(session, appeal, Act.REPLY_REMOVED, told.operator_id, now, data)
    if status is not before:
        await _say(session, appeal, Act.UNANSWERED, told.operator_id, now, {"reply": reply_id})
    if mine and status in WAITING:
        for row in await session.execute(_ENDED_BY, {"appeal": appeal_id, "at": mine[0].occurred_at}):
            await _say(session, appeal, Act.RESUMED, None, row.until, {"reply": reply_id})
    await _update(session, appeal, status, [one.occurred_at for one in others if Act(one.act) in _FINAL], now, changed=bool(mine))
    return True


async def _update(
    session: WriteSession,
    appeal: Any,  # noqa: ANN401 - a typed row
    status: Status,
    answers: Iterable[datetime],
    now: datetime,
    *,
    changed: bool,
) -> None:
    due = (await sla.running_due(session, [appeal.id]))[appeal.id] if status in WAITING else None
    if changed:
        values = {"id": appeal.id, "status": status.value, "now": now, "due": due, "answered": min(answers, default=None)}
        await session.execute(_UPDATE, values)
    else:
        await session.execute(
            text("UPDATE appeal SET version = version + 1, touched_at = :now WHERE id = :id"), {"id": appeal.id, "now": now}
        )


async def _undo(
    session: WriteSession,
    appeal: Any,  # noqa: ANN401 - a typed row
    mine: int,
    endings: Sequence[Any],
    others: Sequence[Any],
    now: datetime,
) -> dict[str, dict[str, object]]:
    """Clocks that this answer had stopped run on, or stop at what came next; how they stood before."""
    stopped = [promise for promise in ANSWER_PROMISES if (first := _first(endings, promise)) is not None and first.id == mine]
    next_stops = {promise: _first(others, promise) for promise in stopped}
    if any(stop is None for stop in next_stops.values()):  # nobody waits for the citizen when there is nothing to react to
        ended = await end_pauses(session, [(appeal.id, now)])
        for one in ended:
            await _say(session, appeal, Act.RESUMED, None, one.until, {})
    felt = frozenset((await session.scalars(_FELT, {"appeal": appeal.id, "stop": mine})).all())
    before = await undo_stops(session, appeal_id=appeal.id, cycle=appeal.cycle, promises=stopped, felt=felt, now=now)
    stops = [
        sla.Stop(
            appeal_id=appeal.id, cycle=appeal.cycle, promises=[promise], at=stop.occurred_at, cause=CAUSES[Act(stop.act)],
            agency_id=stop.agency_id or appeal.agency_id,
        )
        for promise, stop in next_stops.items()
        if stop is not None
    ]  # fmt: skip
    await sla.stop_timers(session, stops)
    return before


def _first(endings: Iterable[Any], promise: Promise) -> Any | None:  # noqa: ANN401 - a typed row
    """What ended this promise: an interim answer does not end the final one."""
    return next((one for one in endings if promise is not Promise.FINAL_ANSWER or Act(one.act) is not Act.INTERIM_SENT), None)


async def _say(session: WriteSession, appeal: Any, act: Act, operator_id: int | None, at: datetime, data: Mapping[str, object]) -> None:  # noqa: ANN401 - a typed row
    event = history.Event(appeal_id=appeal.id, act=act, cycle=appeal.cycle, operator_id=operator_id, occurred_at=at, data=data)
    await history.record(session, [event])
