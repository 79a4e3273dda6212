"""What will not go in: set aside with its reason and bytes. The same thing met again is counted, not stored anew.

A comment whose post is not known keeps all that was told of it, and comes back as soon as the post is.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from app.kernel import metrics
from app.kernel.db import Bulk
from app.kernel.log import logger
from app.kernel.untold import UNTOLD
from app.sources.rules import storable
from connectors.contract import Attachment, AuthorSnapshot, CommentSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.kernel.db import WriteSession

REASON_CHARACTERS = 500
RAW_BYTES = 256 * 1024
"""So much of what could not be read says what it was: an answer may have tens of megabytes, and come again and again."""

_SET_ASIDE = Bulk(
    """
    INSERT INTO set_aside AS s (platform, page_id, reference, digest, reason, raw, snapshot, times, recorded_at, last_at)
    SELECT platform, page_id, reference, digest, reason, raw, snapshot, times, at, at FROM {rows}
    ON CONFLICT (platform, page_id, reference, digest) DO UPDATE SET
      reason = excluded.reason, times = s.times + excluded.times, last_at = excluded.last_at,
      snapshot = excluded.snapshot, resolved_at = NULL
    RETURNING s.page_id, s.reference, s.digest, s.times
    """,
    platform="text", page_id="bigint", reference="text", digest="bytea", reason="text", raw="bytea", snapshot="text", times="integer",
    at="timestamptz",
)  # fmt: skip
_BACK = Bulk(
    """
    UPDATE set_aside s SET resolved_at = CAST(:now AS timestamptz), snapshot = NULL
    FROM (
      SELECT w.id, w.raw, w.snapshot FROM {rows} JOIN set_aside w USING (platform, page_id, reference)
      WHERE w.resolved_at IS NULL AND w.reason = 'unknown_post' AND w.snapshot IS NOT NULL ORDER BY w.id FOR UPDATE OF w) waiting
    WHERE s.id = waiting.id RETURNING waiting.raw, waiting.snapshot
    """,
    platform="text", page_id="bigint", reference="text",
)  # fmt: skip


@dataclass(kw_only=True, slots=True)
class _Thing:
    reason: str
    raw: bytes
    snapshot: str | None
    times: int = 0


class Aside:
    """What one batch sets aside."""

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._things: dict[tuple[int | None, str, bytes], _Thing] = {}
        self.told = 0
        """How many rows, repetitions included."""

    def put(self, reason: str, raw: bytes, *, page_id: int | None, reference: str | None, snapshot: CommentSnapshot | None = None) -> None:
        """`reference`: the platform's id of the post that it stands under, or of its thread; `snapshot`: what waits for that post."""
        clean = UNTOLD.clean_bytes(raw)  # a platform may have repeated what it was asked with
        key = (page_id, storable(reference or "")[0], sha256(clean).digest())
        why = UNTOLD.clean(storable(reason)[0])[:REASON_CHARACTERS]
        self._things.setdefault(
            key, _Thing(reason=why, raw=clean[:RAW_BYTES], snapshot=None if snapshot is None else UNTOLD.clean(_packed(snapshot)))
        ).times += 1
        self.told += 1

    async def store(self, session: WriteSession, *, now: datetime) -> None:
        """In one order for all: two batches that meet the same things must not wait for each other in a circle."""
        if not self._things:
            return
        things = sorted(self._things.items(), key=lambda item: (item[0][0] or 0, *item[0][1:]))
        told = await _SET_ASIDE.run(
            session, [(self._platform, *key, one.reason, one.raw, one.snapshot, one.times, now) for key, one in things]
        )
        met = {(row.page_id, row.reference, bytes(row.digest)): row.times for row in told}
        new = [one for key, one in things if met[key] == one.times]
        if new:
            metrics.ROWS_SET_ASIDE.labels(platform=self._platform).inc(len(new))
            logger.warning("rows_set_aside", platform=self._platform, rows=len(new), reasons=sorted({one.reason for one in new}))


async def come_back(session: WriteSession, *, platform: str, posts: Iterable[tuple[int, str]], now: datetime) -> list[CommentSnapshot]:
    """The comments that waited for these posts (page, id of the post or of its thread): they wait no more."""
    rows = await _BACK.run(session, [(platform, page_id, reference) for page_id, reference in sorted(set(posts))], now=now)
    return [_unpacked(row.snapshot, bytes(row.raw)) for row in rows]


def _packed(snapshot: CommentSnapshot) -> str:
    """All but its bytes. Not as JSON of the database: that refuses NUL and lone surrogates."""
    told = asdict(snapshot)
    del told["raw"]
    return json.dumps(told, default=datetime.isoformat)


def _unpacked(packed: str, raw: bytes) -> CommentSnapshot:
    told = json.loads(packed)
    told |= {name: datetime.fromisoformat(value) for name, value in told.items() if name.endswith("_at") and value is not None}
    author = None if told["author"] is None else AuthorSnapshot(**told["author"])
    return CommentSnapshot(**told | {"author": author, "attachments": tuple(Attachment(**one) for one in told["attachments"]), "raw": raw})
