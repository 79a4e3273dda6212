"""The outbox: answers are queued, claimed under a lease, sent with no transaction open, settled.

Each answer stands once on the platform or as `uncertain` before a person, never twice. The table is the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from app.kernel.errors import ConflictError
from app.kernel.jobs import OUTBOUND_SEND, enqueue
from app.replies.limits import hold_back
from app.replies.rules import SENT_AGAIN, TRANSITIONS, AnswerKind, Exceeded, Limits, ReplyState, pause_before
from app.replies.stops import FREE, STANDING
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from app.kernel.db import ReadSession, WriteSession

NO_LIMITS = Limits()


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed:
    """An answer that this worker is publishing, or whose fate it is looking up (`interrupted`).

    `first_tried_at` is None when nothing was tried yet: `exceeds` says which limit keeps it back, or its sender died before.
    """

    id: int
    appeal_id: int
    operator_id: int | None
    platform: str
    guid: UUID
    text: str
    attempts: int
    first_tried_at: datetime | None
    limit_waived: bool
    page_id: int
    page_external_id: str
    page_options: dict[str, str]
    post_external_id: str
    thread_ref: str | None
    reply_to_external_id: str
    root_external_id: str
    leased_by: str
    """Of this very claim: a later one, even of the same worker, is another."""
    interrupted: bool
    exceeds: Exceeded | None = None


async def queue(
    session: WriteSession,
    *,
    appeal_id: int,
    comment_id: int,
    comment_revision: int,
    cycle: int,
    operator_id: int,
    agency_id: int,
    words: str,
    kind: AnswerKind = AnswerKind.FINAL,
    awaits: bool = False,
    now: datetime,
) -> int:
    """Put an answer into the outbox and wake the worker, or (`awaits`) before whoever approves it; the reply's id."""
    row = await session.execute(
        text(
            """
            INSERT INTO reply (appeal_id, comment_id, comment_revision, cycle, operator_id, approved_by, agency_id, kind, text, state,
              created_at, due_at)
            VALUES (:appeal, :comment, :revision, :cycle, :operator, :approved_by, :agency, :kind, :words, :state, :now, :now) RETURNING id
            """
        ),
        {
            "appeal": appeal_id, "comment": comment_id, "revision": comment_revision, "cycle": cycle, "operator": operator_id,
            "approved_by": None if awaits else operator_id, "agency": agency_id, "kind": kind.value, "words": words, "now": now,
            "state": (ReplyState.AWAITING if awaits else ReplyState.QUEUED).value,
        },
    )  # fmt: skip
    reply_id = int(row.scalar_one())
    if not awaits:
        await enqueue(session, OUTBOUND_SEND, {"reply": reply_id})
    return reply_id


async def needs_approval(session: ReadSession, *, agency_id: int) -> bool:
    """Whether answers of this agency go out only when another person has approved them: it says so, or one above it does."""
    return bool(await session.scalar(text("SELECT otklik_needs_approval(:agency)"), {"agency": agency_id}))


async def approve(session: WriteSession, *, reply_id: int, operator_id: int, now: datetime) -> None:
    """Let it go out. ConflictError unless it awaits that."""
    approved = await session.execute(
        text(
            "UPDATE reply SET state = 'queued', approved_by = :operator, due_at = :now WHERE id = :id AND state = 'awaiting' RETURNING id"
        ),
        {"id": reply_id, "operator": operator_id, "now": now},
    )
    if approved.scalar_one_or_none() is None:
        raise _moved_on()
    await enqueue(session, OUTBOUND_SEND, {"reply": reply_id})


async def give_back(session: WriteSession, *, reply_id: int, now: datetime) -> None:
    """It does not go out as it is. ConflictError unless it awaits approval."""
    await _decide(session, reply_id, ReplyState.RETURNED, now)


_WHERE_TO = """
SELECT r.id, r.appeal_id, r.operator_id, g.platform, r.guid, r.text, r.attempts, r.first_tried_at, r.limit_waived, r.page_id,
  g.external_id AS page_external_id, g.options AS page_options, p.external_id AS post_external_id, p.thread_ref,
  c.external_id AS reply_to_external_id, c.root_external_id, r.leased_by
FROM taken r JOIN comment c ON c.id = r.comment_id JOIN post p ON p.id = c.post_id JOIN page g ON g.id = c.page_id
"""

# The database refuses such a row when it is written; should one be there all the same, nobody ever speaks for it.
OWN_THREAD = "c.appeal_id = r.appeal_id AND NOT c.by_page AND r.page_id = c.page_id"

_CLAIM = text(
    f"""
    WITH RECURSIVE {STANDING},
    due AS (
      SELECT r.id FROM reply r JOIN comment c ON c.id = r.comment_id JOIN page g ON g.id = c.page_id
      WHERE r.state = 'queued' AND r.due_at <= :now AND g.platform = ANY (:platforms) AND {OWN_THREAD} AND {FREE}
        AND NOT EXISTS (  -- answers of one appeal keep their order
          SELECT FROM reply o WHERE o.appeal_id = r.appeal_id AND o.id < r.id AND o.state IN ('queued', 'sending', 'uncertain', 'held'))
      ORDER BY r.due_at LIMIT :most FOR UPDATE OF r SKIP LOCKED),
    taken AS (
      UPDATE reply r SET state = 'sending', attempts = attempts + 1, first_tried_at = coalesce(first_tried_at, :now),
        leased_by = CAST(:worker AS text) || '#' || gen_random_uuid(), leased_until = :until
      FROM due WHERE r.id = due.id RETURNING r.*)
    {_WHERE_TO}
    """  # noqa: S608 - constants
)

_CLAIM_INTERRUPTED = text(
    f"""
    WITH due AS (
      SELECT r.id FROM reply r JOIN comment c ON c.id = r.comment_id JOIN page g ON g.id = c.page_id
      WHERE r.state = 'sending' AND r.leased_until < :now AND g.platform = ANY (:platforms)
      ORDER BY r.leased_until LIMIT :most FOR UPDATE OF r SKIP LOCKED),
    taken AS (
      UPDATE reply r SET leased_by = CAST(:worker AS text) || '#' || gen_random_uuid(), leased_until = :until
      FROM due WHERE r.id = due.id RETURNING r.*)
    {_WHERE_TO}
    """  # noqa: S608 - constants
)


async def claim(
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
) -> list[Claimed]:
    """Take due answers (queued → sending), or those whose sender died while sending (their lease ran out).

    What publishing is stopped for stays where it is. What exceeds a limit comes as untried, with the limit.
    """
    statement = _CLAIM_INTERRUPTED if interrupted else _CLAIM
    rows = await session.execute(
        statement, {"worker": worker, "platforms": list(platforms), "now": now, "until": now + lease, "most": most}
    )
    taken = [Claimed(**row._mapping, interrupted=interrupted) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name
    first = [] if interrupted else [one for one in taken if one.attempts == 1 and not one.limit_waived]
    over = await hold_back(session, [(one.id, one.operator_id, one.page_id) for one in first], limits, now=now, time_scale=time_scale)
    return [replace(one, exceeds=over[one.id], first_tried_at=None, attempts=0) if one.id in over else one for one in taken]


_MAY_GO = text(
    f"""
    WITH RECURSIVE {STANDING}
    SELECT {OWN_THREAD} AS own_thread, {FREE} AS free
    FROM reply r JOIN comment c ON c.id = r.comment_id JOIN page g ON g.id = c.page_id
    WHERE r.id = :id AND r.state = 'sending' AND r.leased_by = :lease
    """  # noqa: S608 - constants
)


async def may_go(session: ReadSession, *, claimed: Claimed) -> bool | None:
    """Right before it is sent: False when publishing was stopped meanwhile, None when the claim is no longer ours."""
    row = (await session.execute(_MAY_GO, {"id": claimed.id, "lease": claimed.leased_by})).one_or_none()
    return None if row is None or not row.own_thread else bool(row.free)


async def unclaim(session: WriteSession, *, claimed: Claimed) -> bool:
    """Back to the queue as if it had not been taken: it was not sent. False when the claim is no longer ours."""
    row = await session.execute(
        text(
            """
            UPDATE reply SET state = 'queued', leased_by = NULL, leased_until = NULL,
              attempts = greatest(attempts - CASE WHEN first_tried_at IS NULL THEN 0 ELSE 1 END, 0),
              first_tried_at = CASE WHEN attempts > 1 THEN first_tried_at END
            WHERE id = :id AND state = 'sending' AND leased_by = :lease RETURNING id
            """
        ),
        {"id": claimed.id, "lease": claimed.leased_by},
    )
    return row.scalar_one_or_none() is not None


async def settle(
    session: WriteSession,
    *,
    claimed: Claimed,
    state: ReplyState,
    code: str | None = None,
    detail: str | None = None,
    due_at: datetime | None = None,
    external_id: str | None = None,
    link: str | None = None,
    published_at: datetime | None = None,
) -> bool:
    """End a claim; its appeal is locked, or nothing else is.

    False when it is no longer ours (a poll saw the answer first, or another worker took over).
    """
    row = await session.execute(
        text(
            """
            UPDATE reply SET state = :state, error_code = :code, error_detail = left(:detail, 500), due_at = coalesce(:due, due_at),
              external_id = :external, link = :link, published_at = :published, leased_by = NULL, leased_until = NULL
            WHERE id = :id AND state = 'sending' AND leased_by = :lease RETURNING id
            """
        ),
        {
            "id": claimed.id, "lease": claimed.leased_by, "state": state.value, "code": _storable(code), "due": due_at,
            "detail": _storable(detail), "external": _storable(external_id), "link": _storable(link), "published": published_at,
        },
    )  # fmt: skip
    return row.scalar_one_or_none() is not None


async def know_sent(session: WriteSession, *, claimed: Claimed, external_id: str, link: str, published_at: datetime) -> bool:
    """It stands, as its sender knows although the claim was lost meanwhile; its appeal is locked.

    Whoever took over could only guess: they may have called it uncertain, or queued it to be sent once more. False when
    its place on the platform is known already, or a person has withdrawn or found it.
    """
    row = await session.execute(
        text(
            """
            UPDATE reply SET state = 'sent', external_id = :external, link = :link, published_at = :published,
              error_code = NULL, error_detail = NULL, leased_by = NULL, leased_until = NULL
            WHERE id = :id AND external_id IS NULL AND attempts > 0 AND state IN ('queued', 'sending', 'failed', 'uncertain') RETURNING id
            """
        ),
        {"id": claimed.id, "external": _storable(external_id), "link": _storable(link), "published": published_at},
    )
    return row.scalar_one_or_none() is not None


async def put_back(
    session: WriteSession,
    *,
    claimed: Claimed,
    now: datetime,
    after: timedelta | None,
    code: str,
    detail: str,
    time_scale: float,
) -> bool:
    """Queue again: after the pause that the platform named (already scaled), else after a growing one of our own."""
    pause = after if after is not None else pause_before(claimed.attempts) / time_scale
    return await settle(session, claimed=claimed, state=ReplyState.QUEUED, code=code, detail=detail, due_at=now + pause)


async def resend(session: WriteSession, *, reply_id: int, operator_id: int | None, now: datetime) -> None:
    """A person decided that it is not on the platform and is to go out. ConflictError unless failed, uncertain or held.

    One that was held passes the limits from now on: somebody has looked at it.
    """
    await _decide(session, reply_id, ReplyState.QUEUED, now, SENT_AGAIN)
    await session.execute(
        text("UPDATE reply SET approved_by = :operator, limit_waived = limit_waived OR attempts = 0 WHERE id = :id"),
        {"id": reply_id, "operator": operator_id},
    )
    await enqueue(session, OUTBOUND_SEND, {"reply": reply_id})


async def withdraw(session: WriteSession, *, reply_id: int, now: datetime) -> None:
    """Not to be published any more. ConflictError when it is being sent or stands on the platform."""
    await _decide(session, reply_id, ReplyState.WITHDRAWN, now)


async def confirm(session: WriteSession, *, reply_id: int, published_at: datetime) -> None:
    """A person found it on the platform. ConflictError unless it is uncertain."""
    row = await session.execute(
        text("UPDATE reply SET state = 'sent', published_at = :at WHERE id = :id AND state = 'uncertain' RETURNING id"),
        {"id": reply_id, "at": published_at},
    )
    if row.scalar_one_or_none() is None:
        raise ConflictError("reply.state", "Only an answer of unknown outcome can be confirmed: reload the appeal.")


async def _decide(
    session: WriteSession, reply_id: int, state: ReplyState, now: datetime, of: frozenset[ReplyState] = frozenset(ReplyState)
) -> None:
    allowed = [before.value for before, after in TRANSITIONS.items() if state in after and before in of - {ReplyState.SENDING}]
    row = await session.execute(
        text("UPDATE reply SET state = :state, due_at = :now WHERE id = :id AND state = ANY (:allowed) RETURNING id"),
        {"id": reply_id, "state": state.value, "now": now, "allowed": allowed},
    )
    if row.scalar_one_or_none() is None:
        raise _moved_on()


def _moved_on() -> ConflictError:
    return ConflictError("reply.state", "The answer has moved on meanwhile: reload the appeal.")


def _storable(told: str | None) -> str | None:
    """What a platform tells may hold characters that PostgreSQL does not take."""
    return None if told is None else storable(told)[0]
