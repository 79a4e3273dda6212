"""What a token allows is shared: never more than it has, whoever comes, stalls or dies, and nothing stands unused for long."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import text

from app.sources import budget
from app.sources.budget import BLOCK, BLOCK_SECONDS, PARTS, UNEVEN, SharedBudget, share_of
from tests.databases import hearing

if TYPE_CHECKING:
    from app.kernel.db import Database

TOKEN = "vk/service"


@given(st.integers(1, 40), st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_all_places_are_had_and_no_more(limit: int, beats: list[int]) -> None:
    """Whatever the order in which seven workers say that they live."""
    held: dict[str, int] = {}
    for number in beats:
        worker = f"w{number}"
        others = [(name, places) for name, places in held.items() if name != worker]
        held[worker] = share_of(limit, worker, others)
        assert sum(held.values()) <= limit
    for _ in range(2):
        for worker in sorted(held):
            held[worker] = share_of(limit, worker, [(name, places) for name, places in held.items() if name != worker])
    assert sum(held.values()) == limit
    assert max(held.values()) - min(held.values()) <= 1


@pytest.fixture
def workers(worker_db: Database) -> tuple[SharedBudget, SharedBudget]:
    return SharedBudget(worker_db, worker="one"), SharedBudget(worker_db, worker="two")


async def test_who_comes_gets_a_part_and_who_leaves_gives_it_back(workers: tuple[SharedBudget, SharedBudget]) -> None:
    one, two = workers
    assert one.places(TOKEN, 3, held=0) == 0, "nobody counts on a place that they do not have"
    await one.beat()
    assert one.places(TOKEN, 3, held=3) == 3
    two.places(TOKEN, 3, held=0)
    await two.beat()
    await one.beat()
    assert (one.places(TOKEN, 3, held=3), two.places(TOKEN, 3, held=0)) == (3, 0), "a place that a call still holds is not given up"
    one.places(TOKEN, 3, held=1)
    await one.beat()
    await two.beat()
    assert (one.places(TOKEN, 3, held=1), two.places(TOKEN, 3, held=0)) == (2, 1)
    await one.leave()
    await two.beat()
    assert (one.places(TOKEN, 3, held=0), two.places(TOKEN, 3, held=0)) == (0, 3)


async def test_a_beat_for_many_tokens_is_as_many_statements_as_for_one(
    worker_db: Database, workers: tuple[SharedBudget, SharedBudget]
) -> None:
    """Each group in which a bot has answered lately is one of them, and a beat comes twice a second."""
    one, two = workers
    keys = [f"bot {number}" for number in range(30)]
    counted: list[int] = []
    for budgets in ([keys[0]], keys):
        statements: list[str] = []
        with hearing(worker_db, "before_cursor_execute", lambda *told, into=statements: into.append(told[2])):
            for worker in (one, two, one, two):
                for key in budgets:
                    worker.places(key, 4, held=0)
                await worker.beat()
        counted.append(len(statements))
    assert counted[0] == counted[1]
    assert {worker.places(key, 4, held=0) for worker in workers for key in keys} == {2}


async def test_a_dead_workers_part_is_taken_over(worker_db: Database, workers: tuple[SharedBudget, SharedBudget]) -> None:
    one, two = workers
    one.places(TOKEN, 3, held=0)
    await one.beat()
    async with worker_db.write() as session:  # it says nothing any more
        await session.execute(text("DELETE FROM call_share WHERE worker = 'one'"))
        await session.execute(
            text("INSERT INTO call_share VALUES (:key, 'one', 3, clock_timestamp() - interval '1 second')"), {"key": TOKEN}
        )
    two.places(TOKEN, 3, held=0)
    await two.beat()
    assert two.places(TOKEN, 3, held=0) == 3


async def test_a_days_calls_are_never_taken_twice(workers: tuple[SharedBudget, SharedBudget], monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 4 * BLOCK + 2
    monkeypatch.setattr(budget, "PARTS", 1)  # all of the day at once: evenness has its own test
    taken = await asyncio.gather(*(workers[number % 2].take(TOKEN, "wall.get", limit=limit, seconds=86_400) for number in range(BLOCK)))
    assert taken == [None] * BLOCK
    count = BLOCK
    for number in range(3 * limit):
        after = await workers[number % 2].take(TOKEN, "wall.get", limit=limit, seconds=86_400)
        count += after is None
        assert after is None or 0 < after.total_seconds() <= 86_400 + BLOCK_SECONDS
    assert count <= limit
    assert count > limit - 2 * BLOCK, "no more than the rest of a block is left lying"
    assert await workers[0].take("another", "wall.get", limit=1, seconds=86_400) is None


async def test_a_days_calls_are_spent_evenly(workers: tuple[SharedBudget, SharedBudget]) -> None:
    """What is spent in one part of the day is missing in the same part of every day: another ten minutes are for the next ones."""
    limit = 2 * BLOCK * PARTS
    taken = [await workers[number % 2].take(TOKEN, "wall.get", limit=limit, seconds=86_400) for number in range(4 * BLOCK)]
    assert taken.count(None) == UNEVEN * 2 * BLOCK
    assert all(after is None or 0 < after.total_seconds() <= 86_400 / PARTS for after in taken)
