"""Files of a report: durations are durations, hostile names stay names."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, timedelta

import openpyxl
import pytest

from app.kernel.sheet import safe_cell
from app.reports.export import as_csv, as_xlsx
from app.reports.figures import Figures, Report, Row
from app.reports.measures import FIRST_ANSWER
from app.reports.rules import Grouping, Period, before

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
    assert f"'{label}" in as_csv(report(label)).decode("utf-8-sig")
    sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx(report(label))))["Figures"]
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)


def test_times_are_real_durations() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(as_xlsx(report("Водоканал"))))["Figures"]
    titles = [cell.value for cell in sheet[1]]
    average = sheet.cell(2, titles.index("Average") + 1)
    assert average.number_format == "[h]:mm:ss"
    assert average.value == timedelta(seconds=5_430)
    share = sheet.cell(2, titles.index("In time") + 1)
    assert (share.value, share.number_format) == (0.5, "0.0%")


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
