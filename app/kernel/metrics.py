"""Is the machine well? Series for /metrics. Business measures never come from here (DESIGN section 6)."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Iterator

REGISTRY = CollectorRegistry()
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_LAG = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86400.0)


class Outcome:
    """The label that the measured block may set before it ends."""

    def __init__(self) -> None:
        self.value = "ok"

    def set(self, value: str) -> None:
        """Say how it ended."""
        self.value = value


class TimedSeries:
    """A histogram of durations in seconds with an `outcome` label."""

    def __init__(self, name: str, help_text: str, labels: tuple[str, ...]) -> None:
        self.series = Histogram(name, help_text, (*labels, "outcome"), registry=REGISTRY, buckets=_SECONDS)

    @contextmanager
    def time(self, **labels: str) -> Iterator[Outcome]:
        """Measure a block."""
        outcome = Outcome()
        started = time.perf_counter()
        try:
            yield outcome
        except BaseException:
            if outcome.value == "ok":
                outcome.set("failed")
            raise
        finally:
            self.series.labels(**labels, outcome=outcome.value).observe(time.perf_counter() - started)


CONNECTOR_CALL_SECONDS = TimedSeries("otklik_connector_call_seconds", "Calls of connectors", ("platform", "operation"))
PLATFORM_CALLS = Counter(
    "otklik_platform_calls", "Calls to platforms by their own methods", ("platform", "method", "outcome"), registry=REGISTRY
)
BUDGET_USED = Gauge("otklik_budget_used", "Share of what the tokens allow that is used", ("platform", "limit"), registry=REGISTRY)
PAGES_OVERDUE = Gauge("otklik_pages_overdue", "Pages that were to be read a quarter of an hour ago", ("platform",), registry=REGISTRY)
JOB_SECONDS = TimedSeries("otklik_job_seconds", "Jobs by kind", ("kind",))
REQUEST_SECONDS = TimedSeries("otklik_request_seconds", "Requests by route", ("method", "route"))
COMMENT_LAG_SECONDS = Histogram(
    "otklik_comment_lag_seconds", "From the citizen's time to being stored", ("platform",), registry=REGISTRY, buckets=_LAG
)
COMMENTS_STORED = Counter("otklik_comments_stored", "Comments stored for the first time", ("platform",), registry=REGISTRY)
ROWS_SET_ASIDE = Counter("otklik_rows_set_aside", "Rows that would not go in", ("platform",), registry=REGISTRY)
JOBS_WAITING = Gauge("otklik_jobs_waiting", "Jobs that wait", ("kind",), registry=REGISTRY)
NOTICE_LETTERS = Counter("otklik_notice_letters", "Attempts to tell people outside the screen", ("carrier", "outcome"), registry=REGISTRY)
OUTBOX_OLDEST_SECONDS = Gauge("otklik_outbox_oldest_seconds", "Age of the oldest answer that waits to be published", registry=REGISTRY)
TIMERS_OVERDUE = Gauge("otklik_timers_overdue", "Running deadlines that have passed", registry=REGISTRY)
LIVE_LISTENERS = Gauge("otklik_live_listeners", "Open live streams of this process", registry=REGISTRY)


class CallMeter:
    """Counts the calls of one platform's connector; pages and tokens are no labels."""

    def __init__(self, platform: str) -> None:
        self.platform = platform
        self.calls = 0

    def called(self, method: str, outcome: str) -> None:
        """A call has ended."""
        self.calls += 1
        PLATFORM_CALLS.labels(platform=self.platform, method=method, outcome=outcome).inc()


def exposition() -> bytes:
    """The series in Prometheus' text format."""
    return generate_latest(REGISTRY)
