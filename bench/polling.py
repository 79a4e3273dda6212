"""How soon a comment is noticed, against the optimum that knows the true rates and against plain round robin. Prints delays and ratios.

    python bench/polling.py [--region-days D] [--country-days D] [--pushed-hours H] [--seed N] [--worlds W]

A made-up region (6,885 pages) and country (170,000 pages): bench/polling_world.py. All strategies have the same budget of looks at
counters and of listings of walls, and find new posts by listing walls alone, unless the table says that the platform tells of them:

* learned:     app/sources/rates.py and walls.py decide from what polling itself has seen, as the worker does;
* round robin: each post and each wall in its turn;
* true rates:  the optimum: it is told the rate of every post (flares the moment they begin), page and hour, but nothing of the future:
               not when a page will publish, nor that it has (decision 0024 has the formulas);
* laws only:   beside these where posts are told of: it knows each law and page, but of no new post how much it will draw: what is
               between it and the true rates nobody can learn.

A few posts with very many comments make one world's figures jump: several worlds, by seeds that follow each other, tell more.
The budgets are counted at every tick; more than they allow would end the run with an error. All moments are simulated, so the figures
do not depend on the machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)  # else the folder of benchmarks shadows modules of the standard library

from bench.polling_machine import Budget, Outcome, round_robin, run  # noqa: E402
from bench.polling_minds import Lawful, Learned, Told  # noqa: E402
from bench.polling_world import DAY, HOUR, World, expected_wait, make  # noqa: E402

if TYPE_CHECKING:
    from bench.polling_world import Column

REGION, COUNTRY = 6_885, 170_000
CALLS_A_SECOND = 3
LOOKS_A_CALL = 100
FOR_LOOKS = 0.8
"""Of the calls; the rest is for reading, listing and answering."""
LISTINGS_A_DAY = 4_850
"""Of VK's 5,000 for a token: what app/flows/polling_rhythm.py reckons with."""
COUNTRY_TOKENS = 25


def budget_of(tokens: int, *, looks: bool) -> Budget:
    """What so many service tokens of VK allow."""
    a_second = tokens * CALLS_A_SECOND * LOOKS_A_CALL * FOR_LOOKS
    return Budget(looks=a_second if looks else None, listings=tokens * LISTINGS_A_DAY)


def delays_of(world: World, outcome: Outcome, *, days: float) -> Column:
    """Seconds from writing to noticing, of what was written between the first and the last quarter.

    The first begins with nothing under way, and what is written in the last one may be noticed only after the end: to count it would hide
    the longest waits, most of all of whoever has the longest. A comment that nobody has seen by the end has waited until then at least.
    """
    noticed = np.where(np.isnan(outcome.noticed), days * DAY, outcome.noticed)
    return (noticed - world.comment_at)[_measured(world, days)]


def _measured(world: World, days: float) -> Column:
    return cast("Column", (world.comment_at >= days / 4 * DAY) & (world.comment_at < days * 3 / 4 * DAY))


def compare(
    name: str, pages: int, *, tokens: int, days: float, tick: float, pushed: bool, seed: int, looks: bool = True
) -> tuple[float, float, float]:
    """One table; the mean delays, in seconds, of learned, true rates and round robin.

    Without `looks` a known post is looked at all the time: of hours that a wall waits for its listing they are seconds.
    """
    began = time.process_time()
    world, budget = make(pages, days, np.random.default_rng(seed)), budget_of(tokens, looks=looks)
    minds: dict[str, type[Learned | Told]] = {"learned": Learned, "true rates": Told}
    if pushed:
        minds["laws only"] = Lawful
    told = {
        label: run(world, budget, mind(world, budget.listings / DAY), days=days, tick=tick, pushed=pushed) for label, mind in minds.items()
    }
    told["round robin"] = round_robin(world, budget, days=days, pushed=pushed)
    delays = {label: delays_of(world, outcome, days=days) for label, outcome in told.items()}
    best, robin = float(delays["true rates"].mean()), float(delays["round robin"].mean())
    print(f"\n{name}: {pages:,} pages, {len(world.published):,} posts; ", end="")
    print("looks not counted" if budget.looks is None else f"{budget.looks:,.0f} looks a second", end="")
    print(", told of new posts" if pushed else f", {budget.listings:,} listings a day")
    print(f"  {len(delays['learned']):,} comments in {days / 2 * 24:g} hours, simulated by ticks of {tick:g} s")
    print("                      mean        p95   / true rates   / round robin   listings in a day at most")
    for label, one in delays.items():
        mean = float(one.mean())
        late, most = np.percentile(one, 95), told[label].most_listings
        print(f"  {label:12} {mean:12.1f} s {late:8.0f} s {mean / best:10.2f} {mean / robin:15.2f} {most:18,}")
    if not pushed:
        waits = {label: expected_wait(world, outcome.found, days) for label, outcome in told.items()}
        for label, wait in waits.items():
            print(f"  {label:12} {wait:12.1f} s to be expected {wait / waits['true rates']:6.3f} {wait / waits['round robin']:15.3f}")
    print(f"  what can be had at all against round robin: {best / robin:.2f} (true rates)")
    print(f"  ({time.process_time() - began:.0f} s of the processor)", file=sys.stderr)
    return float(delays["learned"].mean()), best, robin


def together(found: list[tuple[float, float, float]]) -> None:
    """The mean over worlds, each counting alike."""
    learned, best, robin = (sum(one) / len(found) for one in zip(*found, strict=True))
    print(
        f"  {len(found)} worlds together: learned {learned:.1f} s, {learned / best:.2f} of true rates, {learned / robin:.2f} of round robin"
    )


def main() -> None:
    """All tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--region-days", type=float, default=8.0)
    parser.add_argument("--pushed-hours", type=float, default=3.0)
    parser.add_argument("--country-days", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worlds", type=int, default=1)
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.worlds)
    if given.region_days:
        days = given.region_days
        together([compare("Region, polling alone", REGION, tokens=1, days=days, tick=20, pushed=False, seed=seed) for seed in seeds])
    if given.pushed_hours:
        days = given.pushed_hours * HOUR / DAY
        together([compare("Region, looks alone", REGION, tokens=1, days=days, tick=0.5, pushed=True, seed=seed) for seed in seeds])
    if given.country_days:
        days, tokens = given.country_days, COUNTRY_TOKENS
        together(
            [
                compare("Country, polling alone", COUNTRY, tokens=tokens, days=days, tick=300, pushed=False, seed=seed, looks=False)
                for seed in seeds
            ]
        )
    print("\nAim: learned within 1.15 of what true rates give, under 0.5 of round robin, no quota exceeded.")


if __name__ == "__main__":
    main()
