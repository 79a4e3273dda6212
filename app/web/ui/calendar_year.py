"""A year of working hours as months to look at, and hours in a list."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from app.sla.calendars import nearest
from app.sla.own_hours import hours_of, month_sum
from app.sla.production_calendar import known_until
from app.web.ui.calendar_form import written
from app.web.ui.calendar_views import CalendarLine, DayCell, MonthView
from app.web.ui.queue_view import sorting
from app.web.ui.views import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.sla.calendar import WorkingCalendar
    from app.sla.calendars import CalendarRow, Scope
    from app.web.ui.visit import Visit


def months(shown: WorkingCalendar, before: WorkingCalendar, year: int) -> tuple[MonthView, ...]:
    """The months of a year; days that are worked otherwise than `before` are marked."""
    return tuple(_month(shown, before, date(year, number, 1)) for number in range(1, 13))


def _month(shown: WorkingCalendar, before: WorkingCalendar, first: date) -> MonthView:
    cells: list[DayCell | None] = [None] * first.weekday()
    day = first
    while day.month == first.month:
        value = shown.day(day)
        cells.append(
            DayCell(number=day.day, kind=value.kind.value, hours=written(value.hours), name=value.name, changed=value != before.day(day))
        )
        day += timedelta(days=1)
    cells += [None] * (-len(cells) % 7)
    counted = month_sum(shown, first.year, first.month)
    return MonthView(
        first=first,
        weeks=tuple(tuple(cells[start : start + 7]) for start in range(0, len(cells), 7)),
        days=counted.days,
        hours=counted.seconds / 3600,
    )


def is_provisional(calendar: WorkingCalendar, year: int) -> bool:
    """Whether the law's days are shown of a year whose decree is not known."""
    return year > known_until() and hours_of(calendar).by_law


def lines(visit: Visit, stored: Mapping[Scope, CalendarRow]) -> tuple[CalendarLine, ...]:
    """The list, by name; hours of agencies after those of territories."""
    found = []
    for scope, row in stored.items():
        calendar = row.read()
        hours = hours_of(calendar)
        found.append(
            CalendarLine(
                name=name_of(visit, scope),
                address=address(scope),
                timezone=calendar.timezone,
                agency=scope[1] is not None,
                week=_week(tuple(written(one) for one in hours.week)),
                exceptions=len(hours.own),
                version=row.version,
                since=row.valid_from,
                by=row.by,
                below=len(below(visit, stored, scope)),
                mine=row.mine,
            )
        )
    return tuple(sorted(found, key=lambda line: (line.agency, sorting(line.name))))


def _week(texts: tuple[str, ...]) -> tuple[tuple[int, int, str], ...]:
    """Weekdays in a row with the same hours, as (first, last, hours)."""
    found = []
    for hours, days in groupby(enumerate(texts), key=lambda one: one[1]):
        numbers = [number for number, _ in days]
        found.append((numbers[0], numbers[-1], hours))
    return tuple(found)


def below(visit: Visit, stored: Mapping[Scope, CalendarRow], scope: Scope) -> tuple[str, ...]:
    """Who else works by these hours: the territories, or for an agency's hours the agencies, below that have none of their own."""
    directory = visit.office.desk.directory
    if scope[1] is not None:
        below: list[Scope] = [(directory.agencies[one].territory_id, one) for one in directory.agencies_under(scope[1])]
    else:
        below = [(one, None) for one in directory.territories_under(scope[0])]
    inherited = (one for one in below if one != scope and (row := nearest(stored, directory, one)) is not None and row.scope == scope)
    return tuple(sorted((name_of(visit, one) for one in inherited), key=sorting))


def name_of(visit: Visit, scope: Scope) -> str:
    """What a scope is called."""
    directory = visit.office.desk.directory
    node = directory.territories.get(scope[0]) if scope[1] is None else directory.agencies.get(scope[1])
    return "" if node is None else node.name


def address(scope: Scope, *, year: int | None = None) -> str:
    """Where its screen stands."""
    query = {"agency": scope[1]} if scope[1] is not None else {"territory": scope[0]}
    return "/administration/calendars/of?" + urlencode(query | ({} if year is None else {"year": year}))


def is_mine(visit: Visit, territory_id: int) -> bool:
    """Whether the person sets hours there."""
    held = [grant for grant in visit.access.grants if grant.role.value in {"coordinator", "administrator"}]
    if any(grant.territory_id is None and grant.agency_id is None for grant in held):
        return True
    line = visit.office.desk.directory.territory_lineage(territory_id)
    return any(grant.territory_id in line for grant in held if grant.territory_id is not None)


def territories(visit: Visit) -> tuple[Choice, ...]:
    """The territories whose hours the person may set."""
    nodes = sorted(visit.office.desk.directory.territories.values(), key=lambda node: (sorting(node.name), node.id))
    return tuple(Choice(value=str(one.id), label=one.name) for one in nodes if is_mine(visit, one.id))


def agencies(visit: Visit) -> tuple[Choice, ...]:
    """Likewise the agencies."""
    nodes = sorted(visit.office.desk.directory.agencies.values(), key=lambda node: (sorting(node.name), node.id))
    return tuple(Choice(value=str(one.id), label=one.name) for one in nodes if is_mine(visit, one.territory_id))
