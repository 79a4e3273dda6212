"""Polling is complete alone: whatever events tell besides, and in whatever order they come, hides nothing from it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from app.flows import inbound
from app.flows.polling_plan import SWEEP
from connectors.contract import Batch, CommentSnapshot, Deletion
from tests.flows.conftest import Town

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Rows = Callable[[str], Awaitable[list[Any]]]

pytestmark = [pytest.mark.flows, pytest.mark.timeout(60), pytest.mark.parametrize("style", ["probing"])]


@pytest.mark.parametrize("chance", [0.1, 0.5, 0.9])
async def test_what_events_told_of_comments_hides_none(town: Town, rows: Rows, chance: float) -> None:
    """New ones are found by the counter, for it is compared with that of the last whole reading; edits and deletions by the sweep."""
    random = Random(f"comments:{chance}")
    world, post = town.world, town.world.write_post(town.page, "Дороги")
    await town.bring_in()
    for _ in range(3):
        world.events.clear()
        for number in range(12):
            world.write_comment(post, f"Вопрос {number}", author=f"Автор {number}")
            town.pass_time(1)
        for comment in random.sample(sorted(world.comments), 6):
            world.edit_comment(comment, f"Иначе: {comment}")
            town.pass_time(1)
        for comment in random.sample(sorted(world.comments), 4):
            world.delete_comment(comment)
            town.pass_time(1)
        events = [event for event in world.events if random.random() < chance]
        random.shuffle(events)
        for event in events:  # each says when it was that this happened; it comes whenever it comes
            told = Batch(deletions=(event,)) if isinstance(event, Deletion) else Batch()
            if isinstance(event, CommentSnapshot):
                told = Batch(comments=(replace(event, observed_at=town.clock.now(), form_at=event.edited_at or event.written_at),))
            async with town.worker.write() as session:
                await inbound.take_in(session, platform=town.platform, batch=told, now=town.clock.now())
        await town.bring_in()
        assert set(world.comments) <= {row.external_id for row in await rows("SELECT external_id FROM comment WHERE deleted_at IS NULL")}
        town.pass_time(SWEEP.total_seconds())
        await town.bring_in()
        living = {row.external_id: row.text for row in await rows("SELECT external_id, text FROM comment WHERE deleted_at IS NULL")}
        assert living == {one.external_id: one.text for one in world.comments.values()}
