"""A made-up world for bench/polling.py: pages, what they publish, what is written there. Moments are seconds; 0 is a Monday's noon.

Pages differ heavily in how often they publish and how much they are commented on (Pareto), posts of a page as well (Gamma with a small
shape), pages in how fast their threads end (log-normal half-lives), hours in how much is published and written. One post in fifty
flares up at a moment that nobody foresees. Shapes, half-lives, hours and bursts are other ones than app/sources assumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from app.sources import hours

Column = np.ndarray[Any, Any]
HOUR = 3_600.0
DAY = 86_400.0
PAST_DAYS = 30
FIRST_LISTING = 50
FIRST_DAYS = 180
"""When a page was connected a month ago its first listing told its newest posts, so many; older ones than this count for nothing."""
USUAL_HALF_LIFE = 5_400.0
BURST_SECONDS = 1_200.0
FLARING = 0.02
"""Of all posts."""
FLARE_AFTER = DAY / 2
FLARE_SIZE = 3 * (1 / 0.3 + 0.5)
LUCK = 0.4
"""Shape of the Gamma law over posts of one page."""
HIGHEST = 1.8
PARTS = 48


def writing(now: Column | float) -> Column:
    """How much is written at this hour: quiet at dawn, most in the evening; 1 on average."""
    return cast("Column", 1.0 + 0.8 * np.sin(np.asarray(now) / DAY * 2 * np.pi))


def publishing(now: Column | float) -> Column:
    """How much is published: by day, next to nothing at night; 1 on average."""
    return cast("Column", 1.0 + 0.8 * np.cos(np.asarray(now) / DAY * 2 * np.pi))


@dataclass(frozen=True, kw_only=True)
class World:
    """Pages, their posts (columns of one length, by page and moment) and the comments to come, by post and moment."""

    a_second: Column
    """Posts a second of each page."""
    usual: Column
    """Comments of a post of each page, flares included."""
    half_of_page: Column
    published: Column
    page: Column
    post_first: Column
    """The index of each page's first post, and one more: the number of posts."""
    total: Column
    burst_at: Column
    burst_size: Column
    seen: Column
    """Comments of each post before the start."""
    told_posts: Column
    """Posts of each page that are older than the thirty days before the start, which its first listing told; long over."""
    told_comments: Column
    told_seconds: Column
    """Before the start, to which each page's posts reach back."""
    comment_post: Column
    comment_at: Column
    first: Column
    """The index of each post's first comment, and one more: the number of comments."""
    past_hours: Column
    """Hours of the week (it begins with the start) of a sample of comments before the start, as habits.py reads them."""
    past_ages: Column

    def true_rate(self, posts: Column | slice, now: float) -> Column:
        """Comments a second at this moment."""
        age = np.maximum(now - self.published[posts], 0.0)
        half = self.half_of_page[self.page[posts]]
        flared = now - self.burst_at[posts]
        flare = np.where(flared > 0, self.burst_size[posts] * np.exp(-np.maximum(flared, 0.0) / BURST_SECONDS) / BURST_SECONDS, 0.0)
        there = now >= self.published[posts]
        return cast("Column", writing(now) * np.where(there, self.total[posts] * half / (half + age) ** 2 + flare, 0.0))


def expected_wait(world: World, found: Column, days: float) -> float:
    """Seconds for which a comment is to be expected to wait until its post is found, of posts published between the first and last quarter.

    What happens to be written under a few posts outweighs much of what was decided; by what was to be expected it does not.
    """
    within = np.flatnonzero((world.published >= days / 4 * DAY) & (world.published < days * 3 / 4 * DAY))
    began, half, weight = world.published[within], world.half_of_page[world.page[within]], world.usual[world.page[within]]
    until = np.maximum(np.minimum(found[within], days * DAY) - began, 0.0)
    share, waited = until / (half + until), np.zeros(len(within))
    for part in (np.arange(PARTS) + 0.5) / PARTS:  # of all comments that come until then
        age = half * part * share / (1 - part * share)
        waited += (until - age) * writing(began + age) * share / PARTS
    return float((weight * waited).sum() / weight.sum())


def _moments(count: int, end: float, random: np.random.Generator) -> Column:
    """When posts are published, from thirty days before the start on, as the hours have it."""
    grid = np.linspace(-PAST_DAYS * DAY, end, 24 * 6 * (PAST_DAYS + 10))
    sums = np.cumsum(publishing(grid))
    return cast("Column", np.interp(random.random(count) * sums[-1], sums, grid))


def _comments(
    published: Column, half: Column, total: Column, burst: tuple[Column, Column], random: np.random.Generator
) -> tuple[Column, Column]:
    """All comments as if every hour were the liveliest: their posts and moments."""
    post = np.repeat(np.arange(len(published)), random.poisson(total * HIGHEST))
    luck = random.random(len(post))
    at = published[post] + half[post] * luck / (1 - luck)
    flaring = np.repeat(np.arange(len(published)), random.poisson(burst[1] * HIGHEST))
    flared = burst[0][flaring] + random.exponential(BURST_SECONDS, len(flaring))
    return np.concatenate([post, flaring]), np.concatenate([at, flared])


def _first_listing(a_day: Column, usual: Column, month: Column, random: np.random.Generator) -> tuple[Column, Column, Column]:
    """What it told of posts older than a month: their number and comments, and how far back they reach (seconds).

    `usual`: comments of a post without flares; `month`: posts of the thirty days, which a busy page fills the listing with.
    """
    older, room = random.poisson(a_day * (FIRST_DAYS - PAST_DAYS)), np.maximum(FIRST_LISTING - month, 0)
    posts = np.minimum(older, room)
    reaching = PAST_DAYS + random.gamma(np.maximum(posts, 1)) / a_day * (posts > 0)
    comments = usual * random.gamma(np.maximum(LUCK * posts, 1e-9)) / LUCK * (posts > 0)
    flaring = np.repeat(np.arange(len(a_day)), random.binomial(posts, FLARING))
    comments += np.bincount(flaring, 3 * (random.pareto(1.3, len(flaring)) + 0.5), minlength=len(a_day))
    return posts, random.poisson(comments), np.where(older > room, np.minimum(reaching, FIRST_DAYS), FIRST_DAYS) * DAY


def make(pages: int, days: float, random: np.random.Generator) -> World:
    """A world of so many pages; posts and comments until `days` after the start."""
    end = days * DAY
    a_day = np.minimum(0.3 * (random.pareto(1.5, pages) + 0.5), 12.0)
    usual = np.minimum(0.35 * (random.pareto(1.2, pages) + 0.2), 120.0)
    half = USUAL_HALF_LIFE * np.exp(random.normal(0, 0.6, pages))
    posts_of = random.poisson(a_day * (PAST_DAYS + days))
    page = np.repeat(np.arange(pages), posts_of)
    count = len(page)
    published = _moments(count, end, random)
    published = published[np.lexsort((published, page))]
    total = usual[page] * random.gamma(LUCK, 1 / LUCK, count)
    flares = random.random(count) < FLARING
    burst_at = np.where(flares, published + random.exponential(FLARE_AFTER, count), np.inf)
    burst_size = np.where(flares, 3 * (random.pareto(1.3, count) + 0.5), 0.0)
    post, at = _comments(published, half[page], total, (burst_at, burst_size), random)
    kept = (at < end) & (random.random(len(at)) < writing(at) / HIGHEST)
    post, at = post[kept], at[kept]
    past = at < 0
    some = random.integers(0, int(past.sum()), 20_000)
    newest = np.flatnonzero(past & (at > -2 * DAY))
    recent = newest[random.integers(0, len(newest), 20_000)]
    upcoming_post, upcoming_at = post[~past], at[~past]
    order = np.lexsort((upcoming_at, upcoming_post))
    upcoming_post, upcoming_at = upcoming_post[order], upcoming_at[order]
    told = _first_listing(a_day, usual, np.bincount(page[published < 0], minlength=pages), random)
    return World(
        a_second=a_day / DAY, usual=usual + FLARING * FLARE_SIZE, half_of_page=half,
        published=published, page=page, post_first=np.searchsorted(page, np.arange(pages + 1)),
        total=total, burst_at=burst_at, burst_size=burst_size, seen=np.bincount(post[past], minlength=count),
        told_posts=told[0], told_comments=told[1], told_seconds=told[2],
        comment_post=upcoming_post, comment_at=upcoming_at, first=np.searchsorted(upcoming_post, np.arange(count + 1)),
        past_hours=(at[past][some] // HOUR).astype(int) % hours.WEEK, past_ages=at[recent] - published[post[recent]],
    )  # fmt: skip
