"""Which appeals have changed: the feed behind live screens, resumable without loss.

Events are read in the order of (transaction, id) and only below the oldest transaction that still runs: identity numbers
alone become visible out of order, and a reader that had passed them would never see them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals.access import visible_to
from app.appeals.plan import plan_once
from app.kernel.errors import InvalidError
from app.people.rules import Permission

if TYPE_CHECKING:
    from app.kernel.db import ReadSession
    from app.people.rules import Access

MOST_EVENTS = 1_000
_LARGEST_XID = 2**64 - 1
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LiveCursor:
    """The last event that was looked at."""

    xid: int
    id: int

    def __str__(self) -> str:
        """As it stands in the id of a server-sent event."""
        return f"{self.xid}.{self.id}"

    @classmethod
    def parse(cls, value: str) -> LiveCursor:
        """The cursor that `str` gave. InvalidError `cursor` for anything else."""
        match = re.fullmatch(r"([0-9]{1,20})\.([0-9]{1,19})", value)
        if match is None or int(match[1]) > _LARGEST_XID or int(match[2]) > _LARGEST_ID:
            raise InvalidError("cursor", "This is no cursor of the live feed: begin without one.", field="cursor")
        return cls(int(match[1]), int(match[2]))


_NOW = text("SELECT CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text)")

# A former agency is told of what happened while the appeal was its own: also that it has gone.
_SINCE = """
WITH edge AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin),
fresh AS (
  SELECT e.xid, e.id, e.appeal_id, e.recorded_at FROM appeal_event e
  WHERE (e.xid, e.id) > (CAST(CAST(:xid AS text) AS xid8), :id) AND e.xid < (SELECT xmin FROM edge)
  ORDER BY e.xid, e.id LIMIT {most})
SELECT CAST(edge.xmin AS text) AS xmin, seen.numbers, last.xid, last.id, last.events
FROM edge
CROSS JOIN (
  SELECT (array_agg(CAST(f.xid AS text) ORDER BY f.xid DESC, f.id DESC))[1] AS xid,
    (array_agg(f.id ORDER BY f.xid DESC, f.id DESC))[1] AS id, count(*) AS events FROM fresh f) last
CROSS JOIN (
  SELECT coalesce(array_agg(DISTINCT a.number), '{{}}') AS numbers FROM fresh f JOIN appeal a ON a.id = f.appeal_id
  WHERE {visible} OR EXISTS (
    SELECT FROM appeal_assignment h
    WHERE h.appeal_id = a.id AND h.until >= f.recorded_at AND h.agency_id = ANY (:former_agencies))) seen
"""


async def live_cursor_now(session: ReadSession) -> LiveCursor:
    """Where a screen that is read in this transaction begins to listen: it misses nothing, and may be told something twice."""
    return LiveCursor(int((await session.execute(_NOW)).scalar_one()), 0)


async def changes_since(session: ReadSession, access: Access, *, cursor: LiveCursor) -> tuple[list[int], LiveCursor]:
    """Numbers of the appeals in reach with news since the cursor, and the cursor to go on from.

    ForbiddenError without the permission.
    """
    access.require(Permission.APPEAL_READ)
    await plan_once(session)
    visible, scope = visible_to(access)
    row = (
        await session.execute(
            text(_SINCE.format(visible=visible, most=MOST_EVENTS)),
            {"xid": str(cursor.xid), "id": cursor.id, "former_agencies": list(access.agency_ids), **scope},
        )
    ).one()
    if row.events == MOST_EVENTS:
        return sorted(row.numbers), LiveCursor(int(row.xid), row.id)
    # Everything below the edge has been seen, also what belongs to others: the next look begins there.
    return sorted(row.numbers), LiveCursor(int(row.xmin), 0)
