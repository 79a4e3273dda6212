"""A report as a file: CSV for programs, XLSX for people. The definition travels with it; no text of ours is taken for a formula."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import xlsxwriter

from app.kernel.sheet import safe_cell
from app.reports.measures import Unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from app.reports.figures import Figures, Report, Row
    from app.reports.measures import Definition

_DAY = 86_400
_WIDEST = 60


def _lines(report: Report) -> Iterator[tuple[str, str, Figures]]:
    for row in report.rows:
        yield _key(row), row.label or _key(row), row
    yield "total", "", report.total


def _key(row: Row) -> str:
    return "" if row.key is None else str(row.key)


def as_csv(report: Report) -> bytes:
    """UTF-8 with a mark, so that spreadsheets read Cyrillic. Times in seconds, shares from 0 to 1, empty where there is nothing."""
    codes = [measure.code for measure in report.definition.measures]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["key", "label", "depth", *codes, "small_number"])
    for key, label, figures in _lines(report):
        values = [_number(getattr(figures, code)) for code in codes]
        writer.writerow([safe_cell(key), safe_cell(label), getattr(figures, "depth", ""), *values, "yes" if figures.small_number else "no"])
    writer.writerow([])
    for name, value in about(report, str):
        writer.writerow([safe_cell(name), safe_cell(value)])
    return out.getvalue().encode("utf-8-sig")


def _number(value: float | None) -> str | int:
    if value is None:
        return ""
    return value if isinstance(value, int) else f"{value:.6g}" if abs(value) < 1 else f"{value:.3f}"


def about(report: Report, word: Callable[[str], str]) -> list[tuple[str, str]]:
    """What must stand beside the figures. `word` translates."""
    definition = report.definition
    told = [
        ("measure", word(definition.title)),
        ("population", word(definition.population)),
        ("clock", word(definition.clock)),
        ("attribution", word(definition.attribution)),
        ("from", report.period.start.isoformat()),
        ("to", report.period.end.isoformat()),
        ("time_zone", report.time_zone),
        ("as_of", "" if report.as_of is None else report.as_of.isoformat()),
        ("ages_at", report.ages_at.isoformat()),
        ("percentiles", "within 1 %" if report.approximate else "exact"),
        ("small_below", str(report.small_below)),
    ]
    return told + [(measure.code, f"{word(measure.title)}. {word(measure.meaning)}") for measure in definition.measures]


def as_xlsx(report: Report, word: Callable[[str], str] = str) -> bytes:
    """Real numbers: times as durations, shares as percentages; a second sheet says what they mean."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        formats = {
            Unit.COUNT: book.add_format({"num_format": "0"}),
            Unit.SECONDS: book.add_format({"num_format": "[h]:mm:ss"}),
            Unit.SHARE: book.add_format({"num_format": "0.0%"}),
        }
        head = book.add_format({"bold": True, "text_wrap": True})
        sheet = book.add_worksheet("Figures")
        sheet.freeze_panes(1, 2)
        for column, title in enumerate(_titles(report.definition, word)):
            sheet.write_string(0, column, title, head)
        for number, (key, label, figures) in enumerate(_lines(report), start=1):
            sheet.write_string(number, 0, key)
            sheet.write_string(number, 1, "  " * int(getattr(figures, "depth", 0)) + label)
            for column, measure in enumerate(report.definition.measures, start=2):
                value: Any = getattr(figures, measure.code)
                if value is not None:
                    sheet.write_number(number, column, value / _DAY if measure.unit is Unit.SECONDS else value, formats[measure.unit])
        sheet.set_column(1, 1, 40)
        words = book.add_worksheet("Definition")
        for number, (name, value) in enumerate(about(report, word)):
            words.write_string(number, 0, name)
            words.write_string(number, 1, value)
        words.set_column(0, 0, 28)
        words.set_column(1, 1, _WIDEST)
    return out.getvalue()


def _titles(definition: Definition, word: Callable[[str], str]) -> Sequence[str]:
    return ["key", "label", *(word(measure.title) for measure in definition.measures)]
