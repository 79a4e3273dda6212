"""From the outbox to the platform: claim (T4), send with no transaction open, settle (T5).

A sender that died leaves its answer `sending` with a lease that runs out; then, as after a time-out, the platform is
asked whether the answer stands there. Only a certain "no" lets it be sent again; what nobody can tell goes to a person.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from app.appeals.answers import lock_appeal, record_answer
from app.appeals.records import record_reply_trouble
from app.appeals.rules import Act
from app.flows.platforms import calling
from app.kernel.log import logger
from app.replies import service as replies
from app.replies.rules import ReplyState
from app.sources.service import page_options_changed
from connectors.contract import (
    Absent,
    AccessLost,
    CannotTell,
    ConnectorError,
    Found,
    OutcomeUnknown,
    Outgoing,
    PageRef,
    PostRef,
    Rejected,
    Sent,
    TryLater,
    UnknownPayload,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping

    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.replies.rules import Limits
    from app.replies.service import Claimed
    from connectors.contract import Connector

AT_ONCE = 8
LEASE = timedelta(seconds=90)
SHORTEST_LEASE = timedelta(seconds=5)
"""However fast the scaled time runs: a busy machine must be able to finish what it began."""
SETTLING = timedelta(seconds=10)
"""How long a request that got no answer may still be acted on: looked up only after that. Scaled like all pauses."""
MOST_LOOK_UPS = 5
_TROUBLES = {ReplyState.FAILED: Act.REPLY_FAILED, ReplyState.UNCERTAIN: Act.REPLY_UNCERTAIN, ReplyState.HELD: Act.REPLY_HELD}
SETTLE_AGAIN_SECONDS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Pauses before an outcome that we know is written down again, when the database was away."""


class Outbound:
    """Publishes answers of the platforms whose connectors this worker has."""

    def __init__(
        self,
        database: Database,
        connectors: Mapping[str, Connector],
        clock: Clock,
        *,
        worker: str,
        time_scale: float,
        limits: Limits = replies.NO_LIMITS,
    ) -> None:
        self._database = database
        self._connectors = connectors
        self._clock = clock
        self._worker = worker
        self._time_scale = time_scale
        self._limits = limits
        self._lease = max(LEASE / time_scale, SHORTEST_LEASE)

    async def send_due(self) -> int:
        """Publish what is due; how many were tried."""
        claimed = await self._claim(interrupted=False)
        await all_of(self._send(one) for one in claimed)
        return len(claimed)

    async def look_up_interrupted(self) -> int:
        """Find out what became of answers whose sender died; how many were looked up."""
        claimed = await self._claim(interrupted=True)
        await all_of(self._look_up(one, "interrupted", "its sender stopped before it heard") for one in claimed)
        return len(claimed)

    async def _claim(self, *, interrupted: bool) -> list[Claimed]:
        async with self._database.write() as session:
            return await replies.claim(
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

    async def _send(self, claimed: Claimed) -> None:
        if claimed.exceeds is not None:
            await self._trouble(claimed, ReplyState.HELD, claimed.exceeds.code, str(claimed.exceeds.limit))
        elif await self._may_go(claimed):
            await self._publish(claimed)

    async def _may_go(self, claimed: Claimed) -> bool:
        """Between claim and send somebody may have stopped publishing: then it goes back to the queue, untouched."""
        async with self._database.read() as session:
            free = await replies.may_go(session, claimed=claimed)
        if free is False:
            logger.info("publishing_stopped", reply=claimed.id)
            async with self._database.write() as session:
                await replies.unclaim(session, claimed=claimed)
        return free is True

    async def _publish(self, claimed: Claimed) -> None:
        connector = self._connectors[claimed.platform]
        try:
            with calling(claimed.platform, "send"):
                sent = await connector.send(_outgoing(claimed))
        except OutcomeUnknown as error:
            await self._look_up_settled(claimed, error)
        except TryLater as error:
            if error.code == "bug":  # nobody knows how far a broken connector came
                await self._look_up_settled(claimed, error)
            else:
                await self._put_back(claimed, error.after, error.code, error.detail, page_options=error.page_options)
        except (Rejected, AccessLost) as error:
            await self._trouble(claimed, ReplyState.FAILED, error.code, error.detail)
        except ConnectorError as error:
            await self._look_up(claimed, error.code, error.detail)
        else:
            await self._sent(claimed, sent)

    async def _look_up_settled(self, claimed: Claimed, error: ConnectorError) -> None:
        """The request may still be acted on: wait until it is, or never will be."""
        await asyncio.sleep(SETTLING.total_seconds() / self._time_scale)
        await self._look_up(claimed, error.code, error.detail)

    async def _look_up(self, claimed: Claimed, code: str, detail: str) -> None:
        if claimed.first_tried_at is None:  # its sender died before it tried
            async with self._database.write() as session:
                await replies.unclaim(session, claimed=claimed)
            return
        found = await self._asked(claimed, self._connectors[claimed.platform])
        match found:
            case Found(sent=sent):
                await self._sent(claimed, sent)
            case Absent():
                await self._put_back(claimed, None, code, detail)
            case CannotTell(reason=reason):
                await self._trouble(claimed, ReplyState.UNCERTAIN, code, reason or detail)

    async def _asked(self, claimed: Claimed, connector: Connector) -> Found | Absent | CannotTell:
        """Whether it stands there. A platform that is busy, or says what nobody can read, is asked some more times within the lease."""
        longest, reason = SETTLING.total_seconds() / self._time_scale, ""
        for attempt in range(MOST_LOOK_UPS + 1):
            try:
                with calling(claimed.platform, "find_sent"):
                    return await connector.find_sent(_outgoing(claimed))
            except (TryLater, UnknownPayload) as error:
                reason = f"{error.code}: {error.detail}"
                pause = min(error.after.total_seconds(), longest) if isinstance(error, TryLater) else longest
            except ConnectorError as error:
                return CannotTell(reason=f"{error.code}: {error.detail}")
            if attempt < MOST_LOOK_UPS:
                await asyncio.sleep(max(pause, 0.01))
        return CannotTell(reason=reason)

    async def _sent(self, claimed: Claimed, sent: Sent) -> None:
        """Write down that it stands. On some platforms nobody could find that out again, so a short loss is outlasted."""
        for pause in SETTLE_AGAIN_SECONDS:
            try:
                return await self._write_sent(claimed, sent)
            except (OSError, DBAPIError) as error:
                logger.warning("settle_waits", reply=claimed.id, error=str(error).partition("\n")[0][:300])
                await asyncio.sleep(pause)
        return await self._write_sent(claimed, sent)

    async def _write_sent(self, claimed: Claimed, sent: Sent) -> None:
        now = self._clock.now()
        published_at = min(sent.published_at, now)  # a platform's clock that runs ahead must not stop ours in the future
        async with self._database.write() as session:
            await lock_appeal(session, claimed.appeal_id)
            stands: Any = {"claimed": claimed, "external_id": sent.external_id, "link": sent.link, "published_at": published_at}
            if await replies.settle(session, state=ReplyState.SENT, **stands) or await replies.know_sent(session, **stands):
                await record_answer(
                    session, appeal_id=claimed.appeal_id, act=Act.REPLY_SENT, reply_id=claimed.id, published_at=published_at,
                    operator_id=claimed.operator_id, sender=self._worker, now=now,
                )  # fmt: skip

    async def _put_back(
        self, claimed: Claimed, after: timedelta | None, code: str, detail: str, *, page_options: Mapping[str, str] | None = None
    ) -> None:
        async with self._database.write() as session:
            if page_options:
                changed = {claimed.page_external_id: page_options}
                await page_options_changed(session, platform=claimed.platform, changed=changed)
            await replies.put_back(
                session, claimed=claimed, now=self._clock.now(), after=after, code=code, detail=detail,
                time_scale=self._time_scale,
            )  # fmt: skip

    async def _trouble(self, claimed: Claimed, state: ReplyState, code: str, detail: str) -> None:
        logger.warning("reply_trouble", reply=claimed.id, platform=claimed.platform, state=state.value, code=code)
        now = self._clock.now()
        async with self._database.write() as session:
            await lock_appeal(session, claimed.appeal_id)
            if await replies.settle(session, claimed=claimed, state=state, code=code, detail=detail):
                await record_reply_trouble(
                    session, appeal_id=claimed.appeal_id, reply_id=claimed.id, act=_TROUBLES[state], code=code, now=now
                )


async def all_of(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Each to its end: one that fails must not leave the others running behind our back."""
    done = await asyncio.gather(*works, return_exceptions=True)
    for failure in done:
        if failure is not None:
            raise failure


def _outgoing(claimed: Claimed) -> Outgoing:
    assert claimed.first_tried_at is not None  # noqa: S101 - only what is tried, or was, comes here
    page = PageRef(external_id=claimed.page_external_id, options=claimed.page_options)
    return Outgoing(
        guid=str(claimed.guid),
        post=PostRef(page=page, external_id=claimed.post_external_id, thread_ref=claimed.thread_ref),
        reply_to_external_id=claimed.reply_to_external_id,
        root_external_id=claimed.root_external_id,
        text=claimed.text,
        first_tried_at=claimed.first_tried_at,
    )
