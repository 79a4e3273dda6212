"""Appeals with their history, and answers."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text as sql

from app.appeals.models import Appeal, AppealAssignment, AppealEvent, AppealText
from app.appeals.rules import Act, Status
from app.replies.models import Reply, ReplyPicture
from app.replies.rules import ReplyState
from app.sources.models import Comment, Post
from app.sources.rules import Fate
from tests.factories._base import MORNING, digits, id_of, page_of, stored
from tests.factories.directory import make_agency
from tests.factories.sources import make_comment, make_page, make_post

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.directory.models import Agency, Territory, Topic
    from app.kernel.db import WriteSession
    from app.people.models import Operator


async def make_appeal(
    session: WriteSession,
    *,
    comment: Comment | None = None,
    agency: Agency | None = None,
    territory: Territory | None = None,
    topic: Topic | None = None,
    operator: Operator | None = None,
    status: Status = Status.NEW,
    platform: str = "vk",
    priority: str = "ordinary",
    cycle: int = 1,
    written_at: datetime = MORNING,
    opened_at: datetime | None = None,
    due_at: datetime | None = None,
    answered_at: datetime | None = None,
    closed_at: datetime | None = None,
    close_reason: str | None = None,
) -> Appeal:
    """An appeal that a comment opened (made when not given), with its `opened` event and the agency's assignment.

    Agency and territory are the page's own unless given. No timer: `make_timer` starts one.
    """
    opener = comment or await _opener(session, agency=agency, territory=territory, platform=platform, written_at=written_at)
    page = await page_of(session, await session.get_one(Post, opener.post_id))
    opened = opened_at or opener.recorded_at + timedelta(seconds=2)
    appeal = await stored(
        session,
        Appeal(
            source="comment",
            platform=page.platform,
            page_id=page.id,
            post_id=opener.post_id,
            root_external_id=opener.root_external_id,
            author_id=opener.author_id,
            comment_id=opener.id,
            agency_id=agency.id if agency else page.agency_id,
            territory_id=territory.id if territory else page.territory_id,
            topic_id=id_of(topic),
            operator_id=id_of(operator),
            status=status.value,
            priority=priority,
            cycle=cycle,
            written_at=opener.written_at,
            opened_at=opened,
            due_at=due_at,
            touched_at=opened,
            answered_at=answered_at,
            closed_at=closed_at,
            close_reason=close_reason,
        ),
    )
    opener.fate, opener.appeal_id = Fate.OPENED.value, appeal.id
    await make_event(
        session,
        appeal=appeal,
        act=Act.OPENED,
        cycle=1,
        occurred_at=opener.written_at,
        recorded_at=opened,
        data={
            "comment": opener.id, "agency": appeal.agency_id, "territory": appeal.territory_id, "rule": None, "topic": appeal.topic_id,
        },
    )  # fmt: skip
    await make_assignment(session, appeal=appeal, agency_id=appeal.agency_id, operator=operator, since=opened)
    return appeal


async def make_taken_down_appeal(
    session: WriteSession,
    *,
    agency: Agency | None = None,
    territory: Territory | None = None,
    topic: Topic | None = None,
    text: str = "По телефону: просят вывезти ветки с обочины.",
    source: str = "hand",
    platform: str = "webform",
    status: Status = Status.NEW,
    written_at: datetime = MORNING,
    opened_at: datetime | None = None,
    due_at: datetime | None = None,
) -> Appeal:
    """An appeal without a comment: taken down by hand (source `hand`) or by another system (`api`)."""
    owner = agency or await make_agency(session, territory=territory)
    opened = opened_at or written_at
    appeal = await stored(
        session,
        Appeal(
            source=source,
            platform=platform,
            agency_id=owner.id,
            territory_id=territory.id if territory else owner.territory_id,
            topic_id=id_of(topic),
            status=status.value,
            written_at=written_at,
            opened_at=opened,
            due_at=due_at,
            touched_at=opened,
        ),
    )
    await stored(session, AppealText(appeal_id=appeal.id, text=text, author_name=None, link=None))
    await make_event(session, appeal=appeal, act=Act.OPENED, cycle=1, occurred_at=written_at, recorded_at=opened)
    await make_assignment(session, appeal=appeal, agency_id=owner.id, since=opened)
    return appeal


async def make_event(
    session: WriteSession,
    *,
    appeal: Appeal,
    act: Act,
    cycle: int | None = None,
    operator: Operator | None = None,
    occurred_at: datetime = MORNING,
    recorded_at: datetime | None = None,
    data: Mapping[str, object] | None = None,
) -> AppealEvent:
    """One line of an appeal's history; recorded when it occurred unless given."""
    return await stored(
        session,
        AppealEvent(
            appeal_id=appeal.id,
            act=act.value,
            cycle=appeal.cycle if cycle is None else cycle,
            operator_id=id_of(operator),
            occurred_at=occurred_at,
            recorded_at=recorded_at or occurred_at,
            data=dict(data or {}),
        ),
    )


async def make_assignment(
    session: WriteSession,
    *,
    appeal: Appeal,
    agency_id: int,
    operator: Operator | None = None,
    since: datetime = MORNING,
    until: datetime | None = None,
) -> AppealAssignment:
    """Who held an appeal, from when to when."""
    return await stored(
        session,
        AppealAssignment(appeal_id=appeal.id, agency_id=agency_id, operator_id=id_of(operator), since=since, until=until),
    )


async def make_reply(
    session: WriteSession,
    *,
    appeal: Appeal,
    comment: Comment | None = None,
    operator: Operator | None = None,
    state: ReplyState = ReplyState.QUEUED,
    cycle: int | None = None,
    by_hand: bool = False,
    text: str = "Здравствуйте! Фонари починят сегодня до 18:00.",
    created_at: datetime = MORNING + timedelta(hours=1),
    published_at: datetime | None = None,
) -> Reply:
    """An answer in the outbox, to the comment that opened the appeal unless given; a sent one has its platform id."""
    sent = state is ReplyState.SENT
    ident = digits() if sent else None
    return await stored(
        session,
        Reply(
            appeal_id=appeal.id,
            comment_id=comment.id if comment else appeal.comment_id,
            comment_revision=1,
            cycle=appeal.cycle if cycle is None else cycle,
            operator_id=id_of(operator),
            agency_id=appeal.agency_id,
            by_hand=by_hand,
            text=text,
            state=state.value,
            created_at=created_at,
            due_at=created_at,
            external_id=ident,
            link=f"https://{appeal.platform}.example/answer/{ident}" if sent else None,
            published_at=(published_at or created_at + timedelta(seconds=3)) if sent else published_at,
        ),
    )


async def make_reply_picture(session: WriteSession, *, reply_id: int, operator: Operator, content: bytes, place: int = 0) -> ReplyPicture:
    """A picture of an answer, with whatever bytes."""
    return await stored(
        session,
        ReplyPicture(
            reply_id=reply_id, operator_id=operator.id, place=place, content=content, digest=hashlib.sha256(content).digest(),
            size=len(content), width=8, height=8, created_at=MORNING,
        ),
    )  # fmt: skip


async def _opener(
    session: WriteSession, *, agency: Agency | None, territory: Territory | None, platform: str, written_at: datetime
) -> Comment:
    page = await make_page(session, platform=platform, agency=agency, territory=territory)
    return await make_comment(session, post=await make_post(session, page=page), written_at=written_at)


async def make_amendment(
    session: WriteSession,
    *,
    reply_id: int,
    operator: Operator,
    state: str = "queued",
    text: str = "Фонари починят завтра.",
    reason: str = "Срок",
) -> int:
    """Other words for an answer that stands; its id. The database fills in whose it is."""
    row = await session.execute(
        sql(
            "INSERT INTO amendment (reply_id, operator_id, change, text, reason, state) "
            "VALUES (:reply, :operator, 'edit', :text, :reason, :state) RETURNING id"
        ),
        {"reply": reply_id, "operator": operator.id, "text": text, "reason": reason, "state": state},
    )
    return int(row.scalar_one())
