"""What the program itself writes into an appeal's history: the clock, the platform, the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals import history
from app.appeals.removal import Told, record_removed
from app.appeals.rules import Act
from app.kernel.db import Bulk
from app.sla import service as sla
from app.sla.pauses import end_pauses
from app.sla.rules import PauseReason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession
    from app.sources.store import Change


async def record_deadline_events(session: WriteSession, rows: Sequence[tuple[int, int, Act, datetime, Mapping[str, object]]]) -> None:
    """(appeal, cycle, SLA_WARNED or SLA_BREACHED, when it happened, ids): what the clock did, in the history."""
    await history.record(
        session,
        [
            history.Event(appeal_id=appeal_id, act=act, cycle=cycle, operator_id=None, occurred_at=occurred_at, data=data)
            for appeal_id, cycle, act, occurred_at, data in rows
        ],
    )


_LOCK_CHANGED = text("SELECT id, cycle FROM appeal WHERE id = ANY (:ids) ORDER BY id FOR UPDATE")


async def record_comment_changes(session: WriteSession, changes: Sequence[Change], *, now: datetime) -> None:
    """Edits and deletions of comments that belong to an appeal, as the platform told them."""
    concerned = {change.appeal_id for change in changes if change.appeal_id is not None}
    if not concerned:
        return
    cycles = {row.id: row.cycle for row in await session.execute(_LOCK_CHANGED, {"ids": sorted(concerned)})}
    events = [
        history.Event(
            appeal_id=change.appeal_id,
            act=Act.COMMENT_DELETED if change.revision is None else Act.COMMENT_EDITED,
            cycle=cycles[change.appeal_id],
            operator_id=None,
            occurred_at=change.at,
            data={"comment": change.comment_id} | ({} if change.revision is None else {"revision": change.revision}),
        )
        for change in changes
        if change.appeal_id is not None
    ]
    await session.execute(
        text("UPDATE appeal SET version = version + 1, touched_at = :now WHERE id = ANY (:ids)"), {"ids": sorted(concerned), "now": now}
    )
    await history.record(session, events)
    await _answers_gone(session, changes, now=now)


# An answer of the page that somebody deleted on the platform. One that we are deleting ourselves is settled by whoever does it.
_GONE = Bulk(
    """
    SELECT o.id, o.appeal_id, c.id AS comment_id, m.id AS amendment_id, m.operator_id FROM {rows}
    JOIN comment c ON c.id = r.comment_id AND c.by_page
    JOIN reply o ON o.appeal_id = c.appeal_id AND o.external_id = c.external_id AND o.page_id = c.page_id AND o.state = 'sent'
    LEFT JOIN amendment m ON m.reply_id = o.id AND m.change = 'delete' AND m.state = 'uncertain'
    WHERE NOT EXISTS (
      SELECT FROM amendment b WHERE b.reply_id = o.id AND b.change = 'delete' AND b.state IN ('queued', 'sending'))
    ORDER BY o.appeal_id, o.id
    """,
    comment_id="bigint",
)  # fmt: skip
_KNOWN_NOW = text("UPDATE amendment SET state = 'done', done_at = :now, error_code = NULL, error_detail = NULL WHERE id = :id")


async def _answers_gone(session: WriteSession, changes: Sequence[Change], *, now: datetime) -> None:
    for row in await _GONE.run(session, [(change.comment_id,) for change in changes if change.revision is None]):
        data = {"comment": row.comment_id}
        if row.amendment_id is not None:  # nobody knew whether we had deleted it
            data["amendment"] = row.amendment_id
            await session.execute(_KNOWN_NOW, {"id": row.amendment_id, "now": now})
        told = Told(operator_id=row.operator_id, data=data)
        await record_removed(session, appeal_id=row.appeal_id, reply_id=row.id, told=told, now=now)


async def record_reply_trouble(session: WriteSession, *, appeal_id: int, reply_id: int, act: Act, code: str, now: datetime) -> None:
    """An answer was refused or held back, or nobody can tell whether it stands: said in the history, for a person to decide."""
    await record_amendment_trouble(session, appeal_id=appeal_id, act=act, data={"reply": reply_id, "code": code}, now=now)


async def record_amendment_trouble(session: WriteSession, *, appeal_id: int, act: Act, data: Mapping[str, object], now: datetime) -> None:
    """The same of what was to be done to an answer that stands."""
    row = (await session.execute(_LOCK_CHANGED, {"ids": [appeal_id]})).one()
    await session.execute(text("UPDATE appeal SET version = version + 1, touched_at = :now WHERE id = :id"), {"id": appeal_id, "now": now})
    event = history.Event(appeal_id=appeal_id, act=act, cycle=row.cycle, operator_id=None, occurred_at=now, data=data)
    await history.record(session, [event])


async def posts_with_waiting(session: ReadSession, post_ids: Sequence[int]) -> frozenset[int]:
    """Those of some posts under which an appeal waits for an answer: for the worker, which sees all."""
    statement = text("SELECT DISTINCT post_id FROM appeal WHERE post_id = ANY (:posts) AND status IN ('new', 'in_work')")
    return frozenset((await session.scalars(statement, {"posts": list(post_ids)})).all())


_DUE = Bulk("UPDATE appeal a SET due_at = r.due_at FROM {rows} WHERE a.id = r.id", id="bigint", due_at="timestamptz")


async def stop_waiting(session: WriteSession, written: Sequence[tuple[int | None, datetime, int]], cycles: Mapping[int, int]) -> None:
    """(appeal, when the citizen wrote, their comment): clocks that stood still for that go on since then. Appeals are locked."""
    by_moment = {(appeal_id, at): comment_id for appeal_id, at, comment_id in written if appeal_id is not None}
    pauses = await end_pauses(session, list(by_moment), reason=PauseReason.WAITING_FOR_AUTHOR)
    if not pauses:
        return
    due = await sla.running_due(session, [pause.appeal_id for pause in pauses])
    await _DUE.run(session, list(due.items()))
    await history.record(
        session,
        [
            history.Event(
                appeal_id=pause.appeal_id,
                act=Act.RESUMED,
                cycle=cycles.get(pause.appeal_id, 1),
                operator_id=None,
                occurred_at=pause.until,
                data={"comment": by_moment[pause.appeal_id, pause.until]},
            )
            for pause in pauses
        ],
    )
