"""What every factory does: store a row, name it, find its parent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from app.kernel.db import Base
from app.sources.models import Page, Post

if TYPE_CHECKING:
    from app.kernel.db import ReadSession, WriteSession

_Row = TypeVar("_Row", bound=Base)

MORNING = datetime(2026, 11, 17, 6, 0, tzinfo=UTC)
"""A Tuesday, 09:00 in Moscow, a working day."""


def unique(prefix: str) -> str:
    """A word that no other row has."""
    return f"{prefix}-{uuid4().hex[:12]}"


def digits() -> str:
    """An id as platforms give them: a number nobody else has."""
    return str(uuid4().int % 10**15)


async def stored(session: WriteSession, row: _Row) -> _Row:
    """The row with its id and what the database filled in."""
    session.add(row)
    await session.flush()
    return row


async def page_of(session: ReadSession, post: Post) -> Page:
    """The page under which a post stands."""
    return await session.get_one(Page, post.page_id)


def id_of(row: Any) -> int | None:
    """The row's id, if there is a row."""
    return None if row is None else int(row.id)
