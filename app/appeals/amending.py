"""What people ask to be done to an answer of theirs that stands: other words, or its removal; each with a reason, each an event.

The words and the reason stand in the amendment, which is erasable; the history holds ids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.access import require_reach
from app.appeals.rules import Act
from app.appeals.service import advance, checked_words, hold, note, record_act
from app.kernel.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from app.people.rules import Permission
from app.replies import amendments, service as replies
from app.replies.amending import ASKED, REASON_LIMIT, AmendmentState, Change, leave
from connectors.contract import PageRef, PostRef

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from app.appeals.service import Held
    from app.kernel.db import WriteSession
    from app.people.rules import Access
    from connectors.contract import Plugin

_ANSWER = text(
    """
    SELECT a.number, r.agency_id, r.state, r.by_hand, r.external_id, r.text, r.published_at, EXISTS (
        SELECT FROM appeal_event e WHERE e.appeal_id = r.appeal_id AND e.act = 'reopened' AND e.cycle > r.cycle AND NOT e.data ? 'comment')
      AS anew, otklik_token_kinds(r.page_id) AS token_kinds, g.external_id AS page_external_id,
      g.options AS page_options, p.external_id AS post_external_id
    FROM reply r JOIN appeal a ON a.id = r.appeal_id LEFT JOIN post p ON p.id = a.post_id LEFT JOIN page g ON g.id = p.page_id
    WHERE r.id = :id
    """
)


async def amend(
    session: WriteSession,
    access: Access,
    *,
    reply_id: int,
    change: Change,
    words: str = "",
    reason: str,
    plugins: Mapping[str, Plugin],
    seen_version: int | None = None,
    now: datetime,
) -> tuple[int, int]:
    """Ask for it; the appeal's number and the amendment's id. Other words wait for approval where the agency's answers do.

    NotFoundError out of sight; ForbiddenError for another agency's answer; InvalidError without words or a reason; ConflictError when the
    answer does not stand, another change is under way, or the platform does not let it be done, or not with the tokens there are.
    """
    row = (await session.execute(_ANSWER, {"id": reply_id})).one_or_none()
    if row is None:
        raise NotFoundError("reply.unknown", "There is no such answer that you may see.")
    held = await hold(session, access, number=row.number, permission=Permission.APPEAL_WORK, seen_version=seen_version)
    plugin = plugins.get(held.platform)
    clean = _checked(access, held, row, change, words, plugin=plugin, now=now)
    why = checked_words(reason, REASON_LIMIT, "reason")
    awaits = change is Change.EDIT and await replies.needs_approval(session, agency_id=row.agency_id)
    amendment_id = await amendments.request(
        session, reply_id=reply_id, operator_id=access.operator_id, change=change, words=clean, reason=why, awaits=awaits, now=now
    )
    act = Act.AMENDMENT_SUBMITTED if awaits else Act.AMENDMENT_QUEUED
    await _record(session, held, access, act, now, {"reply": reply_id, "amendment": amendment_id, "change": change.value})
    return held.number, amendment_id


def _checked(access: Access, held: Held, row: Any, change: Change, words: str, *, plugin: Plugin | None, now: datetime) -> str:  # noqa: ANN401 - a typed row
    """The words as they would be published; empty for a removal."""
    if change not in ASKED:
        raise InvalidError("amendment.change", "Say edit or delete.", field="change")
    if row.by_hand or row.state != "sent" or row.external_id is None:
        raise ConflictError("amendment.standing", "Only an answer that stands on the platform, sent from here, can be changed.")
    if row.agency_id is not None and row.agency_id != held.agency_id:
        require_reach(access, Permission.APPEAL_WORK, agency_id=row.agency_id, territory_id=held.territory_id)
    allowed = leave(change, plugin, _post_of(row), token_kinds=row.token_kinds, published_at=row.published_at)
    if allowed is None:
        raise ConflictError("amendment.unsupported", "This platform does not let it be done from here: do it there by hand.")
    if allowed.over(now):
        raise ConflictError("amendment.too_late", "The platform lets an answer be changed for some time only, and that is over.")
    if change is Change.DELETE:
        if row.anew:  # it would still count in the cycle that a person ended by beginning another, with nothing left to read
            raise ConflictError("amendment.anew", "Somebody reopened the appeal after this answer: change its words instead.")
        return ""
    clean = checked_words(words, 4_000 if plugin is None else plugin.text_limit, "text")
    if clean == row.text:
        raise InvalidError("amendment.same", "This is what stands there already: change something.", field="text")
    return clean


def _post_of(row: Any) -> PostRef | None:  # noqa: ANN401 - a typed row
    """Under what the answer stands."""
    if row.post_external_id is None:
        return None
    return PostRef(page=PageRef(external_id=row.page_external_id, options=row.page_options), external_id=row.post_external_id)


async def _record(session: WriteSession, held: Held, access: Access, act: Act, now: datetime, data: Mapping[str, object]) -> None:
    await advance(session, held, act, now)
    await record_act(session, held, access, act, now, data)


_AMENDMENT = text(
    """
    SELECT a.number, m.reply_id, m.operator_id, m.change, m.state FROM amendment m JOIN appeal a ON a.id = m.appeal_id WHERE m.id = :id
    """
)


async def _of(
    session: WriteSession, access: Access, amendment_id: int, permission: Permission, seen_version: int | None
) -> tuple[Held, Any]:
    row = (await session.execute(_AMENDMENT, {"id": amendment_id})).one_or_none()
    if row is None:
        raise NotFoundError("amendment.unknown", "There is no such change that you may see.")
    held = await hold(session, access, number=row.number, permission=permission, seen_version=seen_version)
    return held, row


async def approve(session: WriteSession, access: Access, *, amendment_id: int, seen_version: int | None, now: datetime) -> int:
    """Let another's change be done; the appeal's number. As with answers, nobody approves their own."""
    held, row = await _of(session, access, amendment_id, Permission.ANSWER_APPROVE, seen_version)
    _not_own(access, row)
    await amendments.approve(session, amendment_id=amendment_id, operator_id=access.operator_id, now=now)
    await _record(session, held, access, Act.AMENDMENT_APPROVED, now, {"reply": row.reply_id, "amendment": amendment_id})
    return held.number


async def give_back(
    session: WriteSession, access: Access, *, amendment_id: int, words: str, seen_version: int | None, now: datetime
) -> int:
    """Not like this: `words` say why, as a note for colleagues; the appeal's number."""
    held, row = await _of(session, access, amendment_id, Permission.ANSWER_APPROVE, seen_version)
    _not_own(access, row)
    await amendments.give_back(session, amendment_id=amendment_id, now=now)
    await _record(session, held, access, Act.AMENDMENT_RETURNED, now, {"reply": row.reply_id, "amendment": amendment_id})
    await note(session, access, number=held.number, words=words, now=now)
    return held.number


def _not_own(access: Access, row: Any) -> None:  # noqa: ANN401 - a typed row
    if row.operator_id == access.operator_id:
        raise ForbiddenError("reply.own", "Nobody approves their own answer: ask a colleague.")


async def decide(session: WriteSession, access: Access, *, amendment_id: int, decision: str, now: datetime) -> int:
    """What a person says of one that was not done: "again", or "withdraw" (the answer stays as it stands); the appeal's number."""
    held, row = await _of(session, access, amendment_id, Permission.APPEAL_WORK, None)
    told = {"reply": row.reply_id, "amendment": amendment_id, "change": row.change}
    if decision == "again":
        if row.state == AmendmentState.HELD:  # whoever ran into a limit must not let themselves go on
            require_reach(access, Permission.PUBLISHING_STOP, agency_id=held.agency_id, territory_id=held.territory_id)
        await amendments.again(session, amendment_id=amendment_id, operator_id=access.operator_id, now=now)
        await _record(session, held, access, Act.AMENDMENT_QUEUED, now, told | {"again": True})
    elif decision == "withdraw":
        await amendments.withdraw(session, amendment_id=amendment_id, now=now)
        await _record(session, held, access, Act.AMENDMENT_WITHDRAWN, now, told)
    else:
        raise InvalidError("amendment.decision", "Say again or withdraw.", field="decision")
    return held.number
