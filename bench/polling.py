"""How soon a comment is noticed, against the theoretical best and against plain round robin. Prints delays and ratios.

    python bench/polling.py [--region-hours H] [--country-hours H] [--seed N]

A made-up region (6,885 pages) and country (170,000 pages), each with the posts of thirty days. Pages differ heavily in how
often they publish and how much they are commented on (Pareto), posts of a page as well (Gamma with a small shape), threads
flare up (one post in fifty gets a burst at a moment nobody foresees), hours of the day differ. The half-lives of pages, the shapes
and the bursts are other ones than app/sources/rates.py assumes. All strategies have the same budget of looks at counters:

* learned:     app/sources/rates.py decides from what polling itself has seen, as the worker does;
* round robin: each post in its turn;
* told:        the optimum for known rates: the same machine, told each post's true rate at each look, and each flare at once;
* best:        the least possible mean for continuous looks with all true rates known at each moment: (Σ√λ)² / 2C per Σλ.

The budget is counted at every tick; more looks than it allows would end the run with an error.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # else the folder of benchmarks shadows modules of the standard library

from app.sources import rates  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

Column = np.ndarray[Any, Any]
DAY = 86_400.0
PAST_DAYS = 30
TICK = 0.5
HALF_LIFE = 5_400.0
"""What the installation has learned of its comments' ages; the pages' own half-lives differ."""
BEST_EVERY = 60
FLARING = 0.02
"""Of all posts."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Posts (columns of one length) and the comments to come, sorted by post and moment. Moments: seconds, 0 is the start."""

    published: Column
    page: Column
    total: Column
    half_life: Column
    mean: Column
    seen: Column
    burst_at: Column
    burst_size: Column
    comment_post: Column
    comment_at: Column
    flares: Column
    """Posts that flare up, by the moment."""
    first: Column
    """The index of each post's first comment, and one more: the number of comments."""

    def true_rate(self, posts: Column | slice, now: float) -> Column:
        """Comments a second at this moment."""
        age = np.maximum(now - self.published[posts], 0.0)
        half = self.half_life[posts]
        flared = now - self.burst_at[posts]
        flare = np.where(flared > 0, self.burst_size[posts] * np.exp(-np.maximum(flared, 0.0) / BURST_SECONDS) / BURST_SECONDS, 0.0)
        return cast(
            "Column", hour_factor(now) * np.where(now >= self.published[posts], self.total[posts] * half / (half + age) ** 2 + flare, 0.0)
        )


BURST_SECONDS = 1_200.0


def hour_factor(now: float) -> float:
    """A day of a region: quiet at night, most comments in the evening. The start is noon."""
    return 1.0 + 0.8 * float(np.sin((now / DAY) * 2 * np.pi))


def make(pages: int, hours: float, random: np.random.Generator) -> World:
    """A world of so many pages; comments until `hours` after the start."""
    end = hours * 3_600
    a_day = np.minimum(0.3 * (random.pareto(1.5, pages) + 0.5), 12.0)
    usual = np.minimum(0.6 * (random.pareto(1.2, pages) + 0.2), 200.0)
    half = HALF_LIFE * np.exp(random.normal(0, 0.6, pages))
    posts_of = random.poisson(a_day * (PAST_DAYS + end / DAY))
    page = np.repeat(np.arange(pages), posts_of)
    count = len(page)
    published = random.uniform(-PAST_DAYS * DAY, end, count)
    total = usual[page] * random.gamma(0.4, 1 / 0.4, count)
    half_life = half[page]
    came = random.poisson(total)
    flares = random.random(count) < FLARING
    burst_at = np.where(flares, published + DAY * random.exponential(0.5, count), np.inf)
    burst_size = np.where(flares, 5 * (random.pareto(1.3, count) + 0.5), 0.0)
    post = np.repeat(np.arange(count), came)
    luck = random.random(len(post))
    at = published[post] + half_life[post] * luck / (1 - luck)
    burst_post = np.repeat(np.arange(count), random.poisson(burst_size))
    burst_comment = burst_at[burst_post] + random.exponential(BURST_SECONDS, len(burst_post))
    post, at = np.concatenate([post, burst_post]), np.concatenate([at, burst_comment])
    # The hours: a comment of a quiet hour is left out with the probability that makes the intensities true (factor at most 1.8).
    factor = 1.0 + 0.8 * np.sin(at / DAY * 2 * np.pi)
    kept = (random.random(len(at)) < factor / 1.8) & (at < end)
    post, at = post[kept], at[kept]
    total, burst_size = total / 1.8, burst_size / 1.8
    before = np.bincount(post[at < 0], minlength=count)
    upcoming = at >= 0
    post, at = post[upcoming], at[upcoming]
    order = np.lexsort((at, post))
    post, at = post[order], at[order]
    first = np.searchsorted(post, np.arange(count + 1))
    old = published < 0
    exposed = np.bincount(page[old], cast("Column", rates.exposure(cast("float", -published[old]), HALF_LIFE)), minlength=pages)
    told = np.bincount(page[old], before[old], minlength=pages)
    mean = cast("Column", rates.page_mean(cast("float", told), cast("float", exposed)))
    return World(
        published=published, page=page, total=total, half_life=half_life, mean=mean[page], seen=before,
        burst_at=burst_at, burst_size=burst_size, comment_post=post, comment_at=at, first=first,
        flares=np.argsort(burst_at)[: int(flares.sum())],
    )  # fmt: skip


@dataclass
class Machine:
    """What the worker keeps of each post: when to look again, what it saw, how lively it was lately."""

    world: World
    capacity: float

    def __post_init__(self) -> None:
        self.seen = self.world.seen.astype(float)
        self.next = self.world.first[:-1].copy()
        self.heat = np.zeros(len(self.seen))
        self.heat_at = np.zeros(len(self.seen))
        self.noticed = np.full(len(self.world.comment_at), np.nan)
        self.weights = np.zeros(len(self.seen))

    def look(self, posts: Column, now: float) -> Column:
        """Look at some posts: their new comments are noticed now. How many each had."""
        start, stop = self.next[posts], self.world.first[posts + 1]
        upto = start.copy()
        open_ = start < stop
        while open_.any():  # few posts have new comments, and few of these many
            at = np.where(open_, self.world.comment_at[np.minimum(upto, len(self.noticed) - 1)], np.inf)
            open_ = at <= now
            self.noticed[upto[open_]] = now
            upto[open_] += 1
            open_ &= upto < stop
        fresh = upto - start
        self.next[posts] = upto
        self.seen[posts] += fresh
        return cast("Column", fresh)

    def learned(self, posts: Column, fresh: Column, now: float) -> Column:
        """The rate that the worker expects after this look."""
        self.heat[posts] = rates.cooled(cast("float", self.heat[posts]), cast("float", now - self.heat_at[posts])) + fresh
        self.heat_at[posts] = now
        rate = rates.expected_rate(
            seen=cast("float", self.seen[posts]), age=cast("float", now - self.world.published[posts]),
            mean=cast("float", self.world.mean[posts]), half_life=HALF_LIFE, heat=cast("float", self.heat[posts]),
            hour_factor=hour_factor(now),
        )  # fmt: skip
        return cast("Column", rate)


def run(
    world: World, capacity: float, hours: float, rate_of: Callable[[Machine, Column, Column, float], Column] | None, *, told: bool = False
) -> Column:
    """The delays (seconds) of the comments written in the run; `rate_of` None: round robin."""
    machine = Machine(world, capacity)
    count = len(world.published)
    a_tick = int(capacity * TICK)
    due = np.where(world.published < 0, 0.0, world.published)  # a new post is told by push, or found by a listing
    there = np.flatnonzero(world.published < 0)
    theta = 1.0
    if rate_of is not None:
        nothing = np.zeros(len(there), dtype=int)
        machine.weights[there] = rates.weight(cast("float", rate_of(machine, there, nothing, 0.0)))
        theta = rates.scale(machine.weights.sum(), len(there), capacity)
        spread = np.random.default_rng(1).random(len(there))
        due[there] = spread * rates.interval(cast("float", machine.weights[there]), theta)
    spent = 0
    flare_at = world.burst_at[world.flares]
    end = hours * 3_600
    ticks = int(end / TICK)
    for number in range(ticks):
        now = number * TICK
        waiting = np.flatnonzero(due <= now)
        if told:  # it knows of a flare at once
            flaring = world.flares[np.searchsorted(flare_at, now - TICK, "right") : np.searchsorted(flare_at, now, "right")]
            machine.weights[flaring] = rates.weight(cast("float", world.true_rate(flaring, now)))
            due[flaring] = np.minimum(due[flaring], now + rates.interval(cast("float", machine.weights[flaring]), theta))
            waiting = np.flatnonzero(due <= now)
        if len(waiting) < a_tick:  # nothing stands unused: the next ones are looked at before their time
            soon = np.flatnonzero((due > now) & (due < now + 120) & (world.published <= now))
            waiting = np.concatenate([waiting, soon])
        if len(waiting) > a_tick:
            waiting = waiting[np.argpartition(due[waiting], a_tick)[:a_tick]]
        spent += len(waiting)
        if spent > capacity * (now + TICK):
            raise RuntimeError("the budget was exceeded")
        fresh = machine.look(waiting, now)
        if rate_of is None:
            due[waiting] = now + 1.0
            continue
        machine.weights[waiting] = rates.weight(cast("float", rate_of(machine, waiting, fresh, now)))
        if number % BEST_EVERY == 0:
            alive = int((world.published <= now).sum())
            theta = rates.scale(machine.weights.sum(), alive, capacity)
        due[waiting] = now + rates.interval(cast("float", machine.weights[waiting]), theta)
    delays = machine.noticed - world.comment_at
    # A comment that nobody has seen by the end has waited until then at least: leaving it out would flatter whoever is slow.
    delays = np.where(np.isnan(delays), end - world.comment_at, delays)
    warm = world.comment_at >= end * 0.2
    print(f"    looks {spent:,} of {capacity * end:,.0f} ({count:,} posts)", file=sys.stderr)
    return cast("Column", delays[warm])


def best(world: World, capacity: float, hours: float) -> float:
    """The least mean delay (seconds)."""
    waits, comments = 0.0, 0.0
    for now in np.arange(hours * 3_600 * 0.2, hours * 3_600, BEST_EVERY):
        rate = world.true_rate(slice(None), float(now))
        waits += np.sqrt(rate).sum() ** 2 / (2 * capacity)
        comments += rate.sum()
    return float(waits / comments)


def compare(name: str, pages: int, capacity: float, hours: float, seed: int) -> None:
    """One table."""
    began = time.perf_counter()
    world = make(pages, hours, np.random.default_rng(seed))
    least = best(world, capacity, hours)
    told = run(world, capacity, hours, lambda machine, posts, _fresh, now: machine.world.true_rate(posts, now), told=True)
    ours = run(world, capacity, hours, lambda machine, posts, fresh, now: machine.learned(posts, fresh, now))
    robin = run(world, capacity, hours, None)
    print(f"\n{name}: {pages:,} pages, {len(world.published):,} posts, {capacity:,.0f} looks a second")
    print(f"  {len(ours):,} comments in {hours * 0.8:g} hours")
    print("                      mean       p95   mean / told   mean / round robin")
    for label, delays in (("learned", ours), ("told true rates", told), ("round robin", robin)):
        mean = float(delays.mean())
        print(f"  {label:16} {mean:8.1f} s {np.percentile(delays, 95):7.1f} s {mean / told.mean():10.2f} {mean / robin.mean():16.2f}")
    print(f"  {'best possible':16} {least:8.1f} s")
    print(f"  ({time.perf_counter() - began:.0f} s of computing)", file=sys.stderr)


def main() -> None:
    """Both sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--region-hours", type=float, default=12.0)
    parser.add_argument("--country-hours", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    # Three calls a second of one token, a fifth kept for reading, listing and answering; the country has 25 tokens.
    compare("Region", 6_885, 3 * 100 * 0.8, given.region_hours, given.seed)
    if given.country_hours:
        compare("Country", 170_000, 75 * 100 * 0.8, given.country_hours, given.seed)
    print("\nAim: learned within 1.15 of what true rates would give, under 0.5 of round robin.")


if __name__ == "__main__":
    main()
