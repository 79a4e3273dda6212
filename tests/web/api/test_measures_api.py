"""Every measure by address: with its words, as a file, with a tag, beside the period before."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import openpyxl
import pytest
from arro3.io import read_parquet

from app.reports.measures import MEASURES
from app.web.api.reports import MeasureCode

if TYPE_CHECKING:
    import httpx

Bearer = Callable[[str], dict[str, str]]

PERIOD = {"from": "2026-11-17", "to": "2026-11-17"}


def test_every_measure_has_its_address() -> None:
    assert {one.value for one in MeasureCode} == set(MEASURES)


@pytest.mark.parametrize("code", [code for code in MEASURES if code != "backlog"])
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


async def test_the_backlog_waits_whenever_it_came(client: httpx.AsyncClient, bearer: Bearer) -> None:
    answer = await client.get("/api/v1/reports/backlog", params={"from": "2026-11-16", "to": "2026-11-17"}, headers=bearer("supervisor"))
    assert [point["waiting"] for point in answer.json()["points"]] == [0, 2]


async def test_the_period_before_stands_in_files_and_beside_points_too(client: httpx.AsyncClient, bearer: Bearer) -> None:
    asked = {"from": "2026-11-18", "to": "2026-11-18", "compare": "true"}
    text = (await client.get("/api/v1/reports/first-answer", params=asked | {"format": "csv"}, headers=bearer("supervisor"))).text
    (line,) = [one for one in csv.reader(io.StringIO(text)) if one[:1] == ["previous"]]
    assert line[1:4] == ["2026-11-17 – 2026-11-17", "", "2"]
    points = await client.get("/api/v1/reports/first-answer", params=asked | {"bucket": "day"}, headers=bearer("supervisor"))
    assert (points.json()["previous"]["from"], points.json()["previous"]["total"]["opened"]) == ("2026-11-17", 2)


@pytest.mark.parametrize("measure", ["first-answer", "backlog"])
async def test_the_period_before_stands_in_files_of_points_too(client: httpx.AsyncClient, bearer: Bearer, measure: str) -> None:
    asked = {"from": "2026-11-18", "to": "2026-11-18", "compare": "true", "bucket": "day"}
    who, address = bearer("supervisor"), f"/api/v1/reports/{measure}"
    past = (await client.get(address, params=asked, headers=who)).json()["previous"]
    assert (past["from"], past["to"], past["total"]["waiting"]) == ("2026-11-17", "2026-11-17", 2)
    book = openpyxl.load_workbook(io.BytesIO((await client.get(address, params=asked | {"format": "xlsx"}, headers=who)).content))
    lines = [[cell.value for cell in row] for row in book["Figures"].iter_rows()]
    last = dict(zip(lines[0], lines[-1], strict=True))
    assert (last["key"], f"{last['from']:%F}", last["Waiting"]) == ("previous", "2026-11-17", 2)
    table = read_parquet(io.BytesIO((await client.get(address, params=asked | {"format": "parquet"}, headers=who)).content)).read_all()
    assert table.column("key").to_pylist() == ["", "previous"]
    assert table.column("waiting").to_pylist()[-1] == 2
    alone = (await client.get(address, params=asked | {"format": "csv", "compare": "false"}, headers=who)).text
    assert alone.lstrip("\ufeff").startswith("from,to,"), "without a comparison it is as it was"


async def test_files_hold_numbers_and_no_formulas(client: httpx.AsyncClient, bearer: Bearer) -> None:
    asked = PERIOD | {"group_by": "agency"}
    text = (await client.get("/api/v1/reports/first-answer", params=asked | {"format": "csv"}, headers=bearer("supervisor"))).content
    lines = list(csv.reader(io.StringIO(text.decode("utf-8-sig"))))
    assert lines[0][:4] == ["key", "label", "depth", "opened"]
    total = next(line for line in lines if line[:1] == ["total"])
    assert total[3] == "2"
    shown = (await client.get("/api/v1/reports/first-answer", params=asked, headers=bearer("supervisor"))).json()["total"]
    for code, cell in zip(lines[0], total, strict=True):
        if isinstance(shown.get(code), int | float) and not isinstance(shown[code], bool):
            assert float(cell) == pytest.approx(shown[code], rel=1e-3), f"{code}: a file tells what the screen tells"
    assert any(line[:1] == ["population"] for line in lines)
    told = await client.get("/api/v1/reports/first-answer", params=asked | {"format": "xlsx"}, headers=bearer("supervisor"))
    book = openpyxl.load_workbook(io.BytesIO(told.content))
    sheet = book["Figures"]
    assert sheet.cell(sheet.max_row, 1).value == "total"
    assert sheet.cell(sheet.max_row, 3).value == 2
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert {row[0].value for row in book["Definition"].iter_rows()} >= {"population", "clock", "time_zone"}


SHAPES = ("", "/distribution", "/grid", "/appeals")


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_report_comes_in_every_form_with_its_definition_and_a_tag(
    client: httpx.AsyncClient, bearer: Bearer, shape: str
) -> None:
    words = MEASURES["first-answer"].population
    for form, head in (
        ("json", "application/json"),
        ("csv", "text/csv"),
        ("xlsx", "application/vnd.open"),
        ("parquet", "application/vnd.apache"),
    ):
        who = bearer("coordinator")
        answer = await client.get(f"/api/v1/reports/first-answer{shape}", params=PERIOD | {"format": form}, headers=who)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith(head)
        if form == "xlsx":
            told = {row[1].value for row in openpyxl.load_workbook(io.BytesIO(answer.content))["Definition"].iter_rows()}
        elif form == "parquet":
            told = {value.decode() for value in read_parquet(io.BytesIO(answer.content)).read_all().schema.metadata.values()}
        else:
            told = {words} if words in answer.text else set()
        assert words in told, (shape, form)
        tag = {"If-None-Match": f'W/"x", {answer.headers["etag"]}'}
        again = await client.get(f"/api/v1/reports/first-answer{shape}", params=PERIOD | {"format": form}, headers=who | tag)
        assert (again.status_code, again.content) == (304, b"")


async def test_a_cell_and_its_list_are_one_number(client: httpx.AsyncClient, bearer: Bearer) -> None:
    who = bearer("coordinator")
    found = (await client.get("/api/v1/reports/first-answer/grid", params=PERIOD | {"bucket": "day"}, headers=who)).json()
    (cell,) = found["total"]
    assert cell["opened"] == 2
    listed = (await client.get("/api/v1/reports/first-answer/appeals", params=PERIOD | {"figure": "waiting"}, headers=who)).json()
    assert listed["total"] == len(listed["rows"]) == cell["waiting"]
    assert {row["outcome"] for row in listed["rows"]} == {None}


async def test_a_supervisors_token_carries_figures_and_nobodys_appeals(client: httpx.AsyncClient, bearer: Bearer) -> None:
    answer = await client.get("/api/v1/reports/first-answer/appeals", params=PERIOD, headers=bearer("supervisor"))
    assert (answer.status_code, answer.json()["code"]) == (403, "access.permission")
