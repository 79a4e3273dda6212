"""The rows of the clock: promises loaded for planning, timers started and stopped, first promises and calendars."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from app.kernel.db import Bulk, home_zone
from app.kernel.log import logger
from app.sla.book import Book, DatedCalendar, DatedPolicy, PlannedTimer, TriageDue, read_calendar
from app.sla.calendar import CalendarError, WorkingCalendar, to_json
from app.sla.policy import PolicyError, PolicyVersion, Term, promises_from_json, promises_to_json, shares_from_json
from app.sla.production_calendar import FIRST_YEAR, known_until, russian_calendar
from app.sla.rules import Pause, Promise, StopCause, effective_due, elapsed, outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from app.kernel.db import ReadSession, WriteSession

__all__ = [
    "Book",
    "PlannedTimer",
    "Stop",
    "TriageDue",
    "default_policies",
    "ensure_default_calendar",
    "ensure_default_policy",
    "load_book",
    "pauses_of",
    "running_due",
    "start_timers",
    "stop_timers",
    "used_calendars",
]

_MAX_SECONDS = 2**31 - 1  # what the columns hold: 68 years


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """What stops timers of an appeal's cycle: `promises` None means all that run. `at` is when it happened, by the platform.

    `agency_id` held the appeal then: the outcome counts as its own.
    """

    appeal_id: int
    cycle: int
    promises: Sequence[Promise] | None
    at: datetime
    cause: StopCause
    agency_id: int | None


# --- planning ---------------------------------------------------------------------------------------------------

_POLICIES = text(
    """
    SELECT id, code, version, topic_id, agency_id, territory_id, platform, priority, promises, warn_shares, valid_from, valid_until
    FROM sla_policy_version WHERE valid_from <= :now
    """
)
_CALENDARS = text(
    """
    SELECT id, version, territory_id, agency_id, valid_from, CAST(definition AS text) AS definition
    FROM calendar_version WHERE valid_from <= :now
    """
)
_ZONES = text("SELECT id, timezone FROM territory WHERE timezone IS NOT NULL")


async def load_book(session: ReadSession, *, now: datetime) -> Book:
    """All promises and calendars that hold or held by `now`. A policy that cannot be read is logged and left out."""
    policies = []
    for row in await session.execute(_POLICIES, {"now": now}):
        try:
            policies.append(_policy(row))
        except PolicyError as error:
            logger.error("policy_unusable", policy=row.code, version=row.version, error=str(error))
    rows = await session.execute(_CALENDARS, {"now": now})
    calendars = [DatedCalendar(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name
    zones = {row.id: row.timezone for row in await session.execute(_ZONES)}
    return Book(policies=policies, calendars=calendars, timezone=home_zone(session), zones=zones)


def _policy(row: Any) -> DatedPolicy:  # noqa: ANN401 - a typed row
    policy = PolicyVersion(
        id=row.id, code=row.code, version=row.version, promises=promises_from_json(row.promises), topic_id=row.topic_id,
        agency_id=row.agency_id, territory_id=row.territory_id, platform=row.platform, priority=row.priority,
        warn_shares=shares_from_json(row.warn_shares),
    )  # fmt: skip
    return DatedPolicy(policy=policy, valid_from=row.valid_from, valid_until=row.valid_until)


# --- timers -----------------------------------------------------------------------------------------------------

_PAUSES = text("SELECT appeal_id, since, until, reason FROM sla_pause WHERE appeal_id = ANY (:ids) ORDER BY since")


async def pauses_of(session: ReadSession, appeal_ids: Sequence[int]) -> dict[int, list[Pause]]:
    """When the clocks of these appeals stood still, whichever of them ran then."""
    pauses: dict[int, list[Pause]] = defaultdict(list)
    for row in await session.execute(_PAUSES, {"ids": list(appeal_ids)}):
        pauses[row.appeal_id].append(Pause(row.since, row.until, row.reason))
    return pauses


_START = Bulk(
    """
    INSERT INTO sla_timer (appeal_id, cycle, promise, policy_version_id, calendar_version_id, choice, term, started_at, due_at, warnings,
      warn_at)
    SELECT appeal_id, cycle, promise, policy_version_id, calendar_version_id, CAST(choice AS jsonb), CAST(term AS jsonb), started_at,
      due_at, CAST(warnings AS jsonb), warn_at
    FROM {rows} ON CONFLICT (appeal_id, cycle, promise) DO NOTHING
    """,
    appeal_id="bigint", cycle="integer", promise="text", policy_version_id="bigint", calendar_version_id="bigint", choice="text",
    term="text", started_at="timestamptz", due_at="timestamptz", warnings="text", warn_at="timestamptz",
)  # fmt: skip


async def start_timers(session: WriteSession, rows: Sequence[tuple[int, int, PlannedTimer]]) -> None:
    """Store (appeal, cycle, planned timer), each once: a promise that has its timer in that cycle keeps it."""
    await _START.run(
        session,
        [
            (
                appeal_id, cycle, timer.promise.value, timer.policy_version_id, timer.calendar_version_id, _dump(timer.choice),
                _dump(timer.term), timer.started_at, timer.due_at, _dump(timer.warnings), min(timer.warnings, default=None),
            )
            for appeal_id, cycle, timer in rows
        ],
    )  # fmt: skip


_RUNNING = Bulk(
    """
    SELECT r.stop, t.id, t.appeal_id, t.started_at, t.due_at, t.warnings, t.calendar_version_id, t.term FROM {rows}
    JOIN sla_timer t ON t.appeal_id = r.appeal_id AND t.cycle = r.cycle
    WHERE t.stopped_at IS NULL AND (r.promises IS NULL OR t.promise = ANY (string_to_array(r.promises, ',')))
    ORDER BY t.id, r.stop FOR UPDATE OF t
    """,
    stop="integer", appeal_id="bigint", cycle="integer", promises="text",
)  # fmt: skip

_STOP = Bulk(
    """
    UPDATE sla_timer t SET stopped_at = r.at, outcome = r.outcome, agency_id = r.agency_id, elapsed_seconds = r.elapsed,
      working_seconds = r.working, due_at = r.due_at, warnings = CAST(r.warnings AS jsonb), breached_at = r.breached_at, warn_at = NULL
    FROM {rows} WHERE t.id = r.id
    """,
    id="bigint", at="timestamptz", outcome="text", agency_id="bigint", elapsed="integer", working="integer", due_at="timestamptz",
    warnings="text", breached_at="timestamptz",
)  # fmt: skip

_USED_CALENDARS = text("SELECT id, version, CAST(definition AS text) AS definition FROM calendar_version WHERE id = ANY (:ids)")


async def stop_timers(session: WriteSession, rows: Sequence[Stop]) -> None:
    """Stop running timers: outcome, elapsed and working time without pauses. What stands stopped stays as it is.

    Of two stops for one timer in a batch the earlier given counts. A breach that the platform's time refutes is taken
    back: `breached_at` says whether the deadline passed while the timer ran.
    """
    stops = [
        (number, one.appeal_id, one.cycle, None if one.promises is None else ",".join(promise.value for promise in one.promises))
        for number, one in enumerate(rows)
    ]
    found: dict[int, Any] = {}
    for row in await _RUNNING.run(session, stops):
        found.setdefault(row.id, row)
    if not found:
        return
    calendars = await used_calendars(session, found.values())
    pauses = await pauses_of(session, sorted({row.appeal_id for row in found.values()}))
    await _STOP.run(
        session,
        [_stopped(row, rows[row.stop], calendars.get(row.calendar_version_id), pauses.get(row.appeal_id, ())) for row in found.values()],
    )


def _stopped(row: Any, stop: Stop, calendar: WorkingCalendar | None, pauses: Sequence[Pause]) -> tuple[object, ...]:  # noqa: ANN401 - a typed row
    try:
        working = None if calendar is None else elapsed(row.started_at, stop.at, pauses=pauses, calendar=calendar)
    except CalendarError as error:  # a moment out of its reach
        logger.error("calendar_unusable", calendar_version=row.calendar_version_id, error=str(error))
        working = calendar = None
    plain = elapsed(row.started_at, stop.at, pauses=pauses, calendar=None)
    # Pauses that have ended moved the stored deadline and its warnings when they did; one that is still open moves them now.
    open_ones = [pause for pause in pauses if pause.until is None]
    clock = calendar if row.term.get("working") else None
    due, *warnings = (
        effective_due(one, started_at=row.started_at, pauses=open_ones, now=stop.at, calendar=clock)
        for one in (row.due_at, *map(datetime.fromisoformat, row.warnings))
    )
    return (
        row.id, stop.at, outcome(stop.cause, stopped_at=stop.at, due_at=due).value, stop.agency_id,
        min(round(plain.total_seconds()), _MAX_SECONDS), None if working is None else min(round(working.total_seconds()), _MAX_SECONDS),
        due, _dump(warnings), due if stop.at > due else None,
    )  # fmt: skip


async def used_calendars(session: ReadSession, timers: Iterable[Any]) -> dict[int | None, WorkingCalendar]:
    """The calendars that these timers were counted by; one that cannot be read is logged and left out."""
    ids = sorted({row.calendar_version_id for row in timers if row.calendar_version_id is not None})
    calendars: dict[int | None, WorkingCalendar] = {}
    if ids:
        for row in await session.execute(_USED_CALENDARS, {"ids": ids}):
            try:
                calendars[row.id] = read_calendar(row.definition, row.id, row.version)
            except CalendarError as error:
                logger.error("calendar_unusable", calendar_version=row.id, error=str(error))
    return calendars


# A clock that stands still has no deadline to show; one that had run out before it was stopped keeps its own.
_NEAREST_DUE = text(
    """
    SELECT t.appeal_id, min(t.due_at) AS due_at FROM sla_timer t
    WHERE t.appeal_id = ANY (:ids) AND t.stopped_at IS NULL
      AND NOT EXISTS (SELECT FROM sla_pause p WHERE p.appeal_id = t.appeal_id AND p.until IS NULL AND p.since < t.due_at)
    GROUP BY t.appeal_id
    """
)


async def running_due(session: ReadSession, appeal_ids: Sequence[int]) -> dict[int, datetime | None]:
    """For each of these appeals the nearest deadline that runs, or None: also while its clock stands still."""
    found: dict[int, datetime | None] = dict.fromkeys(appeal_ids)
    if found:
        found |= {row.appeal_id: row.due_at for row in await session.execute(_NEAREST_DUE, {"ids": sorted(found)})}
    return found


# --- what an installation begins with ---------------------------------------------------------------------------

_HOLDS_ALREADY = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)
"""First promises and calendars hold for every comment that can come, also for those written before the first start."""

_HOUR = 3600
FINAL_AFTER_INTERIM = Term(days=7, working=True, after_interim=True)
"""What an interim answer promises where a region has not said otherwise: without it an appeal would be left without a clock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DefaultPolicy:
    """A promise that an installation makes until somebody sets its own."""

    code: str
    name: str
    promises: Mapping[Promise, Term | None]
    priority: str | None = None


def default_policies() -> tuple[DefaultPolicy, ...]:
    """The usual norm of regional centres: nine working hours to the first answer, four when urgent, two to be looked at.

    An interim answer gives seven working days more.
    """
    return (
        DefaultPolicy(
            code="default",
            name="Обычный: первый ответ за 9 рабочих часов",
            promises={
                Promise.TRIAGE: Term(seconds=2 * _HOUR, working=True),
                Promise.FIRST_ANSWER: Term(seconds=9 * _HOUR, working=True),
                Promise.FINAL_ANSWER: FINAL_AFTER_INTERIM,
            },
        ),
        DefaultPolicy(
            code="default-urgent",
            name="Срочный: первый ответ за 4 рабочих часа",
            promises={Promise.FIRST_ANSWER: Term(seconds=4 * _HOUR, working=True)},
            priority="urgent",
        ),
    )


_HAS_POLICY = text(
    """
    WITH RECURSIVE line(id, parent_id) AS (
      SELECT id, parent_id FROM territory WHERE id = :territory
      UNION SELECT t.id, t.parent_id FROM territory t JOIN line ON t.id = line.parent_id)
    SELECT EXISTS (SELECT FROM sla_policy_version p WHERE p.territory_id IS NULL OR p.territory_id IN (SELECT id FROM line))
    """
)
_ADD_POLICY = text(
    """
    INSERT INTO sla_policy_version (code, version, name, territory_id, priority, promises, valid_from)
    VALUES (:code, 1, :name, :territory, :priority, CAST(:promises AS jsonb), :valid_from)
    ON CONFLICT (code, version) DO NOTHING RETURNING id
    """
)


async def ensure_default_policy(session: WriteSession, *, territory_id: int | None, now: datetime) -> list[int]:
    """Make the default promises when none holds for the territory (None: for all); the ids of the versions added."""
    if await session.scalar(_HAS_POLICY, {"territory": territory_id}):
        return []
    suffix = "" if territory_id is None else f"-territory-{territory_id}"
    added = []
    for policy in default_policies():
        row = await session.scalar(
            _ADD_POLICY,
            {
                "code": policy.code + suffix, "name": policy.name, "territory": territory_id, "priority": policy.priority,
                "promises": _dump(promises_to_json(policy.promises)), "valid_from": min(_HOLDS_ALREADY, now),
            },
        )  # fmt: skip
        if row is not None:
            added.append(int(row))
    return added


_NEAREST_CALENDAR = text(
    """
    WITH RECURSIVE line(id, parent_id, depth) AS (
      SELECT id, parent_id, 0 FROM territory WHERE id = :territory
      UNION SELECT t.id, t.parent_id, depth + 1 FROM territory t JOIN line ON t.id = line.parent_id)
    SELECT c.id, c.territory_id, c.definition ->> 'timezone' AS timezone FROM line JOIN calendar_version c ON c.territory_id = line.id
    WHERE c.agency_id IS NULL ORDER BY depth, c.valid_from DESC, c.version DESC LIMIT 1
    """
)
_ADD_CALENDAR = text(
    """
    INSERT INTO calendar_version (territory_id, version, definition, valid_from)
    VALUES (:territory, 1, CAST(:definition AS jsonb), :valid_from)
    ON CONFLICT (territory_id, agency_id, version) DO NOTHING RETURNING id
    """
)


async def ensure_default_calendar(session: WriteSession, *, territory_id: int, timezone: str, now: datetime) -> int:
    """Give a territory office hours (Monday to Friday, 9 to 18 with a lunch hour, the Russian production calendar).

    Does nothing when it has hours of its own, or inherits some of the same time zone. The id of the version that holds.
    CalendarError on an unknown time zone.
    """
    nearest = (await session.execute(_NEAREST_CALENDAR, {"territory": territory_id})).one_or_none()
    if nearest is not None and (nearest.territory_id == territory_id or nearest.timezone == timezone):
        return int(nearest.id)
    hours = russian_calendar(timezone, first_year=FIRST_YEAR, last_year=max(known_until(), now.year + 2))
    added = await session.scalar(
        _ADD_CALENDAR, {"territory": territory_id, "definition": _dump(to_json(hours)), "valid_from": min(_HOLDS_ALREADY, now)}
    )
    if added is None:  # somebody else was faster
        return int((await session.execute(_NEAREST_CALENDAR, {"territory": territory_id})).one().id)
    return int(added)


def _dump(value: object) -> str:
    return orjson.dumps(value).decode()
