"""Reads the chain again: does the trail still say what was sealed? Bounded in memory whatever the trail's length."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.audit.rules import Check, Entry, Link
from app.audit.seals import ENTRY_COLUMNS, entry_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from app.kernel.db import ReadSession

_LINKS_AT_ONCE = 20
_IDS_AT_ONCE = 10_000

LINK_COLUMNS = "s.number, s.previous, s.hash, s.ids, s.digests, s.sealed_at, s.dropped_at"
_LINKS = text(f"SELECT {LINK_COLUMNS} FROM audit_seal s WHERE s.number > :after AND s.number <= :upto ORDER BY s.number LIMIT :most")  # noqa: S608
_ENTRIES = text(f"SELECT {ENTRY_COLUMNS} FROM audit_entry e WHERE e.id = ANY (CAST(:ids AS bigint[]))")  # noqa: S608 - constants
_LAST = "SELECT upto_xid, upto_id, floor_id, top_id FROM audit_seal ORDER BY number DESC LIMIT 1"
# Where a seal has been, nothing may come any more: rows that commit late have a later transaction.
_PASSED = "e.id <= last.top_id AND (e.id <= last.floor_id OR (e.xid, e.id) <= (last.upto_xid, last.upto_id))"
_COUNT_PASSED = text(f"SELECT count(*) FROM audit_entry e, ({_LAST}) last WHERE {_PASSED}")  # noqa: S608 - constants
_IDS_PASSED = text(
    f"SELECT e.id FROM audit_entry e, ({_LAST}) last WHERE {_PASSED} AND e.id > :after ORDER BY e.id LIMIT :most"  # noqa: S608
)
_UNSEALED = text(
    f"SELECT {ENTRY_COLUMNS} FROM audit_entry e LEFT JOIN ({_LAST}) last ON true "  # noqa: S608 - constants
    f"WHERE (last.top_id IS NULL OR NOT ({_PASSED})) AND e.id > :after ORDER BY e.id LIMIT :most"
)
_GIVEN = text("SELECT last_value, is_called, (SELECT coalesce(max(id), 0) FROM audit_entry) AS top FROM audit_entry_id_seq")


async def verify(session: ReadSession) -> Check:
    """Walk the whole chain."""
    check, sealed = Check(whole=True), array("q")
    async for link in links(session):
        entries = {} if link.dropped else await entries_of(session, link.ids)
        if len(entries) < len(link.ids) and not link.dropped:
            link = await _anew(session, link)  # noqa: PLW2901 - its term may have passed while we read
        check.add(link, entries)
        if not link.dropped:
            sealed.extend(link.ids)
    if (await session.execute(_COUNT_PASSED)).scalar_one() > check.entries:
        await _find_added(session, check, sealed)
    async for entry in unsealed(session):
        check.loose(entry)
    given = (await session.execute(_GIVEN)).one()
    check.holes = max(given.last_value - given.top, 0) if given.is_called else 0
    check.finish()
    return check


async def links(session: ReadSession, *, after: int = 0, upto: int = 2**62) -> AsyncIterator[Link]:
    """The seals in their order."""
    while True:
        found = [link_of(row) for row in (await session.execute(_LINKS, {"after": after, "upto": upto, "most": _LINKS_AT_ONCE})).all()]
        for link in found:
            yield link
        if len(found) < _LINKS_AT_ONCE:
            return
        after = found[-1].number


async def entries_of(session: ReadSession, ids: Sequence[int]) -> dict[int, Entry]:
    """Those of these entries that are there."""
    return {row.id: entry_of(row) for row in (await session.execute(_ENTRIES, {"ids": list(ids)})).all()}


async def unsealed(session: ReadSession) -> AsyncIterator[Entry]:
    """Entries that no seal holds yet, in the order of their numbers."""
    after = 0
    while True:
        rows = (await session.execute(_UNSEALED, {"after": after, "most": _IDS_AT_ONCE})).all()
        for row in rows:
            yield entry_of(row)
        if len(rows) < _IDS_AT_ONCE:
            return
        after = rows[-1].id


async def _anew(session: ReadSession, link: Link) -> Link:
    async for again in links(session, after=link.number - 1, upto=link.number):
        return again
    return link


async def _find_added(session: ReadSession, check: Check, sealed: array[int]) -> None:
    """Which entries stand where a seal has been, and are not in it."""
    known, after = sorted(sealed), 0
    while True:
        found = (await session.execute(_IDS_PASSED, {"after": after, "most": _IDS_AT_ONCE})).scalars().all()
        for number in found:
            place = bisect_left(known, number)
            if place == len(known) or known[place] != number:
                check.added(number)
        if len(found) < _IDS_AT_ONCE or check.full:
            return
        after = found[-1]


def link_of(row: Any) -> Link:  # noqa: ANN401 - a row of LINK_COLUMNS
    """The seal of a row."""
    return Link(
        number=row.number,
        previous=bytes(row.previous),
        ids=tuple(row.ids),
        digests=bytes(row.digests),
        sealed_at=row.sealed_at,
        hash=bytes(row.hash),
        dropped=row.dropped_at is not None,
    )
