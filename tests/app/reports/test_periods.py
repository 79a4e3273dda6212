"""Whole periods follow one another without a gap, and back again."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, strategies as st

from app.reports.periods import finest, following, kind_of, sensible, whole
from app.reports.rules import Bucket, Period, before, slices

DAYS = st.dates(date(2005, 1, 1), date(2090, 1, 1))


@given(day=DAYS, kind=st.sampled_from(Bucket))
def test_a_whole_holds_its_day_and_the_next_begins_after_it(day: date, kind: Bucket) -> None:
    start, end = whole(kind, day)
    assert start <= day <= end
    period = Period(start=start, end=end, tz="UTC")
    after = following(period)
    assert after is not None
    assert after.start == end + timedelta(days=1)
    assert kind_of(period) is kind
    assert kind_of(after) is kind
    assert before(after) == period


@given(start=DAYS, days=st.integers(0, 800))
def test_a_picture_of_any_period_can_be_read(start: date, days: int) -> None:
    period = Period(start=start, end=start + timedelta(days=days), tz="UTC")
    assert finest(period) in sensible(period)
    assert len(slices(period, finest(period))) <= 60
    after = following(period)
    assert after is not None
    assert after.start == period.end + timedelta(days=1)
