"""Who decides in bench/polling.py when a post is looked at and a wall is listed, each from what it is allowed to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from app.sources import hours, rates, walls
from bench.polling_world import (
    BURST_SECONDS,
    FLARE_AFTER,
    FLARE_SIZE,
    FLARING,
    HOUR,
    LUCK,
    Column,
    World,
    publishing,
    writing,
)

if TYPE_CHECKING:
    from bench.polling_machine import Machine

SPARK = 0.2
STEP = 600.0
STEPS = 14 * 144
CLASSES = 9
EVEN = 20.0
"""What an even week weighs in each of its hours."""
AHEAD = 1.1
"""The optimum plans for so much more than its budget, as app/sources/walls.py does: with 1.0 and 1.3 it does no better."""


class Mind(Protocol):
    """What decides."""

    knows_flares: bool
    even: bool
    """Listings are spent evenly over the day."""

    def rate(self, machine: Machine, posts: Column, fresh: Column | None, now: float) -> Column:
        """Comments a second that it expects under these posts after a look that found `fresh` (None: none was there yet)."""

    def plan_walls(self, machine: Machine, now: float) -> None:
        """Take in what is known of the pages by now, and what a listing is worth."""

    def list_again(self, pages: Column, now: float) -> Column:
        """When to list these walls again, listed now."""


def _hours(told: Column) -> Column:
    """Factors of the hours of a week, as they are learnt."""
    return np.array(hours.factors(tuple(np.bincount(told, minlength=hours.WEEK).tolist()), EVEN))


class Learned:
    """app/sources, as the worker uses it: it knows what polling itself has brought in."""

    knows_flares = False
    even = True

    def __init__(self, world: World, listings: float) -> None:
        self._world, self._listings = world, listings
        self.half_life = float(np.median(world.past_ages))
        self._writing = _hours(world.past_hours)
        before = world.published[world.published < 0]
        self._gains = walls.Gains(
            published=_hours((before // HOUR).astype(int) % hours.WEEK).tolist(), written=self._writing.tolist(), half_life=self.half_life
        )
        self._weights = np.zeros(len(world.a_second))
        self.means = np.zeros(len(world.a_second))
        self._price = self._longest = 1.0

    def rate(self, machine: Machine, posts: Column, fresh: Column | None, now: float) -> Column:
        """What it expects."""
        if fresh is not None:
            cooled = rates.cooled(cast("float", machine.heat[posts]), cast("float", now - machine.heat_at[posts]))
            machine.heat[posts] = cooled + fresh
            machine.heat_at[posts] = now
        rate = rates.expected_rate(
            seen=cast("float", machine.seen[posts]), age=cast("float", np.maximum(now - self._world.published[posts], 0.0)),
            mean=cast("float", self.means[self._world.page[posts]]), half_life=self.half_life,
            heat=cast("float", machine.heat[posts]), hour_factor=float(self._writing[int(now // HOUR) % hours.WEEK]),
        )  # fmt: skip
        return cast("Column", rate)

    def plan_walls(self, machine: Machine, now: float) -> None:
        """What it knows of the pages."""
        world, known = self._world, np.flatnonzero(machine.known)
        page, pages = world.page[known], len(self._weights)
        exposed = np.bincount(
            page, cast("Column", rates.exposure(cast("float", now - world.published[known]), self.half_life)), minlength=pages
        )
        exposed += world.told_posts  # long over: all of their comments have come
        told = np.bincount(page, machine.seen[known], minlength=pages) + world.told_comments
        usual = rates.usual_mean(float(told.sum()), float(exposed.sum()))
        self.means = cast("Column", rates.page_mean(cast("float", told), cast("float", exposed), usual))
        posts = np.bincount(page, minlength=pages) + world.told_posts
        # Published since the last listing is not known: the page has been watched until then.
        seconds = world.told_seconds + np.minimum(machine.listed_at, now)
        self._weights = cast("Column", walls.publishing(cast("float", posts), cast("float", seconds))) * self.means
        self._price = self._gains.price(walls.buckets(self._weights.tolist()), self._listings)
        self._longest = walls.sweep(pages, self._listings)

    def list_again(self, pages: Column, now: float) -> Column:
        """When it lists them again."""
        hour = int(now // HOUR) % hours.WEEK
        waits = [walls.bounded(self._gains.wait(float(self._weights[page]), self._price, hour=hour), self._longest) for page in pages]
        return cast("Column", now + np.array(waits))


class Lawful(Learned):
    """It knows every law by which the world was made, and each page's own figures, but of no post how much it will draw."""

    def rate(self, machine: Machine, posts: Column, fresh: Column | None, now: float) -> Column:
        """What it expects."""
        world = self._world
        if fresh is not None:
            cooled = machine.heat[posts] * 2.0 ** (-(now - machine.heat_at[posts]) / (BURST_SECONDS * rates.LN2))
            machine.heat[posts], machine.heat_at[posts] = cooled + fresh, now
        page = world.page[posts]
        half, age = world.half_of_page[page], np.maximum(now - world.published[posts], 0.0)
        expected = (LUCK + machine.seen[posts]) / (LUCK / (world.usual[page] - FLARING * FLARE_SIZE) + age / (half + age))
        flare = FLARING * np.exp(-age / FLARE_AFTER) / FLARE_AFTER * FLARE_SIZE
        return cast("Column", writing(now) * (expected * half / (half + age) ** 2 + flare + SPARK * machine.heat[posts] / BURST_SECONDS))


class Told:
    """The optimum that knows the true rates: of every post and flare at each moment, of every page and hour; not the future."""

    knows_flares = True
    even = False

    def __init__(self, world: World, listings: float) -> None:
        self._world, self._listings = world, listings
        edges = np.quantile(world.half_of_page, np.linspace(0, 1, CLASSES + 1))
        self._class = np.clip(np.searchsorted(edges, world.half_of_page) - 1, 0, CLASSES - 1)
        middle = [float(np.median(world.half_of_page[self._class == one])) for one in range(CLASSES)]
        self._gain = np.stack([[_gain(half, start * HOUR) for start in range(24)] for half in middle])
        self._weights = world.a_second * world.usual
        self._price = self._find_price()

    def rate(self, machine: Machine, posts: Column, fresh: Column | None, now: float) -> Column:  # noqa: ARG002
        """What it expects."""
        return machine.world.true_rate(posts, now)

    def plan_walls(self, machine: Machine, now: float) -> None:
        """It knew all from the beginning."""

    def _find_price(self) -> float:
        """At which all listings are the budget, over a day of moments to begin from."""
        low, high = -60.0, 60.0
        for _ in range(40):
            middle = (low + high) / 2
            waits = np.mean([self._waits(np.arange(len(self._weights)), hour, 2.0**middle) for hour in range(0, 24, 3)], axis=0)
            low, high = (middle, high) if float((1.0 / waits).sum()) > AHEAD * self._listings else (low, middle)
        return float(2.0**high)

    def _waits(self, pages: Column, hour: int, price: float) -> Column:
        waits = np.empty(len(pages))
        kind = self._class[pages]
        for one in np.unique(kind):
            mine = np.flatnonzero(kind == one)
            waits[mine] = np.searchsorted(self._gain[one, hour], price / self._weights[pages[mine]]) + 1
        return waits * STEP

    def list_again(self, pages: Column, now: float) -> Column:
        """When it lists them again."""
        return now + self._waits(pages, int(now // HOUR) % 24, self._price)


def _gain(half_life: float, start: float) -> Column:
    """What waiting gains by so many steps after a listing at `start`, for a wall of weight 1 (app/sources/walls.py), with all hours."""
    moments = start + np.arange(STEPS) * STEP
    edges = np.arange(STEPS + 1) * STEP
    within = np.diff(edges / (half_life + edges))
    size = 2 * STEPS
    writers = np.fft.irfft(np.fft.rfft(publishing(moments) * STEP, size) * np.fft.rfft(within, size), size)[:STEPS]
    # `writers` a step come under all that was published since; each is multiplied by how much is written at its hour.
    return cast("Column", np.cumsum((np.arange(STEPS) + 1) * STEP * np.maximum(writers, 0.0) * writing(moments)))
