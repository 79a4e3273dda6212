"""The queue: one statement for a page of it, however many appeals there are. The other reads of appeals are named here too.

Rows are picked first, by an index in the order of the list and no further than the page; only those picked are joined.
Each statement has `visible_to` inside; row-level security stands behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.access import visible_to
from app.appeals.cards import Card, card
from app.appeals.facets import FacetCounts, facets
from app.appeals.feed import LiveCursor, changes_since, live_cursor_now
from app.appeals.filters import (
    FOUND,
    HITS,
    TROUBLED,
    Cursor,
    QueueFilters,
    checked_cursor,
    checked_limit,
    format_number,
    number_in_search,
    parse_number,
)
from app.appeals.plan import plan_once
from app.appeals.rules import WAITING, Status
from app.appeals.waiting import TriagePage, TriageRow, triage_queue
from app.people.rules import Permission
from app.replies.rules import NEEDS_A_PERSON, ReplyState

if TYPE_CHECKING:
    from sqlalchemy import TextClause

    from app.kernel.db import ReadSession
    from app.people.rules import Access

__all__ = [
    "Card",
    "Cursor",
    "FacetCounts",
    "LiveCursor",
    "QueueFilters",
    "QueuePage",
    "QueueRow",
    "TriagePage",
    "TriageRow",
    "card",
    "changes_since",
    "facets",
    "format_number",
    "live_cursor_now",
    "parse_number",
    "queue",
    "triage_queue",
]

_MOST_PROBES = 64
"""Up to so many agencies their own index is read, one probe each; beyond that the common one with a filter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueRow:
    """One appeal in a list. `snippet` is the beginning of the citizen's latest words.

    `near_at` is the last warning of the nearest running deadline, `breached` whether the clock has said that it passed.
    `reply_state`: that of an answer which needs a person if there is one, else that of the last answer.
    """

    id: int
    number: int
    status: Status
    platform: str
    source: str
    priority: str
    cycle: int
    version: int
    page_title: str | None
    topic_id: int | None
    topic_code: str | None
    topic_name: str | None
    agency_id: int
    agency_code: str
    agency_name: str
    territory_id: int
    territory_code: str
    territory_name: str
    operator_id: int | None
    operator_name: str | None
    author_name: str | None
    snippet: str
    comments: int
    written_at: datetime
    opened_at: datetime
    touched_at: datetime
    due_at: datetime | None
    near_at: datetime | None
    breached: bool
    reply_state: ReplyState | None

    @property
    def in_trouble(self) -> bool:
        """Whether an answer asks for a person."""
        return self.reply_state in NEEDS_A_PERSON


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuePage:
    """Rows in order, and where the next page begins, if there is one."""

    rows: tuple[QueueRow, ...]
    next: Cursor | None


async def queue(
    session: ReadSession, access: Access, *, filters: QueueFilters, now: datetime, after: Cursor | None = None, limit: int = 25
) -> QueuePage:
    """A page of appeals: those that wait by their deadline (without one last), any other selection the newest first.

    ForbiddenError without the permission, InvalidError `cursor` or `limit`.
    """
    access.require(Permission.APPEAL_READ)
    await plan_once(session)
    statement, params = queue_statement(access, filters=filters, now=now, after=after, limit=limit)
    found = [_row(row) for row in await session.execute(statement, params)]
    if len(found) <= limit:
        return QueuePage(rows=tuple(found), next=None)
    last = found[limit - 1]
    cursor = Cursor(by_deadline=filters.by_deadline, id=last.id, due_at=last.due_at if filters.by_deadline else None)
    return QueuePage(rows=tuple(found[:limit]), next=cursor)


def _row(row: Any) -> QueueRow:  # noqa: ANN401 - a typed row
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    near_at, reply_state = values.pop("near_at"), values.pop("reply_state")
    return QueueRow(
        **values | {"status": Status(values["status"])},
        near_at=None if near_at is None else datetime.fromisoformat(near_at),
        reply_state=None if reply_state is None else ReplyState(reply_state),
    )


# --- the statement ---------------------------------------------------------------------------------------------

_COLUMNS = (
    "a.id, a.number, a.status, a.platform, a.source, a.priority, a.cycle, a.version, a.page_id, a.topic_id, a.agency_id, a.territory_id, "
    "a.operator_id, a.author_id, a.written_at, a.opened_at, a.touched_at, a.due_at"
)

# What belongs to the citizen or to another table's policies comes from the view `queue_line`, within the reach (decision 0018).
_DRESSED = """
SELECT a.id, a.number, a.status, a.platform, a.source, a.priority, a.cycle, a.version, g.title AS page_title,
  a.topic_id, t.code AS topic_code, t.name AS topic_name, a.agency_id, y.code AS agency_code, y.name AS agency_name,
  a.territory_id, z.code AS territory_code, z.name AS territory_name, a.operator_id, o.name AS operator_name,
  l.author_name, l.snippet, l.comments, a.written_at, a.opened_at, a.touched_at, a.due_at, l.near_at, l.breached, l.reply_state
FROM picked a
JOIN queue_line l ON l.appeal_id = a.id
JOIN agency y ON y.id = a.agency_id
JOIN territory z ON z.id = a.territory_id
LEFT JOIN page g ON g.id = a.page_id
LEFT JOIN topic t ON t.id = a.topic_id
LEFT JOIN operator o ON o.id = a.operator_id
"""

# Those without a deadline come last. Without a sorting above the two, the second is not even begun when the first is enough;
# ordered by the empty `due_at` too, it follows the same index.
_BY_DEADLINE = """
(SELECT {columns} FROM appeal a WHERE {condition} AND {dated} ORDER BY a.due_at, a.id LIMIT {most})
UNION ALL
(SELECT {columns} FROM appeal a WHERE {condition} AND a.due_at IS NULL AND {undated} ORDER BY a.due_at, a.id LIMIT {most})
LIMIT {most}
"""
_NEWEST = "SELECT {columns} FROM appeal a WHERE {condition} AND {older} ORDER BY a.id DESC LIMIT {most}"
_EACH_AGENCY = "SELECT a.* FROM unnest(CAST(:each_agency AS bigint[])) AS e(id) CROSS JOIN LATERAL ({inner}) a"


def queue_statement(
    access: Access, *, filters: QueueFilters, now: datetime, after: Cursor | None, limit: int
) -> tuple[TextClause, dict[str, Any]]:
    """The statement of a page and its parameters: one row more than `limit`, so that the end is known."""
    most = checked_limit(limit) + 1
    after = checked_cursor(after, by_deadline=filters.by_deadline)
    condition, params = conditions(access, filters, now)
    each = _agencies_to_probe(access, filters)
    if each is not None:
        # The reach and the filter are asked of the agency that is probed: asked of each appeal, they would compete for the index.
        condition = [part.replace("a.agency_id", "e.id") for part in condition]
        condition.append("a.agency_id = e.id")
        params["each_agency"] = each
    if filters.words:
        params |= {"words": filters.words, "number": number_in_search(filters.words)}
    key, key_params = _after(after, by_deadline=filters.by_deadline)
    return _statement(tuple(condition), key, filters.by_deadline, each is not None, bool(filters.words), most), params | key_params


@lru_cache(maxsize=512)
def _statement(condition: tuple[str, ...], key: tuple[str, str], by_deadline: bool, each: bool, searched: bool, most: int) -> TextClause:  # noqa: FBT001 - the key of a cache
    inner = (_BY_DEADLINE if by_deadline else _NEWEST).format(
        columns=_COLUMNS, condition=" AND ".join(condition), dated=key[0], undated=key[1], older=key[0], most=most
    )
    order = "a.due_at, a.id" if by_deadline else "a.id DESC"
    picked = f"SELECT a.* FROM ({_EACH_AGENCY.format(inner=inner)}) a ORDER BY {order} LIMIT {most}" if each else inner  # noqa: S608 - constants
    hits = HITS if searched else ""
    statement = f"WITH {hits} picked AS ({picked}) {_DRESSED} ORDER BY {order}"
    return text(statement)


def _after(after: Cursor | None, *, by_deadline: bool) -> tuple[tuple[str, str], dict[str, Any]]:
    """The conditions (dated rows or all, undated rows) that begin behind the cursor."""
    if after is None:
        return ("a.due_at IS NOT NULL" if by_deadline else "true", "true"), {}
    if not by_deadline:
        return ("a.id < :after_id", "true"), {"after_id": after.id}
    if after.due_at is None:
        return ("false", "a.id > :after_id"), {"after_id": after.id}
    return ("(a.due_at, a.id) > (:after_due, :after_id)", "true"), {"after_due": after.due_at, "after_id": after.id}


def _agencies_to_probe(access: Access, filters: QueueFilters) -> list[int] | None:
    """The agencies whose own index gives the page, if that is the way."""
    if filters.mine or filters.trouble or filters.words:
        return None
    by_agency_only = not access.whole and not access.territory_ids
    if filters.agency_ids is not None:
        wanted = set(filters.agency_ids) & set(access.agency_ids) if by_agency_only else set(filters.agency_ids)
    elif by_agency_only:
        wanted = set(access.agency_ids)
    else:
        return None
    return sorted(wanted) if len(wanted) <= _MOST_PROBES else None


def conditions(access: Access, filters: QueueFilters, now: datetime) -> tuple[list[str], dict[str, Any]]:
    """What the appeal `a` must be: within the person's reach and as the filters ask. Statuses are literals, for the partial indexes."""
    visible, params = visible_to(access)
    parts = [visible, _in_statuses(filters.asked_statuses)]
    if filters.mine:
        parts.append("a.operator_id = :me")
        params["me"] = access.operator_id
    if filters.overdue:
        parts.append("a.due_at <= :now")
        params["now"] = now
    if filters.trouble:
        parts.append(f"a.id IN ({TROUBLED})")
    if filters.words:
        parts.append(FOUND)
    for column, wanted in (
        ("agency_id", filters.agency_ids),
        ("platform", filters.platforms),
        ("topic_id", filters.topic_ids),
        ("territory_id", filters.territory_ids),
    ):
        if wanted is not None:
            parts.append(f"a.{column} = ANY (:in_{column})")
            params[f"in_{column}"] = list(wanted)
    return parts, params


def _in_statuses(statuses: frozenset[Status]) -> str:
    if statuses == frozenset(Status):
        return "true"
    asked = f"a.status IN ({', '.join(sorted(repr(status.value) for status in statuses))})"
    waiting = f"a.status IN ({', '.join(sorted(repr(status.value) for status in WAITING))})"
    return f"{asked} AND {waiting}" if statuses < WAITING else asked
