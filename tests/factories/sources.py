"""Pages and what is written there, and what triage made of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from app.sources.models import Author, Comment, CommentRevision, Page, Post
from app.triage.models import RoutingRule, Verdict
from app.triage.rules import Kind
from tests.factories._base import MORNING, digits, id_of, page_of, stored
from tests.factories.directory import make_agency

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.appeals.models import Appeal
    from app.directory.models import Agency, Territory, Topic
    from app.kernel.db import WriteSession
    from app.people.models import Operator
    from app.sources.rules import Fate


async def make_page(
    session: WriteSession,
    *,
    platform: str = "vk",
    title: str = "Заречье официально",
    agency: Agency | None = None,
    territory: Territory | None = None,
    external_id: str | None = None,
    watched_since: datetime = MORNING - timedelta(days=365),
    options: Mapping[str, str] | None = None,
) -> Page:
    """An official page; in its agency's territory unless given."""
    owner = agency or await make_agency(session, territory=territory)
    ident = external_id or digits()
    return await stored(
        session,
        Page(
            platform=platform,
            external_id=ident,
            title=title,
            link=f"https://{platform}.example/{ident}",
            agency_id=owner.id,
            territory_id=territory.id if territory else owner.territory_id,
            watched_since=watched_since,
            options=dict(options or {}),
        ),
    )


async def make_post(
    session: WriteSession,
    *,
    page: Page | None = None,
    text: str = "Завтра начинаем ремонт сквера.",
    external_id: str | None = None,
    thread_ref: str | None = None,
    published_at: datetime = MORNING - timedelta(days=1),
) -> Post:
    """What a page published."""
    where = page or await make_page(session)
    ident = external_id or digits()
    return await stored(
        session,
        Post(
            page_id=where.id,
            external_id=ident,
            thread_ref=thread_ref,
            text=text,
            link=f"{where.link}/{ident}",
            published_at=published_at,
            observed_at=published_at,
        ),
    )


async def make_author(
    session: WriteSession, *, platform: str = "vk", name: str = "Пётр Кузнецов", external_id: str | None = None
) -> Author:
    """A citizen as the platform shows them."""
    return await stored(session, Author(platform=platform, name=name, external_id=external_id or digits(), link=None))


async def make_comment(
    session: WriteSession,
    *,
    post: Post | None = None,
    author: Author | None = None,
    text: str = "Во дворе третий день не горят фонари.",
    by_page: bool = False,
    external_id: str | None = None,
    root_external_id: str | None = None,
    reply_to_external_id: str | None = None,
    written_at: datetime = MORNING,
    recorded_at: datetime | None = None,
    fate: Fate | None = None,
    fate_reason: str | None = None,
    appeal: Appeal | None = None,
    triage_due_at: datetime | None = None,
    triage_warn_at: datetime | None = None,
) -> Comment:
    """A comment with its first revision; a root of its own unless given, by a new author unless by the page."""
    where = post or await make_post(session)
    ident = external_id or digits()
    page = await page_of(session, where)
    writer = author or (None if by_page else await make_author(session, platform=page.platform))
    noticed = recorded_at or written_at + timedelta(seconds=20)
    comment = await stored(
        session,
        Comment(
            page_id=where.page_id,
            post_id=where.id,
            external_id=ident,
            root_external_id=root_external_id or ident,
            reply_to_external_id=reply_to_external_id,
            author_id=id_of(writer),
            by_page=by_page,
            text=text,
            link=f"{where.link}?reply={ident}",
            written_at=written_at,
            observed_at=noticed,
            recorded_at=noticed,
            fate=None if fate is None else fate.value,
            fate_reason=fate_reason,
            appeal_id=id_of(appeal),
            triage_due_at=triage_due_at,
            triage_warn_at=triage_warn_at,
        ),
    )
    await stored(
        session,
        CommentRevision(comment_id=comment.id, revision=1, text=text, raw=text.encode(), observed_at=noticed, recorded_at=noticed),
    )
    return comment


async def make_rule(
    session: WriteSession,
    *,
    page: Page | None = None,
    territory: Territory | None = None,
    topic: Topic | None = None,
    agency: Agency | None = None,
    comment: str = "",
) -> RoutingRule:
    """Page × territory × topic → agency; without an agency: the page's own."""
    return await stored(
        session,
        RoutingRule(
            page_id=id_of(page),
            territory_id=id_of(territory),
            topic_id=id_of(topic),
            agency_id=id_of(agency),
            comment=comment,
        ),
    )


async def make_verdict(
    session: WriteSession,
    *,
    comment: Comment,
    kind: Kind = Kind.APPEAL,
    topic: Topic | None = None,
    agency: Agency | None = None,
    operator: Operator | None = None,
    confidence: float = 0.9,
    reasons: Sequence[Mapping[str, object]] = (),
) -> Verdict:
    """What triage decided; by an operator: a correction."""
    return await stored(
        session,
        Verdict(
            comment_id=comment.id,
            operator_id=id_of(operator),
            classifier="operator" if operator else "keywords",
            version="1",
            kind=kind.value,
            is_appeal={Kind.APPEAL: True, Kind.UNDECIDED: None}.get(kind, False),
            topic_id=id_of(topic),
            agency_id=id_of(agency),
            confidence=confidence,
            reasons=[dict(reason) for reason in reasons],
        ),
    )
