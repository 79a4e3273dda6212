"""`otklik reports verify`: every clock of a period against its history, every figure against plain Python."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import text

from app.appeals.rules import Act
from app.directory.service import lineages
from app.kernel.db import Database
from app.reports.figures import Figures
from app.reports.recount import Answer, Difference, Event, Fact, History, Stored, recount, summarise
from app.reports.rules import TREES, Grouping, Period
from app.reports.service import response_times
from app.sla.calendar import CalendarError, WorkingCalendar, from_json
from app.sla.rules import Pause, TimerOutcome

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import TextClause

    from app.kernel.db import ReadSession
    from app.people.rules import Access
    from app.reports.figures import Report

_T = TypeVar("_T")

BATCH = 2_000
"""Clocks recomputed at a time."""
_ACTS = [
    act.value
    for act in (
        Act.OPENED,
        Act.REOPENED,
        Act.ROUTED,
        Act.TOPIC_SET,
        Act.REPLY_SENT,
        Act.INTERIM_SENT,
        Act.EXTENDED,
        Act.POLICY_APPLIED,
        Act.RESUMED,
        Act.MERGED,
        Act.UNMERGED,
        Act.ANSWERED_BY_HAND,
        Act.CLOSED,
        Act.DISMISSED,
    )
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """How many clocks and figures were recomputed, and each that came out otherwise."""

    period: Period
    timers: int
    figures: int
    differences: tuple[Difference, ...]


class Asking(Protocol):
    """The report under test: `service.response_times`."""

    async def __call__(
        self,
        session: ReadSession,
        *,
        access: Access | None,
        period: Period,
        group_by: Grouping,
        now: datetime,
        cursor: str | None = None,
    ) -> Report:
        """One page of it."""


async def verify(
    database: Database,
    *,
    period: Period,
    now: datetime,
    progress: Callable[[int], None] | None = None,
    report: Asking = response_times,
) -> Verification:
    """Recompute a period from raw history and compare. `progress` is told the number of clocks done.

    Reads one snapshot, so that a live installation does not differ from itself. Needs a role that sees the whole
    region (the owner's or the worker's): row-level security would hide rows from both sides.
    """
    snapshot = Database(database.engine.execution_options(isolation_level="REPEATABLE READ"))
    differences: list[Difference] = []
    facts: list[Fact] = []
    timers = 0
    async with snapshot.read() as session:
        differences += await _missing(session, period)
        async for batch in _batches(session, period):
            for fact, found in await _recount(session, batch, now):
                if period.since <= fact.started_at < period.until:
                    facts.append(fact)
                differences += found
            timers += len(batch)
            if progress is not None:
                progress(timers)
        figures, wrong = await _compare(session, period, facts, now, report)
    return Verification(period=period, timers=timers, figures=figures, differences=(*differences, *wrong))


# --- clocks -----------------------------------------------------------------------------------------------------

_TIMERS = text(
    """
    SELECT t.id, t.appeal_id, t.cycle, t.term, t.started_at, t.due_at, t.stopped_at, t.outcome, t.agency_id,
      t.elapsed_seconds, t.working_seconds, t.calendar_version_id, a.number, a.operator_id, a.territory_id, a.topic_id,
      a.page_id, a.platform, a.agency_id AS holder_id, coalesce(c.written_at, a.written_at) AS written_at,
      t.cycle = 1 AND EXISTS (
        SELECT FROM appeal b WHERE b.author_id = a.author_id AND b.written_at < a.written_at
          AND b.written_at >= a.written_at - interval '30 days' AND b.topic_id IS NOT DISTINCT FROM a.topic_id) AS repeated
    FROM sla_timer t JOIN appeal a ON a.id = t.appeal_id LEFT JOIN comment c ON c.id = a.comment_id
    WHERE t.promise = 'first_answer' AND t.started_at >= :after AND t.started_at < :until
      AND (t.started_at, t.id) > (:after, :after_id)
    ORDER BY t.started_at, t.id LIMIT :most
    """
)
_EVENTS = text(
    """
    SELECT id, appeal_id, act, cycle, occurred_at, data FROM appeal_event
    WHERE appeal_id = ANY (:ids) AND act = ANY (:acts) ORDER BY id
    """
)
_ANSWERS = text("SELECT id, appeal_id, operator_id, published_at FROM reply WHERE appeal_id = ANY (:ids) AND state = 'sent'")
_PAUSES = text("SELECT appeal_id, since, until, reason FROM sla_pause WHERE appeal_id = ANY (:ids)")
_CALENDARS = text("SELECT id, version, definition FROM calendar_version WHERE id = ANY (:ids)")

# Matters whose citizen wrote, or wrote again, in the period, and that no clock of the period counts.
_MISSING = text(
    """
    WITH due AS (
      SELECT id, number, 1 AS cycle, written_at AS since FROM appeal WHERE written_at >= :since AND written_at < :until
      UNION ALL
      SELECT a.id, a.number, e.cycle, e.occurred_at FROM appeal a JOIN appeal_event e ON e.appeal_id = a.id
      WHERE a.cycle > 1 AND e.act = 'reopened' AND e.occurred_at >= :since AND e.occurred_at < :until)
    SELECT due.number, due.cycle, due.since, t.started_at
    FROM due LEFT JOIN sla_timer t ON t.appeal_id = due.id AND t.cycle = due.cycle AND t.promise = 'first_answer'
    WHERE t.id IS NULL OR t.started_at < :since OR t.started_at >= :until
    ORDER BY due.since, due.number
    """
)


async def _missing(session: ReadSession, period: Period) -> list[Difference]:
    rows = await session.execute(_MISSING, {"since": period.since, "until": period.until})
    return [Difference(what="timer", stored=row.started_at, expected=row.since, number=row.number, cycle=row.cycle) for row in rows]


async def _batches(session: ReadSession, period: Period) -> AsyncIterator[Sequence[Any]]:
    after, after_id = period.since, 0
    while True:
        rows = (await session.execute(_TIMERS, {"after": after, "after_id": after_id, "until": period.until, "most": BATCH})).all()
        if not rows:
            return
        yield rows
        after, after_id = rows[-1].started_at, rows[-1].id


async def _recount(session: ReadSession, rows: Sequence[Any], now: datetime) -> list[tuple[Fact, list[Difference]]]:
    ids = {"ids": sorted({row.appeal_id for row in rows})}
    events = await _by_appeal(session, _EVENTS, ids | {"acts": _ACTS}, _event)
    answers = await _by_appeal(session, _ANSWERS, ids, _answer)
    pauses = await _by_appeal(session, _PAUSES, ids, lambda row: Pause(row.since, row.until, row.reason))
    calendars = await _calendars(session, rows)
    recounted = []
    for row in rows:
        history = History(
            written_at=row.written_at,
            agency_id=row.holder_id,
            events=events.get(row.appeal_id, ()),
            answers={one.id: one for one in answers.get(row.appeal_id, ())},
            pauses=pauses.get(row.appeal_id, ()),
            calendar=calendars.get(row.calendar_version_id),
        )
        recounted.append(recount(_stored(row), history, now=now))
    return recounted


async def _by_appeal(
    session: ReadSession, statement: TextClause, params: Mapping[str, object], made: Callable[[Any], _T]
) -> Mapping[int, Sequence[_T]]:
    found: dict[int, list[_T]] = defaultdict(list)
    for row in await session.execute(statement, params):
        found[row.appeal_id].append(made(row))
    return found


def _event(row: Any) -> Event:  # noqa: ANN401 - a typed row
    return Event(id=row.id, act=Act(row.act), cycle=row.cycle, occurred_at=row.occurred_at, data=row.data)


def _answer(row: Any) -> Answer:  # noqa: ANN401 - a typed row
    return Answer(id=row.id, operator_id=row.operator_id, published_at=row.published_at)


def _stored(row: Any) -> Stored:  # noqa: ANN401 - a typed row
    return Stored(**{one.name: getattr(row, one.name) for one in fields(Stored)})


async def _calendars(session: ReadSession, rows: Sequence[Any]) -> dict[int, WorkingCalendar]:
    ids = sorted({row.calendar_version_id for row in rows if row.calendar_version_id is not None})
    calendars: dict[int, WorkingCalendar] = {}
    if ids:
        for row in await session.execute(_CALENDARS, {"ids": ids}):
            try:
                calendars[row.id] = from_json(row.definition, id=str(row.id), version=row.version)
            except CalendarError:  # as when the clock stopped: no working time
                continue
    return calendars


# --- figures ----------------------------------------------------------------------------------------------------


async def _compare(
    session: ReadSession, period: Period, facts: Sequence[Fact], now: datetime, report: Asking
) -> tuple[int, list[Difference]]:
    """Every line of the report by every grouping, and the whole."""
    compared, wrong = 0, []
    for group_by in Grouping:
        expected = {key: summarise(group, now=now) for key, group in (await _grouped(session, group_by, facts)).items()}
        reported, total = await _reported(session, period, group_by, now, report)
        lines: list[tuple[str, Figures, Figures]] = [("total", total, summarise(facts, now=now))]
        for key in expected.keys() | reported.keys():
            name = f"{group_by.value} {'none' if key is None else key}"
            lines.append((name, reported.get(key, Figures()), expected.get(key, Figures())))
        for name, is_reported, is_expected in lines:
            compared += 1
            wrong += _unlike(name, is_reported, is_expected)
    return compared, wrong


async def _grouped(session: ReadSession, group_by: Grouping, facts: Iterable[Fact]) -> Mapping[int | str | None, list[Fact]]:
    """Clocks by key; of a tree, under each node above as well. Groups of dismissed ones alone are none."""
    above: Mapping[int, tuple[int, ...]] = {}
    if group_by in TREES:
        rows = await session.execute(text(f"SELECT id, parent_id FROM {group_by.value}"))  # noqa: S608 - names of an enum
        above = lineages({row.id: row.parent_id for row in rows})
    groups: dict[int | str | None, list[Fact]] = defaultdict(list)
    for fact in facts:
        key = fact.keys[group_by.value]
        for node in above.get(key, (key,)) if isinstance(key, int) else (key,):
            groups[node].append(fact)
    return {key: group for key, group in groups.items() if any(one.outcome is not TimerOutcome.CANCELLED for one in group)}


async def _reported(
    session: ReadSession, period: Period, group_by: Grouping, now: datetime, report: Asking
) -> tuple[dict[int | str | None, Figures], Figures]:
    found: dict[int | str | None, Figures] = {}
    cursor = None
    while True:
        page = await report(session, access=None, period=period, group_by=group_by, now=now, cursor=cursor)
        found |= {row.key: row for row in page.rows}
        cursor = page.next_cursor
        if cursor is None:
            return found, page.total


def _unlike(group: str, reported: Figures, expected: Figures) -> list[Difference]:
    found = []
    for one in fields(Figures):
        mine, other = getattr(reported, one.name), getattr(expected, one.name)
        if mine != other and (mine is None or other is None or not math.isclose(mine, other, rel_tol=1e-9, abs_tol=1e-6)):
            found.append(Difference(what=one.name, stored=mine, expected=other, group=group))
    return found
