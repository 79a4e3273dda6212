"""Links that people paste: what is stored at such a place already, and what the worker was asked to fetch from there.

Only the worker has tokens: the web process writes down what is wanted, the worker what it found. It is kept for an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.errors import ConflictError
from app.kernel.jobs import LINK_FETCH, enqueue
from app.sources.rules import storable
from connectors.contract import Reference

if TYPE_CHECKING:
    from app.kernel.db import ReadSession, WriteSession

KEPT = timedelta(hours=1)
REFUSED_FOR = timedelta(minutes=1)
MOST_AT_ONCE = 30
"""So many links of one person are looked up in a minute: whoever has more waits, and the platforms are spared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchedPlace:
    """The page that a link names, when it is one that we watch."""

    id: int
    external_id: str
    options: dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredComment:
    """The comment that a link names, when it is stored."""

    id: int
    appeal_id: int | None
    by_page: bool
    deleted: bool
    text: str
    author_name: str | None
    written_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Lookup:
    """What became of a link. `state`: wanted, stored (`comment_id` then), found or refused (`code` then)."""

    id: int
    platform: str
    link: str
    state: str
    code: str | None
    comment_id: int | None
    text: str | None
    author_name: str | None
    written_at: datetime | None


# By its id, else by its own address or by a name that its connector keeps (a channel's, its discussion group's).
_PAGE = text(
    """
    SELECT id, external_id, options FROM page WHERE platform = :platform AND active AND (external_id = :name OR (
      NOT EXISTS (SELECT FROM page p WHERE p.platform = :platform AND p.external_id = :name) AND (
        lower(split_part(link, '/', -1)) = lower(:name)
        OR EXISTS (SELECT FROM jsonb_each_text(options) o WHERE length(o.value) > 3 AND lower(o.value) = lower(:name)))))
    ORDER BY external_id = :name DESC, id LIMIT 1
    """
)
_COMMENT = text(
    """
    SELECT c.id, c.appeal_id, c.by_page, c.deleted_at IS NOT NULL AS deleted, c.text, a.name AS author_name, c.written_at
    FROM post p JOIN comment c ON c.page_id = p.page_id AND c.post_id = p.id AND c.external_id = :comment
      LEFT JOIN author a ON a.id = c.author_id
    WHERE p.page_id = :page AND (p.external_id = CAST(:post AS text) OR p.thread_ref = CAST(:thread AS text))
    LIMIT 1
    """
)


async def watched_place(session: ReadSession, *, platform: str, reference: Reference) -> WatchedPlace | None:
    """The active page that a link names."""
    row = (await session.execute(_PAGE, {"platform": platform, "name": reference.page})).one_or_none()
    return None if row is None else WatchedPlace(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name


async def stored_comment(session: ReadSession, *, page_id: int, reference: Reference) -> StoredComment | None:
    """The comment that a link names, if it is stored and the reader may see it."""
    if reference.comment is None:
        return None
    named = {"page": page_id, "post": reference.post, "thread": reference.thread, "comment": reference.comment}
    row = (await session.execute(_COMMENT, named)).one_or_none()
    return None if row is None else StoredComment(**row._mapping)  # noqa: SLF001 - as above


# --- asking, by the web process -----------------------------------------------------------------------------------

_ASK = text(
    """
    INSERT INTO link_lookup (operator_id, platform, link, page, post, thread, comment, root, state, asked_at)
    SELECT :operator, :platform, :link, :page, :post, :thread, :comment, :root, 'wanted', :now
    WHERE (SELECT count(*) FROM link_lookup WHERE operator_id = :operator AND asked_at > :recent) < :most
    RETURNING id
    """
)


async def ask(session: WriteSession, *, operator_id: int, platform: str, reference: Reference, now: datetime) -> Lookup:
    """Have the worker fetch it. ConflictError when this person has asked for too much."""
    named = {name: getattr(reference, name) for name in ("link", "page", "post", "thread", "comment", "root")}
    recent = {"recent": now - timedelta(minutes=1), "most": MOST_AT_ONCE}
    added = await session.execute(_ASK, {"operator": operator_id, "platform": platform, "now": now, **named, **recent})
    lookup_id = added.scalar_one_or_none()
    if lookup_id is None:
        raise ConflictError("link.many", "You have had many links looked up: wait a minute.")
    await enqueue(session, LINK_FETCH, {"lookup": lookup_id})
    return Lookup(
        id=lookup_id, platform=platform, link=reference.link, state="wanted", code=None, comment_id=None, text=None, author_name=None,
        written_at=None,
    )  # fmt: skip


_ASKED = text(
    """
    SELECT id, platform, link, state, code, comment_id, text, author_name, written_at FROM link_lookup
    WHERE operator_id = :operator AND link = :link AND asked_at > :since AND (state <> 'refused' OR asked_at > :lately)
    ORDER BY id DESC LIMIT 1
    """
)


async def asked(session: ReadSession, *, operator_id: int, link: str, now: datetime) -> Lookup | None:
    """What became of this link so far, if this person asked; a refusal holds for a minute, then it may be asked for again."""
    given = {"operator": operator_id, "link": link, "since": now - KEPT, "lately": now - REFUSED_FOR}
    row = (await session.execute(_ASKED, given)).one_or_none()
    return None if row is None else Lookup(**row._mapping)  # noqa: SLF001 - as above


# --- fetching, by the worker --------------------------------------------------------------------------------------


async def wanted(session: ReadSession, *, lookup_id: int) -> tuple[str, Reference] | None:
    """(platform, what its link names) of one that is still wanted."""
    row = (
        await session.execute(
            text("SELECT platform, link, page, post, thread, comment, root FROM link_lookup WHERE id = :id AND state = 'wanted'"),
            {"id": lookup_id},
        )
    ).one_or_none()
    if row is None:
        return None
    named = dict(row._mapping)  # noqa: SLF001 - as above
    return named.pop("platform"), Reference(**named)


_SETTLE = text(
    """
    UPDATE link_lookup SET state = :state, code = :code, comment_id = :comment, text = :words, author_name = :author, written_at = :written
    WHERE id = :id AND state = 'wanted'
    """
)


async def settle(
    session: WriteSession,
    *,
    lookup_id: int,
    state: str,
    code: str | None = None,
    comment_id: int | None = None,
    words: str | None = None,
    author_name: str | None = None,
    written_at: datetime | None = None,
) -> None:
    """Write down what became of it."""
    clean = {"words": words, "author": author_name}
    await session.execute(
        _SETTLE,
        {"id": lookup_id, "state": state, "code": code, "comment": comment_id, "written": written_at}
        | {name: None if value is None else storable(value)[0] for name, value in clean.items()},
    )


async def tidy(session: WriteSession, *, now: datetime) -> int:
    """Drop what is over; how many."""
    gone = await session.execute(text("DELETE FROM link_lookup WHERE asked_at < :old RETURNING id"), {"old": now - KEPT})
    return len(gone.all())
