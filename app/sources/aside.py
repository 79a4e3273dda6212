"""What will not go in: set aside with its reason and bytes. The same thing met again is counted, not stored anew."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from app.kernel import metrics
from app.kernel.db import Bulk
from app.kernel.log import logger
from app.kernel.untold import UNTOLD
from app.sources.rules import storable

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import WriteSession

REASON_CHARACTERS = 500

_SET_ASIDE = Bulk(
    """
    INSERT INTO set_aside AS s (platform, page_id, reference, digest, reason, raw, times, recorded_at, last_at)
    SELECT platform, page_id, reference, digest, reason, raw, times, at, at FROM {rows}
    ON CONFLICT (platform, page_id, reference, digest) DO UPDATE SET
      reason = excluded.reason, times = s.times + excluded.times, last_at = excluded.last_at
    RETURNING s.page_id, s.reference, s.digest, s.times
    """,
    platform="text", page_id="bigint", reference="text", digest="bytea", reason="text", raw="bytea", times="integer", at="timestamptz",
)  # fmt: skip


@dataclass(kw_only=True, slots=True)
class _Thing:
    reason: str
    raw: bytes
    times: int = 0


class Aside:
    """What one batch sets aside."""

    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._things: dict[tuple[int | None, str, bytes], _Thing] = {}
        self.told = 0
        """How many rows, repetitions included."""

    def put(self, reason: str, raw: bytes, *, page_id: int | None, reference: str | None) -> None:
        """`reference`: the platform's id of the post that it stands under, where that is known."""
        bytes_kept = UNTOLD.clean_bytes(raw)  # a platform may have repeated what it was asked with
        key = (page_id, storable(reference or "")[0], sha256(bytes_kept).digest())
        why = UNTOLD.clean(storable(reason)[0])[:REASON_CHARACTERS]
        self._things.setdefault(key, _Thing(reason=why, raw=bytes_kept)).times += 1
        self.told += 1

    async def store(self, session: WriteSession, *, now: datetime) -> None:
        """In one order for all: two batches that meet the same things must not wait for each other in a circle."""
        if not self._things:
            return
        things = sorted(self._things.items(), key=lambda item: (item[0][0] or 0, *item[0][1:]))
        told = await _SET_ASIDE.run(session, [(self._platform, *key, one.reason, one.raw, one.times, now) for key, one in things])
        met = {(row.page_id, row.reference, bytes(row.digest)): row.times for row in told}
        new = [one for key, one in things if met[key] == one.times]
        if new:
            metrics.ROWS_SET_ASIDE.labels(platform=self._platform).inc(len(new))
            logger.warning("rows_set_aside", platform=self._platform, rows=len(new), reasons=sorted({one.reason for one in new}))
