"""What platforms say of pages, day by day, and how long comments take to be noticed on each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import text

from app.kernel.db import Bulk
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.db import ReadSession, WriteSession
    from connectors.pages import PageFacts

ASK_EVERY = timedelta(hours=24)
ASK_AGAIN = timedelta(hours=3)
"""After an answer that told nothing of a page; also what a worker that died in between leaves."""
KEPT_DAYS = 400
"""A year and a month: whoever looks back compares with the same season."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Lag:
    """How long a comment of a page took from being written to being stored."""

    page_id: int
    seconds: float
    written_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class DuePage:
    """A page that its platform is to be asked about."""

    id: int
    external_id: str
    link: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """What was told on a day."""

    day: date
    members: int | None
    official: bool | None


def lag_of(page_id: int, written_at: datetime, now: datetime) -> Lag:
    """The lag of a comment that was just stored; a platform's clock may be ahead of ours."""
    return Lag(page_id=page_id, seconds=max((now - written_at).total_seconds(), 0.0), written_at=written_at)


async def page_options_changed(session: WriteSession, *, platform: str, changed: Mapping[str, Mapping[str, str]]) -> None:
    """The platform has told something new of pages (by external id): what a connector keeps there follows."""
    for page, options in sorted(changed.items()):
        clean = {storable(name)[0]: storable(value)[0][:500] for name, value in options.items()}
        await session.execute(
            text("UPDATE page SET options = options || CAST(:options AS jsonb) WHERE platform = :platform AND external_id = :page"),
            {"platform": platform, "page": storable(page)[0], "options": orjson.dumps(clean).decode()},
        )


async def note_lags(session: WriteSession, lags: Sequence[Lag]) -> None:
    """Let each page's mean follow. What was written before the page was connected was not ours to notice.

    A feed that another transaction holds keeps its mean: waiting for a figure could end in a deadlock.
    """
    await _NOTE_LAGS.run(session, [(lag.page_id, lag.seconds, lag.written_at) for lag in lags])


async def take_due(session: WriteSession, *, platforms: Sequence[str], now: datetime, most: int) -> dict[str, list[DuePage]]:
    """Pages of these platforms whose facts are due, by platform; they are this worker's until `ASK_AGAIN` is over."""
    rows = await session.execute(_TAKE, {"platforms": list(platforms), "now": now, "again": now + ASK_AGAIN, "most": most})
    found: dict[str, list[DuePage]] = {}
    for row in rows:
        found.setdefault(row.platform, []).append(DuePage(id=row.id, external_id=row.external_id, link=row.link))
    return found


async def keep_facts(session: WriteSession, facts: Sequence[tuple[int, PageFacts]], *, now: datetime) -> None:
    """(page, what was told): what the platform left out stays as it was; of a day the last word counts."""
    rows = [(page, one.members, one.official, one.comments_open) for page, one in sorted(facts, key=lambda pair: pair[0])]
    await _KEEP.run(session, rows, now=now, again=now + ASK_EVERY)
    await _KEEP_DAY.run(session, [(page, now.astimezone(UTC).date(), members, official) for page, members, official, _ in rows])


async def note_closed(session: WriteSession, *, page_ids: Sequence[int], now: datetime) -> None:
    """The platform says that nobody may comment there."""
    closed = text("UPDATE page SET comments_open = false, described_at = :now, describe_at = :again WHERE id = ANY (:ids)")
    await session.execute(closed, {"ids": list(page_ids), "now": now, "again": now + ASK_EVERY})


async def days(session: ReadSession, *, page_id: int, since: date) -> list[Day]:
    """The days of a page from `since` on, the oldest first."""
    rows = await session.execute(_DAYS, {"page": page_id, "since": since})
    return [Day(day=row.day, members=row.members, official=row.official) for row in rows]


async def forget_days(session: WriteSession, *, now: datetime, most: int = 10_000) -> int:
    """Drop what is older than `KEPT_DAYS`, some at a time; how many rows went."""
    before = now.astimezone(UTC).date() - timedelta(days=KEPT_DAYS)
    return len((await session.execute(_FORGET, {"before": before, "most": most})).all())


_NOTE_LAGS = Bulk(
    """
    UPDATE feed f SET lag_s = CASE WHEN f.lag_s IS NULL THEN n.lag ELSE f.lag_s * 0.8 + n.lag * 0.2 END
    FROM (
      SELECT d.id, avg(r.lag) AS lag FROM {rows} JOIN page p ON p.id = r.page_id AND r.written_at >= p.connected_at
      JOIN LATERAL (SELECT id FROM feed WHERE page_id = r.page_id FOR UPDATE SKIP LOCKED) d ON true GROUP BY d.id) n
    WHERE f.id = n.id
    """,
    page_id="bigint", lag="real", written_at="timestamptz",
)  # fmt: skip
_TAKE = text(
    """
    UPDATE page p SET describe_at = :again
    FROM (
      SELECT id FROM page WHERE active AND describe_at <= :now AND platform = ANY (:platforms)
      ORDER BY describe_at LIMIT :most FOR UPDATE SKIP LOCKED) due
    WHERE p.id = due.id RETURNING p.id, p.platform, p.external_id, p.link
    """
)
_KEEP = Bulk(
    """
    UPDATE page p SET members = coalesce(r.members, p.members), official = coalesce(r.official, p.official),
      comments_open = coalesce(r.comments_open, p.comments_open), described_at = :now,
      describe_at = CAST(:again AS timestamptz) - random() * interval '1 hour'
    FROM {rows} WHERE p.id = r.id
    """,
    id="bigint", members="integer", official="boolean", comments_open="boolean",
)  # fmt: skip
_KEEP_DAY = Bulk(
    """
    INSERT INTO page_day AS d (page_id, day, members, official) SELECT page_id, day, members, official FROM {rows}
    ON CONFLICT (page_id, day) DO UPDATE SET members = coalesce(excluded.members, d.members),
      official = coalesce(excluded.official, d.official)
    """,
    page_id="bigint", day="date", members="integer", official="boolean",
)  # fmt: skip
_DAYS = text("SELECT day, members, official FROM page_day WHERE page_id = :page AND day >= :since ORDER BY day")
_FORGET = text(
    "DELETE FROM page_day WHERE (page_id, day) IN (SELECT page_id, day FROM page_day WHERE day < :before LIMIT :most) RETURNING page_id"
)
