"""After a standstill: whatever was published meanwhile is found, however much it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from app.flows.polling import DISCOVER_POSTS
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

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
