"""Makes figures of what `rolled.py` reads: sums up the trees, takes percentiles from sketches. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from app.reports.models import MARKS, PROMISES
from app.reports.queries import Clock
from app.reports.sketch import percentiles, received

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

SHARES = (0.5, 0.9, 0.99)


@cache
def _names(clock: Clock) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sums of the appeal, and sums of the clock."""
    fates = ("opened", "dismissed", "reopened", "repeated", *(MARKS if clock is Clock.FIRST else ()))
    promised = ("population", "met", "late", "unpromised", "unanswered") if clock.value in PROMISES else ()
    return fates, (*promised, "n", "s", "wn", "ws")


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
    calendar: int = 0
    working: int = 0


def piles_of(rows: Sequence[Any]) -> dict[Any, Pile]:
    """Rows of the statement by key, each with its distributions; the total of a flat grouping under None."""
    found = {
        row.key: Pile(row.numbers, row.waiting or 0, row.overdue or 0, row.oldest, received(row.calendar), received(row.working))
        for row in rows
        if row.part != "shape"
    }
    for row in rows:
        if row.part == "shape" and row.key in found:
            pile = found[row.key]
            pile.calendar += received(row.calendar)
            pile.working += received(row.working)
    return found


def summed(piles: Iterable[Pile]) -> Pile:
    """All together."""
    every = list(piles)
    return Pile(
        numbers=[sum(counts) for counts in zip(*(one.numbers for one in every if one.numbers), strict=True)],
        waiting=sum(one.waiting for one in every),
        overdue=sum(one.overdue for one in every),
        oldest=min((one.oldest for one in every if one.oldest is not None), default=None),
        calendar=sum(one.calendar for one in every),
        working=sum(one.working for one in every),
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
    of = dict(zip((*fates, *times), pile.numbers, strict=True)) if pile.numbers else dict.fromkeys((*fates, *times), 0)
    values: dict[str, Any] = {
        "average_s": of["s"] / of["n"] if of["n"] else None,
        "working_average_s": of["ws"] / of["wn"] if of["wn"] else None,
    }
    values["median_s"], values["p90_s"], values["p99_s"] = percentiles(pile.calendar, of["n"], SHARES)
    values["working_median_s"], values["working_p90_s"], values["working_p99_s"] = percentiles(pile.working, of["wn"], SHARES)
    if clock.value in PROMISES:
        values |= {
            "opened": of["population"],
            "answered": of["met"] + of["late"] + of["unpromised"],
            "in_time": of["met"],
            "late": of["late"],
            "unpromised": of["unpromised"],
            "closed_unanswered": of["unanswered"],
            "waiting": pile.waiting,
            "overdue": pile.overdue,
            "oldest_unanswered_age_s": None if pile.oldest is None else max((ages_at - pile.oldest).total_seconds(), 0.0),
        }
    else:
        values |= {"opened": of["n"], "answered": of["n"], "unpromised": of["n"]}
    if clock is Clock.FIRST:
        values |= {name: of[name] for name in ("reopened", "repeated", *MARKS)}
    if dismissed:
        values["dismissed"] = of["dismissed"]
    return values
