"""How many comments a second are to be expected under a post, and how often to look for them. Pure: numbers in, numbers out.

**The expected rate.** A post gets M comments in its life; half of them come within `half_life` seconds, at the age `a` with
the density half_life / (half_life + a)² (a Lomax law of shape 1: comments come early and never quite end). M is not known:
it is Gamma distributed around what posts of the page usually get, with a small shape because most posts get next to nothing
and a few very much. Having `seen` comments at the age `a`, of which a share `exposure` had to come until now, the expected M is

    (SHAPE + seen) / (SHAPE / page_mean + exposure)            (the Gamma-Poisson posterior mean)

A thread that has just been lively draws more comments soon: each one seen adds SPARK comments to come, which fade with the
half-life BURST. All of it is multiplied by the hour's factor: how much of a week's comments this hour gets, 1 on average.

**The frequency.** A comment that comes at a random moment under a post looked at each T seconds waits T / 2. With rates λ and a
budget of C looks a second the mean wait Σ λT/2 / Σ λ is least when 1/T grows with √λ (Lagrange: λ/2 = μ/T²; for polling of
web pages: Cho and Garcia-Molina, "Effective page refresh policies", 2003). Beside it every post keeps one look in SWEEP, so
that nothing is ever forgotten: 1/T = √λ/θ + 1/SWEEP, where θ makes all frequencies add up to C.

All functions are made of arithmetic only, so they take numbers and, in bench/polling.py, columns of numbers alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SHAPE = 0.6
"""Of the Gamma law over posts of one page: small, because comments gather under few posts."""
SPARK = 0.2
BURST = 900.0
"""Seconds in which half of a burst is over."""
SWEEP = 86_400.0
"""Seconds within which each post is looked at whatever is expected of it."""
USUAL_HALF_LIFE = 7_200.0
"""Seconds in which half of a post's comments come, as long as an installation has none to learn from."""
USUAL_MEAN = 1.5
"""Comments of a post, as long as nothing is known of an installation."""
USUAL_WEIGHT = 20.0
"""So many posts' worth does `USUAL_MEAN` weigh against what an installation really gets."""
MEAN_WEIGHT = 1.0
"""So many posts' worth does the installation's mean weigh against what a page really gets: pages differ much."""
HOURS = 168
"""Of a week, beginning on Monday at midnight."""
NO_WEIGHT = 1e-6
"""Of an installation without posts."""
LEAST_FREE = 2.0
"""Looks in `soonest` seconds that are never given up to the liveliest posts."""
LN2 = 0.6931471805599453


def exposure(age: float, half_life: float) -> float:
    """The share of a post's comments that comes until this age (seconds)."""
    return age / (half_life + age)


def usual_mean(comments: float, exposed: float) -> float:
    """Comments that a post of an installation gets in its life; `exposed` is the sum of its posts' exposures."""
    return (USUAL_WEIGHT * USUAL_MEAN + comments) / (USUAL_WEIGHT + exposed)


def page_mean(comments: float, exposed: float, usual: float) -> float:
    """Comments that a post of a page gets in its life, where a `usual` one gets so many."""
    return (MEAN_WEIGHT * usual + comments) / (MEAN_WEIGHT + exposed)


def expected_rate(*, seen: float, age: float, mean: float, half_life: float, heat: float, hour_factor: float) -> float:
    """Comments a second that a post gets now; `heat` as `cooled` gives it, for this moment."""
    total = (SHAPE + seen) / (SHAPE / mean + exposure(age, half_life))
    density = half_life / (half_life + age) ** 2
    return hour_factor * (total * density + SPARK * heat * LN2 / BURST)


def cooled(heat: float, seconds: float) -> float:
    """What is left of a thread's heat (comments lately) after so many seconds without a comment."""
    faded: float = 2.0 ** (-seconds / BURST)
    return heat * faded


def scale(weights: float, posts: float, capacity: float, liveliest: Sequence[float] = (), soonest: float = 0.0) -> float:
    """θ: seconds between two looks at a post of weight 1, so that `posts` of this sum of weights take `capacity` looks a second.

    When the sweep alone would take more than half of the capacity, half of it goes by weight all the same, and the sweep
    takes as long as it takes. `liveliest`, the greatest weights in falling order: of these, whichever would be looked at more often
    than once in `soonest` seconds gets that and no more, and what it leaves is the others'.
    """
    free, rest = max(capacity - posts / SWEEP, capacity / 2), weights
    for one in liveliest:
        if one * soonest <= max(rest, NO_WEIGHT) / free or free * soonest <= LEAST_FREE:
            break
        free, rest = free - 1 / soonest, rest - one
    return max(rest, NO_WEIGHT) / free


def weight(rate: float) -> float:
    """√λ: looks a second are shared out by it."""
    root: float = rate**0.5
    return root


def interval(weight: float, theta: float) -> float:
    """Seconds until the next look."""
    return 1.0 / (weight / theta + 1.0 / SWEEP)
