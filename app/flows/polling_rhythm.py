"""How often each post is looked at: what was learnt (app/sources/rates.py, habits.py) and the pauses that bind it (polling_plan.py)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from app.sources import habits, rates
from app.sources.service import Look
from connectors.contract import Paced, Probes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.flows.polling_plan import Plan
    from app.kernel.db import ReadSession
    from app.sources.service import WatchedPost
    from connectors.contract import Connector, PostCount

LEARN_EVERY = timedelta(minutes=10)
COUNT_EVERY = timedelta(minutes=1)
LOOKS_SHARE = 0.8
"""Of a platform's calls looks at counters get at most this; the rest is for reading, listing and answering."""
COMMENTS_A_CALL = 100
CALLS_A_SECOND = 1.0
"""Of a connector that does not tell what its tokens allow, or has none that may read: the call itself then says what is missing."""


class Rhythm:
    """The rhythm of one platform on one worker. All workers find the same one: it is made of what is stored."""

    def __init__(self, connector: Connector, plan: Plan) -> None:
        self._plan = plan
        told = connector.calls_per_second("probe") if isinstance(connector, Paced) else 0.0
        self.calls_a_second = told or CALLS_A_SECOND
        posts_a_call = connector.probe_limit if isinstance(connector, Probes) else 1
        self.capacity = self.calls_a_second * posts_a_call * LOOKS_SHARE
        """Looks at counters in a second of the platform's time."""
        self._habits = habits.Habits()
        self._theta = 1.0
        self._means: dict[int, float] = {}
        self._learnt_at: datetime | None = None
        self._counted_at: datetime | None = None

    async def learn(self, session: ReadSession, *, platform: str, page_ids: Sequence[int], now: datetime) -> None:
        """Bring up to date what the next looks at these pages' posts need."""
        if self._learnt_at is None or now - self._learnt_at >= LEARN_EVERY:
            self._habits = await habits.learn(session, platform=platform)
            self._means.clear()
            self._learnt_at = now
        if self._counted_at is None or now - self._counted_at >= COUNT_EVERY:
            weights, posts = await habits.demand(session, platform=platform)
            self._theta = rates.scale(weights, posts, self.capacity)
            self._counted_at = now
        if new := [page_id for page_id in page_ids if page_id not in self._means]:
            self._means |= await habits.page_means(session, page_ids=new, half_life=self._habits.half_life, now=now)

    def after(self, post: WatchedPost, count: PostCount | None, *, waiting: bool, now: datetime) -> Look:
        """When to look at a post again, now that its counter was told (None: it was not)."""
        seen = post.seen_count or 0 if count is None else count.comment_count
        fresh = max(0, seen - post.seen_count) if post.seen_count is not None else 0
        heat = rates.cooled(post.heat, (now - post.heat_at).total_seconds()) + fresh if post.heat_at else float(fresh)
        rate = rates.expected_rate(
            seen=seen, age=max(0.0, (now - post.published_at).total_seconds()), mean=self._means.get(post.page_id, rates.USUAL_MEAN),
            half_life=self._habits.half_life, heat=heat, hour_factor=self._habits.hour_factor(now),
        )  # fmt: skip
        weight = rates.weight(rate)
        calls = seen / COMMENTS_A_CALL if fresh else 0
        again = self._plan.look_again(
            rates.interval(weight, self._theta), waiting=waiting, calls=calls, calls_a_second=self.calls_a_second
        )  # fmt: skip
        return Look(post_id=post.id, again_at=now + again, weight=weight, heat=heat)

    def must_read(self, post: WatchedPost, count: PostCount, *, waiting: bool, now: datetime) -> bool:
        """Whether the comments of a post are to be read now that its counter was told."""
        if waiting and self._plan.may_be_edited(post.read_at, now):
            return True
        return self._plan.must_read(count.comment_count, post.seen_count, post.read_at, post.published_at, now)
