"""A digest instead of a storm: which notices for one address go out one by one, which as one letter, which wait. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Storm:
    """From when on it is a storm: more than `over` letters to one address within a window."""

    over: int = 3
    window: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathered:
    """Each notice given is in exactly one of the three: by itself, in the digest, or waiting until `again_at`."""

    singles: tuple[int, ...] = ()
    digest: tuple[int, ...] = ()
    waiting: tuple[int, ...] = ()
    again_at: datetime | None = None


def gather(pending: Sequence[int], *, singles_at: Sequence[datetime], digest_at: datetime | None, storm: Storm, now: datetime) -> Gathered:
    """What to do with the notices that may go out now. `singles_at`, `digest_at`: when letters were made for this address before.

    Within any window at most `over` single letters and one digest come about.
    """
    edge = now - storm.window
    if not pending:
        return Gathered()
    if len(pending) + sum(at > edge for at in singles_at) <= storm.over:
        return Gathered(singles=tuple(pending))
    if digest_at is not None and digest_at > edge:
        return Gathered(waiting=tuple(pending), again_at=digest_at + storm.window)
    return Gathered(digest=tuple(pending))
