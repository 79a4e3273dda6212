"""When to look again: pure arithmetic of pauses. All are divided by the time scale, as the platform's limits are."""

from __future__ import annotations

from datetime import datetime, timedelta

WALL_GET_A_DAY = 4_500
"""Of VK's 5,000 listings a day and token; the rest is for people who connect pages."""
DISCOVER_AT_LEAST = timedelta(seconds=30)
FEED_PAUSE = timedelta(seconds=1)
SWEEP = timedelta(hours=6)
"""A counter hides an addition behind a deletion: each post is read in full this often, whatever its counter says."""
REREAD = timedelta(minutes=10)
"""No counter tells an edit: posts under which somebody waits for an answer are read in full this often."""
LONGEST_PAUSE = timedelta(minutes=15)

# Age of a post → pause between looks at its counter: comments come early.
PROBE_PAUSES = (
    (timedelta(days=2), timedelta(seconds=2)),
    (timedelta(days=14), timedelta(seconds=30)),
    (timedelta(days=90), timedelta(minutes=5)),
)
OLDEST_PAUSE = timedelta(minutes=30)


class Plan:
    """The pauses under one time scale."""

    def __init__(self, *, time_scale: float) -> None:
        self._scale = time_scale

    def discover_every(self, pages: int) -> timedelta:
        """Between two listings of a wall, when so many pages share the daily quota of one token."""
        return max(DISCOVER_AT_LEAST, timedelta(days=1) * pages / WALL_GET_A_DAY) / self._scale

    def pause_of_feed(self) -> timedelta:
        """Between two rounds of one page."""
        return FEED_PAUSE / self._scale

    def probe_again(self, age: timedelta) -> timedelta:
        """Until the next look at the counter of a post of this age."""
        pause = next((pause for limit, pause in PROBE_PAUSES if age < limit), OLDEST_PAUSE)
        return pause / self._scale

    def after_refusal(self) -> timedelta:
        """Until the next look at a post whose comments the platform refuses to show."""
        return OLDEST_PAUSE / self._scale

    def must_read(self, count: int, seen: int | None, read_at: datetime | None, now: datetime) -> bool:
        """Whether the comments of a post are to be read now."""
        return seen is None or read_at is None or count != seen or now - read_at >= SWEEP / self._scale

    def may_be_edited(self, read_at: datetime | None, now: datetime) -> bool:
        """Whether the comments of a post are to be read again if an appeal under it waits for an answer."""
        return read_at is not None and now - read_at >= REREAD / self._scale

    def pause_after(self, named: timedelta | None, failures: int) -> timedelta:
        """After a failed poll: what the platform asked for (already scaled), else doubling from a second."""
        if named is not None:
            return named
        doubled = FEED_PAUSE * (1 << min(failures, 16))
        return min(doubled, LONGEST_PAUSE) / self._scale
