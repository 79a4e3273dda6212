"""Workbooks as the other system writes them, with invented incidents."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import openpyxl

from app.exchange.incident.columns import SHAPES, Column
from app.exchange.incident.workbook import read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.exchange.table import Line

A_ROW: dict[Column, Any] = {
    Column.CABINET: "Область",
    Column.ID: "1001",
    Column.NUMBER: "77-1",
    Column.AGENCY: "Администрация города",
    Column.EXECUTOR: "Первый исполнитель",
    Column.ANSWERED_AT: "2025-12-02 10:00:00",
    Column.ANSWER: "Здравствуйте! Яма засыпана.",
    Column.TO_ANSWER: "14:29:30.250000",
    Column.TO_ANSWER_WORKING: "1:30:00",
    Column.ASSIGNED_AT: "2025-12-02 08:45:00",
    Column.OWN_ANSWERED_AT: "2025-12-02 10:00:00",
    Column.REACTION: "1:00:00",
    Column.IN_TIME: "Да",
    Column.WHOLE: "4 days, 14:29:30",
    Column.SUBMITTED_AT: "2025-12-02 09:45:00",
    Column.APPROVAL: "0:15:00",
    Column.STEP: "Готово",
    Column.CREATED_AT: "2025-12-01 19:30:30",
    Column.FINISHED_AT: "2025-12-06 10:00:00",
    Column.TOPIC_GROUP: "Дороги",
    Column.TOPIC: "Ямы",
    Column.REGION: "Область",
    Column.MUNICIPALITY: "Город",
    Column.SETTLEMENT: "-",
    Column.STREET: "Новая улица",
    Column.TYPE: "Решаемый",
    Column.OUTCOME: "Разъяснено",
    Column.POST_LINK: "https://vk.com/wall-501_77?reply=80&thread=79",
    Column.PAGE_LINK: "https://vk.com/gorod_test",
    Column.TEXT: "Во дворе большая яма",
    Column.OWN_ANSWER_1: "Здравствуйте! Яма засыпана.",
    Column.REASON: "Нет ответа от автора",
    Column.AUDIENCE: 12500,
    Column.AUTHOR_LINK: "https://vk.com/id9001",
    Column.TAGS: "дороги, двор",
    Column.RATING_AT: "2025-12-02 10:00:05",
    Column.POLL_SENT: "-",
}


def row(**changed: Any) -> dict[Column, Any]:
    """An invented incident; `changed` by names of columns in code. It was answered within an hour and closed by silence."""
    return A_ROW | {Column[name]: value for name, value in changed.items()}


def workbook(rows: Sequence[Mapping[Column, Any]], *, above: int = 0, columns: Sequence[str] | None = None) -> bytes:
    """The bytes of a file; `above` lines stand over the header."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for _ in range(above):
        sheet.append(["Отчёт"])
    sheet.append(list(columns or (column.value for column in SHAPES)))
    for one in rows:
        sheet.append([one.get(column) for column in SHAPES])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def lines(*rows: Mapping[Column, Any]) -> list[Line]:
    """Rows as they are read from a file."""
    return read_rows(workbook(rows))
