"""Who held an appeal for how long while its clock ran: blame follows whoever held it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.sla.calendar import CalendarError
from app.sla.rules import Pause, elapsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from app.sla.calendar import WorkingCalendar


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when an agency held it; None: it still does."""

    agency_id: int
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a clock's time passed with an agency (None: before anybody had it), in plain and in working time.

    `working` is None where there is no calendar, or it does not reach so far.
    """

    agency_id: int | None
    plain: timedelta
    working: timedelta | None


def shares(
    periods: Iterable[Period], *, started_at: datetime, ended_at: datetime, pauses: Sequence[Pause], calendar: WorkingCalendar | None
) -> list[Share]:
    """Return each agency's share of the time between two moments, without pauses, in the order in which they first held it.

    The shares add up to the whole, in plain and in working time: what lies before the first period is nobody's.
    """
    plain: dict[int | None, timedelta] = {}
    working: dict[int | None, timedelta | None] = {}
    for agency_id, since, until in _pieces(sorted(periods, key=lambda one: one.since), started_at, ended_at):
        plain[agency_id] = plain.get(agency_id, timedelta(0)) + elapsed(since, until, pauses=pauses, calendar=None)
        so_far = working.get(agency_id, timedelta(0))
        working[agency_id] = _added(so_far, since, until, pauses, calendar)
    return [Share(agency_id, time, working[agency_id]) for agency_id, time in plain.items()]


def _pieces(periods: Sequence[Period], low: datetime, high: datetime) -> list[tuple[int | None, datetime, datetime]]:
    """The time between two moments cut by who held it; gaps and what lies before the first period belong to nobody."""
    pieces: list[tuple[int | None, datetime, datetime]] = []
    at = low
    for one in periods:
        since, until = max(one.since, at), min(one.until or high, high)
        if since >= until:
            continue
        if at < since:
            pieces.append((None, at, since))
        pieces.append((one.agency_id, since, until))
        at = until
    if at < high:
        pieces.append((None, at, high))
    return pieces


def _added(
    so_far: timedelta | None, since: datetime, until: datetime, pauses: Sequence[Pause], calendar: WorkingCalendar | None
) -> timedelta | None:
    if so_far is None or calendar is None:
        return None
    try:
        return so_far + elapsed(since, until, pauses=pauses, calendar=calendar)
    except CalendarError:
        return None
