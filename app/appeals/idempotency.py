"""The same request twice is done once: for acts of programs that carry a key. Opening an appeal does it in `desk` itself."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals.desk import KEY_LIMIT
from app.kernel.errors import ConflictError, InvalidError
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.kernel.db import WriteSession
    from app.people.rules import Access

# A second request with the key waits here until the first one's transaction has ended, then finds its row.
_CLAIM = text(
    """
    INSERT INTO idempotency_key (operator_id, key, request_hash) VALUES (:operator, :key, :hash)
    ON CONFLICT (operator_id, key) DO NOTHING RETURNING id
    """
)
_FOUND = text("SELECT request_hash, reply_id FROM idempotency_key WHERE operator_id = :operator AND key = :key")
_SETTLE = text("UPDATE idempotency_key SET reply_id = :reply WHERE operator_id = :operator AND key = :key")


async def done_once(
    session: WriteSession, access: Access, *, key: str | None, request: Sequence[object], give: Callable[[], Awaitable[tuple[int, bool]]]
) -> tuple[int, bool]:
    """The answer that `give` gives, or gave when this very request came with its key before: its id, and whether it was there already.

    ConflictError when the key was used for another request, InvalidError when it is none. Without a key it is given.
    """
    if key is None:
        return await give()
    clean = checked_key(key)
    known = await _claim(session, access, key=clean, digest=hashlib.sha256(repr(request).encode("utf-8", "surrogatepass")).digest())
    if known is not None:
        return known, True
    reply_id, was_there = await give()
    await session.execute(_SETTLE, {"operator": access.operator_id, "key": clean, "reply": reply_id})
    return reply_id, was_there


def checked_key(key: str) -> str:
    """The key as it is stored. InvalidError when it is empty or too long."""
    clean = storable(key)[0].strip()
    if not clean or len(clean) > KEY_LIMIT:
        raise InvalidError("idempotency.key", f"Idempotency-Key has 1 to {KEY_LIMIT} characters.", field="Idempotency-Key")
    return clean


async def _claim(session: WriteSession, access: Access, *, key: str, digest: bytes) -> int | None:
    """None when the answer is yet to be given; the reply's id when this very request was done before."""
    claimed = await session.scalar(_CLAIM, {"operator": access.operator_id, "key": key, "hash": digest})
    if claimed is not None:
        return None
    found = (await session.execute(_FOUND, {"operator": access.operator_id, "key": key})).one_or_none()
    if found is None or found.request_hash != digest or found.reply_id is None:
        raise ConflictError("idempotency.other", "This Idempotency-Key was used for another request: choose a new one.")
    return int(found.reply_id)
