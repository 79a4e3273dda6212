"""`otklik reports verify`: every clock of a period against its history, every figure against plain Python."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import text

from app.appeals.rules import Act
from app.directory.service import lineages
from app.kernel.db import Database
from app.reports.figures import Figures
from app.reports.lines import PERIOD
from app.reports.measures import BACKLOG, MEASURES
from app.reports.models import PROMISES
from app.reports.raw import read
from app.reports.recount import Difference, recount
from app.reports.relines import counts, line, merged, summarise
from app.reports.resum import sums_unlike
from app.reports.rules import TREES, Grouping, Period
from app.reports.service import Asked, measured
from app.sla.rules import Promise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from app.kernel.db import ReadSession
    from app.reports.figures import Report
    from app.reports.measures import Definition
    from app.reports.raw import Raw
    from app.reports.recount import Fact
    from app.reports.relines import Line
    from app.sla.calendar import WorkingCalendar

BATCH = 2_000
"""Appeals recomputed at a time."""
# Measures of the same clock count the same lines: one of each kind is asked for.
KINDS = tuple({(one.clocked, one.dismissed): one for one in reversed(MEASURES.values()) if one is not BACKLOG}.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """How many clocks and figures were recomputed, and each that came out otherwise."""

    period: Period
    timers: int
    figures: int
    differences: tuple[Difference, ...]


class Asking(Protocol):
    """The report under test: `service.measured`."""

    async def __call__(self, session: ReadSession, asked: Asked, *, group_by: Grouping, cursor: str | None = None) -> Report:
        """One page of it."""


async def verify(
    database: Database,
    *,
    period: Period,
    now: datetime,
    progress: Callable[[int], None] | None = None,
    report: Asking = measured,
    measures: Sequence[Definition] = KINDS,
) -> Verification:
    """Recompute a period from raw history and compare: clocks, kept lines, the figures of these measures, kept sums of the lines.

    `progress` is told the number of clocks done.

    Reads one snapshot, so that a live installation does not differ from itself. Needs a role that sees the whole
    region (the owner's or the worker's): row-level security would hide rows from both sides.
    """
    snapshot = Database(database.engine.execution_options(isolation_level="REPEATABLE READ"), timezone=database.timezone)
    differences: list[Difference] = []
    lines: list[Line] = []
    timers = 0
    async with snapshot.read() as session:
        differences += await _missing(session, period)
        ids = list((await session.scalars(_CONCERNED, {"since": period.since, "until": period.until})).all())
        for start in range(0, len(ids), BATCH):
            raw = await read(session, ids[start : start + BATCH])
            recounted = [(appeal, recounted_of(appeal, now=now)) for appeal in raw]
            differences += [one for _, (_, found) in recounted for one in found]
            differences += await _kept(session, {appeal.id: told for appeal, (told, _) in recounted})
            lines += [one for _, (told, _) in recounted for one in told if period.since <= one.started_at < period.until]
            timers += sum(len(appeal.clocks) for appeal in raw)
            if progress is not None:
                progress(timers)
        figures, wrong = await _compare(
            session, lines, [Asked(measure=one, access=None, period=period, now=now) for one in measures], report
        )
        wrong += await sums_unlike(session, period)
    return Verification(period=period, timers=timers, figures=figures, differences=(*differences, *wrong))


_CONCERNED = text(f"SELECT appeal_id FROM ({PERIOD}) p ORDER BY appeal_id")  # noqa: S608 - a constant

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


def recounted_of(appeal: Raw, *, now: datetime) -> tuple[list[Line], list[Difference]]:
    """The lines of an appeal as its history says, and every clock that says otherwise."""
    found: list[Difference] = []
    facts: dict[int, dict[Promise, Fact]] = {}
    calendars: dict[int, WorkingCalendar | None] = {}
    for one in appeal.clocks:
        stored = one.stored
        fact, wrong = recount(stored, replace(appeal.history, calendar=one.calendar), now=now)
        found += wrong
        facts.setdefault(stored.cycle, {})[stored.promise] = fact
        if stored.promise is Promise.FIRST_ANSWER:
            calendars[stored.cycle] = one.calendar if one.spread else None
    begun = {event.cycle for event in appeal.history.events if event.act in {Act.OPENED, Act.REOPENED}}
    clocked = {cycle for cycle, promised in facts.items() if Promise.FIRST_ANSWER in promised}
    lines = [
        line(cycle, appeal.matter, appeal.history, facts.get(cycle, {}), calendars.get(cycle))
        for cycle in sorted(begun | clocked)
        if not merged(cycle, appeal.history)
    ]
    said = lines[-1].keys["topic"] if lines else appeal.matter.topic_id
    if said != appeal.matter.topic_id:
        found.append(Difference(what="topic_id", stored=appeal.matter.topic_id, expected=said, number=appeal.matter.number))
    return lines, found


# What is kept is compared where nothing is queued: of that it is known that it is not up to date.
_LINES = text(
    "SELECT * FROM report_line l WHERE appeal_id = ANY (:ids) AND EXISTS (SELECT FROM report_state WHERE lines_kept)"
    " AND NOT EXISTS (SELECT FROM report_queue q WHERE q.appeal_id = l.appeal_id)"
)
_UNKEPT = text(
    "SELECT i FROM unnest(CAST(:ids AS bigint[])) i WHERE EXISTS (SELECT FROM report_state WHERE lines_kept)"
    " AND NOT EXISTS (SELECT FROM report_queue q WHERE q.appeal_id = i)"
)
_SHAPES = ("median_s", "p90_s", "p99_s")


async def _kept(session: ReadSession, told: Mapping[int, Sequence[Line]]) -> list[Difference]:
    """Every column of a kept line that says otherwise, lines that are missing and lines that must not be."""
    ids = {"ids": sorted(told)}
    stored = {(row.appeal_id, row.cycle): row for row in await session.execute(_LINES, ids)}
    found = []
    for appeal_id in await session.scalars(_UNKEPT, ids):
        for one in told[appeal_id]:
            row = stored.pop((appeal_id, one.cycle), None)
            if row is None:
                found.append(Difference(what="line", stored=None, expected=one.started_at, number=one.number, cycle=one.cycle))
                continue
            found += [
                Difference(what=f"line.{what}", stored=getattr(row, what), expected=value, number=one.number, cycle=one.cycle)
                for what, value in _columns(one).items()
                if not _same(getattr(row, what), value)
            ]
    number = {appeal_id: lines[0].number for appeal_id, lines in told.items() if lines}
    found += [
        Difference(what="line", stored=row.started_at, expected=None, number=number.get(row.appeal_id), cycle=row.cycle)
        for row in stored.values()
    ]
    return found


def _columns(one: Line) -> dict[str, object]:
    values: dict[str, object] = {"started_at": one.started_at, "platform": one.keys["platform"]}
    values |= {f"{key}_id": value for key, value in one.keys.items() if key != "platform"}
    for clock, time in one.times.items():
        values |= {f"{clock.value}_seconds": time.seconds, f"{clock.value}_working": time.working}
        if clock.value in PROMISES:
            values |= {f"{clock.value}_{what}": getattr(time, what) for what in ("due_at", "stopped_at", "outcome")}
    del values["detection_working"]
    return values | {"mark": one.mark, "reopened": one.reopened, "repeated": one.repeated, "dismissed": one.dismissed}


def _same(mine: Any, other: Any) -> bool:  # noqa: ANN401 - a column's value
    if isinstance(mine, datetime) and mine.tzinfo is None:  # infinity comes without a zone
        mine = mine.replace(tzinfo=UTC)
    return bool(mine == other)


# --- figures ----------------------------------------------------------------------------------------------------


async def _compare(session: ReadSession, lines: Sequence[Line], questions: Sequence[Asked], report: Asking) -> tuple[int, list[Difference]]:
    """Every line of every measure's report by every grouping, and the whole."""
    compared, wrong = 0, []
    for group_by in Grouping:
        groups = await _grouped(session, group_by, lines)
        for asked in questions:
            measure = asked.measure
            said = partial(summarise, clock=measure.clocked, dismissed=measure.dismissed, now=asked.now)
            expected = {key: said(group) for key, group in groups.items() if _shown(group, measure)}
            reported, total, loose = await _reported(session, asked, group_by, report)
            told = [("total", total, said(lines))]
            for key in expected.keys() | reported.keys():
                name = f"{group_by.value} {'none' if key is None else key}"
                told.append((name, reported.get(key, Figures()), expected.get(key, Figures())))
            for name, is_reported, is_expected in told:
                compared += 1
                wrong += _unlike(f"{measure.code}: {name}", is_reported, is_expected, loose=loose)
    return compared, wrong


def _shown(group: Iterable[Line], measure: Definition) -> bool:
    """Groups of which nothing is told are none."""
    return any(counts(one, measure.clocked) or (measure.dismissed and one.dismissed) for one in group)


async def _grouped(session: ReadSession, group_by: Grouping, lines: Iterable[Line]) -> Mapping[int | str | None, list[Line]]:
    """Lines by key; of a tree, under each node above as well."""
    above: Mapping[int, tuple[int, ...]] = {}
    if group_by in TREES:
        rows = await session.execute(text(f"SELECT id, parent_id FROM {group_by.value}"))  # noqa: S608 - names of an enum
        above = lineages({row.id: row.parent_id for row in rows})
    groups: dict[int | str | None, list[Line]] = defaultdict(list)
    for one in lines:
        key = one.keys[group_by.value]
        for node in above.get(key, (key,)) if isinstance(key, int) else (key,):
            groups[node].append(one)
    return groups


async def _reported(
    session: ReadSession, asked: Asked, group_by: Grouping, report: Asking
) -> tuple[dict[int | str | None, Figures], Figures, bool]:
    found: dict[int | str | None, Figures] = {}
    cursor, loose = None, False
    while True:
        page = await report(session, asked, group_by=group_by, cursor=cursor)
        found |= {row.key: row for row in page.rows}
        cursor, loose = page.next_cursor, loose or page.approximate
        if cursor is None:
            return found, page.total, loose


def _unlike(group: str, reported: Figures, expected: Figures, *, loose: bool) -> list[Difference]:
    """Figures that differ. `loose`: percentiles were read from distributions, within 1 %; some measures show none then."""
    found = []
    for one in fields(Figures):
        mine, other = getattr(reported, one.name), getattr(expected, one.name)
        shape = loose and one.name.endswith(_SHAPES)
        near = 0.01 if shape else 1e-9
        if shape and mine is None:
            continue
        if mine != other and (mine is None or other is None or not math.isclose(mine, other, rel_tol=near, abs_tol=1e-6)):
            found.append(Difference(what=one.name, stored=mine, expected=other, group=group))
    return found
