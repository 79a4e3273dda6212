"""Makes figures of what `rolled.py` reads: sums up the trees, takes percentiles from sketches. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from app.reports.models import MARKS, PROMISES
from app.reports.queries import Clock
from app.reports.sketch import NOTHING, Sketch, received

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

SHARES = (0.5, 0.9, 0.99)
_TIMES = ("n", "s", "wn", "ws")
"""How many times there are, and their sum; likewise in working time."""


@cache
def _names(clock: Clock) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sums of the appeal, and sums of the clock."""
    fates = ("opened", "dismissed", "reopened", "repeated", *(MARKS if clock is Clock.FIRST else ()))
    promised = ("population", "met", "late", "unpromised", "unanswered") if clock.value in PROMISES else ()
    return fates, (*promised, *_TIMES)


def sums_of(clock: Clock) -> tuple[str, ...]:
    """The sums that the figures of a clock are made of, as cells name them."""
    fates, times = _names(clock)
    return (*fates, *(f"{clock.value}_{what}" for what in times))


@dataclass(slots=True)
class Pile:
    """Sums of one key: `numbers` as `sums_of` names them, those that wait, the distributions by the calendar and in working time."""

    numbers: Sequence[int] = ()
    waiting: int = 0
    overdue: int = 0
    oldest: datetime | None = None
    calendar: Sketch = NOTHING
    working: Sketch = NOTHING


def piles_of(rows: Iterable[Sequence[Any]]) -> dict[Any, Pile]:
    """Rows of the statement by key, each with its distributions; the total of a flat grouping under None."""
    found: dict[Any, Pile] = {}
    shapes = []
    for part, key, numbers, waiting, overdue, oldest, calendar, working in rows:
        if part == "shape":
            shapes.append((key, calendar, working))
        else:
            found[key] = Pile(numbers, waiting or 0, overdue or 0, oldest, received(calendar), received(working))
    for key, calendar, working in shapes:
        if key in found:
            pile = found[key]
            pile.calendar += received(calendar)
            pile.working += received(working)
    return found


def summed(piles: Iterable[Pile]) -> Pile:
    """All together."""
    every = list(piles)
    return Pile(
        numbers=[sum(counts) for counts in zip(*(one.numbers for one in every if one.numbers), strict=True)],
        waiting=sum(one.waiting for one in every),
        overdue=sum(one.overdue for one in every),
        oldest=min((one.oldest for one in every if one.oldest is not None), default=None),
        calendar=Sketch(sum(one.calendar.found for one in every)),
        working=Sketch(sum(one.working.found for one in every)),
    )


def up_the_tree(piles: Mapping[int | None, Pile], parents: Mapping[int, int | None]) -> dict[int | None, Pile]:
    """Each node with all below it. A node above nobody keeps its own pile."""
    below: dict[int, list[Pile]] = {}
    for key, pile in piles.items():
        node, seen = key, {key}
        while node is not None and (node := parents.get(node)) is not None and node not in seen:
            seen.add(node)
            below.setdefault(node, []).append(pile)
    return dict(piles) | {node: summed([piles[node], *found] if node in piles else found) for node, found in below.items()}


def figures_of(pile: Pile, *, clock: Clock, dismissed: bool, ages_at: datetime) -> dict[str, Any]:
    """The attributes of Figures."""
    fates, times = _names(clock)
    numbers = pile.numbers or (0,) * (len(fates) + len(times))
    count, seconds, working_count, working_seconds = numbers[-4:]
    median, p90, p99 = pile.calendar.percentiles(count, SHARES)
    working_median, working_p90, working_p99 = pile.working.percentiles(working_count, SHARES)
    values: dict[str, Any] = {
        "average_s": seconds / count if count else None,
        "median_s": median,
        "p90_s": p90,
        "p99_s": p99,
        "working_average_s": working_seconds / working_count if working_count else None,
        "working_median_s": working_median,
        "working_p90_s": working_p90,
        "working_p99_s": working_p99,
    }
    if len(times) > len(_TIMES):
        population, met, late, unpromised, unanswered = numbers[len(fates) : -len(_TIMES)]
        values["opened"] = population
        values["answered"] = met + late + unpromised
        values["in_time"] = met
        values["late"] = late
        values["unpromised"] = unpromised
        values["closed_unanswered"] = unanswered
        values["waiting"] = pile.waiting
        values["overdue"] = pile.overdue
        values["oldest_unanswered_age_s"] = None if pile.oldest is None else max((ages_at - pile.oldest).total_seconds(), 0.0)
    else:
        values["opened"] = values["answered"] = values["unpromised"] = count
    _, dismissed_ones, *rest = numbers[: len(fates)]
    if clock is Clock.FIRST:
        values.update(zip(("reopened", "repeated", *MARKS), rest, strict=True))
    if dismissed:
        values["dismissed"] = dismissed_ones
    return values
