"""The life of an answer in the outbox."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class ReplyState(StrEnum):
    """Where an answer stands. `UNCERTAIN`: it may or may not be on the platform; a person decides."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    WITHDRAWN = "withdrawn"


# To `SENT` from any state in which it was tried: it was seen on the platform, whatever we believed.
TRANSITIONS: dict[ReplyState, frozenset[ReplyState]] = {
    ReplyState.QUEUED: frozenset({ReplyState.SENDING, ReplyState.WITHDRAWN, ReplyState.SENT}),
    ReplyState.SENDING: frozenset({ReplyState.SENT, ReplyState.QUEUED, ReplyState.FAILED, ReplyState.UNCERTAIN}),
    ReplyState.FAILED: frozenset({ReplyState.QUEUED, ReplyState.WITHDRAWN, ReplyState.SENT}),
    ReplyState.UNCERTAIN: frozenset({ReplyState.QUEUED, ReplyState.SENT, ReplyState.WITHDRAWN}),
    ReplyState.SENT: frozenset(),
    ReplyState.WITHDRAWN: frozenset(),
}

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=15)


def pause_before(attempt: int) -> timedelta:
    """How long to wait before the attempt after `attempt` failed ones: doubling, bounded."""
    doubled = FIRST_PAUSE * (1 << min(max(attempt - 1, 0), 16))
    return min(doubled, LONGEST_PAUSE)


def same_words(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but white space: platforms trim and fold it."""
    return one.split() == other.split()
