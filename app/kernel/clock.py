"""The only place that reads the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the moment; passed in wherever one is needed, so tests choose it."""

    def now(self) -> datetime:
        """An aware moment in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """An aware moment in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the one reader of the clock


class FixedClock:
    """Stands still until it is moved: for tests and for recomputing the past."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        """The moment it was set to."""
        return self.moment
