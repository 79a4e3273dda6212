"""Waits for the news of pages at their platform, each page by its own token, and puts what is heard into the inbox of pushed events.

Workers share pages by leases in PostgreSQL. Events and the cursor past them are stored in one transaction: whoever dies in
between is told the same again, under the same numbers, and the inbox takes nothing twice.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from app.flows.platforms import calling
from app.flows.polling import LEASE, SHORTEST_LEASE
from app.flows.polling_leases import RENEWALS
from app.flows.polling_plan import Plan
from app.kernel.log import logger
from app.sources import listeners, service as sources
from connectors.contract import ConnectorError, TryLater

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.sources.listeners import LeasedPage
    from connectors.contract import Heard, Listens

AT_ONCE = 80
"""Pages that one worker listens to: each holds a connection open. What is more is another worker's."""
LONGEST = timedelta(minutes=2)
"""A connector that neither hears nor fails for so long is deaf."""
SAID_EVERY = timedelta(minutes=1)
"""So often is it written down that nothing was heard."""


class Ears:
    """Listens to one platform's pages on behalf of one worker."""

    def __init__(self, database: Database, platform: str, connector: Listens, clock: Clock, *, worker: str, time_scale: float) -> None:
        self.platform = platform
        self._database = database
        self._connector = connector
        self._clock = clock
        self._worker = worker
        self._plan = Plan(time_scale=time_scale)
        self._scale = time_scale
        self._lease = max(LEASE / time_scale, SHORTEST_LEASE)
        self._renewed_at: datetime | None = None
        self._pages: dict[int, asyncio.Task[None]] = {}

    async def round(self) -> bool:
        """Hold on to our pages, let go of those that went to others, take free ones."""
        self._pages = {page_id: task for page_id, task in self._pages.items() if not task.done()}
        now = self._clock.now()
        renewing = self._renewed_at is None or now - self._renewed_at >= self._lease / RENEWALS
        free = AT_ONCE - len(self._pages)
        async with self._database.write() as session:
            ours = set(self._pages)
            if renewing and ours:
                ours = await listeners.keep_pages(session, page_ids=sorted(ours), worker=self._worker, until=now + self._lease)
            taken = await listeners.lease_pages(
                session, platform=self.platform, worker=self._worker, now=now, until=now + self._lease, most=free
            )
        self._renewed_at = now if renewing else self._renewed_at
        for page_id in self._pages.keys() - ours | (self._pages.keys() & {page.page_id for page in taken}):
            self._pages.pop(page_id).cancel()
        for page in taken:
            self._pages[page.page_id] = asyncio.create_task(self._follow(page))
        return False

    async def close(self) -> None:
        """A good end: pages are free for others at once."""
        for task in self._pages.values():
            task.cancel()
        await asyncio.gather(*self._pages.values(), return_exceptions=True)
        try:
            async with self._database.write() as session:
                await listeners.leave_pages(session, worker=self._worker)
        except (OSError, DBAPIError) as error:  # the lease ends by itself
            logger.warning("listening_left", platform=self.platform, error=type(error).__name__)

    async def _follow(self, page: LeasedPage) -> None:
        """Listen to one page until it fails or goes to another worker."""
        try:
            await self._listen(page)
        except ConnectorError as error:
            await self._fail(page, error)
        except (OSError, DBAPIError) as error:  # a lost database: the lease ends, and the cursor stands where it stood
            logger.warning("part_waits", part=f"listening.{self.platform}", error=str(error).partition("\n")[0][:300])
        except Exception:  # noqa: BLE001 - the other pages go on; this one comes again when its lease ends
            logger.exception("listening_failed", platform=self.platform, page=page.page_id)

    async def _listen(self, page: LeasedPage) -> None:
        cursor, said_at, first = page.cursor, self._clock.now(), True
        while True:
            heard = await self._hear(page.external_id, cursor)
            now = self._clock.now()
            if first or heard.events or heard.missed or heard.cursor != cursor or now - said_at >= SAID_EVERY / self._scale:
                if not await self._take(page, heard, now):
                    return
                said_at, first = now, False
            cursor = heard.cursor

    async def _hear(self, page: str, cursor: str | None) -> Heard:
        with calling(self.platform, "listen"):
            try:
                async with asyncio.timeout(LONGEST.total_seconds()):
                    return await self._connector.listen(page, cursor)
            except TimeoutError:
                code, detail = "network", f"nothing was heard within {LONGEST}"
                raise TryLater(code, detail, after=timedelta(seconds=1)) from None

    async def _take(self, page: LeasedPage, heard: Heard, now: datetime) -> bool:
        async with self._database.write() as session:
            ours = await listeners.take_heard(session, page_id=page.page_id, worker=self._worker, heard=heard, now=now)
            if ours and heard.missed:  # polling brings in what the platform no longer tells
                logger.warning("listening_missed", platform=self.platform, page=page.page_id)
                await sources.wake_feeds(session, platform=self.platform, pages=[page.external_id], now=now)
        return ours

    async def _fail(self, page: LeasedPage, error: ConnectorError) -> None:
        pause = self._plan.pause_after(error.after if isinstance(error, TryLater) else None, page.failures)
        logger.warning("listening_refused", platform=self.platform, page=page.page_id, code=error.code, detail=error.detail)
        async with self._database.write() as session:
            await listeners.fail_page(
                session, page_id=page.page_id, worker=self._worker, due_at=self._clock.now() + pause, code=error.code, detail=error.detail
            )
