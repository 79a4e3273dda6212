"""The pages of reports as templates are given them, with hostile names."""

from __future__ import annotations

from datetime import date

from app.reports.measures import FIRST_ANSWER
from app.reports.rules import Bucket
from app.web.ui.measure_views import (
    ApprovedLine,
    ApprovedView,
    BehindLine,
    BehindView,
    BinRow,
    Change,
    ChangeLine,
    HeadFigure,
    Heat,
    HeatRow,
    Link,
    ReportView,
    Shown,
    Spread,
    TableColumn,
    TableRow,
    Tile,
    TrendRow,
)
from app.web.ui.views import Choice
from tests.web.screen_bits import HOSTILE, NOW, ZONE, ago


def report(*, empty: bool = False) -> ReportView:
    """The supervisor's page with every picture; names are hostile, a line has few answers, another none."""
    few, none, late = Shown(15_300.5, "seconds", "/reports/appeals?a=1&b=2", few=True), Shown(None, "seconds"), Shown(3, "count", over=True)
    days = (date(2026, 2, 2), date(2026, 2, 8))
    return ReportView(
        definition=FIRST_ANSWER,
        measures=(Choice(value="first-answer", label="Time to first answer", chosen=True),),
        groupings=(Choice(value="agency", label="Ведомство", chosen=True),),
        since=date(2026, 2, 1),
        until=date(2026, 2, 28),
        kind=Bucket.MONTH,
        kinds=(Link("Месяц", "/reports?from=2026-02-01", chosen=True),),
        earlier="/reports?from=2026-01-01",
        later="" if empty else "/reports?from=2026-03-01",
        zone=ZONE,
        unfinished=not empty,
        kept=(("agency", HOSTILE),),
        narrowed=(Link(HOSTILE, "/reports"),),
        figures=(
            HeadFigure(title="Average", shown=few, change=Change(-3_600, 18_900, "seconds"), working=Shown(5_100, "seconds")),
            HeadFigure(title="In time", shown=Shown(0.9, "share"), change=Change(0.1, 0.8, "share")),
            HeadFigure(title="Overdue", shown=late, change=Change(0, 3, "count")),
            HeadFigure(title="Median", shown=none),
        ),
        before=(date(2026, 1, 1), date(2026, 1, 31), Bucket.MONTH),
        chief="Average",
        unit="seconds",
        trend=() if empty else (TrendRow(*days, few, none), TrendRow(*days, none, few)),
        bucket=Bucket.WEEK,
        buckets=(Link("по дням", "/reports?bucket=day"), Link("по неделям", "/reports", chosen=True)),
        spread=None
        if empty
        else Spread(
            bins=(
                BinRow(label="до 1 ч", answered=Shown(3, "count", "/reports/appeals"), in_time=3, late=0, norm="норматив 1 ч"),
                BinRow(label="более 1 ч", answered=Shown(0, "count"), in_time=None, late=None),
            ),
            approximate=True,
            working=False,
            other_href="/reports?working=1",
        ),
        heat=None if empty else Heat(bucket=Bucket.WEEK, slices=(days, days), rows=(HeatRow(HOSTILE, 1, (few, none)),), cut=True),
        tiles=() if empty else (Tile(label=HOSTILE, depth=0, shown=few, opened=late), Tile(label="Нет", depth=5, shown=none, opened=late)),
        columns=(TableColumn(title="Average", unit="seconds"),),
        rows=()
        if empty
        else (TableRow(label=HOSTILE, cells=(few,), few=True, href="/reports?agency=1"), TableRow(label="Нет", cells=(none,))),
        files=(Link("XLSX", "/api/v1/reports/first-answer?format=xlsx"),),
        approvable=not empty,
        as_of=NOW,
        small_below=5,
        more=True,
    )


def behind(*, empty: bool = False) -> BehindView:
    """The appeals behind a number: late, waiting, and one that may only be counted."""
    line = {
        "number": "482913077", "started_at": ago(30), "due_at": ago(6), "outcome": "", "spent_s": 108_000.0, "working_s": None,
        "late": True, "agency": HOSTILE, "territory": HOSTILE, "topic": HOSTILE, "platform": "vk", "page": HOSTILE, "cycle": 1,
    }  # fmt: skip
    others = ({"number": "", "outcome": "с опозданием"}, {"late": False, "spent_s": None, "cycle": 2}, {"working_s": 60.0})
    return BehindView(
        title="Overdue",
        meaning="Waiting appeals whose deadline has passed.",
        definition=FIRST_ANSWER,
        total=0 if empty else 1234,
        rows=() if empty else tuple(BehindLine(**(line | other)) for other in ({}, *others)),  # type: ignore[arg-type] # fields of a test's line
        since=date(2026, 2, 1),
        until=date(2026, 2, 28),
        kind=None,
        zone=ZONE,
        as_of=NOW,
        narrowed=(HOSTILE,),
        back="/reports?a=1&b=2",
        next_href="" if empty else "/reports/appeals?cursor=1",
        file="/api/v1/reports/first-answer/appeals?format=xlsx",
    )


def approved_line() -> ApprovedLine:
    """One of the list."""
    return ApprovedLine(
        href="/reports/approved/7", title="Time to first answer", since=date(2026, 2, 1), until=date(2026, 2, 28), kind=Bucket.MONTH,
        group_by="Ведомство", approver=HOSTILE, at=ago(5),
    )  # fmt: skip


def approved(*, changed: bool) -> ApprovedView:
    """An approved report; `changed`: something came out otherwise, and the stored is not what was signed."""
    then, now = Shown(3, "count"), Shown(4_000, "seconds")
    changes = (
        ChangeLine(label=HOSTILE, total=False, figure="Answered", then=then, now=Shown(None, "count")),
        ChangeLine(label="", total=True, figure="Average", then=now, now=now),
    )
    return ApprovedView(
        line=approved_line(),
        definition=FIRST_ANSWER,
        zone=ZONE,
        digest="0f" * 32,
        whole=not changed,
        columns=(TableColumn(title="Answered", unit="count"),),
        rows=(TableRow(label=HOSTILE, cells=(then,), few=True), TableRow(label="", cells=(then,))),
        changes=changes if changed else (),
        more_changes=3 if changed else 0,
        today="/reports?a=1&b=2",
        files=(Link("XLSX", "/api/v1/reports/approved/7?format=xlsx"),),
    )
