"""An answer that the platform refused and a person posted by hand: said here, looked for by the worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.errors import ConflictError
from app.kernel.jobs import OUTBOUND_SEND, enqueue
from app.replies.rules import NOT_SEEN, SOUGHT, ReplyState
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import ReadSession, WriteSession

CLOCKS_APART = timedelta(minutes=2)
"""So far the platform's clock may be behind ours, or rounded to the second: what was posted right after the refusal counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sought:
    """Such an answer, and the thread in which it should stand. `since`: when the person said so."""

    id: int
    appeal_id: int
    platform: str
    page_external_id: str
    page_options: dict[str, str]
    post_external_id: str
    thread_ref: str | None
    since: datetime


async def seek(session: WriteSession, *, reply_id: int, now: datetime) -> None:
    """A person posted it by hand: the worker is to find it. ConflictError unless the platform refused it."""
    row = await session.execute(
        text("UPDATE reply SET error_code = :sought, error_detail = NULL, due_at = :now WHERE id = :id AND state = 'failed' RETURNING id"),
        {"id": reply_id, "sought": SOUGHT, "now": now},
    )
    if row.scalar_one_or_none() is None:
        raise ConflictError("reply.state", "Only an answer that the platform refused can be posted by hand: reload the appeal.")
    await enqueue(session, OUTBOUND_SEND, {"sought": reply_id})


_SOUGHT = text(
    """
    SELECT r.id, r.appeal_id, g.platform, g.external_id AS page_external_id, g.options AS page_options,
      p.external_id AS post_external_id, p.thread_ref, r.due_at AS since
    FROM reply r JOIN comment c ON c.id = r.comment_id JOIN post p ON p.id = c.post_id JOIN page g ON g.id = c.page_id
    WHERE r.state = 'failed' AND r.error_code = :sought AND g.platform = ANY (:platforms)
    ORDER BY row_number() OVER (PARTITION BY g.platform ORDER BY r.id), r.id LIMIT :most
    """
)


async def sought(session: ReadSession, *, platforms: Sequence[str], most: int) -> list[Sought]:
    """Those to look for, the oldest of each platform first: one that is down must not hold up the others.

    Two workers may look for the same: reading a thread twice changes nothing.
    """
    rows = await session.execute(_SOUGHT, {"sought": SOUGHT, "platforms": list(platforms), "most": most})
    return [Sought(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


_SETTLE = text(
    """
    UPDATE reply r SET
      state = CASE WHEN other.there THEN 'withdrawn' ELSE r.state END,
      error_code = CASE WHEN other.there THEN NULL ELSE :not_seen END,
      error_detail = CASE WHEN other.there THEN NULL ELSE left(:detail, 500) END
    FROM (SELECT EXISTS (
      SELECT FROM reply h JOIN reply mine ON mine.id = :id AND mine.appeal_id = h.appeal_id AND mine.comment_id = h.comment_id
      WHERE h.by_hand AND h.state = 'sent' AND h.published_at >= mine.created_at - CAST(:apart AS interval)) AS there) other
    WHERE r.id = :id AND r.state = 'failed' AND r.error_code = :sought RETURNING r.state
    """
)


_UNDECIDED = text(
    """
    SELECT EXISTS (
      SELECT FROM reply r JOIN comment asked ON asked.id = r.comment_id JOIN comment c ON c.post_id = asked.post_id
      WHERE r.id = :id AND r.state = 'failed' AND c.by_page AND c.fate IS NULL)
    """
)


async def undecided(session: ReadSession, *, found: Sought) -> bool:
    """Whether another worker is deciding at this moment what the page wrote there: it may be what is looked for."""
    return bool((await session.execute(_UNDECIDED, {"id": found.id})).scalar_one())


async def settle_sought(session: WriteSession, *, found: Sought, detail: str) -> ReplyState | None:
    """After the thread was read; its appeal is locked. None when it was found: then it is published already.

    `WITHDRAWN`: the page answered in other words, and that answer counts. `FAILED`: nothing of the page's stands there.
    """
    given = {"apart": CLOCKS_APART, "id": found.id, "sought": SOUGHT, "not_seen": NOT_SEEN, "detail": storable(detail)[0]}
    state = (await session.execute(_SETTLE, given)).scalar_one_or_none()
    return None if state is None else ReplyState(state)
