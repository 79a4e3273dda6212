"""T1: one batch of a platform goes in, idempotently, in the caller's transaction.

Storing any re-cut, repeated or shuffled stream of batches leaves the same rows as storing it once: rows are upserted by
the platform's own ids, and an observation older than the stored one changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from app.kernel import metrics
from app.kernel.db import Bulk
from app.kernel.jobs import INBOUND_TRIAGE, enqueue
from app.kernel.log import logger
from app.sources.rules import storable
from connectors.contract import AuthorSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from app.kernel.db import WriteSession
    from connectors.contract import Attachment, Batch, CommentSnapshot, PostSnapshot

REASON_CHARACTERS = 500

Key = tuple[int, int, str]
"""(page id, post id, the platform's id of the comment)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An edit (`revision` is the new form) or a deletion (None) of a comment that was stored before."""

    comment_id: int
    appeal_id: int | None
    at: datetime
    revision: int | None


@dataclass(kw_only=True, slots=True)
class Stored:
    """What a batch did. `lags`: seconds from the citizen's time to our noticing, of the new ones."""

    new: list[int] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    set_aside: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Row:
    """A comment ready to be written."""

    key: Key
    root: str
    author_id: int | None
    text: str
    altered: bool
    attachments: str
    snapshot: CommentSnapshot


_UPSERT_POSTS = Bulk(
    """
    INSERT INTO post AS p (page_id, external_id, thread_ref, text, link, attachments, published_at, observed_at, probe_at)
    SELECT page_id, external_id, thread_ref, body, link, CAST(attachments AS jsonb), published_at, observed_at, observed_at FROM {rows}
    ON CONFLICT (page_id, external_id) DO UPDATE SET
      thread_ref = coalesce(excluded.thread_ref, p.thread_ref), text = excluded.text, link = excluded.link,
      attachments = excluded.attachments, published_at = excluded.published_at, observed_at = excluded.observed_at,
      gone_at = NULL
    WHERE p.observed_at < excluded.observed_at
    """,
    page_id="bigint", external_id="text", thread_ref="text", body="text", link="text", attachments="text",
    published_at="timestamptz", observed_at="timestamptz",
)  # fmt: skip

_FIND_POSTS = Bulk(
    """
    SELECT p.page_id, p.external_id, p.thread_ref, p.id FROM {rows} JOIN post p
      ON p.page_id = r.page_id AND (p.external_id = r.external_id OR p.thread_ref = r.thread_ref)
    """,
    page_id="bigint", external_id="text", thread_ref="text",
)  # fmt: skip

_UPSERT_AUTHORS = Bulk(
    """
    INSERT INTO author AS a (platform, external_id, name, link) SELECT * FROM {rows}
    ON CONFLICT (platform, external_id) DO UPDATE SET link = excluded.link,
      name = CASE WHEN excluded.name = 'id' || excluded.external_id THEN a.name ELSE excluded.name END
    WHERE a.link IS DISTINCT FROM excluded.link OR (a.name <> excluded.name AND excluded.name <> 'id' || excluded.external_id)
    """,
    platform="text", external_id="text", name="text", link="text",
)  # fmt: skip

_FIND_AUTHORS = text("SELECT external_id, id FROM author WHERE platform = :platform AND external_id = ANY (:ids)")

_ANY_ERASED = text("SELECT true FROM author WHERE mark IS NOT NULL LIMIT 1")

_FIND_ERASED = Bulk(
    """
    SELECT r.external_id, (array_agg(a.id ORDER BY a.erased_at DESC))[1] AS id, max(a.erased_at) AS erased_at
    FROM {rows} JOIN author a ON a.mark = otklik_author_mark(r.platform, r.external_id) AND a.platform = r.platform
    GROUP BY r.external_id
    """,
    platform="text", external_id="text",
)  # fmt: skip

_FIND_ROOTS = Bulk(
    """
    SELECT c.page_id, c.post_id, c.external_id, c.root_external_id FROM {rows}
    JOIN comment c USING (page_id, post_id, external_id)
    """,
    page_id="bigint", post_id="bigint", external_id="text",
)  # fmt: skip

_INSERT_COMMENTS = Bulk(
    """
    INSERT INTO comment (page_id, post_id, external_id, root_external_id, reply_to_external_id, author_id, by_page, text,
      text_altered, attachments, link, written_at, edited_at, deleted_at, observed_at)
    SELECT page_id, post_id, external_id, root_external_id, reply_to_external_id, author_id, by_page, body, altered,
      CAST(attachments AS jsonb), link, written_at, edited_at, deleted_at, observed_at
    FROM {rows}
    ON CONFLICT (page_id, post_id, external_id) DO NOTHING
    RETURNING id, page_id, post_id, external_id
    """,
    page_id="bigint", post_id="bigint", external_id="text", root_external_id="text", reply_to_external_id="text",
    author_id="bigint", by_page="boolean", body="text", altered="boolean", attachments="text", link="text",
    written_at="timestamptz", edited_at="timestamptz", deleted_at="timestamptz", observed_at="timestamptz",
)  # fmt: skip

_INSERT_REVISIONS = Bulk(
    """
    INSERT INTO comment_revision (comment_id, revision, text, attachments, raw, edited_at, observed_at)
    SELECT comment_id, revision, body, CAST(attachments AS jsonb), raw, edited_at, observed_at FROM {rows}
    """,
    comment_id="bigint", revision="integer", body="text", attachments="text", raw="bytea", edited_at="timestamptz",
    observed_at="timestamptz",
)  # fmt: skip

# Not FOR UPDATE: an operator who holds the appeal must be able to hang an answer on the comment while we wait for the appeal.
_LOCK_COMMENTS = Bulk(
    """
    SELECT c.id, c.page_id, c.post_id, c.external_id, c.text, c.attachments, c.revision, c.written_at, c.edited_at, c.observed_at,
      c.deleted_at, c.appeal_id, c.erased_at
    FROM {rows} JOIN comment c USING (page_id, post_id, external_id) ORDER BY c.id FOR NO KEY UPDATE OF c
    """,
    page_id="bigint", post_id="bigint", external_id="text",
)  # fmt: skip

# A comment that was gone when triage looked, and is back, is looked at again.
_BACK = "c.fate = 'not_appeal' AND c.fate_reason = 'deleted'"

_UPDATE_COMMENTS = Bulk(
    f"""
    UPDATE comment c SET text = r.body, text_altered = r.altered, attachments = CAST(r.attachments AS jsonb), revision = r.revision,
      edited_at = r.edited_at, deleted_at = NULL, observed_at = r.observed_at, fate = CASE WHEN {_BACK} THEN NULL ELSE c.fate END
    FROM {{rows}} WHERE c.id = r.id
    """,  # noqa: S608 - a constant
    id="bigint", body="text", altered="boolean", attachments="text", revision="integer", edited_at="timestamptz",
    observed_at="timestamptz",
)  # fmt: skip

_TOUCH_COMMENTS = Bulk(
    f"""
    UPDATE comment c SET observed_at = r.observed_at, deleted_at = CASE WHEN r.gone THEN coalesce(c.deleted_at, r.observed_at) END,
      fate = CASE WHEN NOT r.gone AND {_BACK} THEN NULL ELSE c.fate END
    FROM {{rows}} WHERE c.id = r.id
    """,  # noqa: S608 - a constant
    id="bigint", observed_at="timestamptz", gone="boolean",
)  # fmt: skip

_DELETE_NAMED = Bulk(
    """
    UPDATE comment c SET deleted_at = r.observed_at, observed_at = r.observed_at
    FROM {rows} JOIN post p ON p.page_id = r.page_id AND p.external_id = r.post_external_id
    WHERE c.page_id = r.page_id AND c.post_id = p.id AND c.external_id = r.external_id
      AND c.deleted_at IS NULL AND c.observed_at <= r.observed_at  -- told of together: it was deleted after it was seen
    RETURNING c.id, c.appeal_id, c.deleted_at
    """,
    page_id="bigint", post_external_id="text", external_id="text", observed_at="timestamptz",
)  # fmt: skip

_DELETE_MISSING = Bulk(
    """
    UPDATE comment c SET deleted_at = r.observed_at, observed_at = r.observed_at
    FROM {rows} JOIN post p ON p.page_id = r.page_id AND p.external_id = r.post_external_id
    WHERE c.post_id = p.id AND (r.root_external_id IS NULL OR c.root_external_id = r.root_external_id)
      AND c.deleted_at IS NULL AND c.observed_at < r.observed_at
    RETURNING c.id, c.appeal_id, c.deleted_at
    """,
    page_id="bigint", post_external_id="text", root_external_id="text", observed_at="timestamptz",
)  # fmt: skip

# A reply that came before its parent took the parent for the top of the thread: so did all below it.
_MOVE_ROOTS = Bulk(
    """
    UPDATE comment c SET root_external_id = r.root_external_id FROM {rows}
    WHERE c.post_id = r.post_id AND c.root_external_id = r.external_id AND c.fate IS NULL
    """,
    post_id="bigint", external_id="text", root_external_id="text",
)  # fmt: skip

_SET_ASIDE = Bulk(
    "INSERT INTO set_aside (platform, page_id, reason, raw) SELECT * FROM {rows}",
    platform="text", page_id="bigint", reason="text", raw="bytea",
)  # fmt: skip


async def store_batch(session: WriteSession, *, platform: str, batch: Batch, now: datetime) -> Stored:
    """Store posts, comments, edits and deletions; set aside what will not go in; wake triage for new comments."""
    writer = _Writer(session, platform, now)
    await writer.find_pages(batch)
    await writer.store_posts(batch.posts)
    await writer.store_comments(batch.comments)
    await writer.store_deletions(batch)
    for row in batch.unreadable:
        writer.put_aside(row.reason, row.raw, row.page_external_id)
    await writer.store_aside()
    stored = writer.stored
    if stored.new:
        await enqueue(session, INBOUND_TRIAGE, {"upto": stored.new[-1]})
        metrics.COMMENTS_STORED.labels(platform=platform).inc(len(stored.new))
        for lag in stored.lags:
            metrics.COMMENT_LAG_SECONDS.labels(platform=platform).observe(lag)
    return stored


class _Writer:
    """One batch on its way in."""

    def __init__(self, session: WriteSession, platform: str, now: datetime) -> None:
        self.session = session
        self.now = now
        self.platform = platform
        self.stored = Stored()
        self._pages: dict[str, int] = {}
        self._posts: dict[tuple[int, str], int] = {}
        self._threads: dict[tuple[int, str], int] = {}
        self._aside: list[tuple[str, int | None, str, bytes]] = []

    # --- pages and posts

    async def find_pages(self, batch: Batch) -> None:
        told = {row.page_external_id for rows in (batch.posts, batch.comments, batch.deletions, batch.complete_for) for row in rows}
        told |= {row.page_external_id for row in batch.unreadable if row.page_external_id is not None}
        named = {page for page in told if not storable(page)[1]}
        if named:
            found = await self.session.execute(
                text("SELECT external_id, id FROM page WHERE platform = :platform AND external_id = ANY (:named)"),
                {"platform": self.platform, "named": sorted(named)},
            )
            self._pages = {row.external_id: row.id for row in found}

    async def store_posts(self, posts: Sequence[PostSnapshot]) -> None:
        newest: dict[tuple[int, str], PostSnapshot] = {}
        for post in posts:
            page_id = self._pages.get(post.page_external_id)
            if page_id is None:
                self.put_aside("unknown_page", post.raw, post.page_external_id)
                continue
            known = newest.get((page_id, post.external_id))
            if known is None or known.observed_at < post.observed_at:
                newest[page_id, post.external_id] = post
        rows = [
            (page_id, external_id, post.thread_ref, storable(post.text)[0], storable(post.link)[0], _json(post.attachments),
             post.published_at, post.observed_at)
            for (page_id, external_id), post in sorted(newest.items())
        ]  # fmt: skip
        try:
            async with self.session.begin_nested():
                await _UPSERT_POSTS.run(self.session, rows)
        except DBAPIError as error:
            _raise_if_lost(error)
            for row, post in zip(rows, (newest[key] for key in sorted(newest)), strict=True):
                await self._post_alone(row, post)

    async def _post_alone(self, row: tuple[object, ...], post: PostSnapshot) -> None:
        try:
            async with self.session.begin_nested():
                await _UPSERT_POSTS.run(self.session, [row])
        except DBAPIError as error:
            _raise_if_lost(error)
            self.put_aside(_reason(error), post.raw, post.page_external_id)

    async def _find_posts(self, comments: Iterable[CommentSnapshot]) -> None:
        wanted = sorted(
            {
                (self._pages[row.page_external_id], row.post_external_id or "", row.thread_ref or "")
                for row in comments
                if row.page_external_id in self._pages and _ids_are_storable(row)
            }
        )
        for row in await _FIND_POSTS.run(self.session, [(page, post or None, ref or None) for page, post, ref in wanted]):
            self._posts[row.page_id, row.external_id] = row.id
            if row.thread_ref is not None:
                self._threads[row.page_id, row.thread_ref] = row.id

    # --- comments

    async def store_comments(self, comments: Sequence[CommentSnapshot]) -> None:
        await self._find_posts(comments)
        placed: list[tuple[Key, CommentSnapshot]] = []
        for snapshot in sorted(comments, key=_age):
            key = self._place(snapshot)
            if key is not None:
                placed.append((key, snapshot))
        placed, erased = await self._without_erased(placed)
        authors = erased | await self._store_authors(snapshot for _, snapshot in placed if _author_id(snapshot) not in erased)
        roots = await self._roots(placed)
        rounds: list[dict[Key, _Row]] = []
        for key, snapshot in placed:
            row = _row(key, snapshot, roots[key], authors)
            into = next((one for one in rounds if key not in one), None)
            if into is None:
                rounds.append(into := {})
            into[key] = row
        for rows in rounds:
            await self._store_round(sorted(rows.values(), key=lambda row: (row.snapshot.written_at, row.key)))

    def _place(self, snapshot: CommentSnapshot) -> Key | None:
        page_id = self._pages.get(snapshot.page_external_id)
        if page_id is None:
            self.put_aside("unknown_page", snapshot.raw, snapshot.page_external_id)
            return None
        if not _ids_are_storable(snapshot):
            self.put_aside("unstorable_id", snapshot.raw, snapshot.page_external_id)
            return None
        post_id = self._posts.get((page_id, snapshot.post_external_id or ""))
        if post_id is None:
            post_id = self._threads.get((page_id, snapshot.thread_ref or ""))
        if post_id is None:
            self.put_aside("unknown_post", snapshot.raw, snapshot.page_external_id)
            return None
        return (page_id, post_id, snapshot.external_id)

    async def _without_erased(
        self, placed: Sequence[tuple[Key, CommentSnapshot]]
    ) -> tuple[list[tuple[Key, CommentSnapshot]], dict[str, int]]:
        """What erased people wrote before they were erased, without words and name; their rows by what stands for their id."""
        named = sorted({one for _, row in placed if (one := _author_id(row)) is not None})
        if not named or not await self.session.scalar(_ANY_ERASED):
            return list(placed), {}
        found = {row.external_id: row for row in await _FIND_ERASED.run(self.session, [(self.platform, one) for one in named])}
        kept: list[tuple[Key, CommentSnapshot]] = []
        rows: dict[str, int] = {}
        for key, snapshot in placed:
            author = found.get(_author_id(snapshot))
            if author is not None and _written_at(snapshot) <= author.erased_at:
                stands_for = f"\0{author.id}"  # no platform's id: one with a zero is not stored
                rows[stands_for] = author.id
                nobody = AuthorSnapshot(external_id=stands_for, name="", link=None)
                kept.append((key, replace(snapshot, author=nobody, text="", attachments=(), link="", raw=b"")))
            else:
                kept.append((key, snapshot))
        return kept, rows

    async def _store_authors(self, comments: Iterable[CommentSnapshot]) -> dict[str, int]:
        named = {row.author.external_id: row.author for row in comments if row.author is not None}
        if not named:
            return {}
        await _UPSERT_AUTHORS.run(
            self.session,
            [
                (self.platform, external_id, storable(author.name)[0], None if author.link is None else storable(author.link)[0])
                for external_id, author in sorted(named.items())
            ],
        )
        found = await self.session.execute(_FIND_AUTHORS, {"platform": self.platform, "ids": sorted(named)})
        return {row.external_id: row.id for row in found}

    async def _roots(self, placed: Sequence[tuple[Key, CommentSnapshot]]) -> dict[Key, str]:
        """The top comment of each thread: told by the platform, else the parent's, from this batch or the database."""
        told = {key: row.root_external_id for key, row in placed if row.root_external_id is not None}
        parents = {
            (key[0], key[1], row.reply_to_external_id): None
            for key, row in placed
            if row.root_external_id is None and row.reply_to_external_id is not None
        }
        stored: dict[Key, str] = {
            (row.page_id, row.post_id, row.external_id): row.root_external_id
            for row in await _FIND_ROOTS.run(self.session, sorted(parents))
        }
        parent_of = {key: row.reply_to_external_id for key, row in placed}
        found: dict[Key, str] = dict(told)
        for start in parent_of:
            chain: dict[Key, None] = {}
            key = start
            while key not in found and key not in chain:
                chain[key] = None
                parent = parent_of.get(key)
                if key in stored or parent is None:
                    found[key] = stored.get(key, key[2])
                else:
                    key = (key[0], key[1], parent)
            top = found.get(key, key[2])  # a ring of replies is nobody's thread: any of it is the top
            found |= dict.fromkeys(chain, top)
        return {key: found[key] for key, _ in placed}

    async def _store_round(self, rows: Sequence[_Row]) -> None:
        try:
            async with self.session.begin_nested():
                new, changes = await self._write(rows)
        except DBAPIError as error:
            _raise_if_lost(error)
            if len(rows) == 1:
                self.put_aside(_reason(error), rows[0].snapshot.raw, rows[0].snapshot.page_external_id)
                return
            half = len(rows) // 2
            await self._store_round(rows[:half])
            await self._store_round(rows[half:])
            return
        self.stored.new += new
        self.stored.changes += changes
        await self._move_roots(rows)

    async def _move_roots(self, rows: Sequence[_Row]) -> None:
        """Where only parents are told: what hung on these as if they were top comments hangs on their own top."""
        below = {row.key: row.root for row in rows if row.snapshot.root_external_id is None and row.root != row.key[2]}
        await _MOVE_ROOTS.run(self.session, [(post_id, external_id, root) for (_, post_id, external_id), root in sorted(below.items())])

    async def _write(self, rows: Sequence[_Row]) -> tuple[list[int], list[Change]]:
        inserted = await _INSERT_COMMENTS.run(self.session, [_insertable(row, self.now) for row in rows])
        ids = {(row.page_id, row.post_id, row.external_id): row.id for row in inserted}
        self.stored.lags += [max((self.now - row.snapshot.written_at).total_seconds(), 0.0) for row in rows if row.key in ids]
        revisions = [
            (ids[row.key], 1, row.text, row.attachments, row.snapshot.raw, _edited_at(row.snapshot), row.snapshot.observed_at)
            for row in rows
            if row.key in ids
        ]
        changes, more = await self._update([row for row in rows if row.key not in ids])
        await _INSERT_REVISIONS.run(self.session, revisions + more)
        return sorted(ids.values()), changes

    async def _update(self, rows: Sequence[_Row]) -> tuple[list[Change], list[tuple[Any, ...]]]:
        stored = {
            (row.page_id, row.post_id, row.external_id): row for row in await _LOCK_COMMENTS.run(self.session, [row.key for row in rows])
        }
        changes: list[Change] = []
        touched: list[tuple[object, ...]] = []
        updated: list[tuple[object, ...]] = []
        revisions: list[tuple[Any, ...]] = []
        for row in rows:
            old = stored[row.key]
            seen = row.snapshot.observed_at
            if _age(row.snapshot) <= (old.observed_at, old.edited_at or old.written_at):
                continue
            if row.snapshot.deleted:
                touched.append((old.id, seen, True))
                if old.deleted_at is None:
                    changes.append(Change(comment_id=old.id, appeal_id=old.appeal_id, at=seen, revision=None))
            elif old.erased_at is not None or (row.text == old.text and orjson.loads(row.attachments) == old.attachments):
                touched.append((old.id, seen, False))
            else:
                revision = old.revision + 1
                at = _edited_at(row.snapshot) or seen
                updated.append((old.id, row.text, row.altered, row.attachments, revision, at, seen))
                revisions.append((old.id, revision, row.text, row.attachments, row.snapshot.raw, _edited_at(row.snapshot), seen))
                changes.append(Change(comment_id=old.id, appeal_id=old.appeal_id, at=at, revision=revision))
        await _TOUCH_COMMENTS.run(self.session, touched)
        await _UPDATE_COMMENTS.run(self.session, updated)
        return changes, revisions

    # --- deletions and what will not go in

    async def store_deletions(self, batch: Batch) -> None:
        named = [
            (self._pages[row.page_external_id], row.post_external_id, row.external_id, row.observed_at)
            for row in batch.deletions
            if row.page_external_id in self._pages and _are_storable(row.post_external_id, row.external_id)
        ]
        threads = [
            (self._pages[row.page_external_id], row.post_external_id, row.root_external_id, row.observed_at)
            for row in batch.complete_for
            if row.page_external_id in self._pages and _are_storable(row.post_external_id, row.root_external_id)
        ]
        gone = await _DELETE_NAMED.run(self.session, named) + await _DELETE_MISSING.run(self.session, threads)
        self.stored.changes += [Change(comment_id=row.id, appeal_id=row.appeal_id, at=row.deleted_at, revision=None) for row in gone]

    def put_aside(self, reason: str, raw: bytes, page_external_id: str | None) -> None:
        self._aside.append((self.platform, self._pages.get(page_external_id or ""), storable(reason)[0][:REASON_CHARACTERS], raw))

    async def store_aside(self) -> None:
        if self._aside:
            await _SET_ASIDE.run(self.session, self._aside)
            self.stored.set_aside = len(self._aside)
            metrics.ROWS_SET_ASIDE.labels(platform=self.platform).inc(len(self._aside))
            logger.warning("rows_set_aside", platform=self.platform, rows=len(self._aside), reasons=sorted({row[2] for row in self._aside}))


def _row(key: Key, snapshot: CommentSnapshot, root: str, authors: dict[str, int]) -> _Row:
    clean, altered = storable(snapshot.text)
    return _Row(
        key=key,
        root=root,
        author_id=None if snapshot.author is None else authors[snapshot.author.external_id],
        text=clean,
        altered=altered,
        attachments=_json(snapshot.attachments),
        snapshot=snapshot,
    )


def _author_id(snapshot: CommentSnapshot) -> str | None:
    return None if snapshot.author is None else snapshot.author.external_id


def _ids_are_storable(snapshot: CommentSnapshot) -> bool:
    """An id is never altered: one that PostgreSQL does not take would meet another one, or nothing."""
    told = (snapshot.external_id, snapshot.root_external_id, snapshot.reply_to_external_id, snapshot.post_external_id, snapshot.thread_ref)
    return _are_storable(*told, _author_id(snapshot))


def _are_storable(*ids: str | None) -> bool:
    return not any(storable(one)[1] for one in ids if one is not None)


def _written_at(snapshot: CommentSnapshot) -> datetime:
    """The citizen's time. Nothing is seen before it is written: a platform's clock that runs ahead would start ours in the future."""
    return min(snapshot.written_at, snapshot.observed_at)


def _edited_at(snapshot: CommentSnapshot) -> datetime | None:
    return None if snapshot.edited_at is None else min(snapshot.edited_at, snapshot.observed_at)


def _age(snapshot: CommentSnapshot) -> tuple[datetime, datetime]:
    """Which of two observations is the newer: several forms of one comment may be told of at the same moment."""
    return (snapshot.observed_at, _edited_at(snapshot) or _written_at(snapshot))


def _insertable(row: _Row, now: datetime) -> tuple[object, ...]:
    snapshot = row.snapshot
    # Observed is when we asked; what was written while the platform answered keeps its own time.
    written_at = min(snapshot.written_at, max(now, snapshot.observed_at))
    return (
        *row.key, row.root, snapshot.reply_to_external_id, row.author_id, snapshot.by_page, row.text, row.altered, row.attachments,
        storable(snapshot.link)[0], written_at, _edited_at(snapshot), snapshot.observed_at if snapshot.deleted else None,
        snapshot.observed_at,
    )  # fmt: skip


def _json(attachments: Sequence[Attachment]) -> str:
    if not attachments:
        return "[]"
    told = [
        {
            name: storable(value)[0]
            for name, value in (("kind", one.kind), ("external_id", one.external_id), ("url", one.url), ("title", one.title))
            if value is not None
        }
        for one in attachments
    ]
    packed: bytes = orjson.dumps(told)
    return packed.decode()


def _raise_if_lost(error: DBAPIError) -> None:
    """A lost connection is not the row's fault: the whole batch is tried again."""
    if error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError)):
        raise error


def _reason(error: DBAPIError) -> str:
    """What PostgreSQL had against it: never its own sentence, which may hold what a citizen wrote."""
    return f"database: {getattr(error.orig, 'sqlstate', None) or 'refused'} {type(error.orig).__name__}"
