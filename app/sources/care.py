"""Mending the watching of a page: what stands in its way, whether what is pushed arrives, and trying again at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit import service as audit
from app.kernel.jobs import PAGES_AGAIN, enqueue

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Care:
    """The last failure in the platform's own words; since when it may push (or is listened to), what came last, what waits."""

    failed_code: str | None
    failed_detail: str | None
    hooked_at: datetime | None
    pushed_at: datetime | None
    waiting: int
    listening_since: datetime | None
    heard_at: datetime | None
    deaf_code: str | None
    deaf_detail: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SetAsideTold:
    """Something of a page that would not go in: why, how often it was met, since when and when last."""

    reason: str
    times: int
    first_at: datetime
    last_at: datetime


ASIDE_SHOWN = 200
_CARRIED = text(
    "SELECT f.page_id FROM feed f JOIN page p ON p.id = f.page_id "
    "WHERE f.due_at = 'infinity' AND p.platform = :platform AND p.external_id = ANY (:pages) ORDER BY f.page_id"
)


async def aside_of(session: ReadSession, *, page_id: int) -> list[SetAsideTold]:
    """The latest of it; nothing for whoever does not look after this page."""
    found = await session.execute(text("SELECT * FROM otklik_page_aside(:page, :most)"), {"page": page_id, "most": ASIDE_SHOWN})
    return [SetAsideTold(**row._mapping) for row in found]  # noqa: SLF001 - SQLAlchemy's documented name


async def care_of(session: ReadSession, *, page_id: int) -> Care | None:
    """None for whoever does not look after this page."""
    row = (await session.execute(text("SELECT * FROM otklik_page_care(:page)"), {"page": page_id})).one_or_none()
    return None if row is None else Care(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


async def ask_again(session: WriteSession, *, operator_id: int, page_id: int) -> None:
    """Somebody says that it is mended: the worker tries now instead of waiting out its pause."""
    await enqueue(session, PAGES_AGAIN, {"page": page_id})
    await audit.record(session, operator_id=operator_id, act="page.tried_again", subject="page", subject_id=page_id)


async def list_at_once(session: WriteSession, *, platform: str, pages: Sequence[str], now: datetime) -> None:
    """The platform says that we were sent away from these pages (external ids), or let in: the next round shows whether it is so.

    Of a page that a stream carries no round shows it: the worker asks.
    """
    of_pages = {"platform": platform, "pages": sorted(set(pages))}
    for page_id in (await session.execute(_CARRIED, of_pages)).scalars():
        await enqueue(session, PAGES_AGAIN, {"page": page_id})
    await session.execute(
        text(
            """
            UPDATE feed SET due_at = least(due_at, :now), discover_at = least(discover_at, :now) WHERE due_at < 'infinity'
              AND page_id IN (SELECT id FROM page WHERE platform = :platform AND external_id = ANY (:pages))
            """
        ),
        {**of_pages, "now": now},
    )


async def try_again(session: WriteSession, *, page_id: int, now: datetime) -> int:
    """Have the page read at once, and what failed on its platform for the same reason: a token is mended for all its pages. How many."""
    gone = await session.execute(
        text(
            """
            UPDATE feed f SET due_at = least(f.due_at, :now), discover_at = least(f.discover_at, :now), failures = 0
            FROM page g LEFT JOIN feed own ON own.page_id = g.id
            WHERE g.id = :page AND f.platform = g.platform AND f.due_at <> 'infinity'
              AND (f.page_id = g.id OR f.error_code = own.error_code)
            RETURNING f.id
            """
        ),
        {"page": page_id, "now": now},
    )
    heard = await session.execute(
        text("UPDATE page_listener SET due_at = least(due_at, :now), failures = 0 WHERE page_id = :page RETURNING page_id"),
        {"page": page_id, "now": now},
    )
    return len(gone.all()) + len(heard.all())
