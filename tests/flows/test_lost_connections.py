"""The database's connection is cut at the worst moment of an answer's way."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.flows.outbound import Outbound
from app.kernel.db import Database
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from app.kernel.db import WriteSession

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]


class CutDatabase(Database):
    """Its second transaction loses its connection just before the commit, or is told so just after."""

    def __init__(self, inner: Database, owner: Database, *, committed: bool) -> None:
        super().__init__(inner.engine)
        self.owner = owner
        self.committed = committed
        self.writes = 0

    @asynccontextmanager
    async def write(self, *, operator_id: int | None = None) -> AsyncIterator[WriteSession]:
        self.writes += 1
        cut = self.writes == 2
        async with super().write(operator_id=operator_id) as session:
            yield session
            if cut and not self.committed:
                pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
                async with self.owner.read() as other:
                    await other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
        if cut and self.committed:
            raise ConnectionResetError("the answer to COMMIT was lost")


@pytest.mark.parametrize("style", ["probing"])
@pytest.mark.parametrize("committed", [False, True])
async def test_an_answer_known_to_stand_is_written_down_all_the_same(town: Town, rows: Rows, *, committed: bool) -> None:
    """This platform cannot be asked later: without a second try a person would have to look for it."""
    town.world.can_look_up = False
    post = town.world.write_post(town.page, "Дороги")
    town.world.write_comment(post, PIT)
    await town.bring_in()
    (appeal,) = await rows("SELECT number FROM appeal")
    await town.answer(appeal.number, "Засыпем завтра.")
    database = CutDatabase(town.worker, town.owner, committed=committed)
    outbound = Outbound(database, {town.platform: town.connector}, town.clock, worker="w1", time_scale=10_000)
    assert await outbound.send_due() == 1
    assert database.writes == 3
    (reply,) = await rows("SELECT state, external_id FROM reply")
    assert (reply.state, reply.external_id) == ("sent", town.world.answers[0].external_id)
    acts = [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")]
    assert acts == ["opened", "reply_queued", "reply_sent"]
