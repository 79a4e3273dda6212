"""Answers that stand are changed or taken away: claim, do with no transaction open, settle.

Doing it twice changes nothing. So what may have been done is looked at where the platform shows it, and done again where
it does not; only what stays unknown after some tries goes to a person.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from app.appeals.answers import lock_appeal
from app.appeals.records import record_amendment_trouble
from app.appeals.removal import Told, record_edited, record_removed
from app.appeals.rules import Act
from app.flows.outbound import AT_ONCE, LEASE, SETTLING, SHORTEST_LEASE, all_of
from app.flows.platforms import calling
from app.kernel.log import logger
from app.replies import amendments
from app.replies.amending import VERBS, AmendmentState, Change
from app.replies.rules import same_words
from app.replies.service import NO_LIMITS
from connectors.contract import (
    AccessLost,
    CannotTell,
    ConnectorError,
    DeletesAnswers,
    EditsAnswers,
    LooksAtAnswers,
    NotThere,
    OutcomeUnknown,
    PageRef,
    PostRef,
    Rejected,
    Standing,
    StandsAs,
    TryLater,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.replies.amendments import Claimed
    from app.replies.rules import Limits
    from connectors.contract import Connector, Look

MOST_TRIES = 6
"""So often is what stays unknown done again before a person is asked."""
_TROUBLES = {
    AmendmentState.FAILED: Act.AMENDMENT_FAILED,
    AmendmentState.UNCERTAIN: Act.AMENDMENT_UNCERTAIN,
    AmendmentState.HELD: Act.AMENDMENT_HELD,
}


class Amending:
    """Changes and deletes answers of the platforms whose connectors this worker has."""

    def __init__(
        self,
        database: Database,
        connectors: Mapping[str, Connector],
        clock: Clock,
        *,
        worker: str,
        time_scale: float,
        limits: Limits = NO_LIMITS,
    ) -> None:
        self._database = database
        self._connectors = connectors
        self._clock = clock
        self._worker = worker
        self._time_scale = time_scale
        self._limits = limits
        self._lease = max(LEASE / time_scale, SHORTEST_LEASE)

    async def round(self) -> int:
        """Do what is due, and go on with what a worker that died left; how many were tried."""
        claimed = [*await self._claim(interrupted=True), *await self._claim(interrupted=False)]
        await all_of(self._take(one) for one in claimed)
        return len(claimed)

    async def _claim(self, *, interrupted: bool) -> list[Claimed]:
        async with self._database.write() as session:
            return await amendments.claim(
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

    async def _take(self, claimed: Claimed) -> None:
        if claimed.exceeds is not None:
            return await self._trouble(claimed, AmendmentState.HELD, claimed.exceeds.code, str(claimed.exceeds.limit))
        before = claimed.interrupted or claimed.attempts > 1
        if before and await self._is_done(claimed) is True:
            return await self._done(claimed)
        if await self._may_go(claimed):
            await self._act(claimed)
        return None

    async def _may_go(self, claimed: Claimed) -> bool:
        """Between claim and act somebody may have stopped publishing: then it goes back to the queue, untouched."""
        async with self._database.read() as session:
            free = await amendments.may_go(session, claimed=claimed)
        if free is False:
            logger.info("publishing_stopped", amendment=claimed.id)
            async with self._database.write() as session:
                await amendments.settle(session, claimed=claimed, state=AmendmentState.QUEUED, untried=True, now=self._clock.now())
        return free is True

    async def _act(self, claimed: Claimed) -> None:
        try:
            with calling(claimed.platform, VERBS[claimed.change]):
                await self._do(claimed)
        except OutcomeUnknown as error:
            await self._unknown(claimed, error)
        except TryLater as error:
            if error.code == "bug":  # nobody knows how far a broken connector came
                await self._unknown(claimed, error)
            else:
                await self._put_back(claimed, error, error.after)
        except (Rejected, AccessLost) as error:
            await self._trouble(claimed, AmendmentState.FAILED, error.code, error.detail)
        except ConnectorError as error:
            await self._unknown(claimed, error)
        else:
            await self._done(claimed)

    async def _do(self, claimed: Claimed) -> None:
        connector = self._connectors[claimed.platform]
        if claimed.change is Change.EDIT and isinstance(connector, EditsAnswers):
            return await connector.edit_answer(_standing(claimed), claimed.text)
        if claimed.change is Change.DELETE and isinstance(connector, DeletesAnswers):
            return await connector.delete_answer(_standing(claimed))
        raise Rejected("unsupported", f"{claimed.platform} does not let answers be changed")

    async def _unknown(self, claimed: Claimed, error: ConnectorError) -> None:
        """The request may still be acted on: wait until it is, or never will be, then look."""
        await asyncio.sleep(SETTLING.total_seconds() / self._time_scale)
        done = await self._is_done(claimed)
        if done is True:
            await self._done(claimed)
        elif done is False or claimed.attempts < MOST_TRIES:
            await self._put_back(claimed, error, None)
        else:
            await self._trouble(claimed, AmendmentState.UNCERTAIN, error.code, error.detail)

    async def _is_done(self, claimed: Claimed) -> bool | None:
        """Whether it stands as it was to stand; None when the platform cannot tell."""
        match await self._look(claimed):
            case StandsAs(text=words):
                return claimed.change is Change.EDIT and same_words(words, claimed.text)
            case NotThere():
                return True if claimed.change is Change.DELETE else None  # what to do about it says the platform
            case CannotTell():
                return None

    async def _look(self, claimed: Claimed) -> Look:
        connector = self._connectors[claimed.platform]
        if not isinstance(connector, LooksAtAnswers):
            return CannotTell(reason="this platform shows no single comment")
        try:
            with calling(claimed.platform, "look_at_answer"):
                return await connector.look_at_answer(_standing(claimed))
        except ConnectorError as error:
            return CannotTell(reason=f"{error.code}: {error.detail}")

    async def _done(self, claimed: Claimed) -> None:
        now = self._clock.now()
        data = {"amendment": claimed.id, "sender": self._worker}
        if claimed.approved_by is not None:
            data["approved_by"] = claimed.approved_by
        told = Told(operator_id=claimed.operator_id, data=data)
        async with self._database.write() as session:
            await lock_appeal(session, claimed.appeal_id)
            if not await amendments.settle(session, claimed=claimed, state=AmendmentState.DONE, now=now):
                return
            if claimed.change is Change.EDIT:
                await record_edited(
                    session, appeal_id=claimed.appeal_id, reply_id=claimed.reply_id, amendment_id=claimed.id, told=told, now=now
                )
            else:
                await record_removed(session, appeal_id=claimed.appeal_id, reply_id=claimed.reply_id, told=told, now=now)

    async def _put_back(self, claimed: Claimed, error: ConnectorError, after: timedelta | None) -> None:
        async with self._database.write() as session:
            await amendments.put_back(
                session, claimed=claimed, after=after, code=error.code, detail=error.detail, now=self._clock.now(),
                time_scale=self._time_scale,
            )  # fmt: skip

    async def _trouble(self, claimed: Claimed, state: AmendmentState, code: str, detail: str) -> None:
        logger.warning("amendment_trouble", amendment=claimed.id, platform=claimed.platform, state=state.value, code=code)
        now = self._clock.now()
        async with self._database.write() as session:
            await lock_appeal(session, claimed.appeal_id)
            if await amendments.settle(session, claimed=claimed, state=state, code=code, detail=detail, now=now):
                await record_amendment_trouble(
                    session, appeal_id=claimed.appeal_id, act=_TROUBLES[state], now=now,
                    data={"reply": claimed.reply_id, "amendment": claimed.id, "change": claimed.change.value, "code": code},
                )  # fmt: skip


def _standing(claimed: Claimed) -> Standing:
    page = PageRef(external_id=claimed.page_external_id, options=claimed.page_options)
    return Standing(
        post=PostRef(page=page, external_id=claimed.post_external_id, thread_ref=claimed.thread_ref),
        external_id=claimed.external_id,
        root_external_id=claimed.root_external_id,
        published_at=claimed.published_at,
    )
