"""From the rows of a clock to what the screen tells of it beside the deadline: pauses, extensions, shares of agencies."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from app.sla.calendar import CalendarError, WorkingCalendar, measure
from app.sla.rules import Pause
from app.sla.shares import Period, shares
from app.web.ui.clock_views import ExtensionView, PauseView, ShareView

if TYPE_CHECKING:
    from datetime import datetime

    from app.appeals.card_rows import Card, TimerRow


class ClockParts(TypedDict):
    """Fields of a `DeadlineView`."""

    paused: bool
    pauses: tuple[PauseView, ...]
    extensions: tuple[ExtensionView, ...]
    shares: tuple[ShareView, ...]


def clock_parts(found: Card, timer: TimerRow, calendar: WorkingCalendar | None, *, now: datetime) -> ClockParts:
    """What happened to this clock."""
    ended = timer.stopped_at or now
    clock = calendar if timer.term.get("working") else None
    touching = [one for one in found.pauses if one.since <= ended and (one.until is None or one.until > timer.started_at)]
    return ClockParts(
        paused=timer.stopped_at is None and any(one.until is None and one.since < timer.due_at for one in found.pauses),
        pauses=tuple(
            PauseView(
                since=one.since,
                until=one.until,
                reason=one.reason,
                actor=one.operator_name or "",
                seconds=_span(clock, max(one.since, timer.started_at), min(one.until or ended, ended)),
            )
            for one in touching
        ),
        extensions=tuple(
            ExtensionView(
                due_before=one.due_before,
                due_after=one.due_after,
                reason=one.reason,
                actor=one.operator_name or "",
                at=one.recorded_at,
                seconds=_span(clock, *(moment.replace(second=0, microsecond=0) for moment in (one.due_before, one.due_after))),
            )
            for one in found.extensions
            if one.timer_id == timer.id
        ),
        shares=_shares(found, timer, calendar, ended),
    )


def _shares(found: Card, timer: TimerRow, calendar: WorkingCalendar | None, ended: datetime) -> tuple[ShareView, ...]:
    """Each agency's part of the time; nothing to tell when a single one had it."""
    names = {one.agency_id: one.agency_name for one in found.assignments}
    if len(names) < 2 or found.held_until is not None:  # noqa: PLR2004 - shared
        return ()
    parts = shares(
        [Period(one.agency_id, one.since, one.until) for one in found.assignments],
        started_at=timer.started_at,
        ended_at=max(ended, timer.started_at),
        pauses=[Pause(one.since, one.until, one.reason) for one in found.pauses],
        calendar=calendar,
    )
    return tuple(
        ShareView(
            agency="" if one.agency_id is None else names[one.agency_id],
            seconds=one.plain.total_seconds(),
            working_seconds=None if one.working is None else one.working.total_seconds(),
        )
        for one in parts
    )


def _span(clock: WorkingCalendar | None, since: datetime, until: datetime) -> float:
    """How much of the timer's own time lies between two moments."""
    try:
        return max(measure(clock, since, until), timedelta(0)).total_seconds()
    except CalendarError:
        return 0.0
