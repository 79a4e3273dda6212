"""By which hours and which term an incident is measured: the calendar and the promises of its agency and territory. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.exchange.incident.calculated import Yardstick
from app.exchange.incident.columns import CALCULATED, Column
from app.sla.calendar import CalendarError, WorkingCalendar, from_json
from app.sla.policy import Matter
from app.sla.rules import Promise

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from app.directory.service import Directory
    from app.sla.service import Book


class Measuring:
    """The directory and the promises; each calendar is read once."""

    def __init__(self, directory: Directory, book: Book) -> None:
        self.directory = directory
        self.book = book
        self._calendars: dict[int, WorkingCalendar | None] = {}

    def matter(self, *, agency_id: int, territory_id: int, topic_id: int | None, platform: str) -> Matter:
        """What a promise is chosen for."""
        return Matter(
            topics=self.directory.topic_lineage(topic_id),
            agencies=self.directory.agency_lineage(agency_id),
            territories=self.directory.territory_lineage(territory_id),
            platform=platform,
            priority="ordinary",
        )

    def yardstick(
        self, moments: Mapping[Column, datetime], *, agency_id: int, territory_id: int, topic_id: int | None, platform: str
    ) -> Yardstick:
        """What the row's calculated columns are measured by: the hours at its creation, the term from its last assignment."""
        calendar = self._calendar(moments.get(Column.CREATED_AT), agency_id, territory_id)
        assigned = moments.get(CALCULATED[Column.IN_TIME].since)
        if assigned is None:
            return Yardstick(calendar=calendar, due_at=None)
        matter = self.matter(agency_id=agency_id, territory_id=territory_id, topic_id=topic_id, platform=platform)
        planned = self.book.plan(matter, assigned, promises=(Promise.FIRST_ANSWER,))
        return Yardstick(calendar=calendar, due_at=planned[0].due_at if planned else None)

    def _calendar(self, at: datetime | None, agency_id: int, territory_id: int) -> WorkingCalendar | None:
        stored = None if at is None else self.directory.calendar_of(territory_id, at, agency_id=agency_id)
        if stored is None:
            return None
        if stored.id not in self._calendars:
            try:
                self._calendars[stored.id] = from_json(stored.definition, id=str(stored.id), version=stored.version)
            except CalendarError:
                self._calendars[stored.id] = None
        return self._calendars[stored.id]
