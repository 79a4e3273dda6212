"""Whom we tell by webhooks, and the log of it: by command and on the administrators' screen.

The web process sees the targets within the asking administrator's own scope - row-level security says which - and never a secret.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from sqlalchemy import text

from app.audit import service as audit
from app.kernel.errors import ConflictError, InvalidError, NotFoundError
from app.kernel.outgoing import RefusedError, target as parse_target
from app.notices.webhooks import ACTS, TEST
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.db import ReadSession, WriteSession
    from app.kernel.outgoing import Hosts
    from app.kernel.vault import Vault

LONGEST_NAME = 200


async def add_target(
    session: WriteSession,
    vault: Vault,
    hosts: Hosts,
    *,
    name: str,
    url: str,
    kinds: Sequence[str],
    now: datetime,
    agency_id: int | None = None,
    territory_id: int | None = None,
    by: int | None = None,
) -> tuple[int, str]:
    """Tell this address from now on; its number and the secret that it checks signatures with, told once.

    An agency or a territory: only of appeals there, its children included; neither: of the whole region.
    InvalidError `webhook.name`, `webhook.url`, `webhook.host`, `webhook.kinds`. `by` None: an administrator's command.
    """
    clean = _checked(name, url, kinds, hosts)
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode("ascii")
    row = await session.execute(
        text(
            "INSERT INTO webhook_target (name, url, secret, kinds, agency_id, territory_id, created_at) "
            "VALUES (:name, :url, :secret, CAST(:kinds AS jsonb), :agency, :territory, :now) RETURNING id"
        ),
        {
            "name": clean, "url": url, "secret": vault.seal(secret), "kinds": orjson.dumps(sorted(set(kinds))).decode(),
            "agency": agency_id, "territory": territory_id, "now": now,
        },
    )  # fmt: skip
    target_id = int(row.scalar_one())
    await _tell(session, "webhook.added", target_id, by)
    return target_id, secret


def _checked(name: str, url: str, kinds: Sequence[str], hosts: Hosts) -> str:
    """The name as it is stored."""
    clean = storable(name)[0].strip()
    if not clean or len(clean) > LONGEST_NAME:
        raise InvalidError("webhook.name", "Say which system it is.", field="name")
    try:
        parse_target(url, hosts)
    except RefusedError as error:
        if error.code == "host":
            raise InvalidError("webhook.host", f"{error.detail} Add the host to OTKLIK_WEBHOOK_HOSTS first.", field="url") from error
        raise InvalidError("webhook.url", "This is no address: write it whole, beginning with https://.", field="url") from error
    if set(kinds) - set(ACTS) or not kinds:
        raise InvalidError("webhook.kinds", f"Choose from {', '.join(ACTS)}.", field="kinds")
    return clean


async def remove_target(session: WriteSession, *, target_id: int, now: datetime, by: int | None = None) -> bool:
    """Tell it nothing more; False when there was none within sight."""
    row = await session.execute(
        text("UPDATE webhook_target SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL RETURNING id"),
        {"id": target_id, "now": now},
    )
    if row.scalar_one_or_none() is None:
        return False
    await _tell(session, "webhook.removed", target_id, by)
    return True


async def tell_test(session: WriteSession, *, target_id: int, now: datetime, by: int | None) -> None:
    """Tell the target a test, of no appeal, by the way that everything goes. NotFoundError when nothing is told to it."""
    row = await session.execute(
        text(
            "INSERT INTO webhook_delivery (target_id, kind, data, occurred_at, state, due_at, created_at) "
            "SELECT id, :kind, '{}', :now, 'waiting', :now, :now FROM webhook_target WHERE id = :id AND revoked_at IS NULL RETURNING id"
        ),
        {"id": target_id, "kind": TEST, "now": now},
    )
    if row.scalar_one_or_none() is None:
        raise unknown()
    await _tell(session, "webhook.tested", target_id, by)


async def send_again(session: WriteSession, *, target_id: int, delivery_id: int, now: datetime, by: int | None) -> None:
    """Try a failed telling anew, under its own id, with all its attempts before it. ConflictError unless it has failed."""
    row = await session.execute(
        text(
            "UPDATE webhook_delivery d SET state = 'waiting', attempts = 0, due_at = :now, settled_at = NULL "
            "FROM webhook_target t WHERE d.id = :id AND t.id = d.target_id AND t.id = :target AND t.revoked_at IS NULL "
            "AND d.state = 'failed' RETURNING d.id"
        ),
        {"id": delivery_id, "target": target_id, "now": now},
    )
    if row.scalar_one_or_none() is None:
        raise ConflictError("webhook.state", "Only what has failed is sent again, and only to a system that is still told.")
    await _tell(session, "webhook.sent_again", target_id, by, delivery=delivery_id)


def unknown() -> NotFoundError:
    """There is no such target within sight."""
    return NotFoundError("webhook.unknown", "No such system is told. See: otklik webhooks list")


async def _tell(session: WriteSession, act: str, target_id: int, by: int | None, **data: int) -> None:
    await audit.record(session, operator_id=by, act=act, subject="webhook_target", subject_id=target_id, data=data)


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetLine:
    """A target in the administrator's list, and how telling it goes. `place`: its scope's name, "" for the whole region."""

    id: int
    name: str
    url: str
    kinds: Any
    place: str
    delivered: int
    waiting: int
    failed: int
    created_at: datetime
    revoked_at: datetime | None


_TARGETS = """
SELECT t.id, t.name, t.url, t.kinds, coalesce(a.name, y.name, '') AS place, t.created_at, t.revoked_at,
  count(d.id) FILTER (WHERE d.state = 'delivered') AS delivered, count(d.id) FILTER (WHERE d.state IN ('waiting', 'sending')) AS waiting,
  count(d.id) FILTER (WHERE d.state = 'failed') AS failed
FROM webhook_target t LEFT JOIN webhook_delivery d ON d.target_id = t.id
LEFT JOIN agency a ON a.id = t.agency_id LEFT JOIN territory y ON y.id = t.territory_id
WHERE {} GROUP BY t.id, a.name, y.name ORDER BY t.revoked_at IS NOT NULL, t.id
"""
_IN_USE = text(_TARGETS.format("t.revoked_at IS NULL OR CAST(:ended AS boolean)"))
_ONE = text(_TARGETS.format("t.id = :id"))


async def list_targets(session: ReadSession, *, ended: bool = False) -> list[TargetLine]:
    """Those in use; with `ended` also those that are told nothing more, last."""
    return [TargetLine(**row._mapping) for row in await session.execute(_IN_USE, {"ended": ended})]  # noqa: SLF001 - SQLAlchemy's documented name


async def target_line(session: ReadSession, *, target_id: int) -> TargetLine:
    """One of them. NotFoundError when it is out of sight."""
    row = (await session.execute(_ONE, {"id": target_id})).one_or_none()
    if row is None:
        raise unknown()
    return TargetLine(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """What is known of one attempt. `status`: of HTTP, where there was an answer."""

    at: datetime
    outcome: str
    status: int | None
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryLine:
    """One telling, with its attempts, the newest first. `appeal` is None for a test; `due_at`: the next attempt while it waits."""

    id: int
    kind: str
    appeal: int | None
    guid: UUID
    state: str
    created_at: datetime
    due_at: datetime
    attempts: tuple[Attempt, ...]


_DELIVERIES = text(
    """
    SELECT d.id, d.kind, CAST(d.data ->> 'appeal' AS bigint) AS appeal, d.guid, d.state, d.created_at, d.due_at,
      w.at, w.outcome, w.status, w.detail
    FROM (
      SELECT * FROM webhook_delivery WHERE target_id = :target AND (NOT CAST(:failed AS boolean) OR state = 'failed')
      ORDER BY id DESC LIMIT :most) d
    LEFT JOIN webhook_attempt w ON w.delivery_id = d.id ORDER BY d.id DESC, w.id DESC
    """
)


async def deliveries(session: ReadSession, *, target_id: int, failed: bool, most: int) -> list[DeliveryLine]:
    """The newest tellings of one target, or those of them that have failed."""
    found: dict[int, DeliveryLine] = {}
    for row in await session.execute(_DELIVERIES, {"target": target_id, "failed": failed, "most": most}):
        said = () if row.at is None else (Attempt(at=row.at, outcome=row.outcome, status=row.status, detail=row.detail),)
        line = found.get(row.id)
        found[row.id] = DeliveryLine(
            id=row.id, kind=row.kind, appeal=row.appeal, guid=row.guid, state=row.state, created_at=row.created_at, due_at=row.due_at,
            attempts=said if line is None else line.attempts + said,
        )  # fmt: skip
    return list(found.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptLine:
    """One attempt in the log. `appeal` is None for a test."""

    at: datetime
    target: str
    kind: str
    appeal: int | None
    guid: UUID
    outcome: str
    status: int | None
    detail: str
    state: str


async def attempts_log(session: ReadSession, *, target_id: int | None, most: int) -> list[AttemptLine]:
    """The newest attempts first; also those of which nobody knows whether they were heard."""
    rows = await session.execute(
        text(
            """
            SELECT w.at, t.name AS target, d.kind, CAST(d.data ->> 'appeal' AS bigint) AS appeal, d.guid, w.outcome, w.status,
              w.detail, d.state
            FROM webhook_attempt w JOIN webhook_delivery d ON d.id = w.delivery_id JOIN webhook_target t ON t.id = d.target_id
            WHERE CAST(:target AS bigint) IS NULL OR t.id = :target ORDER BY w.id DESC LIMIT :most
            """
        ),
        {"target": target_id, "most": most},
    )
    return [AttemptLine(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name
