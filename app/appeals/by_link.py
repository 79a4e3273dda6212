"""A link to a post or comment becomes an appeal: the one that there is already, the stored comment, or what the worker fetches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals.access import visible_to
from app.kernel.errors import InvalidError
from app.people.rules import Permission
from app.sources import lookups

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession
    from app.people.rules import Access
    from app.sources.lookups import Lookup, StoredComment
    from connectors.contract import Plugin, Reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Led:
    """Where a link leads.

    `state`: `appeal` (`number`), `elsewhere` (another agency's), `stored` (`comment_id`, to be answered on the platform), `found` (words
    to be taken down), `wanted` (the worker is fetching it: ask again), `refused` (`code`: the words have to be pasted).
    """

    state: str
    platform: str
    link: str
    number: int | None = None
    comment_id: int | None = None
    code: str | None = None
    text: str = ""
    author_name: str = ""
    written_at: datetime | None = None
    of_post: bool = False
    """Whether the link names a post and no comment: whoever answers a post does so by hand, on our own page too."""


def read_link(plugins: Mapping[str, Plugin], link: str) -> tuple[str, Reference] | None:
    """(platform, what the link names) by the first connector that knows its host; None when none does. Nothing is asked of anybody."""
    for platform, plugin in plugins.items():
        reference = None if plugin.links is None else plugin.links.read(link)
        if reference is not None:
            return platform, reference
    return None


async def follow(session: WriteSession, access: Access, *, platform: str, reference: Reference, now: datetime) -> Led:
    """What is known of the link; what is not, the worker is asked to fetch: ask again, and it says how far that is.

    InvalidError for a comment of ours that opens nothing: the page's own, or a deleted one.
    """
    access.require(Permission.APPEAL_CREATE)
    known = await _known(session, access, platform, reference)
    if known is not None:
        return known
    lookup = await lookups.asked(session, operator_id=access.operator_id, link=reference.link, now=now)
    if lookup is None:
        lookup = await lookups.ask(session, operator_id=access.operator_id, platform=platform, reference=reference, now=now)
    if lookup.comment_id is None:
        return replace(_led(lookup), of_post=reference.comment is None)
    stored = await _appeal_of(session, lookup.comment_id)
    if stored is None:  # under another agency's page: its words can be taken down all the same
        return replace(_led(lookup), state="found", comment_id=None)
    return _stored(platform, lookup.link, *stored)


async def _known(session: ReadSession, access: Access, platform: str, reference: Reference) -> Led | None:
    page = await lookups.watched_place(session, platform=platform, reference=reference)
    comment = None if page is None else await lookups.stored_comment(session, page_id=page.id, reference=reference)
    if comment is not None:
        found = await _appeal_of(session, comment.id)
        return _stored(platform, reference.link, comment, None if found is None else found[1])
    number = await taken_down(session, access, link=reference.link)
    return None if number is None else Led(state="appeal", platform=platform, link=reference.link, number=number)


async def taken_down(session: ReadSession, access: Access, *, link: str) -> int | None:
    """The number of the newest appeal that was taken down from this link and may be seen."""
    condition, scope = visible_to(access)
    found = await session.scalar(
        text(
            f"SELECT a.number FROM appeal_text t JOIN appeal a ON a.id = t.appeal_id WHERE t.link = :link AND {condition} "  # noqa: S608
            "ORDER BY a.id DESC LIMIT 1"
        ),
        {"link": link, **scope},
    )
    return None if found is None else int(found)


_OF_COMMENT = text(
    """
    SELECT c.id, c.appeal_id, c.by_page, c.deleted_at IS NOT NULL AS deleted, c.text, u.name AS author_name, c.written_at, a.number
    FROM comment c JOIN page g ON g.id = c.page_id LEFT JOIN author u ON u.id = c.author_id LEFT JOIN appeal a ON a.id = c.appeal_id
    WHERE c.id = :id
    """
)


async def _appeal_of(session: ReadSession, comment_id: int) -> tuple[StoredComment, int | None] | None:
    """The comment, and the number of its appeal when that may be seen; None when the comment may not."""
    row = (await session.execute(_OF_COMMENT, {"id": comment_id})).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    number = values.pop("number")
    return lookups.StoredComment(**values), number


def _stored(platform: str, link: str, comment: StoredComment, number: int | None) -> Led:
    state = "stored"
    if comment.appeal_id is not None and not comment.by_page:
        state = "elsewhere" if number is None else "appeal"
    else:
        require_citizen(by_page=comment.by_page, deleted=comment.deleted)
    return Led(
        state=state, platform=platform, link=link, number=number if state == "appeal" else None, comment_id=comment.id,
        text=comment.text, author_name=comment.author_name or "", written_at=comment.written_at,
    )  # fmt: skip


def _led(lookup: Lookup) -> Led:
    return Led(
        state=lookup.state, platform=lookup.platform, link=lookup.link, comment_id=lookup.comment_id,
        code=lookup.code, text=lookup.text or "", author_name=lookup.author_name or "", written_at=lookup.written_at,
    )  # fmt: skip


def require_citizen(*, by_page: bool, deleted: bool) -> None:
    """InvalidError unless a citizen's words stand there."""
    if by_page:
        raise InvalidError("link.by_page", "The page itself wrote this: there is nothing to answer.", field="link")
    if deleted:
        raise InvalidError("link.deleted", "The comment was deleted on the platform: there is nothing to answer under.", field="link")
