"""What platforms push: who may push for a page, and the inbox that an event is in before the platform is answered."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit import service as audit
from app.kernel.jobs import INBOUND_PUSH, enqueue
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.kernel.db import ReadSession, WriteSession
    from app.kernel.vault import Vault
    from connectors.contract import Pushed

BODY_LIMIT = 256 * 1024
REMEMBERED = timedelta(days=14)
"""How long an event's number is known after it was handled: the same one is not taken twice."""
NEWS = timedelta(days=7)
"""What happened longer ago is no news: shorter than `REMEMBERED`, so that no event comes back once its number is forgotten."""
AHEAD = timedelta(hours=1)
_LONGEST = 200
# Compared with when there is nothing to compare with: refusing a page that is not there costs the same.
_NOBODY = sha256(secrets.token_bytes(32)).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Hook:
    """A page that may be pushed for."""

    page_id: int
    confirmation: str


_FIND = text(
    "SELECT h.page_id, h.secret_hash, h.confirmation FROM page_hook h JOIN page g ON g.id = h.page_id "
    "WHERE g.platform = :platform AND g.external_id = :page AND g.active AND h.revoked_at IS NULL AND NOT h.signed"
)
_SIGNERS = text("SELECT page_id, sealed FROM otklik_signers(:platform, :page)")
_NOBODYS_TOKEN = secrets.token_urlsafe(32)


async def admitted(session: ReadSession, *, platform: str, page: str, pushed: Pushed | None) -> Hook | None:
    """The hook that this request proves to know; None for every other reason alike, after the same work."""
    row = (await session.execute(_FIND, _named(platform, page))).one_or_none()
    given = sha256((pushed.secret if pushed is not None else "").encode("utf-8", "surrogatepass")).digest()
    same = hmac.compare_digest(given, _NOBODY if row is None else bytes(row.secret_hash))
    if row is None or pushed is None or not same or not pushed.secret:
        return None
    if pushed.page_external_id is not None and pushed.page_external_id != page:
        return None
    return Hook(page_id=row.page_id, confirmation=row.confirmation)


async def admitted_by_signature(
    session: ReadSession, vault: Vault, *, platform: str, page: str, is_genuine: Callable[[str], bool]
) -> Hook | None:
    """The hook of a page with whose own token this request is signed; None for every other reason alike, after the same work."""
    rows = (await session.execute(_SIGNERS, _named(platform, page))).all()
    tokens = [(row.page_id, vault.open(bytes(row.sealed))) for row in rows] or [(None, _NOBODYS_TOKEN)]
    signers = [page_id for page_id, token in tokens if is_genuine(token)]
    return Hook(page_id=signers[0], confirmation="") if signers and signers[0] is not None else None


def _named(platform: str, page: str) -> dict[str, str]:
    return {"platform": storable(platform)[0][:_LONGEST], "page": storable(page)[0][:_LONGEST]}


async def take_event(session: WriteSession, hook: Hook, *, event_id: str, body: bytes, happened_at: datetime | None, now: datetime) -> bool:
    """Into the inbox, once; False for one that is known already or is no news. The worker is woken."""
    if happened_at is not None and not now - NEWS <= happened_at <= now + AHEAD:
        return False
    added = await session.execute(
        # No RETURNING and no named constraint: the web process may add events and read none.
        text("INSERT INTO pushed_event (page_id, event_id, body, received_at) VALUES (:page, :event, :body, :now) ON CONFLICT DO NOTHING"),
        {"page": hook.page_id, "event": storable(event_id)[0][:_LONGEST], "body": body, "now": now},
    )
    if not getattr(added, "rowcount", 0):
        return False
    await enqueue(session, INBOUND_PUSH, {"page": hook.page_id})
    return True


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingEvent:
    """An event in the inbox that nobody has handled."""

    id: int
    platform: str
    page_external_id: str
    page_options: dict[str, str]
    body: bytes
    received_at: datetime


# Events of a page follow from each other: who handled a later one beside an earlier would meet a comment of an unknown post.
_IN_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended('pushed_event:' || :platform, 0))")
_WAITING = text(
    """
    SELECT e.id, g.platform, g.external_id AS page_external_id, g.options AS page_options, e.body, e.received_at
    FROM pushed_event e JOIN page g ON g.id = e.page_id
    WHERE e.handled_at IS NULL AND g.platform = ANY (:platforms)
    ORDER BY e.id LIMIT :most FOR UPDATE OF e
    """
)


async def waiting_events(session: WriteSession, *, platforms: list[str], most: int) -> list[WaitingEvent]:
    """The oldest events of these platforms, once no other worker handles any."""
    for platform in sorted(platforms):
        await session.execute(_IN_TURN, {"platform": platform})
    rows = await session.execute(_WAITING, {"platforms": platforms, "most": most})
    return [WaitingEvent(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name


async def events_handled(session: WriteSession, *, ids: list[int], now: datetime) -> None:
    """They are stored: their bodies go, their numbers stay for a while."""
    await session.execute(text("UPDATE pushed_event SET handled_at = :now, body = NULL WHERE id = ANY (:ids)"), {"ids": ids, "now": now})


async def forget_events(session: WriteSession, *, now: datetime, most: int = 5_000) -> int:
    """Drop numbers that need not be known any more, some at a time; how many."""
    gone = await session.execute(
        text(
            "DELETE FROM pushed_event WHERE id IN (SELECT id FROM pushed_event WHERE handled_at < :before ORDER BY handled_at LIMIT :most) "
            "RETURNING id"
        ),
        {"before": now - REMEMBERED, "most": most},
    )
    return len(gone.all())


async def hooked(session: ReadSession, *, platform: str, pages: Sequence[str]) -> frozenset[str]:
    """Those of some pages that may be pushed for."""
    rows = await session.execute(
        text(
            "SELECT g.external_id FROM page_hook h JOIN page g ON g.id = h.page_id "
            "WHERE h.revoked_at IS NULL AND g.platform = :platform AND g.external_id = ANY (:pages)"
        ),
        {"platform": platform, "pages": list(pages)},
    )
    return frozenset(rows.scalars())


# --- who may push: by command ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class HookLine:
    """A hook in the administrator's list; what waits in its inbox, and when something came last."""

    id: int
    platform: str
    page: str
    external_id: str
    created_at: datetime
    waiting: int
    last_at: datetime | None


async def add_hook(session: WriteSession, *, page_id: int, confirmation: str, now: datetime, signed: bool = False) -> str:
    """Let a platform push for a page (a former secret of the page ends); the secret, told once, or of no use where the platform signs."""
    secret = secrets.token_urlsafe(32)
    await session.execute(
        text("UPDATE page_hook SET revoked_at = :now WHERE page_id = :page AND revoked_at IS NULL"), {"page": page_id, "now": now}
    )
    row = await session.execute(
        text(
            "INSERT INTO page_hook (page_id, secret_hash, confirmation, signed, created_at) "
            "VALUES (:page, :hash, :code, :signed, :now) RETURNING id"
        ),
        {"page": page_id, "hash": sha256(secret.encode()).digest(), "code": confirmation, "signed": signed, "now": now},
    )
    await audit.record(session, operator_id=None, act="hook.added", subject="page", subject_id=page_id, data={"hook": row.scalar_one()})
    return secret


async def remove_hook(session: WriteSession, *, page_id: int, now: datetime) -> bool:
    """Refuse from now on; False when there was none."""
    row = await session.execute(
        text("UPDATE page_hook SET revoked_at = :now WHERE page_id = :page AND revoked_at IS NULL RETURNING id"),
        {"page": page_id, "now": now},
    )
    found = row.scalar_one_or_none()
    if found is not None:
        await audit.record(session, operator_id=None, act="hook.removed", subject="page", subject_id=page_id, data={"hook": found})
    return found is not None


async def list_hooks(session: ReadSession) -> list[HookLine]:
    """Those in use."""
    rows = await session.execute(
        text(
            """
            SELECT h.id, g.platform, g.title AS page, g.external_id, h.created_at,
              (SELECT count(*) FROM pushed_event e WHERE e.page_id = g.id AND e.handled_at IS NULL) AS waiting,
              (SELECT max(e.received_at) FROM pushed_event e WHERE e.page_id = g.id) AS last_at
            FROM page_hook h JOIN page g ON g.id = h.page_id WHERE h.revoked_at IS NULL ORDER BY g.platform, h.id
            """
        )
    )
    return [HookLine(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name
