"""From the outbox to the platform: claim (T4), send with no transaction open, settle (T5).

A sender that died leaves its answer `sending` with a lease that runs out; then, as after a time-out, the platform is
asked whether the answer stands there. Only a certain "no" lets it be sent again; what nobody can tell goes to a person.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from app.appeals.answers import lock_appeal, record_answer
from app.appeals.records import record_reply_trouble
from app.appeals.rules import Act
from app.flows.errands import Errands, Trouble, all_of, pictures_of, post_of
from app.flows.platforms import calling
from app.kernel.log import logger
from app.replies import service as replies
from app.replies.amendments import attach
from app.replies.rules import ReplyState
from app.replies.service import Claimed
from connectors.contract import Absent, CannotTell, ConnectorError, Found, Outgoing, Sent, TryLater, UnknownPayload

if TYPE_CHECKING:
    from app.kernel.db import WriteSession

MOST_LOOK_UPS = 5
_TROUBLES = {Trouble.FAILED: Act.REPLY_FAILED, Trouble.UNCERTAIN: Act.REPLY_UNCERTAIN, Trouble.HELD: Act.REPLY_HELD}
SETTLE_AGAIN_SECONDS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Pauses before an outcome that we know is written down again, when the database was away."""


class Outbound(Errands[Claimed, Sent]):
    """Publishes answers."""

    _outbox = replies.OUTBOX
    _kind = "reply"

    async def send_due(self) -> int:
        """Publish what is due; how many were tried."""
        claimed = await self._claim(interrupted=False)
        await all_of(self._take(one) for one in claimed)
        return len(claimed)

    async def look_up_interrupted(self) -> int:
        """Find out what became of answers whose sender died; how many were looked up."""
        claimed = await self._claim(interrupted=True)
        await all_of(self._find_out(one, "interrupted", "its sender stopped before it heard") for one in claimed)
        return len(claimed)

    def _verb(self, claimed: Claimed) -> str:  # noqa: ARG002 - whatever it is
        return "send"

    async def _act(self, claimed: Claimed) -> Sent:
        pictures = await pictures_of(self._database, claimed.id) if claimed.pictures else ()
        return await self._connectors[claimed.platform].send(replace(_outgoing(claimed), pictures=pictures))

    async def _find_out(self, claimed: Claimed, code: str, detail: str) -> None:
        if claimed.first_tried_at is None:  # its sender died before it tried
            return await self._unclaim(claimed)
        match await self._asked(claimed):
            case Found(sent=sent):
                await self._done(claimed, sent)
            case Absent():
                await self._put_back(claimed, None, code, detail)
            case CannotTell(reason=reason):
                await self._trouble(claimed, Trouble.UNCERTAIN, code, reason or detail)
        return None

    async def _asked(self, claimed: Claimed) -> Found | Absent | CannotTell:
        """Whether it stands there. A platform that is busy, or says what nobody can read, is asked some more times within the lease."""
        longest, reason = self._settling, ""
        for attempt in range(MOST_LOOK_UPS + 1):
            try:
                with calling(claimed.platform, "find_sent"):
                    return await self._connectors[claimed.platform].find_sent(_outgoing(claimed))
            except (TryLater, UnknownPayload) as error:
                reason = f"{error.code}: {error.detail}"
                pause = min(error.after.total_seconds(), longest) if isinstance(error, TryLater) else longest
            except ConnectorError as error:
                return CannotTell(reason=f"{error.code}: {error.detail}")
            if attempt < MOST_LOOK_UPS:
                await asyncio.sleep(max(pause, 0.01))
        return CannotTell(reason=reason)

    async def _done(self, claimed: Claimed, outcome: Sent) -> None:
        """Write down that it stands. On some platforms nobody could find that out again, so a short loss is outlasted."""
        for pause in SETTLE_AGAIN_SECONDS:
            try:
                return await self._write_sent(claimed, outcome)
            except (OSError, DBAPIError) as error:
                logger.warning("settle_waits", reply=claimed.id, error=str(error).partition("\n")[0][:300])
                await asyncio.sleep(pause)
        return await self._write_sent(claimed, outcome)

    async def _write_sent(self, claimed: Claimed, sent: Sent) -> None:
        now = self._clock.now()
        published_at = min(sent.published_at, now)  # a platform's clock that runs ahead must not stop ours in the future
        async with self._database.write() as session:
            await lock_appeal(session, claimed.appeal_id)
            stands: Any = {"claimed": claimed, "external_id": sent.external_id, "link": sent.link, "published_at": published_at}
            if await self._outbox.settle(session, state=ReplyState.SENT, **stands) or await replies.know_sent(session, **stands):
                await record_answer(
                    session, appeal_id=claimed.appeal_id, act=Act.REPLY_SENT, reply_id=claimed.id, published_at=published_at,
                    operator_id=claimed.operator_id, sender=self._worker, now=now,
                )  # fmt: skip
                if sent.parts:
                    await replies.keep_parts(session, reply_id=claimed.id, parts=sent.parts)
                if sent.pictures_left and claimed.operator_id is not None:
                    await attach(session, reply_id=claimed.id, operator_id=claimed.operator_id, now=now)

    async def _record_trouble(self, session: WriteSession, claimed: Claimed, trouble: Trouble, code: str) -> None:
        now = self._clock.now()
        await record_reply_trouble(session, appeal_id=claimed.appeal_id, reply_id=claimed.id, act=_TROUBLES[trouble], code=code, now=now)


def _outgoing(claimed: Claimed) -> Outgoing:
    assert claimed.first_tried_at is not None  # noqa: S101 - only what is tried, or was, comes here
    return Outgoing(
        guid=str(claimed.guid),
        post=post_of(claimed),
        reply_to_external_id=claimed.reply_to_external_id,
        root_external_id=claimed.root_external_id,
        text=claimed.text,
        first_tried_at=claimed.first_tried_at,
    )
