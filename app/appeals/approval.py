"""An answer that waits for another person: who approves it, or returns it with a word why, stands in the history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.merging import handed_in_with, told
from app.appeals.rules import Act
from app.appeals.service import advance, hold, note, record_act
from app.kernel.errors import ForbiddenError, NotFoundError
from app.people.rules import Permission
from app.replies import service as replies

if TYPE_CHECKING:
    from datetime import datetime

    from app.appeals.service import Held
    from app.kernel.db import WriteSession
    from app.people.rules import Access


async def approve(session: WriteSession, access: Access, *, reply_id: int, seen_version: int | None, now: datetime) -> int:
    """Let an answer go out that somebody else wrote, with the same one to the authors of merged appeals; the appeal's number.

    NotFoundError out of sight, ForbiddenError for one's own, ConflictError when the appeal or the answer has moved on since.
    """
    held, _ = await _hold(session, access, reply_id, seen_version)
    also = await handed_in_with(session, access, Permission.ANSWER_APPROVE, reply_id=reply_id)
    for one in (reply_id, *also):
        await replies.approve(session, reply_id=one, operator_id=access.operator_id, now=now)
    await advance(session, held, Act.REPLY_APPROVED, now)
    await record_act(session, held, access, Act.REPLY_APPROVED, now, told(reply_id, also))
    return held.number


async def give_back(session: WriteSession, access: Access, *, reply_id: int, words: str, seen_version: int | None, now: datetime) -> int:
    """Not like this: the answer does not go out, and `words` - a note for colleagues - say why; the appeal's number.

    InvalidError without a word; else as `approve`.
    """
    held, number = await _hold(session, access, reply_id, seen_version)
    also = await handed_in_with(session, access, Permission.ANSWER_APPROVE, reply_id=reply_id)
    for one in (reply_id, *also):
        await replies.give_back(session, reply_id=one, now=now)
    await advance(session, held, Act.REPLY_RETURNED, now)
    await record_act(session, held, access, Act.REPLY_RETURNED, now, told(reply_id, also))
    await note(session, access, number=number, words=words, now=now)
    return number


async def _hold(session: WriteSession, access: Access, reply_id: int, seen_version: int | None) -> tuple[Held, int]:
    row: Any = (
        await session.execute(
            text("SELECT a.number, r.operator_id FROM reply r JOIN appeal a ON a.id = r.appeal_id WHERE r.id = :id"), {"id": reply_id}
        )
    ).one_or_none()
    if row is None:
        raise NotFoundError("reply.unknown", "There is no such answer that you may see.")
    held = await hold(session, access, number=row.number, permission=Permission.ANSWER_APPROVE, seen_version=seen_version)
    if row.operator_id == access.operator_id:
        raise ForbiddenError("reply.own", "Nobody approves their own answer: ask a colleague.")
    return held, held.number
