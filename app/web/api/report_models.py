"""The shapes of reports by API."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field

from app.reports.rules import SMALL_BELOW, Bucket, Grouping
from app.web.api.models import Told


class FiguresOut(Told):
    """One line of figures; times in seconds, null without answers."""

    opened: int
    answered: int
    in_time: int
    late: int
    unpromised: int
    unanswered: int
    waiting: int
    overdue: int
    closed_unanswered: int
    reopened: int
    repeated: int
    dismissed: int
    rated: int
    mark_1: int
    mark_2: int
    mark_3: int
    mark_4: int
    mark_5: int
    oldest_unanswered_age_s: float | None
    average_s: float | None
    median_s: float | None
    p90_s: float | None
    p99_s: float | None
    working_average_s: float | None
    working_median_s: float | None
    working_p90_s: float | None
    working_p99_s: float | None
    in_time_share: float | None = Field(description="0 to 1, of those whose fate is decided")
    overdue_share: float | None
    reopened_share: float | None
    repeated_share: float | None
    dismissed_share: float | None
    rating: float | None = Field(description="The mean mark, 1 to 5")
    rated_share: float | None
    small_number: bool = Field(description="Too few answers to compare")


class RowOut(FiguresOut):
    """One group. Rows of depth 0 add up to the total; deeper ones are parts of the row above."""

    key: int | str | None = Field(description="An id, or a platform; null for what belongs to no group")
    label: str
    parent_key: int | None
    depth: int
    platform: str | None


class MeasureOut(Told):
    """What a figure means."""

    code: str
    title: str
    meaning: str
    unit: str


class DefinitionOut(Told):
    """What is counted, from when to when."""

    code: str
    title: str
    population: str
    clock: str
    attribution: str
    chief: str = Field(description="The figure that the measure is about")
    measures: list[MeasureOut]


class PointOut(FiguresOut):
    """The figures of one bucket: local days, both included."""

    period_from: date = Field(serialization_alias="from")
    period_to: date = Field(serialization_alias="to")


class PreviousOut(BaseModel):
    """The total of the period before: the month before a month, else as many days."""

    period_from: date = Field(serialization_alias="from")
    period_to: date = Field(serialization_alias="to")
    total: FiguresOut


class ReportOut(BaseModel):
    """The report with its definition. `points` instead of rows when a bucket was asked for."""

    period_from: date = Field(serialization_alias="from")
    period_to: date = Field(serialization_alias="to")
    time_zone: str
    group_by: Grouping | None
    bucket: Bucket | None = None
    as_of: datetime | None
    ages_at: datetime
    small_below: int = SMALL_BELOW
    approximate: bool = Field(description="Percentiles are within 1 %; all else is exact")
    rows: list[RowOut] = []
    points: list[PointOut] = []
    total: FiguresOut
    previous: PreviousOut | None = None
    next: str | None = None
    definition: DefinitionOut


class HeadOut(BaseModel):
    """What every report says of itself."""

    period_from: date = Field(serialization_alias="from")
    period_to: date = Field(serialization_alias="to")
    time_zone: str
    as_of: datetime | None
    ages_at: datetime
    small_below: int = SMALL_BELOW
    definition: DefinitionOut


class BinOut(Told):
    """Answers that took longer than `over_s` and at most `upto_s` seconds; null is the beginning, or however long."""

    over_s: int | None
    upto_s: int | None
    answered: int
    in_time: int | None = Field(description="The parts are null where the report is approximate")
    late: int | None
    unpromised: int | None


class DistributionOut(HeadOut):
    """How long answers took. `norms_s`: the terms that held in the period and are counted in the same kind of time."""

    working: bool = Field(description="By working time; else by the calendar")
    approximate: bool = Field(description="Answers within 2 % of a cut may stand on its other side; else exact")
    answered: int
    bins: list[BinOut]
    norms_s: list[int]


class SliceOut(Told):
    """Local days, both included."""

    start: date = Field(serialization_alias="from")
    end: date = Field(serialization_alias="to")


class GridRowOut(Told):
    """One node with all below it; a cell for each slice. Percentiles are null: a grid has none."""

    key: int | None
    label: str
    parent_key: int | None
    depth: int
    cells: list[FiguresOut]


class GridOut(HeadOut):
    """Nodes by time. In each slice the rows of depth 0 add up to the total."""

    group_by: Grouping
    bucket: Bucket
    slices: list[SliceOut]
    rows: list[GridRowOut]
    total: list[FiguresOut]


class BehindRowOut(Told):
    """One appeal in one cycle; `number` is null where you may count it and not open it. Seconds are those of the measure's clock."""

    number: int | None
    cycle: int
    started_at: datetime
    due_at: datetime | None
    stopped_at: datetime | None
    outcome: str | None = Field(description="met, late, unpromised, unanswered, cancelled; null while it waits")
    elapsed_s: int | None
    working_s: int | None
    dismissed: bool
    platform: str
    agency: str | None
    territory: str | None
    topic: str | None
    page: str | None


class ListingOut(HeadOut):
    """The appeals behind a number: `total` is that number."""

    figure: str
    total: int
    rows: list[BehindRowOut]
    next: str | None
