"""What the hours of a week are worth: how much of a week's posts or comments each gets. Pure: numbers in, numbers out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HOUR = 3_600.0
WEEK = 168
"""Hours of a week, beginning on Monday at midnight."""
LEAST = 0.1
"""However quiet an hour is: a page may do tonight what it never did."""


def factors(told: Sequence[float], even: float) -> tuple[float, ...]:
    """Of what was told of each hour of a week, its factor, 1 on average; `even` is what an even week weighs in each of them.

    An hour is also told by the same hour of the other days: a week of little traffic knows its days before its weekdays.
    """
    mean = sum(told) / WEEK
    if not mean:
        return (1.0,) * WEEK
    by_day = [sum(told[hour::24]) / (7 * mean) for hour in range(24)]
    days = [(by_day[hour] * mean * 7 + even) / (7 * mean + even) for hour in range(24)]
    raw = [max((told[hour] + even * days[hour % 24]) / (mean + even), LEAST) for hour in range(WEEK)]
    whole = sum(raw) / WEEK
    return tuple(one / whole for one in raw)
