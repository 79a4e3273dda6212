"""Cursors and numbers: what comes back is what went out, and nothing else is taken."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from app.appeals.feed import LiveCursor
from app.appeals.filters import Cursor, QueueFilters, checked_cursor, checked_limit, format_number, number_in_search, parse_number
from app.appeals.rules import WAITING, Status
from app.kernel.errors import InvalidError

IDS = st.integers(0, 2**63 - 1)
MOMENTS = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)).map(lambda value: value.replace(tzinfo=UTC))  # noqa: DTZ001 - given its zone at once


@given(IDS, st.none() | MOMENTS)
def test_a_cursor_by_deadline_survives_the_address(row_id: int, due_at: datetime | None) -> None:
    cursor = Cursor(by_deadline=True, id=row_id, due_at=due_at)
    assert Cursor.parse(str(cursor)) == cursor


@given(IDS)
def test_a_cursor_by_age_survives_the_address(row_id: int) -> None:
    cursor = Cursor(by_deadline=False, id=row_id)
    assert Cursor.parse(str(cursor)) == cursor


@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True))
def test_anything_else_is_no_cursor(value: str) -> None:
    try:
        cursor = Cursor.parse(value)
    except InvalidError:
        return
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize("value", ["", "====", "aS4x", "ZC4x", "ZC4xLjk5OTk5OTk5OTk5OTk5OTk5OTk", "aS4tMQ", "я", "aS4xLjI"])
def test_a_bad_cursor_is_told_so(value: str) -> None:
    if value == "aS4x":
        assert Cursor.parse(value) == Cursor(by_deadline=False, id=1)
        return
    with pytest.raises(InvalidError, match="cursor"):
        Cursor.parse(value)


def test_a_cursor_of_another_order_is_refused() -> None:
    cursor = Cursor(by_deadline=False, id=7)
    assert checked_cursor(cursor, by_deadline=False) is cursor
    with pytest.raises(InvalidError):
        checked_cursor(cursor, by_deadline=True)


@pytest.mark.parametrize("limit", [0, -1, 101])
def test_a_limit_is_bounded(limit: int) -> None:
    with pytest.raises(InvalidError):
        checked_limit(limit)


@given(st.integers(0, 999_999_999))
def test_a_number_is_read_as_it_is_written(number: int) -> None:
    written = format_number(number)
    assert len(written) == 11
    assert parse_number(written) == number == parse_number(written.replace("-", "")) == parse_number(f" № {written.replace('-', ' ')} ")
    assert number_in_search(written) == number


@pytest.mark.parametrize("value", ["", "12345678901", "48-a", "-", "٤٨١٩٣٧٥١٢", "1.5"])
def test_anything_else_is_no_number(value: str) -> None:
    assert parse_number(value) is None


def test_a_short_number_in_a_search_is_a_word() -> None:
    assert number_in_search("дом 112") is None
    assert number_in_search("112") is None


def test_what_waits_is_the_default_and_a_search_looks_everywhere() -> None:
    assert QueueFilters().asked_statuses == WAITING
    assert QueueFilters().by_deadline
    assert QueueFilters(search="  ").by_deadline
    assert QueueFilters(search="фонари").asked_statuses == frozenset(Status)
    assert not QueueFilters(search="фонари").by_deadline
    assert QueueFilters(trouble=True).asked_statuses == frozenset(Status)
    assert not QueueFilters(statuses=frozenset({Status.NEW, Status.CLOSED})).by_deadline


@given(st.integers(0, 2**64 - 1), IDS)
def test_a_live_cursor_survives_the_stream(xid: int, row_id: int) -> None:
    assert LiveCursor.parse(str(LiveCursor(xid, row_id))) == LiveCursor(xid, row_id)


@pytest.mark.parametrize("value", ["", "1", "1.", ".1", "1.2.3", "-1.2", "18446744073709551616.0", "1.9223372036854775808", "a.b", "1.2\n"])
def test_a_bad_live_cursor_is_told_so(value: str) -> None:
    with pytest.raises(InvalidError):
        LiveCursor.parse(value)
