"""Answers that stand are changed, taken away, or followed by their pictures: claim, do with no transaction open, settle.

Doing it twice changes nothing. So what may have been done is looked at where the platform shows it, and done again where
it does not; only what stays unknown after some tries goes to a person. Pictures alone would stand there twice: a person is asked at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.appeals.answers import lock_appeal
from app.appeals.records import record_amendment_trouble
from app.appeals.removal import Told, record_attached, record_edited, record_removed
from app.appeals.rules import Act
from app.flows.errands import Errands, Trouble, all_of, pictures_of, post_of
from app.flows.platforms import calling
from app.replies import amendments
from app.replies.amending import VERBS, AmendmentState, Change
from app.replies.amendments import Claimed
from app.replies.rules import same_words
from app.replies.service import keep_parts
from connectors.contract import (
    AttachesPictures,
    CannotTell,
    ConnectorError,
    DeletesAnswers,
    EditsAnswers,
    LooksAtAnswers,
    NotThere,
    Rejected,
    Standing,
    StandsAs,
)

if TYPE_CHECKING:
    from app.kernel.db import WriteSession
    from connectors.contract import Look

MOST_TRIES = 6
"""So often is what stays unknown done again before a person is asked."""
_TROUBLES = {Trouble.FAILED: Act.AMENDMENT_FAILED, Trouble.UNCERTAIN: Act.AMENDMENT_UNCERTAIN, Trouble.HELD: Act.AMENDMENT_HELD}


class Amending(Errands[Claimed, tuple[str, ...]]):
    """Changes and deletes answers, and has their pictures follow them."""

    _outbox = amendments.OUTBOX
    _kind = "amendment"

    async def round(self) -> int:
        """Do what is due, and go on with what a worker that died left; how many were tried."""
        claimed = [*await self._claim(interrupted=True), *await self._claim(interrupted=False)]
        await all_of(self._take(one) for one in claimed)
        return len(claimed)

    async def _take(self, claimed: Claimed) -> None:
        before = claimed.exceeds is None and (claimed.interrupted or claimed.attempts > 1)
        if claimed.interrupted and claimed.change is Change.ATTACH:
            await self._find_out(claimed, "interrupted", "its sender stopped before it heard")
        elif before and await self._is_done(claimed) is True:
            await self._done(claimed, ())
        else:
            await super()._take(claimed)

    def _verb(self, claimed: Claimed) -> str:
        return VERBS[claimed.change]

    async def _act(self, claimed: Claimed) -> tuple[str, ...]:
        """The answer's further parts, where it gets any."""
        connector = self._connectors[claimed.platform]
        if claimed.change is Change.EDIT and isinstance(connector, EditsAnswers):
            await connector.edit_answer(_standing(claimed), claimed.text)
        elif claimed.change is Change.DELETE and isinstance(connector, DeletesAnswers):
            await connector.delete_answer(_standing(claimed))
        elif claimed.change is Change.ATTACH and isinstance(connector, AttachesPictures):
            return await connector.attach_pictures(_standing(claimed), await pictures_of(self._database, claimed.reply_id))
        else:
            raise Rejected("unsupported", f"{claimed.platform} does not let answers be changed")
        return ()

    async def _find_out(self, claimed: Claimed, code: str, detail: str) -> None:
        done = await self._is_done(claimed)
        if done is True:
            await self._done(claimed, ())
        elif claimed.change is not Change.ATTACH and (done is False or claimed.attempts < MOST_TRIES):
            await self._put_back(claimed, None, code, detail)
        else:
            await self._trouble(claimed, Trouble.UNCERTAIN, code, detail)

    async def _is_done(self, claimed: Claimed) -> bool | None:
        """Whether it stands as it was to stand; None when the platform cannot tell."""
        if claimed.change is Change.ATTACH:
            return None
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

    async def _done(self, claimed: Claimed, outcome: tuple[str, ...]) -> None:
        now = self._clock.now()
        data = {"amendment": claimed.id, "sender": self._worker}
        if claimed.approved_by is not None:
            data["approved_by"] = claimed.approved_by
        told = Told(operator_id=claimed.operator_id, data=data)
        async with self._database.write() as session:
            await lock_appeal(session, claimed.appeal_id)
            if not await self._outbox.settle(session, claimed=claimed, state=AmendmentState.DONE, done_at=now):
                return
            of: Any = {"appeal_id": claimed.appeal_id, "reply_id": claimed.reply_id, "told": told, "now": now}
            if claimed.change is Change.EDIT:
                await record_edited(session, amendment_id=claimed.id, **of)
            elif claimed.change is Change.ATTACH:
                await keep_parts(session, reply_id=claimed.reply_id, parts=(*claimed.parts, *outcome))
                await record_attached(session, **of)
            else:
                await record_removed(session, **of)

    async def _record_trouble(self, session: WriteSession, claimed: Claimed, trouble: Trouble, code: str) -> None:
        data = {"reply": claimed.reply_id, "amendment": claimed.id, "change": claimed.change.value, "code": code}
        act, now = _TROUBLES[trouble], self._clock.now()
        await record_amendment_trouble(session, appeal_id=claimed.appeal_id, act=act, data=data, now=now)


def _standing(claimed: Claimed) -> Standing:
    return Standing(
        post=post_of(claimed),
        external_id=claimed.external_id,
        root_external_id=claimed.root_external_id,
        published_at=claimed.published_at,
        parts=tuple(claimed.parts),
    )
