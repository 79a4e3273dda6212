"""A listing goes so deep that no post is missed, however posts become known besides."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from app.flows.polling_lists import DISCOVER_MOST, DISCOVER_POSTS, joins
from app.flows.polling_plan import OVERLAP, SHORTEST_OVERLAP, Plan
from connectors.contract import Batch, PostSnapshot

BEGAN = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)


def post(number: int, published_at: datetime) -> PostSnapshot:
    return PostSnapshot(
        page_external_id="-1", external_id=str(number), text="", published_at=published_at, observed_at=published_at, link="", raw=b"{}"
    )  # fmt: skip


@dataclass
class Wall:
    """The newest posts first, above them one that is pinned; the platform's clock tells whole seconds and differs from ours."""

    ahead: timedelta
    now: datetime = BEGAN
    posts: list[PostSnapshot] = field(default_factory=list)
    pinned: PostSnapshot | None = None
    written: int = 0

    def publish(self, count: int, apart: float) -> None:
        for _ in range(count):
            self.now += timedelta(seconds=apart)
            self.written += 1
            self.posts.append(post(self.written, (self.now + self.ahead).replace(microsecond=0)))

    def newest(self, limit: int) -> Batch:
        rows = sorted(self.posts, key=lambda one: (one.published_at, int(one.external_id)), reverse=True)
        if self.pinned in self.posts:
            rows = [self.pinned, *(one for one in rows if one is not self.pinned)]
        return Batch(posts=tuple(rows[:limit]))


steps = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 130), st.sampled_from([0.0, 0.4, 60.0, 1800.0])),
    st.tuples(st.just("delete"), st.integers(0, 1 << 16), st.integers(1, 80)),
    st.tuples(st.just("pin"), st.integers(0, 1 << 16), st.just(0)),
    st.tuples(st.just("list"), st.just(0), st.just(0)),
)


@given(
    st.lists(steps, max_size=12),
    st.integers(-600, 600),
    st.sampled_from([0, 1, 60]),
)
def test_a_listing_tells_all_that_stands_there(taken: list[tuple[str, int, float]], ahead: int, before: int) -> None:
    """Whatever is published, deleted and pinned between two listings. What events told plays no part: it is asked nowhere."""
    plan, wall = Plan(time_scale=1), Wall(ahead=timedelta(seconds=ahead))
    wall.publish(before, 86_400.0)
    watched_since, listed_at, told = wall.now - timedelta(hours=24), None, set[str]()
    for verb, number, more in [*taken, ("list", 0, 0)]:
        if verb == "publish":
            wall.publish(number, more)
        elif verb == "delete" and wall.posts:
            start = number % len(wall.posts)
            del wall.posts[start : start + int(more)]
        elif verb == "pin" and wall.posts:
            wall.pinned = wall.posts[number % len(wall.posts)]
        elif verb == "list":
            limit, known_before = DISCOVER_POSTS, plan.known_before(watched_since, listed_at)
            while not joins(wall.newest(limit), limit, known_before):
                limit *= 4
            assert limit <= DISCOVER_MOST
            listed_at = wall.now
            told |= {one.external_id for one in wall.newest(limit).posts}
            ours = {one.external_id for one in wall.posts if one.published_at >= watched_since}
            assert ours <= told


def test_a_list_of_what_is_active_is_followed_by_its_own_order() -> None:
    """Old topics that are talked about stand above a new one: that they are old, or known, proves nothing."""
    told = Batch(posts=tuple(post(number, BEGAN - timedelta(days=number)) for number in range(60)), reached=BEGAN)
    assert not joins(told, 50, BEGAN)
    assert joins(told, 50, BEGAN + timedelta(seconds=1))
    short = Batch(posts=told.posts[:3], reached=BEGAN)
    assert not joins(short, 50, BEGAN)  # of a list of many groups, that goes on


def test_the_overlap_of_listings_is_scaled_but_for_the_platforms_seconds() -> None:
    since = BEGAN - timedelta(hours=24)
    assert Plan(time_scale=1).known_before(since, None) == since
    assert Plan(time_scale=1).known_before(since, BEGAN) == BEGAN - OVERLAP
    assert Plan(time_scale=1).known_before(BEGAN, BEGAN) == BEGAN
    assert Plan(time_scale=1e6).known_before(since, BEGAN) == BEGAN - SHORTEST_OVERLAP
