"""Answers of the page that were read on the platform: ours coming back, or written by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.replies.rules import same_words

if TYPE_CHECKING:
    from app.kernel.db import WriteSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """An answer of the page as it was found on the platform, under a comment of an appeal."""

    appeal_id: int
    comment_id: int
    comment_revision: int
    cycle: int
    agency_id: int
    external_id: str
    text: str
    link: str
    published_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedAnswer:
    """A reply row that became, or is, published."""

    id: int
    by_hand: bool
    operator_id: int | None


async def record_seen(session: WriteSession, seen: Seen) -> RecordedAnswer | None:
    """The page's answer was read on the platform. None when we know it already.

    It is ours when its id is, or when an answer with the same words is under way to that appeal: so an answer of
    unknown outcome is settled by being seen, and one that a person found gets its id. One that was never tried is not
    there yet. Otherwise somebody wrote it by hand.
    """
    known = await session.execute(
        text(
            """
            SELECT id, state, operator_id, external_id, text, attempts FROM reply
            WHERE appeal_id = :appeal AND (external_id = :external OR external_id IS NULL AND state <> 'withdrawn')
            ORDER BY external_id = :external DESC NULLS LAST, id FOR UPDATE
            """
        ),
        {"appeal": seen.appeal_id, "external": seen.external_id},
    )
    for row in known.all():
        if row.external_id == seen.external_id:
            return None
        if row.attempts and same_words(row.text, seen.text):
            await _publish(session, row.id, seen)
            return None if row.state == "sent" else RecordedAnswer(id=row.id, by_hand=False, operator_id=row.operator_id)
    added = await session.execute(
        text(
            """
            INSERT INTO reply (
              appeal_id, comment_id, comment_revision, cycle, agency_id, by_hand, text, state, external_id, link, published_at)
            VALUES (:appeal, :comment, :revision, :cycle, :agency, true, :words, 'sent', :external, :link, :published) RETURNING id
            """
        ),
        {
            "appeal": seen.appeal_id, "comment": seen.comment_id, "revision": seen.comment_revision, "cycle": seen.cycle,
            "agency": seen.agency_id, "words": seen.text, "external": seen.external_id, "link": seen.link, "published": seen.published_at,
        },
    )  # fmt: skip
    return RecordedAnswer(id=int(added.scalar_one()), by_hand=True, operator_id=None)


async def _publish(session: WriteSession, reply_id: int, seen: Seen) -> None:
    await session.execute(
        text(
            """
            UPDATE reply SET state = 'sent', external_id = :external, link = :link, leased_by = NULL, leased_until = NULL,
              error_code = NULL, error_detail = NULL,
              published_at = CASE WHEN state = 'sent' THEN published_at ELSE CAST(:published AS timestamptz) END
            WHERE id = :id
            """
        ),
        {"id": reply_id, "external": seen.external_id, "link": seen.link, "published": seen.published_at},
    )
