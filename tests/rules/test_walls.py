"""How walls are listed: all of the budget, the busy before the quiet, none forgotten, more often where people publish."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from app.sources import hours, walls

EVEN = (1.0,) * hours.WEEK
BY_DAY = hours.factors([100.0 if 8 <= hour % 24 < 20 else 0.0 for hour in range(hours.WEEK)], 20.0)
weights = st.floats(1e-8, 1e-2)


@pytest.fixture(scope="module")
def even() -> walls.Gains:
    return walls.Gains(published=EVEN, written=EVEN, half_life=5_400)


@given(st.lists(weights, min_size=1, max_size=30), st.floats(1e-5, 1e-1))
def test_all_listings_together_are_the_budget(even: walls.Gains, given_weights: list[float], capacity: float) -> None:
    """A little more is planned than there is; where every wall is listed as often, or as seldom, as one may be, the bounds rule."""
    demand = walls.buckets(given_weights)
    price = even.price(demand, capacity)
    longest = walls.sweep(len(given_weights), capacity)
    listings = sum(count / walls.bounded(even.wait(weight, price, hour=0), longest) for weight, count in demand)
    most, least = len(given_weights) / walls.SHORTEST, len(given_weights) / longest
    farthest = len(given_weights) / (walls.FARTHEST * hours.HOUR)
    wanted = min(max(walls.planned(len(given_weights), capacity), least, farthest), most)
    assert listings == pytest.approx(wanted, rel=0.01)


@given(weights, weights, st.floats(1e-3, 1e9), st.integers(0, 400))
def test_a_busier_wall_is_listed_sooner(even: walls.Gains, one: float, other: float, price: float, hour: int) -> None:
    fewer, more = sorted((one, other))
    assert 0 < even.wait(more, price, hour=hour) <= even.wait(fewer, price, hour=hour)


def test_long_waits_follow_the_square_root_and_short_ones_the_cube_root(even: walls.Gains) -> None:
    """Threads that have only begun when the next listing comes are few comments late; those long over are all late."""
    long = even.wait(1e-6, 1e4, hour=0)
    assert even.wait(4e-6, 1e4, hour=0) == pytest.approx(long / 2, rel=0.1)
    short = even.wait(1.0, 1e4, hour=0)
    assert short < hours.HOUR
    assert even.wait(8.0, 1e4, hour=0) == pytest.approx(short / 2, rel=0.01)


def test_a_night_is_slept_through() -> None:
    """Where people publish by day, a wall listed in the evening waits for the morning."""
    by_day = walls.Gains(published=BY_DAY, written=BY_DAY, half_life=5_400)
    evening, morning = (by_day.wait(1e-4, 5e3, hour=hour) for hour in (20, 9))
    assert evening > 10 * hours.HOUR > 6 * hours.HOUR > morning


def test_what_a_page_publishes_is_learnt_slowly() -> None:
    assert walls.publishing(0, 0) == pytest.approx(walls.USUAL_POSTS)
    assert walls.publishing(300, 2_592_000) == pytest.approx(300 / 2_592_000, rel=0.06)
    assert 0 < walls.publishing(0, 2_592_000) < walls.USUAL_POSTS / 10


@given(st.lists(st.floats(0, 1e5), min_size=hours.WEEK, max_size=hours.WEEK), st.floats(1, 100))
def test_hours_are_one_on_average(told: list[float], even_weight: float) -> None:
    factors = hours.factors(told, even_weight)
    assert sum(factors) / hours.WEEK == pytest.approx(1)
    assert min(factors) > 0
