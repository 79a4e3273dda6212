"""Files of a report: durations are durations, hostile names stay names."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import openpyxl
import pytest
from arro3.io import read_parquet

from app.kernel.errors import UnsupportedError
from app.kernel.sheet import safe_cell
from app.reports.behind import BehindRow, Listing
from app.reports.export import as_csv, as_parquet, as_xlsx
from app.reports.figures import Figures, Report, Row
from app.reports.measures import FIRST_ANSWER
from app.reports.rules import Grouping, Period, before
from app.reports.tables import Sheet, of_listing, of_report

NOVEMBER = Period(start=date(2026, 11, 1), end=date(2026, 11, 30), tz="Europe/Moscow")
HOSTILE = ("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1")


def report(label: str) -> Report:
    row = Row(key=7, label=label, opened=2, answered=2, in_time=1, late=1, average_s=5_430.0, median_s=90_000.0)
    return Report(
        definition=FIRST_ANSWER,
        period=NOVEMBER,
        group_by=Grouping.AGENCY,
        as_of=None,
        ages_at=datetime(2026, 12, 1, tzinfo=UTC),
        rows=(row,),
        total=Figures(opened=2),
    )


@pytest.mark.parametrize("label", HOSTILE)
def test_a_name_is_never_a_formula(label: str) -> None:
    assert safe_cell(label) == f"'{label}"
    assert f"'{label}" in as_csv(of_report(report(label))).decode("utf-8-sig")
    sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx(of_report(report(label)))))["Figures"]
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)


def test_times_are_real_durations() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx(of_report(report("Водоканал")))))["Figures"]
    titles = [cell.value for cell in sheet[1]]
    average = sheet.cell(2, titles.index("Average") + 1)
    assert average.number_format == "[h]:mm:ss"
    assert average.value == timedelta(seconds=5_430)
    share = sheet.cell(2, titles.index("In time") + 1)
    assert (share.value, share.number_format) == (0.5, "0.0%")


def test_parquet_holds_numbers_and_its_definition() -> None:
    table = read_parquet(io.BytesIO(as_parquet(of_report(report("=1"))))).read_all()
    assert table.column("label").to_pylist() == ["=1", ""]  # text is text: nothing here can be a formula
    assert table.column("average_s").to_pylist() == [5_430.0, None]
    assert table.column("opened").to_pylist() == [2, 2]
    kinds = {name: str(table.schema.field(name).type) for name in ("opened", "average_s", "small_number", "label")}
    for name, kind in {"opened": "Int64", "average_s": "Float64", "small_number": "Boolean", "label": "Utf8"}.items():
        assert kind in kinds[name]
    told = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    assert told["population"] == FIRST_ANSWER.population
    assert (told["time_zone"], told["from"]) == ("Europe/Moscow", "2026-11-01")


def test_without_the_extra_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "arro3.io", None)  # as Python knows a package that is not there
    with pytest.raises(UnsupportedError, match=r"pip install 'otklik\[parquet\]'"):
        as_parquet(of_report(report("Водоканал")))


def listing() -> Sheet:
    """Of two appeals: one answered, one from before any spreadsheet's days that waits."""
    noon = datetime(2026, 11, 27, 9, 0, 0, 999_999, tzinfo=UTC)
    row = BehindRow(
        number=7, cycle=2, started_at=noon, due_at=noon + timedelta(hours=1), stopped_at=noon, outcome="met", elapsed_s=60, working_s=60,
        dismissed=False,
        platform="vk", agency="=1+1", territory="", topic="", page="",
    )  # fmt: skip
    old = replace(row, started_at=datetime(1890, 1, 1, tzinfo=UTC), due_at=None, stopped_at=None, outcome=None)
    found = Listing(rows=(row, old), total=2, next_cursor=None)
    return of_listing(found, FIRST_ANSWER, figure="opened", period=NOVEMBER, as_of=None, ages_at=noon)


def test_moments_are_real_dates_by_the_reports_clocks() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx(listing())))["Figures"]
    titles = [cell.value for cell in sheet[1]]
    started, due = (sheet.cell(2, titles.index(one) + 1) for one in ("started_at", "due_at"))
    assert (started.value, due.value) == (datetime(2026, 11, 27, 12), datetime(2026, 11, 27, 13)), "noon in Moscow"  # noqa: DTZ001 - cells have no zone
    assert started.is_date
    assert sheet.column_dimensions[started.column_letter].width > 18, "narrower shows hashes"
    assert isinstance(sheet.cell(3, started.column).value, str), "spreadsheets know no such day"
    assert sheet.cell(3, due.column).value is None
    assert sheet.cell(2, titles.index("cycle") + 1).value == 2
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)


def test_moments_in_other_files() -> None:
    programs, people = (as_csv(listing(), local=local).decode("utf-8-sig").splitlines()[1] for local in (False, True))
    assert programs.startswith("7,2,2026-11-27T09:00:00.999999+00:00,")
    assert people.startswith("7,2,2026-11-27 12:00:00,")
    table = read_parquet(io.BytesIO(as_parquet(listing()))).read_all()
    assert table.column("started_at").to_pylist()[0] == datetime(2026, 11, 27, 9, 0, 0, 999_999, tzinfo=UTC)
    assert table.column("due_at").to_pylist()[1] is None


@pytest.mark.parametrize("made", [as_csv, as_xlsx])
def test_the_same_report_is_the_same_bytes(made: Callable[[Sheet], bytes]) -> None:
    assert made(of_report(report("Водоканал"))) == made(of_report(report("Водоканал")))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (date(2026, 11, 1), date(2026, 11, 30), (date(2026, 10, 1), date(2026, 10, 31))),
        (date(2026, 1, 1), date(2026, 3, 31), (date(2025, 10, 1), date(2025, 12, 31))),
        (date(2024, 1, 1), date(2024, 12, 31), (date(2023, 1, 1), date(2023, 12, 31))),
        (date(2026, 11, 10), date(2026, 11, 16), (date(2026, 11, 3), date(2026, 11, 9))),
    ],
)
def test_the_period_before_is_of_the_same_kind(start: date, end: date, expected: tuple[date, date]) -> None:
    earlier = before(Period(start=start, end=end, tz="UTC"))
    assert (earlier.start, earlier.end) == expected
