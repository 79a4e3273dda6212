"""Reports as sheets of columns and lines, whatever their shape, with what must stand beside them. Pure.

`export.py` makes files of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING

from app.reports.measures import Definition, Unit
from app.reports.rules import SMALL_BELOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from app.reports.behind import Listing
    from app.reports.distribution import Distribution
    from app.reports.figures import Figures, Report, Trend
    from app.reports.grid import Grid
    from app.reports.rules import Period

Cell = str | int | float | bool | date | datetime | None
Word = Callable[[str], str]
"""Translates a msgid."""
TOTAL, PREVIOUS = "total", "previous"


class Kind(StrEnum):
    """What a column holds that is no figure. `NAME` is indented by `DEPTH` where people read it."""

    TEXT = "text"
    NAME = "name"
    DAY = "day"
    MOMENT = "moment"
    DEPTH = "depth"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class Column:
    """`code` is for programs and never changes; `title` is for people."""

    code: str
    title: str
    kind: Unit | Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """`name` is the file's, without an ending. `about`: the definition, name by name. `made_at`: the moment of the figures.

    `zone`: the one whose clocks spreadsheets show, which know no zones.
    """

    name: str
    columns: tuple[Column, ...]
    lines: tuple[tuple[Cell, ...], ...]
    about: tuple[tuple[str, str], ...]
    made_at: datetime
    zone: tzinfo = UTC


_KEYED = (Column("key", "key", Kind.TEXT), Column("label", "label", Kind.NAME), Column("depth", "depth", Kind.DEPTH))
_DAYS = (Column("from", "from", Kind.DAY), Column("to", "to", Kind.DAY))
_SMALL = Column("small_number", "small_number", Kind.FLAG)


def of_report(report: Report, word: Word = str, *, previous: Report | Trend | None = None) -> Sheet:
    """A line for each group, the total last; after it that of the period before, when it is asked for."""
    definition = report.definition
    before = "" if previous is None else f"{previous.period.start.isoformat()} – {previous.period.end.isoformat()}"
    lines = [(_key(row.key), row.label or _key(row.key), row.depth, *_values(definition, row)) for row in report.rows]
    return Sheet(
        name=_name(definition, report.period),
        columns=(*_KEYED, *_figures(definition, word), _SMALL),
        lines=(
            *lines,
            (TOTAL, "", None, *_values(definition, report.total)),
            *(() if previous is None else [(PREVIOUS, before, None, *_values(definition, previous.total))]),
        ),
        about=tuple(about(definition, report.period, report.as_of, report.ages_at, approximate=report.approximate, word=word)),
        made_at=report.ages_at,
    )


def of_trend(trend: Trend, word: Word = str, *, previous: Report | Trend | None = None) -> Sheet:
    """A line for each bucket, in order; no total: the period is told beside.

    That of the period before is the last line, when it is asked for; `key` then tells it from the others.
    """
    lines: list[tuple[Cell, ...]] = [(one.slice.start, one.slice.end, *_values(trend.definition, one)) for one in trend.points]
    keyed: tuple[Column, ...] = ()
    if previous is not None:
        before = (previous.period.start, previous.period.end, *_values(trend.definition, previous.total))
        keyed, lines = _KEYED[:1], [*(("", *line) for line in lines), (PREVIOUS, *before)]
    return Sheet(
        name=f"{_name(trend.definition, trend.period)}-by-{trend.bucket.value}",
        columns=(*keyed, *_DAYS, *_figures(trend.definition, word), _SMALL),
        lines=tuple(lines),
        about=tuple(about(trend.definition, trend.period, trend.as_of, trend.ages_at, approximate=trend.approximate, word=word)),
        made_at=trend.ages_at,
    )


def of_grid(grid: Grid, word: Word = str) -> Sheet:
    """A line for each cell, row by row, the totals last. No percentiles: a grid has none."""
    measures = [one for one in grid.definition.measures if one.code not in PERCENTILES]
    codes = [one.code for one in measures]

    def lines() -> Iterator[tuple[Cell, ...]]:
        for row in grid.rows:
            for part, cell in zip(grid.slices, row.cells, strict=True):
                yield (_key(row.key), row.label or _key(row.key), row.depth, part.start, part.end, *_of(codes, cell), cell.small_number)
        for part, cell in zip(grid.slices, grid.total, strict=True):
            yield (TOTAL, "", None, part.start, part.end, *_of(codes, cell), cell.small_number)

    return Sheet(
        name=f"{_name(grid.definition, grid.period)}-{grid.group_by.value}-by-{grid.bucket.value}",
        columns=(*_KEYED, *_DAYS, *(Column(one.code, word(one.title), one.unit) for one in measures), _SMALL),
        lines=tuple(lines()),
        about=tuple(about(grid.definition, grid.period, grid.as_of, grid.ages_at, word=word, without=PERCENTILES)),
        made_at=grid.ages_at,
    )


def of_distribution(found: Distribution, word: Word = str) -> Sheet:
    """A line for each bin: answers that took longer than `over_s` and at most `upto_s` seconds."""
    counts = ("answered", "in_time", "late", "unpromised")
    titles = {one.code: word(one.title) for one in found.definition.measures}
    return Sheet(
        name=f"{_name(found.definition, found.period)}-distribution",
        columns=(
            Column("over_s", "over_s", Unit.SECONDS),
            Column("upto_s", "upto_s", Unit.SECONDS),
            *(Column(code, titles.get(code, code), Unit.COUNT) for code in counts),
        ),
        lines=tuple((one.over_s, one.upto_s, *(getattr(one, code) for code in counts)) for one in found.bins),
        about=(
            *about(found.definition, found.period, found.as_of, found.ages_at, approximate=found.approximate, word=word),
            ("time", "working" if found.working else "calendar"),
            ("norms_s", ", ".join(map(str, found.norms))),
        ),
        made_at=found.ages_at,
    )


def of_listing(found: Listing, definition: Definition, *, figure: str, period: Period, as_of: datetime | None, ages_at: datetime) -> Sheet:
    """A line for each appeal behind a number, as far as the page goes."""
    columns = (
        Column("number", "number", Kind.TEXT),
        Column("cycle", "cycle", Unit.COUNT),
        *(Column(name, name, Kind.MOMENT) for name in ("started_at", "due_at", "stopped_at")),
        Column("outcome", "outcome", Kind.TEXT),
        Column("elapsed_s", "elapsed_s", Unit.SECONDS),
        Column("working_s", "working_s", Unit.SECONDS),
        *(Column(name, name, Kind.TEXT) for name in ("platform", "agency", "territory", "topic", "page")),
    )
    return Sheet(
        name=f"{_name(definition, period)}-{figure}",
        columns=columns,
        lines=tuple(tuple(_told(getattr(row, column.code), column.kind) for column in columns) for row in found.rows),
        about=(*about(definition, period, as_of, ages_at, word=str), ("figure", figure), ("total", str(found.total))),
        made_at=ages_at,
        zone=period.zone,
    )


PERCENTILES = frozenset(f"{time}{what}" for time in ("", "working_") for what in ("median_s", "p90_s", "p99_s"))


def about(
    definition: Definition,
    period: Period,
    as_of: datetime | None,
    ages_at: datetime,
    *,
    approximate: bool = False,
    word: Word,
    without: Iterable[str] = (),
) -> Iterator[tuple[str, str]]:
    """What must stand beside the figures."""
    yield "measure", word(definition.title)
    yield "population", word(definition.population)
    yield "clock", word(definition.clock)
    yield "attribution", word(definition.attribution)
    yield "from", period.start.isoformat()
    yield "to", period.end.isoformat()
    yield "time_zone", period.tz
    yield "as_of", "" if as_of is None else as_of.isoformat()
    yield "ages_at", ages_at.isoformat()
    yield "percentiles", "within 1 %" if approximate else "exact"
    yield "small_below", str(SMALL_BELOW)
    left_out = frozenset(without)
    for measure in definition.measures:
        if measure.code not in left_out:
            yield measure.code, f"{word(measure.title)}. {word(measure.meaning)}"


def _name(definition: Definition, period: Period) -> str:
    return f"{definition.code}-{period.start.isoformat()}-{period.end.isoformat()}"


def _key(key: int | str | None) -> str:
    return "" if key is None else str(key)


def _figures(definition: Definition, word: Word) -> Iterator[Column]:
    for one in definition.measures:
        yield Column(one.code, word(one.title), one.unit)


def _values(definition: Definition, figures: Figures) -> tuple[Cell, ...]:
    return (*_of([one.code for one in definition.measures], figures), figures.small_number)


def _of(codes: Iterable[str], figures: Figures) -> tuple[Cell, ...]:
    return tuple(getattr(figures, code) for code in codes)


def _told(value: object, kind: Unit | Kind) -> Cell:
    return str(value) if kind is Kind.TEXT and value is not None else value  # type: ignore[return-value] # a number or a moment
