"""Appeals that another system brought to an end, or half way: they come in with their past, said as it was told.

Each event has the moment that the other system gave and is recorded now, so that what a report said as of an earlier
moment stays as it was. Nothing is published, nobody is warned of a past deadline that no clock runs to any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text

from app.appeals import history
from app.appeals.answers import ANSWER_PROMISES
from app.appeals.rules import Act, CloseReason, DismissReason, replayed
from app.kernel.db import Bulk
from app.sla import service as sla
from app.sla.rules import StopCause

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.appeals.rules import Status
    from app.kernel.db import ReadSession, WriteSession
    from app.sla.service import PlannedTimer

_CYCLE = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class PastAnswer:
    """An answer that stands on the platform. `at_known` is false when its moment is the latest that was told, not its own."""

    text: str
    agency_id: int | None
    created_at: datetime
    published_at: datetime
    at_known: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class PastEnd:
    """How it was finished."""

    reason: CloseReason | DismissReason
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Migrated:
    """An appeal with its past. `cells` is the other system's own row: what has no place of its own stays there."""

    system: str
    external_id: str
    cells: Mapping[str, str]
    platform: str
    page_id: int | None
    post_id: int | None
    root_external_id: str | None
    author_id: int | None
    agency_id: int
    territory_id: int
    topic_id: int | None
    written_at: datetime
    text: str
    author_name: str | None
    link: str | None
    assigned_at: datetime | None
    answers: tuple[PastAnswer, ...]
    end: PastEnd | None
    timers: tuple[PlannedTimer, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """An event to come. `answer` is the number, among the appeal's answers, of the one that it tells of."""

    act: Act
    at: datetime
    data: Mapping[str, object]
    answer: int | None = None


async def known_rows(session: ReadSession, system: str, external_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Of these ids in another system, the rows that came in before."""
    statement = text("SELECT external_id, cells FROM appeal_origin WHERE system = :system AND external_id = ANY (:ids)")
    rows = await session.execute(statement, {"system": system, "ids": list(external_ids)})
    return {row.external_id: row.cells for row in rows}


async def written_here(session: WriteSession, rows: Sequence[tuple[int, int, datetime]]) -> set[int]:
    """Of (row, number of ours, when it was written, to the second) the rows that tell of an appeal that is here."""
    return {row.row for row in await _OURS.run(session, rows)}


async def attach(session: WriteSession, rows: Sequence[tuple[int, str, str, Mapping[str, str]]]) -> None:
    """(appeal, system, its id there, its row): another system's row of a matter that is an appeal here already."""
    await _ORIGINS.run(
        session, [(appeal, system, external, orjson.dumps(dict(cells)).decode()) for appeal, system, external, cells in rows]
    )


async def bring_in(session: WriteSession, batch: Sequence[Migrated], *, now: datetime) -> list[int]:
    """Write appeals with all that belongs to them; their ids, in order."""
    ids = await _new_ids(session, "appeal", len(batch))
    steps = [_steps(one) for one in batch]
    await _write_appeals(session, batch, ids, [_status(told) for told in steps], now)
    await _TEXTS.run(session, [(appeal, one.text, one.author_name, one.link) for appeal, one in zip(ids, batch, strict=True)])
    await attach(session, [(appeal, one.system, one.external_id, one.cells) for appeal, one in zip(ids, batch, strict=True)])
    await _ASSIGN.run(
        session,
        [(appeal, one.agency_id, one.assigned_at or one.written_at) for appeal, one in zip(ids, batch, strict=True)],
    )
    await sla.start_timers(session, [(appeal, _CYCLE, timer) for appeal, one in zip(ids, batch, strict=True) for timer in one.timers])
    answer_ids = await _write_answers(session, ids, batch)
    await sla.stop_timers(
        session, [stop for appeal, one, told in zip(ids, batch, steps, strict=True) for stop in _stops(appeal, one.agency_id, told)]
    )
    await history.record(
        session,
        [event for appeal, one, told in zip(ids, batch, steps, strict=True) for event in _events(appeal, one.system, told, answer_ids)],
    )
    due = await sla.running_due(session, [appeal for appeal, one in zip(ids, batch, strict=True) if one.end is None])
    await _DUE.run(session, sorted(due.items()))
    return ids


def _steps(one: Migrated) -> list[_Step]:
    """What happened, in its order: whoever held it first is not told, so it opens with the agency that held it last."""
    opened = _Step(
        Act.OPENED, one.written_at, {"agency": one.agency_id, "territory": one.territory_id, "topic": one.topic_id, "rule": None}
    )
    answers = [
        _Step(Act.ANSWERED_BY_HAND, answer.published_at, {} if answer.at_known else {"moment": "unknown"}, number)
        for number, answer in enumerate(one.answers)
    ]
    later = list(answers)
    if one.end is not None:
        act = Act.CLOSED if isinstance(one.end.reason, CloseReason) else Act.DISMISSED
        later.append(_Step(act, one.end.at, {"reason": one.end.reason.value}))
    # Only what waits can be handed over: an assignment after the first answer or the end stays in the row of the other system.
    handed_over = []
    if one.assigned_at is not None and all(one.assigned_at <= step.at for step in later):
        handed_over.append(_Step(Act.ROUTED, one.assigned_at, {"agency": one.agency_id, "territory": one.territory_id}))
    # What its agency handed in before it stood: the end of the agency's own time. Nothing is handed in after the end.
    drafts = [
        _Step(Act.REPLY_QUEUED, answer.created_at, {}, number)
        for number, answer in enumerate(one.answers)
        if answer.created_at < answer.published_at and (one.end is None or answer.created_at <= one.end.at)
    ]
    return [opened, *sorted([*handed_over, *drafts, *later], key=lambda step: step.at)]


def _status(steps: Sequence[_Step]) -> Status:
    return replayed((step.act, _CYCLE) for step in steps)[0]


def _stops(appeal_id: int, agency_id: int, steps: Sequence[_Step]) -> list[sla.Stop]:
    causes = {Act.ANSWERED_BY_HAND: StopCause.FULFILLED, Act.CLOSED: StopCause.CLOSED, Act.DISMISSED: StopCause.DISMISSED}
    return [
        sla.Stop(
            appeal_id=appeal_id, cycle=_CYCLE, promises=ANSWER_PROMISES if step.act is Act.ANSWERED_BY_HAND else None, at=step.at,
            cause=causes[step.act], agency_id=agency_id,
        )
        for step in steps
        if step.act in causes
    ]  # fmt: skip


def _events(appeal_id: int, system: str, steps: Sequence[_Step], answer_ids: Mapping[tuple[int, int], int]) -> list[history.Event]:
    """Each says from which system it was brought in: its moment is that system's word, noticed by nobody here."""
    return [
        history.Event(
            appeal_id=appeal_id, act=step.act, cycle=_CYCLE, operator_id=None, occurred_at=step.at,
            data={
                "system": system, **step.data, **({} if step.answer is None else {"reply": answer_ids[appeal_id, step.answer]}),
            },
        )
        for step in steps
    ]  # fmt: skip


async def _write_appeals(
    session: WriteSession, batch: Sequence[Migrated], ids: Sequence[int], statuses: Sequence[Status], now: datetime
) -> None:
    rows = [
        (
            appeal, one.system, one.platform, one.page_id, one.post_id, one.root_external_id, one.author_id, status.value, one.agency_id,
            one.territory_id, one.topic_id, one.written_at, now, min((answer.published_at for answer in one.answers), default=None),
            None if one.end is None else one.end.at, None if one.end is None else one.end.reason.value,
        )
        for appeal, one, status in zip(ids, batch, statuses, strict=True)
    ]  # fmt: skip
    await _APPEALS.run(session, rows)


async def _write_answers(session: WriteSession, ids: Sequence[int], batch: Sequence[Migrated]) -> dict[tuple[int, int], int]:
    """The ids of their rows by (appeal, number among its answers)."""
    answers = [(appeal, number, answer) for appeal, one in zip(ids, batch, strict=True) for number, answer in enumerate(one.answers)]
    reply_ids = await _new_ids(session, "reply", len(answers))
    await _ANSWERS.run(
        session,
        [
            (reply, appeal, answer.agency_id, answer.text, answer.created_at, answer.published_at)
            for reply, (appeal, _, answer) in zip(reply_ids, answers, strict=True)
        ],
    )
    return {(appeal, number): reply for reply, (appeal, number, _) in zip(reply_ids, answers, strict=True)}


async def _new_ids(session: WriteSession, table: str, count: int) -> list[int]:
    """Numbers of rows to come: so many rows at once do not come back in an order that could be relied on."""
    statement = text("SELECT nextval(pg_get_serial_sequence(:table, 'id')) FROM generate_series(1, :count)")
    return list((await session.scalars(statement, {"table": table, "count": count})).all())


_APPEALS = Bulk(
    """
    INSERT INTO appeal (id, source, platform, page_id, post_id, root_external_id, author_id, status, agency_id, territory_id, topic_id,
      written_at, opened_at, touched_at, answered_at, closed_at, close_reason)
    OVERRIDING SYSTEM VALUE
    SELECT id, source, platform, page_id, post_id, root_external_id, author_id, status, agency_id, territory_id, topic_id, written_at,
      written_at, touched_at, answered_at, closed_at, close_reason
    FROM {rows}
    """,
    id="bigint", source="text", platform="text", page_id="bigint", post_id="bigint", root_external_id="text", author_id="bigint",
    status="text", agency_id="bigint", territory_id="bigint", topic_id="bigint", written_at="timestamptz", touched_at="timestamptz",
    answered_at="timestamptz", closed_at="timestamptz", close_reason="text",
)  # fmt: skip
_TEXTS = Bulk(
    "INSERT INTO appeal_text (appeal_id, text, author_name, link) SELECT * FROM {rows}",
    appeal_id="bigint", text="text", author_name="text", link="text",
)  # fmt: skip
_ORIGINS = Bulk(
    "INSERT INTO appeal_origin (appeal_id, system, external_id, cells) "
    "SELECT appeal_id, system, external_id, CAST(cells AS jsonb) FROM {rows}",
    appeal_id="bigint", system="text", external_id="text", cells="text",
)  # fmt: skip
_ASSIGN = Bulk(
    "INSERT INTO appeal_assignment (appeal_id, agency_id, since) SELECT * FROM {rows}",
    appeal_id="bigint", agency_id="bigint", since="timestamptz",
)  # fmt: skip
_ANSWERS = Bulk(
    """
    INSERT INTO reply (id, appeal_id, cycle, agency_id, by_hand, text, state, created_at, due_at, published_at)
    OVERRIDING SYSTEM VALUE
    SELECT id, appeal_id, 1, agency_id, true, text, 'sent', created_at, created_at, published_at FROM {rows}
    """,
    id="bigint", appeal_id="bigint", agency_id="bigint", text="text", created_at="timestamptz", published_at="timestamptz",
)  # fmt: skip
_OURS = Bulk(
    "SELECT r.row FROM {rows} JOIN appeal a USING (number) WHERE date_trunc('second', a.written_at) = r.written_at",
    row="integer", number="bigint", written_at="timestamptz",
)  # fmt: skip
_DUE = Bulk("UPDATE appeal a SET due_at = r.due_at FROM {rows} WHERE a.id = r.id", id="bigint", due_at="timestamptz")

# Matters that are appeals here already: the very comment belongs to one, or one is open under the same key.
_HERE = Bulk(
    """
    SELECT r.row, coalesce(
      (SELECT c.appeal_id FROM comment c
       WHERE c.page_id = r.page_id AND c.post_id = r.post_id AND c.external_id = r.comment AND NOT c.by_page),
      (SELECT a.id FROM appeal a
       WHERE r.open AND a.page_id = r.page_id AND a.post_id = r.post_id AND a.root_external_id = r.root AND a.author_id = r.author_id
         AND a.status IN ('answered', 'in_work', 'new'))) AS appeal_id
    FROM {rows}
    """,
    row="integer", page_id="bigint", post_id="bigint", comment="text", root="text", author_id="bigint", open="boolean",
)  # fmt: skip


async def appeals_here(
    session: WriteSession, rows: Sequence[tuple[int, int, int, str | None, str | None, int | None, bool]]
) -> dict[int, int]:
    """Of (row, page, post, comment, root comment, author, whether it is open) those that are appeals here: row → appeal."""
    found: list[Any] = await _HERE.run(session, rows)
    return {row.row: row.appeal_id for row in found if row.appeal_id is not None}
