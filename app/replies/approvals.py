"""Which agencies' answers another person approves before they are published. It holds for all below such an agency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.audit import service as audit
from app.kernel.errors import ConflictError

if TYPE_CHECKING:
    from app.kernel.db import ReadSession, WriteSession
    from app.people.rules import Access


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovedFirst:
    """An agency that asks for it; `mine`: whoever looks may end that."""

    id: int
    name: str
    mine: bool


_LIST = text(
    "SELECT id, name, otklik_may_grant(id, NULL) AS mine FROM agency WHERE approval_required ORDER BY replace(lower(name), 'ё', 'е'), id"
)


async def approved_first(session: ReadSession) -> list[ApprovedFirst]:
    """By name."""
    return [ApprovedFirst(**row._mapping) for row in await session.execute(_LIST)]  # noqa: SLF001 - SQLAlchemy's documented name


async def require_approval(session: WriteSession, access: Access, *, agency_id: int, needed: bool) -> None:
    """From now on its answers are approved first, or are not; those that wait already go on waiting.

    ConflictError when it is so already, or the agency lies beyond the administrator's scope: the database asks that.
    """
    changed = await session.scalar(text("SELECT otklik_require_approval(:agency, :needed)"), {"agency": agency_id, "needed": needed})
    if not changed:
        raise ConflictError("publishing.approval", "It is so already, or the agency lies beyond your scope: reload the page.")
    act = "publishing.approval_on" if needed else "publishing.approval_off"
    await audit.record(session, operator_id=access.operator_id, act=act, subject="agency", subject_id=agency_id)
