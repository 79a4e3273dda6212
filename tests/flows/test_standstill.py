"""After a standstill: whatever was published meanwhile is found, however much it is."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.flows.polling import Poller
from app.flows.polling_lists import DISCOVER_POSTS
from app.sources import walls
from connectors.contract import Options
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
