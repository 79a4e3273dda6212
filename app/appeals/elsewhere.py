"""An appeal without a place where we can publish - a call, a letter, another's page: a person answered there, and says so here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals import answers
from app.appeals.rules import Act, after
from app.appeals.service import NOTE_LIMIT, checked_words, hold
from app.audit import service as audit
from app.kernel.errors import InvalidError
from app.people.rules import Permission
from app.replies.rules import AnswerKind, ReplyState
from app.replies.service import needs_approval
from app.sources.rules import storable

if TYPE_CHECKING:
    from datetime import datetime

    from app.appeals.reopening import Promises
    from app.appeals.service import Held
    from app.kernel.db import WriteSession
    from app.people.rules import Access

LINK_LIMIT = 2_000
_POSTED = text(
    """
    INSERT INTO reply (appeal_id, cycle, operator_id, approved_by, agency_id, kind, by_hand, text, state, link, published_at)
    VALUES (:appeal, :cycle, :operator, :approved_by, :agency, :kind, true, :words, :state, :link, :at) RETURNING id
    """
)


# Whoever says the same once more - a second click, a program that heard no answer - means the same answer.
_SAID = text(
    """
    SELECT id FROM reply WHERE appeal_id = :appeal AND cycle = :cycle AND by_hand AND operator_id = :operator AND state = :state
      AND text = :words AND link IS NOT DISTINCT FROM :link AND (CAST(:exactly AS timestamptz) IS NULL OR published_at = :exactly) LIMIT 1
    """
)


async def posted_by_hand(
    session: WriteSession,
    access: Access,
    *,
    number: int,
    words: str,
    link: str | None,
    published_at: datetime | None,
    promises: Promises | None,
    seen_version: int | None,
    now: datetime,
) -> tuple[int, bool]:
    """The answer that the citizen has been given already: it stops the clock at `published_at` (None: now).

    The reply's id, and whether the same was said before. What was given cannot be approved first: where the agency asks for that, it is
    kept as approved by nobody, and the card says so. InvalidError for an appeal that has a comment of ours to answer under, and for a
    moment before the citizen wrote or after now.
    """
    held = await hold(session, access, number=number, permission=Permission.APPEAL_WORK, seen_version=seen_version)
    after(Act.REPLY_QUEUED, held.status)
    if held.page_id is not None or held.comment_id is not None:
        raise InvalidError("answer.on_platform", "There is a comment to answer under: write the answer there.", field="text")
    at = _given_at(published_at, held, now)
    given = {
        "appeal": held.id, "cycle": held.cycle, "operator": access.operator_id, "agency": held.agency_id, "kind": AnswerKind.FINAL.value,
        "words": checked_words(words, NOTE_LIMIT, "text"), "state": ReplyState.SENT.value, "link": _web_link(link), "at": at,
        "exactly": published_at,
    }  # fmt: skip
    said: int | None = await session.scalar(_SAID, given)
    if said is not None:
        return said, True
    given["approved_by"] = None if await needs_approval(session, agency_id=held.agency_id) else access.operator_id
    reply_id = int((await session.execute(_POSTED, given)).scalar_one())
    await answers.record_answer(
        session, appeal_id=held.id, act=Act.ANSWERED_BY_HAND, reply_id=reply_id, published_at=at, operator_id=access.operator_id, now=now,
        promises=promises,
    )  # fmt: skip
    await audit.record(session, operator_id=access.operator_id, act="appeal.answered_by_hand", subject="appeal", subject_id=held.id)
    return reply_id, False


def _given_at(told: datetime | None, held: Held, now: datetime) -> datetime:
    """When the citizen was answered: now, unless it is told; not before they wrote, not after now."""
    if told is not None and told > now:
        raise InvalidError("appeal.future", "This moment lies in the future: check its time zone.", field="published_at")
    if told is not None and told < held.written_at:
        raise InvalidError("answer.before", "The citizen had not written yet at this moment.", field="published_at")
    return told or now


def _web_link(link: str | None) -> str | None:
    """An address of the web, or none. InvalidError for anything else: it becomes a link on the screen."""
    clean = storable(link or "")[0].strip()
    if not clean:
        return None
    if not clean.startswith(("https://", "http://")) or len(clean) > LINK_LIMIT or any(char.isspace() for char in clean):
        raise InvalidError("link.web", "Give an address that begins with https://.", field="link")
    return clean
