"""A platform's snapshot of a comment as the row that is written. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.contract import Attachment, CommentSnapshot

Key = tuple[int, int, str]
"""(page id, post id, the platform's id of the comment)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A comment ready to be written."""

    key: Key
    root: str
    author_id: int | None
    text: str
    altered: bool
    attachments: str
    snapshot: CommentSnapshot


def row_of(key: Key, snapshot: CommentSnapshot, root: str, authors: dict[str, int]) -> Row:
    """The row of a snapshot whose root and author are known."""
    clean, altered = storable(snapshot.text)
    return Row(
        key=key,
        root=root,
        author_id=None if snapshot.author is None else authors[snapshot.author.external_id],
        text=clean,
        altered=altered,
        attachments=attachments_json(snapshot.attachments),
        snapshot=snapshot,
    )


def author_of(snapshot: CommentSnapshot) -> str | None:
    """The platform's id of who wrote it, if it tells."""
    return None if snapshot.author is None else snapshot.author.external_id


def ids_are_storable(snapshot: CommentSnapshot) -> bool:
    """An id is never altered: one that PostgreSQL does not take would meet another one, or nothing."""
    told = (snapshot.external_id, snapshot.root_external_id, snapshot.reply_to_external_id, snapshot.post_external_id, snapshot.thread_ref)
    return are_storable(*told, author_of(snapshot))


def are_storable(*ids: str | None) -> bool:
    """Whether PostgreSQL takes all these ids as they are."""
    return not any(storable(one)[1] for one in ids if one is not None)


def written_at(snapshot: CommentSnapshot) -> datetime:
    """The citizen's time. Nothing is seen before it is written: a platform's clock that runs ahead would start ours in the future."""
    return min(snapshot.written_at, snapshot.observed_at)


def edited_at(snapshot: CommentSnapshot) -> datetime | None:
    """When it was last edited, as far as the platform tells; never after we saw it."""
    return None if snapshot.edited_at is None else min(snapshot.edited_at, snapshot.observed_at)


def form_at(snapshot: CommentSnapshot) -> datetime | None:
    """When this form came to be, as far as the platform tells; never after we saw it: a clock that runs ahead would keep later ones out."""
    return None if snapshot.form_at is None else min(snapshot.form_at, snapshot.observed_at)


Age = tuple[datetime, int, bool, datetime, datetime]
"""Orders what was told of one comment; see `age_of`."""


def age_of(snapshot: CommentSnapshot) -> Age:
    """Which of two observations is the newer.

    First by the platform's own moment of the form and its count of what it tells: a first form that is delivered late, or again, is no
    newer for that. What tells neither is as new as when it was seen. An edited form is newer than one that was not, even when both are of
    the same second or of after we asked; of two edits of one second that no count tells apart the one told later stands.
    """
    edited = edited_at(snapshot)
    at = form_at(snapshot) or snapshot.observed_at
    return (at, snapshot.form_number or 0, edited is not None, edited or written_at(snapshot), snapshot.observed_at)


def age_of_stored(row: Any) -> Age:  # noqa: ANN401 - a row of LOCK_COMMENTS
    """The same of what is stored."""
    at = row.form_at or row.observed_at
    return (at, row.form_number or 0, row.edited_at is not None, row.edited_at or row.written_at, row.observed_at)


def insertable(row: Row, now: datetime) -> tuple[object, ...]:
    """The values of INSERT_COMMENTS, in its order."""
    snapshot = row.snapshot
    # Observed is when we asked; what was written while the platform answered keeps its own time.
    written_at = min(snapshot.written_at, max(now, snapshot.observed_at))
    return (
        *row.key, row.root, snapshot.reply_to_external_id, row.author_id, snapshot.by_page, row.text, row.altered, row.attachments,
        storable(snapshot.link)[0], written_at, edited_at(snapshot), snapshot.observed_at if snapshot.deleted else None,
        snapshot.observed_at, form_at(snapshot), snapshot.form_number, None if snapshot.album is None else storable(snapshot.album)[0],
    )  # fmt: skip


def attachments_json(attachments: Sequence[Attachment]) -> str:
    """References to pictures and files, as they are stored."""
    if not attachments:
        return "[]"
    told = [
        {
            name: storable(value)[0]
            for name, value in (("kind", one.kind), ("external_id", one.external_id), ("url", one.url), ("title", one.title))
            if value is not None
        }
        for one in attachments
    ]
    packed: bytes = orjson.dumps(told)
    return packed.decode()
