"""What every appeal was at every moment comes out of its history alone, and no clock outlives what it was for."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.appeals import history
from app.appeals.past import Past, Told, rebuilt
from app.appeals.rules import TRANSITIONS, Act, Status, possible
from app.kernel.db import utc_now_of
from app.privacy.keeping import erase_asked
from app.privacy.subjects import ask_to_erase
from tests.app.reports.office import Office

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from app.kernel.db import Database

# Clocks and pauses that go on although nothing is waited for, or that are not of the present cycle.
OUTLIVED = text(
    """
    SELECT 'clock' AS what, a.id, a.status FROM sla_timer t JOIN appeal a ON a.id = t.appeal_id
    WHERE t.stopped_at IS NULL AND (a.status NOT IN ('new', 'in_work') OR t.cycle <> a.cycle)
    UNION ALL SELECT 'pause', a.id, a.status FROM sla_pause p JOIN appeal a ON a.id = p.appeal_id
    WHERE p.until IS NULL AND a.status NOT IN ('new', 'in_work')
    UNION ALL SELECT 'deadline', a.id, a.status FROM appeal a WHERE a.due_at IS NOT NULL AND a.status NOT IN ('new', 'in_work')
    """
)
STORED = "id, status, cycle, agency_id, territory_id, topic_id, operator_id, close_reason, merged_into"
SEED = 9
"""With which few rounds bring about each of them."""
CHANGING = {Act.FOLLOWED, Act.TOPIC_SET} | {act for act, table in TRANSITIONS.items() if any(was is not now for was, now in table.items())}
# In an order in which each can happen to some appeal.
ROUND = (
    Act.INTERIM_SENT, Act.TAKEN, Act.TOPIC_SET, Act.MERGED, Act.MERGED, Act.ROUTED, Act.ROUTED, Act.ROUTED, Act.ROUTED, Act.UNMERGED,
    Act.PAUSED, Act.EXTENDED, Act.RESUMED, Act.INTERIM_SENT, Act.POLICY_APPLIED, Act.REPLY_QUEUED, Act.REPLY_QUEUED, Act.REPLY_QUEUED,
    Act.REPLY_APPROVED, Act.REPLY_APPROVED, Act.REPLY_REMOVED, Act.ANSWERED_BY_HAND, Act.RATED, Act.REOPENED, Act.CLOSED,
    Act.DISMISSED,
)  # fmt: skip


async def told(db: Database) -> dict[int, list[Told]]:
    """The history of each appeal."""
    async with db.read() as session:
        rows = await session.execute(text("SELECT appeal_id, act, cycle, operator_id, recorded_at, data FROM appeal_event ORDER BY id"))
        found: dict[int, list[Told]] = defaultdict(list)
        for row in rows:
            one = Told(act=Act(row.act), cycle=row.cycle, operator_id=row.operator_id, recorded_at=row.recorded_at, data=row.data)
            found[row.appeal_id].append(one)
        return found


class Looks(list[tuple["datetime", "Mapping[int, Past]"]]):
    """What was stored, at each moment at which somebody looked."""

    async def look(self, db: Database) -> None:
        async with db.read() as session:
            assert (await session.execute(OUTLIVED)).all() == []
            rows = await session.execute(text(f"SELECT {STORED} FROM appeal"))  # noqa: S608 - a constant
            stored = {row.id: Past(**{name: value for name, value in row._mapping.items() if name != "id"}) for row in rows}
            self.append((await utc_now_of(session), stored))


async def say_the_rest(db: Database) -> None:
    """Each act that the walk did not bring about, on an appeal to which it can happen: none of them changes what is stored."""
    known = {one.act for events in (await told(db)).values() for one in events}
    async with db.write() as session:
        rows = (await session.execute(text("SELECT id, status, cycle FROM appeal ORDER BY id"))).all()
        now = await utc_now_of(session)
        for act in sorted(set(Act) - known):
            row = next(one for one in rows if act in possible(Status(one.status)))
            await history.record(session, [history.Event(appeal_id=row.id, act=act, cycle=row.cycle, operator_id=None, occurred_at=now)])


async def erase_everybody(db: Database) -> None:
    """The citizens' words and names go; nothing of the history does."""
    async with db.write() as session:
        now = await utc_now_of(session)
        for author_id in (await session.scalars(text("SELECT id FROM author ORDER BY id"))).all():
            await ask_to_erase(session, None, author_id=author_id, reason="Просьба гражданина", now=now)
    more, last = True, 0
    while more:
        async with db.write() as session:
            last, more = await erase_asked(session, now=now, after=last)


@pytest.mark.timeout(60)
async def test_every_appeal_at_every_moment(owner_db: Database) -> None:
    office, looks = Office(owner_db, random.Random(SEED)), Looks()
    await office.open(8)
    await looks.look(owner_db)
    seen: set[Act] = set()
    while not seen >= CHANGING and len(looks) < 4 * len(ROUND):
        for _ in range(3):
            await office.write()
        for act in (*ROUND, None, None, None):
            await office.step(act)
            await looks.look(owner_db)
        seen = {one.act for events in (await told(owner_db)).values() for one in events}
    assert seen >= CHANGING, CHANGING - seen
    for deed in (say_the_rest, erase_everybody):
        await deed(owner_db)
        await looks.look(owner_db)
    histories = await told(owner_db)
    assert {one.act for events in histories.values() for one in events} == set(Act)
    for moment, stored in looks:
        again = {ident: past for ident, events in histories.items() if (past := rebuilt(events, at=moment)) is not None}
        assert again == stored, f"as of {moment}"
    assert len({frozenset(stored.items()) for _, stored in looks}) > len(ROUND) // 2
