"""Adds to the trail of acts. Reads are noted by `app.audit.reads`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """Somebody (None: the program, or a command) did something. `data` holds ids and codes only, never a citizen's words.

    An act without a dot gets its subject before it: `invite` of an `operator` is `operator.invite`.
    """
    await session.execute(
        _INSERT,
        {
            "operator_id": operator_id,
            "act": act if "." in act else f"{subject}.{act}",
            "subject": subject,
            "subject_id": subject_id,
            "data": json.dumps(dict(data or {})),
        },
    )


# Without RETURNING: the web role may add to the trail but not read it.
_INSERT = text(
    "INSERT INTO audit_entry (operator_id, act, subject, subject_id, data) "
    "VALUES (:operator_id, :act, :subject, :subject_id, CAST(:data AS jsonb))"
)
