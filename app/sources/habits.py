"""What an installation has learnt of when posts and comments come, from what is stored: `rates.py` and `walls.py` reckon with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.sources import hours, rates, walls

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import ReadSession

SAMPLE = 20_000
"""So many comments tell the habits well enough, however many there are."""
HOUR_WEIGHT = 20.0
"""So many comments' worth does an even week weigh in each of its hours."""
NEW_WEIGHT = 0.01
"""Of a post that was not looked at yet: a comment in three hours."""
LIVELIEST = 50
"""So many posts may be livelier than can be looked at: a thread takes a budget to itself only where there are few others."""
AGE_WEIGHT = 200
"""With fewer comments than this their median age says little."""
WATCHED_SECONDS = 180 * 86_400.0
"""What a page did before then says little of what it does now. The first listing already tells of half a year, where that is no more than
`walls.MANY` posts: what a page gets differs so much from post to post that a month of a quiet one says next to nothing."""
EVEN = (1.0,) * hours.WEEK


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """`half_life`: seconds in which half of a post's comments come. `written`, `published`: factors of the local hours of a week."""

    half_life: float = rates.USUAL_HALF_LIFE
    written: tuple[float, ...] = EVEN
    published: tuple[float, ...] = EVEN

    def hour_factor(self, moment: datetime, zone: ZoneInfo) -> float:
        """How much of a week's comments the hour of this moment gets in a page's own zone."""
        return self.written[hour_of(moment, zone)]


@dataclass(frozen=True, kw_only=True, slots=True)
class PageHabit:
    """A page: comments that a post of it gets in its life, posts that it publishes a second, and where its people live."""

    mean: float
    posts: float
    zone: ZoneInfo

    @property
    def weight(self) -> float:
        """Comments a second that come of what it publishes: listings of walls are shared out by it."""
        return self.mean * self.posts


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """The sum of the weights of all posts that are looked at, their number, and the greatest weights in falling order."""

    weights: float
    posts: int
    liveliest: tuple[float, ...]


def hour_of(moment: datetime, zone: ZoneInfo) -> int:
    """The hour of the week in a zone."""
    local = moment.astimezone(zone)
    return local.weekday() * 24 + local.hour


_ZONES = """
WITH RECURSIVE place(id, zone) AS (
  SELECT id, timezone FROM territory WHERE parent_id IS NULL
  UNION ALL SELECT t.id, coalesce(t.timezone, place.zone) FROM territory t JOIN place ON t.parent_id = place.id)
"""

_HOUR = "CAST((extract(isodow FROM {at}) - 1) * 24 + extract(hour FROM {at}) AS int)"


async def learn(session: ReadSession, *, platform: str, timezone: str) -> Habits:
    """The habits of a platform: ages of the newest comments, local hours of a sample of all; `timezone` is that of places without one."""
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
    return Habits(
        half_life=max(float(ages.half), 60.0) if ages.n >= AGE_WEIGHT else rates.USUAL_HALF_LIFE,
        written=await _hours(session, "comment", "written_at", "AND NOT c.by_page", platform=platform, timezone=timezone),
        published=await _hours(session, "post", "published_at", "", platform=platform, timezone=timezone),
    )


async def _hours(session: ReadSession, table: str, column: str, only: str, *, platform: str, timezone: str) -> tuple[float, ...]:
    """Factors of the hours of a week, by a sample of a table's rows."""
    whole = float(
        (
            await session.execute(text("SELECT greatest(reltuples, 0) FROM pg_class WHERE oid = CAST(:t AS regclass)"), {"t": table})
        ).scalar_one()
    )
    local = f"c.{column} AT TIME ZONE coalesce(place.zone, :zone)"
    rows = await session.execute(
        text(
            f"""
            {_ZONES}
            SELECT {_HOUR.format(at=local)} AS hour, count(*) AS n
            FROM {table} c TABLESAMPLE SYSTEM (:percent) JOIN page g ON g.id = c.page_id LEFT JOIN place ON place.id = g.territory_id
            WHERE g.platform = :platform {only} GROUP BY 1
            """  # noqa: S608 - our own names
        ),
        {"platform": platform, "zone": timezone, "percent": min(100.0, 100.0 * SAMPLE / max(whole, 1.0))},
    )
    told = {row.hour: float(row.n) for row in rows}
    return hours.factors([told.get(hour, 0.0) for hour in range(hours.WEEK)], HOUR_WEIGHT)


async def pages(session: ReadSession, *, platform: str, half_life: float, timezone: str, now: datetime) -> dict[int, PageHabit]:
    """Every page that is watched, by its posts of the last half year.

    Of a page whose first listing did not reach back so far, its posts tell since when it was watched.
    """
    rows = await session.execute(
        text(
            f"""
            {_ZONES}
            SELECT g.id, coalesce(place.zone, :zone) AS zone, count(p.id) AS posts, coalesce(sum(p.seen_count), 0) AS comments,
              coalesce(sum(p.age / (CAST(:half AS float8) + p.age)), 0) AS exposed, coalesce(max(p.age), :watched) AS oldest
            FROM page g LEFT JOIN place ON place.id = g.territory_id LEFT JOIN LATERAL (
              SELECT id, coalesce(seen_count, 0) AS seen_count, greatest(extract(epoch FROM :now - published_at), 0) AS age FROM post
              WHERE page_id = g.id AND published_at > :now - make_interval(secs => :watched)) p ON true
            WHERE g.platform = :platform AND g.active AND NOT g.elsewhere GROUP BY 1, 2
            """  # noqa: S608 - our own words
        ),
        {"platform": platform, "zone": timezone, "half": half_life, "now": now, "watched": WATCHED_SECONDS},
    )
    found = list(rows)
    usual = rates.usual_mean(sum(float(row.comments) for row in found), sum(float(row.exposed) for row in found))
    return {
        row.id: PageHabit(
            mean=rates.page_mean(float(row.comments), float(row.exposed), usual),
            posts=walls.publishing(row.posts, float(row.oldest) if row.posts >= walls.MANY else WATCHED_SECONDS),
            zone=ZoneInfo(row.zone),
        )
        for row in found
    }


async def demand(session: ReadSession, *, platform: str) -> Demand:
    """What all posts of a platform ask for."""
    watched = "FROM post p JOIN page g ON g.id = p.page_id WHERE g.platform = :platform AND g.active AND p.gone_at IS NULL"
    row = (
        await session.execute(
            text(f"SELECT coalesce(sum(CASE WHEN p.weight > 0 THEN p.weight ELSE :new END), 0) AS weights, count(*) AS posts {watched}"),
            {"platform": platform, "new": NEW_WEIGHT},
        )
    ).one()
    liveliest = await session.scalars(
        text(f"SELECT p.weight {watched} ORDER BY p.weight DESC LIMIT :most"),
        {"platform": platform, "most": LIVELIEST},
    )
    return Demand(weights=float(row.weights), posts=int(row.posts), liveliest=tuple(float(one) for one in liveliest))
