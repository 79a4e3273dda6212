"""What a token allows, shared by all workers through PostgreSQL: places in a second, calls in a day.

A worker holds some of a token's places for a while and paces its calls within them by itself, so no call costs a statement.
It never counts on a place longer than its own row says, and gives up no place that a call still holds: whatever dies, stalls
or joins, all places together are never more than the token has. Calls of a day are taken in small blocks; what a dead worker
had taken and not used is lost until the day is over, never spent twice.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.db import Bulk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.db import Database, WriteSession

LEASE_SECONDS = 10.0
WANTED_SECONDS = 3.0
"""Who has not asked for a place for so long gives them back: they must not stand unused while others wait."""
BLOCK = 5
BLOCK_SECONDS = 600.0
"""A block that is not used up by then is given up: its calls count from the moment when they were taken. At 5,000 calls a day five last
for 86 seconds on one worker: a block must outlive that, or calls are lost while walls wait."""
PARTS = 8
UNEVEN = 1.5
"""A day's calls are spent in so many parts of it, none of which gets more than this times its even share: what was spent at once would be
missing every day at the same hours, for calls come back as they went. By night less is needed than by day, so not all are alike."""


@dataclass(slots=True)
class _Share:
    limit: int
    held: int = 0
    places: int = 0
    until: float = 0.0
    asked_at: float = 0.0


@dataclass(slots=True)
class _Block:
    left: int
    until: float


class SharedBudget:
    """One worker's part of every token's budget. `connectors.contract.Budget` is what connectors see of it."""

    def __init__(self, database: Database, *, worker: str) -> None:
        self._database = database
        self._worker = worker
        self._shares: dict[str, _Share] = {}
        self._blocks: dict[tuple[str, str], _Block] = {}
        self._quotas: dict[tuple[str, str], int] = {}
        self._taking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def places(self, credential_key: str, limit: int, held: int) -> int:
        """How many of the token's `limit` places this worker may use now; it holds so many."""
        now = time.monotonic()
        share = self._shares.setdefault(credential_key, _Share(limit=limit))
        share.limit, share.held, share.asked_at = limit, held, now
        return share.places if now < share.until else 0

    async def beat(self) -> bool:
        """Hold on to our places, take free ones, give up what is too much. False: there is nothing more to do at once."""
        began = time.monotonic()
        wanted = {key: one for key, one in self._shares.items() if one.held > 0 or began - one.asked_at < WANTED_SECONDS}
        over = {key: one for key, one in self._shares.items() if key not in wanted and one.places > 0}
        if not wanted and not over:
            return False
        async with self._database.write() as session:
            others = await _others(session, sorted(wanted | over), self._worker)
            for key, share in wanted.items():
                share.places = max(share.held, share_of(share.limit, self._worker, others[key]))
            for share in over.values():
                share.places = 0
            await _hold(session, self._worker, {key: share.places for key, share in wanted.items()})
        for share in (*wanted.values(), *over.values()):
            share.until = began + LEASE_SECONDS
        return False

    def limits(self) -> dict[str, int]:
        """Calls in a window that each shared token allows, by its key."""
        return {key: share.limit for key, share in self._shares.items()}

    def quotas(self) -> dict[tuple[str, str], int]:
        """Calls in a day, by (token's key, method): of those that were asked for here."""
        return dict(self._quotas)

    async def leave(self) -> None:
        """A good end: others need not wait until our time is over. Whoever still calls would call too much."""
        self._shares.clear()
        async with self._database.write() as session:
            await session.execute(text("DELETE FROM call_share WHERE worker = :worker"), {"worker": self._worker})

    async def take(self, credential_key: str, method: str, *, limit: int, seconds: float) -> timedelta | None:
        """Count one of at most `limit` calls in any `seconds`. None, or after how long there will be one."""
        self._quotas[credential_key, method] = limit
        async with self._taking[credential_key]:  # else all that wait would take a block each
            block = self._blocks.get((credential_key, method))
            if block is None or block.left == 0 or time.monotonic() >= block.until:
                began = time.monotonic()
                async with self._database.write() as session:
                    calls, after = await _take(session, credential_key, method, limit=limit, seconds=seconds)
                if calls == 0:
                    return after
                block = self._blocks[credential_key, method] = _Block(left=calls, until=began + min(BLOCK_SECONDS, seconds / 10))
            block.left -= 1
        return None


def share_of(limit: int, worker: str, others: Sequence[tuple[str, int]]) -> int:
    """Places for one of several workers: an equal part, and no more than the others (name, places held) leave free by now.

    What cannot be shared out equally goes to the first in the order of names.
    """
    names = sorted([worker, *(name for name, _ in others)])
    fair = limit // len(names) + (names.index(worker) < limit % len(names))
    return max(0, min(fair, limit - sum(places for _, places in others)))


async def _others(session: WriteSession, keys: Sequence[str], worker: str) -> Mapping[str, list[tuple[str, int]]]:
    """Lock these tokens' shares, in order, and lay ours down; who else has a part. Whoever's time is over has none."""
    given = {"keys": keys, "worker": worker}
    await session.execute(_LOCK, given)
    await session.execute(_LAY_DOWN, given)
    others: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for row in await session.execute(_OTHERS, given):
        others[row.credential_key].append((row.worker, row.places))
    return others


_LOCK = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('call_share:' || k.key, 0)) "
    "FROM (SELECT key FROM unnest(CAST(:keys AS text[])) AS key ORDER BY key) k"
)
_LAY_DOWN = text("DELETE FROM call_share WHERE credential_key = ANY (:keys) AND (worker = :worker OR leased_until < clock_timestamp())")
_OTHERS = text("SELECT credential_key, worker, places FROM call_share WHERE credential_key = ANY (:keys)")
_HOLD = Bulk(
    """
    INSERT INTO call_share (credential_key, worker, places, leased_until)
    SELECT key, worker, places, clock_timestamp() + make_interval(secs => :seconds) FROM {rows}
    """,
    key="text", worker="text", places="integer",
)  # fmt: skip


async def _hold(session: WriteSession, worker: str, places: Mapping[str, int]) -> None:
    """The database's lease is longer than what the worker counts on: their clocks begin at different moments."""
    await _HOLD.run(session, [(key, worker, some) for key, some in places.items()], seconds=LEASE_SECONDS * 1.5)


async def _take(session: WriteSession, key: str, method: str, *, limit: int, seconds: float) -> tuple[int, timedelta]:
    """A block of calls: how many, and after how long the next one is free."""
    given = {"key": key, "method": method, "seconds": seconds + min(BLOCK_SECONDS, seconds / 10)}
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('call_quota:' || :key, 0))"), {"key": key})
    await session.execute(
        text(
            """
            DELETE FROM call_quota
            WHERE credential_key = :key AND method = :method AND taken_at <= clock_timestamp() - make_interval(secs => :seconds)
            """
        ),
        given,
    )
    taken = "coalesce(sum(calls) FILTER (WHERE {within}), 0)"
    free = "coalesce(extract(epoch FROM min(taken_at) FILTER (WHERE {within}) + {span} - clock_timestamp()), 0)"
    day, hour = "make_interval(secs => :seconds)", "make_interval(secs => :part)"
    lately = f"taken_at > clock_timestamp() - {hour}"
    row = (
        await session.execute(
            text(
                f"""
                SELECT {taken.format(within="true")} AS in_day, {free.format(within="true", span=day)} AS day_after,
                  {taken.format(within=lately)} AS in_part, {free.format(within=lately, span=hour)} AS part_after
                FROM call_quota WHERE credential_key = :key AND method = :method
                """  # noqa: S608 - our own words
            ),
            given | {"part": seconds / PARTS},
        )
    ).one()
    left = limit - int(row.in_day), max(BLOCK, math.ceil(limit * UNEVEN / PARTS)) - int(row.in_part)
    calls = min(BLOCK, *left)
    if calls <= 0:
        return 0, timedelta(
            seconds=max(0.0, *(float(after) for after, free in zip((row.day_after, row.part_after), left, strict=True) if free <= 0))
        )
    await session.execute(
        text("INSERT INTO call_quota (credential_key, method, calls, taken_at) VALUES (:key, :method, :calls, clock_timestamp())"),
        given | {"calls": calls},
    )
    return calls, timedelta()
