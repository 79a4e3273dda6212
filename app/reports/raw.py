"""Reads raw history for the recount: events, answers, pauses, clocks with their terms and calendars. No figure is computed here."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import text

from app.appeals.rules import Act
from app.reports.lines import GIVEN
from app.reports.recount import Answer, Event, History, Stored
from app.reports.relines import Matter
from app.sla.calendar import CalendarError, WorkingCalendar, from_json
from app.sla.rules import Pause, Promise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import TextClause

    from app.kernel.db import ReadSession

_T = TypeVar("_T")

_ACTS = [
    act.value
    for act in (
        Act.OPENED, Act.REOPENED, *GIVEN, Act.TOPIC_SET, Act.REPLY_SUBMITTED, Act.REPLY_APPROVED, Act.REPLY_QUEUED, Act.REPLY_SENT,
        Act.INTERIM_SENT, Act.ANSWERED_BY_HAND, Act.EXTENDED, Act.POLICY_APPLIED, Act.RESUMED, Act.MERGED, Act.UNMERGED, Act.CLOSED,
        Act.DISMISSED, Act.RATED, Act.REPLY_REMOVED,
    )
]  # fmt: skip
_APPEALS = text(
    """
    SELECT a.id, a.number, a.agency_id, a.operator_id, coalesce((
        SELECT a.written_at FROM comment_revision r WHERE r.comment_id = c.id AND r.revision > 1 AND c.written_at <> a.written_at
          AND coalesce(r.edited_at, r.observed_at) = a.written_at LIMIT 1), c.written_at, a.written_at) AS begun_at,
      CASE WHEN c.id IS NOT NULL THEN greatest(c.recorded_at, a.written_at) END AS noticed_at,
      a.written_at, a.opened_at, a.territory_id, a.topic_id, a.page_id, a.platform, EXISTS (
        SELECT FROM appeal b WHERE b.author_id = a.author_id AND b.written_at < a.written_at
          AND b.written_at >= a.written_at - interval '30 days' AND b.topic_id IS NOT DISTINCT FROM a.topic_id) AS repeated
    FROM appeal a LEFT JOIN comment c ON c.id = a.comment_id WHERE a.id = ANY (:ids) ORDER BY a.id
    """
)
_TIMERS = text(
    """
    SELECT t.appeal_id, t.cycle, t.promise, t.term, t.started_at, t.due_at, t.stopped_at, t.outcome, t.agency_id, t.elapsed_seconds,
      t.working_seconds, t.calendar_version_id, a.number
    FROM sla_timer t JOIN appeal a ON a.id = t.appeal_id WHERE t.appeal_id = ANY (:ids) AND t.promise = ANY (:promises) ORDER BY t.id
    """
)
_EVENTS = text(
    """
    SELECT id, appeal_id, act, cycle, occurred_at, data FROM appeal_event
    WHERE appeal_id = ANY (:ids) AND act = ANY (:acts) ORDER BY id
    """
)
_ANSWERS = text("SELECT id, appeal_id, operator_id, published_at FROM reply WHERE appeal_id = ANY (:ids) AND state IN ('sent', 'removed')")
_PAUSES = text("SELECT appeal_id, since, until, reason FROM sla_pause WHERE appeal_id = ANY (:ids)")
_CALENDARS = text(
    "SELECT id, version, definition, EXISTS (SELECT FROM working_span s WHERE s.calendar_version_id = v.id) AS spread"
    " FROM calendar_version v WHERE id = ANY (:ids)"
)
PROMISED = (Promise.FIRST_ANSWER, Promise.INTERIM_ANSWER, Promise.FINAL_ANSWER)


@dataclass(frozen=True, slots=True)
class Clocked:
    """A clock as it is stored, and the calendar it ran by. `spread`: SQL can measure by it, a worker has seen it since it came."""

    stored: Stored
    calendar: WorkingCalendar | None
    spread: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Raw:
    """An appeal with all that happened to it, and its clocks."""

    id: int
    matter: Matter
    history: History
    clocks: tuple[Clocked, ...]


async def read(session: ReadSession, appeal_ids: Sequence[int]) -> list[Raw]:
    """These appeals, by id."""
    ids: dict[str, object] = {"ids": list(appeal_ids)}
    events = await _by_appeal(session, _EVENTS, ids | {"acts": _ACTS}, _event)
    answers = await _by_appeal(session, _ANSWERS, ids, _answer)
    pauses = await _by_appeal(session, _PAUSES, ids, lambda row: Pause(row.since, row.until, row.reason))
    timers = (await session.execute(_TIMERS, ids | {"promises": [one.value for one in PROMISED]})).all()
    calendars = await _calendars(session, sorted({row.calendar_version_id for row in timers if row.calendar_version_id is not None}))
    clocks: dict[int, list[Clocked]] = defaultdict(list)
    for row in timers:
        clocks[row.appeal_id].append(Clocked(_stored(row), *calendars.get(row.calendar_version_id, (None, False))))
    return [
        Raw(
            id=row.id,
            matter=Matter(**{one.name: getattr(row, one.name) for one in fields(Matter)}),
            history=History(
                written_at=row.begun_at,
                agency_id=row.agency_id,
                operator_id=row.operator_id,
                events=events.get(row.id, ()),
                answers={one.id: one for one in answers.get(row.id, ())},
                pauses=pauses.get(row.id, ()),
                calendar=None,
            ),
            clocks=tuple(clocks.get(row.id, ())),
        )
        for row in await session.execute(_APPEALS, ids)
    ]


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
    values = {one.name: getattr(row, one.name) for one in fields(Stored)}
    return Stored(**values | {"promise": Promise(row.promise)})


async def _calendars(session: ReadSession, ids: Sequence[int]) -> dict[int, tuple[WorkingCalendar, bool]]:
    calendars: dict[int, tuple[WorkingCalendar, bool]] = {}
    if ids:
        for row in await session.execute(_CALENDARS, {"ids": list(ids)}):
            try:
                calendars[row.id] = from_json(row.definition, id=str(row.id), version=row.version), row.spread
            except CalendarError:  # as when the clock stopped: no working time
                continue
    return calendars
