"""An answer of unknown outcome, looked for where it would stand: the thread is read through until it is found, or all of it was seen."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from connectors.contract import Absent, CannotTell, Found, Rejected

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from connectors.contract import Batch, CommentSnapshot, Outgoing, Sent, SentLookup

PARTS: Final = 50
"""So many parts of a thread are read for one answer, unless a platform says otherwise."""
CLOCKS_APART: Final = timedelta(minutes=2)
"""So far the platform's clock may be behind ours."""


async def look_through(
    read: Callable[[str | None], Awaitable[Batch]],
    is_it: Callable[[CommentSnapshot], bool],
    sent: Callable[[CommentSnapshot], Sent],
    *,
    most: int = PARTS,
) -> SentLookup:
    """Read on by `read` from cursor to cursor, `most` times; Found as `sent` tells it, Absent only when all of the thread was read."""
    cursor: str | None = None
    for _ in range(most):
        try:
            batch = await read(cursor)
        except Rejected as error:
            return CannotTell(reason=f"the post cannot be read ({error.code})")
        found = next((one for one in batch.comments if is_it(one)), None)
        if found is not None:
            return Found(sent=sent(found))
        cursor = batch.cursor
        if cursor is None:
            return Absent() if batch.complete_for else CannotTell(reason="the platform did not show the whole thread")
    return CannotTell(reason="the thread is too long to be read through")


def is_answer(comment: CommentSnapshot, outgoing: Outgoing) -> bool:
    """The page's own, to that comment, since we tried, with these words: platforms fold white space."""
    return (
        comment.by_page
        and comment.reply_to_external_id == outgoing.reply_to_external_id
        and comment.written_at >= outgoing.first_tried_at - CLOCKS_APART
        and comment.text.split() == outgoing.text.split()
    )
