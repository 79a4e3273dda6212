"""Notices that stand, as far as a person may see them.

What stands is decided by the timer and the comment themselves, so that a screen is right also before the tidying.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.notices.rules import TRIAGE_KINDS, Kind
from app.people.rules import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from app.kernel.db import ReadSession
    from app.people.rules import Access

COUNTED_UP_TO = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingNotice:
    """A line of the list: of an appeal (its number and promise), or of a comment in triage. `due_at` is its deadline.

    `share`: of the term that had passed, in percent; `escalated_to`: the role that was told last since nobody answered.
    """

    id: int
    kind: Kind
    appeal_number: int | None
    comment_id: int | None
    promise: str | None
    due_at: datetime | None
    occurred_at: datetime
    share: int | None
    escalated_to: str | None
    agency_id: int | None
    territory_id: int | None


_STANDING = """
FROM notice n
LEFT JOIN appeal a ON a.id = n.appeal_id
LEFT JOIN sla_timer t ON t.id = n.timer_id
LEFT JOIN comment c ON c.id = n.comment_id
WHERE n.settled_at IS NULL AND n.kind = ANY (:kinds) AND {visible}
  AND (n.appeal_id IS NULL OR (a.id IS NOT NULL AND t.stopped_at IS NULL AND t.id IS NOT NULL))
  AND (n.comment_id IS NULL OR c.fate = 'in_triage')
"""
_LIST = f"""
SELECT n.id, n.kind, a.number AS appeal_number, n.comment_id, t.promise, coalesce(t.due_at, c.triage_due_at) AS due_at, n.occurred_at,
  n.share, n.escalated_to, coalesce(a.agency_id, n.agency_id) AS agency_id, coalesce(a.territory_id, n.territory_id) AS territory_id
{_STANDING} AND (CAST(:before AS bigint) IS NULL OR n.id < :before) ORDER BY n.id DESC LIMIT :most
"""
_COUNT = f"SELECT kind, count(*) AS n FROM (SELECT n.kind {_STANDING} LIMIT :most) AS standing GROUP BY kind"  # noqa: S608 - constants


async def standing_notices(session: ReadSession, access: Access, *, most: int = 50, before: int | None = None) -> list[StandingNotice]:
    """The newest notices that stand; `before` is the id of the last line of the page above."""
    condition, scope = _visible_to(access)
    rows = await session.execute(text(_LIST.format(visible=condition)), {"most": most, "before": before, **_kinds(access), **scope})
    return [StandingNotice(**{**row._mapping, "kind": Kind(row.kind)}) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def count_notices(session: ReadSession, access: Access) -> Mapping[Kind, int]:
    """How many stand, by kind; counted up to `COUNTED_UP_TO` in all."""
    condition, scope = _visible_to(access)
    rows = await session.execute(text(_COUNT.format(visible=condition)), {"most": COUNTED_UP_TO, **_kinds(access), **scope})
    return dict.fromkeys(Kind, 0) | {Kind(row.kind): row.n for row in rows}


def _kinds(access: Access) -> dict[str, Any]:
    """Only those who decide in triage are told of it."""
    kinds = set(Kind) if access.may(Permission.TRIAGE_WORK) else set(Kind) - TRIAGE_KINDS
    return {"kinds": sorted(kind.value for kind in kinds) if access.may(Permission.APPEAL_READ) else []}


def _visible_to(access: Access) -> tuple[str, dict[str, Any]]:
    """A condition on the notice `n` and its appeal `a`: what this person holds now."""
    if access.whole:
        return "true", {}
    condition = (
        "(coalesce(a.agency_id, n.agency_id) = ANY (:scope_agencies) "
        "OR coalesce(a.territory_id, n.territory_id) = ANY (:scope_territories))"
    )
    return condition, {"scope_agencies": list(access.agency_ids), "scope_territories": list(access.territory_ids)}
