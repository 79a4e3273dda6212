"""Several messages that are one comment: an album, of which each picture is a message of its own, told together or one after the other.

The comment goes by the first message that was stored; what comes later is added to it, once, however often it is told. Each message
keeps its own words and files: an edited caption replaces its own words alone, and an older form of a message changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson
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
      c.attachments, c.written_at, c.observed_at, c.album_parts
    FROM {rows} JOIN comment c USING (page_id, album) ORDER BY c.page_id, c.album, c.id
    """,
    page_id="bigint", album="text",
)  # fmt: skip
_KEEP = Bulk(
    """
    UPDATE comment c SET album_parts = CAST(r.parts AS jsonb) FROM {rows}
    WHERE c.page_id = r.page_id AND c.album = r.album AND c.external_id = r.external_id AND c.erased_at IS NULL
    """,
    page_id="bigint", album="text", external_id="text", parts="text",
)  # fmt: skip
_BETWEEN = "\n\n"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """What one message of an album says, in its newest form that was told."""

    number: str
    words: str
    files: tuple[Attachment, ...]
    age: tuple[datetime, int]

    @property
    def place(self) -> tuple[int, str]:
        """Messages stand in the order of their numbers."""
        return len(self.number), self.number


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """Comments, each album as one of them, and what is to be kept of the albums once these are stored."""

    comments: list[CommentSnapshot]
    kept: list[tuple[int, str, str, str]]

    async def keep(self, session: WriteSession) -> None:
        """Which words and files are whose."""
        await _KEEP.run(session, self.kept)


async def gathered(session: WriteSession, comments: Sequence[CommentSnapshot], pages: Mapping[str, int]) -> Gathered:
    """The comments, each album as one of them. `pages`: our numbers by the platform's."""
    albums: dict[tuple[int, str], list[CommentSnapshot]] = defaultdict(list)
    found = Gathered(comments=[], kept=[])
    for comment in comments:
        page_id = pages.get(comment.page_external_id)
        if comment.album is None or page_id is None or storable(comment.album)[1]:
            found.comments.append(comment)
        else:
            albums[page_id, comment.album].append(comment)
    if not albums:
        return found
    for page_id, album in sorted(albums):
        await session.execute(_LOCK, {"page": str(page_id), "album": album})
    known = {(row.page_id, row.album): row for row in await _KNOWN.run(session, sorted(albums))}
    for key, told in albums.items():
        parts = _newest([*_stored_parts(known.get(key)), *map(_part, told)])
        one = _one(told, parts, known.get(key))
        found.comments.append(one)
        found.kept.append((*key, one.external_id, _noted(parts)))
    return found


def _part(told: CommentSnapshot) -> _Part:
    return _Part(
        number=told.external_id, words=storable(told.text)[0], files=told.attachments,
        age=(told.form_at or told.edited_at or told.observed_at, told.form_number or 0),
    )  # fmt: skip


def _newest(parts: Sequence[_Part]) -> list[_Part]:
    """Each message once, in its newest form; what two of them say alike belongs to the first."""
    newest: dict[str, _Part] = {}
    for part in parts:
        if part.number not in newest or newest[part.number].age <= part.age:
            newest[part.number] = part
    words: list[str] = []
    files: list[Attachment] = []
    own = []
    for part in sorted(newest.values(), key=lambda part: part.place):
        one = replace(part, words="" if part.words in words else part.words, files=tuple(file for file in part.files if file not in files))
        words += one.words.split(_BETWEEN)
        files += one.files
        own.append(one)
    return own


def _noted(parts: Sequence[_Part]) -> str:
    """Whose is what, by lengths alone."""
    packed: bytes = orjson.dumps([[one.number, len(one.words), len(one.files), one.age[0].isoformat(), one.age[1]] for one in parts])
    return packed.decode()


def _stored_parts(stored: Any) -> list[_Part]:  # noqa: ANN401 - a typed row, or None
    """The messages of what is stored; all of it is the first message's where nobody noted whose it is."""
    if stored is None:
        return []
    files = tuple(Attachment(**one) for one in stored.attachments)
    noted = stored.album_parts or []
    words = _BETWEEN.join("x" * length for _, length, *_ in noted if length)
    if not noted or len(words) != len(stored.text) or sum(count for _, _, count, *_ in noted) != len(files):
        return [_Part(number=stored.external_id, words=stored.text, files=files, age=(stored.written_at, 0))]
    parts, at, left = [], 0, iter(files)
    for number, length, count, moment, form in noted:
        own = tuple(islice(left, count))
        age = datetime.fromisoformat(moment), form
        parts.append(_Part(number=number, words=stored.text[at : at + length], files=own, age=age))
        at += length + len(_BETWEEN) if length else 0
    return parts


def _one(told: Sequence[CommentSnapshot], parts: Sequence[_Part], stored: Any) -> CommentSnapshot:  # noqa: ANN401 - as above
    words = _BETWEEN.join(one.words for one in parts if one.words)
    files = tuple(file for one in parts for file in one.files)
    first, last = told[0], max(told, key=lambda one: (one.observed_at, one.edited_at or one.written_at))
    # Each part is a form of its own message, so none is a form of the whole.
    whole = replace(last, text=words, attachments=files, form_at=None, form_number=None)
    if stored is None:
        return replace(
            whole, external_id=first.external_id, root_external_id=first.root_external_id, reply_to_external_id=first.reply_to_external_id,
            written_at=first.written_at, link=first.link,
        )  # fmt: skip
    changed = (words, files) != (stored.text, tuple(Attachment(**one) for one in stored.attachments))
    # What is told at the same moment is no older for that.
    seen = max(whole.observed_at, stored.observed_at + timedelta(microseconds=1)) if changed else whole.observed_at
    return replace(
        whole, external_id=stored.external_id, root_external_id=stored.root_external_id, reply_to_external_id=stored.reply_to_external_id,
        written_at=stored.written_at, observed_at=seen,
    )  # fmt: skip
