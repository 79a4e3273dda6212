"""Pages that are listened to: who listens, from where on, and how it goes. What is heard goes into the inbox of pushed events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit import service as audit
from app.sources.hooks import Hook, take_event
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession
    from connectors.contract import Heard


@dataclass(frozen=True, kw_only=True, slots=True)
class LeasedPage:
    """A page that this worker may listen to until its lease ends."""

    page_id: int
    external_id: str
    cursor: str | None
    failures: int


_LEASE = text(
    """
    UPDATE page_listener l SET leased_by = :worker, leased_until = :until FROM (
      SELECT l.page_id, g.external_id FROM page_listener l JOIN page g ON g.id = l.page_id
      WHERE g.platform = :platform AND g.active AND l.due_at <= :now AND (l.leased_until IS NULL OR l.leased_until <= :now)
      ORDER BY l.due_at LIMIT :most FOR UPDATE OF l SKIP LOCKED
    ) free WHERE l.page_id = free.page_id
    RETURNING l.page_id, free.external_id, l.cursor, l.failures
    """
)


async def lease_pages(session: WriteSession, *, platform: str, worker: str, now: datetime, until: datetime, most: int) -> list[LeasedPage]:
    """Pages that nobody listens to now: ours until the lease ends."""
    rows = await session.execute(_LEASE, {"platform": platform, "worker": worker, "now": now, "until": until, "most": most})
    return [LeasedPage(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def keep_pages(session: WriteSession, *, page_ids: Sequence[int], worker: str, until: datetime) -> set[int]:
    """Hold on; which of these pages are still ours."""
    rows = await session.scalars(
        text(
            """
            UPDATE page_listener l SET leased_until = :until FROM page g
            WHERE l.page_id = ANY (:pages) AND l.leased_by = :worker AND g.id = l.page_id AND g.active RETURNING l.page_id
            """
        ),
        {"pages": list(page_ids), "worker": worker, "until": until},
    )
    return set(rows)


async def leave_pages(session: WriteSession, *, worker: str) -> None:
    """A good end: another worker need not wait until our time is over."""
    await session.execute(
        text("UPDATE page_listener SET leased_by = NULL, leased_until = NULL WHERE leased_by = :worker"), {"worker": worker}
    )


async def take_heard(session: WriteSession, *, page_id: int, worker: str, heard: Heard, now: datetime) -> bool:
    """Events into the inbox and the cursor past them, in one transaction; False when the page is not ours any more."""
    ours = await session.execute(
        text(
            """
            UPDATE page_listener SET cursor = :cursor, heard_at = :now, failures = 0, error_code = NULL, error_detail = NULL
            WHERE page_id = :page AND leased_by = :worker RETURNING page_id
            """
        ),
        {"page": page_id, "worker": worker, "cursor": heard.cursor, "now": now},
    )
    if ours.first() is None:
        return False
    for event in heard.events:
        hook = Hook(page_id=page_id, confirmation="")
        await take_event(session, hook, event_id=event.event_id, body=event.body, happened_at=event.happened_at, now=now)
    return True


async def fail_page(session: WriteSession, *, page_id: int, worker: str, due_at: datetime, code: str, detail: str) -> None:
    """Give a page back after a failure: what and until when, for the people who mend it."""
    await session.execute(
        text(
            """
            UPDATE page_listener SET leased_by = NULL, leased_until = NULL, due_at = :due, failures = failures + 1, error_code = :code,
              error_detail = :detail
            WHERE page_id = :page AND leased_by = :worker
            """
        ),
        {"page": page_id, "worker": worker, "due": due_at, "code": code, "detail": storable(detail)[0][:500]},
    )


# --- by command ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class ListenerLine:
    """A page that is listened to, in the administrator's list."""

    platform: str
    page: str
    external_id: str
    started_at: datetime
    heard_at: datetime | None
    error: str | None


async def start_listening(session: WriteSession, *, page_id: int, kinds: Sequence[str], now: datetime) -> bool:
    """Listen to a page from now on; False when no token of these kinds may: one of the page's own, or a person's for all pages."""
    able = await session.scalar(
        text(
            """
            SELECT EXISTS (SELECT FROM credential c JOIN page g ON g.platform = c.platform WHERE g.id = :page AND c.revoked_at IS NULL
              AND c.kind = ANY (:kinds) AND coalesce(c.page_id, g.id) = g.id)
            """
        ),
        {"page": page_id, "kinds": list(kinds)},
    )
    if not able:
        return False
    await session.execute(
        text(
            """
            INSERT INTO page_listener (page_id, started_at, due_at) VALUES (:page, :now, :now)
            ON CONFLICT (page_id) DO UPDATE SET due_at = :now
            """
        ),
        {"page": page_id, "now": now},
    )
    await audit.record(session, operator_id=None, act="listener.started", subject="page", subject_id=page_id)
    return True


async def stop_listening(session: WriteSession, *, page_id: int) -> bool:
    """Listen no more; False when nobody did."""
    gone = await session.execute(text("DELETE FROM page_listener WHERE page_id = :page RETURNING page_id"), {"page": page_id})
    found = gone.first() is not None
    if found:
        await audit.record(session, operator_id=None, act="listener.stopped", subject="page", subject_id=page_id)
    return found


async def list_listeners(session: ReadSession) -> list[ListenerLine]:
    """All of them."""
    rows = await session.execute(
        text(
            """
            SELECT g.platform, g.title AS page, g.external_id, l.started_at, l.heard_at,
              CASE WHEN l.error_code IS NOT NULL THEN concat_ws(': ', l.error_code, nullif(l.error_detail, '')) END AS error
            FROM page_listener l JOIN page g ON g.id = l.page_id ORDER BY g.platform, g.id
            """
        )
    )
    return [ListenerLine(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name
