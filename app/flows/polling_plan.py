"""When to look again: pure arithmetic of pauses. All are divided by the time scale, as the platform's limits are."""

from __future__ import annotations

from datetime import datetime, timedelta

SEARCHES_A_DAY = 900
"""Of VK's 1,000 searches a day and token."""
SEARCH_AT_LEAST = timedelta(minutes=2)
FEED_PAUSE = timedelta(seconds=1)
SWEEP = timedelta(hours=6)
"""A counter hides an addition behind a deletion: a new post is read in full this often, whatever its counter says."""
REREAD = timedelta(minutes=10)
"""No counter tells an edit: posts under which somebody waits for an answer are read in full this often."""
LONGEST_PAUSE = timedelta(minutes=15)

OVERLAP = timedelta(hours=1)
"""So far back a listing goes again over what the last one told: clocks differ, and a platform may show a post late."""
SHORTEST_OVERLAP = timedelta(seconds=10)
"""However fast the scaled time runs: platforms tell whole seconds."""
SOONEST = timedelta(seconds=2)
"""No post is looked at sooner again, however lively it is and however much of the budget is free."""
SOON = timedelta(seconds=30)
UNREAD = timedelta(minutes=1)
"""Until the next look at a post whose new comments could not be read, or whose worker ended before it read them."""
REFUSED = timedelta(minutes=30)
GONE = timedelta(hours=1)
"""Until a post that the platform does not show is looked for again; six weeks at most."""
GREATEST_SHARE = 0.1
"""Of a platform's calls one post may take: a thread of thousands of comments must not starve a village's page."""
SWEEP_SHARE = 4
"""A post is read in full at the latest when it is older by this part of its age; else old posts would take all calls."""


class Plan:
    """The pauses under one time scale."""

    def __init__(self, *, time_scale: float) -> None:
        self._scale = time_scale

    def scaled(self, seconds: float) -> timedelta:
        """So many seconds of the platform's time."""
        return timedelta(seconds=seconds) / self._scale

    def search_every(self, searches: int) -> timedelta:
        """Between two runs of a search, when so many share the daily quota of one token."""
        return max(SEARCH_AT_LEAST, timedelta(days=1) * searches / SEARCHES_A_DAY) / self._scale

    def pause_of_feed(self) -> timedelta:
        """Between two rounds of one page."""
        return FEED_PAUSE / self._scale

    def known_before(self, watched_since: datetime, listed_at: datetime | None) -> datetime:
        """Of a page whose last complete listing began then: what was published before this has been listed, or is of before our time."""
        if listed_at is None:
            return watched_since
        return max(watched_since, listed_at - max(OVERLAP / self._scale, SHORTEST_OVERLAP))

    def soon(self) -> timedelta:
        """Posts that become due within this go along in a call that is not full."""
        return SOON / self._scale

    def unread(self) -> timedelta:
        """Until the next look at a post that has changed, should its comments not be read now."""
        return UNREAD / self._scale

    def look_again(self, seconds: float, *, waiting: bool, calls: float, calls_a_second: float) -> timedelta:
        """Until the next look at a post, which comes in `seconds` of the platform's time if nothing forbids it.

        `waiting`: somebody waits for an answer under it, and no counter tells of an edit. `calls`: how many its last reading took.
        """
        apart = max(SOONEST.total_seconds(), calls / (calls_a_second * GREATEST_SHARE))
        again = max(apart, min(seconds, REREAD.total_seconds()) if waiting else seconds)
        return timedelta(seconds=again) / self._scale

    def after_refusal(self) -> timedelta:
        """Until the next look at a post whose comments the platform refuses to show."""
        return REFUSED / self._scale

    def gone(self) -> timedelta:
        """Until the first look for a post that the platform does not show."""
        return GONE / self._scale

    def must_read(self, count: int, seen: int | None, read_at: datetime | None, published_at: datetime, now: datetime) -> bool:
        """Whether the comments of a post are to be read now."""
        if seen is None or read_at is None or count != seen:
            return True
        return now - read_at >= max(SWEEP, (read_at - published_at) / SWEEP_SHARE) / self._scale

    def may_be_edited(self, read_at: datetime | None, now: datetime) -> bool:
        """Whether the comments of a post are to be read again if an appeal under it waits for an answer."""
        return read_at is not None and now - read_at >= REREAD / self._scale

    def pause_after(self, named: timedelta | None, failures: int) -> timedelta:
        """After a failed poll: what the platform asked for (already scaled), else doubling from a second."""
        if named is not None:
            return named
        doubled = FEED_PAUSE * (1 << min(failures, 16))
        return min(doubled, LONGEST_PAUSE) / self._scale
