"""From notices to letters: who is to be told (deliveries), and what goes out together. Each step is one transaction of its own.

Every notice for a person and an address is one row by a unique key; it goes into exactly one letter, or is void when what it
told of was settled before it went out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.kernel.db import Bulk
from app.notices.digest import Storm, gather
from app.notices.hours import Hours
from app.notices.rulebook import list_rules
from app.notices.rules import BREACHES, Carrier, Happening, Kind, Listener, Plan, plan
from app.people.rules import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from app.directory.service import Directory
    from app.kernel.db import WriteSession

AT_ONCE = 500
ADDRESSES_AT_ONCE = 50

# Whether what a notice (n) tells is so: its timer (t) runs, its comment (c) waits.
TRUE_NOW = """
n.settled_at IS NULL AND (n.timer_id IS NULL OR t.stopped_at IS NULL AND t.id IS NOT NULL)
AND (n.comment_id IS NULL OR c.fate = 'in_triage')
"""
# A clock that stands still raises nothing to anybody: what was passed before it stood still is told, and waits then.
_DUE = text(
    f"""
    SELECT n.id, n.kind, n.share, n.occurred_at AS at, n.stage, coalesce(a.agency_id, n.agency_id) AS agency_id,
      coalesce(a.territory_id, n.territory_id) AS territory_id, a.operator_id AS holder
    FROM notice n LEFT JOIN appeal a ON a.id = n.appeal_id LEFT JOIN sla_timer t ON t.id = n.timer_id
    LEFT JOIN comment c ON c.id = n.comment_id WHERE n.stage_at <= :now AND {TRUE_NOW}
      AND (n.stage < 0 OR NOT EXISTS (SELECT FROM sla_pause p WHERE p.appeal_id = n.appeal_id AND p.until IS NULL))
    ORDER BY n.stage_at LIMIT :most FOR UPDATE OF n SKIP LOCKED
    """  # noqa: S608 - constants
)
_LISTENERS = text(
    """
    SELECT c.operator_id, r.role, c.id AS address_id, c.carrier, r.agency_id, r.territory_id
    FROM notice_address c JOIN operator o ON o.id = c.operator_id JOIN operator_role r ON r.operator_id = o.id
    WHERE c.proved_at IS NOT NULL AND c.ended_at IS NULL AND o.deactivated_at IS NULL AND NOT o.is_service AND r.until IS NULL
      AND r.role = ANY (:roles) AND c.carrier = ANY (:carriers)
      AND (r.agency_id IS NULL AND r.territory_id IS NULL OR r.agency_id = ANY (:agencies) OR r.territory_id = ANY (:territories))
    """
)
_ADD = Bulk(
    """
    INSERT INTO notice_delivery (notice_id, stage, operator_id, address_id, due_at, created_at)
    SELECT r.*, CAST(:now AS timestamptz), CAST(:now AS timestamptz) FROM {rows} ON CONFLICT DO NOTHING
    """,
    notice_id="bigint", stage="integer", operator_id="bigint", address_id="bigint",
)  # fmt: skip
_SEEN_TO = Bulk(
    """
    UPDATE notice n SET stage = r.stage, stage_at = r.stage_at, escalated_to = coalesce(r.escalated_to, n.escalated_to)
    FROM {rows} WHERE n.id = r.id
    """,
    id="bigint", stage="integer", stage_at="timestamptz", escalated_to="text",
)  # fmt: skip


async def plan_due(session: WriteSession, directory: Directory, *, carriers: Iterable[Carrier], now: datetime, limit: int = AT_ONCE) -> int:
    """Write down who is to be told of what, as the rules say; how many notices were looked at. Channels are those that can be used."""
    rows = list(await session.execute(_DUE, {"now": now, "most": limit}))
    if not rows:
        return 0
    rules = [row.rule for row in await list_rules(session)]
    happened = [_happening(row, directory) for row in rows]
    found = await session.execute(
        _LISTENERS,
        {
            "roles": sorted({rule.role.value for rule in rules}), "carriers": [carrier.value for carrier in carriers],
            "agencies": sorted({one for what in happened for one in what.agencies}),
            "territories": sorted({one for what in happened for one in what.territories}),
        },
    )  # fmt: skip
    listeners = [
        Listener(
            operator_id=row.operator_id, role=Role(row.role), address_id=row.address_id, carrier=Carrier(row.carrier),
            agency_id=row.agency_id, territory_id=row.territory_id,
        )
        for row in found
    ]  # fmt: skip
    plans = [(what.id, plan(what, rules, listeners, now=now)) for what in happened]
    told = sorted((one.notice_id, _seconds(one.stage), one.operator_id, one.address_id) for _, each in plans for one in each.told)
    await _ADD.run(session, told, now=now)
    await _SEEN_TO.run(session, [_seen_to(notice_id, each) for notice_id, each in plans])
    return len(rows)


def _happening(row: Any, directory: Directory) -> Happening:  # noqa: ANN401 - a typed row
    return Happening(
        id=row.id, kind=Kind(row.kind), share=row.share, at=row.at, agencies=directory.agency_lineage(row.agency_id),
        territories=directory.territory_lineage(row.territory_id), holder=row.holder,
        told_upto=None if row.stage < 0 else timedelta(seconds=row.stage),
    )  # fmt: skip


def _seen_to(notice_id: int, found: Plan) -> tuple[int, int, datetime | None, str | None]:
    return notice_id, _seconds(found.upto), found.again_at, None if found.escalated_to is None else found.escalated_to.value


def _seconds(stage: timedelta | None) -> int:
    return -1 if stage is None else int(stage.total_seconds())


# --- what goes out together -------------------------------------------------------------------------------------

_ADDRESSES = text(
    """
    SELECT c.id, c.carrier, c.operator_id, c.proved_at IS NOT NULL AND c.ended_at IS NULL AND o.deactivated_at IS NULL AS listens,
      h.days, h.opens, h.closes, h.timezone, h.breach_any_time
    FROM notice_address c JOIN operator o ON o.id = c.operator_id LEFT JOIN notice_hours h ON h.operator_id = c.operator_id
    WHERE c.id IN (
      SELECT d.address_id FROM notice_delivery d WHERE d.letter_id IS NULL AND d.void_at IS NULL AND d.due_at <= :now
      GROUP BY d.address_id ORDER BY min(d.due_at) LIMIT :most)
    ORDER BY c.id FOR NO KEY UPDATE OF c SKIP LOCKED
    """
)
# A stage that waited until the next one was reached is not told besides it: "has passed" and "still no answer" at once are one letter.
_PENDING = text(
    f"""
    SELECT d.id, n.kind, {TRUE_NOW} AND NOT EXISTS (
        SELECT FROM notice_delivery later WHERE later.notice_id = d.notice_id AND later.address_id = d.address_id AND later.stage > d.stage
      ) AS holds FROM notice_delivery d JOIN notice n ON n.id = d.notice_id
    LEFT JOIN sla_timer t ON t.id = n.timer_id LEFT JOIN comment c ON c.id = n.comment_id
    WHERE d.address_id = :carrier AND d.letter_id IS NULL AND d.void_at IS NULL AND d.due_at <= :now ORDER BY d.id
    """  # noqa: S608 - constants
)
_LATELY = text(
    "SELECT kind, created_at FROM notice_letter WHERE address_id = :carrier AND created_at > :since AND kind IN ('single', 'digest')"
)
_VOID = text("UPDATE notice_delivery SET void_at = :now WHERE id = ANY (CAST(:ids AS bigint[]))")
_WAIT = text("UPDATE notice_delivery SET due_at = :until WHERE id = ANY (CAST(:ids AS bigint[]))")
_PUT = text(
    """
    WITH letter AS (
      INSERT INTO notice_letter (operator_id, address_id, carrier, kind, due_at, created_at)
      VALUES (:operator, :address_id, :carrier, :kind, :now, :now) RETURNING id)
    UPDATE notice_delivery d SET letter_id = letter.id FROM letter WHERE d.id = ANY (CAST(:ids AS bigint[]))
    """
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathering:
    """How many addresses were looked at, how many letters came of it."""

    addresses: int
    letters: int


async def gather_due(session: WriteSession, *, storm: Storm, now: datetime, limit: int = ADDRESSES_AT_ONCE) -> Gathering:
    """Make letters of what is due: one by one, or a digest. What came outside somebody's hours waits until they open."""
    addresses = list(await session.execute(_ADDRESSES, {"now": now, "most": limit}))
    made = 0
    for address in addresses:
        pending = list(await session.execute(_PENDING, {"carrier": address.id, "now": now}))
        void = [row.id for row in pending if not (row.holds and address.listens)]
        if void:
            await session.execute(_VOID, {"ids": void, "now": now})
        ready = await _within_hours(session, address, [row for row in pending if row.holds and address.listens], now)
        made += await _make(session, address, ready, storm=storm, now=now)
    return Gathering(addresses=len(addresses), letters=made)


async def _within_hours(session: WriteSession, address: Any, pending: Sequence[Any], now: datetime) -> list[int]:  # noqa: ANN401 - a typed row
    if address.days is None:
        return [row.id for row in pending]
    hours = Hours(
        days=frozenset(address.days), opens=address.opens, closes=address.closes, timezone=address.timezone,
        breach_any_time=address.breach_any_time,
    )  # fmt: skip
    opens = hours.next_open(now)
    if opens <= now:
        return [row.id for row in pending]
    urgent = [row.id for row in pending if hours.breach_any_time and Kind(row.kind) in BREACHES]
    await session.execute(_WAIT, {"ids": [row.id for row in pending if row.id not in set(urgent)], "until": opens})
    return urgent


async def _make(session: WriteSession, address: Any, ready: Sequence[int], *, storm: Storm, now: datetime) -> int:  # noqa: ANN401 - likewise
    if not ready:
        return 0
    lately = list(await session.execute(_LATELY, {"carrier": address.id, "since": now - storm.window}))
    found = gather(
        ready,
        singles_at=[row.created_at for row in lately if row.kind == "single"],
        digest_at=max((row.created_at for row in lately if row.kind == "digest"), default=None),
        storm=storm,
        now=now,
    )
    if found.waiting:
        await session.execute(_WAIT, {"ids": list(found.waiting), "until": found.again_at})
    put = [("single", [one]) for one in found.singles] + ([("digest", list(found.digest))] if found.digest else [])
    for kind, ids in put:
        await session.execute(
            _PUT,
            {"operator": address.operator_id, "address_id": address.id, "carrier": address.carrier, "kind": kind, "ids": ids, "now": now},
        )
    return len(put)
