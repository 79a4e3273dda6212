"""What a comment or a post has attached, for whoever may see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.kernel.db import ReadSession

_OF = {
    # Row-level security decides: a comment out of sight is none at all.
    "comment": text(
        "SELECT g.platform, c.attachments -> CAST(:place AS integer) AS one FROM comment c JOIN page g ON g.id = c.page_id WHERE c.id = :id"
    ),
    "post": text(
        "SELECT g.platform, p.attachments -> CAST(:place AS integer) AS one FROM post p JOIN page g ON g.id = p.page_id WHERE p.id = :id"
    ),
}


async def attachment(session: ReadSession, *, of: str, row_id: int, place: int) -> tuple[str, Mapping[str, Any]] | None:
    """(platform, reference) of the attachment at a place of a `comment` or `post`; None when there is none within sight."""
    row = (await session.execute(_OF[of], {"id": row_id, "place": place})).one_or_none()
    return (row.platform, row.one) if row is not None and isinstance(row.one, dict) else None
