"""Promises, deadlines, pauses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from app.sla.calendar import WorkingCalendar, working_time
from app.sla.models import SlaPause, SlaPolicyVersion, SlaTimer
from app.sla.policy import Term, promises_to_json
from app.sla.rules import Promise, TimerOutcome
from tests.factories._base import id_of, stored, unique

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.appeals.models import Appeal
    from app.directory.models import CalendarVersion
    from app.kernel.db import WriteSession

NINE_HOURS = Term(seconds=9 * 3600)


async def make_policy(
    session: WriteSession,
    *,
    term: Term = NINE_HOURS,
    promise: Promise = Promise.FIRST_ANSWER,
    code: str | None = None,
    version: int = 1,
    valid_from: datetime = datetime(2020, 1, 1, tzinfo=UTC),
    agency_id: int | None = None,
) -> SlaPolicyVersion:
    """A promise to everybody, or of one agency."""
    return await stored(
        session,
        SlaPolicyVersion(
            code=code or unique("policy"),
            version=version,
            name="Норматив первого ответа",
            promises=promises_to_json({promise: term}),
            valid_from=valid_from,
            agency_id=agency_id,
        ),
    )


async def make_timer(
    session: WriteSession,
    *,
    appeal: Appeal,
    policy: SlaPolicyVersion | None = None,
    calendar: CalendarVersion | None = None,
    hours: WorkingCalendar | None = None,
    promise: Promise = Promise.FIRST_ANSWER,
    term: Term = NINE_HOURS,
    cycle: int | None = None,
    started_at: datetime | None = None,
    recorded_at: datetime | None = None,
    due_at: datetime | None = None,
    warnings: Sequence[datetime] = (),
    breached_at: datetime | None = None,
    stopped_at: datetime | None = None,
    outcome: TimerOutcome | None = None,
    agency_id: int | None = None,
) -> SlaTimer:
    """A deadline: running, or stopped by an answer when `stopped_at` is given.

    Starts at the citizen's time and is due after the term in plain time unless given. A stopped one is met or late by
    its deadline unless `outcome` says otherwise, held by the appeal's agency, its elapsed times computed (working ones
    by `hours`, the calendar that `calendar` stores, when given).
    """
    started = started_at or appeal.written_at
    due = due_at or started + timedelta(seconds=term.seconds, days=term.days)
    promised = policy or await make_policy(session, term=term, promise=promise)
    timer = SlaTimer(
        appeal_id=appeal.id,
        cycle=appeal.cycle if cycle is None else cycle,
        promise=promise.value,
        policy_version_id=promised.id,
        calendar_version_id=id_of(calendar),
        term={"days": term.days, "working": term.working} if term.days else {"seconds": term.seconds, "working": term.working},
        started_at=started,
        recorded_at=recorded_at or appeal.opened_at,
        due_at=due,
        warnings=[moment.isoformat() for moment in warnings],
        warn_at=min(warnings, default=None) if stopped_at is None else None,
        breached_at=breached_at,
        stopped_at=stopped_at,
    )
    if stopped_at is not None:
        timer.outcome = (outcome or (TimerOutcome.MET if stopped_at <= due else TimerOutcome.LATE)).value
        timer.agency_id = agency_id or appeal.agency_id
        timer.elapsed_seconds = round((stopped_at - started).total_seconds())
        timer.working_seconds = None if hours is None else round(working_time(hours, started, stopped_at).total_seconds())
    return await stored(session, timer)


async def make_pause(
    session: WriteSession,
    *,
    appeal: Appeal,
    since: datetime,
    until: datetime | None = None,
    reason: str = "waiting_for_author",
) -> SlaPause:
    """A span in which an appeal's clock stood still."""
    return await stored(session, SlaPause(appeal_id=appeal.id, since=since, until=until, reason=reason))
