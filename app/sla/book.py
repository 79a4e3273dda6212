"""The policies and calendars in force, as one value: asked thousands of times a second without a database. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

import orjson

from app.kernel.log import logger
from app.sla.calendar import CalendarError, WorkingCalendar, from_json, round_the_clock
from app.sla.policy import Deadline, Matter, PolicyVersion, Term, choose, deadline, deadlines, promises_to_json
from app.sla.rules import Pause, Promise, effective_due

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

OPENING_PROMISES = (Promise.FIRST_ANSWER, Promise.INTERIM_ANSWER, Promise.FINAL_ANSWER)
"""The clocks that start with an appeal, as far as a policy promises them; a final answer may have to wait for an interim one."""

_MatterKey = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], str | None, str | None]
_Scope = tuple[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedTimer:
    """A deadline to be stored: `choice` explains the policy, `term` is its inner JSON form, `warnings` ascend.

    `calendar_version_id` is None when no calendar was usable: then working time means plain time.
    """

    promise: Promise
    policy_version_id: int
    calendar_version_id: int | None
    choice: Mapping[str, object]
    term: Mapping[str, object]
    started_at: datetime
    due_at: datetime
    warnings: tuple[datetime, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TriageDue:
    """By when a comment must be looked at. `warn_at` is the next moment to be told of: the warning, or `due_at` itself."""

    due_at: datetime
    warn_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class DatedPolicy:
    """A policy version and the moments [valid_from, valid_until) at which it holds."""

    policy: PolicyVersion
    valid_from: datetime
    valid_until: datetime | None

    def holds(self, at: datetime) -> bool:
        """Whether it is in force at a moment."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


@dataclass(frozen=True, kw_only=True, slots=True)
class DatedCalendar:
    """A calendar version of a territory, or of an agency there, as stored; `definition` is JSON, read when needed."""

    id: int
    version: int
    territory_id: int
    agency_id: int | None
    valid_from: datetime
    definition: str

    def read(self) -> WorkingCalendar:
        """The calendar. CalendarError when the definition is wrong."""
        return read_calendar(self.definition, self.id, self.version)


@dataclass(frozen=True, slots=True)
class _Chosen:
    policy: PolicyVersion
    term: Term
    choice_json: Mapping[str, object]
    term_json: Mapping[str, object]


class _Asked(NamedTuple):
    number: int
    chosen: _Chosen
    matter: Matter
    started_at: datetime
    at: datetime


@lru_cache(maxsize=256)
def read_calendar(definition: str, row_id: int, version: int) -> WorkingCalendar:
    """The calendar of a stored definition. Kept by content, so that its sums over years are built once a process."""
    return from_json(orjson.loads(definition), id=str(row_id), version=version)


def term_to_json(promise: Promise, term: Term) -> Mapping[str, object]:
    """The form of a term in `sla_timer.term`."""
    return cast("Mapping[str, object]", promises_to_json({promise: term})[promise.value])


class Book:
    """Policies and calendars by the moment from which they hold. Immutable but for what it remembers of its answers.

    Which version counts is decided by the moment at which a clock starts, never by the moment of planning. A matter
    older than every calendar of its scopes takes the first calendar of the nearest one.
    """

    def __init__(
        self,
        *,
        policies: Iterable[DatedPolicy],
        calendars: Iterable[DatedCalendar],
        timezone: str,
        zones: Mapping[int, str] | None = None,
    ) -> None:
        """Where a day ends when there is no calendar at all: by `zones` in the nearest territory that has its own, else by `timezone`."""
        self._policies = tuple(policies)
        self._all = {one.id: one for one in calendars}
        self._timezone = timezone
        ends = {one.valid_until for one in self._policies if one.valid_until is not None}
        self._turns = sorted({one.valid_from for one in self._policies} | ends)
        self._calendars: dict[_Scope, list[DatedCalendar]] = {}
        for one in sorted(self._all.values(), key=lambda one: (one.valid_from, one.version)):
            scope = ("territory", one.territory_id) if one.agency_id is None else ("agency", one.agency_id)
            self._calendars.setdefault(scope, []).append(one)
        self._zones = dict(zones or {})
        self._plain = {zone: round_the_clock(zone) for zone in {timezone, *self._zones.values()}}
        self._choices: dict[tuple[int, _MatterKey, Promise], _Chosen | None] = {}
        self._scopes: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[list[DatedCalendar], ...]] = {}
        self._unusable: set[int] = set()

    def plan(
        self,
        matter: Matter,
        started_at: datetime,
        *,
        promises: Sequence[Promise] = OPENING_PROMISES,
        in_force_at: datetime | None = None,
    ) -> list[PlannedTimer]:
        """The deadlines of a matter: one for each of `promises` that a policy makes. A naive moment raises TypeError or ValueError.

        `in_force_at` another moment: policies and hours that somebody decided to apply to a clock that runs already.
        """
        at = in_force_at or started_at
        chosen = ((promise, self._choose(matter, promise, at)) for promise in promises)
        planned = (self._plan(promise, one, matter, started_at, at) for promise, one in chosen if one and not one.term.after_interim)
        return [one for one in planned if one is not None]

    def plan_all(
        self,
        asked: Sequence[tuple[Matter, datetime]],
        *,
        promises: Sequence[Promise] = OPENING_PROMISES,
        in_force_at: datetime | None = None,
    ) -> list[list[PlannedTimer]]:
        """`plan` of many matters: what falls under one policy and one calendar is counted in one go."""
        planned: list[list[PlannedTimer]] = [[] for _ in asked]
        for promise in promises:
            groups: dict[tuple[int, int | None], list[_Asked]] = {}
            for number, (matter, started_at) in enumerate(asked):
                at = in_force_at or started_at
                chosen = self._choose(matter, promise, at)
                if chosen is not None and not chosen.term.after_interim:
                    stored = next(iter(self._nearest(matter, at)), None)
                    key = chosen.policy.id, None if stored is None else stored.id
                    groups.setdefault(key, []).append(_Asked(number, chosen, matter, started_at, at))
            for (_, calendar_id), group in groups.items():
                for one, timer in zip(group, self._plan_alike(promise, group, calendar_id), strict=True):
                    planned[one.number] += [] if timer is None else [timer]
        return planned

    def _plan_alike(self, promise: Promise, group: Sequence[_Asked], calendar_id: int | None) -> list[PlannedTimer | None]:
        """Of one policy, with the same nearest calendar: together, or one by one when it does not do for all of them."""
        policy, term, calendar = group[0].chosen.policy, group[0].chosen.term, self.calendar(calendar_id)
        if calendar is not None:
            try:
                dated = deadlines(term, calendar, [one.started_at for one in group], policy.warn_shares)
            except CalendarError:
                pass
            else:
                return [_timer(promise, one.chosen, calendar_id, found) for one, found in zip(group, dated, strict=True)]
        return [self._plan(promise, one.chosen, one.matter, one.started_at, one.at) for one in group]

    def plan_final(self, matter: Matter, interim_at: datetime, *, in_force_at: datetime | None = None) -> PlannedTimer | None:
        """The clock of the final answer that an interim one of that moment starts, where a policy counts it so."""
        at = in_force_at or interim_at
        chosen = self._choose(matter, Promise.FINAL_ANSWER, at)
        return self._plan(Promise.FINAL_ANSWER, chosen, matter, interim_at, at) if chosen and chosen.term.after_interim else None

    def after_pauses(self, timer: PlannedTimer, pauses: Iterable[Pause]) -> PlannedTimer:
        """A clock that begins in the past, when the appeal has stood still since: it stood still with it."""
        over = [one for one in pauses if one.until is not None and one.until > timer.started_at]
        latest = max((one.until for one in over if one.until is not None), default=None)
        if latest is None:
            return timer
        clock = self.calendar(timer.calendar_version_id) if timer.term.get("working") else None
        try:
            due_at, *warnings = _moved((timer.due_at, *timer.warnings), timer.started_at, over, latest, clock)
        except CalendarError as error:  # out of its reach: plain time is better than a deadline that never moves
            logger.error("calendar_unusable", calendar_version=timer.calendar_version_id, error=str(error))
            due_at, *warnings = _moved((timer.due_at, *timer.warnings), timer.started_at, over, latest, None)
        return replace(timer, due_at=due_at, warnings=tuple(warnings))

    def with_policy(self, policy: DatedPolicy) -> Book:
        """The same with one policy version more."""
        return Book(policies=(*self._policies, policy), calendars=self._all.values(), timezone=self._timezone, zones=self._zones)

    def with_calendars(self, calendars: Iterable[DatedCalendar]) -> Book:
        """The same with some calendar versions more."""
        known = (*self._all.values(), *calendars)
        return Book(policies=self._policies, calendars=known, timezone=self._timezone, zones=self._zones)

    def versions(self, code: str) -> list[PolicyVersion]:
        """All versions of a policy that hold or held."""
        return [one.policy for one in self._policies if one.policy.code == code]

    def calendar(self, version_id: int | None) -> WorkingCalendar | None:
        """The calendar of a planned timer; None when there was none, or it cannot be read."""
        stored = None if version_id is None else self._all.get(version_id)
        return None if stored is None else self._read(stored)

    def promises(self, matter: Matter, promise: Promise, at: datetime) -> bool:
        """Whether a policy in force at a moment makes this promise."""
        return self._choose(matter, promise, at) is not None

    def _plan(self, promise: Promise, chosen: _Chosen, matter: Matter, started_at: datetime, at: datetime) -> PlannedTimer | None:
        found = self._deadline(chosen, matter, started_at, at)
        if found is None:
            return None
        return _timer(promise, chosen, *found)

    def triage_due(self, matter: Matter, started_at: datetime) -> TriageDue | None:
        """By when a comment must be looked at, if a policy promises that; warned of once, at the last share."""
        chosen = self._choose(matter, Promise.TRIAGE, started_at)
        found = None if chosen is None else self._deadline(chosen, matter, started_at, started_at)
        if found is None:
            return None
        dated = found[1]
        return TriageDue(due_at=dated.due_at, warn_at=max(dated.warn_ats, default=dated.due_at))

    def _choose(self, matter: Matter, promise: Promise, at: datetime) -> _Chosen | None:
        turn = bisect_right(self._turns, at)
        key = (turn, _key_of(matter), promise)
        if key not in self._choices:
            in_force = [one.policy for one in self._policies if turn and one.holds(self._turns[turn - 1])]
            choice = choose(in_force, matter, promise)
            self._choices[key] = (
                None
                if choice.policy is None or choice.term is None
                else _Chosen(choice.policy, choice.term, choice.to_json(), term_to_json(promise, choice.term))
            )
        return self._choices[key]

    def _deadline(self, chosen: _Chosen, matter: Matter, started_at: datetime, at: datetime) -> tuple[int | None, Deadline] | None:
        """The deadline by the hours in force `at` a moment, and their calendar; None when it is out of all calendars' reach."""
        shares = chosen.policy.warn_shares
        for stored in self._nearest(matter, at):
            calendar = self._read(stored)
            if calendar is not None:
                try:
                    return stored.id, deadline(chosen.term, calendar, started_at, shares)
                except CalendarError as error:  # of this moment, or of hours that never come: the next one may do
                    logger.warning("calendar_out_of_reach", calendar_version=stored.id, error=str(error))
        zone = next((self._zones[one] for one in matter.territories if one in self._zones), self._timezone)
        try:
            return None, deadline(chosen.term, self._plain[zone], started_at, shares)
        except (CalendarError, OverflowError) as error:
            logger.error("deadline_impossible", policy=chosen.policy.code, error=str(error))
            return None

    def _read(self, stored: DatedCalendar) -> WorkingCalendar | None:
        if stored.id not in self._unusable:
            try:
                return stored.read()
            except CalendarError as error:
                self._unusable.add(stored.id)
                logger.error("calendar_unusable", calendar_version=stored.id, error=str(error))
        return None

    def _nearest(self, matter: Matter, at: datetime) -> Iterable[DatedCalendar]:
        """The calendars to try: of the nearest agency that has one, … , of the nearest territory, each as it was then."""
        key = (tuple(matter.agencies), tuple(matter.territories))
        scopes = self._scopes.get(key)
        if scopes is None:
            names: list[_Scope] = [("agency", one) for one in key[0]] + [("territory", one) for one in key[1]]
            scopes = self._scopes[key] = tuple(self._calendars[name] for name in names if name in self._calendars)
        for versions in scopes:
            position = bisect_right(versions, at, key=_valid_from)
            if position:
                yield versions[position - 1]
        for versions in scopes:
            if at < versions[0].valid_from:
                yield versions[0]


def _timer(promise: Promise, chosen: _Chosen, calendar_id: int | None, dated: Deadline) -> PlannedTimer:
    return PlannedTimer(
        promise=promise,
        policy_version_id=chosen.policy.id,
        calendar_version_id=calendar_id,
        choice=chosen.choice_json,
        term=chosen.term_json,
        started_at=dated.started_at,
        due_at=dated.due_at,
        warnings=dated.warn_ats,
    )


def _moved(
    moments: Iterable[datetime], started_at: datetime, pauses: Sequence[Pause], now: datetime, clock: WorkingCalendar | None
) -> list[datetime]:
    return [effective_due(one, started_at=started_at, pauses=pauses, now=now, calendar=clock) for one in moments]


def _key_of(matter: Matter) -> _MatterKey:
    return (tuple(matter.topics), tuple(matter.agencies), tuple(matter.territories), matter.platform, matter.priority)


def _valid_from(calendar: DatedCalendar) -> datetime:
    return calendar.valid_from
