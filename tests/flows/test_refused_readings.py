"""What a platform refuses while comments are read: the post's own right rests the post, a token's trouble stands on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from connectors.contract import AccessLost
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


@pytest.mark.parametrize("style", ["probing"])
async def test_a_captcha_for_comments_alone_is_said_on_the_page_and_read_once_it_is_passed(town: Town, rows: Rows) -> None:
    """Its counters and its wall are shown all the while: without a word the comments would wait for half an hour."""
    post = town.world.write_post(town.page, "Дороги")
    await town.bring_in()
    town.world.write_comment(post, PIT)
    told = []
    for wanted in (AccessLost("captcha", "error 14"), AccessLost("no_right"), None):
        if wanted is not None:
            town.world.fail("read_thread", wanted)
        town.pass_time(60)
        await town.bring_in()
        told += [(row.error_code, row.failures) for row in await rows("SELECT error_code, failures FROM feed")]
    assert told == [("captcha", 1), (None, 0), (None, 0)]
    assert len(await rows("SELECT 1 FROM comment")) == 0  # the second refusal is that post's own: it rests, the page goes on
    town.pass_time(1800)
    await town.bring_in()
    assert len(await rows("SELECT 1 FROM comment")) == 1
