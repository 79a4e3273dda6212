"""A report as a file: CSV and Parquet for programs, XLSX for people.

The definition travels with it in each form, and no text is taken for a formula.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import xlsxwriter

from app.kernel.errors import UnsupportedError
from app.kernel.sheet import safe_cell
from app.reports.measures import Unit
from app.reports.tables import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

    from app.reports.tables import Cell, Sheet

_DAY = 86_400
_EPOCH = date(1970, 1, 1)
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR = 1900
"""Spreadsheets know no day before it."""
_MICROSECOND = timedelta(microseconds=1)
_WIDEST = 60
_PATTERNS: Mapping[Unit | Kind, str] = {
    Unit.COUNT: "0", Unit.SECONDS: "[h]:mm:ss", Unit.SHARE: "0.0%", Unit.MARK: "0.00",
    Kind.DAY: "yyyy-mm-dd", Kind.MOMENT: "yyyy-mm-dd hh:mm:ss",
}  # fmt: skip
_WIDTHS: Mapping[Unit | Kind, int] = {Kind.NAME: 40, Kind.MOMENT: 19, Kind.DAY: 11}
"""Where a spreadsheet's own are too narrow: of a moment it would show nothing but hashes."""


def as_csv(sheet: Sheet, *, local: bool = False) -> bytes:
    """UTF-8 with a mark, so that spreadsheets read Cyrillic. Times in seconds, shares from 0 to 1, empty where there is nothing.

    Moments are of UTC, and say so; `local`: by the sheet's clocks, as people's spreadsheets take them.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([column.code for column in sheet.columns])
    for line in sheet.lines:
        writer.writerow([_clock(cell, sheet, local=local) if isinstance(cell, datetime) else _plain(cell) for cell in line])
    writer.writerow([])
    for name, value in sheet.about:
        writer.writerow([safe_cell(name), safe_cell(value)])
    return out.getvalue().encode("utf-8-sig")


def _clock(value: datetime, sheet: Sheet, *, local: bool) -> str:
    return f"{value.astimezone(sheet.zone):%Y-%m-%d %H:%M:%S}" if local else value.astimezone(UTC).isoformat()


def _plain(value: Cell) -> str | int:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1 else f"{value:.3f}"
    return safe_cell(value if isinstance(value, str) else value.isoformat())


def as_xlsx(sheet: Sheet, *, tabs: Sequence[str] = ("Figures", "Definition")) -> bytes:
    """Real numbers: times as durations, shares as percentages, moments as dates; a second sheet says what they mean.

    The same report is the same bytes. `tabs`: what the two sheets are called.
    """
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"created": sheet.made_at.astimezone(UTC).replace(tzinfo=None)})
        made = {pattern: book.add_format({"num_format": pattern}) for pattern in _PATTERNS.values()}
        formats = {kind: made[_PATTERNS.get(kind, _PATTERNS[Unit.COUNT])] for kind in (*Unit, *Kind)}
        head = book.add_format({"bold": True, "text_wrap": True})
        figures = book.add_worksheet(tabs[0])
        figures.freeze_panes(1, 2)
        shown = [place for place, column in enumerate(sheet.columns) if column.kind not in {Kind.DEPTH, Kind.FLAG}]
        depth = next((place for place, column in enumerate(sheet.columns) if column.kind is Kind.DEPTH), None)
        for at, place in enumerate(shown):
            figures.write_string(0, at, sheet.columns[place].title, head)
            if (width := _WIDTHS.get(sheet.columns[place].kind)) is not None:
                figures.set_column(at, at, width)
        for number, line in enumerate(sheet.lines, start=1):
            for at, place in enumerate(shown):
                kind, indent = sheet.columns[place].kind, 0 if depth is None else int(line[depth] or 0)  # type: ignore[arg-type] # depths are numbers
                _write_cell(
                    figures, number, at, _of_spreadsheets(line[place], sheet, kind), indent if kind is Kind.NAME else 0, formats[kind]
                )
        _write_about(book.add_worksheet(tabs[1]), sheet)
    return out.getvalue()


def _write_cell(figures: Worksheet, line: int, at: int, value: Cell, indent: int, shape: Format) -> None:
    if isinstance(value, str):
        figures.write_string(line, at, "  " * indent + value)
    elif isinstance(value, date):
        figures.write_datetime(line, at, value, shape)
    elif value is not None:
        figures.write_number(line, at, value, shape)


def _of_spreadsheets(value: Cell, sheet: Sheet, kind: Unit | Kind) -> Cell:
    """Durations in days; moments by the sheet's clocks, to the second, and as text where a spreadsheet knows no such day."""
    if isinstance(value, datetime):
        local = value.astimezone(sheet.zone).replace(tzinfo=None, microsecond=0)
        return local if local.year >= _FIRST_YEAR else local.isoformat(sep=" ")
    return value / _DAY if kind is Unit.SECONDS and isinstance(value, int | float) else value


def _write_about(words: Worksheet, sheet: Sheet) -> None:
    for number, (name, told) in enumerate(sheet.about):
        words.write_string(number, 0, name)
        words.write_string(number, 1, told)
    words.set_column(0, 0, 28)
    words.set_column(1, 1, _WIDEST)


def as_parquet(sheet: Sheet) -> bytes:
    """Times as seconds in real numbers, counts as whole ones, days as dates, moments as such; the definition is the file's metadata.

    UnsupportedError `report.parquet` when the package's extra `parquet` is not installed.
    """
    try:
        from arro3.core import Array, DataType, Field, Schema, Table  # noqa: PLC0415 - an extra: absent in most installations
        from arro3.io import write_parquet  # noqa: PLC0415
    except ImportError:
        raise UnsupportedError(
            "report.parquet",
            "This installation writes no Parquet: its administrator can add it with pip install 'otklik[parquet]'. Ask for csv or xlsx.",
            field="format",
        ) from None
    types = {
        Unit.COUNT: DataType.int64(), Unit.SECONDS: DataType.float64(), Unit.SHARE: DataType.float64(), Unit.MARK: DataType.float64(),
        Kind.DEPTH: DataType.int64(), Kind.FLAG: DataType.bool(), Kind.DAY: DataType.int32(), Kind.TEXT: DataType.utf8(),
        Kind.NAME: DataType.utf8(), Kind.MOMENT: DataType.int64(),
    }  # fmt: skip
    casts: dict[Unit | Kind, DataType] = {Kind.DAY: DataType.date32(), Kind.MOMENT: DataType.timestamp("us", tz="UTC")}
    arrays: list[Any] = []
    fields: list[Any] = []
    for place, column in enumerate(sheet.columns):
        values = [_stored(line[place], column.kind) for line in sheet.lines]
        array = Array(values, types[column.kind])
        arrays.append(array.cast(casts[column.kind]) if column.kind in casts else array)
        fields.append(Field(column.code, arrays[-1].type, nullable=True, metadata={"title": column.title, "unit": column.kind.value}))
    out = _Open()
    table = Table.from_arrays(arrays, schema=Schema(fields))
    write_parquet(table, out, key_value_metadata=dict(sheet.about))
    return out.getvalue()


class _Open(io.BytesIO):
    """The writer closes what it is given; these bytes stay readable."""

    def close(self) -> None:
        """Not yet."""


def _stored(value: Cell, kind: Unit | Kind) -> object:
    if value is None:
        return None
    if isinstance(value, datetime):
        return (value - _BEGINNING) // _MICROSECOND
    if isinstance(value, date):
        return (value - _EPOCH).days
    return float(value) if kind in {Unit.SECONDS, Unit.SHARE, Unit.MARK} else value
