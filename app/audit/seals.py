"""The worker's seals: what the trail holds is chained from time to time, never row by row, which would serialise everybody.

Entries are taken in the order of (transaction, id) and only below the oldest transaction that still runs: a lower id that is
not visible yet is never passed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.audit.rules import GENESIS, Entry, Link, forge
from app.kernel.locks import Lock

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import WriteSession

MOST_ENTRIES = 2_000
# Of several workers one seals.
_LOCK = Lock.SEALS.value

ENTRY_COLUMNS = "e.id, e.operator_id, e.act, e.subject, e.subject_id, CAST(e.data AS text) AS data, e.recorded_at"

_LAST = text(
    "SELECT number, hash, CAST(upto_xid AS text) AS xid, upto_id, floor_id, top_id, "
    "upto_xid >= pg_snapshot_xmax(pg_current_snapshot()) AS counted_anew FROM audit_seal ORDER BY number DESC LIMIT 1"
)
_NEXT = text(
    f"""
    SELECT {ENTRY_COLUMNS}, CAST(e.xid AS text) AS xid FROM audit_entry e
    WHERE (e.xid, e.id) > (CAST(CAST(:xid AS text) AS xid8), :id) AND e.id > :floor
      AND (e.xid < pg_snapshot_xmin(pg_current_snapshot()) OR e.xid >= pg_snapshot_xmax(pg_current_snapshot()))
    ORDER BY e.xid, e.id LIMIT :most
    """  # noqa: S608 - a constant
)
_SEAL = text(
    """
    INSERT INTO audit_seal (number, previous, hash, upto_xid, upto_id, floor_id, top_id, ids, digests, first_at, last_at, sealed_at)
    VALUES (:number, :previous, :hash, CAST(CAST(:xid AS text) AS xid8), :id, :floor, :top, :ids, :digests, :first, :last, :now)
    """
)


async def seal_next(session: WriteSession, *, now: datetime, most: int = MOST_ENTRIES) -> Link | None:
    """Chain the next entries, if there are any and no other worker is at it."""
    if not await session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}):
        return None
    last = (await session.execute(_LAST)).one_or_none()
    rows, floor = await _unsealed(session, last, most)
    if not rows:
        return None
    link = forge(
        number=1 if last is None else last.number + 1,
        previous=GENESIS if last is None else last.hash,
        entries=[entry_of(row) for row in rows],
        sealed_at=now,
    )
    moments = [row.recorded_at for row in rows]
    await session.execute(
        _SEAL,
        {
            "number": link.number, "previous": link.previous, "hash": link.hash, "xid": rows[-1].xid, "id": rows[-1].id, "floor": floor,
            "top": max(*link.ids, 0 if last is None else last.top_id), "ids": list(link.ids), "digests": link.digests,
            "first": min(moments), "last": max(moments), "now": now,
        },
    )  # fmt: skip
    return link


async def _unsealed(session: WriteSession, last: Any, most: int) -> tuple[list[Any], int]:  # noqa: ANN401 - a row
    """The next rows, and the id below which everything belongs to a former count of transactions.

    A dump that was restored into another cluster holds transactions that have not been counted there yet: those rows are
    complete. When they are sealed, the new count begins, above all ids that there were.
    """
    if last is None:
        return await _rows(session, xid="0", at=0, floor=0, most=most), 0
    rows = await _rows(session, xid=last.xid, at=last.upto_id, floor=last.floor_id, most=most)
    if rows or not last.counted_anew:
        return rows, last.floor_id
    return await _rows(session, xid="0", at=0, floor=last.top_id, most=most), last.top_id


async def _rows(session: WriteSession, *, xid: str, at: int, floor: int, most: int) -> list[Any]:
    return list((await session.execute(_NEXT, {"xid": xid, "id": at, "floor": floor, "most": most})).all())


def entry_of(row: Any) -> Entry:  # noqa: ANN401 - a row of ENTRY_COLUMNS
    """The entry of a row."""
    return Entry(
        id=row.id,
        operator_id=row.operator_id,
        act=row.act,
        subject=row.subject,
        subject_id=row.subject_id,
        data=json.loads(row.data),
        recorded_at=row.recorded_at,
    )
