"""After a standstill: whatever was published meanwhile is found, however much it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from app.flows import inbound
from app.flows.polling import Poller
from app.flows.polling_lists import DISCOVER_POSTS
from app.sources import walls
from connectors.contract import Batch, Options
from connectors.fake.connector import ProbingConnector
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.kernel.clock import FixedClock
    from connectors.contract import PostCount, PostRef

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


@pytest.mark.parametrize("known", [0, 1, 2])
async def test_more_posts_than_one_listing_shows(town: Town, rows: Rows, known: int) -> None:
    """The comment under the oldest of the new posts opens its appeal, also when the page had hardly any posts before."""
    for number in range(known):
        town.world.write_post(town.page, f"Было: {number}")
    await town.bring_in()
    town.pass_time(60)
    count = 3 * DISCOVER_POSTS + 1
    posts = []
    for number in range(count):
        posts.append(town.world.write_post(town.page, f"Новое: {number}"))
        town.pass_time(1)
    town.world.write_comment(posts[0], PIT)
    for _ in range(2):  # a stream tells a hundred pieces of news at once
        await town.bring_in()
    (stored,) = await rows("SELECT count(*) AS n FROM post")
    assert stored.n == known + count
    assert len(await rows("SELECT 1 FROM appeal")) == 1


@pytest.mark.parametrize("style", ["probing"])
@pytest.mark.parametrize("chance", [0.0, 0.5, 0.97])
async def test_what_events_told_hides_nothing_from_a_listing(town: Town, rows: Rows, chance: float) -> None:
    """Posts that were pushed, named by the event of a comment or fetched by a link are known, and those between them are not."""
    random = Random(f"events:{chance}")
    expected: dict[str, str] = {}
    for _ in range(3):
        posts = []
        for number in range(2 * DISCOVER_POSTS):
            posts.append(town.world.posts[town.world.write_post(town.page, f"Новое: {number}")])
            town.pass_time(60)
        events = [replace(one, observed_at=town.clock.now(), named_only=random.random() < 0.3) for one in posts if random.random() < chance]
        events += [replace(one, observed_at=town.clock.now()) for one in posts[-2:]]
        random.shuffle(events)
        async with town.worker.write() as session:
            await inbound.take_in(session, platform=town.platform, batch=Batch(posts=tuple(events)), now=town.clock.now())
        expected |= {one.external_id: one.text for one in posts}
        await town.bring_in()
        stored = {row.external_id: row.text for row in await rows("SELECT external_id, text FROM post")}
        assert stored == expected
        town.pass_time(86_400)


class SlowProbes(ProbingConnector):
    """A platform whose counters take longer to read than a wall may stay unlisted."""

    clock: FixedClock

    async def probe(self, posts: Sequence[PostRef]) -> Sequence[PostCount]:
        """Time goes by."""
        self.clock.moment += 2 * timedelta(seconds=walls.SHORTEST)
        return await super().probe(posts)


@pytest.mark.parametrize("style", ["probing"])
async def test_a_listing_that_becomes_due_during_a_round_is_done_in_the_next(town: Town, rows: Rows) -> None:
    """Else a page whose rounds are long would never be listed again."""
    town.world.write_post(town.page, "Первый")
    connector = SlowProbes(town.world, Options(api_url=None, credentials=()))
    connector.clock = town.clock
    poller = Poller(town.worker, town.platform, connector, town.clock, worker="w1", time_scale=1)
    await poller.round()
    town.world.write_post(town.page, "Второй")
    for _ in range(2):
        town.pass_time(3)
        await poller.round()
    assert [row.text for row in await rows("SELECT text FROM post ORDER BY id")] == ["Первый", "Второй"]
