"""Two appeals of one matter: the younger is merged into the older, which answers for both; it can be taken back.

Both must wait for an answer, with one agency, in sight and within reach of whoever merges them: a merge is no door to what
somebody may not see, and no way to make a missed deadline vanish - the older clock, which runs out first, goes on.
Comments and answers stay with the appeal under which they were written; the older one shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.appeals.pictures import NO_PICTURES, Chosen, copied, put_to
from app.appeals.rules import MERGED_REASON, WAITING, Act
from app.appeals.service import advance, checked_words, hold, no_answer_under_way, record_act, stop_clocks
from app.kernel.errors import ConflictError, InvalidError
from app.people.rules import Permission
from app.replies import service as replies
from app.sla import service as sla
from app.sla.pauses import restart_timers
from app.sla.rules import StopCause

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.appeals.service import Held
    from app.kernel.db import ReadSession, WriteSession
    from app.people.rules import Access
    from app.replies.rules import AnswerKind


async def merge(session: WriteSession, access: Access, *, number: int, other: int, seen_version: int | None, now: datetime) -> int:
    """Merge two appeals; the number of the older one, which goes on.

    NotFoundError when either is out of sight, ForbiddenError out of reach, InvalidError or ConflictError when they cannot be one.
    """
    if number == other:
        raise InvalidError("merge.same", "Give the number of another appeal.", field="other")
    held = {}
    for one in sorted((number, other)):  # in one order, so that two people who merge the same pair do not wait for each other
        seen = seen_version if one == number else None
        held[one] = await hold(session, access, number=one, permission=Permission.APPEAL_WORK, seen_version=seen)
    older, younger = sorted(held.values(), key=lambda one: (one.written_at, one.id))
    await _may_be_one(session, older, younger)
    await advance(session, younger, Act.MERGED, now, closed_at=now, close_reason=MERGED_REASON, due_at=None, merged_into=older.id)
    await stop_clocks(session, younger, now, StopCause.MERGED)
    await record_act(session, younger, access, Act.MERGED, now, {"into": older.id, "number": older.number})
    await advance(session, older, Act.JOINED, now)
    await record_act(session, older, access, Act.JOINED, now, {"appeal": younger.id, "number": younger.number})
    return older.number


async def _may_be_one(session: WriteSession, older: Held, younger: Held) -> None:
    if older.agency_id != younger.agency_id:
        raise InvalidError("merge.agency", "The appeals are with two agencies: pass one of them on first.", field="other")
    if older.status not in WAITING or younger.status not in WAITING:
        raise ConflictError("merge.waits", "Only appeals that wait for an answer can be merged.")
    if await session.scalar(text("SELECT EXISTS (SELECT FROM appeal WHERE merged_into = :id)"), {"id": younger.id}):
        raise ConflictError("merge.joined", "Others were merged into the younger appeal: merge each of them with the older one instead.")
    await no_answer_under_way(session, younger)


_ANSWERED = text(
    "SELECT EXISTS (SELECT FROM reply WHERE appeal_id = :id AND cycle = :cycle AND state NOT IN ('returned', 'withdrawn', 'removed'))"
)
_NUMBER = text("SELECT number FROM appeal WHERE id = :id")


async def unmerge(session: WriteSession, access: Access, *, number: int, seen_version: int | None, now: datetime) -> None:
    """It is a matter of its own after all: its clocks go on as if they had never stopped, since the citizen's own time.

    ConflictError when it was not merged, or the citizen was answered meanwhile.
    """
    held = await hold(session, access, number=number, permission=Permission.APPEAL_WORK, seen_version=seen_version)
    if held.merged_into is None:
        raise ConflictError("merge.none", "This appeal was not merged with another one: reload it.")
    if await session.scalar(_ANSWERED, {"id": held.id, "cycle": held.cycle}):
        raise ConflictError("merge.answered", "Its citizen was answered together with the other one: the two stay one matter.")
    target = await hold(
        session, access, number=(await session.scalars(_NUMBER, {"id": held.merged_into})).one(), permission=Permission.APPEAL_WORK
    )
    await restart_timers(session, appeal_id=held.id, cycle=held.cycle, now=now)
    due = (await sla.running_due(session, [held.id]))[held.id]
    try:
        async with session.begin_nested():
            await advance(session, held, Act.UNMERGED, now, closed_at=None, close_reason=None, due_at=due, merged_into=None)
    except IntegrityError as error:
        raise ConflictError("appeal.newer", "The author's newer appeal in this thread is open: work on that one.") from error
    await record_act(session, held, access, Act.UNMERGED, now, {"from": target.id, "number": target.number})
    await advance(session, target, Act.PARTED, now)
    await record_act(session, target, access, Act.PARTED, now, {"appeal": held.id, "number": held.number})


# --- one answer for all -------------------------------------------------------------------------------------------

_ALSO = text(
    """
    SELECT a.id, a.cycle, a.agency_id, a.territory_id, a.platform, c.id AS comment_id, c.revision FROM appeal a
    JOIN LATERAL (
      SELECT c.id, c.revision FROM comment c WHERE c.appeal_id = a.id AND NOT c.by_page AND c.deleted_at IS NULL
      ORDER BY c.written_at DESC, c.id DESC LIMIT 1) c ON true
    WHERE a.merged_into = (SELECT id FROM appeal WHERE number = :number)
      AND NOT EXISTS (SELECT FROM reply r WHERE r.appeal_id = a.id AND r.cycle = a.cycle
        AND r.state NOT IN ('returned', 'withdrawn', 'removed') AND r.kind = :kind)
    ORDER BY a.id FOR UPDATE OF a
    """
)


async def answer_merged(
    session: WriteSession,
    access: Access,
    *,
    number: int,
    reply_id: int,
    words: str,
    kind: AnswerKind,
    text_limits: Mapping[str, int],
    pictures: Chosen = NO_PICTURES,
    now: datetime,
) -> list[int]:
    """The same answer under what the citizens of merged appeals wrote, each once; the replies' ids. The older one is answered (`reply_id`).

    What one sees and may not work on is left out.
    Where answers are approved first they wait for that with it (`handed_in_with`).
    """
    access.require(Permission.APPEAL_WORK)
    found = []
    for row in await session.execute(_ALSO, {"number": number, "kind": kind.value}):
        if not access.reaches(Permission.APPEAL_WORK, agency_id=row.agency_id, territory_id=row.territory_id):
            continue
        clean = checked_words(words, text_limits.get(row.platform, 4_000), "text")
        also = await replies.queue(
            session, appeal_id=row.id, comment_id=row.comment_id, comment_revision=row.revision, cycle=row.cycle,
            operator_id=access.operator_id, agency_id=row.agency_id, words=clean, kind=kind,
            awaits=await replies.needs_approval(session, agency_id=row.agency_id), now=now,
        )  # fmt: skip
        same = await copied(session, access, pictures, of_reply=reply_id, now=now)
        await put_to(session, access, same, reply_id=also, platform=row.platform)
        found.append(also)
    return found


# One transaction handed them in, by one person at one moment: that is how they are known to belong together.
HANDED_IN_WITH = """
SELECT s.id, m.agency_id, m.territory_id FROM appeal m JOIN reply s ON s.appeal_id = m.id
WHERE r.state = 'awaiting' AND m.merged_into = r.appeal_id
  AND s.state = 'awaiting' AND s.operator_id = r.operator_id AND s.created_at = r.created_at
"""
"""Of a reply `r`."""
_WITH = text(f"SELECT s.* FROM reply r, LATERAL ({HANDED_IN_WITH}) s WHERE r.id = :id ORDER BY s.id")  # noqa: S608 - a constant


async def handed_in_with(session: ReadSession, access: Access, permission: Permission, *, reply_id: int) -> list[int]:
    """The same answer to the authors of merged appeals that waits for approval together with this one, as far as within reach; ids.

    One out of the decider's reach goes on waiting, for somebody who may decide about its appeal.
    """
    found = await session.execute(_WITH, {"id": reply_id})
    return [row.id for row in found if access.reaches(permission, agency_id=row.agency_id, territory_id=row.territory_id)]


def told(reply_id: int, also: Sequence[int]) -> dict[str, object]:
    """What the history says of a decision about an answer and those that were handed in with it."""
    return {"reply": reply_id, "also": list(also)} if also else {"reply": reply_id}
