"""Who looked at what: noted in memory, written to the trail in batches of one transaction, never one for each look.

A crash loses at most what was looked at in its last second. Nothing personal is shown when the trail cannot be kept: once the
notes of several minutes could not be written, looking is refused.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from app.kernel.db import Bulk
from app.kernel.errors import OtklikError
from app.kernel.log import logger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import Database

FLUSH_SECONDS = 1.0
FLUSH_AT = 500
MOST_NOTES = 20_000
READ, LISTED = "read", "listed"

_Key = tuple[int, str, str, int | None]

_WRITE = Bulk(
    """
    INSERT INTO audit_entry (operator_id, act, subject, subject_id, data, recorded_at)
    SELECT operator_id, act, subject, subject_id, CAST(data AS jsonb), recorded_at FROM {rows}
    """,
    operator_id="bigint", act="text", subject="text", subject_id="bigint", data="text", recorded_at="timestamptz",
)  # fmt: skip


class TrailFullError(OtklikError):
    """What was looked at cannot be written down just now, so nothing more is shown."""


class ReadTrail:
    """The notes of one process. The same look of the same person within a second is one note."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._notes: dict[_Key, tuple[datetime, set[int]]] = {}
        self._size = 0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def look(self, *, operator_id: int, subject: str, subject_id: int, at: datetime) -> None:
        """Somebody opened this one. Raises TrailFullError when notes cannot be kept."""
        self._note((operator_id, READ, subject, subject_id), (), at)

    def looks(self, *, operator_id: int, subject: str, subject_ids: Sequence[int], at: datetime) -> None:
        """Somebody was shown a list with these. Raises TrailFullError when notes cannot be kept."""
        if subject_ids:
            self._note((operator_id, LISTED, subject, None), subject_ids, at)

    def _note(self, key: _Key, ids: Sequence[int], at: datetime) -> None:
        if self._size >= MOST_NOTES:
            raise TrailFullError(
                "audit.full", "Reads cannot be written to the audit trail just now, so nothing is shown. Try again shortly."
            )
        known = self._notes.get(key)
        if known is None:
            known = self._notes[key] = (at, set())
            self._size += 1
        before = len(known[1])
        known[1].update(ids)
        self._size += len(known[1]) - before
        if self._size >= FLUSH_AT:
            self._wake.set()

    async def flush(self) -> int:
        """Write all notes; how many entries. What cannot be written stays noted."""
        taken, self._notes, self._size = self._notes, {}, 0
        if not taken:
            return 0
        rows = [
            (operator_id, f"{subject}.{act}", subject, subject_id, json.dumps({"ids": sorted(ids)} if ids else {}), at)
            for (operator_id, act, subject, subject_id), (at, ids) in taken.items()
        ]
        try:
            async with self._database.write() as session:
                await _WRITE.run(session, rows)
        except BaseException:
            self._give_back(taken)
            raise
        return len(rows)

    def _give_back(self, taken: dict[_Key, tuple[datetime, set[int]]]) -> None:
        for key, (at, ids) in taken.items():
            newer = self._notes.get(key)
            self._notes[key] = (at, ids if newer is None else ids | newer[1])
        self._size = sum(max(len(ids), 1) for _, ids in self._notes.values())

    def start(self) -> None:
        """Write from now on, every second or as soon as there are many."""
        self._task = asyncio.create_task(self._keep(), name="audit reads")

    async def stop(self) -> None:
        """Write what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._try()

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            await self._try()

    async def _try(self) -> None:
        try:
            await self.flush()
        except (OSError, DBAPIError) as error:
            logger.warning("reads_not_written", waiting=self._size, error=str(error).partition("\n")[0][:300])
            await asyncio.sleep(FLUSH_SECONDS)
