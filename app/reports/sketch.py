"""Distributions of times that add up: how many lie in each bin of 2 %, packed as the database's cells keep them. Pure.

A bin's middle is within 1 % of whatever lies in it, so is every percentile read from it. Sketches are added by putting their
bytes together. Numbers may be negative meanwhile: a cell is changed by appending what came and what went, and packed again
when it has grown.
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

GROWTH = 1.02
_LOG = 0.0198026272961797
"""Its logarithm, with the digits of `otklik_bin`: both must cut at the same seconds."""
_MIDDLE = 2 * GROWTH / (1 + GROWTH)
_LOW = 0xFFFF_FFFF
_SIGN = 0x8000_0000


def bin_of(seconds: int) -> int:
    """The bin of a time in whole seconds, as `otklik_bin` counts."""
    return 0 if seconds <= 0 else 1 + math.floor(math.log(seconds) / _LOG)


def middle(number: int) -> float:
    """The time for which a bin stands."""
    return 0.0 if number <= 0 else GROWTH ** (number - 1) * _MIDDLE


def counts(packed: bytes) -> list[tuple[int, int]]:
    """Bins in order, each once, with how many lie in it; empty ones are left out."""
    sums: dict[int, int] = {}
    for pair in _pairs(packed):
        number, count = pair >> 32, pair & _LOW
        sums[number] = sums.get(number, 0) + (count - 2 * _SIGN if count & _SIGN else count)
    return sorted(pair for pair in sums.items() if pair[1])


def pack(bins: Iterable[tuple[int, int]]) -> bytes:
    """Big-endian pairs, the bin in the upper half, a signed number in the lower, one after another."""
    pairs = array("q", (number << 32 | count & _LOW for number, count in bins))
    if sys.byteorder == "little":
        pairs.byteswap()
    return pairs.tobytes()


def repacked(packed: bytes) -> bytes:
    """The same cell, each bin once and no empty one."""
    return pack(counts(packed))


def percentiles(packed: bytes, shares: tuple[float, ...]) -> tuple[float | None, ...]:
    """The times within which these shares lie, linear between neighbours as `percentile_cont` is; None of nothing.

    Pairs in the order of their bins need no adding up: sorting and running sums are done in C.
    """
    pairs = sorted(_pairs(packed))
    numbers = [pair & _LOW for pair in pairs]
    if numbers and max(numbers) & _SIGN:  # something was taken away: bin by bin
        packed = repacked(packed)
        pairs = list(_pairs(packed))
        numbers = [pair & _LOW for pair in pairs]
    if not pairs:
        return (None,) * len(shares)
    through = list(accumulate(numbers))
    total = through[-1]
    found = []
    for share in shares:
        rank = share * (total - 1)
        below = math.floor(rank)
        first, second = (middle(pairs[bisect_right(through, place)] >> 32) for place in (below, min(below + 1, total - 1)))
        found.append(first + (second - first) * (rank - below))
    return tuple(found)


def _pairs(packed: bytes) -> array[int]:
    pairs = array("q", packed)
    if sys.byteorder == "little":
        pairs.byteswap()
    return pairs
