"""What a person says of an answer that the outbox could not bring home: one transaction, with its event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals import answers
from app.appeals.access import require_reach
from app.appeals.merging import handed_in_with, told
from app.appeals.rules import Act
from app.appeals.service import advance, hold, record_act
from app.audit import service as audit
from app.kernel.errors import InvalidError, NotFoundError
from app.people.rules import Permission
from app.replies import service as replies
from app.replies.rules import ReplyState
from app.replies.seeking import seek

if TYPE_CHECKING:
    from datetime import datetime

    from app.appeals.service import Held
    from app.kernel.db import WriteSession
    from app.people.rules import Access


async def decide_reply(
    session: WriteSession, access: Access, *, reply_id: int, decision: str, published_at: datetime | None = None, now: datetime
) -> int:
    """What a person says of an answer that failed or whose outcome is unknown; the appeal's number.

    `decision`: "resend"; "withdraw"; "posted" (somebody answered by hand: the platform is looked at again); or "found" (it stands
    there, since `published_at`; when that is not said, since we tried, or as far as anybody knows since now). What lies before our
    try or after now is taken for the nearer of the two.
    """
    row = (
        await session.execute(
            text(
                "SELECT a.number, r.state, r.attempts, r.first_tried_at FROM reply r JOIN appeal a ON a.id = r.appeal_id WHERE r.id = :id"
            ),
            {"id": reply_id},
        )
    ).one_or_none()
    if row is None:
        raise NotFoundError("reply.unknown", "There is no such answer that you may see.")
    held = await hold(session, access, number=row.number, permission=Permission.APPEAL_WORK)
    if decision == "resend":
        _may_send(access, held, row.state)
        await replies.resend(session, reply_id=reply_id, operator_id=access.operator_id, now=now)
        await advance(session, held, Act.REPLY_QUEUED, now)
        await record_act(session, held, access, Act.REPLY_QUEUED, now, {"reply": reply_id, "again": True})
    elif decision == "withdraw":
        also = await handed_in_with(session, access, Permission.APPEAL_WORK, reply_id=reply_id)
        for one in (reply_id, *also):
            await replies.withdraw(session, reply_id=one, now=now)
        await advance(session, held, Act.REPLY_WITHDRAWN, now)
        await record_act(session, held, access, Act.REPLY_WITHDRAWN, now, told(reply_id, also))
    elif decision == "posted":
        await seek(session, reply_id=reply_id, now=now)
        await advance(session, held, Act.REPLY_SOUGHT, now)
        await record_act(session, held, access, Act.REPLY_SOUGHT, now, {"reply": reply_id})
    elif decision == "found":
        await _found(session, access, held, row, reply_id=reply_id, published_at=published_at, now=now)
    else:
        raise InvalidError("reply.decision", "Say resend, withdraw, posted or found.", field="decision")
    return held.number


async def _found(
    session: WriteSession,
    access: Access,
    held: Held,
    row: Any,  # noqa: ANN401 - a typed row
    *,
    reply_id: int,
    published_at: datetime | None,
    now: datetime,
) -> None:
    """It stands on the platform."""
    tried_at = row.first_tried_at or now
    stands_since = min(max(published_at or (tried_at if row.attempts == 1 else now), tried_at), now)
    await replies.confirm(session, reply_id=reply_id, published_at=stands_since)
    await answers.record_answer(
        session, appeal_id=held.id, act=Act.REPLY_SENT, reply_id=reply_id, published_at=stands_since, operator_id=access.operator_id,
        now=now,
    )  # fmt: skip
    await audit.record(session, operator_id=access.operator_id, act="reply.found", subject="reply", subject_id=reply_id)


def _may_send(access: Access, held: Held, state: str) -> None:
    """Whoever ran into a limit must not let themselves go on: a coordinator does."""
    if state == ReplyState.HELD:
        require_reach(access, Permission.PUBLISHING_STOP, agency_id=held.agency_id, territory_id=held.territory_id)
