"""The coordinators' queue: comments that nobody could decide about by rule, by the deadline of looking at them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.filters import Cursor, checked_cursor, checked_limit
from app.appeals.pages import IN_SCOPE, SCOPE, scope_of
from app.appeals.plan import plan_once
from app.people.rules import ROLE_PERMISSIONS, Permission, Role

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.db import ReadSession
    from app.people.rules import Access

SHOWN_TEXT = 4_000
SHOWN_POST = 500
MOST_COUNTED = 10_000

_WORKERS = frozenset(role for role in Role if Permission.TRIAGE_WORK in ROLE_PERMISSIONS[role])


@dataclass(frozen=True, kw_only=True, slots=True)
class TriageRow:
    """A comment that waits for a coordinator. `text` and `post_text` are beginnings; `length` is the whole text's.

    `scores` are topics by code, the best first; `topic_id` and `agency_id` are what triage leant to, if to anything.
    """

    comment_id: int
    revision: int
    platform: str
    page_id: int
    page_title: str
    page_agency_id: int
    territory_id: int
    territory_name: str
    author_name: str | None
    text: str
    length: int
    attachments: Sequence[Any]
    link: str
    post_text: str
    post_link: str
    written_at: datetime
    edited_at: datetime | None
    fate_reason: str | None
    due_at: datetime | None
    warn_at: datetime | None
    kind: str | None
    confidence: float | None
    topic_id: int | None
    agency_id: int | None
    scores: tuple[tuple[str, float], ...]
    reasons: Sequence[Mapping[str, Any]]
    route_reason: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class TriagePage:
    """Rows in the order of their deadlines, how many wait in all (`MOST_COUNTED`: or more), where the next page begins."""

    rows: tuple[TriageRow, ...]
    total: int
    next: Cursor | None


_PICKED = f"""
(SELECT c.id, c.triage_due_at FROM comment c JOIN page g ON g.id = c.page_id
  WHERE c.fate = 'in_triage' AND {{dated}} AND {IN_SCOPE} ORDER BY c.triage_due_at, c.id LIMIT {{most}})
UNION ALL
(SELECT c.id, c.triage_due_at FROM comment c JOIN page g ON g.id = c.page_id
  WHERE c.fate = 'in_triage' AND c.triage_due_at IS NULL AND {{undated}} AND {IN_SCOPE} ORDER BY c.triage_due_at, c.id LIMIT {{most}})
LIMIT {{most}}
"""  # noqa: S608 - constants of this file
_ROWS = f"""
WITH RECURSIVE {SCOPE},
picked AS ({{picked}})
SELECT c.id AS comment_id, c.revision, g.platform, g.id AS page_id, g.title AS page_title, g.agency_id AS page_agency_id, g.territory_id,
  z.name AS territory_name, u.name AS author_name, left(c.text, {SHOWN_TEXT}) AS text, length(c.text) AS length, c.attachments, c.link,
  left(p.text, {SHOWN_POST}) AS post_text, p.link AS post_link, c.written_at, c.edited_at, c.fate_reason, c.triage_due_at AS due_at,
  c.triage_warn_at AS warn_at, v.kind, v.confidence, v.topic_id, v.agency_id, coalesce(v.scores, '{{{{}}}}') AS scores,
  coalesce(v.reasons, '[]') AS reasons, coalesce(v.route_reason, '{{{{}}}}') AS route_reason
FROM picked
JOIN comment c ON c.id = picked.id
JOIN page g ON g.id = c.page_id
JOIN territory z ON z.id = g.territory_id
JOIN post p ON p.id = c.post_id
LEFT JOIN author u ON u.id = c.author_id
LEFT JOIN LATERAL (SELECT * FROM verdict v WHERE v.comment_id = c.id ORDER BY v.id DESC LIMIT 1) v ON true
ORDER BY c.triage_due_at, c.id
"""  # noqa: S608 - constants of this file
_TOTAL = text(
    f"""
    WITH RECURSIVE {SCOPE}
    SELECT count(*) FROM (
      SELECT FROM comment c JOIN page g ON g.id = c.page_id WHERE c.fate = 'in_triage' AND {IN_SCOPE} LIMIT {MOST_COUNTED}) waiting
    """  # noqa: S608 - constants of this file
)


async def triage_queue(session: ReadSession, access: Access, *, after: Cursor | None = None, limit: int = 25) -> TriagePage:
    """Waiting comments of the pages that a person coordinates. ForbiddenError, InvalidError `cursor` or `limit`."""
    access.require(Permission.TRIAGE_WORK)
    await plan_once(session)
    most = checked_limit(limit) + 1
    dated, undated, params = "c.triage_due_at IS NOT NULL", "true", scope_of(access, _WORKERS)
    if checked_cursor(after, by_deadline=True) is not None and after is not None:
        params |= {"after_id": after.id}
        if after.due_at is None:
            dated, undated = "false", "c.id > :after_id"
        else:
            dated = "(c.triage_due_at, c.id) > (:after_due, :after_id)"
            params |= {"after_due": after.due_at}
    picked = _PICKED.format(dated=dated, undated=undated, most=most)
    found = [_row(row) for row in await session.execute(text(_ROWS.format(picked=picked, most=most)), params)]
    last = found[limit - 1] if len(found) > limit else None
    return TriagePage(
        rows=tuple(found[:limit]),
        total=await triage_waiting(session, access),
        next=None if last is None else Cursor(by_deadline=True, id=last.comment_id, due_at=last.due_at),
    )


async def triage_waiting(session: ReadSession, access: Access) -> int:
    """How many comments wait for this coordinator, counted up to `MOST_COUNTED`. ForbiddenError without the permission."""
    access.require(Permission.TRIAGE_WORK)
    return int((await session.execute(_TOTAL, scope_of(access, _WORKERS))).scalar_one())


def _row(row: Any) -> TriageRow:  # noqa: ANN401 - a typed row
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    scores = sorted(values["scores"].items(), key=lambda pair: (-pair[1], pair[0]))
    return TriageRow(**values | {"scores": tuple((code, float(score)) for code, score in scores)})


async def triage_comment(session: ReadSession, access: Access, comment_id: int) -> TriageRow | None:
    """One waiting comment; None when it is out of this coordinator's reach or decided. ForbiddenError without the permission."""
    access.require(Permission.TRIAGE_WORK)
    statement = text(_ROWS.format(picked=_ONE))
    row = (await session.execute(statement, {"comment": comment_id, **scope_of(access, _WORKERS)})).one_or_none()
    return None if row is None else _row(row)


_ONE = f"""
SELECT c.id, c.triage_due_at FROM comment c JOIN page g ON g.id = c.page_id WHERE c.id = :comment AND c.fate = 'in_triage' AND {IN_SCOPE}
"""  # noqa: S608 - constants of this file
