"""Makes figures of what `rolled.py` reads: sums up the trees, takes percentiles from sketches. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.reports import sketch
from app.reports.models import MARKS, PROMISES
from app.reports.queries import Clock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

SHARES = (0.5, 0.9, 0.99)


@dataclass(slots=True)
class Pile:
    """Sums of one key: numbers by column, those that wait, the distributions by the calendar and in working time."""

    numbers: dict[str, int] = field(default_factory=dict)
    waiting: int = 0
    overdue: int = 0
    oldest: datetime | None = None
    calendar: int = 0
    working: int = 0

    def add(self, other: Pile) -> None:
        """Take another's in."""
        for name, count in other.numbers.items():
            self.numbers[name] = self.numbers.get(name, 0) + count
        self.waiting += other.waiting
        self.overdue += other.overdue
        if other.oldest is not None:
            self.oldest = other.oldest if self.oldest is None else min(self.oldest, other.oldest)
        self.calendar += other.calendar
        self.working += other.working


def pile_of(row: Any) -> Pile:  # noqa: ANN401 - a typed row
    """A row of the statement."""
    return Pile(
        numbers=dict(row.numbers or {}),
        waiting=row.waiting or 0,
        overdue=row.overdue or 0,
        oldest=row.oldest,
        calendar=sketch.received(row.calendar),
        working=sketch.received(row.working),
    )


def summed(piles: Iterable[Pile]) -> Pile:
    """All together."""
    whole = Pile()
    for pile in piles:
        whole.add(pile)
    return whole


def up_the_tree(piles: Mapping[int | None, Pile], parents: Mapping[int, int | None]) -> dict[int | None, Pile]:
    """Each node with all below it. A node above nobody keeps its own pile."""
    found: dict[int | None, Pile] = dict(piles)
    owned: set[int] = set()
    for key, pile in piles.items():
        node, seen = key, {key}
        while node is not None and (node := parents.get(node)) is not None and node not in seen:
            seen.add(node)
            if node not in owned:  # never a leaf's own pile: it is still to be read
                owned.add(node)
                found[node] = summed([piles[node]] if node in piles else [])
            found[node].add(pile)
    return found


def figures_of(pile: Pile, *, clock: Clock, dismissed: bool, ages_at: datetime) -> dict[str, Any]:
    """The attributes of Figures."""
    get, name = pile.numbers.get, clock.value
    answered = (get(f"{name}_n") or 0, get(f"{name}_wn") or 0)
    values: dict[str, Any] = {}
    for prefix, number, total, shape in (
        ("", answered[0], get(f"{name}_s") or 0, pile.calendar),
        ("working_", answered[1], get(f"{name}_ws") or 0, pile.working),
    ):
        values[f"{prefix}average_s"] = total / number if number else None
        values[f"{prefix}median_s"], values[f"{prefix}p90_s"], values[f"{prefix}p99_s"] = sketch.percentiles(shape, SHARES)
    if name in PROMISES:
        values |= {
            "opened": get(f"{name}_population") or 0,
            "in_time": get(f"{name}_met") or 0,
            "late": get(f"{name}_late") or 0,
            "unpromised": get(f"{name}_unpromised") or 0,
            "closed_unanswered": get(f"{name}_unanswered") or 0,
            "waiting": pile.waiting,
            "overdue": pile.overdue,
            "oldest_unanswered_age_s": None if pile.oldest is None else max((ages_at - pile.oldest).total_seconds(), 0.0),
        }
        values["answered"] = values["in_time"] + values["late"] + values["unpromised"]
    else:
        values |= {"opened": answered[0], "answered": answered[0], "unpromised": answered[0]}
    if clock is Clock.FIRST:
        values |= {name: get(name) or 0 for name in ("reopened", "repeated", *MARKS)}
    if dismissed:
        values["dismissed"] = get("dismissed") or 0
    return values
