"""Several messages that are one comment: an album, of which each picture is a message of its own, told together or one after the other.

The comment goes by the first message that was stored; what comes later is added to it, once, however often it is told.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.kernel.db import Bulk
from app.sources.rules import storable
from connectors.contract import Attachment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.db import WriteSession
    from connectors.contract import CommentSnapshot

# Two workers that were pushed a part each would make two comments of it.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('album:' || :page || ':' || :album, 0))")
_KNOWN = Bulk(
    """
    SELECT DISTINCT ON (c.page_id, c.album) c.page_id, c.album, c.external_id, c.root_external_id, c.reply_to_external_id, c.text,
      c.attachments, c.written_at, c.observed_at
    FROM {rows} JOIN comment c USING (page_id, album) ORDER BY c.page_id, c.album, c.id
    """,
    page_id="bigint", album="text",
)  # fmt: skip


async def gathered(session: WriteSession, comments: Sequence[CommentSnapshot], pages: Mapping[str, int]) -> list[CommentSnapshot]:
    """The comments, each album as one of them. `pages`: our numbers by the platform's."""
    albums: dict[tuple[int, str], list[CommentSnapshot]] = defaultdict(list)
    alone = []
    for comment in comments:
        page_id = pages.get(comment.page_external_id)
        if comment.album is None or page_id is None or storable(comment.album)[1]:
            alone.append(comment)
        else:
            albums[page_id, comment.album].append(comment)
    if not albums:
        return alone
    for page_id, album in sorted(albums):
        await session.execute(_LOCK, {"page": str(page_id), "album": album})
    known = {(row.page_id, row.album): row for row in await _KNOWN.run(session, sorted(albums))}
    return [*alone, *(_one(parts, known.get(key)) for key, parts in albums.items())]


def _one(parts: Sequence[CommentSnapshot], stored: Any) -> CommentSnapshot:  # noqa: ANN401 - a typed row, or None
    first = parts[0]
    words, files = ("", ()) if stored is None else (stored.text, tuple(Attachment(**one) for one in stored.attachments))
    before = (words, files)
    for part in parts:
        words = _words(words, part)
        files += tuple(file for file in part.attachments if file not in files)
    # Each part is a form of its own message, so none is a form of the whole.
    whole = replace(max(parts, key=lambda part: part.observed_at), text=words, attachments=files, form_at=None, form_number=None)
    if stored is None:
        return replace(
            whole, external_id=first.external_id, root_external_id=first.root_external_id, reply_to_external_id=first.reply_to_external_id,
            written_at=first.written_at, link=first.link,
        )  # fmt: skip
    # What is told at the same moment is no older for that.
    seen = whole.observed_at if (words, files) == before else max(whole.observed_at, stored.observed_at + timedelta(microseconds=1))
    return replace(
        whole, external_id=stored.external_id, root_external_id=stored.root_external_id, reply_to_external_id=stored.reply_to_external_id,
        written_at=stored.written_at, observed_at=seen,
    )  # fmt: skip


def _words(words: str, part: CommentSnapshot) -> str:
    """Each picture may have a caption; an edited one replaces what stood there."""
    told = storable(part.text)[0]
    if not told or told in words.split("\n\n"):
        return words
    return told if part.edited_at is not None or not words else f"{words}\n\n{told}"
