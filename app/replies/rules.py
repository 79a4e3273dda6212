"""The life of an answer in the outbox."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class ReplyState(StrEnum):
    """Where an answer stands. `UNCERTAIN`: it may or may not be on the platform; a person decides.

    `HELD`: too many went out before it, by its author or on its page; it was not tried, and a person decides.
    `AWAITING`: its agency's answers go out when another person has approved them. `RETURNED`: that person did not, and said why.
    """

    AWAITING = "awaiting"
    RETURNED = "returned"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    HELD = "held"
    WITHDRAWN = "withdrawn"
    REMOVED = "removed"
    """It stood on the platform and was taken away."""


SOUGHT, NOT_SEEN = "sought", "not_seen"
"""Codes of a refused answer that a person posted by hand: it is being looked for; it was looked for and is not there."""

NEEDS_A_PERSON = frozenset({ReplyState.FAILED, ReplyState.UNCERTAIN, ReplyState.HELD, ReplyState.AWAITING})
SENT_AGAIN = frozenset({ReplyState.FAILED, ReplyState.UNCERTAIN, ReplyState.HELD})
"""A person may send these (again): they were let go before."""


class AnswerKind(StrEnum):
    """What an answer says of the matter: that it is answered, or that it is being worked on and the answer will follow."""

    FINAL = "final"
    INTERIM = "interim"


# To `SENT` from any state in which it was tried: it was seen on the platform, whatever we believed.
TRANSITIONS: dict[ReplyState, frozenset[ReplyState]] = {
    ReplyState.AWAITING: frozenset({ReplyState.QUEUED, ReplyState.RETURNED, ReplyState.WITHDRAWN}),
    ReplyState.QUEUED: frozenset({ReplyState.SENDING, ReplyState.WITHDRAWN, ReplyState.SENT}),
    ReplyState.SENDING: frozenset({ReplyState.SENT, ReplyState.QUEUED, ReplyState.FAILED, ReplyState.UNCERTAIN, ReplyState.HELD}),
    ReplyState.FAILED: frozenset({ReplyState.QUEUED, ReplyState.WITHDRAWN, ReplyState.SENT}),
    ReplyState.UNCERTAIN: frozenset({ReplyState.QUEUED, ReplyState.SENT, ReplyState.WITHDRAWN}),
    ReplyState.HELD: frozenset({ReplyState.QUEUED, ReplyState.WITHDRAWN}),
    ReplyState.SENT: frozenset({ReplyState.REMOVED}),
    ReplyState.RETURNED: frozenset(),
    ReplyState.WITHDRAWN: frozenset(),
    ReplyState.REMOVED: frozenset(),
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


# --- limits that stop a runaway --------------------------------------------------------------------------------

WINDOWS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_LIMIT = re.compile(r"([1-9][0-9]{0,8})/(minute|hour|day)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """At most so many answers within any minute, hour or day."""

    most: int
    window: str

    @property
    def span(self) -> timedelta:
        """How long the window is."""
        return WINDOWS[self.window]

    def __str__(self) -> str:
        """As it is written in the settings."""
        return f"{self.most}/{self.window}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one author, and what one page, may publish."""

    author: tuple[Limit, ...] = ()
    page: tuple[Limit, ...] = ()


def parse_limits(words: str) -> tuple[Limit, ...]:
    """`20/minute, 200/hour`; nothing means no limit. ValueError that says how to write it."""
    found = []
    for part in (piece.strip() for piece in words.split(",")):
        match = _LIMIT.fullmatch(part)
        if match is None and part:
            raise ValueError(f"{part!r} is no limit: write for example 20/minute, 200/hour, 1000/day")
        if match is not None:
            found.append(Limit(most=int(match[1]), window=match[2]))
    return tuple(found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """An answer that is about to be tried for the first time."""

    id: int
    author: int | None
    page: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Exceeded:
    """Which limit an answer exceeds; `code` is `limit_author` or `limit_page`."""

    code: str
    limit: Limit


def exceeding(
    candidates: Sequence[Candidate],
    limits: Limits,
    *,
    by_author: Mapping[tuple[int, str], int],
    by_page: Mapping[tuple[int, str], int],
) -> dict[int, Exceeded]:
    """Those that must wait for a person. The counts say how many went out before by (author or page, window).

    One that waits leaves room for the next: it does not go out.
    """
    over: dict[int, Exceeded] = {}
    authors, pages = dict(by_author), dict(by_page)
    for one in candidates:
        mine = [] if one.author is None else [((one.author, limit.window), limit) for limit in limits.author]
        here = [((one.page, limit.window), limit) for limit in limits.page]
        first = next((Exceeded(code="limit_author", limit=limit) for key, limit in mine if authors.get(key, 0) >= limit.most), None)
        found = first or next((Exceeded(code="limit_page", limit=limit) for key, limit in here if pages.get(key, 0) >= limit.most), None)
        if found is not None:
            over[one.id] = found
            continue
        for counts, keys in ((authors, mine), (pages, here)):
            for key in {key for key, _ in keys}:
                counts[key] = counts.get(key, 0) + 1
    return over
