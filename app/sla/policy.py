"""Which promise holds for a matter, why, and by when it must be kept.

The order of specificity is total. Two policies that both fit are compared condition by condition, in this order:
priority, topic, agency, territory, platform. At the first difference the one that names the condition wins over the
one that leaves it open, and of two named topics, agencies or territories the nearer to the matter (the deeper in its
tree). Priority comes first because it is said of this very appeal, by a person. Policies that do not differ are
ordered by code, so that the choice never depends on the order in which they are given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import repeat

from app.sla.calendar import (
    WorkingCalendar,
    add_days,
    add_days_to_all,
    add_working_days,
    advance,
    advance_all,
    in_utc,
    measure,
    parts_of_all,
)
from app.sla.rules import Promise

CONDITIONS = ("priority", "topic", "agency", "territory", "platform")
"""What a policy may ask for, the weightiest first."""

WARN_SHARES = (0.5, 0.8)
MOST_WARNINGS = 5
_MAX_SECONDS = 10 * 366 * 86_400
_MAX_DAYS = 3_660


class PolicyError(ValueError):
    """A policy's definition that cannot be read; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Term:
    """How long a promise gives: an amount of time, or whole days that end with the last of them.

    `working` counts by the calendar, else by plain time. `after_interim`: it counts from the moment at which an interim
    answer was published, and promises nothing before. ValueError unless exactly one of seconds and days is given.
    """

    seconds: int = 0
    working: bool = False
    days: int = 0
    after_interim: bool = False

    def __post_init__(self) -> None:
        if not (0 <= self.seconds <= _MAX_SECONDS and 0 <= self.days <= _MAX_DAYS):
            raise ValueError("a term is between a second and ten years")
        if bool(self.seconds) == bool(self.days):
            raise ValueError("a term has either seconds or days")


def check_shares(shares: Sequence[float]) -> None:
    """ValueError unless each warning stands between the start and the deadline, once, the earlier one first."""
    if len(shares) > MOST_WARNINGS or not all(0 < share < 1 for share in shares) or list(shares) != sorted(set(shares)):
        raise ValueError(f"at most {MOST_WARNINGS} warnings, each between the start and the deadline (0 < share < 1), in their order")


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One immutable version of a policy; a condition left empty asks for nothing.

    A promise given as None is no promise, and hides less specific policies; one not mentioned is left to them.
    """

    id: int
    code: str
    version: int
    promises: Mapping[Promise, Term | None] = field(hash=False)
    topic_id: int | None = None
    agency_id: int | None = None
    territory_id: int | None = None
    platform: str | None = None
    priority: str | None = None
    warn_shares: tuple[float, ...] = WARN_SHARES

    def __post_init__(self) -> None:
        check_shares(self.warn_shares)


@dataclass(frozen=True, slots=True)
class Matter:
    """What a promise is chosen for; lineages run from the node itself up to the root."""

    topics: Sequence[int] = ()
    agencies: Sequence[int] = ()
    territories: Sequence[int] = ()
    platform: str | None = None
    priority: str | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of an explanation: a code to be put into words by the screen, and its parameters."""

    code: str
    params: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Choice:
    """The policy and term that hold, if any, and why."""

    policy: PolicyVersion | None
    term: Term | None
    explanation: tuple[Reason, ...]

    def to_json(self) -> dict[str, object]:
        """Return the choice for a jsonb column."""
        return {
            "policy": None if self.policy is None else self.policy.code,
            "version": None if self.policy is None else self.policy.version,
            "reasons": [{"code": reason.code, **reason.params} for reason in self.explanation],
        }


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a promise must be kept, and when to warn before; all in UTC."""

    started_at: datetime
    due_at: datetime
    warn_ats: tuple[datetime, ...]


def choose(policies: Iterable[PolicyVersion], matter: Matter, promise: Promise) -> Choice:
    """Return the most specific policy that fits the matter and speaks of the promise.

    Of several versions of one code only the newest counts. Reasons: `chosen` with the conditions that it names, then
    for each other policy that fits `less_specific` with the condition that decided; or `no_policy` alone.
    """
    fitting: list[tuple[tuple[int, ...], PolicyVersion]] = []
    for policy in _newest(policies):
        rank = _rank(policy, matter)
        if rank is not None and promise in policy.promises:
            fitting.append((rank, policy))
    if not fitting:
        return Choice(None, None, (Reason("no_policy", {"promise": promise.value}),))
    fitting.sort(key=lambda item: (tuple(-step for step in item[0]), item[1].code))
    best_rank, best = fitting[0]
    term = best.promises[promise]
    named = ",".join(name for name, step in zip(CONDITIONS, best_rank, strict=True) if step)
    code = "chosen" if term is not None else "no_promise"
    reasons = [Reason(code, {"policy": best.code, "version": best.version, "conditions": named})]
    for rank, policy in fitting[1:]:
        decided = next((name for name, mine, other in zip(CONDITIONS, best_rank, rank, strict=True) if mine != other), "code")
        reasons.append(Reason("less_specific", {"policy": policy.code, "version": policy.version, "by": decided}))
    return Choice(best, term, tuple(reasons))


def deadline(term: Term, calendar: WorkingCalendar, started_at: datetime, warn_shares: Sequence[float] = WARN_SHARES) -> Deadline:
    """Return when the term runs out and when its shares have passed, each on the term's own clock.

    The calendar of a term in plain days says in which zone a day ends. ValueError on a naive moment, CalendarError
    when the calendar has not so much working time.
    """
    clock, start = clock_of(term, calendar), in_utc(started_at)
    if term.days:
        due_at = (add_working_days if term.working else add_days)(calendar, start, term.days)
        whole = measure(clock, start, due_at)
    else:
        whole = timedelta(seconds=term.seconds)
        due_at = advance(clock, start, whole)
    return Deadline(start, due_at, tuple(advance(clock, start, whole * share) for share in sorted(warn_shares)))


def deadlines(
    term: Term, calendar: WorkingCalendar, starts: Iterable[datetime], warn_shares: Sequence[float] = WARN_SHARES
) -> list[Deadline]:
    """Return `deadline` of each start; CalendarError when any of them is out of reach."""
    clock, shares = clock_of(term, calendar), sorted(warn_shares)
    begun = advance_all(None, starts, timedelta(0))
    if term.days:
        ends = add_days_to_all(calendar, begun, term.days, working=term.working)
        parts = parts_of_all(clock, list(zip(begun, ends, strict=True)), shares)
        return [Deadline(*one) for one in zip(begun, ends, parts, strict=True)]
    whole = timedelta(seconds=term.seconds)
    due, *warned = (advance_all(clock, begun, one) for one in (whole, *(whole * share for share in shares)))
    warnings = zip(*warned, strict=True) if warned else repeat(())
    return [Deadline(*one) for one in zip(begun, due, warnings, strict=False)]


def clock_of(term: Term, calendar: WorkingCalendar) -> WorkingCalendar | None:
    """Return what the term's pauses and shares are measured by: the calendar, or None for plain time."""
    return calendar if term.working else None


def promises_to_json(promises: Mapping[Promise, Term | None]) -> dict[str, object]:
    """Return {"first_answer": {"seconds": 86400, "working": false}, "triage": null, …} for a jsonb column."""
    written: dict[str, object] = {}
    for promise, term in promises.items():
        if term is None:
            written[promise.value] = None
        else:
            amount = {"days": term.days} if term.days else {"seconds": term.seconds}
            since = {"after": Promise.INTERIM_ANSWER.value} if term.after_interim else {}
            written[promise.value] = {**amount, "working": term.working, **since}
    return written


def promises_from_json(value: object) -> dict[Promise, Term | None]:
    """Read what promises_to_json wrote; PolicyError says what is wrong and where."""
    if not isinstance(value, dict):
        raise PolicyError("promises: an object is needed")
    promises: dict[Promise, Term | None] = {}
    for key, given in value.items():
        try:
            promise = Promise(key)
            promises[promise] = None if given is None else _term_from_json(given, promise)
        except ValueError as error:
            raise PolicyError(f"promises.{str(key)[:40]}: {error}") from None
    return promises


def shares_from_json(value: object) -> tuple[float, ...]:
    """The shares of a term at which to warn: [0.5, 0.8]; PolicyError says what is wrong."""
    if not isinstance(value, list) or not all(type(share) in {int, float} for share in value):
        raise PolicyError("warn_shares: a list of numbers is needed")
    try:
        check_shares(value)
    except ValueError as error:
        raise PolicyError(f"warn_shares: {error}") from None
    return tuple(map(float, value))


def _term_from_json(given: object, promise: Promise) -> Term:
    if not isinstance(given, dict) or not set(given) <= {"seconds", "days", "working", "after"}:
        raise PolicyError('expected {"seconds": …, "working": …} or {"days": …, "working": …}')
    if given.get("after", Promise.INTERIM_ANSWER) != Promise.INTERIM_ANSWER:
        raise PolicyError('after: only "interim_answer" can stand there')
    if "after" in given and promise is not Promise.FINAL_ANSWER:
        raise PolicyError("only a final answer may count from an interim one")
    seconds, days, working = given.get("seconds", 0), given.get("days", 0), given.get("working")
    if type(seconds) is not int or type(days) is not int or type(working) is not bool:  # true is an int too
        raise PolicyError("seconds and days are whole numbers, working is true or false")
    return Term(seconds=seconds, working=working, days=days, after_interim="after" in given)


def _newest(policies: Iterable[PolicyVersion]) -> list[PolicyVersion]:
    newest: dict[str, PolicyVersion] = {}
    for policy in policies:
        known = newest.get(policy.code)
        if known is None or policy.version > known.version:
            newest[policy.code] = policy
    return list(newest.values())


def _rank(policy: PolicyVersion, matter: Matter) -> tuple[int, ...] | None:
    """Return how near each condition is to the matter (0: left open), or None when one does not fit."""
    steps = (
        _named(policy.priority, matter.priority),
        _nearness(policy.topic_id, matter.topics),
        _nearness(policy.agency_id, matter.agencies),
        _nearness(policy.territory_id, matter.territories),
        _named(policy.platform, matter.platform),
    )
    rank: list[int] = []
    for step in steps:
        if step is None:
            return None
        rank.append(step)
    return tuple(rank)


def _named(wanted: str | None, given: str | None) -> int | None:
    if wanted is None:
        return 0
    return 1 if wanted == given else None


def _nearness(wanted: int | None, lineage: Sequence[int]) -> int | None:
    if wanted is None:
        return 0
    return len(lineage) - lineage.index(wanted) if wanted in lineage else None
