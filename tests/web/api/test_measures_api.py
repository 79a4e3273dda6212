"""Every measure by address: with its words, as a file, with a tag, beside the period before."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import openpyxl
import pytest

from app.reports.measures import MEASURES
from app.web.api.reports import MeasureCode

if TYPE_CHECKING:
    import httpx

Bearer = Callable[[str], dict[str, str]]

PERIOD = {"from": "2026-11-17", "to": "2026-11-17"}


def test_every_measure_has_its_address() -> None:
    assert {one.value for one in MeasureCode} == set(MEASURES)


@pytest.mark.parametrize("code", [code for code, one in MEASURES.items() if one.available and code != "backlog"])
async def test_the_definition_travels_with_the_answer(client: httpx.AsyncClient, bearer: Bearer, code: str) -> None:
    answer = await client.get(f"/api/v1/reports/{code}", params=PERIOD | {"compare": "true"}, headers=bearer("supervisor"))
    told = answer.json()
    assert answer.status_code == 200, told
    assert told["definition"]["code"] == code
    assert told["definition"]["population"]
    assert told["definition"]["chief"] in told["total"]
    assert (told["previous"]["from"], told["previous"]["to"]) == ("2026-11-16", "2026-11-16")
    points = await client.get(f"/api/v1/reports/{code}", params=PERIOD | {"bucket": "day"}, headers=bearer("supervisor"))
    assert points.json()["points"][0]["opened"] == told["total"]["opened"]
    again = await client.get(
        f"/api/v1/reports/{code}",
        params=PERIOD | {"compare": "true"},
        headers=bearer("supervisor") | {"If-None-Match": answer.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_a_measure_without_data_says_so(client: httpx.AsyncClient, bearer: Bearer) -> None:
    answer = await client.get("/api/v1/reports/approval", params=PERIOD, headers=bearer("supervisor"))
    assert (answer.status_code, answer.json()["code"]) == (404, "report.no_data")
    assert "No data" in answer.json()["detail"]


async def test_the_backlog_waits_whenever_it_came(client: httpx.AsyncClient, bearer: Bearer) -> None:
    answer = await client.get("/api/v1/reports/backlog", params={"from": "2026-11-16", "to": "2026-11-17"}, headers=bearer("supervisor"))
    assert [point["waiting"] for point in answer.json()["points"]] == [0, 2]


async def test_files_hold_numbers_and_no_formulas(client: httpx.AsyncClient, bearer: Bearer) -> None:
    asked = PERIOD | {"group_by": "agency"}
    text = (await client.get("/api/v1/reports/first-answer", params=asked | {"format": "csv"}, headers=bearer("supervisor"))).content
    lines = list(csv.reader(io.StringIO(text.decode("utf-8-sig"))))
    assert lines[0][:4] == ["key", "label", "depth", "opened"]
    total = next(line for line in lines if line[:1] == ["total"])
    assert total[3] == "2"
    assert any(line[:1] == ["population"] for line in lines)
    told = await client.get("/api/v1/reports/first-answer", params=asked | {"format": "xlsx"}, headers=bearer("supervisor"))
    book = openpyxl.load_workbook(io.BytesIO(told.content))
    sheet = book["Figures"]
    assert sheet.cell(sheet.max_row, 1).value == "total"
    assert sheet.cell(sheet.max_row, 3).value == 2
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert {row[0].value for row in book["Definition"].iter_rows()} >= {"population", "clock", "time_zone"}
