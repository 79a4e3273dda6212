"""What both outboxes share: rows are claimed under a lease, worked on with no transaction open, settled. The tables are the truth.

A claim is one of its own: a later one, even of the same worker, is another, so whoever lost theirs settles nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from sqlalchemy import TextClause, text

from app.replies.limits import hold_back
from app.replies.rules import Exceeded, Limits, pause_before
from app.replies.stops import FREE, STANDING
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from app.kernel.db import ReadSession, WriteSession

NO_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """Work on a platform that this worker has taken; `interrupted`: whoever did it died meanwhile.

    `first_tried_at` is None when nothing was tried yet: `exceeds` says which limit keeps it back, or its worker died before.
    """

    id: int
    appeal_id: int
    operator_id: int | None
    text: str
    attempts: int
    first_tried_at: datetime | None
    limit_waived: bool
    page_id: int
    platform: str
    page_external_id: str
    page_options: dict[str, str]
    post_external_id: str
    thread_ref: str | None
    root_external_id: str
    leased_by: str
    leased_until: datetime
    interrupted: bool
    exceeds: Exceeded | None = None


Taken = TypeVar("Taken", bound=Claim)

_COLUMNS = """
r.id, r.appeal_id, r.operator_id, r.text, r.attempts, r.first_tried_at, r.limit_waived, r.leased_by, r.leased_until, r.page_id, g.platform,
g.external_id AS page_external_id, g.options AS page_options, p.external_id AS post_external_id, p.thread_ref, c.root_external_id
"""
_OURS_NO_MORE = "leased_by = NULL, leased_until = NULL WHERE id = :id AND state = 'sending' AND leased_by = :lease RETURNING id"
_LEASE = "leased_by = CAST(:worker AS text) || '#' || gen_random_uuid(), leased_until = :until"


def _claim_sql(table: str, here: str, told: str, may: str) -> TextClause:
    """What is due, and may be taken: queued → sending."""
    return text(
        f"""
        WITH RECURSIVE {STANDING},
        due AS (
          SELECT r.id {here}
          WHERE r.state = 'queued' AND r.due_at <= :now AND g.platform = ANY (:platforms) AND {may} AND {FREE}
          ORDER BY r.due_at LIMIT :most FOR UPDATE OF r SKIP LOCKED),
        taken AS (
          UPDATE {table} r SET state = 'sending', attempts = attempts + 1, first_tried_at = coalesce(first_tried_at, :now), {_LEASE}
          FROM due WHERE r.id = due.id RETURNING r.*)
        {told}
        """  # noqa: S608 - constants
    )


def _claim_interrupted_sql(table: str, told: str) -> TextClause:
    """What somebody died over: a lease that ran out is given anew."""
    return text(
        f"""
        WITH due AS (
          SELECT r.id FROM {table} r JOIN page g ON g.id = r.page_id
          WHERE r.state = 'sending' AND r.leased_until < :now AND g.platform = ANY (:platforms)
          ORDER BY r.leased_until LIMIT :most FOR UPDATE OF r SKIP LOCKED),
        taken AS (UPDATE {table} r SET {_LEASE} FROM due WHERE r.id = due.id RETURNING r.*)
        {told}
        """  # noqa: S608 - constants
    )


class Outbox(Generic[Taken]):
    """One table of such work. Its statements call a row `r`, its page `g`, the citizen's comment `c`."""

    def __init__(
        self,
        table: Literal["reply", "amendment"],
        make: Callable[..., Taken],
        *,
        joins: str,
        columns: str,
        ends: Sequence[str],
        turn: str,
        own: str = "true",
    ) -> None:
        """`joins` bring `c` in; `columns` are told beside those of every claim; `ends` are set when one is settled.

        `turn`: whether it is this row's turn. `own`: what must hold for anybody to speak for it at all.
        """
        self._table, self._make, self._ends = table, make, tuple(ends)
        rows = f"FROM taken r {joins} JOIN post p ON p.id = c.post_id JOIN page g ON g.id = r.page_id"
        told = f"SELECT {_COLUMNS}, {columns} {rows}"
        here = f"FROM {table} r {joins} JOIN page g ON g.id = r.page_id"
        self._claim = _claim_sql(table, here, told, f"{own} AND {turn}")
        self._claim_interrupted = _claim_interrupted_sql(table, told)
        self._may_go = text(
            f"""
            WITH RECURSIVE {STANDING}
            SELECT {FREE} AS free {here} WHERE r.id = :id AND r.state = 'sending' AND r.leased_by = :lease AND {own}
            """
        )
        self._unclaim = text(
            f"""
            UPDATE {table} SET state = 'queued', attempts = greatest(attempts - CASE WHEN first_tried_at IS NULL THEN 0 ELSE 1 END, 0),
              first_tried_at = CASE WHEN attempts > 1 THEN first_tried_at END, {_OURS_NO_MORE}
            """  # noqa: S608 - constants
        )
        self._settle = text(
            f"""
            UPDATE {table} SET state = :state, error_code = :code, error_detail = left(:detail, 500), due_at = coalesce(:due, due_at),
              {"".join(f"{name} = :{name}, " for name in ends)} {_OURS_NO_MORE}
            """  # noqa: S608 - constants
        )

    async def claim(
        self,
        session: WriteSession,
        *,
        worker: str,
        platforms: Sequence[str],
        now: datetime,
        lease: timedelta,
        most: int,
        interrupted: bool = False,
        limits: Limits = NO_LIMITS,
        time_scale: float = 1,
    ) -> list[Taken]:
        """Take what is due (queued → sending), or what its worker died over (its lease ran out).

        What publishing is stopped for stays where it is. What exceeds a limit comes as untried, with the limit.
        """
        rows = await session.execute(
            self._claim_interrupted if interrupted else self._claim,
            {"worker": worker, "platforms": list(platforms), "now": now, "until": now + lease, "most": most},
        )
        taken = [self._make(**row._mapping, interrupted=interrupted) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name
        first = [] if interrupted else [one for one in taken if one.attempts == 1 and not one.limit_waived]
        asked = [(one.id, one.operator_id, one.page_id) for one in first]
        over = await hold_back(session, asked, limits, of=self._table, now=now, time_scale=time_scale)
        return [replace(one, exceeds=over[one.id], first_tried_at=None, attempts=0) if one.id in over else one for one in taken]

    async def may_go(self, session: ReadSession, *, claimed: Taken) -> bool | None:
        """Right before the platform is called: False when publishing was stopped meanwhile, None when the claim is no longer ours."""
        free: bool | None = await session.scalar(self._may_go, {"id": claimed.id, "lease": claimed.leased_by})
        return free

    async def unclaim(self, session: WriteSession, *, claimed: Taken) -> bool:
        """Back to the queue as if it had not been taken: nothing was tried. False when the claim is no longer ours."""
        row = await session.execute(self._unclaim, {"id": claimed.id, "lease": claimed.leased_by})
        return row.scalar_one_or_none() is not None

    async def settle(
        self,
        session: WriteSession,
        *,
        claimed: Taken,
        state: str,
        code: str | None = None,
        detail: str | None = None,
        due_at: datetime | None = None,
        **ends: object,
    ) -> bool:
        """End a claim; its appeal is locked, or nothing else is.

        False when it is no longer ours (a poll saw the answer first, or another worker took over).
        """
        told: dict[str, object] = {"state": state, "code": kept(code), "detail": kept(detail), "due": due_at}
        for name in self._ends:
            end = ends.get(name)
            told[name] = kept(end) if isinstance(end, str) else end
        row = await session.execute(self._settle, {"id": claimed.id, "lease": claimed.leased_by, **told})
        return row.scalar_one_or_none() is not None

    async def put_back(
        self,
        session: WriteSession,
        *,
        claimed: Taken,
        now: datetime,
        after: timedelta | None,
        code: str,
        detail: str,
        time_scale: float,
    ) -> bool:
        """Queue again: after the pause that the platform named (already scaled), else after a growing one of our own."""
        pause = after if after is not None else pause_before(claimed.attempts) / time_scale
        return await self.settle(session, claimed=claimed, state="queued", code=code, detail=detail, due_at=now + pause)


def kept(told: str | None) -> str | None:
    """What a platform tells may hold characters that PostgreSQL does not take."""
    return None if told is None else storable(told)[0]
