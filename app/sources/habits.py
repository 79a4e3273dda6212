"""What an installation has learnt of when comments come: the numbers that `rates.py` reckons with, read from what was stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.sources import rates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import ReadSession

SAMPLE = 20_000
"""So many comments tell the habits well enough, however many there are."""
HOUR_WEIGHT = 20.0
"""So many comments' worth does an even week weigh in each of its hours."""
NEW_WEIGHT = 0.01
"""Of a post that was not looked at yet: a comment in three hours."""
AGE_WEIGHT = 200
"""With fewer comments than this their median age says little."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """`half_life`: seconds in which half of a post's comments come. `hours`: factor of each hour of the week (UTC), 1 on average."""

    half_life: float = rates.USUAL_HALF_LIFE
    hours: tuple[float, ...] = (1.0,) * rates.HOURS

    def hour_factor(self, moment: datetime) -> float:
        """How much of a week's comments the hour of this moment gets."""
        return self.hours[moment.weekday() * 24 + moment.hour]


async def learn(session: ReadSession, *, platform: str) -> Habits:
    """The habits of a platform: ages of the newest comments, hours of a sample of all."""
    ages = (
        await session.execute(
            text(
                """
                SELECT count(*) AS n, percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM c.written_at - p.published_at)) AS half
                FROM (SELECT post_id, written_at FROM comment WHERE NOT by_page ORDER BY id DESC LIMIT :sample) c
                JOIN post p ON p.id = c.post_id JOIN page g ON g.id = p.page_id
                WHERE g.platform = :platform AND c.written_at >= p.published_at
                """
            ),
            {"platform": platform, "sample": SAMPLE},
        )
    ).one()
    whole = float(
        (await session.execute(text("SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = CAST('comment' AS regclass)"))).scalar_one()
    )
    hours = await session.execute(
        text(
            """
            SELECT CAST((extract(isodow FROM c.written_at AT TIME ZONE 'UTC') - 1) * 24 + extract(hour FROM c.written_at AT TIME ZONE 'UTC')
              AS int) AS hour, count(*) AS n
            FROM comment c TABLESAMPLE SYSTEM (:percent) JOIN page g ON g.id = c.page_id
            WHERE g.platform = :platform AND NOT c.by_page GROUP BY 1
            """
        ),
        {"platform": platform, "percent": min(100.0, 100.0 * SAMPLE / max(whole, 1.0))},
    )
    told = {row.hour: int(row.n) for row in hours}
    even = sum(told.values()) / rates.HOURS
    return Habits(
        half_life=max(float(ages.half), 60.0) if ages.n >= AGE_WEIGHT else rates.USUAL_HALF_LIFE,
        hours=tuple((told.get(hour, 0) + HOUR_WEIGHT) / (even + HOUR_WEIGHT) for hour in range(rates.HOURS)),
    )


async def page_means(session: ReadSession, *, page_ids: Sequence[int], half_life: float, now: datetime) -> dict[int, float]:
    """Comments that a post of each page gets in its life, by its posts of the last thirty days."""
    rows = await session.execute(
        text(
            """
            SELECT id, coalesce(sum(p.seen_count), 0) AS comments, coalesce(sum(p.age / (CAST(:half AS float8) + p.age)), 0) AS exposed
            FROM unnest(CAST(:pages AS bigint[])) AS page(id) LEFT JOIN LATERAL (
              SELECT seen_count, greatest(extract(epoch FROM :now - published_at), 0) AS age FROM post
              WHERE page_id = page.id AND seen_count IS NOT NULL AND published_at > :now - interval '30 days') p ON true
            GROUP BY id
            """
        ),
        {"pages": list(page_ids), "half": half_life, "now": now},
    )
    return {row.id: rates.page_mean(float(row.comments), float(row.exposed)) for row in rows}


async def demand(session: ReadSession, *, platform: str) -> tuple[float, int]:
    """The sum of the weights of all posts that are looked at, and their number."""
    row = (
        await session.execute(
            text(
                """
                SELECT coalesce(sum(CASE WHEN p.weight > 0 THEN p.weight ELSE :new END), 0) AS weights, count(*) AS posts
                FROM post p JOIN page g ON g.id = p.page_id
                WHERE g.platform = :platform AND g.active AND p.gone_at IS NULL
                """
            ),
            {"platform": platform, "new": NEW_WEIGHT},
        )
    ).one()
    return float(row.weights), int(row.posts)
