"""One person: found by platform and profile, handed out as it is stored, erased on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.audit.service import record
from app.kernel.errors import ConflictError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession
    from app.people.rules import Access

from app.people.rules import Permission

REASON_LIMIT = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What there is of somebody. `open_numbers`: appeals that hold an erasure up; `requested_at`: one waits."""

    id: int
    name: str
    link: str | None
    external_id: str
    comments: int
    appeals: int
    open_numbers: Sequence[int]
    requested_at: datetime | None


async def find(session: ReadSession, access: Access | None, *, platform: str, said: str) -> Subject | None:
    """The author with this link or id on the platform. `access` None: an administrator's command, as the database's owner."""
    door = "otklik_subject_rows" if access is None else "otklik_subject_found"
    if access is not None:
        access.require(Permission.SUBJECT_WORK)
    rows = await session.execute(text(f"SELECT * FROM {door}(:platform, :said) LIMIT 1"), {"platform": platform, "said": said.strip()})  # noqa: S608
    row = rows.one_or_none()
    return None if row is None else Subject(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


async def hand_out(session: WriteSession, access: Access | None, *, author_id: int) -> dict[str, Any]:
    """All that is stored of them. NotFoundError when there is nothing, or it may not be seen."""
    door = "otklik_subject_data" if access is None else "otklik_subject_handed"
    if access is not None:
        access.require(Permission.SUBJECT_WORK)
    found: dict[str, Any] | None = await session.scalar(text(f"SELECT {door}(:id)"), {"id": author_id})
    if found is None:
        raise NotFoundError("subject.unknown", "Nothing is stored of such a person.")
    await record(session, operator_id=_who(access), act="handed_out", subject="author", subject_id=author_id)
    return found


async def ask_to_erase(session: WriteSession, access: Access | None, *, author_id: int, reason: str, now: datetime) -> int:
    """Have them erased: the worker does it within a minute, or as soon as no appeal of theirs is open; the request's number.

    InvalidError without a reason, ConflictError when a request waits already.
    """
    if access is not None:
        access.require(Permission.SUBJECT_WORK)
    clean = "".join(char if char.isprintable() else " " for char in reason).strip()
    if not clean or len(clean) > REASON_LIMIT:
        raise InvalidError("subject.reason", f"Say by which request, in at most {REASON_LIMIT} characters.", field="reason")
    if await session.scalar(text("SELECT true FROM erasure WHERE author_id = :id AND done_at IS NULL"), {"id": author_id}):
        raise ConflictError("subject.asked", "An erasure of this person waits already.")
    number: int = await session.scalar(
        text("INSERT INTO erasure (author_id, reason, requested_by, requested_at) VALUES (:id, :reason, :by, :now) RETURNING id"),
        {"id": author_id, "reason": clean, "by": _who(access), "now": now},
    )
    await record(session, operator_id=_who(access), act="erasure_asked", subject="author", subject_id=author_id, data={"erasure": number})
    return number


async def is_done(session: ReadSession, number: int) -> bool:
    """Whether this request has been done."""
    return bool(await session.scalar(text("SELECT done_at IS NOT NULL FROM erasure WHERE id = :id"), {"id": number}))


def _who(access: Access | None) -> int | None:
    return None if access is None else access.operator_id
