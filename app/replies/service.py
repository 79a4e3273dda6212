"""The outbox: answers are queued, claimed under a lease, sent with no transaction open, settled.

Each answer stands once on the platform or as `uncertain` before a person, never twice. The table is the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import text

from app.kernel.errors import ConflictError
from app.kernel.jobs import OUTBOUND_SEND, enqueue
from app.replies.outbox import Claim, Outbox, kept
from app.replies.rules import SENT_AGAIN, TRANSITIONS, AnswerKind, ReplyState
from app.sources.rules import storable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Claimed(Claim):
    """An answer that this worker is publishing, or whose fate it is looking up (`interrupted`)."""

    guid: UUID
    reply_to_external_id: str
    pictures: int
    """How many go with it."""


OUTBOX = Outbox(
    "reply",
    Claimed,
    joins="JOIN comment c ON c.id = r.comment_id",
    columns="r.guid, c.external_id AS reply_to_external_id, (SELECT count(*) FROM reply_picture i WHERE i.reply_id = r.id) AS pictures",
    ends=("external_id", "link", "published_at"),
    # The database refuses such a row when it is written; should one be there all the same, nobody ever speaks for it.
    own="c.appeal_id = r.appeal_id AND NOT c.by_page AND r.page_id = c.page_id",
    # Answers of one appeal keep their order.
    turn="""NOT EXISTS (
      SELECT FROM reply o WHERE o.appeal_id = r.appeal_id AND o.id < r.id AND o.state IN ('queued', 'sending', 'uncertain', 'held'))""",
)


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
        {"id": claimed.id, "external": kept(external_id), "link": kept(link), "published": published_at},
    )
    return row.scalar_one_or_none() is not None


async def keep_parts(session: WriteSession, *, reply_id: int, parts: Sequence[str]) -> None:
    """What the platform calls the messages that belong to an answer besides: with it they are changed and taken away."""
    await session.execute(
        text("UPDATE reply SET parts = :parts WHERE id = :id"), {"id": reply_id, "parts": [storable(part)[0] for part in parts]}
    )


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
