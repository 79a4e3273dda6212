"""The XLSX file itself: read within bounds and without ever computing a formula; written so that no cell is one.

A file from outside may lie about its size, hold a million empty rows or unpack to gigabytes. What it may unpack to is
asked of its directory before anything is unpacked (zipfile gives no more than the directory says), its rows and columns
are cut where the table ends, and a document type, by which XML grows from nothing, is refused.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError  # the reader's own errors; nothing is parsed here

import xlsxwriter
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from app.exchange.incident.columns import SHAPES, Column
from app.exchange.incident.values import cell_text, folded
from app.exchange.table import LONGEST_CELL, Fault, Faults, ImportFaultsError, Line
from app.sources.rules import REPLACEMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

MOST_ROWS = 100_000
LARGEST_UNPACKED = 300_000_000
MOST_PARTS = 200
_WIDEST = 64
_HEADER_WITHIN = 10
_PROLOG = 65_536
LONGEST_WRITTEN = 32_767
"""What a cell of a workbook holds, in UTF-16 units."""
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_SHEET = "Инциденты"
_WIDE, _NARROW = 60, 20
_SAVE_AGAIN = "Open it in a spreadsheet program, save it as XLSX and try again."
_UNREADABLE = (
    InvalidFileException, ParseError, zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, IndexError, OSError,
    EOFError, NotImplementedError, OverflowError, RuntimeError,
)  # fmt: skip
"""What openpyxl raises on a file that is not what it says. RuntimeError: a part that is encrypted."""


def read_rows(data: bytes) -> list[Line]:
    """The rows below the header, cells as text by column name. Raises ImportFaultsError."""
    _check_archive(data)
    faults = Faults()
    try:
        with warnings.catch_warnings(), closing(_opened(data)) as book:
            warnings.simplefilter("ignore")  # of parts that are missed and not needed: styles, extensions
            lines = _lines(book.worksheets[0].iter_rows(max_row=MOST_ROWS + _HEADER_WITHIN + 1, max_col=_WIDEST), faults)
    except _UNREADABLE as error:
        raise _refused(f"The file is damaged ({type(error).__name__}). {_SAVE_AGAIN}") from error
    faults.stop()
    return lines


def _opened(data: bytes) -> Any:  # noqa: ANN401 - openpyxl carries no types
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)


def _check_archive(data: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > LARGEST_UNPACKED:
                raise _refused(f"The file unpacks to more than {LARGEST_UNPACKED // 1_000_000} MB, or to too many parts. Split it.")
            for part in parts:
                with archive.open(part) as content:
                    if b"<!DOCTYPE" in content.read(_PROLOG).replace(b"\0", b"").upper():
                        raise _refused(f"{part.filename} declares a document type, which no spreadsheet program writes. {_SAVE_AGAIN}")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as error:
        raise _refused(f"The file is no XLSX workbook. {_SAVE_AGAIN}") from error


def _refused(text: str) -> ImportFaultsError:
    return ImportFaultsError([Fault(line=1, text=text)])


def _lines(rows: Iterator[Sequence[Any]], faults: Faults) -> list[Line]:
    columns: dict[int, Column] | None = None
    lines: list[Line] = []
    for number, row in enumerate(rows, start=1):
        if all(cell.value is None for cell in row):  # a row far below has a hundred thousand such ones above it
            continue
        if columns is None:
            columns = _header(row) if number <= _HEADER_WITHIN else None
            if columns is not None:
                _check_header(number, columns, faults)
            continue
        line = Line(number=number, cells={column.value: _text(row[at], column, number, faults) for at, column in columns.items()})
        if any(line.cells.values()):
            lines.append(line)
        if len(lines) > MOST_ROWS:
            faults.add(number, f"There are more than {MOST_ROWS} incidents. Split the file, by months for example.")
            break
    if columns is None:
        faults.add(1, f"None of the first {_HEADER_WITHIN} rows names the columns «{Column.ID}» and «{Column.CREATED_AT}».")
    return lines


def _header(row: Sequence[Any]) -> dict[int, Column] | None:
    """Position → column, if this row is the header."""
    known = {folded(column.value): column for column in Column}
    found = {at: known[name] for at, cell in enumerate(row) if (name := folded(str(cell.value or ""))) in known}
    return found if {Column.ID, Column.CREATED_AT} <= set(found.values()) else None


def _check_header(number: int, columns: Mapping[int, Column], faults: Faults) -> None:
    there = list(columns.values())
    for column in Column:
        if column not in there:
            faults.add(number, f"The column «{column}» is missing: the file must have all {len(SHAPES)}, in any order.")
        elif there.count(column) > 1:
            faults.add(number, f"The column «{column}» is there twice. Keep one.")


def _text(cell: Any, column: Column, number: int, faults: Faults) -> str:  # noqa: ANN401 - openpyxl's cells
    if cell.value is None:
        return ""
    if cell.data_type == "f":
        faults.add(number, f"«{column}» holds a formula. Copy the table and paste it as values.")
        return ""
    if cell.data_type == "e":
        faults.add(number, f"«{column}» holds the error {cell.value}. Write what it should be, or empty it.")
        return ""
    text = cell_text(cell.value).strip()
    if len(text) > LONGEST_CELL:
        faults.add(number, f"«{column}» has {len(text)} characters, at most {LONGEST_CELL} are read. Shorten it.")
        return ""
    return text


@dataclass(kw_only=True, slots=True)
class Written:
    """How many rows a file got, and how many of its cells were cut since a workbook holds no longer ones."""

    rows: int = 0
    cut: int = 0


def write_rows(path: Path, rows: Iterable[Mapping[Column, str]]) -> Written:
    """Write the table. Every cell is a string, marked as one: no program takes it for a formula."""
    written = Written()
    with xlsxwriter.Workbook(str(path), {"constant_memory": True, "strings_to_urls": False}) as book:
        sheet = book.add_worksheet(_SHEET)
        bold, plain = book.add_format({"bold": True, "text_wrap": True}), book.add_format({"quote_prefix": True})
        for at, column in enumerate(SHAPES):
            sheet.set_column(at, at, _WIDE if column in {Column.TEXT, Column.ANSWER} else _NARROW)
        sheet.freeze_panes(1, 0)
        for at, column in enumerate(SHAPES):
            sheet.write_string(0, at, column.value, bold)
        for row in rows:
            written.rows += 1
            for at, column in enumerate(SHAPES):
                value = _UNWRITABLE.sub(REPLACEMENT, row.get(column, "")).strip()
                if len(value.encode("utf-16-le")) // 2 > LONGEST_WRITTEN:
                    value = value.encode("utf-16-le")[: 2 * (LONGEST_WRITTEN - 1)].decode("utf-16-le", "ignore") + "…"
                    written.cut += 1
                if value:
                    sheet.write_string(written.rows, at, value, plain)
    return written
