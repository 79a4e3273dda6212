"""What people do with one appeal. Each act: permission, transition, rows, event - in the caller's transaction.

`seen_version` is the version that the person's screen showed. An act that depends on what they saw (answer, re-route,
dismiss, close) is refused with ConflictError when the appeal has moved on since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.appeals import answers, history
from app.appeals.access import require_reach, visible_to
from app.appeals.intake import nearest_due
from app.appeals.pictures import NO_PICTURES, Chosen, put_to
from app.appeals.rules import Act, CloseReason, DismissReason, Status, after
from app.audit import service as audit
from app.kernel.errors import ConflictError, InvalidError, NotFoundError
from app.people.rules import Permission
from app.replies import service as replies
from app.replies.rules import AnswerKind
from app.sla import service as sla
from app.sla.pauses import end_pauses
from app.sla.rules import StopCause
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from app.appeals.reopening import Promises
    from app.kernel.db import WriteSession
    from app.people.rules import Access
    from app.sla.service import PlannedTimer

NOTE_LIMIT = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """An appeal, locked for this transaction."""

    id: int
    number: int
    status: Status
    cycle: int
    version: int
    agency_id: int
    territory_id: int
    topic_id: int | None
    operator_id: int | None
    comment_id: int | None
    page_id: int | None
    platform: str
    priority: str
    written_at: datetime
    merged_into: int | None


_HOLD = """
SELECT a.id, a.number, a.status, a.cycle, a.version, a.agency_id, a.territory_id, a.topic_id, a.operator_id, a.comment_id, a.page_id,
  a.platform, a.priority, a.written_at, a.merged_into
FROM appeal a WHERE a.number = :number AND {visible} FOR UPDATE
"""


async def hold(session: WriteSession, access: Access, *, number: int, permission: Permission, seen_version: int | None = None) -> Held:
    """Lock an appeal for an act. NotFoundError when it is out of sight, ConflictError when it has moved on."""
    access.require(permission)
    condition, scope = visible_to(access)
    row = (await session.execute(text(_HOLD.format(visible=condition)), {"number": number, **scope})).one_or_none()
    if row is None:
        raise NotFoundError("appeal.unknown", f"There is no appeal {number} that you may see.", number=number)
    require_reach(access, permission, agency_id=row.agency_id, territory_id=row.territory_id)
    if seen_version is not None and row.version != seen_version:
        raise ConflictError("appeal.version", "The appeal has changed since you opened it: reload it, then decide.", number=number)
    return Held(**{**row._mapping, "status": Status(row.status)})  # noqa: SLF001 - SQLAlchemy's documented name


async def advance(session: WriteSession, held: Held, act: Act, now: datetime, /, **columns: Any) -> Status:  # noqa: ANN401 - column values
    """Move to the status that follows; further columns are set beside it. Raises ConflictError when it cannot happen."""
    status = after(act, held.status)
    assignments = "".join(f", {name} = :{name}" for name in columns)  # names come from this file only
    await session.execute(
        text(f"UPDATE appeal SET status = :status, version = version + 1, touched_at = :now{assignments} WHERE id = :id"),  # noqa: S608
        {"id": held.id, "status": status.value, "now": now, **columns},
    )
    return status


async def record_act(
    session: WriteSession, held: Held, access: Access, act: Act, now: datetime, data: Mapping[str, object] | None = None
) -> None:
    """Say in the history and in the trail what somebody did."""
    event = history.Event(appeal_id=held.id, act=act, cycle=held.cycle, operator_id=access.operator_id, occurred_at=now, data=data or {})
    await history.record(session, [event])
    await audit.record(session, operator_id=access.operator_id, act=f"appeal.{act.value}", subject="appeal", subject_id=held.id)


async def take(session: WriteSession, access: Access, *, number: int, now: datetime) -> None:
    """Make it one's own."""
    held = await hold(session, access, number=number, permission=Permission.APPEAL_WORK)
    if held.operator_id == access.operator_id and held.status is not Status.NEW:
        return
    await advance(session, held, Act.TAKEN, now, operator_id=access.operator_id)
    await _assign(session, held, access, now)
    await record_act(session, held, access, Act.TAKEN, now)


async def _assign(session: WriteSession, held: Held, access: Access, now: datetime) -> None:
    """From now on this person holds it; who held it before keeps that period.

    A period never ends before it begins: a routing has the database's moment, which may be ahead of this machine's clock.
    """
    await session.execute(
        text(
            """
            WITH ended AS (
              UPDATE appeal_assignment SET until = greatest(since, CAST(:now AS timestamptz)) WHERE appeal_id = :id AND until IS NULL
              RETURNING until)
            INSERT INTO appeal_assignment (appeal_id, agency_id, operator_id, since) SELECT :id, :agency, :operator, until FROM ended
            """
        ),
        {"id": held.id, "agency": held.agency_id, "operator": access.operator_id, "now": now},
    )


async def route(
    session: WriteSession, access: Access, *, number: int, agency_id: int, territory_id: int | None, seen_version: int | None, now: datetime
) -> None:
    """Hand it to another agency: the citizen's clock goes on. The caller may lose sight of it."""
    held = await hold(session, access, number=number, permission=Permission.APPEAL_ROUTE, seen_version=seen_version)
    if agency_id == held.agency_id:
        raise InvalidError("appeal.same_agency", "The appeal is with this agency already: choose another one.", field="agency")
    after(Act.ROUTED, held.status)
    known = await session.scalar(text("SELECT true FROM agency WHERE id = :id"), {"id": agency_id})
    if not known:
        raise InvalidError("appeal.agency", "There is no such agency: choose one from the list.", field="agency")
    # History first: afterwards the appeal may be out of our sight, and so out of our pen.
    data = {"from": held.agency_id, "agency": agency_id, "territory": territory_id or held.territory_id}
    await record_act(session, held, access, Act.ROUTED, now, data)
    merged = await session.execute(text("SELECT id, cycle FROM appeal WHERE merged_into = :id ORDER BY id"), {"id": held.id})
    await history.record(
        session,
        [
            history.Event(appeal_id=row.id, act=Act.FOLLOWED, cycle=row.cycle, operator_id=access.operator_id, occurred_at=now, data=data)
            for row in merged
        ],
    )
    await _correct(session, held, access, topic_id=held.topic_id, agency_id=agency_id)
    version = await session.scalar(
        # Not before the transaction's own moment: what was recorded in it belongs to the period of the agency that hands it on.
        text("SELECT otklik_route_appeal(:id, :agency, :territory, :version, greatest(CAST(:now AS timestamptz), now()))"),
        {"id": held.id, "agency": agency_id, "territory": territory_id or held.territory_id, "version": held.version, "now": now},
    )
    if version is None:
        raise ConflictError("appeal.version", "The appeal has changed since you opened it: reload it, then decide.", number=number)


async def set_topic(session: WriteSession, access: Access, *, number: int, topic_id: int, now: datetime) -> None:
    """Correct the topic; the verdict that was wrong stays beside the correction. Deadlines stay as promised."""
    held = await hold(session, access, number=number, permission=Permission.APPEAL_WORK)
    known = await session.scalar(text("SELECT true FROM topic WHERE id = :id"), {"id": topic_id})
    if not known:
        raise InvalidError("appeal.topic", "There is no such topic: choose one from the list.", field="topic")
    await advance(session, held, Act.TOPIC_SET, now, topic_id=topic_id)
    await _correct(session, held, access, topic_id=topic_id, agency_id=held.agency_id)
    await record_act(session, held, access, Act.TOPIC_SET, now, {"from": held.topic_id, "topic": topic_id})


async def _correct(
    session: WriteSession, held: Held, access: Access, *, topic_id: int | None, agency_id: int, is_appeal: bool = True
) -> None:
    """A person's verdict beside the classifier's: how triage learns whether it was right."""
    if held.comment_id is None:
        return
    await session.execute(
        text(
            """
            INSERT INTO verdict (comment_id, operator_id, classifier, version, kind, is_appeal, topic_id, confidence, agency_id)
            VALUES (:comment, :operator, 'operator', '1', :kind, :is_appeal, :topic, 1, :agency)
            """
        ),
        {
            "comment": held.comment_id, "operator": access.operator_id, "kind": "appeal" if is_appeal else "undecided",
            "is_appeal": is_appeal, "topic": topic_id, "agency": agency_id,
        },
    )  # fmt: skip


async def dismiss(
    session: WriteSession, access: Access, *, number: int, reason: DismissReason, seen_version: int | None, now: datetime
) -> None:
    """It was nothing to answer: it leaves the SLA population."""
    held = await hold(session, access, number=number, permission=Permission.APPEAL_WORK, seen_version=seen_version)
    await no_answer_under_way(session, held)
    await advance(session, held, Act.DISMISSED, now, closed_at=now, close_reason=reason.value, due_at=None)
    await stop_clocks(session, held, now, StopCause.DISMISSED)
    await _correct(session, held, access, topic_id=held.topic_id, agency_id=held.agency_id, is_appeal=False)
    await record_act(session, held, access, Act.DISMISSED, now, {"reason": reason.value})


async def close(
    session: WriteSession, access: Access, *, number: int, reason: CloseReason, seen_version: int | None, now: datetime
) -> None:
    """It is finished. An appeal without an answer may be closed only when no answer is possible there."""
    held = await hold(session, access, number=number, permission=Permission.APPEAL_WORK, seen_version=seen_version)
    if held.status is not Status.ANSWERED and held.page_id is not None and reason is not CloseReason.CANNOT_REPLY:
        raise InvalidError(
            "appeal.unanswered", "Answer the citizen first, or say that no answer is possible on the platform.", field="reason"
        )
    await no_answer_under_way(session, held)
    await advance(session, held, Act.CLOSED, now, closed_at=now, close_reason=reason.value, due_at=None)
    await stop_clocks(session, held, now, StopCause.CLOSED)
    await record_act(session, held, access, Act.CLOSED, now, {"reason": reason.value})


async def no_answer_under_way(session: WriteSession, held: Held) -> None:
    """ConflictError when one is on its way to the platform."""
    under_way = "('awaiting', 'queued', 'sending', 'uncertain', 'held')"
    busy = await session.scalar(
        text(
            f"SELECT EXISTS (SELECT FROM reply WHERE appeal_id = :id AND state IN {under_way})"  # noqa: S608 - a constant
            f" OR EXISTS (SELECT FROM amendment WHERE appeal_id = :id AND state IN {under_way})"
        ),
        {"id": held.id},
    )
    if busy:
        raise ConflictError("appeal.answer_under_way", "An answer is on its way to the platform: wait for it, or settle it first.")


async def stop_clocks(session: WriteSession, held: Held, now: datetime, cause: StopCause) -> None:
    """Its clocks end, and a pause of theirs."""
    await sla.stop_timers(
        session, [sla.Stop(appeal_id=held.id, cycle=held.cycle, promises=None, at=now, cause=cause, agency_id=held.agency_id)]
    )
    await end_pauses(session, [(held.id, now)])


_BEING_CHANGED = text(
    "SELECT EXISTS (SELECT FROM amendment WHERE appeal_id = :id AND state IN ('awaiting', 'queued', 'sending', 'uncertain', 'held'))"
)


async def reopen(
    session: WriteSession,
    access: Access,
    *,
    number: int,
    plan: Callable[[Held], Sequence[PlannedTimer]],
    seen_version: int | None,
    now: datetime,
) -> None:
    """Take it up again: a new cycle with timers of its own, from now on. `plan` gives them."""
    held = await hold(session, access, number=number, permission=Permission.APPEAL_WORK, seen_version=seen_version)
    if await session.scalar(_BEING_CHANGED, {"id": held.id}):
        raise ConflictError(
            "appeal.answer_under_way", "An answer of this appeal is being changed or deleted: wait for it, or leave it first."
        )
    timers = plan(held)
    cycle = held.cycle + 1
    await _another_open(session, held)
    columns = {"cycle": cycle, "closed_at": None, "close_reason": None, "answered_at": None, "due_at": nearest_due(timers)}
    try:
        async with session.begin_nested():
            await advance(session, held, Act.REOPENED, now, **columns)
    except IntegrityError as error:  # one that another agency holds, out of our sight, or that was opened at this moment
        raise ConflictError("appeal.newer", "The author's newer appeal in this thread is open: work on that one.") from error
    await sla.start_timers(session, [(held.id, cycle, timer) for timer in timers])
    event = history.Event(appeal_id=held.id, act=Act.REOPENED, cycle=cycle, operator_id=access.operator_id, occurred_at=now)
    await history.record(session, [event])
    await audit.record(session, operator_id=access.operator_id, act="appeal.reopened", subject="appeal", subject_id=held.id)


async def _another_open(session: WriteSession, held: Held) -> None:
    """The author's newer appeal in the same thread stands for this one."""
    newer = await session.scalar(
        text(
            """
            SELECT o.number FROM appeal a JOIN appeal o USING (page_id, post_id, root_external_id, author_id)
            WHERE a.id = :id AND o.id <> a.id AND o.status IN ('new', 'in_work', 'answered')
            """
        ),
        {"id": held.id},
    )
    if newer is not None:
        raise ConflictError("appeal.newer", f"The author's newer appeal {newer} is open: work on that one.", number=int(newer))


async def note(session: WriteSession, access: Access, *, number: int, words: str, now: datetime) -> None:
    """Tell colleagues something."""
    held = await hold(session, access, number=number, permission=Permission.APPEAL_NOTE)
    clean = checked_words(words, NOTE_LIMIT, "text")
    row = await session.execute(
        text("INSERT INTO appeal_note (appeal_id, operator_id, text, recorded_at) VALUES (:id, :operator, :words, :now) RETURNING id"),
        {"id": held.id, "operator": access.operator_id, "words": clean, "now": now},
    )
    await advance(session, held, Act.NOTED, now)
    await record_act(session, held, access, Act.NOTED, now, {"note": row.scalar_one()})


async def answer(
    session: WriteSession,
    access: Access,
    *,
    number: int,
    words: str,
    text_limits: Mapping[str, int],
    comment_id: int | None = None,
    kind: AnswerKind = AnswerKind.FINAL,
    promises: Promises | None = None,
    seen_version: int | None = None,
    pictures: Chosen = NO_PICTURES,
    now: datetime,
) -> int:
    """T3: queue an answer to the citizen's comment (their last one, unless another of the appeal is named); the reply's id.

    Where the agency's answers are approved first, it waits for that (`approval`).
    `text_limits`: characters by platform. An appeal of a closed status is not answered: reopen it first. An interim answer
    is for an appeal that waits, and only where a norm says when the final one is due (`promises`).
    """
    held = await hold(session, access, number=number, permission=Permission.APPEAL_WORK, seen_version=seen_version)
    await answers.require_final_promise(session, held, kind, promises, now)
    clean = checked_words(words, text_limits.get(held.platform, 4_000), "text")
    target = await _target(session, held, comment_id)
    awaits = await replies.needs_approval(session, agency_id=held.agency_id)
    reply_id = await replies.queue(
        session, appeal_id=held.id, comment_id=target.id, comment_revision=target.revision, cycle=held.cycle,
        operator_id=access.operator_id, agency_id=held.agency_id, words=clean, kind=kind, awaits=awaits, now=now,
    )  # fmt: skip
    await put_to(session, access, pictures, reply_id=reply_id, platform=held.platform)
    act = Act.REPLY_SUBMITTED if awaits else Act.REPLY_QUEUED
    told = {"reply": reply_id, "comment": target.id, "revision": target.revision}
    await _answered(session, held, access, act, now, told | pictures.told)
    return reply_id


async def _answered(session: WriteSession, held: Held, access: Access, act: Act, now: datetime, data: Mapping[str, object]) -> None:
    """Who answers it holds it, if nobody did."""
    await advance(session, held, act, now, operator_id=held.operator_id or access.operator_id)
    if held.operator_id is None:
        await _assign(session, held, access, now)
    await record_act(session, held, access, act, now, data)


async def _target(session: WriteSession, held: Held, comment_id: int | None) -> Any:  # noqa: ANN401 - a typed row
    rows = await session.execute(
        text(
            """
            SELECT c.id, c.revision, c.deleted_at FROM comment c
            WHERE c.appeal_id = :appeal AND NOT c.by_page AND (CAST(:comment AS bigint) IS NULL OR c.id = :comment)
            ORDER BY c.deleted_at IS NOT NULL, c.written_at DESC, c.id DESC LIMIT 1
            """
        ),
        {"appeal": held.id, "comment": comment_id},
    )
    target = rows.one_or_none()
    if target is None:
        raise InvalidError(
            "appeal.no_comment", "There is no comment to answer under: answer by other means and close the appeal.", field="comment"
        )
    if target.deleted_at is not None:
        raise ConflictError("appeal.comment_deleted", "The citizen has deleted the comment: there is nothing to answer under.")
    return target


def checked_words(words: str, limit: int, field: str) -> str:
    """What somebody wrote, as it can be stored. InvalidError when it is empty or too long."""
    clean = storable(words)[0].strip()
    if not clean:
        raise InvalidError("text.empty", "Write something first.", field=field)
    if len(clean) > limit:
        raise InvalidError(
            "text.long",
            f"The text has {len(clean)} characters; the platform takes {limit}. Shorten it.",
            field=field,
            length=len(clean),
            limit=limit,
        )
    return clean
