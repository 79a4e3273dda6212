"""The rules of who is told outside, as rows: read by the worker, edited by administrators. A rule ends; it is never changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from app.audit import service as audit
from app.kernel.errors import InvalidError, NotFoundError
from app.notices.rules import TOLD_ROLES, Carrier, Rule
from app.people.rules import Permission, Role

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession
    from app.people.rules import Access

LONGEST_AFTER = timedelta(days=60)
MOST_RULES = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class RuleRow:
    """A rule that holds. `place`: its agency's or territory's name, "" for everywhere; `ours`: the asker may end it."""

    id: int
    rule: Rule
    place: str = ""
    ours: bool = False


_LIST = text("SELECT * FROM notice_rule WHERE ended_at IS NULL ORDER BY share, after_seconds, role, id")
_LIST_FOR = text(
    """
    SELECT r.*, coalesce(a.name, y.name, '') AS place, otklik_may_grant(r.agency_id, r.territory_id) AS ours
    FROM notice_rule r LEFT JOIN agency a ON a.id = r.agency_id LEFT JOIN territory y ON y.id = r.territory_id
    WHERE r.ended_at IS NULL
    ORDER BY r.agency_id IS NOT NULL, r.territory_id IS NOT NULL, place, r.share, r.after_seconds, r.role, r.id
    """
)


async def list_rules(session: ReadSession) -> list[RuleRow]:
    """Those that hold: warnings first, then the deadline and what comes after it."""
    return [RuleRow(id=row.id, rule=_rule(row)) for row in await session.execute(_LIST)]


async def rules_for(session: ReadSession) -> list[RuleRow]:
    """The same for an administrator's screen, everywhere's own first, with the name of each place."""
    rows = await session.execute(_LIST_FOR)
    return [RuleRow(id=row.id, rule=_rule(row), place=row.place, ours=row.ours) for row in rows]


def _rule(row: Any) -> Rule:  # noqa: ANN401 - a typed row
    return Rule(
        role=Role(row.role),
        carriers=frozenset(map(Carrier, row.carriers)),
        share=row.share,
        after=None if row.after_seconds is None else timedelta(seconds=row.after_seconds),
        agency_id=row.agency_id,
        territory_id=row.territory_id,
    )


def checked(rule: Rule) -> Rule:
    """The rule itself. InvalidError that names the field."""
    if rule.role not in TOLD_ROLES:
        raise InvalidError("notice_rule.role", "Choose who is to be told.", field="role")
    if not rule.carriers:
        raise InvalidError("notice_rule.carriers", "Choose at least one carrier.", field="carriers")
    good_share = rule.share is not None and rule.after is None and 1 <= rule.share <= 99  # noqa: PLR2004 - percents before the deadline
    good_after = rule.after is not None and rule.share is None and timedelta(0) <= rule.after <= LONGEST_AFTER
    if not (good_share or good_after):
        raise InvalidError(
            "notice_rule.moment", "A share is from 1 to 99 percent, the time after a deadline up to 60 days.", field="amount"
        )
    return rule


async def add_rule(session: WriteSession, access: Access, rule: Rule, *, now: datetime) -> int:
    """It holds from now on, for warnings and deadlines to come. InvalidError, also when there are too many.

    The asker's scope holds the rule's place: the caller has seen to it, and the database refuses any other.
    """
    access.require(Permission.CONFIGURE)
    checked(rule)
    place = (rule.agency_id, rule.territory_id)
    if sum((one.rule.agency_id, one.rule.territory_id) == place for one in await list_rules(session)) >= MOST_RULES:
        raise InvalidError("notice_rule.many", "There are enough rules: end one first.", field="role")
    row = await session.execute(
        text(
            "INSERT INTO notice_rule (role, share, after_seconds, carriers, created_at, agency_id, territory_id) "
            "VALUES (:role, :share, :after, CAST(:carriers AS jsonb), :now, :agency, :territory) RETURNING id"
        ),
        {
            "role": rule.role.value, "share": rule.share, "after": None if rule.after is None else int(rule.after.total_seconds()),
            "carriers": orjson.dumps(sorted(rule.carriers)).decode(), "now": now,
            "agency": rule.agency_id, "territory": rule.territory_id,
        },
    )  # fmt: skip
    rule_id = int(row.scalar_one())
    await audit.record(session, operator_id=access.operator_id, act="added", subject="notice_rule", subject_id=rule_id, data=_told(rule))
    return rule_id


async def end_rule(session: WriteSession, access: Access, rule_id: int, *, now: datetime) -> None:
    """Nobody is told by it any more. NotFoundError when it does not hold, or holds beyond their scope."""
    access.require(Permission.CONFIGURE)
    row = await session.execute(
        text("UPDATE notice_rule SET ended_at = :now WHERE id = :id AND ended_at IS NULL RETURNING id"), {"id": rule_id, "now": now}
    )
    if row.scalar_one_or_none() is None:
        raise NotFoundError("notice_rule.unknown", "There is no such rule.")
    await audit.record(session, operator_id=access.operator_id, act="ended", subject="notice_rule", subject_id=rule_id)


def _told(rule: Rule) -> dict[str, Any]:
    when = {"share": rule.share} if rule.after is None else {"after_seconds": int(rule.after.total_seconds())}
    place = {"agency": rule.agency_id, "territory": rule.territory_id}
    given = {name: value for name, value in place.items() if value is not None}
    return {"role": rule.role.value, "carriers": sorted(rule.carriers), **when, **given}
