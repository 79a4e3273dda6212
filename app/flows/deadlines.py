"""Tells of warnings and breaches when their moment comes: once each, whatever dies and however many workers run.

A deadline is marked, its notice given and its event written in one transaction. After a standstill only what is true
now is told: the latest warning, or the breach.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from app.appeals.records import record_deadline_events
from app.appeals.rules import Act
from app.kernel.log import logger
from app.notices import service as notices
from app.notices.rules import Kind, timer_key, triage_key
from app.notices.service import Told
from app.sla import due

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.kernel.clock import Clock
    from app.kernel.db import Database, WriteSession
    from app.sla.due import Crossed

LOOK_SECONDS = 1.0
"""At the latest after so long the table is looked at again: for timers started or moved meanwhile."""
TIDY_SECONDS = 5.0
AT_ONCE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """What one look did, and the next moment that is known of."""

    warned: int
    breached: int
    triage_warned: int
    triage_breached: int
    next_at: datetime | None

    @property
    def anything(self) -> bool:
        """Whether there was something to do, so that there may be more."""
        return bool(self.warned or self.breached or self.triage_warned or self.triage_breached)


async def run_due(database: Database, clock: Clock, *, limit: int = AT_ONCE) -> Done:
    """Tell of what has come: at most `limit` of each kind, in one transaction."""
    now = clock.now()
    async with database.write() as session:
        breached = await due.take_breached(session, now=now, limit=limit)
        warned = await due.take_warned(session, now=now, limit=limit)
        waiting = await due.take_waiting(session, now=now, limit=limit)
        await _tell_of_timers(session, {Kind.SLA_BREACH: breached, Kind.SLA_WARNING: warned}, now)
        told = []
        for one in waiting:
            kind = Kind.TRIAGE_BREACH if one.breached else Kind.TRIAGE_WARNING
            told.append(
                Told(
                    key=triage_key(kind, one.comment_id), kind=kind, agency_id=one.agency_id, territory_id=one.territory_id,
                    occurred_at=one.at, comment_id=one.comment_id,
                )
            )  # fmt: skip
        await notices.tell(session, told, now=now)
        next_at = await due.next_moment(session, now=now)
    late = sum(one.breached for one in waiting)
    return Done(warned=len(warned), breached=len(breached), triage_warned=len(waiting) - late, triage_breached=late, next_at=next_at)


async def _tell_of_timers(session: WriteSession, crossed: Mapping[Kind, Sequence[Crossed]], now: datetime) -> None:
    """A notice and an event for each; a key that was given before (a clock set back by hand) gives neither again."""
    rows = [(timer_key(kind, one.timer_id, one.due_at, one.number), kind, one) for kind, found in crossed.items() for one in found]
    given = await notices.tell(
        session,
        [
            Told(
                key=key, kind=kind, agency_id=one.agency_id, territory_id=one.territory_id, occurred_at=one.at, appeal_id=one.appeal_id,
                timer_id=one.timer_id, share=one.share,
            )
            for key, kind, one in rows
        ],
        now=now,
    )  # fmt: skip
    await record_deadline_events(
        session,
        [
            (one.appeal_id, one.cycle, _act(kind), one.at, {"timer": one.timer_id, "promise": one.promise} | _number(kind, one))
            for key, kind, one in rows
            if key in given
        ],
    )


def _act(kind: Kind) -> Act:
    return Act.SLA_WARNED if kind is Kind.SLA_WARNING else Act.SLA_BREACHED


def _number(kind: Kind, one: Crossed) -> dict[str, int]:
    return {"warning": one.number} if kind is Kind.SLA_WARNING else {}


async def run(database: Database, clock: Clock, stop: asyncio.Event) -> None:
    """Watch until `stop` is set. A lost database is waited for; whatever goes wrong is said and tried again."""
    loop = asyncio.get_running_loop()
    tidied_at = loop.time() - TIDY_SECONDS
    while not stop.is_set():
        pause = LOOK_SECONDS
        try:
            done = await run_due(database, clock)
            if done.anything:
                continue
            if loop.time() - tidied_at >= TIDY_SECONDS:
                async with database.write() as session:
                    await notices.tidy(session, now=clock.now())
                tidied_at = loop.time()
            if done.next_at is not None:
                pause = min(pause, max((done.next_at - clock.now()).total_seconds(), 0.0))
        except (OSError, DBAPIError) as error:
            logger.warning("deadlines_wait", kind=type(error).__name__, error=str(error)[:300])
        except Exception:  # noqa: BLE001 - deadlines go on whatever one look did; the log says what
            logger.exception("deadlines_failed")
        await _pause(stop, pause)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
