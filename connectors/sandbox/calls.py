"""A record of every call to a platform, so that a test can prove that limits were respected."""

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.readings import Readings


@dataclass(slots=True)
class Peak:
    """The largest number of events seen in any stretch of `seconds`."""

    limit: int
    seconds: float
    most: int = 0
    moments: deque[float] = field(default_factory=deque)

    def add(self, now: float) -> None:
        """Count one event."""
        while self.moments and self.moments[0] + self.seconds <= now:
            self.moments.popleft()
        self.moments.append(now)
        self.most = max(self.most, len(self.moments))


@dataclass(slots=True)
class Tally:
    """Calls of one method by one token."""

    calls: int = 0
    inner: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


class Calls:
    """Counters per platform, method and token, and the peak of every limited rate.

    Only tokens that the sandbox issued are named; a stranger's token is never repeated.
    """

    def __init__(self) -> None:
        """Begin with no calls."""
        self._tallies: dict[tuple[str, str, str], Tally] = {}
        self._peaks: dict[tuple[str, str, str], Peak] = {}
        self._faults: Counter[tuple[str, str, str]] = Counter()
        self.readings = Readings()

    def add(self, platform: str, method: str, token: str | None, outcome: str, *, inner: bool = False) -> None:
        """Count a call; `outcome` is "ok" or the error's code; `inner` when `execute` made it."""
        tally = self._tallies.setdefault((platform, method, token or "unknown"), Tally())
        if inner:
            tally.inner += 1
        else:
            tally.calls += 1
        tally.outcomes[outcome] += 1

    def rate(  # noqa: PLR0913 - one event, one line
        self, platform: str, token: str, scope: str, *, limit: int, seconds: float, now: float
    ) -> None:
        """Count one event towards a limited rate, refused ones included."""
        key = (platform, token, scope)
        if key not in self._peaks:
            self._peaks[key] = Peak(limit, seconds)
        self._peaks[key].add(now)

    def level(  # noqa: PLR0913 - one event, one line
        self, platform: str, token: str, scope: str, *, limit: int, seconds: float, level: float
    ) -> None:
        """How full a bucket is with this event, which a refused one would overfill."""
        peak = self._peaks.setdefault((platform, token, scope), Peak(limit, seconds))
        peak.most = max(peak.most, math.ceil(level))

    def struck(self, platform: str, method: str, kind: str, count: int = 1) -> None:
        """Count a fault."""
        self._faults[platform, method, kind] += count

    def clear(self) -> None:
        """Forget everything counted so far."""
        self._tallies.clear()
        self._peaks.clear()
        self._faults.clear()
        self.readings.clear()

    def report(self) -> dict[str, Any]:
        """The record as `GET /calls` shows it."""
        return {
            "methods": [
                {
                    "platform": platform,
                    "method": method,
                    "token": token,
                    "calls": tally.calls,
                    "inside_execute": tally.inner,
                    "outcomes": dict(tally.outcomes),
                }
                for (platform, method, token), tally in self._tallies.items()
            ],
            "rates": [
                {
                    "platform": platform,
                    "token": token,
                    "scope": scope,
                    "limit": peak.limit,
                    "window_s": peak.seconds,
                    "peak": peak.most,
                    "exceeded": peak.most > peak.limit,
                }
                for (platform, token, scope), peak in self._peaks.items()
            ],
            "faults": [
                {"platform": platform, "method": method, "kind": kind, "count": count}
                for (platform, method, kind), count in self._faults.items()
                if count
            ],
            "readings": self.readings.report(),
        }
