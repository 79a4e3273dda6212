"""Reads of comments that other parts need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.sources.rules import News

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import ReadSession

# Whether an earlier form was said to be no appeal: the newest one came after that verdict.
_WAS_NONE = """
c.revision > 1 AND c.appeal_id IS NULL AND NOT c.by_page AND EXISTS (
    SELECT FROM verdict v JOIN comment_revision r ON r.comment_id = v.comment_id
    WHERE v.comment_id = c.id AND v.is_appeal IS FALSE AND r.revision = c.revision AND v.recorded_at < r.recorded_at{more})
"""

# What a classifier may see of one comment: enough for any judgement, bounded for the memory.
READ_CHARACTERS = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class UnseenComment:
    """A stored comment that nobody has looked at, with what triage needs to know of its place.

    `written_at`: the citizen's own time. Of what was no appeal and has been edited since it is the edit: only then was anything asked.
    """

    id: int
    platform: str
    page_id: int
    post_id: int
    external_id: str
    root_external_id: str
    reply_to_external_id: str | None
    author_id: int | None
    by_page: bool
    revision: int
    text: str
    has_attachment: bool
    link: str
    written_at: datetime
    deleted: bool
    is_context: bool
    elsewhere: bool
    """Found by a search on another's page."""
    decided: bool
    """A person has said of an earlier form of it that it is no appeal."""
    post_text: str
    page_agency_id: int
    territory_id: int


_COLUMNS = f"""
SELECT c.id, g.platform, c.page_id, c.post_id, c.external_id, c.root_external_id, c.reply_to_external_id, c.author_id, c.by_page,
  c.revision, left(c.text, {READ_CHARACTERS}) AS text, c.attachments <> '[]' AS has_attachment, c.link,
  CASE WHEN {_WAS_NONE.format(more="")} THEN c.edited_at ELSE c.written_at END AS written_at,
  {_WAS_NONE.format(more=" AND v.operator_id IS NOT NULL")} AS decided,
  c.deleted_at IS NOT NULL AS deleted,
  c.written_at < g.watched_since AS is_context, g.elsewhere, left(p.text, {READ_CHARACTERS}) AS post_text,
  g.agency_id AS page_agency_id, g.territory_id
FROM comment c JOIN page g ON g.id = c.page_id JOIN post p ON p.id = c.post_id
"""  # noqa: S608 - a constant

_UNSEEN = text(f"{_COLUMNS} WHERE c.fate IS NULL AND c.id > :after ORDER BY c.id LIMIT :most")
_BY_ID = text(f"{_COLUMNS} WHERE c.id = ANY (:ids)")


# Posts and pages are public; of appeals the reader's own are enough to know that something came in.
_NEWS = text(
    """
    SELECT CASE WHEN EXISTS (SELECT FROM post) OR EXISTS (SELECT FROM appeal) THEN 'read'
      WHEN EXISTS (SELECT FROM page WHERE active) THEN 'reading' ELSE 'no_pages' END
    """
)


async def news(session: ReadSession) -> News:
    """Whether anything has come in yet, so that an empty queue can say why it is empty."""
    return News((await session.execute(_NEWS)).scalar_one())


async def unseen_comments(session: ReadSession, *, after: int, most: int) -> list[UnseenComment]:
    """The oldest stored comments without a fate, of those with a higher id than `after`."""
    return [UnseenComment(**row._mapping) for row in await session.execute(_UNSEEN, {"after": after, "most": most})]  # noqa: SLF001


async def comments_by_id(session: ReadSession, ids: Sequence[int]) -> list[UnseenComment]:
    """These comments, whatever their fate."""
    return [UnseenComment(**row._mapping) for row in await session.execute(_BY_ID, {"ids": list(ids)})]  # noqa: SLF001
