"""CSV files as people really save them."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given, strategies as st

from app.exchange.table import MOST_FAULTS, Fault, ImportFaultsError, read_table

TEXT = "code;name\nomsk;Омск, столица\nтомск;Томск\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("cp1251"),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace(";", "\t").encode(),
        'name,code\n"Омск, столица",omsk\n Томск , томск \n\n,\n'.encode(),
        'CODE;Name;\nomsk;"Омск, столица";\nтомск;Томск'.encode(),
    ],
)
def test_every_usual_way_of_saving_is_read(data: bytes) -> None:
    lines = read_table(data, required=("code", "name"))
    assert [line.cells["code"] for line in lines] == ["omsk", "томск"]
    assert [line["name"] for line in lines] == ["Омск, столица", "Томск"]
    assert [line.number for line in lines] == [2, 3]
    assert lines[0]["weight"] == ""


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"", 1, "'code' is missing"),
        (b"code,label\n", 1, "'name' is missing"),
        (b"code,name,nick\na,b,c\n", 1, "'nick' is unknown"),
        (b"code,name,code\na,b,c\n", 1, "'code' is there twice"),
        (b"code,name\na,b,c\n", 2, "3 cells"),
        (b'code,name\na,"b\nc,d\n', 2, "quotation mark"),
        (b'code,name\n"a"x,b\n', 2, "quotation mark"),
        ("code,name\na,b\nб,\u0007\n".encode(), 3, "U+0007"),
        (b"code,name\na,\x00\n", 2, ""),
        ("code,name\na,Привет, мир\n".encode("koi8-r"), 1, "neither UTF-8 nor Windows-1251"),
        (bytes(range(128, 256)) * 20, 1, "neither UTF-8 nor Windows-1251"),
        (codecs.BOM_UTF8 + b"code,name\na,b\nc,\xff\xfe\n", 3, "damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(200), 1, ""),
        ("code,name\na," + "x" * 100_001 + "\n", 2, "field larger"),
        (b"code,name\n" + b" " * 50_000_001, 1, "larger than 50 MB"),
    ],
)
def test_each_fault_is_told_with_its_line(data: bytes | str, line: int, words: str) -> None:
    with pytest.raises(ImportFaultsError) as refused:
        read_table(data if isinstance(data, bytes) else data.encode(), required=("code", "name"))
    assert words in refused.value.faults[0].text
    assert refused.value.faults[0].line == line


def test_all_faults_are_told_at_once_up_to_a_bound() -> None:
    with pytest.raises(ImportFaultsError) as refused:
        read_table(b"code,name\n" + b"a,b,c\n" * 1000, required=("code", "name"))
    assert len(refused.value.faults) == MOST_FAULTS
    assert [fault.line for fault in refused.value.faults[:3]] == [2, 3, 4]


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused_in_words(data: bytes) -> None:
    faults: tuple[Fault, ...] = ()
    try:
        read_table(b"code,name\n" + data, required=("code", "name"))
    except ImportFaultsError as refused:
        faults = refused.faults
    assert all(fault.text and fault.line for fault in faults)


@given(st.lists(st.tuples(st.text(min_size=1, max_size=20), st.text(max_size=20)), max_size=10), st.sampled_from([",", ";", "\t"]))
def test_cells_come_back_as_they_were(cells: list[tuple[str, str]], delimiter: str) -> None:
    import csv  # noqa: PLC0415
    import io  # noqa: PLC0415

    kept = [(a.strip(), b.strip()) for a, b in cells if (a + b).isprintable() and (a + b).strip()]
    table = io.StringIO()
    csv.writer(table, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([("code", "name"), *kept])
    lines = read_table(table.getvalue().encode(), required=("code", "name"))
    assert [(line["code"], line["name"]) for line in lines] == kept
