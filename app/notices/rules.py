"""What a notice says, the key under which it is given once, and who is told of it outside the screen, when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from app.people.rules import ROLE_PERMISSIONS, Permission, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Kind(StrEnum):
    """What happened to a deadline."""

    SLA_WARNING = "sla_warning"
    SLA_BREACH = "sla_breach"
    TRIAGE_WARNING = "triage_warning"
    TRIAGE_BREACH = "triage_breach"


TRIAGE_KINDS = frozenset({Kind.TRIAGE_WARNING, Kind.TRIAGE_BREACH})
BREACHES = frozenset({Kind.SLA_BREACH, Kind.TRIAGE_BREACH})


class Carrier(StrEnum):
    """How somebody is told besides the screen, which always tells."""

    EMAIL = "email"
    TELEGRAM = "telegram"
    MAX = "max"
    WEBHOOK = "webhook"


TOLD_ROLES = (Role.OPERATOR, Role.COORDINATOR, Role.SUPERVISOR)
"""Who can be told: administrators hold no appeals."""


def timer_key(kind: Kind, timer_id: int, due_at: datetime, number: int = 1) -> str:
    """The key of a timer's notice of one deadline: its warning of this number (1, 2, …), or its breach.

    A deadline that was moved - by another norm, say - is warned of, and missed, anew.
    """
    moment = int(due_at.timestamp())
    return f"warn:{timer_id}:{moment}:{number}" if kind is Kind.SLA_WARNING else f"breach:{timer_id}:{moment}"


def triage_key(kind: Kind, comment_id: int) -> str:
    """The key of a waiting comment's notice."""
    return f"triage-warn:{comment_id}" if kind is Kind.TRIAGE_WARNING else f"triage-breach:{comment_id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """Who of those in whose scope the matter lies is told: at each warning from `share` percent of the term on, or `after` the deadline.

    Exactly one of `share` and `after` is given. It holds in an agency or a territory and below, or - neither - everywhere.
    """

    role: Role
    carriers: frozenset[Carrier]
    share: int | None = None
    after: timedelta | None = None
    agency_id: int | None = None
    territory_id: int | None = None

    def distance(self, what: Happening) -> int | None:
        """How far its place is from the matter: the agency's line comes before the territory's. None: it does not hold there."""
        if self.agency_id is not None:
            return what.agencies.index(self.agency_id) if self.agency_id in what.agencies else None
        if self.territory_id is not None:
            near = self.territory_id in what.territories
            return len(what.agencies) + what.territories.index(self.territory_id) if near else None
        return len(what.agencies) + len(what.territories)

    def stage(self, kind: Kind, share: int | None) -> timedelta | None:
        """How long after a notice of this kind and share it tells; None: it does not tell of it at all.

        A notice whose share nobody knows counts for every share. Who does not decide in triage is not told of it.
        """
        if kind in TRIAGE_KINDS and Permission.TRIAGE_WORK not in ROLE_PERMISSIONS[self.role]:
            return None
        if kind in BREACHES:
            return self.after
        if self.share is None or (share is not None and share < self.share):
            return None
        return timedelta(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Happening:
    """A notice as the rules see it. Lineages run from the node up to the root; `holder` took the appeal into work."""

    id: int
    kind: Kind
    share: int | None
    at: datetime
    agencies: Sequence[int]
    territories: Sequence[int]
    holder: int | None = None
    told_upto: timedelta | None = None
    """The latest stage that was seen to already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """One role of a person and one address of theirs. Neither agency nor territory: the whole region."""

    operator_id: int
    role: Role
    address_id: int
    carrier: Carrier
    agency_id: int | None = None
    territory_id: int | None = None

    def holds(self, what: Happening) -> bool:
        """Whether the matter lies within this role's scope."""
        if self.agency_id is None and self.territory_id is None:
            return True
        return self.agency_id in what.agencies or self.territory_id in what.territories


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """Somebody is to be told by one address. `stage`: so long after the notice."""

    notice_id: int
    stage: timedelta
    operator_id: int
    address_id: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What follows from one notice now: who is told, up to which stage that is, to which role it went up, and when to look again.

    It goes up to a role only where somebody of it is told.
    """

    told: frozenset[Told]
    upto: timedelta | None
    escalated_to: Role | None
    again_at: datetime | None


def holding(rules: Iterable[Rule], what: Happening) -> list[Rule]:
    """The rules that hold for a matter: for each role those of the nearest place that has any for it, as all else is inherited."""
    held = [(distance, rule) for rule in rules if (distance := rule.distance(what)) is not None]
    nearest: dict[Role, int] = {}
    for distance, rule in held:
        nearest[rule.role] = min(distance, nearest.get(rule.role, distance))
    return [rule for distance, rule in held if distance == nearest[rule.role]]


def plan(what: Happening, rules: Iterable[Rule], listeners: Iterable[Listener], *, now: datetime) -> Plan:
    """Who is to be told of a notice by `now` and was not yet. Each stage comes once; a person is told once by each address.

    Of operators only the one who took the appeal is told, if anybody did and an address of theirs can be told by the rule.
    """
    staged = [(stage, rule) for rule in holding(rules, what) if (stage := rule.stage(what.kind, what.share)) is not None]
    fresh = [(stage, rule) for stage, rule in staged if what.told_upto is None or stage > what.told_upto]
    due = [(stage, rule) for stage, rule in fresh if what.at + stage <= now]
    near = [one for one in listeners if one.holds(what)]
    told: set[Told] = set()
    raised: list[tuple[timedelta, int]] = []
    for stage, rule in due:
        heard = [one for one in near if one.role is rule.role and one.carrier in rule.carriers]
        if rule.role is Role.OPERATOR and any(one.operator_id == what.holder for one in heard):
            heard = [one for one in heard if one.operator_id == what.holder]
        if heard and stage:
            raised.append((stage, TOLD_ROLES.index(rule.role)))
        told |= {Told(notice_id=what.id, stage=stage, operator_id=one.operator_id, address_id=one.address_id) for one in heard}
    later = [what.at + stage for stage, _ in fresh if what.at + stage > now]
    return Plan(
        told=frozenset(told),
        upto=max((stage for stage, _ in due), default=what.told_upto),
        escalated_to=TOLD_ROLES[max(raised)[1]] if raised else None,
        again_at=min(later, default=None),
    )
