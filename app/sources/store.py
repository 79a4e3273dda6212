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
from app.kernel.jobs import INBOUND_TRIAGE, enqueue
from app.sources import store_sql as sql
from app.sources.albums import gathered
from app.sources.aside import Aside, come_back
from app.sources.facts import Lag, lag_of, note_lags
from app.sources.rules import storable
from app.sources.store_rows import (
    Key,
    Row,
    age_of,
    age_of_stored,
    are_storable,
    attachments_json,
    author_of,
    edited_at,
    form_at,
    ids_are_storable,
    insertable,
    row_of,
    written_at,
)
from connectors.contract import AuthorSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from app.kernel.db import Bulk, WriteSession
    from connectors.contract import Batch, CommentSnapshot, PostSnapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """An edit (`revision` is the new form) or a deletion (None) of a comment that was stored before."""

    comment_id: int
    appeal_id: int | None
    at: datetime
    revision: int | None


@dataclass(kw_only=True, slots=True)
class Stored:
    """What a batch did. `again`: what triage looks at besides. `lags`: seconds from the citizen's time to our noticing, of the new."""

    new: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    lags: list[Lag] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    set_aside: int = 0


async def store_batch(session: WriteSession, *, platform: str, batch: Batch, now: datetime) -> Stored:
    """Store posts, comments, edits and deletions; set aside what will not go in; wake triage for new comments."""
    writer = _Writer(session, platform, now)
    await writer.find_pages(batch)
    await writer.store_posts(batch.posts)
    waited = await come_back(session, platform=platform, posts=writer.named(batch.posts), now=now)
    await writer.store_comments([*waited, *batch.comments])
    await writer.store_deletions(batch)
    for row in batch.unreadable:
        writer.put_aside(row.reason, row.raw, row.page_external_id, row.reference)
    await writer.aside.store(session, now=now)
    stored = writer.stored
    stored.set_aside = writer.aside.told
    if unseen := stored.new + stored.again:
        await enqueue(session, INBOUND_TRIAGE, {"upto": max(unseen)})
    if stored.new:
        metrics.COMMENTS_STORED.labels(platform=platform).inc(len(stored.new))
        for lag in stored.lags:
            metrics.COMMENT_LAG_SECONDS.labels(platform=platform).observe(lag.seconds)
        await note_lags(session, stored.lags)
    return stored


class _Writer:
    """One batch on its way in."""

    def __init__(self, session: WriteSession, platform: str, now: datetime) -> None:
        self.session = session
        self.now = now
        self.platform = platform
        self.stored = Stored()
        self._pages: dict[str, int] = {}
        self._connected: dict[int, datetime] = {}
        self._posts: dict[tuple[int, str], int] = {}
        self._threads: dict[tuple[int, str], int] = {}
        self.aside = Aside(platform)

    # --- pages and posts

    async def find_pages(self, batch: Batch) -> None:
        told = {row.page_external_id for rows in (batch.posts, batch.comments, batch.deletions, batch.complete_for) for row in rows}
        told |= {row.page_external_id for row in batch.unreadable if row.page_external_id is not None}
        named = {page for page in told if not storable(page)[1]}
        if named:
            found = await self.session.execute(
                text("SELECT external_id, id, connected_at FROM page WHERE platform = :platform AND external_id = ANY (:named)"),
                {"platform": self.platform, "named": sorted(named)},
            )
            for row in found:
                self._pages[row.external_id], self._connected[row.id] = row.id, row.connected_at

    async def store_posts(self, posts: Sequence[PostSnapshot]) -> None:
        await self._put_posts(sql.UPSERT_POSTS, [post for post in posts if not post.named_only])
        await self._put_posts(sql.NAME_POSTS, [post for post in posts if post.named_only])

    async def _put_posts(self, put: Bulk, posts: Sequence[PostSnapshot]) -> None:
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
            (page_id, external_id, post.thread_ref, storable(post.text)[0], storable(post.link)[0], attachments_json(post.attachments),
             post.published_at, post.observed_at)
            for (page_id, external_id), post in sorted(newest.items())
        ]  # fmt: skip
        try:
            async with self.session.begin_nested():
                await put.run(self.session, rows)
        except DBAPIError as error:
            _raise_if_lost(error)
            for row, post in zip(rows, (newest[key] for key in sorted(newest)), strict=True):
                await self._post_alone(put, row, post)

    def named(self, posts: Iterable[PostSnapshot]) -> set[tuple[int, str]]:
        """By what a comment may name these posts: their ids, and those of their threads."""
        names = ((self._pages.get(post.page_external_id), name) for post in posts for name in (post.external_id, post.thread_ref))
        return {(page_id, name) for page_id, name in names if page_id is not None and name is not None and are_storable(name)}

    async def _post_alone(self, put: Bulk, row: tuple[object, ...], post: PostSnapshot) -> None:
        try:
            async with self.session.begin_nested():
                await put.run(self.session, [row])
        except DBAPIError as error:
            _raise_if_lost(error)
            self.put_aside(_reason(error), post.raw, post.page_external_id)

    async def _find_posts(self, comments: Iterable[CommentSnapshot]) -> None:
        wanted = sorted(
            {
                (self._pages[row.page_external_id], row.post_external_id or "", row.thread_ref or "")
                for row in comments
                if row.page_external_id in self._pages and ids_are_storable(row)
            }
        )
        for row in await sql.FIND_POSTS.run(self.session, [(page, post or None, ref or None) for page, post, ref in wanted]):
            self._posts[row.page_id, row.external_id] = row.id
            if row.thread_ref is not None:
                self._threads[row.page_id, row.thread_ref] = row.id

    # --- comments

    async def store_comments(self, told: Sequence[CommentSnapshot]) -> None:
        albums = await gathered(self.session, told, self._pages)
        comments = albums.comments
        await self._find_posts(comments)
        placed: list[tuple[Key, CommentSnapshot]] = []
        for snapshot in sorted(comments, key=age_of):
            key = self._place(snapshot)
            if key is not None:
                placed.append((key, snapshot))
        placed, erased = await self._without_erased(placed)
        authors = erased | await self._store_authors(snapshot for _, snapshot in placed if author_of(snapshot) not in erased)
        roots = await self._roots(placed)
        rounds: list[dict[Key, Row]] = []
        for key, snapshot in placed:
            row = row_of(key, snapshot, roots[key], authors)
            into = next((one for one in rounds if key not in one), None)
            if into is None:
                rounds.append(into := {})
            into[key] = row
        for rows in rounds:
            await self._store_round(sorted(rows.values(), key=lambda row: (row.snapshot.written_at, row.key)))
        await albums.keep(self.session)

    def _place(self, snapshot: CommentSnapshot) -> Key | None:
        page_id = self._pages.get(snapshot.page_external_id)
        if page_id is None:
            self.put_aside("unknown_page", snapshot.raw, snapshot.page_external_id)
            return None
        if not ids_are_storable(snapshot):
            self.put_aside("unstorable_id", snapshot.raw, snapshot.page_external_id, snapshot.post_external_id)
            return None
        post_id = self._posts.get((page_id, snapshot.post_external_id or ""))
        if post_id is None:
            post_id = self._threads.get((page_id, snapshot.thread_ref or ""))
        if post_id is None:
            reference = snapshot.post_external_id or snapshot.thread_ref
            self.aside.put("unknown_post", snapshot.raw, page_id=page_id, reference=reference, snapshot=snapshot)
            return None
        return (page_id, post_id, snapshot.external_id)

    async def _without_erased(
        self, placed: Sequence[tuple[Key, CommentSnapshot]]
    ) -> tuple[list[tuple[Key, CommentSnapshot]], dict[str, int]]:
        """What erased people wrote before they were erased, without words and name; their rows by what stands for their id."""
        named = sorted({one for _, row in placed if (one := author_of(row)) is not None})
        if not named or not await self.session.scalar(sql.ANY_ERASED):
            return list(placed), {}
        found = {row.external_id: row for row in await sql.FIND_ERASED.run(self.session, [(self.platform, one) for one in named])}
        kept: list[tuple[Key, CommentSnapshot]] = []
        rows: dict[str, int] = {}
        for key, snapshot in placed:
            author = found.get(author_of(snapshot))
            if author is not None and written_at(snapshot) <= author.erased_at:
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
        await sql.UPSERT_AUTHORS.run(
            self.session,
            [
                (self.platform, external_id, storable(author.name)[0], None if author.link is None else storable(author.link)[0])
                for external_id, author in sorted(named.items())
            ],
        )
        found = await self.session.execute(sql.FIND_AUTHORS, {"platform": self.platform, "ids": sorted(named)})
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
            for row in await sql.FIND_ROOTS.run(self.session, sorted(parents))
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

    async def _store_round(self, rows: Sequence[Row]) -> None:
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

    async def _move_roots(self, rows: Sequence[Row]) -> None:
        """Where only parents are told: what hung on these as if they were top comments hangs on their own top."""
        below = {row.key: row.root for row in rows if row.snapshot.root_external_id is None and row.root != row.key[2]}
        await sql.MOVE_ROOTS.run(self.session, [(post_id, external_id, root) for (_, post_id, external_id), root in sorted(below.items())])

    async def _write(self, rows: Sequence[Row]) -> tuple[list[int], list[Change]]:
        inserted = await sql.INSERT_COMMENTS.run(self.session, [insertable(row, self.now) for row in rows])
        ids = {(row.page_id, row.post_id, row.external_id): row.id for row in inserted}
        lags = [lag_of(row.key[0], row.snapshot.written_at, self.now) for row in rows if row.key in ids]
        # What was written before the page was connected was not ours to notice.
        self.stored.lags += [lag for lag in lags if lag.written_at >= self._connected[lag.page_id]]
        revisions = [
            (ids[row.key], 1, row.text, row.attachments, row.snapshot.raw, edited_at(row.snapshot), row.snapshot.observed_at)
            for row in rows
            if row.key in ids
        ]
        changes, more = await self._update([row for row in rows if row.key not in ids])
        await sql.INSERT_REVISIONS.run(self.session, revisions + more)
        return sorted(ids.values()), changes

    async def _update(self, rows: Sequence[Row]) -> tuple[list[Change], list[tuple[Any, ...]]]:
        stored = {
            (row.page_id, row.post_id, row.external_id): row for row in await sql.LOCK_COMMENTS.run(self.session, [row.key for row in rows])
        }
        changes: list[Change] = []
        touched: list[tuple[object, ...]] = []
        updated: list[tuple[object, ...]] = []
        revisions: list[tuple[Any, ...]] = []
        for row in rows:
            old = stored.get(row.key)
            if old is None:  # not to be brought in
                continue
            seen, form = row.snapshot.observed_at, (form_at(row.snapshot), row.snapshot.form_number)
            if age_of(row.snapshot) <= age_of_stored(old):
                continue
            if row.snapshot.deleted:
                touched.append((old.id, seen, *form, True))
                if old.deleted_at is None:
                    changes.append(Change(comment_id=old.id, appeal_id=old.appeal_id, at=seen, revision=None))
            elif old.erased_at is not None or (row.text == old.text and orjson.loads(row.attachments) == old.attachments):
                touched.append((old.id, seen, *form, False))
            else:
                revision = old.revision + 1
                at = edited_at(row.snapshot) or seen
                updated.append((old.id, row.text, row.altered, row.attachments, revision, at, seen, *form))
                revisions.append((old.id, revision, row.text, row.attachments, row.snapshot.raw, edited_at(row.snapshot), seen))
                changes.append(Change(comment_id=old.id, appeal_id=old.appeal_id, at=at, revision=revision))
        after = await sql.TOUCH_COMMENTS.run(self.session, touched) + await sql.UPDATE_COMMENTS.run(self.session, updated)
        self.stored.again += [row.id for row in after if row.fate is None]
        return changes, revisions

    # --- deletions and what will not go in

    async def store_deletions(self, batch: Batch) -> None:
        named = [
            (self._pages[row.page_external_id], row.post_external_id, row.external_id, row.observed_at)
            for row in batch.deletions
            if row.page_external_id in self._pages and are_storable(row.post_external_id, row.external_id)
        ]
        threads = [
            (self._pages[row.page_external_id], row.post_external_id, row.root_external_id, row.observed_at)
            for row in batch.complete_for
            if row.page_external_id in self._pages and are_storable(row.post_external_id, row.root_external_id)
        ]
        gone = await sql.DELETE_NAMED.run(self.session, named) + await sql.DELETE_MISSING.run(self.session, threads)
        self.stored.changes += [Change(comment_id=row.id, appeal_id=row.appeal_id, at=row.deleted_at, revision=None) for row in gone]

    def put_aside(self, reason: str, raw: bytes, page_external_id: str | None, reference: str | None = None) -> None:
        self.aside.put(reason, raw, page_id=self._pages.get(page_external_id or ""), reference=reference)


def _raise_if_lost(error: DBAPIError) -> None:
    """A lost connection is not the row's fault: the whole batch is tried again."""
    if error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError)):
        raise error


def _reason(error: DBAPIError) -> str:
    """What PostgreSQL had against it: never its own sentence, which may hold what a citizen wrote."""
    return f"database: {getattr(error.orig, 'sqlstate', None) or 'refused'} {type(error.orig).__name__}"
