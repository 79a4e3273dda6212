"""The calculated columns, by hand: which raw moments each comes from, by which clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.exchange.incident.calculated import Told, Yardstick, cells, differences
from app.exchange.incident.columns import CALCULATED, MOMENTS, SHAPES, Column
from app.sla.calendar import Range
from app.sla.production_calendar import russian_calendar

MOSCOW = ZoneInfo("Europe/Moscow")
HALF_PAST_EIGHT = ((Range(30_600, 63_000),),) * 5 + ((),) * 2
CALENDAR = russian_calendar("Europe/Moscow", week=HALF_PAST_EIGHT, first_year=2025, last_year=2026)
YARDSTICK = Yardstick(calendar=CALENDAR, due_at=datetime(2025, 12, 2, 9, 0, tzinfo=UTC))


def local(day: int, hour: int, minute: int = 0, second: int = 0, month: int = 12, year: int = 2025) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=MOSCOW).astimezone(UTC)


LIVED = {
    Column.CREATED_AT: local(1, 19, 30, 30),  # a Monday evening
    Column.ASSIGNED_AT: local(2, 8, 45),
    Column.SUBMITTED_AT: local(2, 9, 45),
    Column.ANSWERED_AT: local(2, 10, 0, 20),
    Column.OWN_ANSWERED_AT: local(2, 10, 0, 20),
    Column.FINISHED_AT: local(6, 10, 0, 20),
}
TOLD = Told(
    moments=LIVED,
    durations={
        Column.TO_ANSWER: timedelta(hours=14, minutes=29, seconds=50, microseconds=250_000),
        Column.TO_ANSWER_WORKING: timedelta(hours=1, minutes=30),
        Column.REACTION: timedelta(hours=1),
        Column.WHOLE: timedelta(days=4, hours=14, minutes=29, seconds=50),
        Column.APPROVAL: timedelta(minutes=15, seconds=20),
    },
    in_time=True,
)


def test_there_are_47_columns_of_which_six_are_calculated() -> None:
    assert len(SHAPES) == 47
    assert list(SHAPES) == list(Column)
    assert len(CALCULATED) == 6
    assert all({formula.since, formula.until} <= set(MOMENTS) for formula in CALCULATED.values())


def test_an_evening_counts_from_the_next_morning_and_minutes_are_rounded() -> None:
    assert cells(LIVED, YARDSTICK) == {
        Column.TO_ANSWER: "14:29:50",
        Column.TO_ANSWER_WORKING: "1:30:00",  # 08:30 to 10:00:20
        Column.REACTION: "1:00:00",
        Column.WHOLE: "4 days, 14:29:50",
        Column.APPROVAL: "0:15:20",
        Column.IN_TIME: "Да",
    }
    assert differences(TOLD, YARDSTICK) == []


@pytest.mark.parametrize(
    ("created", "answered", "working"),
    [
        (local(5, 17, 0), local(8, 8, 31, 0), "0:31:00"),  # Friday evening to Monday
        (local(6, 12), local(8, 9, 0, 30), "0:31:00"),  # a Saturday; half a minute up
        (local(6, 12), local(8, 9, 0, 29), "0:30:00"),
        (local(31, 12, month=12), local(12, 9, 0, month=1, year=2026), "0:30:00"),  # over the holidays; the 31st was off
        (local(2, 3), local(2, 4), "0:00:00"),  # answered at night
    ],
)
def test_working_time_by_hand(created: datetime, answered: datetime, working: str) -> None:
    found = cells({Column.CREATED_AT: created, Column.ANSWERED_AT: answered}, YARDSTICK)
    assert found[Column.TO_ANSWER_WORKING] == working


def test_each_column_that_differs_is_told_with_both_values() -> None:
    wrong = replace(
        TOLD,
        durations={**TOLD.durations, Column.REACTION: timedelta(minutes=50), Column.TO_ANSWER_WORKING: timedelta(hours=2)},
        in_time=False,
    )
    assert {(one.column, one.file, one.ours) for one in differences(wrong, YARDSTICK)} == {
        (Column.REACTION, "0:50:00", "1:00:00"),
        (Column.TO_ANSWER_WORKING, "2:00:00", "1:30:00"),
        (Column.IN_TIME, "Нет", "Да"),
    }


def test_a_value_without_its_moments_and_moments_without_a_value_differ() -> None:
    bare = Told(moments={Column.CREATED_AT: LIVED[Column.CREATED_AT]}, durations={Column.APPROVAL: timedelta(minutes=1)}, in_time=None)
    assert [(one.column, one.file, one.ours) for one in differences(bare, YARDSTICK)] == [(Column.APPROVAL, "0:01:00", "-")]
    silent = Told(moments=LIVED, durations={}, in_time=None)
    assert {one.column for one in differences(silent, YARDSTICK)} == set(CALCULATED)


def test_the_term_runs_from_the_last_assignment_to_the_draft() -> None:
    late = LIVED | {Column.SUBMITTED_AT: local(2, 12, 0, 1)}
    assert cells(late, YARDSTICK)[Column.IN_TIME] == "Нет"
    assert cells(LIVED, replace(YARDSTICK, due_at=None))[Column.IN_TIME] == ""
    assert Column.TO_ANSWER_WORKING not in cells(LIVED, replace(YARDSTICK, calendar=None))
