"""What a platform refuses while comments are read: the post's own right rests the post, a token's trouble stands on the page."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from connectors.contract import AccessLost, Options, TryLater
from connectors.fake.connector import ProbingConnector
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from connectors.contract import Batch, PageRef

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


@pytest.mark.parametrize("style", ["probing"])
@pytest.mark.parametrize("error", [TryLater("network", after=timedelta(seconds=5)), AccessLost("captcha"), RuntimeError("a bug")])
async def test_what_could_not_be_read_under_an_old_post_is_not_left_until_its_next_look(town: Town, rows: Rows, error: Exception) -> None:
    """Nobody has written there for half a year, and livelier posts need the calls: it is looked at once a day."""
    post = town.world.write_post(town.page, "Дороги")
    await town.bring_in()
    async with town.worker.write() as session:
        others = """
            INSERT INTO post (page_id, external_id, text, link, published_at, observed_at, probe_at, weight)
            SELECT page_id, 'other' || n, '', link, published_at, observed_at, 'infinity', 100 FROM post, generate_series(1, 5000) n"""
        await session.execute(text(others))
    for _ in range(3):
        town.pass_time(60 * 86_400)
        await town.bring_in()
    town.world.write_comment(post, PIT)
    town.world.fail("read_thread", error)
    told = []
    for hours in (48, 1):
        town.pass_time(hours * 3600)
        await town.bring_in()
        told.append(len(await rows("SELECT 1 FROM comment")))
    assert told == [0, 1]


class ClosedWall(ProbingConnector):
    """Lists nothing, and counts how often it was asked to."""

    closed = False
    listed = 0

    def calls_a_day(self, verb: str) -> float | None:
        """Few listings."""
        return 12.0 if verb == "discover" else None

    async def discover(self, page: PageRef, *, limit: int) -> Batch:
        """The newest posts, unless the wall is closed."""
        self.listed += 1
        if self.closed:
            raise AccessLost("no_right")
        return await super().discover(page, limit=limit)


@pytest.mark.parametrize("style", ["probing"])
async def test_a_closed_wall_is_listed_no_more_often_than_an_open_one(town: Town, rows: Rows) -> None:
    """Each listing is one of the day's quota, which all walls share; it is open again, and the next listing finds that."""
    town.connector = connector = ClosedWall(town.world, Options(api_url=None, credentials=(), now=town.clock.now))
    town.world.write_post(town.page, "Дороги")
    listed = []
    for closed in (False, True, False):
        connector.closed, before = closed, connector.listed
        for _ in range(36):
            town.pass_time(600)
            await town.bring_in()
        listed.append(connector.listed - before)
        assert {row.error_code for row in await rows("SELECT error_code FROM feed")} == {"no_right" if closed else None}
    assert listed[1] <= listed[0] + 1 < 8
