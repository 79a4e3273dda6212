"""CSV files as people save them: BOM or not, commas or semicolons, UTF-8, UTF-16 or the Russian Windows code page.

A file is read and checked as a whole. Every fault is told with its line and what to do; nothing is half imported.
"""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.kernel.errors import InvalidError
from app.kernel.sheet import plain_cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGEST_FILE = 50_000_000
LONGEST_CELL = 100_000
MOST_FAULTS = 200
_DELIMITERS = (",", ";", "\t")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_ENCODING_HELP = "Save it as «CSV UTF-8» and try again."


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What is wrong in which line (1 is the header), and what to do."""

    line: int
    text: str


class ImportFaultsError(InvalidError):
    """The file was not imported; `faults` holds all that must be mended."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        listed = tuple(sorted(faults, key=lambda fault: fault.line))
        count = f"{len(listed)} fault{'s' if len(listed) > 1 else ''}"
        super().__init__("import.faults", f"Nothing was imported: {count}. Line {listed[0].line}: {listed[0].text}", count=len(listed))
        self.faults = listed


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One row: its number in the file and its cells by column, stripped; a column that the file lacks is ''."""

    number: int
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


@dataclass(kw_only=True, slots=True)
class Faults:
    """Collects what is wrong, up to a bound."""

    found: list[Fault] = field(default_factory=list)

    def add(self, line: Line | int, text: str) -> None:
        """Note a fault."""
        if len(self.found) < MOST_FAULTS:
            self.found.append(Fault(line=line if isinstance(line, int) else line.number, text=text))

    def stop(self) -> None:
        """Raise ImportFaultsError if anything was noted."""
        if self.found:
            raise ImportFaultsError(self.found)


def read_table(data: bytes, *, required: Sequence[str], optional: Sequence[str] = ()) -> list[Line]:
    """The rows of a file with these columns. Raises ImportFaultsError."""
    faults = Faults()
    if len(data) > LARGEST_FILE:
        raise ImportFaultsError([Fault(line=1, text=f"The file is larger than {LARGEST_FILE // 1_000_000} MB. Split it.")])
    rows = _rows(decode(data), faults)
    faults.stop()
    number, header = next(rows, (1, []))
    columns = _columns(number, header, required, optional, faults)
    faults.stop()
    lines = []
    for number, cells in rows:
        if len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
            faults.add(
                number, f"There are {len(cells)} cells, the header has {len(columns)}. Put a cell with a comma or semicolon in quotes."
            )
            continue
        line = Line(number=number, cells={name: plain_cell(cell.strip()) for name, cell in zip(columns, cells, strict=False)})
        if not any(line.cells.values()):
            continue
        _check_cells(line, faults)
        lines.append(line)
    faults.stop()
    return lines


def decode(data: bytes) -> str:
    """The text of a file. Raises ImportFaultsError when its encoding is none of those that we know."""
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return _decoded(data[len(bom) :], encoding)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1251", "replace")
    letters = [char for char in text if not char.isascii() and char.isalpha()]
    russian = sum("а" <= char.lower() <= "я" or char in "ёЁ" for char in letters)
    # Text of another code page, read as this one, is mostly letters that Russian does not have, or upper case in words.
    lower = sum(char.islower() for char in letters)
    if not letters or "\ufffd" in text or russian < 0.9 * len(letters) or lower < 0.4 * len(letters):
        raise ImportFaultsError([Fault(line=1, text=f"The file is neither UTF-8 nor Windows-1251. {_ENCODING_HELP}")])
    return text


def _decoded(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ImportFaultsError([Fault(line=line, text=f"The file is damaged: not {encoding.upper()} here. {_ENCODING_HELP}")]) from error


def _rows(text: str, faults: Faults) -> Iterator[tuple[int, list[str]]]:
    """Rows with the numbers of their first lines."""
    first = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    rows = []
    try:
        for row in reader:
            rows.append((begins, row))
            begins = reader.line_num + 1
    except csv.Error as error:
        faults.add(begins, f"The row cannot be read ({error}). Look for a quotation mark that is not closed or not doubled.")
    return iter(rows)


def _columns(line: int, header: list[str], required: Sequence[str], optional: Sequence[str], faults: Faults) -> list[str]:
    columns = [name.strip().lower() for name in header]
    while columns and not columns[-1]:
        columns.pop()
    known = [*required, *optional]
    for name in required:
        if name not in columns:
            faults.add(line, f"The column {name!r} is missing. The first line must name the columns: {', '.join(known)}.")
    for name in dict.fromkeys(columns):
        if name not in known:
            faults.add(line, f"The column {name!r} is unknown. Known are: {', '.join(known)}.")
        elif columns.count(name) > 1:
            faults.add(line, f"The column {name!r} is there twice. Keep one.")
    return columns


def _check_cells(line: Line, faults: Faults) -> None:
    for column, value in line.cells.items():
        strange = next((char for char in value if not char.isprintable() and char not in "\n\r\t\u00a0\u00ad"), None)
        if strange is not None:
            faults.add(line, f"{column}: the character U+{ord(strange):04X} does not belong into a table. Remove it.")


def unique(lines: Sequence[Line], column: str, faults: Faults) -> dict[str, Line]:
    """Rows by a column that must be filled and differ. Notes the faults."""
    found: dict[str, Line] = {}
    for line in lines:
        value = line[column]
        if not value:
            faults.add(line, f"{column} is empty. Every row needs one of its own.")
        elif value in found:
            faults.add(line, f"{column} {value!r} stands in line {found[value].number} too. Each may be there once.")
        else:
            found[value] = line
    return found
