"""Adds to the trail of acts and reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.db import WriteSession


async def record(
    session: WriteSession,
    *,
    operator_id: int | None,
    act: str,
    subject: str,
    subject_id: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Somebody (None: the program) did something. `data` holds ids and codes only, never a citizen's words."""
    await session.execute(
        _INSERT,
        {"operator_id": operator_id, "act": act, "subject": subject, "subject_id": subject_id, "data": json.dumps(dict(data or {}))},
    )


async def record_reads(session: WriteSession, *, operator_id: int, subject: str, subject_ids: Sequence[int]) -> None:
    """Somebody looked at these: one row for all of them."""
    if subject_ids:
        await record(session, operator_id=operator_id, act="read", subject=subject, data={"ids": list(subject_ids)})


# Without RETURNING: the web role may add to the trail but not read it.
_INSERT = text(
    "INSERT INTO audit_entry (operator_id, act, subject, subject_id, data) "
    "VALUES (:operator_id, :act, :subject, :subject_id, CAST(:data AS jsonb))"
)
