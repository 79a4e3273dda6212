"""The clocks that run, counted again by the norms of today: what stood still and what was put off is carried over."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from app.kernel.db import Bulk
from app.kernel.log import logger
from app.sla.calendar import CalendarError, WorkingCalendar, advance, measure
from app.sla.rules import Promise, effective_due
from app.sla.service import pauses_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.db import ReadSession, WriteSession
    from app.sla.book import Book, PlannedTimer
    from app.sla.rules import Pause


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A clock that runs in an appeal's present cycle."""

    id: int
    appeal_id: int
    cycle: int
    promise: Promise
    policy_version_id: int
    calendar_version_id: int | None
    term: Mapping[str, Any]
    started_at: datetime
    due_at: datetime
    breached_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What happened to the clocks of some appeals so far."""

    running: Mapping[int, Sequence[Running]]
    pauses: Mapping[int, Sequence[Pause]]
    put_off: Mapping[int, Sequence[tuple[datetime, datetime]]]
    """By timer: each deadline that was put off, and the one after it."""


_RUNNING = text(
    """
    SELECT t.id, t.appeal_id, t.cycle, t.promise, t.policy_version_id, t.calendar_version_id, t.term, t.started_at, t.due_at, t.breached_at
    FROM sla_timer t JOIN appeal a ON a.id = t.appeal_id AND a.cycle = t.cycle
    WHERE t.appeal_id = ANY (:ids) AND t.stopped_at IS NULL ORDER BY t.id FOR UPDATE OF t
    """
)
_PUT_OFF = text("SELECT timer_id, due_before, due_after FROM sla_extension WHERE appeal_id = ANY (:ids) ORDER BY id")


async def kept(session: WriteSession, appeal_ids: Sequence[int]) -> Kept:
    """The clocks that run, locked, and what moved them. Appeals are locked."""
    running: dict[int, list[Running]] = defaultdict(list)
    for row in await session.execute(_RUNNING, {"ids": list(appeal_ids)}):
        running[row.appeal_id].append(Running(**{**row._mapping, "promise": Promise(row.promise)}))  # noqa: SLF001 - as documented
    pauses = await pauses_of(session, appeal_ids)
    put_off: dict[int, list[tuple[datetime, datetime]]] = defaultdict(list)
    for row in await session.execute(_PUT_OFF, {"ids": list(appeal_ids)}):
        put_off[row.timer_id].append((row.due_before, row.due_after))
    return Kept(running=running, pauses=pauses, put_off=put_off)


@dataclass(frozen=True, kw_only=True, slots=True)
class Replacement:
    """A clock that goes on by another norm, or by another version of it. `stands`: it stands still, since before its deadline."""

    timer: Running
    planned: PlannedTimer
    due_at: datetime
    warnings: tuple[datetime, ...]
    stands: bool

    def lies_ahead(self, now: datetime) -> bool:
        """Whether its deadline has not come."""
        return self.stands or self.due_at > now


def replacement(timer: Running, planned: PlannedTimer | None, so_far: Kept, book: Book) -> Replacement | None:
    """The clock by the norm that would set it today; None when that is the one that it runs by.

    A promise that no norm makes any more is kept as it was made.
    """
    if planned is None or (
        (planned.policy_version_id, planned.calendar_version_id) == (timer.policy_version_id, timer.calendar_version_id)
        and dict(planned.term) == dict(timer.term)
    ):
        return None
    calendar = book.calendar(planned.calendar_version_id) if planned.term.get("working") else None
    pauses = [one for one in so_far.pauses.get(timer.appeal_id, ()) if one.until is not None]
    put_off = so_far.put_off.get(timer.id, ())
    try:
        moments = [_carried(one, timer.started_at, pauses, put_off, calendar) for one in (planned.due_at, *planned.warnings)]
    except CalendarError as error:
        logger.error("calendar_out_of_reach", calendar_version=planned.calendar_version_id, error=str(error))
        return None
    stands = any(one.until is None and one.since < moments[0] for one in so_far.pauses.get(timer.appeal_id, ()))
    return Replacement(timer=timer, planned=planned, due_at=moments[0], warnings=tuple(moments[1:]), stands=stands)


def _carried(
    moment: datetime,
    started_at: datetime,
    pauses: Sequence[Pause],
    put_off: Sequence[tuple[datetime, datetime]],
    calendar: WorkingCalendar | None,
) -> datetime:
    latest = max((one.until for one in pauses if one.until is not None), default=started_at)
    moved = effective_due(moment, started_at=started_at, pauses=pauses, now=latest, calendar=calendar)
    for before, after in put_off:
        moved = advance(calendar, moved, max(measure(calendar, before, after), timedelta(0)))
    return moved


# A deadline that lies ahead again is not missed; one that has passed is found by whoever looks for those.
_REPLACE = Bulk(
    """
    UPDATE sla_timer t SET policy_version_id = r.policy, calendar_version_id = r.calendar, choice = CAST(r.choice AS jsonb),
      term = CAST(r.term AS jsonb), due_at = r.due_at, warnings = CAST(r.warnings AS jsonb), warn_at = r.warn_at,
      breached_at = CASE WHEN t.breached_at IS NOT NULL AND NOT r.ahead THEN r.due_at END
    FROM {rows} WHERE t.id = r.id AND t.stopped_at IS NULL
    """,
    id="bigint", policy="bigint", calendar="bigint", choice="text", term="text", due_at="timestamptz", warnings="text",
    warn_at="timestamptz", ahead="boolean",
)  # fmt: skip


async def replace_timers(session: WriteSession, rows: Sequence[Replacement], *, now: datetime) -> None:
    """Let these clocks go on by their new norm."""
    await _REPLACE.run(
        session,
        [
            (
                one.timer.id, one.planned.policy_version_id, one.planned.calendar_version_id, _dump(one.planned.choice),
                _dump(one.planned.term), one.due_at, _dump(list(one.warnings)),
                min((moment for moment in one.warnings if now < moment < one.due_at), default=None), one.lies_ahead(now),
            )
            for one in rows
        ],
    )  # fmt: skip


_COUNT = text(
    """
    SELECT count(*) FROM appeal a WHERE a.status IN ('new', 'in_work')
      AND (CAST(:territories AS bigint[]) IS NULL OR a.territory_id = ANY (CAST(:territories AS bigint[])))
    """
)


async def count_open(session: ReadSession, territories: Sequence[int] | None) -> int:
    """How many appeals wait for an answer there, as far as the asker sees."""
    return int((await session.execute(_COUNT, {"territories": None if territories is None else list(territories)})).scalar_one())


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()
