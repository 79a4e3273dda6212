"""From reports to what the supervisor's page shows: each number with the list behind it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from app.reports.behind import BEHIND
from app.reports.distribution import DAY, HOUR, MINUTE
from app.reports.measures import Unit
from app.reports.rules import SMALL_BELOW, Grouping
from app.web.ui.measure_views import BinRow, Change, HeadFigure, Heat, HeatRow, Shown, Spread, TableColumn, TableRow, Tile, TrendRow

if TYPE_CHECKING:
    from datetime import date

    from app.reports.approved import Change as Changed
    from app.reports.distribution import Distribution
    from app.reports.figures import Figures, Report, Row, Trend
    from app.reports.grid import Grid
    from app.reports.measures import Definition, Measure
    from app.web.ui.labels import Words
    from app.web.ui.report_query import Question

MOST_HEAT_ROWS, MOST_TILES = 40, 60
_OF_TIMES = ("average_s", "median_s", "p90_s", "in_time_share", "answered", "unanswered")
_COLUMNS_OF_TIMES = (
    "average_s", "working_average_s", "median_s", "p90_s", "in_time_share", "answered", "unanswered", "overdue", "oldest_unanswered_age_s",
)  # fmt: skip
_MOST_FIGURES = 6
# What a share is a share of.
_SHARE_OF = {
    "in_time_share": "in_time_of",
    "overdue_share": "waiting",
    "reopened_share": "answered",
    "repeated_share": "opened",
    "rated_share": "answered",
}
_LEAST_SEEN = {Unit.SECONDS: 180, Unit.SHARE: 0.005, Unit.COUNT: 0.5, Unit.MARK: 0.05}
"""A smaller difference is none to whoever reads hours with one decimal, and whole per cent."""


class _OfTree(Protocol):
    """A row with a depth."""

    @property
    def depth(self) -> int: ...


_Deep = TypeVar("_Deep", bound=_OfTree)


def _picked(definition: Definition, codes: tuple[str, ...]) -> list[Measure]:
    """These figures of the measure, in this order; of a measure without times all that it has."""
    by_code = {one.code: one for one in definition.measures}
    chosen = [by_code[code] for code in codes if code in by_code]
    return chosen if definition.has("average_s") else list(definition.measures)


def shown(
    question: Question,
    figures: Figures,
    measure: Measure,
    *,
    key: tuple[Grouping, str] | None = None,
    days: tuple[date, date] | None = None,
) -> Shown:
    """A figure with the list behind it; nothing stands behind nought."""
    value = getattr(figures, measure.code)
    behind = (
        question.behind(BEHIND[measure.code], key=key, days=days) if value is not None and (value or measure.unit is not Unit.COUNT) else ""
    )
    few = 0 < _rests_on(figures, measure) < SMALL_BELOW
    return Shown(value, measure.unit.value, behind, few=few, over=measure.code == "overdue" and bool(value))


def _rests_on(figures: Figures, measure: Measure) -> int:
    """On how many appeals a time or a share rests; 0 of what is no such figure."""
    if measure.unit is Unit.SHARE:
        return int(getattr(figures, _SHARE_OF.get(measure.code, ""), figures.opened + figures.dismissed))
    if measure.unit is Unit.MARK:
        return figures.rated
    return figures.answered if measure.unit is Unit.SECONDS and measure.code != "oldest_unanswered_age_s" else 0


def chief(definition: Definition) -> Measure:
    """The figure that the measure is about."""
    return next(one for one in definition.measures if one.code == definition.chief)


def head_figures(question: Question, now: Figures, before: Figures) -> tuple[HeadFigure, ...]:
    """The large figures, each beside the period before."""
    found = []
    working = {one.code: one for one in question.measure.measures if one.code.startswith("working_")}
    for measure in _picked(question.measure, _OF_TIMES)[:_MOST_FIGURES]:
        value, was = getattr(now, measure.code), getattr(before, measure.code)
        by = 0.0 if value is None or was is None else value - was
        seen = by if abs(by) >= _LEAST_SEEN[measure.unit] else 0.0
        change = None if value is None or was is None else Change(seen, was, measure.unit.value)
        beside = working.get(f"working_{measure.code}") if measure.code == question.measure.chief else None
        found.append(
            HeadFigure(
                title=measure.title, shown=shown(question, now, measure), change=change,
                working=None if beside is None or getattr(now, beside.code) is None else shown(question, now, beside),
            )
        )  # fmt: skip
    return tuple(found)


def trend_rows(question: Question, now: Trend, before: Trend, *, today: date) -> tuple[TrendRow, ...]:
    """Bucket by bucket; beside each the one in the same place of the period before. What has not come yet is no nought."""
    measure = chief(question.measure)
    rows = []
    for place, point in enumerate(now.points):
        days = (point.slice.start, point.slice.end)
        was = getattr(before.points[place], measure.code) if place < len(before.points) else None
        comes = Shown(None, measure.unit.value) if days[0] > today else shown(question, point, measure, days=days)
        rows.append(TrendRow(*days, comes, Shown(was, measure.unit.value)))
    return tuple(rows)


def spread(question: Question, found: Distribution, words: Words) -> Spread:
    """The bins, each with its answers."""
    rows = []
    for one in found.bins:
        bounds = {"over": one.over_s, "upto": one.upto_s}
        also = {name: str(value) for name, value in bounds.items() if value is not None} | ({"working": "1"} if found.working else {})
        href = question.behind("answered", also=also) if one.answered else ""
        norm = words("bin", "norm", {"time": _span(one.upto_s, words)}) if one.upto_s in found.norms and one.upto_s is not None else ""
        rows.append(
            BinRow(
                label=_bin(one.over_s, one.upto_s, words), answered=Shown(one.answered, "count", href), in_time=one.in_time, late=one.late,
                norm=norm,
            )
        )  # fmt: skip
    other = question.here(working="0" if found.working else "1")
    can = question.measure.has("working_average_s")
    return Spread(bins=tuple(rows), approximate=found.approximate, working=found.working, other_href=other if can else "")


def _bin(over: int | None, upto: int | None, words: Words) -> str:
    if over is None:
        return words("bin", "upto", {"to": _span(upto or 0, words)})
    if upto is None:
        return words("bin", "over", {"from": _span(over, words)})
    unit, size = _unit(upto)
    low = str(over // size) if over % size == 0 and _unit(over)[0] == unit else _span(over, words)
    return words("bin", "between", {"from": low, "to": _span(upto, words)})


def _unit(seconds: int) -> tuple[str, int]:
    for unit, size in (("d", DAY), ("h", HOUR)):
        if seconds >= size and seconds % size == 0:
            return unit, size
    return "min", MINUTE


def _span(seconds: int, words: Words) -> str:
    unit, size = _unit(seconds)
    return f"{round(seconds / size)}\u00a0{words('span_unit', unit)}"


def heat(question: Question, found: Grid, words: Words) -> Heat | None:
    """Agencies by time, the upper ones when there are too many to see. None when there is nothing to compare."""
    measure = chief(question.measure)
    kept = _upper(found.rows, MOST_HEAT_ROWS)
    if not kept or len(found.slices) < 2:  # noqa: PLR2004 - one column compares nothing
        return None
    days = [(part.start, part.end) for part in found.slices]
    rows = tuple(
        HeatRow(
            row.label if row.key is not None else words("nobody", found.group_by.value),
            row.depth,
            tuple(
                shown(question, cell, measure, key=(found.group_by, "" if row.key is None else str(row.key)), days=part)
                for part, cell in zip(days, row.cells, strict=True)
            ),
        )
        for row in kept
    )
    return Heat(bucket=found.bucket, slices=tuple(days), rows=rows, cut=len(kept) < len(found.rows))


def tiles(question: Question, report: Report, words: Words) -> tuple[Tile, ...]:
    """Territories; none when there is but one."""
    measure = chief(question.measure)
    opened = next((one for one in question.measure.measures if one.code in {"opened", "answered"}), measure)
    kept = _upper(report.rows, MOST_TILES)
    if len(kept) < 2:  # noqa: PLR2004 - one compares nothing
        return ()
    return tuple(
        Tile(
            label=row.label if row.key is not None else words("nobody", "territory"), depth=row.depth,
            shown=shown(question, row, measure, key=_key(report.group_by, row)),
            opened=shown(question, row, opened, key=_key(report.group_by, row)),
        )
        for row in kept
    )  # fmt: skip


def _upper(rows: tuple[_Deep, ...], most: int) -> list[_Deep]:
    """As many levels of a tree as fit; of one that is too wide its beginning."""
    kept = list(rows)
    depth = max((row.depth for row in rows), default=0)
    while len(kept) > most and depth > 0:
        depth -= 1
        kept = [row for row in rows if row.depth <= depth]
    return kept[:most]


def columns(definition: Definition) -> tuple[TableColumn, ...]:
    """The table's columns."""
    return tuple(TableColumn(title=one.title, unit=one.unit.value) for one in _picked(definition, _COLUMNS_OF_TIMES))


def table_rows(question: Question, report: Report, words: Words) -> tuple[TableRow, ...]:
    """The table's lines."""
    measures = _picked(question.measure, _COLUMNS_OF_TIMES)
    found = []
    for row in report.rows:
        key = _key(report.group_by, row)
        narrows = report.group_by not in {Grouping.PAGE, Grouping.OPERATOR} and key[1] and question.only.get(report.group_by) != key[1]
        found.append(
            TableRow(
                label=label_of(report.group_by, row, words),
                cells=tuple(shown(question, row, measure, key=key) for measure in measures),
                depth=row.depth,
                few=question.measure.has("average_s") and 0 < row.answered < SMALL_BELOW,
                href=question.here(**{key[0].value: key[1]}) if narrows else "",
            )
        )
    return tuple(found)


def frozen_rows(report: Report, words: Words) -> tuple[TableRow, ...]:
    """The lines of an approved report, the total last: nothing leads anywhere, since the appeals behind it have gone on."""
    measures = _picked(report.definition, _COLUMNS_OF_TIMES)
    lines = [(label_of(report.group_by, row, words), row.depth, row) for row in report.rows]
    return tuple(
        TableRow(
            label=label,
            cells=tuple(Shown(getattr(figures, one.code), one.unit.value) for one in measures),
            depth=depth,
            few=report.definition.has("average_s") and 0 < figures.answered < SMALL_BELOW,
        )
        for label, depth, figures in [*lines, ("", 0, report.total)]
    )


def told_changes(definition: Definition, changed: tuple[Changed, ...]) -> list[Changed]:
    """Those of the table's figures that a reader can see, the total's first. The API tells the others too."""
    codes = {one.code for one in _picked(definition, _COLUMNS_OF_TIMES)}
    seen = [
        one
        for one in changed
        if one.measure.code in codes and (one.then is None or one.now is None or abs(one.now - one.then) >= _LEAST_SEEN[one.measure.unit])
    ]
    return sorted(seen, key=lambda one: not one.total)


def _key(group_by: Grouping, row: Row) -> tuple[Grouping, str]:
    return group_by, "" if row.key is None else str(row.key)


def label_of(group_by: Grouping, row: Row, words: Words) -> str:
    """How a line is called."""
    if row.key is None:
        return words("nobody", group_by.value)
    if group_by is Grouping.PLATFORM:
        return words("platform", row.label or str(row.key))
    if group_by is Grouping.PAGE and row.platform:
        return f"{row.label} ({words('platform', row.platform)})"
    return row.label
