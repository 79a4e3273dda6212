"""How many waited at the end of each day, whenever their citizens wrote. Whoever is dismissed never waited."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.reports.figures import Trend, TrendPoint
from app.reports.measures import BACKLOG
from app.reports.queries import Clock, backlog_sql
from app.reports.rules import FIRST_DAY, Bucket, midnight, slices

if TYPE_CHECKING:
    from app.kernel.db import ReadSession
    from app.reports.service import Asked

ALWAYS = datetime.combine(FIRST_DAY, time.min, UTC)
"""Before any appeal."""


async def backlog(session: ReadSession, asked: Asked, *, bucket: Bucket = Bucket.DAY) -> Trend:
    """One point a bucket; a day that has not ended counts at the report's own moment."""
    parts = slices(asked.period, bucket)
    ends = [min(midnight(asked.period.zone, part.end, days=1), asked.ages_at) for part in parts]
    source = await asked.source(session)
    statement = text(backlog_sql(asked.filtered, sight=asked.sight, source=source, clock=Clock.FIRST))
    params = asked.params() | {"ends": ends, "since": ALWAYS}
    found = {row.number: row.waiting for row in await session.execute(statement, params)}
    points = tuple(TrendPoint(slice=part, waiting=found.get(number, 0)) for number, part in enumerate(parts, start=1))
    return Trend(
        definition=BACKLOG, period=asked.period, bucket=bucket, as_of=asked.as_of, ages_at=asked.ages_at, points=points,
        total=points[-1],
    )  # fmt: skip
