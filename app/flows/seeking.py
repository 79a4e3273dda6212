"""From "I posted it by hand" to the time that stands on the platform: the thread is read again, and what is there counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from app.appeals.answers import lock_appeal
from app.appeals.records import record_reply_trouble
from app.appeals.rules import Act
from app.flows import inbound
from app.flows.platforms import calling
from app.kernel.log import logger
from app.replies import seeking as replies
from app.replies.rules import NOT_SEEN, ReplyState
from connectors.contract import ConnectorError, PageRef, PostRef, ReadsThreads, TryLater

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.replies.seeking import Sought
    from connectors.contract import Connector

AT_ONCE = 20
STREAM_SECONDS = timedelta(minutes=1)
"""Where a platform shows no threads, what was posted comes by its stream: so long is it waited for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seeker:
    """Looks for what people posted by hand. `decide` gives fates to what was read: that records the page's own answers."""

    database: Database
    connectors: Mapping[str, Connector]
    clock: Clock
    decide: Callable[[], Awaitable[object]]
    time_scale: float = 1.0

    async def seek(self) -> int:
        """Read the threads in question; how many answers were settled."""
        async with self.database.read() as session:
            waiting = await replies.sought(session, platforms=list(self.connectors), most=AT_ONCE)
        threads = {(one.platform, one.page_external_id, one.post_external_id): one for one in waiting}
        read = {key: await self._read(one) for key, one in threads.items()}
        if waiting:
            await self.decide()
        told = [(one, read[one.platform, one.page_external_id, one.post_external_id]) for one in waiting]
        return sum([await self._settle(one, detail) for one, detail in told if detail is not None])

    async def _read(self, one: Sought) -> str | None:
        """All of the thread, stored; what kept us from it in words, empty when nothing did. None: try again later."""
        connector = self.connectors[one.platform]
        if not isinstance(connector, ReadsThreads):
            return "" if self.clock.now() - one.since >= STREAM_SECONDS / self.time_scale else None
        page = PageRef(external_id=one.page_external_id, options=one.page_options)
        post = PostRef(page=page, external_id=one.post_external_id, thread_ref=one.thread_ref)
        cursor: str | None = None
        try:
            while True:
                with calling(one.platform, "read_thread"):
                    batch = await connector.read_thread(post, root_external_id=None, cursor=cursor)
                async with self.database.write() as session:
                    await inbound.take_in(session, platform=one.platform, batch=batch, now=self.clock.now())
                cursor = batch.cursor
                if cursor is None:
                    return ""
        except TryLater as error:
            logger.info("seeking_waits", reply=one.id, code=error.code)
            return None
        except ConnectorError as error:
            return f"{error.code}: {error.detail}"

    async def _settle(self, one: Sought, detail: str) -> bool:
        now = self.clock.now()
        async with self.database.write() as session:
            if await replies.undecided(session, found=one):
                return False
            await lock_appeal(session, one.appeal_id)
            state = await replies.settle_sought(session, found=one, detail=detail)
            if state is not None:
                act, code = (Act.REPLY_WITHDRAWN, "by_hand") if state is ReplyState.WITHDRAWN else (Act.REPLY_FAILED, NOT_SEEN)
                await record_reply_trouble(session, appeal_id=one.appeal_id, reply_id=one.id, act=act, code=code, now=now)
        return True
