"""What people do with the clock of an appeal: let it stand still, let it go on, put a deadline off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.appeals.rules import Act, after
from app.appeals.service import advance, hold, record_act
from app.kernel.errors import ConflictError, InvalidError
from app.people.rules import Permission
from app.sla import service as sla
from app.sla.pauses import REASON_LIMIT, begin_pause, end_pauses, extend as extend_timer
from app.sla.policy import Term
from app.sla.rules import PauseReason, Promise
from app.sources.rules import storable

if TYPE_CHECKING:
    from datetime import datetime

    from app.appeals.service import Held
    from app.kernel.db import WriteSession
    from app.people.rules import Access

_DAY = "days"
_UNITS = {"hours": 3600, _DAY: 1}
_MOST = {"hours": 24 * 366, _DAY: 366}


async def pause(
    session: WriteSession, access: Access, *, number: int, reason: PauseReason, seen_version: int | None, now: datetime
) -> None:
    """The clock stands still: nothing can be done until the citizen writes, the platform works again, or so.

    ConflictError when it stands still already, or nothing runs.
    """
    held = await hold(session, access, number=number, permission=Permission.APPEAL_WORK, seen_version=seen_version)
    after(Act.PAUSED, held.status)
    await begin_pause(session, appeal_id=held.id, reason=reason, at=now, operator_id=access.operator_id)
    await advance(session, held, Act.PAUSED, now, due_at=await _due(session, held))
    await record_act(session, held, access, Act.PAUSED, now, {"reason": reason.value})


async def resume(session: WriteSession, access: Access, *, number: int, seen_version: int | None, now: datetime) -> None:
    """The clock goes on; its deadlines fall due later by as much as it stood. ConflictError when it does not stand."""
    held = await hold(session, access, number=number, permission=Permission.APPEAL_WORK, seen_version=seen_version)
    after(Act.RESUMED, held.status)
    if not await end_pauses(session, [(held.id, now)]):
        raise ConflictError("sla.runs", "The clock goes on already: reload the appeal.")
    await advance(session, held, Act.RESUMED, now, due_at=await _due(session, held))
    await record_act(session, held, access, Act.RESUMED, now)


async def extend(
    session: WriteSession,
    access: Access,
    *,
    number: int,
    promise: Promise,
    amount: int,
    unit: str,
    reason: str,
    seen_version: int | None,
    now: datetime,
) -> None:
    """A coordinator puts a deadline off by `amount` "hours" or "days" of its own time, and says why; the one before is kept."""
    held = await hold(session, access, number=number, permission=Permission.APPEAL_EXTEND, seen_version=seen_version)
    after(Act.EXTENDED, held.status)
    words = storable(reason)[0].strip()
    if not words:
        raise InvalidError("sla.reason", "Say why the deadline is put off.", field="text")
    if len(words) > REASON_LIMIT:
        raise InvalidError(
            "text.long", f"The text has {len(words)} characters; at most {REASON_LIMIT} are taken.", field="text", length=len(words),
            limit=REASON_LIMIT,
        )  # fmt: skip
    if unit not in _UNITS or not 1 <= amount <= _MOST[unit]:
        raise InvalidError("sla.amount", "Say by how many hours or days: a whole number from 1 on, up to a year.", field="amount")
    by = Term(days=amount) if unit == _DAY else Term(seconds=amount * _UNITS[unit])
    done = await extend_timer(
        session, appeal_id=held.id, cycle=held.cycle, promise=promise, by=by, reason=words, operator_id=access.operator_id, now=now
    )
    await advance(session, held, Act.EXTENDED, now, due_at=await _due(session, held))
    data = {"timer": done.timer_id, "promise": promise.value, "due_before": done.due_before, "due_after": done.due_after}
    await record_act(session, held, access, Act.EXTENDED, now, data)


async def _due(session: WriteSession, held: Held) -> datetime | None:
    return (await sla.running_due(session, [held.id]))[held.id]
