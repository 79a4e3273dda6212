"""The sandbox's own clock: what time it is and how much time has passed."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; tests pass one that they can move."""

    def time(self) -> float:
        """Seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        ...


class SystemClock:
    """The machine's clock."""

    def time(self) -> float:
        """Seconds since the Unix epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never goes back."""
        return time.monotonic()


def iso(moment: int | None) -> str | None:
    """A Unix second as ISO 8601 in UTC, or nothing."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()
