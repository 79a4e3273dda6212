"""Pages and their feeds: connecting, leasing, what a poll leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import text

from app.kernel.db import Bulk
from app.kernel.errors import ConflictError
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession
    from connectors.contract import PageSnapshot, PostCount

CARRIED_EVERY = timedelta(seconds=10)
"""A busy stream is read many times a second, and each time for all its pages: so often is that written down."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LeasedFeed:
    """A feed that this worker may poll until its lease ends."""

    id: int
    key: str
    page_id: int | None
    cursor: str | None
    discover_due: bool
    discover_at: datetime
    listed_at: datetime | None
    failures: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchedPage:
    """A page as the connector knows it."""

    id: int
    external_id: str
    options: dict[str, str]
    watched_since: datetime
    elsewhere: bool
    """A search for what is written about us on other pages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchedPost:
    """A post whose counter is due, the counter at its last complete read, and how lively it was at `heat_at`."""

    id: int
    page_id: int
    page_external_id: str
    page_options: dict[str, str]
    external_id: str
    thread_ref: str | None
    published_at: datetime
    seen_count: int | None
    read_at: datetime | None
    heat: float
    heat_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What one look at a post's counter leaves: when to come again, and what was learnt. `there`: it was told, so the post is not gone."""

    post_id: int
    there: bool
    again_at: datetime
    weight: float
    heat: float


async def connect_page(
    session: WriteSession,
    *,
    platform: str,
    snapshot: PageSnapshot,
    agency_id: int,
    territory_id: int,
    sphere_id: int | None,
    watched_since: datetime,
    now: datetime,
) -> int:
    """Watch a page from now on (again, if it was watched before: its first `watched_since` then stays); its id."""
    row = await session.execute(
        text(
            """
            INSERT INTO page AS p (platform, external_id, title, link, members, options, agency_id, territory_id, sphere_id, connected_at,
              watched_since, elsewhere)
            VALUES (:platform, :external_id, :title, :link, :members, CAST(:options AS jsonb), :agency_id, :territory_id, :sphere_id, :now,
              :since, :elsewhere)
            ON CONFLICT (platform, external_id) DO UPDATE SET title = excluded.title, link = excluded.link,
              members = coalesce(excluded.members, p.members), options = p.options || excluded.options,
              agency_id = excluded.agency_id, territory_id = excluded.territory_id, sphere_id = excluded.sphere_id, active = true,
              elsewhere = p.elsewhere OR excluded.elsewhere
            RETURNING id
            """
        ),
        {
            "platform": platform, "external_id": snapshot.external_id, "title": storable(snapshot.title)[0],
            "link": storable(snapshot.link)[0],
            "members": snapshot.members, "options": orjson.dumps(dict(snapshot.options)).decode(), "agency_id": agency_id,
            "territory_id": territory_id, "sphere_id": sphere_id, "now": now, "since": watched_since, "elsewhere": snapshot.elsewhere,
        },
    )  # fmt: skip
    return int(row.scalar_one())


async def watched_pages(session: ReadSession, *, platform: str) -> list[WatchedPage]:
    """The active pages of a platform."""
    rows = await session.execute(
        text("SELECT id, external_id, options, watched_since, elsewhere FROM page WHERE platform = :platform AND active ORDER BY id"),
        {"platform": platform},
    )
    return [WatchedPage(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def found_before(session: ReadSession, *, platform: str, page_id: int, post_ids: Sequence[str]) -> set[tuple[str, str]]:
    """Which mentions (post, comment) another search has found under these posts: what two searches find is one matter."""
    rows = await session.execute(
        text(
            """
            SELECT p.external_id AS post, c.external_id AS comment FROM post p JOIN comment c ON c.post_id = p.id
            WHERE p.page_id IN (SELECT id FROM page WHERE platform = :platform AND elsewhere AND id <> :page)
              AND p.external_id = ANY (:posts)
            """
        ),
        {"platform": platform, "page": page_id, "posts": sorted(set(post_ids))},
    )
    return {(row.post, row.comment) for row in rows}


_ENSURE_FEEDS = Bulk(
    """
    INSERT INTO feed (platform, key, page_id, due_at, discover_at) SELECT platform, key, page_id, due_at, due_at FROM {rows}
    ON CONFLICT (platform, key) DO NOTHING
    """,
    platform="text", key="text", page_id="bigint", due_at="timestamptz",
)  # fmt: skip


async def ensure_feeds(session: WriteSession, *, platform: str, feeds: Sequence[tuple[str, int | None]], now: datetime) -> None:
    """Have a row for each (key, page id or None), due at once when it is new."""
    await _ENSURE_FEEDS.run(session, [(platform, key, page_id, now) for key, page_id in sorted(feeds, key=lambda feed: feed[0])])


_ENSURE_CARRIED = Bulk(
    """
    INSERT INTO feed (platform, key, page_id, due_at, discover_at)
    SELECT platform, 'page:' || p.external_id, p.id, 'infinity', 'infinity' FROM {rows} JOIN page p USING (platform, external_id)
    ON CONFLICT (platform, key) DO NOTHING
    """,
    platform="text", external_id="text",
)  # fmt: skip


async def ensure_carried(session: WriteSession, *, platform: str, pages: Sequence[str]) -> None:
    """Have a row for each page (external id) that a stream carries: never due, it only says how reading the page goes."""
    await _ENSURE_CARRIED.run(session, [(platform, page) for page in sorted(pages)])


def _carried_keys(pages: Sequence[str]) -> list[str]:
    return [f"page:{page}" for page in sorted(pages)]


async def carried_read(session: WriteSession, *, platform: str, pages: Sequence[str], now: datetime) -> None:
    """A stream that carries these pages was read; a moment that was written down just now is left as it is.

    A stream may tell that the page itself is lost to us (`no_access`): that stands until it tells otherwise.
    """
    await session.execute(
        text(
            """
            UPDATE feed f SET polled_at = :now, failures = 0, error_code = CASE WHEN p.lost IS NOT NULL THEN 'no_right' END,
              error_detail = p.lost
            FROM (SELECT id, nullif(options ->> 'no_access', '') AS lost FROM page) p
            WHERE p.id = f.page_id AND f.platform = :platform AND f.key = ANY (:keys)
              AND (f.polled_at IS NULL OR f.polled_at < :stale OR f.error_detail IS DISTINCT FROM p.lost
                OR (f.error_code IS NOT NULL) <> (p.lost IS NOT NULL))
            """
        ),
        {"platform": platform, "keys": _carried_keys(pages), "now": now, "stale": now - CARRIED_EVERY},
    )


async def carried_failed(session: WriteSession, *, platform: str, pages: Sequence[str], code: str, detail: str) -> None:
    """The stream that carries these pages cannot be read: for the people who mend it."""
    await session.execute(
        text(
            """
            UPDATE feed SET failures = failures + 1, error_code = :code, error_detail = :detail
            WHERE platform = :platform AND key = ANY (:keys)
            """
        ),
        {"platform": platform, "keys": _carried_keys(pages), "code": code, "detail": storable(detail)[0][:500]},
    )


async def lease_feeds(session: WriteSession, *, platform: str, worker: str, now: datetime, lease: timedelta, most: int) -> list[LeasedFeed]:
    """Take up to `most` due feeds that nobody holds, the longest waiting first."""
    rows = await session.execute(
        text(
            """
            WITH free AS (
              SELECT f.id FROM feed f LEFT JOIN page p ON p.id = f.page_id
              WHERE f.platform = :platform AND f.due_at <= :now AND (f.leased_until IS NULL OR f.leased_until < :now)
                AND coalesce(p.active, true)
              ORDER BY f.due_at LIMIT :most FOR UPDATE OF f SKIP LOCKED)
            UPDATE feed f SET leased_by = :worker, leased_until = :until FROM free WHERE f.id = free.id
            RETURNING f.id, f.key, f.page_id, f.cursor, f.discover_at <= :now AS discover_due, f.discover_at, f.listed_at, f.failures
            """
        ),
        {"platform": platform, "now": now, "worker": worker, "until": now + lease, "most": most},
    )
    return [LeasedFeed(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def keep_lease(session: WriteSession, *, feed_ids: Sequence[int], worker: str, until: datetime) -> None:
    """Prove that we still hold these feeds, and hold on: called in the transaction that stores what they brought.

    Raises ConflictError when another worker has taken one over: what we read is then theirs to store.
    """
    held = await session.execute(
        text("UPDATE feed SET leased_until = :until WHERE id = ANY (:ids) AND leased_by = :worker RETURNING id"),
        {"ids": list(feed_ids), "worker": worker, "until": until},
    )
    if len(held.all()) != len(set(feed_ids)):
        raise ConflictError("feed.lease", "Another worker has taken this feed over.")


async def advance_cursor(session: WriteSession, *, feed_id: int, cursor: str) -> None:
    """Remember how far a stream was stored."""
    await session.execute(text("UPDATE feed SET cursor = :cursor WHERE id = :id"), {"id": feed_id, "cursor": cursor})


async def schedule_discovery(session: WriteSession, *, feed_ids: Sequence[int], at: datetime, listed_at: datetime | None) -> None:
    """They were listed: when again. `listed_at`: it began then and told all that is new; None where it did not."""
    listed = text(
        "UPDATE feed SET discover_at = :at, listed_at = coalesce(:listed, listed_at), error_code = nullif(error_code, 'quota') "
        "WHERE id = ANY (:ids)"
    )
    await session.execute(listed, {"ids": list(feed_ids), "at": at, "listed": listed_at})


async def postpone_discovery(session: WriteSession, *, feed_ids: Sequence[int], until: datetime, now: datetime, detail: str) -> None:
    """No call is left for these listings until then, and their pages say so: who waits longest stays first, by a thousandth of it."""
    postpone = text(
        "UPDATE feed SET discover_at = CAST(:until AS timestamptz) - (CAST(:now AS timestamptz) - discover_at) / 1000, "
        "error_code = 'quota', error_detail = :detail WHERE id = ANY (:ids)"
    )
    await session.execute(postpone, {"ids": list(feed_ids), "now": now, "until": until, "detail": storable(detail)[0][:500]})


async def release_feeds(
    session: WriteSession,
    *,
    feed_ids: Sequence[int],
    worker: str,
    now: datetime,
    due_at: datetime,
    troubled: Sequence[int] = (),
) -> list[int]:
    """Give feeds back after a good poll; of the `troubled`, and where a listing waits for a quota, the error stays. Those still ours.

    A page comes again when the first of its posts is due or its wall is to be listed, but not before `due_at`.
    """
    held = await session.scalars(
        text(
            """
            UPDATE feed SET leased_by = NULL, leased_until = NULL, polled_at = :now, failures = 0,
              due_at = greatest(CAST(:due AS timestamptz), CASE WHEN page_id IS NOT NULL THEN least(discover_at,
                (SELECT min(probe_at) FROM post WHERE post.page_id = feed.page_id AND probe_at < 'infinity')) END),
              (error_code, error_detail) = (SELECT error_code, error_detail
                WHERE id = ANY (:troubled) OR (error_code = 'quota' AND discover_at > :now))
            WHERE id = ANY (:ids) AND leased_by = :worker RETURNING id
            """
        ),
        {"ids": list(feed_ids), "worker": worker, "now": now, "due": due_at, "troubled": list(troubled)},
    )
    return list(held)


async def fail_feeds(session: WriteSession, *, feed_ids: Sequence[int], worker: str, due_at: datetime, code: str, detail: str) -> list[int]:
    """Give feeds back after a failure: what and until when, for the people who mend it. Those that were still ours."""
    held = await session.scalars(
        text(
            """
            UPDATE feed SET leased_by = NULL, leased_until = NULL, due_at = :due, failures = failures + 1, error_code = :code,
              error_detail = :detail
            WHERE id = ANY (:ids) AND leased_by = :worker RETURNING id
            """
        ),
        {"ids": list(feed_ids), "worker": worker, "due": due_at, "code": code, "detail": storable(detail)[0][:500]},
    )
    return list(held)


async def due_posts(
    session: ReadSession, *, page_ids: Sequence[int], now: datetime, soon: timedelta, most: int, step: int
) -> list[WatchedPost]:
    """Posts of these pages whose counter is due, the most overdue first.

    When some are due, a call that is not full takes those along that become due within `soon`: `step` go into one.
    """
    rows = await session.execute(
        text(
            """
            SELECT p.id, p.page_id, g.external_id AS page_external_id, g.options AS page_options, p.external_id, p.thread_ref,
              p.published_at, p.seen_count, p.read_at, p.heat, p.heat_at, p.probe_at <= :now AS due
            FROM post p JOIN page g ON g.id = p.page_id
            WHERE p.page_id = ANY (:pages) AND p.probe_at <= :until AND p.probe_at < 'infinity'
            ORDER BY p.probe_at LIMIT :most
            """
        ),
        {"pages": list(page_ids), "now": now, "until": now + soon, "most": most},
    )
    found = [dict(row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name
    due = sum(row.pop("due") for row in found)
    return [WatchedPost(**row) for row in found[: -(-due // step) * step]]


_SCHEDULE_LOOKS = Bulk(
    """
    UPDATE post p SET probe_at = r.again_at, weight = r.weight, heat = r.heat, heat_at = :now,
      gone_at = CASE WHEN NOT r.there THEN p.gone_at END
    FROM {rows} WHERE p.id = r.id
    """,
    id="bigint", again_at="timestamptz", weight="real", heat="real", there="boolean",
)  # fmt: skip


async def looked(session: WriteSession, looks: Sequence[Look], *, now: datetime) -> None:
    """Write down what looks left."""
    rows = sorted((look.post_id, look.again_at, look.weight, look.heat, look.there) for look in looks)
    await _SCHEDULE_LOOKS.run(session, rows, now=now)


_SCHEDULE_PROBES = Bulk(
    "UPDATE post p SET probe_at = r.probe_at FROM {rows} WHERE p.id = r.id",
    id="bigint", probe_at="timestamptz",
)  # fmt: skip


async def schedule_probes(session: WriteSession, rows: Sequence[tuple[int, datetime]]) -> None:
    """(post id, when to look at its counter again)."""
    await _SCHEDULE_PROBES.run(session, sorted(rows))


async def post_read(session: WriteSession, *, post_id: int, count: PostCount, at: datetime) -> None:
    """All comments of the post are stored as of `at`: its counter is compared with this one from now on."""
    await session.execute(
        text("UPDATE post SET seen_count = :count, read_at = :at WHERE id = :id"),
        {"id": post_id, "count": count.comment_count, "at": at},
    )


async def wake_feeds(session: WriteSession, *, platform: str, pages: Sequence[str], now: datetime) -> None:
    """Look at these pages (external ids) soon: news of them came by another way."""
    await session.execute(
        text(
            """
            UPDATE feed SET due_at = :now WHERE due_at > :now AND platform = :platform AND leased_by IS NULL
              AND page_id IN (SELECT id FROM page WHERE platform = :platform AND external_id = ANY (:pages)) AND due_at < 'infinity'
            """
        ),
        {"platform": platform, "pages": sorted(set(pages)), "now": now},
    )


async def posts_gone(session: WriteSession, *, post_ids: Sequence[int], at: datetime, again: timedelta) -> None:
    """The platform does not show these posts; their comments stay as they were.

    They are looked for again after `again`, then after as long as they are gone, up to a thousand times that: they may be restored.
    """
    gone = text(
        """
        UPDATE post p SET gone_at = r.gone_at, probe_at = CASE WHEN r.length < CAST(:again AS interval) * 1000
          THEN r.gone_at + r.length + greatest(r.length, CAST(:again AS interval)) ELSE 'infinity' END
        FROM (SELECT id, coalesce(gone_at, :at) AS gone_at, CAST(:at AS timestamptz) - coalesce(gone_at, :at) AS length
          FROM post WHERE id = ANY (:ids)) r
        WHERE p.id = r.id
        """
    )
    await session.execute(gone, {"ids": list(post_ids), "at": at, "again": again})


async def note_trouble(session: WriteSession, *, feed_id: int, worker: str, code: str, detail: str) -> None:
    """Something about one page is wrong while its feed goes on: for the people who mend it."""
    await session.execute(
        text("UPDATE feed SET error_code = :code, error_detail = :detail WHERE id = :id AND leased_by = :worker"),
        {"id": feed_id, "worker": worker, "code": code, "detail": storable(detail)[0][:500]},
    )
