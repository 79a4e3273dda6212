"""What keeps a runaway back: how much went out before, by author and by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sqlalchemy import text

from app.kernel.db import Bulk
from app.kernel.locks import Lock
from app.replies.rules import Candidate, Exceeded, Limits, exceeding

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from app.kernel.db import WriteSession
    from app.replies.rules import Limit

_BY_AUTHOR = Bulk(
    """
    SELECT k.id, k.span, (SELECT count(*) FROM reply r
      WHERE r.operator_id = k.id AND r.first_tried_at > k.since AND r.id <> ALL (CAST(:replies AS bigint[])))
      + (SELECT count(*) FROM amendment m
      WHERE m.operator_id = k.id AND m.first_tried_at > k.since AND m.id <> ALL (CAST(:amendments AS bigint[]))) AS n
    FROM (SELECT * FROM {rows}) k
    """,
    id="bigint", span="text", since="timestamptz",
)  # fmt: skip
_BY_PAGE = Bulk(
    """
    SELECT k.id, k.span, (SELECT count(*) FROM reply r
      WHERE r.page_id = k.id AND r.first_tried_at > k.since AND r.id <> ALL (CAST(:replies AS bigint[])))
      + (SELECT count(*) FROM amendment m
      WHERE m.page_id = k.id AND m.first_tried_at > k.since AND m.id <> ALL (CAST(:amendments AS bigint[]))) AS n
    FROM (SELECT * FROM {rows}) k
    """,
    id="bigint", span="text", since="timestamptz",
)  # fmt: skip
_UNTRIED = {
    table: text(f"UPDATE {table} SET attempts = 0, first_tried_at = NULL WHERE id = ANY (:ids) AND state = 'sending'")  # noqa: S608 - two names
    for table in ("reply", "amendment")
}
# One worker after the other counts what went out, so that a limit is exact. Rows are locked before, and passed over by others.
_COUNT_ALONE = text(f"SELECT pg_advisory_xact_lock({Lock.ANSWER_LIMITS.value})")


async def hold_back(
    session: WriteSession,
    taken: Sequence[tuple[int, int | None, int]],
    limits: Limits,
    *,
    of: Literal["reply", "amendment"] = "reply",
    now: datetime,
    time_scale: float,
) -> dict[int, Exceeded]:
    """Of the answers or amendments (id, author, page) that were claimed just now for their first try, those over a limit.

    They are marked as untried. Both kinds count together: a runaway that changes answers says as much as one that writes them.
    """
    if not taken or not (limits.author or limits.page):
        return {}
    await session.execute(_COUNT_ALONE)
    ids = [one_id for one_id, _, _ in taken]
    own = {"replies": ids if of == "reply" else [], "amendments": ids if of == "amendment" else []}
    candidates = [Candidate(id=reply_id, author=author, page=page) for reply_id, author, page in taken]
    counts = []
    for bulk, keys, kind in (
        (_BY_AUTHOR, {one.author for one in candidates if one.author is not None}, limits.author),
        (_BY_PAGE, {one.page for one in candidates}, limits.page),
    ):
        rows = await bulk.run(session, _windows(keys, kind, now, time_scale), **own)
        counts.append({(row.id, row.span): row.n for row in rows})
    over = exceeding(candidates, limits, by_author=counts[0], by_page=counts[1])
    if over:
        await session.execute(_UNTRIED[of], {"ids": list(over)})
    return over


def _windows(keys: Iterable[int], limits: Sequence[Limit], now: datetime, time_scale: float) -> list[tuple[int, str, datetime]]:
    return [(key, limit.window, now - limit.span / time_scale) for key in sorted(keys) for limit in limits]
