"""How long answers took: how many lie between which times, and which norms hold. The same lines as every figure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.errors import InvalidError
from app.reports.ground import ground_of
from app.reports.lines import PROMISE_OF
from app.reports.queries import COUNTED, facts_sql
from app.reports.rules import Slice
from app.reports.service import rolled_piles
from app.reports.sketch import MIDDLES, Sketch
from app.reports.summing import summed
from app.sla.policy import PolicyError, promises_from_json

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import TextClause

    from app.kernel.db import ReadSession
    from app.reports.measures import Definition
    from app.reports.queries import Clock, Sight, Source
    from app.reports.rules import Period
    from app.reports.service import Asked

MINUTE, HOUR, DAY = 60, 3_600, 86_400
LADDER = (
    MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, DAY, 2 * DAY, 3 * DAY, 5 * DAY, 7 * DAY,
    14 * DAY, 30 * DAY,
)  # fmt: skip
"""Where times are cut, in seconds: as people name them. Norms are cuts of their own, so none lies within a bin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bin:
    """Answers that took longer than `over_s` and at most `upto_s` seconds; None is the beginning, or however long.

    answered = in_time + late + unpromised; the parts are None where only the number is known (`approximate`).
    """

    over_s: int | None
    upto_s: int | None
    answered: int = 0
    in_time: int | None = 0
    late: int | None = 0
    unpromised: int | None = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """The bins in order, without gaps, empty ones at both ends left out. `norms`: the terms that held, in seconds of the same time."""

    definition: Definition
    period: Period
    working: bool
    as_of: datetime | None
    ages_at: datetime
    bins: tuple[Bin, ...]
    norms: tuple[int, ...]
    approximate: bool = False
    """Bins were read from sketches: answers within 2 % of a cut may stand on its other side."""

    @property
    def answered(self) -> int:
        """All of them."""
        return sum(one.answered for one in self.bins)


_STATEMENT = """
SELECT width_bucket({spent}, CAST(:cuts AS integer[])) AS place, count(*) AS answered,
  count(*) FILTER (WHERE {in_time}) AS in_time, count(*) FILTER (WHERE {late}) AS late, count(*) FILTER (WHERE {unpromised}) AS unpromised
FROM ({facts}) f WHERE {answered} AND {spent} IS NOT NULL GROUP BY 1
"""
_NORMS = text(
    """
    SELECT promises FROM sla_policy_version
    WHERE valid_from < :until AND (valid_until IS NULL OR valid_until > :since)
    """
)


async def distribution(session: ReadSession, asked: Asked, *, working: bool | None = False) -> Distribution:
    """How long the answers of this measure took, by working time or the calendar; None: by that in which its norm is given.

    InvalidError `report.no_times` of a measure that times nothing so; `report.as_of`.
    """
    held = await _norms(session, asked)
    if working is None:
        working = not held[False] and bool(held[True]) and asked.measure.has("working_average_s")
    if not asked.measure.has("working_average_s" if working else "average_s"):
        raise InvalidError("report.no_times", "This measure times nothing.", field="measure")
    norms = tuple(sorted(held[working]))
    cuts = tuple(sorted({*LADDER, *norms}))
    ground = await ground_of(session, asked, None, whole=True)
    if ground.rolled:
        parts = [Slice(asked.period.start, asked.period.end)]
        pile = summed((await rolled_piles(session, asked, ground, parts)).values())
        bins = _of_sketch(pile.working if working else pile.calendar, cuts)
    else:
        statement = _distribution_sql(asked.filtered, sight=asked.sight, source=ground.source, clock=asked.measure.clocked, working=working)
        params = asked.params() | {"cuts": [cut + 1 for cut in cuts]}  # whole seconds: at most a cut is less than one more
        found = await session.execute(statement, {name: params[name] for name in statement.compile().params})
        bins = _cut(cuts)
        for row in found:
            low, high = bins[row.place].over_s, bins[row.place].upto_s
            bins[row.place] = Bin(
                over_s=low, upto_s=high, answered=row.answered, in_time=row.in_time, late=row.late, unpromised=row.unpromised
            )
    return Distribution(
        definition=asked.measure, period=asked.period, working=working, as_of=asked.as_of, ages_at=asked.ages_at, bins=_filled(bins, norms),
        norms=norms, approximate=ground.rolled,
    )  # fmt: skip


@cache
def _distribution_sql(filtered: frozenset[str], *, sight: Sight, source: Source, clock: Clock, working: bool) -> TextClause:
    facts = facts_sql(filtered, clock=clock, sight=sight, source=source, dismissed=False)
    return text(_STATEMENT.format(facts=facts, spent="f.working_seconds" if working else "f.elapsed_seconds", **COUNTED))


def _cut(cuts: tuple[int, ...]) -> list[Bin]:
    return [Bin(over_s=low, upto_s=high) for low, high in zip((None, *cuts), (*cuts, None), strict=True)]


def _of_sketch(found: Sketch, cuts: tuple[int, ...]) -> list[Bin]:
    numbers = [0] * (len(cuts) + 1)
    for middle, count in zip(MIDDLES, reversed(found.lanes()), strict=False):
        numbers[bisect_left(cuts, middle)] += count
    return [
        Bin(over_s=one.over_s, upto_s=one.upto_s, answered=number, in_time=None, late=None, unpromised=None)
        for one, number in zip(_cut(cuts), numbers, strict=True)
    ]


def _filled(bins: list[Bin], norms: tuple[int, ...]) -> tuple[Bin, ...]:
    """Without the empty ends; as far as the norm, so that it can be marked. Nothing when nobody answered."""
    full = [place for place, one in enumerate(bins) if one.answered]
    if not full:
        return ()
    marked = [place for place, one in enumerate(bins) if norms and one.upto_s == norms[0]]
    return tuple(bins[min(full + marked) : max(full + marked) + 1])


async def _norms(session: ReadSession, asked: Asked) -> dict[bool, set[int]]:
    """The terms of this promise that held in the period, in seconds: those of working time (True), and those of the calendar."""
    found: dict[bool, set[int]] = {True: set(), False: set()}
    promise = PROMISE_OF.get(asked.measure.clocked.value)
    if promise is None:
        return found
    for row in await session.execute(_NORMS, {"since": asked.period.since, "until": asked.period.until}):
        try:
            term = promises_from_json(row.promises).get(promise)
        except PolicyError:  # logged where promises are loaded
            continue
        if term is not None and not (term.working and term.days):  # working days are as long as the calendar makes them
            found[term.working].add(term.seconds or term.days * DAY)
    return found
