"""A person's own hours: when channels outside may disturb them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAY_MINUTES = 1_440
_LOOK_AHEAD_DAYS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Hours:
    """On these days of the week (1 is Monday) from minute `opens` to `closes`, which is the next day's when it is not after `opens`.

    ValueError unless there is a day, a known time zone and some time. `breach_any_time`: a passed deadline does not wait for them.
    """

    days: frozenset[int]
    opens: int
    closes: int
    timezone: str
    breach_any_time: bool = False

    def __post_init__(self) -> None:
        if not self.days or not self.days <= set(range(1, 8)):
            raise ValueError("days of the week are 1 to 7, and there is at least one")
        if not (0 <= self.opens < DAY_MINUTES and 0 < self.closes <= DAY_MINUTES and self.opens != self.closes):
            raise ValueError("hours begin and end within a day, at different minutes")
        ZoneInfo(self.timezone)

    def next_open(self, now: datetime) -> datetime:
        """`now` itself within the hours, else the next moment at which they open. UTC."""
        zone = ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        for ahead in range(-1, _LOOK_AHEAD_DAYS + 1):
            day = today + timedelta(days=ahead)
            if day.isoweekday() not in self.days:
                continue
            midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
            # Wall-clock arithmetic: where clocks are put forward or back, 9 o'clock stays 9 o'clock.
            begins = (midnight + timedelta(minutes=self.opens)).astimezone(UTC)
            closes = self.closes if self.closes > self.opens else self.closes + DAY_MINUTES
            if now < (midnight + timedelta(minutes=closes)).astimezone(UTC):
                return max(begins, now.astimezone(UTC))
        raise AssertionError("eight days hold every day of the week")  # pragma: no cover - the loop returns before
