"""The platform refuses our answer, a person posts it there by hand and says so: what stands there counts, at its own time."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from app.appeals import outcomes
from app.appeals.office import OfficeKeeper
from app.flows import inbound
from app.flows.seeking import Seeker
from app.kernel.errors import ConflictError
from connectors.contract import Rejected, TryLater
from tests.flows.conftest import PIT, Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60)]
WORDS = "Засыпем завтра."


@pytest.fixture
async def refused(town: Town, rows: Rows) -> str:
    """A refused answer; the comment that waits, on the platform."""
    post = town.world.write_post(town.page, "Дороги")
    comment = town.world.write_comment(post, PIT)
    await town.bring_in()
    (appeal,) = await rows("SELECT number FROM appeal")
    town.world.fail("send", Rejected("unsupported"))
    await town.answer(appeal.number, WORDS)
    await town.outbound().send_due()
    return comment


async def _say_posted(town: Town, rows: Rows) -> None:
    (reply,) = await rows("SELECT id FROM reply WHERE NOT by_hand")
    async with town.web.write(operator_id=town.operator.operator_id) as session:
        await outcomes.decide_reply(session, town.operator, reply_id=reply.id, decision="posted", now=town.clock.now())


async def _look(town: Town, decide: Callable[[], Awaitable[object]] | None = None) -> int:
    """As the worker does; where only a stream tells, that is read first."""
    decide = decide or partial(inbound.open_all, town.worker, OfficeKeeper(town.worker, town.clock), town.clock)
    if town.world.style == "streaming":
        await town.poller().round()
        town.pass_time(61)
    return await Seeker(database=town.worker, connectors={town.platform: town.connector}, clock=town.clock, decide=decide).seek()


async def _replies(rows: Rows) -> list[tuple[str, str | None, bool]]:
    return [tuple(row) for row in await rows("SELECT state, error_code, by_hand FROM reply ORDER BY id")]


async def test_what_was_posted_by_hand_stops_the_clock_at_its_own_time(town: Town, rows: Rows, refused: str) -> None:
    """Nobody polls in between: saying so is what has the thread read."""
    town.pass_time(600)
    stands_since = town.clock.now()
    town.world.write_comment(next(iter(town.world.posts)), WORDS, by_page=True, reply_to=refused)
    town.pass_time(1200)
    await _say_posted(town, rows)
    assert await _replies(rows) == [("failed", "sought", False)]
    assert await _look(town) == 1
    assert await _replies(rows) == [("sent", None, False)]
    (timer,) = await rows("SELECT stopped_at, outcome FROM sla_timer WHERE promise = 'first_answer'")
    assert (timer.stopped_at, timer.outcome) == (stands_since, "met")
    assert [row.status for row in await rows("SELECT status FROM appeal")] == ["answered"]
    assert await _look(town) == 0
    acts = [row.act for row in await rows("SELECT act FROM appeal_event ORDER BY id")]
    assert acts == ["opened", "reply_queued", "reply_failed", "reply_sought", "reply_sent"]


async def test_what_another_worker_is_deciding_is_waited_for(town: Town, rows: Rows, refused: str) -> None:
    """It was said not to stand there, and to be sent again was offered, while triage had the page's answer in hand."""
    town.pass_time(600)
    town.world.write_comment(next(iter(town.world.posts)), WORDS, by_page=True, reply_to=refused)
    await _say_posted(town, rows)
    assert await _look(town, decide=partial(asyncio.sleep, 0)) == 0
    assert await _replies(rows) == [("failed", "sought", False)]
    assert await _look(town) == 1
    assert await _replies(rows) == [("sent", None, False)]


@pytest.mark.parametrize("ahead", [60, -30])
async def test_other_words_count_and_ours_are_withdrawn(town: Town, rows: Rows, refused: str, ahead: int) -> None:
    """Also when they were posted at once, and the platform's clock is a little behind ours."""
    wrote_at = town.clock.now() + timedelta(seconds=ahead)
    town.pass_time(60)
    town.world.write_comment(next(iter(town.world.posts)), "Уже засыпали, проверьте.", by_page=True, reply_to=refused, at=wrote_at)
    await _say_posted(town, rows)
    await _look(town)
    assert await _replies(rows) == [("withdrawn", None, False), ("sent", None, True)]
    assert [row.status for row in await rows("SELECT status FROM appeal")] == ["answered"]


@pytest.mark.usefixtures("refused")
async def test_what_is_not_there_is_said_and_may_be_said_again(town: Town, rows: Rows) -> None:
    """A busy platform is asked later; a citizen's reply is no answer of the page's."""
    await _say_posted(town, rows)
    if town.world.style == "probing":
        town.world.fail("read_thread", TryLater("server", after=town.clock.now() - town.clock.now()))
        assert await _look(town) == 0
        assert await _replies(rows) == [("failed", "sought", False)]
    assert await _look(town) == 1
    assert await _replies(rows) == [("failed", "not_seen", False)]
    assert [row.status for row in await rows("SELECT status FROM appeal")] == ["in_work"]
    await _say_posted(town, rows)
    assert await _replies(rows) == [("failed", "sought", False)]


async def test_only_a_refused_answer_is_posted_by_hand(town: Town, rows: Rows) -> None:
    post = town.world.write_post(town.page, "Дороги")
    town.world.write_comment(post, PIT)
    await town.bring_in()
    (appeal,) = await rows("SELECT number FROM appeal")
    await town.answer(appeal.number, WORDS)
    with pytest.raises(ConflictError):
        await _say_posted(town, rows)
