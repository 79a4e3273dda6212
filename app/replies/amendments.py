"""The outbox of what is done to answers that stand: requested, claimed under a lease, done with no transaction open, settled.

One amendment of an answer at a time. Doing one twice changes nothing, so what may have been done is simply done again; what
stays unknown goes to a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.kernel.errors import ConflictError
from app.kernel.jobs import OUTBOUND_SEND, enqueue
from app.replies.amending import DECISIONS, AmendmentState, Change
from app.replies.outbox import Claim, Outbox

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import WriteSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed(Claim):
    """An amendment that this worker is doing, and where the answer stands."""

    reply_id: int
    approved_by: int | None
    change: Change
    external_id: str
    published_at: datetime
    parts: list[str]


OUTBOX = Outbox(
    "amendment",
    lambda **row: Claimed(**{**row, "change": Change(row["change"])}),
    joins="JOIN reply o ON o.id = r.reply_id JOIN comment c ON c.id = o.comment_id",
    columns="r.reply_id, r.approved_by, r.change, o.external_id, o.published_at, o.parts",
    ends=("done_at",),
    turn="o.state = 'sent'",
)


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


async def attach(session: WriteSession, *, reply_id: int, operator_id: int, now: datetime) -> None:
    """Have the pictures of an answer follow it: it was let go with them, so nobody is asked again, and no limit counts them twice."""
    await session.execute(_ATTACH, {"reply": reply_id, "operator": operator_id, "now": now})
    await enqueue(session, OUTBOUND_SEND, {"reply": reply_id})


_ATTACH = text(
    """
    INSERT INTO amendment (reply_id, operator_id, approved_by, limit_waived, change, text, reason, state, created_at, due_at)
    VALUES (:reply, :operator, :operator, true, 'attach', '', '', 'queued', :now, :now)
    """
)

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
