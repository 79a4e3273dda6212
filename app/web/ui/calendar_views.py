"""What the screens of working hours are given: plain frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from app.web.ui.norm_views import EffectView
from app.web.ui.views import Choice

if TYPE_CHECKING:
    from app.sla.own_hours import ChangedDay, Difference


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarLine:
    """Hours in the list. `week` are the hours of the weekdays, alike ones together: (0, 4, "09:00-18:00"), 0 is Monday.

    `below`: how many territories below work by them, the scope itself not counted.
    """

    name: str
    address: str
    timezone: str
    agency: bool
    week: tuple[tuple[int, int, str], ...]
    exceptions: int
    version: int
    since: datetime
    by: str
    below: int
    mine: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarsPage:
    """All hours of one's own, and whose could be set."""

    rows: tuple[CalendarLine, ...]
    territories: tuple[Choice, ...]
    agencies: tuple[Choice, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DayCell:
    """A day of a month. `kind` is a DayKind's value, `hours` as people write them, `changed`: the change concerns it."""

    number: int
    kind: str
    hours: str
    name: str
    changed: bool = False

    @property
    def off(self) -> bool:
        """Whether nobody works."""
        return not self.hours


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthView:
    """A month: weeks of seven cells, None outside it; its working days and hours."""

    first: date
    weeks: tuple[tuple[DayCell | None, ...], ...]
    days: int
    hours: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SpanRow:
    """A row of exceptions in the form, as it was written."""

    first: str = ""
    last: str = ""
    hours: str = ""
    name: str = ""
    drop: bool = False
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeftOutView:
    """An entry of a file that was not taken."""

    number: int
    name: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionLine:
    """A version kept, and what it changed against the one before; None of the first."""

    version: int
    since: datetime
    recorded_at: datetime
    by: str
    changed: Difference | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """What saving would do: the days of the next year that are worked otherwise, whose hours follow, and the last month's appeals."""

    difference: Difference
    days: tuple[ChangedDay, ...]
    more_days: int
    followers: tuple[str, ...]
    effect: EffectView | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarPage:
    """The hours of one scope. `inherited`: whose they are, "" when its own; `provisional`: years of which no decree is known.

    `seen` says of which values the preview is, so that what is saved was looked at.
    """

    name: str
    territory: int
    agency: int | None
    timezone: str
    inherited: str
    version: int
    mine: bool
    year: int
    years: tuple[int, ...]
    months: tuple[MonthView, ...]
    year_days: int
    year_hours: float
    provisional: bool
    week: tuple[str, ...]
    by_law: bool
    spans: tuple[SpanRow, ...]
    versions: tuple[VersionLine, ...]
    below: tuple[str, ...]
    left_out: tuple[LeftOutView, ...] = ()
    read: int | None = None
    """How many days off a file gave just now."""
    preview: Preview | None = None
    seen: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
