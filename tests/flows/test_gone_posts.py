"""A post that its platform does not show is looked for again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from app.flows.polling_lists import DISCOVER_POSTS
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


@pytest.mark.parametrize("style", ["probing"])
async def test_a_vanished_post_is_looked_for_again_and_then_given_up(town: Town, rows: Rows) -> None:
    """Its comments stay as they were. It may be restored, or its page was closed for a time: then what was written there comes in."""
    post = town.world.write_post(town.page, "Дороги")
    town.world.write_comment(post, PIT)
    await town.bring_in()
    kept = town.world.posts.pop(post)
    town.pass_time(60)
    await town.bring_in()
    (gone,) = await rows("SELECT gone_at FROM post")
    assert gone.gone_at == town.clock.now()
    assert [row.deleted_at for row in await rows("SELECT deleted_at FROM comment")] == [None]
    for number in range(DISCOVER_POSTS + 10):  # no listing reaches it any more
        town.world.write_post(town.page, f"Новое: {number}", at=town.clock.now() + timedelta(seconds=number))
    town.pass_time(7_200)
    await town.bring_in()
    assert await rows("SELECT gone_at FROM post WHERE gone_at IS NOT NULL") == [gone]
    town.world.posts = {post: kept} | town.world.posts
    town.world.write_comment(post, PIT, author="Вера")
    town.pass_time(14_400)
    await town.bring_in()
    assert len(await rows("SELECT 1 FROM comment")) == 2
    assert [row.gone_at for row in await rows("SELECT gone_at FROM post WHERE gone_at IS NOT NULL")] == []
    del town.world.posts[post]
    looks = town.world.calls["probe"]
    for _ in range(20):
        town.pass_time(5 * 86_400)
        await town.bring_in()
    assert town.world.calls["probe"] > looks
    assert len(await rows("SELECT 1 FROM post WHERE gone_at IS NOT NULL AND probe_at = 'infinity'")) == 1
