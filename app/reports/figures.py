"""What a report gives: plain frozen values, the same for screen, API, export and command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.reports.rules import SMALL_BELOW, Bucket, Grouping, Period, Slice

if TYPE_CHECKING:
    from datetime import datetime

    from app.reports.measures import Definition


@dataclass(kw_only=True, slots=True, unsafe_hash=True)
class Figures:
    """One line of figures; `measures.py` says what each means. Times in seconds, None without answers.

    Not frozen, and nobody changes it: a report makes hundreds, and freezing takes most of the time of making one.

    opened = answered + unanswered; answered = in_time + late + unpromised; unanswered = waiting + closed_unanswered.
    `dismissed` lie outside `opened`, and are counted only where they are asked for.
    """

    opened: int = 0
    answered: int = 0
    in_time: int = 0
    late: int = 0
    unpromised: int = 0
    waiting: int = 0
    overdue: int = 0
    closed_unanswered: int = 0
    reopened: int = 0
    repeated: int = 0
    dismissed: int = 0
    mark_1: int = 0
    mark_2: int = 0
    mark_3: int = 0
    mark_4: int = 0
    mark_5: int = 0
    oldest_unanswered_age_s: float | None = None
    average_s: float | None = None
    median_s: float | None = None
    p90_s: float | None = None
    p99_s: float | None = None
    working_average_s: float | None = None
    working_median_s: float | None = None
    working_p90_s: float | None = None
    working_p99_s: float | None = None

    @property
    def unanswered(self) -> int:
        """Those that wait and those closed without an answer."""
        return self.waiting + self.closed_unanswered

    @property
    def in_time_of(self) -> int:
        """How many promises have their fate decided: answered, overdue, or closed without an answer."""
        return self.in_time + self.late + self.overdue + self.closed_unanswered

    @property
    def in_time_share(self) -> float | None:
        """0 to 1; None while nothing is decided."""
        return self.in_time / self.in_time_of if self.in_time_of else None

    @property
    def overdue_share(self) -> float | None:
        """0 to 1: of those that wait, how many are past their deadline; None when nobody waits."""
        return self.overdue / self.waiting if self.waiting else None

    @property
    def reopened_share(self) -> float | None:
        """0 to 1, of those answered."""
        return self.reopened / self.answered if self.answered else None

    @property
    def repeated_share(self) -> float | None:
        """0 to 1, of all that count."""
        return self.repeated / self.opened if self.opened else None

    @property
    def dismissed_share(self) -> float | None:
        """0 to 1, of all that came, the dismissed ones among them."""
        came = self.opened + self.dismissed
        return self.dismissed / came if came else None

    @property
    def rated(self) -> int:
        """How many answers were marked."""
        return self.mark_1 + self.mark_2 + self.mark_3 + self.mark_4 + self.mark_5

    @property
    def rating(self) -> float | None:
        """The mean mark, 1 to 5; None where nobody marked."""
        total = self.mark_1 + 2 * self.mark_2 + 3 * self.mark_3 + 4 * self.mark_4 + 5 * self.mark_5
        return total / self.rated if self.rated else None

    @property
    def rated_share(self) -> float | None:
        """0 to 1, of those answered."""
        return self.rated / self.answered if self.answered else None

    @property
    def small_number(self) -> bool:
        """Whether the times rest on too few answers to compare."""
        return self.answered < SMALL_BELOW


@dataclass(kw_only=True, slots=True, unsafe_hash=True)
class Row(Figures):
    """One group. `key` is an id, or a platform's code; None holds what belongs to no group of this kind.

    In agencies, territories and topics a row holds all below it as well: rows of depth 0 add up to the total, deeper
    ones do not. `parent_key` is the nearest shown row above. `platform` is set for pages.
    """

    key: int | str | None
    label: str = ""
    parent_key: int | None = None
    depth: int = 0
    platform: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """The report. `as_of` is the moment whose knowledge it shows, `ages_at` the one at which ages were taken."""

    definition: Definition
    period: Period
    group_by: Grouping
    as_of: datetime | None
    ages_at: datetime
    rows: tuple[Row, ...]
    total: Figures
    next_cursor: str | None = None
    small_below: int = SMALL_BELOW
    approximate: bool = False
    """Percentiles were read from sketches: they are within 1 %. All other figures are exact."""

    @property
    def time_zone(self) -> str:
        """The zone by which days begin and end."""
        return self.period.tz


@dataclass(kw_only=True, slots=True, unsafe_hash=True)
class TrendPoint(Figures):
    """The figures of one bucket; all zeros when nobody wrote."""

    slice: Slice


@dataclass(frozen=True, kw_only=True, slots=True)
class Trend:
    """The figures bucket by bucket, every bucket of the period present."""

    definition: Definition
    period: Period
    bucket: Bucket
    as_of: datetime | None
    ages_at: datetime
    points: tuple[TrendPoint, ...]
    total: Figures
    approximate: bool = False
