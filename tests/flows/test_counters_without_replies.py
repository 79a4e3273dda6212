"""A counter that leaves replies out hides nothing where the platform tells when something was last written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from connectors.contract import Options
from connectors.fake.connector import ProbingConnector
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime

    from connectors.contract import PostCount, PostRef

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60), pytest.mark.parametrize("style", ["probing"])]


class WithoutReplies(ProbingConnector):
    """As OK may be: the counter tells of what stands right under the post, the list when something was written last."""

    active_at: datetime | None = None
    read = 0

    async def probe(self, posts: Sequence[PostRef]) -> Sequence[PostCount]:
        """Counters without replies."""
        counts = await super().probe(posts)
        return [replace(one, comment_count=min(one.comment_count, 1), active_at=self.active_at) for one in counts]

    async def read_thread(self, post: PostRef, *, root_external_id: str | None, cursor: str | None) -> Any:
        """Counted."""
        self.read += 1
        return await super().read_thread(post, root_external_id=root_external_id, cursor=cursor)


async def test_a_reply_that_no_counter_shows_is_read_and_then_no_more(town: Town, rows: Rows) -> None:
    connector = WithoutReplies(town.world, Options(api_url=None, credentials=(), now=town.clock.now))
    town.connector = connector
    post = town.world.write_post(town.page, "Дороги")
    first = town.world.write_comment(post, "Спасибо, очень красиво")
    connector.active_at = town.clock.now()
    await town.bring_in()
    read = []
    for wrote in (False, True, False, False):
        town.pass_time(40)
        if wrote:
            town.world.write_comment(post, PIT, reply_to=first, author="Вера")
            connector.active_at = town.clock.now()
        before = connector.read
        await town.bring_in()
        read.append(connector.read - before > 0)
    assert read == [False, True, False, False]
    assert len(await rows("SELECT 1 FROM comment")) == 2
