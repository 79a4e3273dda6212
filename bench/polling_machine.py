"""The machine of bench/polling.py: looks and listings within their budgets, tick by tick; and plain round robin, which needs none."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from app.sources import rates
from app.sources.budget import PARTS, UNEVEN
from bench.polling_world import DAY, Column, World

if TYPE_CHECKING:
    from bench.polling_minds import Mind

BLOCK = 60.0
"""Seconds for which the posts that may become due are picked from all."""
SOON = 30.0
"""A call that is not full takes along what is due so soon (app/flows/polling_plan.py)."""
WALLS_EVERY = 3_600.0
_FAR = 1e8
"""Seconds: later than everything."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Looks a second, and listings in any span of a day. Without a number of looks a known post is looked at all the time."""

    looks: float | None
    listings: int


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """When each comment was noticed (NaN: not by the end), and what was spent."""

    noticed: Column
    found: Column
    """When each post was found."""
    looks: int
    most_listings: int
    """In any span of a day."""


@dataclass
class Machine:
    """What is kept of each post and page."""

    world: World
    known: Column = field(init=False)
    seen: Column = field(init=False)
    _order: Column | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        count, pages = len(self.world.published), len(self.world.a_second)
        self.seen = self.world.seen.astype(float)
        self.known = np.zeros(count, dtype=bool)
        self.next = self.world.first[:-1].copy()
        self.heat, self.heat_at = np.zeros(count), np.zeros(count)
        self.weights = np.zeros(count)
        self.noticed = np.full(len(self.world.comment_at), np.nan)
        self.found_at = np.full(count, np.inf)
        self.due = np.full(count, np.inf)
        self.listed_at = np.zeros(pages)
        self.next_post = self.world.post_first[:-1].copy()

    def look(self, posts: Column, now: float) -> Column:
        """Look at some posts: their new comments are noticed now. How many each had."""
        start = self.next[posts]
        upto = _advance(self.world.comment_at, start, self.world.first[posts + 1], now)
        for post_start, post_stop in zip(start[upto > start], upto[upto > start], strict=True):
            self.noticed[post_start:post_stop] = now
        self.next[posts] = upto
        self.seen[posts] += upto - start
        return cast("Column", upto - start)

    def list_walls(self, pages: Column, now: float) -> Column:
        """List some walls: the posts that were not known."""
        start = self.next_post[pages]
        upto = _advance(self.world.published, start, self.world.post_first[pages + 1], now)
        self.next_post[pages] = upto
        self.listed_at[pages] = now
        found = np.concatenate([np.arange(one, other) for one, other in zip(start, upto, strict=True)]) if len(pages) else start
        self.known[found] = True
        self.found_at[found] = now
        return found

    def look_at_all(self, now: float) -> None:
        """What has been written by now under all posts that are known."""
        world = self.world
        if self._order is None:
            self._order = world.comment_post * _FAR + world.comment_at
        known = np.flatnonzero(self.known)
        self.seen[known] = world.seen[known] + np.searchsorted(self._order, known * _FAR + now) - world.first[known]

    def noticed_when_found(self) -> Column:
        """When comments are noticed, if a known post is looked at all the time."""
        found = np.where(self.known & np.isinf(self.found_at), -np.inf, self.found_at)[self.world.comment_post]
        return np.where(np.isinf(found) & (found > 0), np.nan, np.maximum(found, self.world.comment_at))


def _advance(moments: Column, start: Column, stop: Column, now: float) -> Column:
    """From `start` on, how far these sorted moments lie before now, at most up to `stop`."""
    upto = start.copy()
    open_ = np.flatnonzero(start < stop)
    while open_.size:
        open_ = open_[moments[upto[open_]] <= now]
        upto[open_] += 1
        open_ = open_[upto[open_] < stop[open_]]
    return upto


class _Listings:
    """The listings of one run: never more than the quota in any span of a day; evenly over the day, where the mind wants it so."""

    def __init__(self, budget: Budget, tick: float, *, even: bool) -> None:
        self._budget = budget
        self._part = math.ceil(budget.listings * UNEVEN / PARTS) if even else budget.listings
        self._day: deque[int] = deque([int(budget.listings * tick / DAY)] * int(DAY / tick))
        self._lately: deque[int] = deque([0] * int(DAY / PARTS / tick))
        self._in_day, self._in_part = sum(self._day), 0
        self.most = 0

    def choose(self, due: Column, now: float) -> Column:
        """Of the walls that are due those that may be listed now, the longest waiting first."""
        self._in_day -= self._day.popleft()
        self._in_part -= self._lately.popleft()
        ready = np.flatnonzero(due <= now)
        free = max(0, min(self._budget.listings - self._in_day, self._part - self._in_part))
        if len(ready) > free:
            ready = ready[np.argsort(due[ready])[:free]]
        self._day.append(len(ready))
        self._lately.append(len(ready))
        self._in_day, self._in_part = self._in_day + len(ready), self._in_part + len(ready)
        self.most = max(self.most, self._in_day)
        if self._in_day > self._budget.listings:
            raise ExceededError("listings")
        return ready


class ExceededError(RuntimeError):
    """A budget was exceeded: the figures would mean nothing."""


class _Run:
    """One run of a mind."""

    def __init__(self, world: World, budget: Budget, mind: Mind, *, tick: float, pushed: bool) -> None:
        self.world, self.budget, self.mind, self.tick, self.pushed = world, budget, mind, tick, pushed
        self.machine = machine = Machine(world)
        self.listings = _Listings(budget, tick, even=mind.even)
        chance = np.random.default_rng(1)
        pages = np.arange(len(world.a_second))
        machine.known[:] = world.published < 0
        mind.plan_walls(machine, 0.0)
        self.list_due = np.full(len(pages), np.inf)
        if not pushed:  # as if it had gone on so for long: each wall stands somewhere between two listings
            machine.listed_at = -chance.random(len(pages)) * np.minimum(mind.list_again(pages, 0.0), 10 * DAY)
            machine.known[:] = world.published < machine.listed_at[world.page]
            machine.next_post = world.post_first[:-1] + np.bincount(world.page[machine.known], minlength=len(pages))
            self.list_due = np.maximum(machine.listed_at + mind.list_again(pages, 0.0), chance.random(len(pages)) * 600)
        there = np.flatnonzero(machine.known)
        machine.weights[there] = rates.weight(cast("float", mind.rate(machine, there, None, 0.0)))
        self.theta = self._scale()
        machine.due[there] = chance.random(len(there)) * rates.interval(cast("float", machine.weights[there]), self.theta)
        if pushed:
            coming = world.published >= 0
            machine.due[coming] = world.published[coming]
            machine.known[:] = True
        self._flaring = np.argsort(world.burst_at)
        self._flare_at = world.burst_at[self._flaring]
        self.hot = there
        self.looks = 0

    def _scale(self) -> float:
        if self.budget.looks is None:
            return 1.0
        weights = self.machine.weights
        return rates.scale(float(weights.sum()), int((weights > 0).sum()), self.budget.looks)

    def step(self, number: int) -> None:
        """One tick."""
        now = number * self.tick
        if not self.pushed:
            self._list(number, now)
        if self.budget.looks is None:
            return
        if self.mind.knows_flares:
            self._tell_flares(now)
        if number % max(1, int(BLOCK / self.tick)) == 0:
            self.hot = np.flatnonzero(self.machine.due < now + BLOCK + SOON)
            self.theta = self._scale()
        self._look(now, self.budget.looks)

    def _list(self, number: int, now: float) -> None:
        if number % int(WALLS_EVERY / self.tick) == 0:
            if self.budget.looks is None:
                self.machine.look_at_all(now)
            self.mind.plan_walls(self.machine, now)
        ready = self.listings.choose(self.list_due, now)
        found = self.machine.list_walls(ready, now)
        self.list_due[ready] = self.mind.list_again(ready, now)
        self.machine.due[found] = now
        self.hot = np.concatenate([self.hot, found])

    def _tell_flares(self, now: float) -> None:
        machine = self.machine
        lit = self._flaring[np.searchsorted(self._flare_at, now - self.tick, "right") : np.searchsorted(self._flare_at, now, "right")]
        lit = lit[machine.known[lit]]
        if not lit.size:
            return
        machine.weights[lit] = rates.weight(cast("float", self.mind.rate(machine, lit, None, now)))
        machine.due[lit] = np.minimum(machine.due[lit], now + rates.interval(cast("float", machine.weights[lit]), self.theta))
        self.hot = np.concatenate([self.hot, lit[~np.isin(lit, self.hot)]])

    def _look(self, now: float, a_second: float) -> None:
        machine, most = self.machine, int(a_second * self.tick)
        near = self.hot[machine.due[self.hot] <= now + SOON]
        if len(near) > most:
            near = near[np.argpartition(machine.due[near], most)[:most]]
        near = near[self.world.published[near] <= now]
        self.looks += len(near)
        if self.looks > a_second * (now + self.tick):
            raise ExceededError("looks")
        fresh = machine.look(near, now)
        machine.weights[near] = rates.weight(cast("float", self.mind.rate(machine, near, fresh, now)))
        machine.due[near] = now + rates.interval(cast("float", machine.weights[near]), self.theta)


def run(world: World, budget: Budget, mind: Mind, *, days: float, tick: float, pushed: bool) -> Outcome:
    """`pushed`: the platform tells of each new post at once, so no wall needs a listing."""
    going = _Run(world, budget, mind, tick=tick, pushed=pushed)
    for number in range(int(days * DAY / tick)):
        going.step(number)
    noticed = going.machine.noticed if budget.looks is not None else going.machine.noticed_when_found()
    return Outcome(noticed=noticed, found=going.machine.found_at, looks=going.looks, most_listings=going.listings.most)


def round_robin(world: World, budget: Budget, *, days: float, pushed: bool) -> Outcome:
    """Each wall in its turn, each known post in its turn: when they are is known without trying."""
    pages = len(world.a_second)
    around = pages / budget.listings * DAY
    turn = np.random.default_rng(2).permutation(pages)[world.page] / pages * around
    found = world.published if pushed else turn + np.ceil((world.published - turn) / around) * around
    post, end = world.comment_post, days * DAY
    since = noticed = np.maximum(world.comment_at, found[post])
    if budget.looks is not None:
        cycle = int((found < end / 2).sum()) / budget.looks
        mine = np.random.default_rng(3).permutation(len(world.published))[post] / len(world.published) * cycle
        noticed = mine + np.ceil((since - mine) / cycle) * cycle
        noticed = np.where(found[post] > world.comment_at, found[post], noticed)  # a post that is found is looked at
    return Outcome(
        noticed=np.where(noticed < end, noticed, np.nan), found=found, looks=int((budget.looks or 0.0) * end),
        most_listings=0 if pushed else budget.listings,
    )  # fmt: skip
