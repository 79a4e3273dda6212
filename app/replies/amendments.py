"""The outbox of what is done to answers that stand: requested, claimed under a lease, done with no transaction open, settled.

One amendment of an answer at a time. Doing one twice changes nothing, so what may have been done is simply done again; what
stays unknown goes to a person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.kernel.errors import ConflictError
from app.kernel.jobs import OUTBOUND_SEND, enqueue
from app.replies.amending import DECISIONS, AmendmentState, Change
from app.replies.limits import hold_back
from app.replies.rules import Exceeded, Limits, pause_before
from app.replies.stops import FREE, STANDING
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from app.kernel.db import ReadSession, WriteSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """An amendment that this worker is doing, and where the answer stands; `interrupted`: whoever did it died meanwhile."""

    id: int
    reply_id: int
    appeal_id: int
    operator_id: int
    approved_by: int | None
    change: Change
    text: str
    attempts: int
    first_tried_at: datetime | None
    limit_waived: bool
    page_id: int
    platform: str
    page_external_id: str
    page_options: dict[str, str]
    post_external_id: str
    thread_ref: str | None
    external_id: str
    root_external_id: str
    published_at: datetime
    leased_by: str
    interrupted: bool
    exceeds: Exceeded | None = None


_REQUEST = text(
    """
    INSERT INTO amendment (reply_id, operator_id, approved_by, change, text, reason, state, created_at, due_at)
    VALUES (:reply, :operator, :approved_by, :change, :words, :reason, :state, :now, :now) RETURNING id
    """
)

_LEFT = text("UPDATE amendment SET state = 'withdrawn' WHERE reply_id = :reply AND state = 'failed'")


async def request(
    session: WriteSession, *, reply_id: int, operator_id: int, change: Change, words: str, reason: str, awaits: bool, now: datetime
) -> int:
    """Put it into the outbox and wake the worker, or (`awaits`) before whoever approves it; the amendment's id.

    One that failed before is left. ConflictError when another is under way, or the answer does not stand any more.
    """
    state = AmendmentState.AWAITING if awaits else AmendmentState.QUEUED
    await session.execute(_LEFT, {"reply": reply_id})
    try:
        async with session.begin_nested():
            row = await session.execute(
                _REQUEST,
                {
                    "reply": reply_id, "operator": operator_id, "approved_by": None if awaits else operator_id, "change": change.value,
                    "words": words, "reason": reason, "state": state.value, "now": now,
                },
            )  # fmt: skip
    except IntegrityError as error:
        raise ConflictError("amendment.open", "Another change of this answer is under way, or it stands no more: reload.") from error
    amendment_id = int(row.scalar_one())
    if not awaits:
        await enqueue(session, OUTBOUND_SEND, {"amendment": amendment_id})
    return amendment_id


_DECIDED = text(
    """
    UPDATE amendment SET state = :state, due_at = :now, approved_by = coalesce(CAST(:operator AS bigint), approved_by),
      limit_waived = limit_waived OR state = 'held'
    WHERE id = :id AND state = ANY (:before) RETURNING id
    """
)


async def _decide(
    session: WriteSession, amendment_id: int, state: AmendmentState, before: Sequence[AmendmentState], now: datetime, operator: int | None
) -> None:
    row = await session.execute(
        _DECIDED, {"id": amendment_id, "state": state.value, "now": now, "operator": operator, "before": [one.value for one in before]}
    )
    if row.scalar_one_or_none() is None:
        raise ConflictError("reply.state", "The answer has moved on meanwhile: reload the appeal.")
    if state is AmendmentState.QUEUED:
        await enqueue(session, OUTBOUND_SEND, {"amendment": amendment_id})


async def approve(session: WriteSession, *, amendment_id: int, operator_id: int, now: datetime) -> None:
    """Let it be done. ConflictError unless it awaits that."""
    await _decide(session, amendment_id, AmendmentState.QUEUED, [AmendmentState.AWAITING], now, operator_id)


async def give_back(session: WriteSession, *, amendment_id: int, now: datetime) -> None:
    """It is not done. ConflictError unless it awaits approval."""
    await _decide(session, amendment_id, AmendmentState.RETURNED, [AmendmentState.AWAITING], now, None)


async def again(session: WriteSession, *, amendment_id: int, operator_id: int, now: datetime) -> None:
    """A person lets it be tried once more. ConflictError unless it failed, was held back or nobody knows."""
    await _decide(session, amendment_id, AmendmentState.QUEUED, sorted(DECISIONS["again"]), now, operator_id)


async def withdraw(session: WriteSession, *, amendment_id: int, now: datetime) -> None:
    """Leave the answer as it stands. ConflictError while it is being done, or was."""
    await _decide(session, amendment_id, AmendmentState.WITHDRAWN, sorted(DECISIONS["withdraw"]), now, None)


# --- the worker -----------------------------------------------------------------------------------------------------

_WHERE_TO = """
SELECT m.id, m.reply_id, m.appeal_id, m.operator_id, m.approved_by, m.change, m.text, m.attempts, m.first_tried_at, m.limit_waived,
  m.page_id, g.platform, g.external_id AS page_external_id, g.options AS page_options, p.external_id AS post_external_id, p.thread_ref,
  o.external_id, c.root_external_id, o.published_at, m.leased_by
FROM taken m JOIN reply o ON o.id = m.reply_id JOIN comment c ON c.id = o.comment_id JOIN post p ON p.id = c.post_id
JOIN page g ON g.id = c.page_id
"""

_CLAIM = text(
    f"""
    WITH RECURSIVE {STANDING},
    due AS (
      SELECT r.id FROM amendment r JOIN reply o ON o.id = r.reply_id JOIN page g ON g.id = r.page_id
      WHERE r.state = 'queued' AND r.due_at <= :now AND o.state = 'sent' AND g.platform = ANY (:platforms) AND {FREE}
      ORDER BY r.due_at LIMIT :most FOR UPDATE OF r SKIP LOCKED),
    taken AS (
      UPDATE amendment r SET state = 'sending', attempts = attempts + 1, first_tried_at = coalesce(first_tried_at, :now),
        leased_by = CAST(:worker AS text) || '#' || gen_random_uuid(), leased_until = :until
      FROM due WHERE r.id = due.id RETURNING r.*)
    {_WHERE_TO}
    """  # noqa: S608 - constants
)
_CLAIM_INTERRUPTED = text(
    f"""
    WITH due AS (
      SELECT r.id FROM amendment r JOIN page g ON g.id = r.page_id
      WHERE r.state = 'sending' AND r.leased_until < :now AND g.platform = ANY (:platforms)
      ORDER BY r.leased_until LIMIT :most FOR UPDATE OF r SKIP LOCKED),
    taken AS (
      UPDATE amendment r SET leased_by = CAST(:worker AS text) || '#' || gen_random_uuid(), leased_until = :until
      FROM due WHERE r.id = due.id RETURNING r.*)
    {_WHERE_TO}
    """  # noqa: S608 - constants
)


async def claim(
    session: WriteSession,
    *,
    worker: str,
    platforms: Sequence[str],
    now: datetime,
    lease: timedelta,
    most: int,
    interrupted: bool,
    limits: Limits,
    time_scale: float,
) -> list[Claimed]:
    """Take what is due (queued → sending), or what was interrupted. What publishing is stopped for stays; past a limit: untried."""
    rows = await session.execute(
        _CLAIM_INTERRUPTED if interrupted else _CLAIM,
        {"worker": worker, "platforms": list(platforms), "now": now, "until": now + lease, "most": most},
    )
    taken = [Claimed(**{**row._mapping, "change": Change(row.change)}, interrupted=interrupted) for row in rows]  # noqa: SLF001 - documented
    first = [] if interrupted else [(one.id, one.operator_id, one.page_id) for one in taken if one.attempts == 1 and not one.limit_waived]
    over = await hold_back(session, first, limits, of="amendment", now=now, time_scale=time_scale)
    return [replace(one, exceeds=over[one.id], first_tried_at=None, attempts=0) if one.id in over else one for one in taken]


_MAY_GO = text(
    f"""
    WITH RECURSIVE {STANDING}
    SELECT {FREE} AS free FROM amendment r JOIN page g ON g.id = r.page_id
    WHERE r.id = :id AND r.state = 'sending' AND r.leased_by = :lease
    """  # noqa: S608 - constants
)


async def may_go(session: ReadSession, *, claimed: Claimed) -> bool | None:
    """Right before it is done: False when publishing was stopped meanwhile, None when the claim is no longer ours."""
    free: bool | None = await session.scalar(_MAY_GO, {"id": claimed.id, "lease": claimed.leased_by})
    return free


_SETTLE = text(
    """
    UPDATE amendment SET state = CAST(:state AS varchar), error_code = :code, error_detail = left(:detail, 500),
      due_at = coalesce(:due, due_at), attempts = attempts - CASE WHEN CAST(:untried AS boolean) AND attempts > 0 THEN 1 ELSE 0 END,
      first_tried_at = CASE WHEN CAST(:untried AS boolean) AND attempts <= 1 THEN NULL ELSE first_tried_at END,
      done_at = CASE WHEN CAST(:state AS varchar) = 'done' THEN CAST(:now AS timestamptz) END, leased_by = NULL, leased_until = NULL
    WHERE id = :id AND state = 'sending' AND leased_by = :lease RETURNING id
    """
)


async def settle(
    session: WriteSession,
    *,
    claimed: Claimed,
    state: AmendmentState,
    code: str | None = None,
    detail: str | None = None,
    due_at: datetime | None = None,
    untried: bool = False,
    now: datetime,
) -> bool:
    """End a claim; False when it is no longer ours. `untried`: it goes back as if nobody had taken it."""
    told = {"code": None if code is None else storable(code)[0], "detail": None if detail is None else storable(detail)[0]}
    row = await session.execute(
        _SETTLE,
        {"id": claimed.id, "lease": claimed.leased_by, "state": state.value, "due": due_at, "untried": untried, "now": now, **told},
    )
    return row.scalar_one_or_none() is not None


async def put_back(
    session: WriteSession, *, claimed: Claimed, after: timedelta | None, code: str, detail: str, now: datetime, time_scale: float
) -> bool:
    """Queue again: after the pause that the platform named (already scaled), else after a growing one of our own."""
    pause = after if after is not None else pause_before(claimed.attempts) / time_scale
    return await settle(session, claimed=claimed, state=AmendmentState.QUEUED, code=code, detail=detail, due_at=now + pause, now=now)
