"""Pictures of answers, as they are kept: brought by whoever writes the answer, put to it, handed to the worker when it goes out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from connectors.contract import PageRef, PostRef

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession

LOOSE = timedelta(hours=24)
"""What was brought and never came to an answer is dropped after this long."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPicture:
    """A picture as it will be kept and published: drawn anew, a JPEG."""

    content: bytes
    width: int
    height: int

    @property
    def digest(self) -> bytes:
        """SHA-256 of its bytes."""
        return hashlib.sha256(self.content).digest()


_BRING = text(
    """
    INSERT INTO reply_picture (operator_id, content, digest, size, width, height, created_at)
    VALUES (:operator, :content, :digest, :size, :width, :height, :now) RETURNING id
    """
)
# The same bytes brought once more, and not put to an answer yet, are the same picture: a request may be repeated.
_KNOWN = text(
    "SELECT id FROM reply_picture WHERE operator_id = :operator AND reply_id IS NULL AND digest = :digest AND created_at > :since LIMIT 1"
)
_LOOSE_BYTES = text("SELECT coalesce(sum(size), 0) FROM reply_picture WHERE operator_id = :operator AND reply_id IS NULL")


async def bring(session: WriteSession, new: NewPicture, *, operator_id: int, now: datetime) -> int:
    """Keep one that is not yet anybody's; its id."""
    values = {
        "operator": operator_id, "content": new.content, "digest": new.digest, "size": len(new.content), "width": new.width,
        "height": new.height, "now": now,
    }  # fmt: skip
    return int((await session.execute(_BRING, values)).scalar_one())


async def bring_once(session: WriteSession, new: NewPicture, *, operator_id: int, now: datetime) -> int:
    """The same, or the id of what this very person or system brought before."""
    known = await session.scalar(_KNOWN, {"operator": operator_id, "digest": new.digest, "since": now - LOOSE / 2})
    return await bring(session, new, operator_id=operator_id, now=now) if known is None else int(known)


async def loose_bytes(session: ReadSession, *, operator_id: int) -> int:
    """How much somebody has brought that is not put to any answer."""
    return int(await session.scalar(_LOOSE_BYTES, {"operator": operator_id}) or 0)


_PUT = text(
    """
    UPDATE reply_picture i SET reply_id = :reply, place = k.place - 1
    FROM unnest(CAST(:ids AS bigint[])) WITH ORDINALITY k(id, place) WHERE i.id = k.id AND i.reply_id IS NULL AND i.operator_id = :operator
    """
)
_COPY = text(
    """
    INSERT INTO reply_picture (operator_id, content, digest, size, width, height, created_at)
    SELECT :operator, content, digest, size, width, height, :now FROM reply_picture WHERE reply_id = :reply ORDER BY place RETURNING id
    """
)


async def put(session: WriteSession, picture_ids: Sequence[int], *, reply_id: int, operator_id: int) -> bool:
    """These go with an answer of one's own that was queued just now; False when any of them is not one's own, or is put already."""
    done = await session.execute(_PUT, {"reply": reply_id, "ids": list(picture_ids), "operator": operator_id})
    return bool(done.rowcount == len(picture_ids))  # type: ignore[attr-defined]  # an UPDATE's result has it


async def copies(session: WriteSession, *, of_reply: int, operator_id: int, now: datetime) -> list[int]:
    """The pictures of an answer once more, for another one with the same words."""
    rows = await session.scalars(_COPY, {"reply": of_reply, "operator": operator_id, "now": now})
    return sorted(rows.all())


async def of_reply(session: ReadSession, *, reply_id: int) -> list[bytes | None]:
    """The pictures of an answer in their order, None for one that was erased."""
    statement = text("SELECT content FROM reply_picture WHERE reply_id = :reply ORDER BY place")
    return list((await session.scalars(statement, {"reply": reply_id})).all())


async def one_of(session: ReadSession, *, reply_id: int, place: int) -> bytes | None:
    """One picture of an answer within sight."""
    statement = text("SELECT content FROM reply_picture WHERE reply_id = :reply AND place = :place")
    content: bytes | None = await session.scalar(statement, {"reply": reply_id, "place": place})
    return content


async def tidy(session: WriteSession, *, now: datetime) -> int:
    """Drop what never came to an answer; how many."""
    return int(await session.scalar(text("SELECT otklik_drop_loose_pictures(:before)"), {"before": now - LOOSE}) or 0)


_PLACE = text(
    """
    SELECT otklik_token_kinds(r.page_id) AS token_kinds, g.external_id AS page, g.options, p.external_id AS post
    FROM reply r JOIN comment c ON c.id = r.comment_id JOIN post p ON p.id = c.post_id JOIN page g ON g.id = p.page_id WHERE r.id = :id
    """
)


async def place_of(session: ReadSession, *, reply_id: int) -> tuple[PostRef, Sequence[str]]:
    """Under what an answer is to stand, and of which kinds the tokens are that may be used there."""
    row = (await session.execute(_PLACE, {"id": reply_id})).one()
    return PostRef(page=PageRef(external_id=row.page, options=row.options), external_id=row.post), row.token_kinds
