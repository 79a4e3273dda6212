"""How often a wall is listed to find its new posts. Pure: numbers in, numbers out.

**What waiting costs.** A page publishes λp(t) posts a second, p being the hour's factor; each gets M comments in its life, at the
age `a` with the density h / (h + a)², times the factor q of the hour in which they are written (app/sources/rates.py). Under what was
published since the last listing A(T) = λM ∫₀ᵀ q(v) ∫₀ᵛ p(u) h / (h + v − u)² du dv comments wait after a time T, and nobody sees them.

**When to list.** With a budget of listings the sum of all waiting is least when each wall is listed as soon as what was gained by
waiting, T·A(T) − ∫₀ᵀ A = ∫₀ᵀ u dA(u), reaches one price on all of them (Lagrange over (∫₀ᵀ A + price) / T; were A(T) = λT this would be
the square root rule, cf. Cho and Garcia-Molina, "Effective page refresh policies", 2003). `Gains` holds that integral for λM = 1
by the hour of the week in which a wall was listed; the price makes all listings add up to the budget.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from app.sources import rates
from app.sources.hours import HOUR, WEEK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SHORTEST = 30.0
"""Seconds between two listings of a wall, however lively."""
LONGEST = 7 * 86_400.0
"""Within so many seconds each wall is listed whatever is expected of it, as far as half of the budget reaches."""
FARTHEST = 10 * 24
"""Hours that `Gains` looks ahead: past them a wall is listed whatever it costs."""
MANY = 50
"""Posts: a first listing that brought so many may not have reached back as far as habits do."""
USUAL_POSTS = 0.5 / 86_400.0
"""Posts a second of a page, as long as nothing is known of it."""
POSTS_SHAPE = 0.7
"""Of the Gamma law over pages: some publish ten times a day, many once a week."""
AHEAD = 0.2
"""Where walls wait for days so much more than the budget is planned: of hours in which little is due calls would be left that the day
lacks. The budget itself stands in the way of spending more; those that wait longest go first. With more of it they would always wait, and
the hours would be forgotten (bench/polling.py: 0.1 and 0.25 are worse)."""
AHEAD_FROM = 3 * HOUR
"""Walls that wait so long on average get half of that; few walls with short waits get next to nothing, and never wait for a quota."""
STARTS = tuple(range(0, WEEK, 21))
"""Hours of the week that stand for all when the price is found: each hour of three, and every weekday."""
BISECTIONS = 40


def publishing(posts: float, seconds: float) -> float:
    """Posts a second of a page that published so many in this time (the Gamma-Poisson posterior mean)."""
    return (POSTS_SHAPE + posts) / (POSTS_SHAPE / USUAL_POSTS + seconds)


class Gains:
    """What is gained by not listing a wall of weight 1, by the hour of the week of its last listing and the hours since then."""

    def __init__(self, *, published: Sequence[float], written: Sequence[float], half_life: float) -> None:
        middles = [rates.exposure((hour + 0.5) * HOUR, half_life) for hour in range(FARTHEST)]
        shares = [middles[0], *(later - sooner for sooner, later in pairwise(middles))]
        self._made_of = (published, written, shares)
        self._sums: dict[int, list[float]] = {}
        """By the hour of the week, each made when it is asked for first."""

    def wait(self, weight: float, price: float, *, hour: int) -> float:
        """Seconds until the gain reaches the price, for a wall of this weight (λM) listed in this hour of the week."""
        hour %= WEEK
        if hour not in self._sums:
            self._sums[hour] = _gains(*self._made_of, hour)
        sums, wanted = self._sums[hour], price / weight
        step = bisect_left(sums, wanted)
        if step == 0:  # what is published just now has hardly a comment yet: the gain grows with the third power
            return HOUR * float((wanted / sums[0]) ** (1 / 3))
        if step == len(sums):
            return step * HOUR
        return HOUR * (step + (wanted - sums[step - 1]) / (sums[step] - sums[step - 1]))

    def price(self, walls: Sequence[tuple[float, float]], capacity: float) -> float:
        """The price at which walls (weight, how many of it) take what is `planned` of `capacity` listings a second."""
        number = sum(count for _, count in walls)
        longest, wanted = sweep(number, capacity), planned(number, capacity)
        low, high = -80.0, 80.0
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            listings = sum(count / self._mean_wait(weight, 2.0**middle, longest) for weight, count in walls)
            low, high = (middle, high) if listings > wanted else (low, middle)
        return float(2.0**high)

    def _mean_wait(self, weight: float, price: float, longest: float) -> float:
        return sum(bounded(self.wait(weight, price, hour=hour), longest) for hour in STARTS) / len(STARTS)


def _gains(published: Sequence[float], written: Sequence[float], shares: Sequence[float], start: int) -> list[float]:
    sums, total = [], 0.0
    factors = [published[(start + hour) % WEEK] * HOUR for hour in range(FARTHEST)]
    for hour in range(FARTHEST):
        waiting = sum(map(float.__mul__, factors[: hour + 1], shares[hour::-1]))
        total += (hour + 0.5) * HOUR * waiting * written[(start + hour) % WEEK]
        sums.append(total)
    return sums


def buckets(weights: Iterable[float]) -> list[tuple[float, float]]:
    """Weights and how many there are of each, told apart by a fourth of a power of two: enough to find a price."""
    counted = Counter(round(math.log2(weight) * 4) for weight in weights)
    return [(2.0 ** (bucket / 4), float(count)) for bucket, count in counted.items()]


def planned(walls: float, capacity: float) -> float:
    """Listings a second that are planned with: a little more than there are."""
    usual = walls / capacity
    return capacity * (1 + AHEAD * usual / (usual + AHEAD_FROM))


def sweep(walls: float, capacity: float) -> float:
    """Seconds within which every wall is listed: `LONGEST`, or as long as it takes with half of the budget."""
    return max(LONGEST, 2 * walls / capacity)


def bounded(seconds: float, longest: float) -> float:
    """A wait within what is allowed."""
    return min(max(seconds, SHORTEST), longest)
