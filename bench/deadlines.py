"""Deadlines per second against a naive day loop over the same calendar, in the same run, with identical results.

    python bench/calendar.py [--deadlines 20000] [--seed 1]

The naive loop is what is usually written: walk day by day, turn each range into moments, subtract. Both sides take the
same starts; the tables are built before the timing and their price is printed apart.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from app.sla.calendar import WorkingCalendar, add_working, working_time
from app.sla.production_calendar import russian_calendar

TERMS = (
    ("4 working hours", timedelta(hours=4)),
    ("9 working hours", timedelta(hours=9)),
    ("7 working days of 8 h", timedelta(hours=56)),
    ("30 working days of 8 h", timedelta(hours=240)),
    ("a working year, 1972 h", timedelta(hours=1972)),
)
GAPS = (("a day", timedelta(days=1)), ("a month", timedelta(days=30)), ("a year", timedelta(days=365)))
ZONES = ("Europe/Kaliningrad", "Europe/Moscow", "Asia/Yekaterinburg", "Asia/Kamchatka")
YEARS = (2018, 2027)
Item = tuple[WorkingCalendar, datetime]
Result = TypeVar("Result")


def naive_deadline(calendar: WorkingCalendar, start: datetime, duration: timedelta) -> datetime:
    """Return what add_working returns, walking day by day."""
    left = duration
    day = start.astimezone(calendar.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    while True:
        for one in calendar.hours_on(day.date()):
            begins = (day + timedelta(seconds=one.start)).replace(tzinfo=calendar.zone).astimezone(UTC)
            ends = (day + timedelta(seconds=one.end)).replace(tzinfo=calendar.zone).astimezone(UTC)
            begins = max(begins, start)
            if begins >= ends:
                continue
            if left <= ends - begins:
                return begins + left
            left -= ends - begins
        day += timedelta(days=1)


def naive_time(calendar: WorkingCalendar, start: datetime, end: datetime) -> timedelta:
    """Return what working_time returns, walking day by day."""
    worked = timedelta(0)
    day = start.astimezone(calendar.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    last = end.astimezone(calendar.zone).replace(tzinfo=None)
    while day <= last:
        for one in calendar.hours_on(day.date()):
            begins = (day + timedelta(seconds=one.start)).replace(tzinfo=calendar.zone).astimezone(UTC)
            ends = (day + timedelta(seconds=one.end)).replace(tzinfo=calendar.zone).astimezone(UTC)
            worked += max(min(ends, end) - max(begins, start), timedelta(0))
        day += timedelta(days=1)
    return worked


def deadlines(add: Callable[[WorkingCalendar, datetime, timedelta], datetime], items: Sequence[Item], term: timedelta) -> list[datetime]:
    """Return the deadline of every item."""
    return [add(calendar, start, term) for calendar, start in items]


def spans(measure: Callable[[WorkingCalendar, datetime, datetime], timedelta], items: Sequence[Item], gap: timedelta) -> list[timedelta]:
    """Return the working time in the gap after every item's start."""
    return [measure(calendar, start, start + gap) for calendar, start in items]


def timed(work: Callable[[], list[Result]]) -> tuple[list[Result], float]:
    """Return the work's result and the seconds it took."""
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


def compare(name: str, fast: Callable[[], list[Result]], naive: Callable[[], list[Result]], share: int) -> None:
    """Time both, check that they agree, print one row; `naive` does one of every `share` items."""
    quick, quick_s = timed(fast)
    slow, slow_s = timed(naive)
    if quick[::share] != slow:
        raise SystemExit(f"{name}: the results differ")
    per_quick, per_slow = quick_s / len(quick), slow_s / len(slow)
    say(f"{name:<40} {1 / per_quick:>12,.0f}/s {1 / per_slow:>12,.0f}/s {per_slow / per_quick:>8.0f} x")


def say(line: str) -> None:
    """Write one line of the result."""
    sys.stdout.write(line + "\n")


def main() -> None:
    """Print deadlines and spans per second, table against day loop, for several terms."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--deadlines", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    rng = random.Random(given.seed)  # noqa: S311 - sample data
    calendars = [russian_calendar(zone, first_year=YEARS[0], last_year=YEARS[1]) for zone in ZONES]
    first = datetime(2018, 1, 3, tzinfo=UTC)
    span = int((datetime(2026, 1, 1, tzinfo=UTC) - first).total_seconds() * 1e6)
    items = [(rng.choice(calendars), first + timedelta(microseconds=rng.randrange(span))) for _ in range(given.deadlines)]
    # Fresh calendars, all years at once: the price that the table pays before its first answer.
    fresh = [replace(one) for one in calendars]
    ends = (first, datetime(2027, 6, 1, tzinfo=UTC))
    _, table_s = timed(lambda: [working_time(one, *ends) for one in fresh])
    _ = [working_time(one, *ends) for one in calendars]
    say(f"tables of {len(ZONES)} calendars x {YEARS[1] - YEARS[0] + 2} years: {table_s * 1000:.0f} ms in all")
    say(f"{'':<40} {'table':>14} {'day loop':>14} {'ratio':>10}")
    for name, term in TERMS:
        share = max(1, int(term / timedelta(hours=24)))  # the loop's sample, so that a run stays short
        fast, naive = (
            partial(deadlines, add_working, items, term),
            partial(deadlines, naive_deadline, items[::share], term),
        )
        compare(f"deadline, {name}", fast, naive, share)
    for name, gap in GAPS:
        share = max(1, gap.days)
        quick, slow = partial(spans, working_time, items, gap), partial(spans, naive_time, items[::share], gap)
        compare(f"working time within {name}", quick, slow, share)
