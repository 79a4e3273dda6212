"""Jobs in PostgreSQL (pgqueuer): enqueued in the caller's transaction, so they exist exactly when its rows do.

A job is a wake-up with ids: the truth is in the tables, so a handler may run twice and must not mind. A handler
that raises is tried again with growing pauses; after the last attempt the job is held for a person, never dropped.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import orjson
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.core.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.core.qm import QueueManager
from pgqueuer.errors import FailingListenerError
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode
from sqlalchemy import text

from app.kernel import metrics
from app.kernel.log import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from pgqueuer.models import Job
    from sqlalchemy.engine import URL

    from app.kernel.db import WriteSession

    Handler = Callable[[Mapping[str, Any]], Awaitable[None]]

MAX_ATTEMPTS = 12
FIRST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(minutes=5)
LOG_KEPT = timedelta(days=7)
"""Each job leaves some lines in a log of its own: without an end it would outgrow everything else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobKind:
    """A name and how many of its jobs may run at once over all workers (0: any number)."""

    name: str
    at_once: int = 0


INBOUND_TRIAGE = JobKind(name="inbound.triage", at_once=2)
INBOUND_PUSH = JobKind(name="inbound.push", at_once=2)
OUTBOUND_SEND = JobKind(name="outbound.send", at_once=8)
NORMS_APPLY = JobKind(name="norms.apply", at_once=1)

MEDIA_FETCH = JobKind(name="media.fetch", at_once=4)
LINK_FETCH = JobKind(name="link.fetch", at_once=4)
PAGES_ASK = JobKind(name="pages.ask", at_once=1)
PAGES_AGAIN = JobKind(name="pages.again", at_once=1)

KINDS = (INBOUND_TRIAGE, INBOUND_PUSH, OUTBOUND_SEND, NORMS_APPLY, MEDIA_FETCH, LINK_FETCH, PAGES_ASK, PAGES_AGAIN)


async def enqueue(session: WriteSession, kind: JobKind, payload: Mapping[str, Any], *, after: timedelta | None = None) -> None:
    """Add a job to this transaction. `payload` holds ids only: jobs outlive an erased person."""
    raw = await (await session.connection()).get_raw_connection()
    connection = cast("asyncpg.Connection", raw.driver_connection)
    await Queries(AsyncpgDriver(connection)).enqueue(kind.name, orjson.dumps(payload), 0, execute_after=after)


_FORGET = text(
    """
    DELETE FROM pgqueuer_log WHERE id IN (
      SELECT id FROM pgqueuer_log WHERE created < clock_timestamp() - CAST(:kept AS interval) ORDER BY created LIMIT :most)
    RETURNING id
    """
)


async def forget(session: WriteSession, *, kept: timedelta = LOG_KEPT, most: int = 5_000) -> int:
    """Drop lines of the jobs' log that nobody needs any more, some at a time; how many."""
    gone = await session.execute(_FORGET, {"kept": kept, "most": most})
    return len(gone.all())


async def run(
    url: URL,
    handlers: Mapping[JobKind, Handler],
    *,
    role: str | None,
    heartbeat: timedelta,
    stop: asyncio.Event,
) -> None:
    """Work until `stop` is set. A lost database ends it with an exception: the caller starts it again."""
    settings = {"application_name": "otklik jobs"} | ({"role": str(role)} if role else {})
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    pool = await asyncpg.create_pool(plain, min_size=2, max_size=6, server_settings=settings)
    try:
        manager = QueueManager(Queries(AsyncpgPoolDriver(pool)))
        for kind, handler in handlers.items():
            manager.entrypoint(
                kind.name,
                concurrency_limit=kind.at_once,
                on_failure="hold",
                accepts_context=False,
                executor_factory=_retrying,
            )(_counted(kind, handler))
        watcher = asyncio.create_task(_stop_with(manager, stop))
        try:
            await manager.run(
                dequeue_timeout=timedelta(seconds=5),
                batch_size=10,
                mode=QueueExecutionMode.continuous,
                shutdown_on_listener_failure=True,
                heartbeat_timeout=heartbeat,
            )
        except FailingListenerError as error:
            raise ConnectionError("jobs were not told of for ten seconds: listening again") from error
        finally:
            watcher.cancel()
    finally:
        pool.terminate()


def _retrying(parameters: Any) -> DatabaseRetryEntrypointExecutor:  # noqa: ANN401 - pgqueuer's own parameter object
    return DatabaseRetryEntrypointExecutor(
        parameters=parameters, max_attempts=MAX_ATTEMPTS, initial_delay=FIRST_RETRY, max_delay=LONGEST_RETRY
    )


def _counted(kind: JobKind, handler: Handler) -> Callable[[Job], Awaitable[None]]:
    async def work(job: Job) -> None:
        with metrics.JOB_SECONDS.time(kind=kind.name) as outcome:
            try:
                await handler(orjson.loads(job.payload or b"{}"))
            except Exception:
                outcome.set("failed")
                logger.exception("job_failed", kind=kind.name, job=int(job.id), attempt=job.attempts)
                raise

    return work


async def _stop_with(manager: QueueManager, stop: asyncio.Event) -> None:
    await stop.wait()
    manager.shutdown.set()


def names(kinds: Sequence[JobKind] = KINDS) -> tuple[str, ...]:
    """The names of all kinds, for the README's test."""
    return tuple(kind.name for kind in kinds)
