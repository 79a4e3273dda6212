"""The series that are read from the database or summed up from time to time: what waits, and how much of the tokens is used."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel import jobs, metrics
from app.sources.rules import LATE_AFTER

if TYPE_CHECKING:
    from app.kernel.db import ReadSession
    from app.kernel.parts import WorkerParts

SECOND = "second"
"""The limit of calls in a second, beside the methods that have a quota of a day."""


class Gauges:
    """Reads them, round by round: a rate is what was counted since the round before."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._counted = {platform: meter.calls for platform, meter in parts.meters.items()}
        self._at = time.monotonic()

    async def read(self) -> None:
        """Set all of them."""
        async with self._parts.database.read() as session:
            await _read_waiting(session)
            late = self._parts.clock.now() - LATE_AFTER
            overdue = {row.platform: row.n for row in await session.execute(_OVERDUE, {"late": late})}
            tokens = {row.key: row.platform for row in await session.execute(_TOKENS)}
            taken = [(row.platform, row.method, row.key, row.calls) for row in await session.execute(_TAKEN)]
        for platform in self._parts.connectors:
            metrics.PAGES_OVERDUE.labels(platform=platform).set(overdue.get(platform, 0))
        self._tell_quotas(taken)
        self._tell_rates(tokens)

    def _tell_quotas(self, taken: list[tuple[str, str, str, int]]) -> None:
        """Of a day's calls of a method: what all workers together have taken of all tokens' quotas."""
        limits = self._parts.shared_calls.quotas() if self._parts.shared_calls is not None else {}
        sums: dict[tuple[str, str], tuple[int, int]] = {}
        for platform, method, key, calls in taken:
            limit = limits.get((key, method))
            if limit is not None:
                used, allowed = sums.get((platform, method), (0, 0))
                sums[platform, method] = used + calls, allowed + limit
        for (platform, method), (used, allowed) in sums.items():
            metrics.BUDGET_USED.labels(platform=platform, limit=method).set(used / allowed)

    def _tell_rates(self, tokens: dict[str, str]) -> None:
        """Of the calls in a second: what this worker made of what all shared tokens allow."""
        now, scale = time.monotonic(), self._parts.time_scale
        seconds, self._at = max(now - self._at, 0.001), now
        allowed: dict[str, float] = {}
        for key, limit in (self._parts.shared_calls.limits() if self._parts.shared_calls is not None else {}).items():
            if key in tokens:
                allowed[tokens[key]] = allowed.get(tokens[key], 0.0) + limit * scale
        for platform, meter in self._parts.meters.items():
            made, self._counted[platform] = meter.calls - self._counted[platform], meter.calls
            if platform in allowed:
                metrics.BUDGET_USED.labels(platform=platform, limit=SECOND).set(made / seconds / allowed[platform])


async def _read_waiting(session: ReadSession) -> None:
    found = {row.entrypoint: row.n for row in await session.execute(_JOBS)}
    oldest, overdue = await session.scalar(_OLDEST), await session.scalar(_TIMERS)
    for name in jobs.names():
        metrics.JOBS_WAITING.labels(kind=name).set(found.get(name, 0))
    metrics.OUTBOX_OLDEST_SECONDS.set(float(oldest or 0))
    metrics.TIMERS_OVERDUE.set(float(overdue or 0))


_JOBS = text("SELECT entrypoint, count(*) AS n FROM pgqueuer WHERE status = 'queued' GROUP BY entrypoint")
_OLDEST = text("SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) FROM reply WHERE state = 'queued'")
_TIMERS = text("SELECT count(*) FROM appeal WHERE status IN ('new', 'in_work') AND due_at < clock_timestamp()")
# A failed reading sets a new moment, so a page that fails is late by when it was last read; one that a stream carries is never due itself.
_OVERDUE = text(
    "SELECT f.platform, count(*) AS n FROM feed f JOIN page p ON p.id = f.page_id AND p.active "
    "WHERE coalesce(f.polled_at, p.connected_at) < :late AND (f.due_at < :late OR f.due_at = 'infinity' OR f.failures > 0) "
    "GROUP BY f.platform"
)
_TOKENS = text("SELECT CAST(id AS text) AS key, platform FROM credential WHERE revoked_at IS NULL")
_TAKEN = text(
    "SELECT c.platform, q.method, q.credential_key AS key, sum(q.calls) AS calls FROM call_quota q "
    "JOIN credential c ON CAST(c.id AS text) = q.credential_key GROUP BY c.platform, q.method, q.credential_key"
)
