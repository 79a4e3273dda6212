"""What the pages of reports are given: plain frozen values. A picture is drawn from its table, so the two never differ."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from app.reports.measures import Definition
from app.reports.rules import Bucket
from app.web.ui.views import Choice


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure as it stands somewhere. `unit`: count, seconds or share (0 to 1). `href`: the list of appeals behind it, or empty.

    `few`: it rests on too few answers to compare; `over`: appeals past their deadline.
    """

    value: float | None
    unit: str
    href: str = ""
    few: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Against the period before: `by` is the difference, 0 for none; `was` is the figure then."""

    by: float
    was: float
    unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadFigure:
    """One of the large figures. `working`: the same by working time."""

    title: str
    shown: Shown
    change: Change | None = None
    working: Shown | None = None


@dataclass(frozen=True, slots=True)
class TrendRow:
    """One bucket: local days [start, end], and the one in the same place of the period before."""

    start: date
    end: date
    shown: Shown
    before: Shown


@dataclass(frozen=True, kw_only=True, slots=True)
class BinRow:
    """Answers of one length. `norm`: it ends with a norm, named so; parts are None where only the whole is known."""

    label: str
    answered: Shown
    in_time: int | None
    late: int | None
    norm: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """The distribution. `approximate`: it was read from sketches."""

    bins: tuple[BinRow, ...]
    approximate: bool
    working: bool
    other_href: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One agency in each slice."""

    label: str
    depth: int
    cells: tuple[Shown, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Heat:
    """Agencies by time; `cut`: there are more of them."""

    bucket: Bucket
    slices: tuple[tuple[date, date], ...]
    rows: tuple[HeatRow, ...]
    cut: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Tile:
    """One territory: its figure, and how many appeals it rests on."""

    label: str
    depth: int
    shown: Shown
    opened: Shown


@dataclass(frozen=True, kw_only=True, slots=True)
class TableColumn:
    """A column of the table, in words."""

    title: str
    unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TableRow:
    """A line of the table. `href` narrows the report to it, or is empty."""

    label: str
    cells: tuple[Shown, ...]
    depth: int = 0
    few: bool = False
    href: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead somewhere."""

    label: str
    href: str
    chosen: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportView:
    """The supervisor's page: one measure, in a period [since, until] of `zone`. Pictures that do not fit the measure are empty."""

    definition: Definition
    measures: tuple[Choice, ...]
    groupings: tuple[Choice, ...]
    since: date
    until: date
    kind: Bucket | None
    kinds: tuple[Link, ...]
    earlier: str
    later: str
    zone: ZoneInfo
    unfinished: bool
    kept: tuple[tuple[str, str], ...]
    """What the form of the period carries along."""
    narrowed: tuple[Link, ...]
    figures: tuple[HeadFigure, ...]
    before: tuple[date, date, Bucket | None]
    chief: str
    """The title of the figure that the pictures show, and its unit."""
    unit: str
    trend: tuple[TrendRow, ...]
    bucket: Bucket
    buckets: tuple[Link, ...]
    spread: Spread | None
    heat: Heat | None
    tiles: tuple[Tile, ...]
    columns: tuple[TableColumn, ...]
    rows: tuple[TableRow, ...]
    files: tuple[Link, ...]
    approvable: bool
    as_of: datetime
    small_below: int
    error: str = ""
    more: bool = False
    known_by: date | None = None
    """Only what was known by the end of this day is shown; `known_now` leads to all of it."""
    known_now: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class BehindLine:
    """One appeal behind a number. `number` empty: it may be counted and not opened."""

    number: str
    started_at: datetime
    due_at: datetime | None
    outcome: str
    spent_s: float | None
    working_s: float | None
    late: bool
    agency: str
    territory: str
    topic: str
    platform: str
    page: str
    cycle: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BehindView:
    """The list behind a number: `total` appeals, a page of which is shown."""

    title: str
    meaning: str
    definition: Definition
    total: int
    rows: tuple[BehindLine, ...]
    since: date
    until: date
    kind: Bucket | None
    zone: ZoneInfo
    as_of: datetime
    narrowed: tuple[str, ...]
    back: str
    next_href: str = ""
    file: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovedLine:
    """An approved report in a list."""

    href: str
    title: str
    since: date
    until: date
    kind: Bucket | None
    group_by: str
    approver: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeLine:
    """A figure that comes out otherwise today."""

    label: str
    total: bool
    figure: str
    then: Shown
    now: Shown


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovedView:
    """An approved report. `whole` False: what is stored is not what was signed. `today`: the same report now."""

    line: ApprovedLine
    definition: Definition
    zone: ZoneInfo
    digest: str
    whole: bool
    columns: tuple[TableColumn, ...]
    rows: tuple[TableRow, ...]
    changes: tuple[ChangeLine, ...]
    more_changes: int
    today: str
    files: tuple[Link, ...]
