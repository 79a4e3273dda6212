"""Counts beside the filters of the queue: one statement, loaded separately, over a bounded number of waiting appeals."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.access import visible_to
from app.appeals.filters import FOUND, HITS, TROUBLED, number_in_search
from app.appeals.plan import plan_once
from app.appeals.rules import WAITING, Status
from app.people.rules import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import TextClause

    from app.appeals.filters import QueueFilters
    from app.kernel.db import ReadSession
    from app.people.rules import Access

MOST_COUNTED = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class FacetCounts:
    """How many waiting appeals there are. Each count obeys the other filters but not its own, so it says what a click would show.

    `capped`: there are more than were counted, so every figure is a lower bound.
    """

    waiting: int = 0
    mine: int = 0
    overdue: int = 0
    trouble: int = 0
    statuses: Mapping[Status, int] = field(default_factory=dict)
    platforms: Mapping[str, int] = field(default_factory=dict)
    agencies: Mapping[int, int] = field(default_factory=dict)
    topics: Mapping[int | None, int] = field(default_factory=dict)
    territories: Mapping[int, int] = field(default_factory=dict)
    capped: bool = False


# Each filter becomes a column first; a facet then counts where all the others hold. Grouping once keeps the rest cheap.
_FILTERS = ("status", "platform", "agency", "topic", "territory", "mine", "overdue", "trouble")
_VALUE = {"status": "status", "platform": "platform", "agency": "agency_id", "topic": "topic_id", "territory": "territory_id"}


async def facets(session: ReadSession, access: Access, *, filters: QueueFilters, now: datetime) -> FacetCounts:
    """The counts for these filters. ForbiddenError without the permission."""
    access.require(Permission.APPEAL_READ)
    await plan_once(session)
    visible, params = visible_to(access)
    params |= {"me": access.operator_id, "now": now}
    holds = _holds(filters, params)
    if filters.words:
        params |= {"words": filters.words, "number": number_in_search(filters.words)}
    found: dict[str, dict[str | None, int]] = {}
    for row in await session.execute(_statement(visible, tuple(holds.items()), bool(filters.words)), params):
        found.setdefault(row.facet, {})[row.value] = row.appeals
    return FacetCounts(
        waiting=_one(found, "waiting"),
        mine=_one(found, "mine"),
        overdue=_one(found, "overdue"),
        trouble=_one(found, "trouble"),
        statuses={Status(value): count for value, count in found.get("status", {}).items() if value is not None},
        platforms={value: count for value, count in found.get("platform", {}).items() if value is not None},
        agencies={int(value): count for value, count in found.get("agency", {}).items() if value is not None},
        topics={None if value is None else int(value): count for value, count in found.get("topic", {}).items()},
        territories={int(value): count for value, count in found.get("territory", {}).items() if value is not None},
        capped=_one(found, "read") >= MOST_COUNTED,
    )


def _one(found: Mapping[str, Mapping[str | None, int]], facet: str) -> int:
    return sum(found.get(facet, {}).values())


def _holds(filters: QueueFilters, params: dict[str, Any]) -> dict[str, str]:
    """Of each filter, the condition under which it holds; `params` gets what they name."""
    asked = filters.asked_statuses & WAITING
    holds = dict.fromkeys(_FILTERS, "true")
    if asked != WAITING:
        holds["status"] = f"a.status = ANY ('{{{','.join(sorted(status.value for status in asked))}}}')"
    for name, wanted in (
        ("platform", filters.platforms),
        ("agency", filters.agency_ids),
        ("topic", filters.topic_ids),
        ("territory", filters.territory_ids),
    ):
        if wanted is not None:
            column = _VALUE[name]
            holds[name] = f"coalesce(a.{column} = ANY (:in_{column}), false)"
            params[f"in_{column}"] = list(wanted)
    for name, wanted_only in (("mine", filters.mine), ("overdue", filters.overdue), ("trouble", filters.trouble)):
        if wanted_only:
            holds[name] = f"is_{name}"
    return holds


@lru_cache(maxsize=256)
def _statement(visible: str, holds: tuple[tuple[str, str], ...], searched: bool) -> TextClause:  # noqa: FBT001 - the key of a cache
    def others(*own: str) -> str:
        return " AND ".join(f"ok_{name}" for name in _FILTERS if name not in own)

    hits = HITS if searched else ""
    found = f"AND {FOUND}" if searched else ""
    flags = ", ".join(f"{condition} AS ok_{name}" for name, condition in holds)
    oks = ", ".join(f"ok_{name}" for name in _FILTERS)
    counted = [
        f"SELECT '{name}' AS facet, CAST({column} AS text) AS value, sum(n) AS appeals FROM g WHERE {others(name)} GROUP BY {column}"  # noqa: S608
        for name, column in _VALUE.items()
    ]
    counted += [
        f"SELECT '{name}', NULL, sum(n) FROM g WHERE is_{name} AND {others(name)}"  # noqa: S608 - names of this file
        for name in ("mine", "overdue", "trouble")
    ]
    counted += [f"SELECT 'waiting', NULL, sum(n) FROM g WHERE {others()}", "SELECT 'read', NULL, sum(n) FROM g"]  # noqa: S608
    return text(
        f"""
        WITH {hits}
        troubled AS MATERIALIZED ({TROUBLED}),
        w AS (
          SELECT a.status, a.platform, a.agency_id, a.topic_id, a.territory_id, coalesce(a.operator_id = :me, false) AS is_mine,
            coalesce(a.due_at <= :now, false) AS is_overdue, a.id IN (SELECT appeal_id FROM troubled) AS is_trouble
          FROM appeal a WHERE {visible} AND a.status IN ('in_work', 'new') {found} LIMIT {MOST_COUNTED}),
        g AS MATERIALIZED (
          SELECT a.status, a.platform, a.agency_id, a.topic_id, a.territory_id, is_mine, is_overdue, is_trouble, {flags}, count(*) AS n
          FROM w a
          GROUP BY a.status, a.platform, a.agency_id, a.topic_id, a.territory_id, is_mine, is_overdue, is_trouble, {oks})
        SELECT facet, value, CAST(coalesce(appeals, 0) AS bigint) AS appeals FROM ({" UNION ALL ".join(counted)}) f
        """  # noqa: S608 - conditions of this file and of visible_to
    )
