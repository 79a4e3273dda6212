"""How looks are shared out: all of the budget, none above it, nothing forgotten, the lively before the quiet."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from app.sources import rates

seconds = st.floats(0, 5e7)
counts = st.integers(0, 20_000)
means = st.floats(0.05, 5_000)
half_lives = st.floats(60, 1e6)
weights = st.lists(st.floats(0, 10), min_size=1, max_size=50)


def rate(*, seen: float, age: float = 3_600, mean: float = 3, half_life: float = 7_200, heat: float = 0, hour_factor: float = 1) -> float:
    return rates.expected_rate(seen=seen, age=age, mean=mean, half_life=half_life, heat=heat, hour_factor=hour_factor)


@given(weights, st.floats(0.1, 10_000))
def test_all_looks_together_are_the_budget(given_weights: list[float], capacity: float) -> None:
    """As long as one look a day at each post does not take more than half of it: then these are stretched."""
    theta = rates.scale(sum(given_weights), len(given_weights), capacity)
    looks = sum(1 / rates.interval(weight, theta) for weight in given_weights)
    swept = len(given_weights) / rates.SWEEP
    if sum(given_weights) > 1e-3:
        assert looks == pytest.approx(max(capacity, capacity / 2 + swept))
    assert looks <= max(capacity, capacity / 2 + swept) * (1 + 1e-9)


@given(seen=counts, age=seconds, mean=means, half_life=half_lives, heat=st.floats(0, 1_000), hour_factor=st.floats(0.05, 20))
def test_nothing_is_forgotten(seen: int, age: float, mean: float, half_life: float, heat: float, hour_factor: float) -> None:
    """Whatever is expected, each post is looked at once within the sweep."""
    expected = rate(seen=seen, age=age, mean=mean, half_life=half_life, heat=heat, hour_factor=hour_factor)
    assert expected > 0
    assert 0 < rates.interval(rates.weight(expected), theta=1.0) <= rates.SWEEP


@given(counts, counts, seconds, means)
def test_more_comments_are_looked_at_sooner(one: int, other: int, age: float, mean: float) -> None:
    fewer, more = sorted((one, other))
    assert rate(seen=fewer, age=age, mean=mean) <= rate(seen=more, age=age, mean=mean)


@given(seconds, seconds, means)
def test_an_older_silent_post_is_looked_at_later(one: float, other: float, mean: float) -> None:
    younger, older = sorted((one, other))
    assert rate(seen=0, age=older, mean=mean) <= rate(seen=0, age=younger, mean=mean) * (1 + 1e-9)


@given(st.floats(0, 1_000), seconds, seconds)
def test_heat_fades_the_same_in_one_step_or_two(heat: float, first: float, then: float) -> None:
    assert rates.cooled(rates.cooled(heat, first), then) == pytest.approx(rates.cooled(heat, first + then), abs=1e-9)


def test_what_a_page_gets_is_learnt_slowly() -> None:
    """A page that nothing is known of is a usual one; with many posts the usual one no longer weighs."""
    assert rates.usual_mean(0, 0) == rates.USUAL_MEAN == rates.page_mean(0, 0, rates.USUAL_MEAN)
    assert rates.usual_mean(40_000, 10_000) == pytest.approx(4, rel=0.01) == rates.page_mean(0, 0, 4)
    assert rates.page_mean(40_000, 1_000, 3) == pytest.approx(40, rel=0.01)
    assert rates.page_mean(0, 1_000, 3) == pytest.approx(0, abs=0.02)
    assert rate(seen=0, mean=40) > 4 * rate(seen=0, mean=0.5)


def test_the_frequency_grows_with_the_square_root() -> None:
    """Four times the comments, twice the looks (the sweep aside)."""
    theta = 1.0
    quiet, lively = (1 / rates.interval(rates.weight(expected), theta) - 1 / rates.SWEEP for expected in (0.01, 0.04))
    assert lively == pytest.approx(2 * quiet)


@given(st.lists(st.floats(1e-4, 1), min_size=1, max_size=30), st.floats(1e-4, 1e6), st.floats(5, 1_000), st.floats(0.5, 10))
def test_one_viral_post_does_not_starve_a_village(village: list[float], viral: float, capacity: float, soonest: float) -> None:
    """However lively it is, it takes from all others together no more than the looks it may have itself, and none waits past the sweep."""

    def theta(given_weights: list[float]) -> float:
        return rates.scale(sum(given_weights), len(given_weights), capacity, sorted(given_weights, reverse=True), soonest)

    alone, beside = theta(village), theta([*village, viral])
    left = max(1 - 1 / (soonest * capacity / 2), 0.0)
    for one in village:
        waits = max(rates.interval(one, beside), soonest)
        assert waits <= max(rates.SWEEP, soonest)
        if capacity * soonest / 2 > rates.LEAST_FREE + len(village) + 1:
            assert waits <= max(rates.interval(one, alone) / left, soonest) * 1.01
