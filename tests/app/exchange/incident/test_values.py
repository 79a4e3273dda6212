"""Cells: what a file writes is read, and what we write is read back."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from app.exchange.incident.values import (
    agrees,
    cell_text,
    folded,
    format_duration,
    format_moment,
    read_duration,
    read_moment,
    whole_minutes,
)

OMSK = ZoneInfo("Asia/Omsk")
SPANS = st.timedeltas(min_value=timedelta(days=-900), max_value=timedelta(days=9000))
MOMENTS = st.datetimes(min_value=datetime(2012, 1, 1), max_value=datetime(2090, 1, 1))  # noqa: DTZ001 - local, as in a file


@given(SPANS)
def test_a_duration_is_read_as_it_was_written(duration: timedelta) -> None:
    assert read_duration(format_duration(duration)) == duration


@given(MOMENTS)
def test_a_moment_is_read_as_it_was_written(local: datetime) -> None:
    moment = local.replace(tzinfo=UTC)
    assert read_moment(format_moment(moment), ZoneInfo("UTC")) == moment


@given(MOMENTS.map(lambda one: one.replace(microsecond=one.microsecond // 1000 * 1000)))
def test_a_date_cell_is_its_text_to_the_millisecond(local: datetime) -> None:
    """A workbook holds a moment as a fraction of a day: what is a few microseconds off there is the same moment."""
    for off in (timedelta(0), timedelta(microseconds=400), timedelta(microseconds=-400)):
        assert cell_text(local + off) == format_moment(local)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("0:15:00", timedelta(minutes=15)),
        ("26:00:01", timedelta(hours=26, seconds=1)),
        ("1 day, 2:03:04", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("4 days, 0:00:15.123456", timedelta(days=4, seconds=15, microseconds=123456)),
        ("0:00:00.5", timedelta(milliseconds=500)),
        ("-1 day, 23:59:00", -timedelta(minutes=1)),
        ("-", None),
        ("", None),
        ("—", None),
    ],
)
def test_durations_of_a_real_file(text: str, duration: timedelta | None) -> None:
    assert read_duration(text) == duration


@pytest.mark.parametrize("text", ["1:60:00", "1 hour", "15", "1 day 2:00:00", "0:00:00.1234567", "=1", "9999999:00:00", "٣:00:00"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a duration such as"):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "hour", "microsecond"),
    [("2025-12-01 19:30:30", 13, 0), ("2025-12-01T19:30:30.5", 13, 500_000), ("01.12.2025 19:30:30", 13, 0), ("2025-12-01 6:30:30", 0, 0)],
)
def test_moments_of_a_real_file_stand_in_its_zone(text: str, hour: int, microsecond: int) -> None:
    moment = read_moment(text, OMSK)
    assert moment is not None
    assert (moment.utcoffset(), moment.hour, moment.minute, moment.second, moment.microsecond) == (timedelta(0), hour, 30, 30, microsecond)


@pytest.mark.parametrize("text", ["2025-13-01 00:00:00", "2025-02-30", "yesterday", "12/01/2025", "0000-01-01 00:00:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"a moment such as|no such moment"):
        read_moment(text, OMSK)


def test_every_type_of_cell_has_its_text() -> None:
    cells = [None, "  x ", 12500, 12500.0, 1.5, True, False, date(2025, 12, 1), time(0, 15), timedelta(days=1, minutes=5)]
    assert [cell_text(one) for one in cells] == [
        "", "  x ", "12500", "12500", "1.5", "Да", "Нет", "2025-12-01 00:00:00", "0:15:00", "1 day, 0:05:00",
    ]  # fmt: skip


@pytest.mark.parametrize(("seconds", "minutes"), [(0, 0), (29, 0), (30, 1), (31, 1), (89, 1), (90, 2), (150, 3)])
def test_half_a_minute_counts_as_a_whole_one(seconds: int, minutes: int) -> None:
    assert whole_minutes(timedelta(seconds=seconds)) == timedelta(minutes=minutes)


@given(SPANS.filter(lambda one: one >= timedelta(0)), st.timedeltas(min_value=timedelta(seconds=-0.99), max_value=timedelta(seconds=0.99)))
def test_moments_cut_to_the_second_are_no_difference(true: timedelta, cut: timedelta) -> None:
    assert agrees(true, true + cut, rounded=False)
    assert agrees(whole_minutes(true), true + cut, rounded=True)
    assert not agrees(true + timedelta(seconds=2), true + cut, rounded=False)
    assert not agrees(whole_minutes(true) + timedelta(minutes=2), true + cut, rounded=True)


def test_names_are_compared_without_case_and_yo() -> None:
    assert folded("  Готовое   РЕШЕНИЕ ещё\n") == folded("готовое решение еще")
