"""What is done on a platform from an outbox: claim, do with no transaction open, settle. Here is what answers and changes of them share.

Only a certain "nothing was done" lets it be done again at once. Whatever may have been done is found out first.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from app.appeals.answers import lock_appeal
from app.flows.platforms import calling
from app.kernel.log import logger
from app.media.pictures import MEDIA_TYPE
from app.replies.outbox import NO_LIMITS, Claim
from app.replies.pictures import of_reply
from app.sources.facts import page_options_changed
from connectors.contract import AccessLost, ConnectorError, OutcomeUnknown, PageRef, Picture, PostRef, Rejected, TryLater

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping

    from app.kernel.clock import Clock
    from app.kernel.db import Database, WriteSession
    from app.replies.outbox import Outbox
    from app.replies.rules import Limits
    from connectors.contract import Connector

AT_ONCE = 8
LEASE = timedelta(seconds=90)
SHORTEST_LEASE = timedelta(seconds=10)
"""However fast the scaled time runs: a busy machine must be able to finish what it began."""
FRESH_SHARE = 0.5
"""Nothing is begun when less of its lease is left: whoever was stopped since the claim leaves it to others."""
SETTLING = timedelta(seconds=10)
"""How long a request that got no answer may still be acted on: looked up only after that. Scaled like all pauses."""


class Trouble(StrEnum):
    """What both outboxes call a row that waits for a person."""

    FAILED = "failed"
    UNCERTAIN = "uncertain"
    HELD = "held"


Taken = TypeVar("Taken", bound=Claim)
Outcome = TypeVar("Outcome")


class Errands(ABC, Generic[Taken, Outcome]):
    """Does what is due on the platforms whose connectors this worker has."""

    _outbox: Outbox[Taken]
    _kind: ClassVar[str]
    """What the log calls one."""

    def __init__(
        self,
        database: Database,
        connectors: Mapping[str, Connector],
        clock: Clock,
        *,
        worker: str,
        time_scale: float,
        limits: Limits = NO_LIMITS,
        shortest_lease: timedelta = SHORTEST_LEASE,
    ) -> None:
        self._database = database
        self._connectors = connectors
        self._clock = clock
        self._worker = worker
        self._time_scale = time_scale
        self._limits = limits
        self._lease = max(LEASE / time_scale, shortest_lease)
        self._settling = SETTLING.total_seconds() / time_scale

    @abstractmethod
    def _verb(self, claimed: Taken) -> str:
        """What the connector's verb is called in the metrics."""

    @abstractmethod
    async def _act(self, claimed: Taken) -> Outcome:
        """Do it; the connector's errors come through."""

    @abstractmethod
    async def _done(self, claimed: Taken, outcome: Outcome) -> None:
        """Write down that it is done."""

    @abstractmethod
    async def _find_out(self, claimed: Taken, code: str, detail: str) -> None:
        """It may have been done: find out, and settle it."""

    @abstractmethod
    async def _record_trouble(self, session: WriteSession, claimed: Taken, trouble: Trouble, code: str) -> None:
        """The appeal's event of it, once it is settled so."""

    async def _claim(self, *, interrupted: bool) -> list[Taken]:
        async with self._database.write() as session:
            claimed = await self._outbox.claim(
                session,
                worker=self._worker,
                platforms=list(self._connectors),
                now=self._clock.now(),
                lease=self._lease,
                most=AT_ONCE,
                interrupted=interrupted,
                limits=self._limits,
                time_scale=self._time_scale,
            )
        for one in claimed if interrupted else ():
            logger.warning(f"{self._kind}_taken_over", platform=one.platform, **{self._kind: one.id})
        return claimed

    async def _take(self, claimed: Taken) -> None:
        if claimed.exceeds is not None:
            await self._trouble(claimed, Trouble.HELD, claimed.exceeds.code, str(claimed.exceeds.limit))
        elif await self._may_go(claimed):
            await self._try(claimed)

    async def _may_go(self, claimed: Taken) -> bool:
        """Between claim and act somebody may have stopped publishing: then it goes back to the queue, untouched."""
        async with self._database.read() as session:
            free = await self._outbox.may_go(session, claimed=claimed)
        if free is False:
            logger.info("publishing_stopped", **{self._kind: claimed.id})
            await self._unclaim(claimed)
        return free is True

    async def _unclaim(self, claimed: Taken) -> None:
        async with self._database.write() as session:
            await self._outbox.unclaim(session, claimed=claimed)

    async def _try(self, claimed: Taken) -> None:
        left = claimed.leased_until - self._clock.now()
        if left < self._lease * FRESH_SHARE:
            logger.warning("errand_stale", **{self._kind: claimed.id})
            await self._unclaim(claimed)
            return
        try:
            with calling(claimed.platform, self._verb(claimed)):
                outcome = await self._in_time(claimed, left.total_seconds() - self._settling)
        except (Rejected, AccessLost) as error:
            await self._trouble(claimed, Trouble.FAILED, error.code, error.detail)
        except TryLater as error:
            if error.code == "bug":  # nobody knows how far a broken connector came
                await self._unknown(claimed, error)
            else:
                await self._put_back(claimed, error.after, error.code, error.detail, page_options=error.page_options)
        except ConnectorError as error:
            await self._unknown(claimed, error)
        else:
            await self._done(claimed, outcome)

    async def _in_time(self, claimed: Taken, seconds: float) -> Outcome:
        """Do it, or break it off so early that nothing of it is under way any more when another worker may take over and look."""
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                return await self._act(claimed)
        except TimeoutError:
            if not limit.expired():
                raise
            raise OutcomeUnknown("interrupted", "broken off before its lease ran out") from None

    async def _unknown(self, claimed: Taken, error: ConnectorError) -> None:
        """The request may still be acted on: wait until it is, or never will be."""
        await asyncio.sleep(self._settling)
        await self._find_out(claimed, error.code, error.detail)

    async def _put_back(
        self, claimed: Taken, after: timedelta | None, code: str, detail: str, *, page_options: Mapping[str, str] | None = None
    ) -> None:
        now, scale = self._clock.now(), self._time_scale
        async with self._database.write() as session:
            if page_options:
                await page_options_changed(session, platform=claimed.platform, changed={claimed.page_external_id: page_options})
            await self._outbox.put_back(session, claimed=claimed, now=now, after=after, code=code, detail=detail, time_scale=scale)

    async def _trouble(self, claimed: Taken, trouble: Trouble, code: str, detail: str) -> None:
        told: dict[str, Any] = {self._kind: claimed.id, "platform": claimed.platform, "state": trouble.value, "code": code}
        logger.warning(f"{self._kind}_trouble", **told)
        async with self._database.write() as session:
            await lock_appeal(session, claimed.appeal_id)
            if await self._outbox.settle(session, claimed=claimed, state=trouble, code=code, detail=detail):
                await self._record_trouble(session, claimed, trouble, code)


async def pictures_of(database: Database, reply_id: int) -> tuple[Picture, ...]:
    """The pictures of an answer, in the contract's words. Rejected `gone` when one was erased meanwhile."""
    async with database.read() as session:
        contents = await of_reply(session, reply_id=reply_id)
    if any(content is None for content in contents):
        raise Rejected("gone", "a picture of the answer was erased")
    return tuple(
        Picture(name=f"{number}.jpg", media_type=MEDIA_TYPE, content=content)
        for number, content in enumerate(contents, start=1)
        if content is not None
    )


def post_of(claimed: Claim) -> PostRef:
    """Where it is done, in the contract's words."""
    page = PageRef(external_id=claimed.page_external_id, options=claimed.page_options)
    return PostRef(page=page, external_id=claimed.post_external_id, thread_ref=claimed.thread_ref)


async def all_of(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Each to its end: one that fails must not leave the others running behind our back."""
    done = await asyncio.gather(*works, return_exceptions=True)
    for failure in done:
        if failure is not None:
            raise failure
