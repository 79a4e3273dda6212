"""Applying today's norms to appeals that wait: a logged act, appeal by appeal; what is answered already stays as it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals import history
from app.appeals.reopening import load_promises
from app.appeals.rules import Act
from app.kernel.db import Bulk
from app.notices import service as notices
from app.sla import service as sla
from app.sla.replace import Replacement, kept, replace_timers, replacement
from app.sla.rules import Promise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.appeals.reopening import Promises
    from app.kernel.clock import Clock
    from app.kernel.db import Database, WriteSession
    from app.sla.policy import Matter
    from app.sla.replace import Kept, Running

AT_ONCE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Applied:
    """How many appeals were looked at, and how many of their clocks go on by another norm. `last_id`: where to go on."""

    looked: int
    changed: int
    last_id: int | None


_OPEN = text(
    """
    SELECT a.id, a.cycle, a.agency_id, a.topic_id, a.territory_id, a.platform, a.priority FROM appeal a
    WHERE a.id > :after AND a.status IN ('new', 'in_work')
      AND (CAST(:territories AS bigint[]) IS NULL OR a.territory_id = ANY (CAST(:territories AS bigint[])))
    ORDER BY a.id LIMIT :most FOR UPDATE
    """
)
_TOUCH = Bulk(
    "UPDATE appeal a SET version = a.version + 1, touched_at = r.at, due_at = r.due_at FROM {rows} WHERE a.id = r.id",
    id="bigint", at="timestamptz", due_at="timestamptz",
)  # fmt: skip


async def apply_everywhere(database: Database, clock: Clock, *, operator_id: int | None, territories: Sequence[int] | None) -> Applied:
    """All waiting appeals of these territories (None: everywhere), some hundred a transaction. Interrupted, it may be run again."""
    looked = changed = 0
    after: int | None = 0
    while after is not None:
        now = clock.now()
        async with database.write() as session:
            promises = await load_promises(session, now=now)
            done = await apply_norms(session, promises, operator_id=operator_id, territories=territories, after=after, now=now)
        looked, changed, after = looked + done.looked, changed + done.changed, done.last_id
    return Applied(looked=looked, changed=changed, last_id=None)


async def apply_norms(
    session: WriteSession,
    promises: Promises,
    *,
    operator_id: int | None,
    territories: Sequence[int] | None,
    after: int,
    now: datetime,
    most: int = AT_ONCE,
) -> Applied:
    """The next waiting appeals: each clock that another norm would set today goes on by that one, with an event of its own."""
    found = {
        row.id: row
        for row in await session.execute(
            _OPEN, {"after": after, "most": most, "territories": None if territories is None else list(territories)}
        )
    }
    so_far = await kept(session, list(found))
    changes = changes_of(found, promises, so_far, now)
    await replace_timers(session, changes, now=now)
    concerned = sorted({one.timer.appeal_id for one in changes})
    due = await sla.running_due(session, concerned)
    await _TOUCH.run(session, [(appeal_id, now, due[appeal_id]) for appeal_id in concerned])
    await history.record(session, [_event(one, operator_id, now) for one in changes])
    await _withdraw_breaches(session, [one for one in changes if one.lies_ahead(now)], operator_id, now)
    return Applied(looked=len(found), changed=len(changes), last_id=max(found) if len(found) == most else None)


def changes_of(appeals: Mapping[int, Any], promises: Promises, so_far: Kept, now: datetime) -> list[Replacement]:
    """The clocks that today's norms would set otherwise, each from the moment at which it began."""
    book = promises.book
    by_promise: dict[tuple[Promise, bool], list[tuple[Matter, Running]]] = {}
    for appeal_id, appeal in appeals.items():
        for timer in so_far.running.get(appeal_id, ()):
            after_interim = timer.promise is Promise.FINAL_ANSWER and bool(timer.term.get("after"))
            by_promise.setdefault((timer.promise, after_interim), []).append((promises.matter(appeal), timer))
    changes = []
    for (promise, after_interim), asked in by_promise.items():
        if after_interim:
            planned = [book.plan_final(matter, timer.started_at, in_force_at=now) for matter, timer in asked]
        else:
            found = book.plan_all([(matter, timer.started_at) for matter, timer in asked], promises=(promise,), in_force_at=now)
            planned = [one[0] if one else None for one in found]
        changes += [replacement(timer, plan, so_far, book) for (_, timer), plan in zip(asked, planned, strict=True)]
    return sorted((one for one in changes if one is not None), key=lambda one: one.timer.id)


async def _withdraw_breaches(session: WriteSession, ahead: Sequence[Replacement], operator_id: int | None, now: datetime) -> None:
    """What was told of deadlines that lie ahead again stands no more; that one was missed stays in the history."""
    passed = [(one.timer.appeal_id, one.timer.id, any(moment <= now for moment in one.warnings)) for one in ahead]
    await notices.withdraw(session, passed, now=now)
    await history.record(
        session,
        [
            history.Event(
                appeal_id=one.timer.appeal_id, act=Act.SLA_BREACH_WITHDRAWN, cycle=one.timer.cycle, operator_id=operator_id,
                occurred_at=now, data={"timer": one.timer.id, "promise": one.timer.promise.value, "breached_at": one.timer.breached_at},
            )
            for one in ahead
            if one.timer.breached_at is not None
        ],
    )  # fmt: skip


def _event(change: Replacement, operator_id: int | None, now: datetime) -> history.Event:
    timer = change.timer
    return history.Event(
        appeal_id=timer.appeal_id,
        act=Act.POLICY_APPLIED,
        cycle=timer.cycle,
        operator_id=operator_id,
        occurred_at=now,
        data={
            "timer": timer.id,
            "promise": timer.promise.value,
            "from": timer.policy_version_id,
            "policy": change.planned.policy_version_id,
            "calendar": change.planned.calendar_version_id,
            "calendar_before": timer.calendar_version_id,
            "due_before": timer.due_at,
            "due_after": change.due_at,
        },
    )
