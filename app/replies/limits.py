"""What keeps a runaway back: how much went out before, by author and by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.db import Bulk
from app.replies.rules import Candidate, Exceeded, Limits, exceeding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from app.kernel.db import WriteSession
    from app.replies.rules import Limit

_BY_AUTHOR = Bulk(
    """
    SELECT k.id, k.span, (SELECT count(*) FROM reply r
      WHERE r.operator_id = k.id AND r.first_tried_at > k.since AND r.id <> ALL (CAST(:own AS bigint[]))) AS n
    FROM (SELECT * FROM {rows}) k
    """,
    id="bigint", span="text", since="timestamptz",
)  # fmt: skip
_BY_PAGE = Bulk(
    """
    SELECT k.id, k.span, (SELECT count(*) FROM reply r
      WHERE r.page_id = k.id AND r.first_tried_at > k.since AND r.id <> ALL (CAST(:own AS bigint[]))) AS n
    FROM (SELECT * FROM {rows}) k
    """,
    id="bigint", span="text", since="timestamptz",
)  # fmt: skip
_UNTRIED = text("UPDATE reply SET attempts = 0, first_tried_at = NULL WHERE id = ANY (:ids) AND state = 'sending'")


async def hold_back(
    session: WriteSession, taken: Sequence[tuple[int, int | None, int]], limits: Limits, *, now: datetime, time_scale: float
) -> dict[int, Exceeded]:
    """Of the answers (id, author, page) that were claimed just now for their first try, those over a limit; marked as untried."""
    own = [reply_id for reply_id, _, _ in taken]
    candidates = [Candidate(id=reply_id, author=author, page=page) for reply_id, author, page in taken]
    counts = []
    for bulk, keys, kind in (
        (_BY_AUTHOR, {one.author for one in candidates if one.author is not None}, limits.author),
        (_BY_PAGE, {one.page for one in candidates}, limits.page),
    ):
        rows = await bulk.run(session, _windows(keys, kind, now, time_scale), own=own)
        counts.append({(row.id, row.span): row.n for row in rows})
    over = exceeding(candidates, limits, by_author=counts[0], by_page=counts[1])
    if over:
        await session.execute(_UNTRIED, {"ids": list(over)})
    return over


def _windows(keys: Iterable[int], limits: Sequence[Limit], now: datetime, time_scale: float) -> list[tuple[int, str, datetime]]:
    return [(key, limit.window, now - limit.span / time_scale) for key in sorted(keys) for limit in limits]
