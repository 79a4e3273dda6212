"""A citizen asks again: the appeal begins a new cycle, with clocks as they are promised to this very appeal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals import history
from app.appeals.marks import mark_of
from app.appeals.rules import Act
from app.directory.service import load_directory
from app.kernel.db import Bulk
from app.sla import service as sla
from app.sla.policy import Matter
from app.sla.rules import Promise

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.directory.service import Directory
    from app.kernel.db import ReadSession, WriteSession
    from app.sla.service import Book, PlannedTimer


@dataclass(frozen=True, kw_only=True, slots=True)
class Promises:
    """What is promised to whom."""

    directory: Directory
    book: Book

    def matter(self, appeal: Any) -> Matter:  # noqa: ANN401 - a row of `_ABOUT`
        """What a promise is chosen for."""
        return Matter(
            topics=self.directory.topic_lineage(appeal.topic_id),
            agencies=self.directory.agency_lineage(appeal.agency_id),
            territories=self.directory.territory_lineage(appeal.territory_id),
            platform=appeal.platform,
            priority=appeal.priority,
        )

    def plan(self, appeal: Any, at: datetime) -> list[PlannedTimer]:  # noqa: ANN401 - a row of `_ABOUT`
        """The clocks of an appeal that begin at a moment."""
        return self.book.plan(self.matter(appeal), at)

    def plan_final(self, appeal: Any, interim_at: datetime) -> PlannedTimer | None:  # noqa: ANN401 - a row of `_ABOUT`
        """The clock that an interim answer of that moment starts."""
        return self.book.plan_final(self.matter(appeal), interim_at)

    def final(self, appeal: Any, at: datetime) -> bool:  # noqa: ANN401 - a row of `_ABOUT`
        """Whether a final answer is promised at all."""
        return self.book.promises(self.matter(appeal), Promise.FINAL_ANSWER, at)


async def load_promises(session: ReadSession, *, now: datetime) -> Promises:
    """What is promised now; two statements and more: pass `Promises` on where they are at hand."""
    return Promises(directory=await load_directory(session), book=await sla.load_book(session, now=now))


@dataclass(frozen=True, kw_only=True, slots=True)
class Again:
    """A comment that takes up an appeal that was answered or closed; the appeal is locked."""

    appeal_id: int
    comment_id: int
    at: datetime


# `asks`: triage does not say that it is no appeal. A comment that marked an answer already has marked it.
_LATER = text(
    """
    SELECT c.id, c.written_at, left(c.text, 100) AS text, a.cycle,
      (SELECT v.is_appeal FROM verdict v WHERE v.comment_id = c.id ORDER BY v.id DESC LIMIT 1) IS NOT FALSE AS asks
    FROM comment c JOIN appeal a ON a.id = c.appeal_id
    WHERE c.appeal_id = :appeal AND NOT c.by_page AND c.deleted_at IS NULL
      AND c.written_at > (SELECT max(r.published_at) FROM reply r WHERE r.appeal_id = :appeal AND r.state = 'sent')
      AND NOT EXISTS (
        SELECT FROM appeal_event e WHERE e.appeal_id = :appeal AND e.act = 'rated' AND e.data ->> 'comment' = CAST(c.id AS text))
    ORDER BY c.written_at, c.id LIMIT 100
    """
)

_ABOUT = text("SELECT id, cycle, topic_id, agency_id, territory_id, platform, priority FROM appeal WHERE id = ANY (:ids)")

_REOPEN = Bulk(
    """
    UPDATE appeal a SET status = 'new', cycle = r.cycle, version = a.version + 1, touched_at = r.at, closed_at = NULL, close_reason = NULL,
      answered_at = NULL, due_at = r.due_at
    FROM {rows} WHERE a.id = r.id
    """,
    id="bigint", cycle="integer", at="timestamptz", due_at="timestamptz",
)  # fmt: skip


async def reopen(session: WriteSession, asked: Sequence[Again], *, promises: Promises | None, now: datetime) -> dict[int, int]:
    """Begin a new cycle of each of these appeals, its clock running since the citizen asked; appeal → its cycle now.

    `promises` None: they are read here.
    """
    if not asked:
        return {}
    promised = promises or await load_promises(session, now=now)
    ids = [one.appeal_id for one in asked]
    about = {row.id: row for row in await session.execute(_ABOUT, {"ids": ids})}
    pauses = await sla.pauses_of(session, ids)
    cycles: dict[int, int] = {}
    rows, timers, events = [], [], []
    for one in asked:
        appeal = about[one.appeal_id]
        cycle = cycles[one.appeal_id] = appeal.cycle + 1
        # Asked in the past and noticed now: what stood still since, stood for this clock too.
        planned = [promised.book.after_pauses(timer, pauses.get(one.appeal_id, ())) for timer in promised.plan(appeal, one.at)]
        rows.append((one.appeal_id, cycle, now, min((timer.due_at for timer in planned), default=None)))
        timers += [(one.appeal_id, cycle, timer) for timer in planned]
        data = {"comment": one.comment_id}
        events.append(
            history.Event(appeal_id=one.appeal_id, act=Act.REOPENED, cycle=cycle, operator_id=None, occurred_at=one.at, data=data)
        )
    await _REOPEN.run(session, rows)
    await sla.start_timers(session, timers)
    await history.record(session, events)
    return cycles


async def reopen_if_asked_later(session: WriteSession, *, appeal_id: int, promises: Promises | None, now: datetime) -> None:
    """An answer was heard of late: what the citizen asked after it was published waits for another one.

    What they wrote after it that is nothing but a mark, and before they asked again, marks it: it was read together with the answer.
    """
    for one in (await session.execute(_LATER, {"appeal": appeal_id})).all():
        mark = mark_of(one.text)
        if mark is not None:
            data = {"comment": one.id, "mark": mark}
            rated = history.Event(
                appeal_id=appeal_id, act=Act.RATED, cycle=one.cycle, operator_id=None, occurred_at=one.written_at, data=data
            )
            await history.record(session, [rated])
        elif one.asks:
            await reopen(session, [Again(appeal_id=appeal_id, comment_id=one.id, at=one.written_at)], promises=promises, now=now)
            return


async def cycle_at(session: ReadSession, *, appeal_id: int, cycle: int, at: datetime) -> int:
    """Which cycle of an appeal that is now in `cycle` ran at a moment: an answer belongs to the one in which it was published."""
    if cycle == 1:
        return 1
    found = await session.scalar(
        text("SELECT max(cycle) FROM appeal_event WHERE appeal_id = :appeal AND act = 'reopened' AND occurred_at <= :at"),
        {"appeal": appeal_id, "at": at},
    )
    return int(found or 1)
