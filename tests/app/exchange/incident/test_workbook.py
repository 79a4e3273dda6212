"""The file itself: read whatever its cells' types, refused when it is hostile, written so that nothing in it computes."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app.exchange.incident import workbook as under_test
from app.exchange.incident.columns import SHAPES, Column
from app.exchange.incident.workbook import LONGEST_WRITTEN, read_rows, write_rows
from app.exchange.table import Fault, ImportFaultsError
from tests.app.exchange.incident.sheets import row, workbook

CREATED = datetime(2025, 12, 1, 19, 30, 30)  # noqa: DTZ001 - a cell has no zone


def faults(data: bytes) -> list[Fault]:
    with pytest.raises(ImportFaultsError) as refused:
        read_rows(data)
    return list(refused.value.faults)


def packed(data: bytes, **parts: bytes) -> bytes:
    """The archive with parts added or put in the place of others."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            if part.filename not in parts:
                new.writestr(part.filename, old.read(part))
        for name, content in parts.items():
            new.writestr(name, content)
    return out.getvalue()


def test_cells_are_text_whatever_their_type() -> None:
    data = workbook(
        [row(CREATED_AT=CREATED, TO_ANSWER=timedelta(hours=14, minutes=29, seconds=30), ID=1001, POLL_SENT=True, TAGS=None)], above=2
    )
    (line,) = read_rows(data)
    assert line.number == 4
    assert set(line.cells) == {column.value for column in SHAPES}
    assert line[Column.CREATED_AT] == "2025-12-01 19:30:30"
    assert (line[Column.TO_ANSWER], line[Column.ID], line[Column.POLL_SENT], line[Column.TAGS]) == ("14:29:30", "1001", "Да", "")


def test_columns_may_stand_in_any_order_and_empty_rows_are_none() -> None:
    names = [column.value for column in reversed(SHAPES)]
    book = openpyxl.load_workbook(io.BytesIO(workbook([], columns=names)))
    book.active.append([])
    book.active.append([f"{name}!" for name in names])
    out = io.BytesIO()
    book.save(out)
    (line,) = read_rows(out.getvalue())
    assert (line.number, line[Column.ID], line[Column.POLL_SENT]) == (3, "ID!", "Опрос отправлен!")


def test_a_missing_and_a_doubled_column_are_told() -> None:
    names = [column.value for column in SHAPES]
    names[names.index(Column.TAGS)] = Column.TEXT.value
    assert [fault.text[:40] for fault in faults(workbook([row()], columns=names))] == [
        "The column «Текст инцидента» is there tw",
        "The column «Теги» is missing: the file m",
    ]
    assert "None of the first 10 rows" in faults(workbook([row()], columns=["a", "b"]))[0].text


def test_a_formula_is_never_computed() -> None:
    found = faults(workbook([row(), row(ID="2", TEXT="=1+1"), row(ID="3", TAGS="#DIV/0!")]))
    assert [(fault.line, fault.text.split(".")[0]) for fault in found] == [
        (3, "«Текст инцидента» holds a formula"),
        (4, "«Теги» holds the error #DIV/0!"),
    ]


def test_a_cell_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "LONGEST_CELL", 50)
    assert "at most 50 are read" in faults(workbook([row(TEXT="я" * 51)]))[0].text


def test_more_rows_than_allowed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "MOST_ROWS", 2)
    assert len(read_rows(workbook([row(), row()]))) == 2
    assert "more than 2 incidents" in faults(workbook([row()] * 3))[0].text


def test_a_row_far_below_and_a_column_far_out_cost_nothing() -> None:
    book = openpyxl.load_workbook(io.BytesIO(workbook([row()])))
    book.active.cell(1_048_576, 1, "x")
    book.active.cell(3, 16_384, "x")
    out = io.BytesIO()
    book.save(out)
    assert [line.number for line in read_rows(out.getvalue())] == [2]


@pytest.mark.parametrize("data", [b"", b"ID;Text\n1;2\n", b"PK\x03\x04" + b"\0" * 100, b"\xd0\xcf\x11\xe0" * 200])
def test_what_is_no_workbook_is_told(data: bytes) -> None:
    assert faults(data)[0].text == "The file is no XLSX workbook. Open it in a spreadsheet program, save it as XLSX and try again."


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, "LARGEST_UNPACKED", 1_000_000)
    bomb = packed(workbook([row()]), **{"xl/media/zeros.bin": b"\0" * 1_000_001})
    assert len(bomb) < 20_000
    assert "unpacks to more than 1 MB" in faults(bomb)[0].text
    many = packed(workbook([row()]), **{f"part{number}": b"" for number in range(under_test.MOST_PARTS)})
    assert "too many parts" in faults(many)[0].text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused(encoding: str) -> None:
    xml = '<?xml version="1.0"?><!DOCTYPE sst [<!ENTITY a "aaaa">]><sst>&a;</sst>'.encode(encoding)
    assert "declares a document type" in faults(packed(workbook([row()]), **{"xl/sharedStrings.xml": xml}))[0].text


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml", "[Content_Types].xml"])
@pytest.mark.parametrize("content", [b"", b"<a", b"<a/>", b"\xff\xfe\0"])
def test_a_damaged_part_is_a_fault_and_no_crash(part: str, content: bytes) -> None:
    try:
        read_rows(packed(workbook([row()]), **{part: content}))
    except ImportFaultsError as error:
        assert error.faults[0].text  # noqa: PT017 - styles alone may be missed


def test_what_is_written_is_text_to_every_program(tmp_path: Path) -> None:
    words = {
        Column.ID: "1",
        Column.CREATED_AT: "2025-12-01 19:30:30",
        Column.TEXT: "=HYPERLINK(1)",
        Column.TAGS: "@x\x01",
        Column.REMARK: " +7 ",
    }
    written = write_rows(tmp_path / "out.xlsx", [words, {Column.ID: "2", Column.TEXT: "🙂" * LONGEST_WRITTEN}])
    assert (written.rows, written.cut) == (2, 1)
    book = openpyxl.load_workbook(tmp_path / "out.xlsx")
    cells = [cell for line in book.active.iter_rows() for cell in line if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "inlineStr"}
    assert all(cell.quotePrefix for cell in cells if cell.row > 1)
    first, second = read_rows((tmp_path / "out.xlsx").read_bytes())
    assert {column: first[column] for column in words} == words | {Column.TAGS: "@x\ufffd", Column.REMARK: "+7"}
    assert second[Column.TEXT].endswith("🙂…")


def test_the_header_is_the_files_own(tmp_path: Path) -> None:
    write_rows(tmp_path / "out.xlsx", [])
    sheet: Any = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    assert [cell.value for cell in sheet[1]] == [column.value for column in SHAPES]
