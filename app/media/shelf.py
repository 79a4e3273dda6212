"""Pictures that only the worker can fetch: the web process asks for one, the worker puts it here, made anew, for some days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.kernel.jobs import MEDIA_FETCH, enqueue
from app.media.service import KEPT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.kernel.db import ReadSession, WriteSession

KEPT = timedelta(seconds=KEPT_SECONDS)
ASKED_AGAIN_AFTER = timedelta(minutes=10)
"""What was refused, or never came, may be asked for again after this long."""

_STANDS = text(
    "SELECT state, content FROM picture WHERE place = :place "
    "AND comment_id IS NOT DISTINCT FROM CAST(:comment AS bigint) AND post_id IS NOT DISTINCT FROM CAST(:post AS bigint)"
)
_ASK = text(
    "INSERT INTO picture (comment_id, post_id, place, state, asked_at) VALUES (:comment, :post, :place, 'wanted', :now) "
    "ON CONFLICT DO NOTHING RETURNING id"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Which attachment of which comment or post."""

    of: str
    row_id: int
    place: int

    @property
    def values(self) -> dict[str, int | None]:
        """As the statements name it."""
        comment = self.row_id if self.of == "comment" else None
        return {"comment": comment, "post": None if comment is not None else self.row_id, "place": self.place}


async def stands(session: ReadSession, place: Place) -> tuple[str, bytes | None] | None:
    """(state, picture) of what was asked for; None when nobody has yet."""
    row = (await session.execute(_STANDS, place.values)).one_or_none()
    return None if row is None else (row.state, row.content)


async def ask(session: WriteSession, place: Place, *, now: datetime) -> None:
    """Have the worker fetch it; once, however many look."""
    picture_id = await session.scalar(_ASK, {**place.values, "now": now})
    if picture_id is not None:
        await enqueue(session, MEDIA_FETCH, {"picture": picture_id})


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What the worker is to fetch, and under which page it stands."""

    platform: str
    page_external_id: str
    page_options: dict[str, str]
    attachment: Mapping[str, Any]


async def wanted(session: ReadSession, *, picture_id: int) -> Wanted | None:
    """Of a picture that is still wanted; None when it is not, or there is no such attachment any more."""
    row = (
        await session.execute(
            text(
                """
                SELECT g.platform, g.external_id, g.options, coalesce(c.attachments, o.attachments) -> CAST(p.place AS integer) AS one
                FROM picture p LEFT JOIN comment c ON c.id = p.comment_id LEFT JOIN post o ON o.id = p.post_id
                JOIN page g ON g.id = coalesce(c.page_id, o.page_id) WHERE p.id = :id AND p.state = 'wanted'
                """
            ),
            {"id": picture_id},
        )
    ).one_or_none()
    if row is None or not isinstance(row.one, dict):
        return None
    return Wanted(platform=row.platform, page_external_id=row.external_id, page_options=row.options, attachment=row.one)


async def put(session: WriteSession, *, picture_id: int, content: bytes | None) -> None:
    """The picture, or (None) that there is none to show."""
    await session.execute(
        text(
            "UPDATE picture SET state = CASE WHEN CAST(:content AS bytea) IS NULL THEN 'refused' ELSE 'there' END, content = :content, "
            "size = coalesce(octet_length(CAST(:content AS bytea)), 0) WHERE id = :id AND state = 'wanted'"
        ),
        {"id": picture_id, "content": content},
    )


async def tidy(session: WriteSession, *, now: datetime, most_bytes: int) -> int:
    """Drop what is old, what came to nothing, and the oldest of more than `most_bytes`; how many."""
    gone = await session.execute(
        text(
            """
            DELETE FROM picture WHERE id IN (
              SELECT id FROM (SELECT id, state, asked_at, sum(size) OVER (ORDER BY asked_at DESC, id DESC) AS so_far FROM picture) p
              WHERE p.asked_at < :old OR p.so_far > :most OR (p.state <> 'there' AND p.asked_at < :again)) RETURNING id
            """
        ),
        {"old": now - KEPT, "again": now - ASKED_AGAIN_AFTER, "most": most_bytes},
    )
    return len(gone.all())
