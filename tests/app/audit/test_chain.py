"""The chain of seals on a real trail: what the owner of the database does to it is named, entry by entry."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.audit.export import export, verify_lines
from app.audit.seals import seal_next
from app.audit.service import record
from app.audit.verify import verify
from app.kernel.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.audit.rules import Check, Link
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database


async def acts(database: Database, *names: str) -> None:
    """One transaction with these acts."""
    async with database.write() as session:
        for place, name in enumerate(names):
            await record(session, operator_id=None, act=name, subject="appeal", subject_id=place, data={"to": [place, "ё", 0.5]})


async def settled(database: Database) -> None:
    """Other tests' transactions hold seals back too, since a cluster counts them together: wait until they have ended."""
    waiting = text(
        "SELECT EXISTS (SELECT FROM audit_entry, pg_current_snapshot() s WHERE xid >= pg_snapshot_xmin(s) AND xid < pg_snapshot_xmax(s))"
    )
    while True:
        async with database.read() as session:
            if not await session.scalar(waiting):
                return
        await asyncio.sleep(0.01)


async def sealed(database: Database, clock: FixedClock, *, most: int = 3, wait: bool = True) -> list[Link]:
    """Seal all that can be."""
    links: list[Link] = []
    if wait:
        await settled(database)
    while True:
        async with database.write() as session:
            link = await seal_next(session, now=clock.now(), most=most)
        if link is None:
            return links
        links.append(link)


async def verified(database: Database) -> Check:
    async with database.read() as session:
        return await verify(session)


async def as_owner(database: Database, *statements: str) -> None:
    """What only somebody with the whole database in hand can do: no trigger fires."""
    async with database.write() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in statements:
            await session.execute(text(statement))


@pytest.fixture
async def trail(owner_db: Database, worker_db: Database, clock: FixedClock) -> AsyncIterator[list[int]]:
    """Seven sealed entries in three seals, and two that no seal holds yet; their ids."""
    await acts(owner_db, "a.a", "a.b", "a.c", "a.d")
    await acts(owner_db, "a.e", "a.f", "a.g")
    assert [len(link.ids) for link in await sealed(worker_db, clock)] == [3, 3, 1]
    await acts(owner_db, "a.h", "a.i")
    async with owner_db.read() as session:
        yield list((await session.execute(text("SELECT id FROM audit_entry ORDER BY id"))).scalars())


async def test_an_untouched_trail_is_clean(owner_db: Database, trail: list[int]) -> None:
    found = await verified(owner_db)
    assert (found.faults, found.links, found.entries, found.unsealed, found.holes) == ([], 3, 7, 2, 0)
    assert len(trail) == 9


@pytest.mark.parametrize(
    ("done", "code", "entry"),
    [
        ("UPDATE audit_entry SET act = 'a.z' WHERE id = {4}", "entry_differs", 4),
        ("UPDATE audit_entry SET operator_id = 1 WHERE id = {2}", "entry_differs", 2),
        ("UPDATE audit_entry SET data = jsonb_set(data, '{{to,2}}', '0.25') WHERE id = {5}", "entry_differs", 5),
        ("UPDATE audit_entry SET recorded_at = recorded_at + interval '1 microsecond' WHERE id = {0}", "entry_differs", 0),
        ("DELETE FROM audit_entry WHERE id = {3}", "entry_missing", 3),
        ("DELETE FROM audit_entry WHERE id >= {3}", "entry_missing", 3),
        ("DELETE FROM audit_seal WHERE number = 2", "seal_missing", None),
        ("UPDATE audit_seal SET sealed_at = now() WHERE number = 2", "seal_differs", None),
        ("UPDATE audit_seal SET digests = overlay(digests placing '\\x00'::bytea from 1) WHERE number = 1", "seal_differs", None),
    ],
)
async def test_what_the_owner_changes_is_named(owner_db: Database, trail: list[int], done: str, code: str, entry: int | None) -> None:
    await as_owner(owner_db, done.format(*trail))
    first = (await verified(owner_db)).faults[0]
    assert (first.code, first.entry) == (code, None if entry is None else trail[entry])


async def test_entries_that_change_places_are_named(owner_db: Database, trail: list[int]) -> None:
    await as_owner(
        owner_db,
        f"UPDATE audit_entry SET act = CASE act WHEN 'a.b' THEN 'a.c' ELSE 'a.b' END WHERE id IN ({trail[1]}, {trail[2]})",  # noqa: S608 - ids
    )
    assert [(one.code, one.entry) for one in (await verified(owner_db)).faults] == [("entry_differs", n) for n in trail[1:3]]


async def test_an_entry_put_in_between_is_named(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    """Into a hole that a rolled back transaction left, as if it had been written then."""
    await acts(owner_db, "a.a")
    with pytest.raises(ZeroDivisionError):
        async with owner_db.write() as session:
            await record(session, operator_id=None, act="a.x", subject="appeal")
            raise ZeroDivisionError
    await acts(owner_db, "a.b")
    await sealed(worker_db, clock)
    assert (await verified(owner_db)).faults == []
    await as_owner(
        owner_db,
        "INSERT INTO audit_entry (id, xid, act, subject) OVERRIDING SYSTEM VALUE "
        "SELECT id + 1, xid, 'a.forged', subject FROM audit_entry WHERE act = 'a.a'",
    )
    faults = (await verified(owner_db)).faults
    async with owner_db.read() as session:
        forged = await session.scalar(text("SELECT id FROM audit_entry WHERE act = 'a.forged'"))
    assert [(one.code, one.entry) for one in faults] == [("entry_added", forged)]


async def test_a_tail_cut_after_the_last_seal_leaves_holes(owner_db: Database, trail: list[int]) -> None:
    await as_owner(owner_db, f"DELETE FROM audit_entry WHERE id >= {trail[7]}")  # noqa: S608 - an id
    found = await verified(owner_db)
    assert (found.faults, found.unsealed, found.holes) == ([], 0, 2)


async def test_a_tail_cut_with_its_seals_is_found_by_the_anchor(
    owner_db: Database, worker_db: Database, clock: FixedClock, trail: list[int]
) -> None:
    """Whoever rewrites the last seals too leaves a chain that fits: a hash kept elsewhere tells."""
    kept = (await sealed(worker_db, clock))[-1].hash
    assert (await _anchored(owner_db, kept)).faults == []
    await as_owner(
        owner_db,
        "DELETE FROM audit_seal WHERE number >= 3",
        f"DELETE FROM audit_entry WHERE id >= {trail[6]}",  # noqa: S608 - an id
    )
    await sealed(worker_db, clock)
    assert (await verified(owner_db)).faults == []
    assert [one.code for one in (await _anchored(owner_db, kept)).faults] == ["anchor_missing"]


async def _anchored(database: Database, kept: bytes) -> Check:
    found = await verified(database)
    found.anchor(kept)
    return found


async def test_a_lower_number_that_commits_later_is_sealed_too(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    """Numbers become visible out of order: nothing is passed over."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with owner_db.write() as session:
            await record(session, operator_id=None, act="slow.act", subject="appeal")
            begun.set()
            await go_on.wait()

    waiting = asyncio.create_task(slow())
    await begun.wait()
    await acts(owner_db, "fast.act")
    assert await sealed(worker_db, clock, wait=False) == [], "a transaction that runs may still bring a lower number"
    go_on.set()
    await waiting
    assert [len(link.ids) for link in await sealed(worker_db, clock)] == [2]
    assert (await verified(owner_db)).faults == []


async def test_several_workers_seal_one_chain(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    for _ in range(5):
        await acts(owner_db, "a.a", "a.b", "a.c")
    await asyncio.gather(*(sealed(worker_db, clock, most=2) for _ in range(4)))
    await sealed(worker_db, clock)
    found = await verified(owner_db)
    assert (found.faults, found.entries, found.unsealed) == ([], 15, 0)


async def test_after_a_restore_into_another_cluster_the_chain_goes_on(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    """A dump keeps the transactions' numbers of its own cluster; here they have not been counted yet."""
    await acts(owner_db, "old.a", "old.b")
    await sealed(worker_db, clock, most=1)
    await acts(owner_db, "old.c")
    far = "(xid::text::numeric + 4000000000)::text::xid8"
    await as_owner(owner_db, f"UPDATE audit_entry SET xid = {far}", f"UPDATE audit_seal SET upto_xid = {far.replace('xid:', 'upto_xid:')}")  # noqa: S608
    await acts(owner_db, "new.a", "new.b")
    await sealed(worker_db, clock)
    await acts(owner_db, "new.c")
    await sealed(worker_db, clock)
    found = await verified(owner_db)
    assert (found.faults, found.entries, found.unsealed) == ([], 6, 0)


# --- what is handed out ----------------------------------------------------------------------------------------------


async def lines_of(database: Database, clock: FixedClock) -> list[bytes]:
    async with database.read() as session:
        now = clock.now()
        return [line.encode() async for line in export(session, since=now - timedelta(days=9000), until=now + timedelta(days=9000))]


async def test_an_export_verifies_by_itself(owner_db: Database, clock: FixedClock, trail: list[int]) -> None:
    lines = await lines_of(owner_db, clock)
    assert len(lines) == 1 + len(trail) + 3
    found = verify_lines(lines)
    assert (found.faults, found.links, found.entries, found.unsealed) == ([], 3, 7, 2)


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [(b'"a.e"', b'"a.y"', "entry_differs"), (b'"subject_id":1', b'"subject_id":9', "entry_differs"), (b"0.5", b"0.6", "entry_differs")],
)
async def test_a_changed_export_is_named(
    owner_db: Database, clock: FixedClock, trail: list[int], before: bytes, after: bytes, code: str
) -> None:
    lines = [line.replace(before, after) for line in await lines_of(owner_db, clock)]
    first = verify_lines(lines).faults[0]
    assert first.code == code
    assert first.entry in trail


async def test_an_export_without_a_line_is_named(owner_db: Database, clock: FixedClock, trail: list[int]) -> None:
    lines = await lines_of(owner_db, clock)
    assert [(one.code, one.entry) for one in verify_lines(lines[:2] + lines[3:]).faults] == [("entry_missing", trail[1])]
    middle = next(place for place, line in enumerate(lines) if b'"seal","number":2' in line)
    assert verify_lines(lines[:middle] + lines[middle + 1 :]).faults[0].code == "seal_missing"


async def test_what_is_no_export_is_refused_with_its_line() -> None:
    for lines in ([b"{}"], [b"[1]"], [b"\xff"], [b'{"format":"otklik audit 1"}', b'{"kind":"entry","id":"x"}']):
        with pytest.raises(InvalidError, match=f"Line {len(lines)} "):
            verify_lines(lines)


# --- what ends -------------------------------------------------------------------------------------------------------


async def test_old_seals_lose_their_entries_and_the_chain_stays_whole(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    await acts(owner_db, "a.a", "a.b")
    await as_owner(owner_db, "UPDATE audit_entry SET recorded_at = recorded_at - interval '6 years'")
    await sealed(worker_db, clock)
    await acts(owner_db, "a.c")
    await sealed(worker_db, clock)
    drop = text("SELECT otklik_drop_audit(now() - interval '5 years', now())")
    async with worker_db.write() as session:
        assert [await session.scalar(drop), await session.scalar(drop)] == [2, None]
    await sealed(worker_db, clock)
    found = await verified(owner_db)
    assert (found.faults, found.entries, found.dropped) == ([], 2, 2)
    assert verify_lines(await lines_of(owner_db, clock)).faults == []


async def test_entries_of_the_last_year_are_never_dropped(owner_db: Database, worker_db: Database, clock: FixedClock) -> None:
    await acts(owner_db, "a.a")
    await sealed(worker_db, clock)
    async with worker_db.write() as session:
        assert await session.scalar(text("SELECT otklik_drop_audit(now() + interval '1 day', now())")) is None


@pytest.mark.parametrize("statement", ["UPDATE audit_seal SET hash = previous", "DELETE FROM audit_seal", "TRUNCATE audit_seal"])
async def test_seals_refuse_even_their_owner(owner_db: Database, trail: list[int], statement: str) -> None:
    assert trail
    with pytest.raises(DBAPIError, match="append-only"):
        async with owner_db.write() as session:
            await session.execute(text(statement))


async def test_a_drop_that_nobody_told_of_is_named(owner_db: Database, trail: list[int]) -> None:
    await as_owner(
        owner_db,
        "UPDATE audit_seal SET dropped_at = now() WHERE number = 1",
        f"DELETE FROM audit_entry WHERE id <= {trail[2]}",  # noqa: S608 - an id
    )
    assert [one.code for one in (await verified(owner_db)).faults] == ["drop_untold"]
