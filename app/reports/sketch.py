"""Distributions of times that add up: how many lie in each bin of 2 %. Pure.

A bin's middle is within 1 % of whatever lies in it, so is every percentile read from it.

The database keeps a distribution as one number in which each bin has eight decimal digits of its own: what lies in bin 3 is
counted in units of 10^24. So distributions are added by adding numbers, which PostgreSQL's own sum() does as fast as it can
read them, and what went is taken away by subtracting. A bin holds less than a hundred million: more than the country writes
in ten years, the longest period of a report. Here likewise, with 32 bits a bin: adding is `+`, and nothing is 0.
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GROWTH = 1.02
_LOG = 0.0198026272961797
"""Its logarithm, with the digits of `otklik_bin`: both must cut at the same seconds."""
BINS = 1087
"""Enough for every time that an integer column holds."""
MIDDLES = (0.0, *(GROWTH ** (number - 1) * 2 * GROWTH / (1 + GROWTH) for number in range(1, BINS)))
"""The time for which each bin stands."""
SKETCHES_KEPT = 4096
"""So many a process remembers with their percentiles: a past month's change no more, and are looked at again and again. Some 20 MB."""
_LANE, _DIGIT = 32, 16
"""Bits of a bin here, and of a digit as it is sent."""
_LOWER: int = int.from_bytes(b"\xff\xff\x00\x00" * BINS, "little")
_TOO_MUCH = 0x1_0000 - 10_000


def bin_of(seconds: int) -> int:
    """The bin of a time in whole seconds, as `otklik_bin` counts."""
    return 0 if seconds <= 0 else 1 + math.floor(math.log(seconds) / _LOG)


class Sketch:
    """How many times lie in each bin. Nobody changes it; it remembers the percentiles that were read from it."""

    __slots__ = ("_told", "found")

    def __init__(self, found: int = 0) -> None:
        self.found = found
        self._told: tuple[int, Sequence[float], tuple[float | None, ...]] | None = None

    def __add__(self, other: Sketch) -> Sketch:
        """Both together; where one holds nothing, the other itself with what it remembers."""
        return Sketch(self.found + other.found) if self.found and other.found else self if self.found else other

    def lanes(self) -> array[int]:
        """How many lie in each bin, from the greatest that holds any down to bin 0."""
        lanes = array("I", self.found.to_bytes(_LANE // 8 * (1 + self.found.bit_length() // _LANE), "big"))
        if sys.byteorder == "little":
            lanes.byteswap()
        return lanes

    def percentiles(self, number: int, shares: Sequence[float]) -> tuple[float | None, ...]:
        """The times within which these shares of so many lie, linear between neighbours as `percentile_cont` is; None of nothing."""
        if self._told is None or self._told[:2] != (number, shares):
            self._told = number, shares, self._read(number, shares)
        return self._told[2]

    def _read(self, number: int, shares: Sequence[float]) -> tuple[float | None, ...]:
        """Counted from above, the least share last: what is below it need not be added up."""
        if not self.found:
            return (None,) * len(shares)
        lanes = self.lanes()
        over = list(accumulate(lanes[: len(lanes) * 2 // 5]))  # that far down the median lies, as times are distributed here
        if not over or over[-1] <= number * (1 - min(shares)) + 1:
            over = list(accumulate(lanes))
        told = []
        lowest = len(lanes) - 1
        for share in shares:
            rank = share * (number - 1)
            above = number - 1 - int(rank)
            place = bisect_right(over, above)
            time = MIDDLES[lowest - place]
            if place and over[place - 1] == above:  # the next greater one lies in another bin
                time += (MIDDLES[lowest - bisect_left(over, above)] - time) * (rank - int(rank))
            told.append(time)
        return tuple(told)


NOTHING = Sketch()


@lru_cache(maxsize=SKETCHES_KEPT)
def received(sent: bytes | None) -> Sketch:
    """A distribution from a number as `numeric_send` writes it.

    Four words (how many digits, the weight of the first, sign, scale), then digits of base 10,000, the greatest first, without
    zeros at the end: two digits are a bin, so that they stand in its bits already, the upper one worth too much.
    """
    if not sent:
        return NOTHING
    count, weight = int.from_bytes(sent[:2], "big"), int.from_bytes(sent[2:4], "big", signed=True)
    digits: int = int.from_bytes(sent[8:], "big") << (_DIGIT * (weight + 1 - count))
    upper = (digits >> _DIGIT) & _LOWER
    return Sketch(digits - _TOO_MUCH * upper if upper else digits)


def together(bins: Iterable[tuple[int, int]]) -> Sketch:
    """The distribution of these bins and the numbers in them."""
    return Sketch(sum(count << (_LANE * number) for number, count in bins))
