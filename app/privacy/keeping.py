"""What ends: after its term, and when a person asked. In bounded batches, by one worker at a time; figures stay as they were.

Comments, appeals and revisions are walked in the order of their numbers, again and again; where the walk is stays in memory,
since beginning anew does no harm.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.audit.service import record
from app.kernel.locks import Lock
from app.kernel.log import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.kernel.clock import Clock
    from app.kernel.db import Database, WriteSession

REST = timedelta(hours=1)
WINDOW = 2_000
BATCH = 1_000
# Of several workers one keeps house.
_LOCK = Lock.KEEPING.value

_COMMENTS = text(
    """
    SELECT max(c.id) AS upto, bool_or(c.recorded_at >= :before) AS young,
      array_agg(c.id) FILTER (WHERE c.erased_at IS NULL AND c.written_at < :before AND (a.id IS NULL OR a.closed_at < :before)) AS due,
      array_agg(DISTINCT c.author_id) FILTER (WHERE c.author_id IS NOT NULL AND c.written_at < :before) AS authors
    FROM (SELECT * FROM comment WHERE id > :after ORDER BY id LIMIT :most) c LEFT JOIN appeal a ON a.id = c.appeal_id
    """
)
_APPEALS = text(
    """
    SELECT max(a.id) AS upto, bool_or(a.opened_at >= :before) AS young, array_agg(a.id) FILTER (WHERE a.closed_at < :before) AS due
    FROM (SELECT * FROM appeal WHERE id > :after ORDER BY id LIMIT :most) a
    """
)
_REVISIONS = text(
    "SELECT max(r.id) AS upto, bool_or(r.recorded_at >= :before) AS young "
    "FROM (SELECT id, recorded_at FROM comment_revision WHERE id > :after ORDER BY id LIMIT :most) r"
)
_ERASE_COMMENTS = text("SELECT otklik_erase_comments(CAST(:ids AS bigint[]), :now)")
_ERASE_APPEALS = text("SELECT otklik_erase_appeals(CAST(:ids AS bigint[]), :now)")
_ERASE_AUTHORS = text("SELECT otklik_erase_authors(CAST(:ids AS bigint[]), :now)")
_DROP_RAW = text("SELECT otklik_drop_raw(:before, :after, :upto)")
_DROP = {
    "sign_in": text("SELECT otklik_drop_sign_ins(:before, :most)"),
    "notice": text("SELECT otklik_drop_notices(:before, :most)"),
    "audit": text("SELECT otklik_drop_audit(:before, :now) WHERE CAST(:most AS integer) > 0"),
}
_ASKED = text("SELECT id, author_id FROM erasure WHERE done_at IS NULL AND id > :after ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED")
_OPEN = text("SELECT count(*) FROM appeal WHERE author_id = :author AND status NOT IN ('closed', 'dismissed')")
_THEIR_COMMENTS = text("SELECT id FROM comment WHERE author_id = :author AND erased_at IS NULL ORDER BY id LIMIT :most")
_THEIR_APPEALS = text("SELECT id FROM appeal WHERE author_id = :author ORDER BY id")
_DONE = text("UPDATE erasure SET done_at = :now WHERE id = :id")


class Keeping:
    """The work of one worker. `terms`: how long each kind is kept; a kind that is absent is kept for ever."""

    def __init__(self, database: Database, clock: Clock, terms: Mapping[str, timedelta]) -> None:
        self._database = database
        self._clock = clock
        self._terms = terms
        self._at = {"comments": 0, "appeals": 0, "revisions": 0}
        self._rests: dict[str, datetime] = {}
        self._asked = 0

    async def step(self) -> bool:
        """One batch of each kind; whether there may be more to do at once."""
        now = self._clock.now()
        async with self._database.write() as session:
            if not await session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}):
                return False
            self._asked, busy = await erase_asked(session, now=now, after=self._asked)
            counts: dict[str, int] = {}
            if "text" in self._terms:
                busy |= await self._texts(session, now, counts)
            if "raw" in self._terms:
                busy |= await self._raw(session, now, counts)
            for kind, statement in _DROP.items():
                if kind in self._terms:
                    params = {"before": now - self._terms[kind], "most": BATCH} | ({"now": now} if kind == "audit" else {})
                    counts[kind] = await session.scalar(statement, params) or 0
                    busy |= counts[kind] >= BATCH or (kind == "audit" and counts[kind] > 0)
            told = {name: number for name, number in counts.items() if number}
            if told:
                await record(session, operator_id=None, act="term_passed", subject="privacy", data=told)
                logger.info("terms_passed", **told)
        return busy

    async def _texts(self, session: WriteSession, now: datetime, counts: dict[str, int]) -> bool:
        before = now - self._terms["text"]
        if self._walks("comments", now):
            comments = await self._window(session, _COMMENTS, "comments", before)
            if comments.due:
                counts["comments"] = await session.scalar(_ERASE_COMMENTS, {"ids": comments.due, "now": now}) or 0
            if comments.authors:
                counts["authors"] = await session.scalar(_ERASE_AUTHORS, {"ids": comments.authors, "now": now}) or 0
        if self._walks("appeals", now):
            appeals = await self._window(session, _APPEALS, "appeals", before)
            if appeals.due:
                counts["appeals"] = await session.scalar(_ERASE_APPEALS, {"ids": appeals.due, "now": now}) or 0
        return self._at["comments"] > 0 or self._at["appeals"] > 0

    async def _raw(self, session: WriteSession, now: datetime, counts: dict[str, int]) -> bool:
        if not self._walks("revisions", now):
            return False
        before, after = now - self._terms["raw"], self._at["revisions"]
        window = await self._window(session, _REVISIONS, "revisions", before)
        counts["raw"] = await session.scalar(_DROP_RAW, {"before": before, "after": after, "upto": window.upto or 0}) or 0
        return self._at["revisions"] > 0

    async def _window(self, session: WriteSession, statement: Any, name: str, before: datetime) -> Any:  # noqa: ANN401 - a statement, a row
        """The next rows by number; from the beginning again when there are none, or when the young ones begin."""
        row = (await session.execute(statement, {"after": self._at[name], "before": before, "most": WINDOW})).one()
        self._at[name] = 0 if row.upto is None or row.young else row.upto
        if self._at[name] == 0:
            self._rests[name] = self._clock.now() + REST
        return row

    def _walks(self, name: str, now: datetime) -> bool:
        """Whether it is time to walk there: a whole round is followed by a rest."""
        return now >= self._rests.get(name, now)


async def erase_asked(session: WriteSession, *, now: datetime, after: int = 0) -> tuple[int, bool]:
    """One batch of the next person who asked; where to go on, and whether there is more at once. Open appeals hold it up."""
    asked = (await session.execute(_ASKED, {"after": after})).one_or_none()
    if asked is None:
        return 0, False
    author = asked.author_id
    if await session.scalar(_OPEN, {"author": author}):
        return asked.id, True
    comments = list((await session.execute(_THEIR_COMMENTS, {"author": author, "most": BATCH})).scalars())
    if comments and await session.scalar(_ERASE_COMMENTS, {"ids": comments, "now": now}):
        return after, True
    appeals = list((await session.execute(_THEIR_APPEALS, {"author": author})).scalars())
    await session.execute(_ERASE_APPEALS, {"ids": appeals, "now": now})
    if not await session.scalar(_ERASE_AUTHORS, {"ids": [author], "now": now}):
        return asked.id, True  # a comment of theirs waits in triage
    await session.execute(_DONE, {"id": asked.id, "now": now})
    await record(session, operator_id=None, act="erased", subject="author", subject_id=author, data={"erasure": asked.id})
    return asked.id, True
