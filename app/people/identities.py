"""Who a person is at an OIDC provider: the pair (issuer, subject), linked once by a link or an administrator.

An address or a name that the provider tells is never looked at: whoever can choose it there could choose somebody here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit.service import record
from app.kernel.errors import InvalidError

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession

_LONGEST = 255


async def operator_of(session: ReadSession, *, issuer: str, subject: str) -> int | None:
    """Whose identity this is; None when it is nobody's, or they have left."""
    found: int | None = (await session.execute(_FIND, {"issuer": issuer, "subject": subject})).scalar_one_or_none()
    return found


async def link_identity(session: WriteSession, *, operator_id: int, issuer: str, subject: str, now: datetime, by: int | None) -> None:
    """Let a person come in by this identity. InvalidError `identity.taken` when it is somebody's already, `identity.subject`."""
    if not subject or len(subject) > _LONGEST or not subject.isprintable():
        raise InvalidError("identity.subject", "The subject is the provider's own short name for the person.", field="subject")
    values = {"operator_id": operator_id, "issuer": issuer, "subject": subject, "now": now}
    if (await session.execute(_LINK, values)).one_or_none() is None:
        raise InvalidError("identity.taken", "This identity belongs to somebody already.", field="subject")
    await record(session, operator_id=by, act="link_identity", subject="operator", subject_id=operator_id)


async def unlink_identities(session: WriteSession, *, operator_id: int, by: int | None) -> int:
    """Let a person come in by no provider any more; how many identities went."""
    gone = len((await session.execute(_UNLINK, {"operator_id": operator_id})).all())
    if gone:
        await record(session, operator_id=by, act="unlink_identity", subject="operator", subject_id=operator_id)
    return gone


async def issuers_of(session: ReadSession, *, operator_id: int) -> tuple[str, ...]:
    """The providers that a person may come in by."""
    return tuple((await session.execute(_ISSUERS, {"operator_id": operator_id})).scalars())


_FIND = text(
    "SELECT o.id FROM external_identity e JOIN operator o ON o.id = e.operator_id "
    "WHERE e.issuer = :issuer AND e.subject = :subject AND o.deactivated_at IS NULL AND NOT o.is_service"
)
_LINK = text(
    "INSERT INTO external_identity (operator_id, issuer, subject, linked_at) VALUES (:operator_id, :issuer, :subject, :now) "
    "ON CONFLICT (issuer, subject) DO NOTHING RETURNING id"
)
_UNLINK = text("DELETE FROM external_identity WHERE operator_id = :operator_id RETURNING id")
_ISSUERS = text("SELECT issuer FROM external_identity WHERE operator_id = :operator_id ORDER BY id")
