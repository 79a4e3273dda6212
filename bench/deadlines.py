"""Deadlines per second against a naive day loop over the same calendar, in the same run, with identical results.

    python bench/calendar.py [--deadlines 1000000] [--seed 1]

The naive loop is what is usually written: walk day by day, turn each range into moments, subtract. All take moments,
spread over eight years, and give moments; the tables are built before the timing and their price is printed
apart. `one` asks for a deadline at a time, `batch` for all of a calendar at once, as the program does when it takes in
comments, weighs a norm against a month of appeals, applies one to those that wait, or brings another system's history in.
The batch counts all of them, the others a sample, with which it must agree. Last, the norms that the program offers as
one workload (an equal share of each): that is the headline. And what a single addition to a moment costs: no way of
giving deadlines as moments is faster. Seconds of the processor, the best of three, so that neighbours do not count.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from statistics import mean
from typing import TypeVar

from app.sla.calendar import WorkingCalendar, add_working, add_working_days, add_working_to_all, working_time
from app.sla.production_calendar import russian_calendar

TERMS = (
    ("4 working hours", timedelta(hours=4)),
    ("9 working hours", timedelta(hours=9)),
    ("7 working days of 8 h", timedelta(hours=56)),
    ("30 working days of 8 h", timedelta(hours=240)),
    ("a working year, 1972 h", timedelta(hours=1972)),
)
NORMS = TERMS[:4]
"""What is promised to citizens: 4 hours when urgent, 9 as a rule, 7 days after an interim answer, 30 for formal appeals."""
FEW, SOME = 50, 10
"""The day loop does at most one of so many, the way one by one this part: the run stays short."""
REPEATS = 3
GAPS = (("a day", timedelta(days=1)), ("a month", timedelta(days=30)), ("a year", timedelta(days=365)))
ZONES = ("Europe/Kaliningrad", "Europe/Moscow", "Asia/Yekaterinburg", "Asia/Kamchatka")
YEARS = (2018, 2027)
Item = tuple[WorkingCalendar, datetime]
FIRST = datetime(2018, 1, 3, tzinfo=UTC)
Result = TypeVar("Result")
Given = TypeVar("Given")


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


def naive_days(calendar: WorkingCalendar, start: datetime, days: int) -> datetime:
    """Return what add_working_days returns, walking day by day."""
    day, left = start.astimezone(calendar.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None), days
    while left:
        day += timedelta(days=1)
        left -= bool(calendar.hours_on(day.date()))
    last = calendar.hours_on(day.date())[-1].end
    return (day + timedelta(seconds=last)).replace(tzinfo=calendar.zone).astimezone(UTC)


def each(work: Callable[[WorkingCalendar, datetime, Given], Result], items: Sequence[Item], given: Given) -> list[Result]:
    """Do it with every item by itself."""
    return [work(calendar, start, given) for calendar, start in items]


def spans(measure: Callable[[WorkingCalendar, datetime, datetime], timedelta], items: Sequence[Item], gap: timedelta) -> list[timedelta]:
    """Return the working time in the gap after every item's start."""
    return [measure(calendar, start, start + gap) for calendar, start in items]


def in_batches(batches: Sequence[tuple[WorkingCalendar, Sequence[datetime]]], term: timedelta) -> list[datetime]:
    """Return the deadline of every start, calendar by calendar."""
    return [one for calendar, starts in batches for one in add_working_to_all(calendar, starts, term)]


def timed(work: Callable[[], list[Result]]) -> tuple[list[Result], float]:
    """Return the work's result and the processor's seconds per item, the best of some goes."""
    best, result = math.inf, work()
    for _ in range(REPEATS):
        begun = time.process_time()
        result = work()
        best = min(best, time.process_time() - begun)
    return result, best / len(result)


@dataclass(kw_only=True)
class Row:
    """One line of the result: seconds per item of each way."""

    name: str
    naive: float
    one: float
    batch: float | None = None

    def __str__(self) -> str:
        """The line as it is printed."""
        batch = "" if self.batch is None else f"{1 / self.batch:>12,.0f}/s {self.naive / self.batch:>8,.0f} x {self.batch * 1e6:>9.2f} s"
        return f"{self.name:<34} {1 / self.naive:>10,.0f}/s {1 / self.one:>12,.0f}/s {self.naive / self.one:>8,.0f} x {batch}"


def compare(
    name: str, naive: Callable[[], list[Result]], one: Callable[[], list[Result]], batch: Callable[[], list[Result]] | None, share: int
) -> Row:
    """Time the ways and check that they agree; `naive` does one of every `share` items of `one`, and that one of SOME of `batch`."""
    slow, naive_s = timed(naive)
    quick, one_s = timed(one)
    together, batch_s = (quick, None) if batch is None else timed(batch)
    if quick[::share] != slow or (batch is not None and together[::SOME] != quick):
        raise SystemExit(f"{name}: the results differ")
    return Row(name=name, naive=naive_s, one=one_s, batch=batch_s)


def say(line: str) -> None:
    """Write one line of the result."""
    sys.stdout.write(line + "\n")


def sample(count: int, seed: int) -> tuple[list[WorkingCalendar], list[Item]]:
    """Some calendars, and moments spread over the years, those of a calendar together."""
    rng = random.Random(seed)  # noqa: S311 - sample data
    calendars = [russian_calendar(zone, first_year=YEARS[0], last_year=YEARS[1]) for zone in ZONES]
    span = int((datetime(2026, 1, 1, tzinfo=UTC) - FIRST).total_seconds() * 1e6)
    return calendars, [
        (calendars[number * len(calendars) // count], FIRST + timedelta(microseconds=rng.randrange(span))) for number in range(count)
    ]


def price_of_tables(calendars: Sequence[WorkingCalendar]) -> None:
    """Print what the tables cost before their first answer: fresh calendars, all years at once."""
    fresh = [replace(one) for one in calendars]
    ends = (FIRST, datetime(2027, 6, 1, tzinfo=UTC))
    begun = time.process_time()
    for one in fresh:
        working_time(one, *ends)
    say(f"tables of {len(calendars)} calendars x {YEARS[1] - YEARS[0] + 2} years: {(time.process_time() - begun) * 1000:.0f} ms in all")
    for one in calendars:
        working_time(one, *ends)


def main() -> None:
    """Print deadlines and spans per second, table against day loop, for several terms."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--deadlines", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    calendars, items = sample(given.deadlines, given.seed)
    batches = [(one, [start for calendar, start in items if calendar is one]) for one in calendars]
    some = items[::SOME]
    price_of_tables(calendars)
    say(f"{'':<34} {'day loop':>12} {'one':>14} {'':>10} {'batch':>14} {'a million':>22}")
    rows = []
    for name, term in TERMS:
        share = FEW * max(1, int(term / timedelta(hours=24)))
        naive, one = partial(each, naive_deadline, some[::share], term), partial(each, add_working, some, term)
        rows.append(compare(f"deadline, {name}", naive, one, partial(in_batches, batches, term), share))
        say(str(rows[-1]))
    norms = rows[: len(NORMS)]
    say(str(Row(name="THE NORMS TOGETHER", **{way: mean(getattr(row, way) for row in norms) for way in ("naive", "one", "batch")})))
    _, floor = timed(lambda: [start + NORMS[0][1] for _, start in items])
    named = f"{'one addition to a moment, no more':<73}"
    say(f"{named} {1 / floor:>12,.0f}/s {norms[0].naive / floor:>8,.0f} x {floor * 1e6:>9.2f} s")
    for days in (1, 7, 30):
        naive, one = partial(each, naive_days, some[:: FEW * days], days), partial(each, add_working_days, some, days)
        say(str(compare(f"end of working day {days}", naive, one, None, FEW * days)))
    for name, gap in GAPS:
        share = FEW * max(1, gap.days)
        quick, slow = partial(spans, working_time, some, gap), partial(spans, naive_time, some[::share], gap)
        say(str(compare(f"working time within {name}", slow, quick, None, share)))
