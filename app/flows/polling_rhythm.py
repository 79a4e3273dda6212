"""How often each post is looked at: what was learnt (app/sources/rates.py, habits.py) and the pauses that bind it (polling_plan.py)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from app.flows.polling_plan import SOONEST
from app.sources import habits, rates, walls
from app.sources.habits import PageHabit
from app.sources.service import Look
from connectors.contract import Paced, Probes, Rationed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from app.flows.polling_plan import Plan
    from app.kernel.db import ReadSession
    from app.sources.service import WatchedPost
    from connectors.contract import Connector, PostCount

LEARN_EVERY = timedelta(minutes=30)
"""Of the platform's time; half a year of a country's posts is looked through."""
COUNT_EVERY = timedelta(minutes=1)
LOOKS_SHARE = 0.8
"""Of a platform's calls looks at counters get at most this; the rest is for reading, listing and answering."""
LISTINGS_SHARE = 0.1
"""Of the calls of a platform that has no quota of listings."""
WASTE = 0.97
"""Of a quota: calls that a dead worker had taken, and second calls where a wall has more new posts than one listing shows."""
CLOCKS_APART = timedelta(seconds=2)
"""A platform may round the moment at which something was last written, or be behind; a reading more is all it costs."""
COMMENTS_A_CALL = 100
CALLS_A_SECOND = 1.0
"""Of a connector that does not tell what its tokens allow, or has none that may read: the call itself then says what is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """A post whose comments are to be read; once they are, it is looked at again at `again_at`."""

    post: WatchedPost
    count: PostCount
    again_at: datetime


class Rhythm:
    """The rhythm of one platform on one worker. All workers find the same one: it is made of what is stored."""

    def __init__(self, connector: Connector, plan: Plan, timezone: str) -> None:
        self._plan, self._timezone = plan, timezone
        told = connector.calls_per_second("probe") if isinstance(connector, Paced) else 0.0
        self.calls_a_second = told or CALLS_A_SECOND
        posts_a_call = connector.probe_limit if isinstance(connector, Probes) else 1
        self.capacity = self.calls_a_second * posts_a_call * LOOKS_SHARE
        """Looks at counters in a second of the platform's time."""
        self.listings = _listings(connector)
        """Listings of walls in a second of the platform's time."""
        self._habits = habits.Habits()
        self._gains = _gains(self._habits)
        self._theta = self._price = 1.0
        self._longest = walls.LONGEST
        self._pages: dict[int, PageHabit] = {}
        self._usual = PageHabit(mean=rates.USUAL_MEAN, posts=walls.USUAL_POSTS, zone=ZoneInfo(timezone))
        self._learnt_at: datetime | None = None
        self._counted_at: datetime | None = None

    async def learn(self, session: ReadSession, *, platform: str, now: datetime) -> None:
        """Bring up to date what the next looks and listings need."""
        if self._learnt_at is None or now - self._learnt_at >= self._plan.scaled(LEARN_EVERY.total_seconds()):
            self._habits = await habits.learn(session, platform=platform, timezone=self._timezone)
            self._pages = await habits.pages(
                session, platform=platform, half_life=self._habits.half_life, timezone=self._timezone, now=now
            )  # fmt: skip
            self._gains = _gains(self._habits)
            self._price = self._gains.price(walls.buckets(page.weight for page in self._pages.values()), self.listings)
            self._longest = walls.sweep(len(self._pages), self.listings)
            self._learnt_at = now
        if self._counted_at is None or now - self._counted_at >= COUNT_EVERY:
            asked = await habits.demand(session, platform=platform)
            self._theta = rates.scale(asked.weights, asked.posts, self.capacity, asked.liveliest, SOONEST.total_seconds())
            self._counted_at = now

    def list_again(self, page_id: int, now: datetime) -> timedelta:
        """Until the next listing of a wall that is listed now."""
        page = self._pages.get(page_id, self._usual)
        seconds = self._gains.wait(page.weight, self._price, hour=habits.hour_of(now, page.zone))
        return self._plan.scaled(walls.bounded(seconds, self._longest))

    def told(
        self, found: Sequence[tuple[WatchedPost, PostCount | None]], *, waiting: Collection[int], now: datetime
    ) -> tuple[list[Look], list[Changed]]:
        """What looks at posts leave, and those to be read: unless they are, they are looked at again soon, not perhaps days later."""
        looks, changed = [], []
        for post, count in found:
            look = self.after(post, count, waiting=post.id in waiting, now=now)
            if count is not None and self.must_read(post, count, waiting=post.id in waiting, now=now):
                changed.append(Changed(post=post, count=count, again_at=look.again_at))
                look = replace(look, again_at=min(look.again_at, now + self._plan.unread()))
            looks.append(look)
        return looks, changed

    def after(self, post: WatchedPost, count: PostCount | None, *, waiting: bool, now: datetime) -> Look:
        """When to look at a post again, now that its counter was told (None: it was not)."""
        seen = post.seen_count or 0 if count is None else count.comment_count
        fresh = max(0, seen - post.seen_count) if post.seen_count is not None else 0
        heat = rates.cooled(post.heat, (now - post.heat_at).total_seconds()) + fresh if post.heat_at else float(fresh)
        page = self._pages.get(post.page_id, self._usual)
        rate = rates.expected_rate(
            seen=seen, age=max(0.0, (now - post.published_at).total_seconds()), mean=page.mean,
            half_life=self._habits.half_life, heat=heat, hour_factor=self._habits.hour_factor(now, page.zone),
        )  # fmt: skip
        weight = rates.weight(rate)
        calls = seen / COMMENTS_A_CALL if fresh else 0
        again = self._plan.look_again(
            rates.interval(weight, self._theta), waiting=waiting, calls=calls, calls_a_second=self.calls_a_second
        )  # fmt: skip
        return Look(post_id=post.id, again_at=now + again, weight=weight, heat=heat, there=count is not None)

    def must_read(self, post: WatchedPost, count: PostCount, *, waiting: bool, now: datetime) -> bool:
        """Whether the comments of a post are to be read now that its counter was told."""
        if waiting and self._plan.may_be_edited(post.read_at, now):
            return True
        if count.active_at is not None and post.read_at is not None and count.active_at > post.read_at - CLOCKS_APART:
            return True
        return self._plan.must_read(count.comment_count, post.seen_count, post.read_at, post.published_at, now)


def _listings(connector: Connector) -> float:
    """Listings a second: all tokens' quotas together, or a share of the calls where there is none."""
    a_day = connector.calls_a_day("discover") if isinstance(connector, Rationed) else None
    if a_day is not None:
        return max(a_day, 1.0) * WASTE / timedelta(days=1).total_seconds()
    a_second = connector.calls_per_second("discover") if isinstance(connector, Paced) else 0.0
    return (a_second or CALLS_A_SECOND) * LISTINGS_SHARE


def _gains(learnt: habits.Habits) -> walls.Gains:
    return walls.Gains(published=learnt.published, written=learnt.written, half_life=learnt.half_life)
