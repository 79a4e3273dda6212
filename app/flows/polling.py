"""Brings in what platforms tell: streams are followed, walls are probed by counters and read where these changed.

Workers share feeds by leases in PostgreSQL: none is polled twice at once, and a dead worker's feeds are free again
when its lease ends. What was read is stored in the transaction that proves the lease, so a late worker stores nothing.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from app.appeals.records import posts_with_waiting
from app.flows import inbound
from app.flows.platforms import calling
from app.flows.polling_batches import aside, page_ref, post_ref, together
from app.flows.polling_leases import RENEWALS, Guard, Lost
from app.flows.polling_lists import Lister
from app.flows.polling_plan import Plan
from app.flows.polling_pushed import as_asked, or_pushed
from app.flows.polling_reads import NO_REST, Part, of_one_page, read_part, rest_of
from app.flows.polling_rhythm import Rhythm
from app.kernel.errors import ConflictError
from app.kernel.log import logger
from app.sources import service as sources
from connectors.contract import (
    AccessLost,
    Batch,
    ConnectorError,
    Discovers,
    Feed,
    Probes,
    ReadsThreads,
    Rejected,
    Streams,
    TryLater,
    UnknownPayload,
)
from connectors.finding import Bundles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.flows.polling_rhythm import Changed
    from app.kernel.clock import Clock
    from app.kernel.db import Database, WriteSession
    from app.sources.service import LeasedFeed, WatchedPage, WatchedPost
    from connectors.contract import Connector, PostCount

LEASE = timedelta(seconds=20)
"""A dead worker's pages are taken over within thirty: the other one may be at something when the lease ends."""
SHORTEST_LEASE = timedelta(seconds=4)
"""However fast the scaled time runs: a busy machine must be able to renew it."""
FEEDS_AT_ONCE = 200
POSTS_AT_ONCE = 2_000
READ_AT_ONCE = 25
"""Posts whose comments are read side by side; the connector paces the calls."""


class Poller:
    """Polls one platform on behalf of one worker."""

    def __init__(
        self,
        database: Database,
        platform: str,
        connector: Connector,
        clock: Clock,
        *,
        worker: str,
        time_scale: float,
        timezone: str = "UTC",
    ) -> None:
        self._database = database
        self.platform = self._platform = platform
        self._connector = connector
        self._clock = clock
        self._worker = worker
        self._lease_length = max(LEASE / time_scale, SHORTEST_LEASE)
        self._plan = Plan(time_scale=time_scale)
        self._rhythm = Rhythm(connector, self._plan, timezone)
        self._troubled: set[int] = set()
        self._resting: set[int] = set()
        """Feeds whose page cannot be listed for now, and those whose posts cannot be looked at."""
        self._ensured: set[str] = set()
        """Keys of feeds that have their row: asked of the database once, not in every round for every page."""
        self._carried: dict[int, list[str]] = {}
        """The pages of each stream that this round follows."""
        self._pages_ensured: set[str] = set()

    async def round(self) -> bool:
        """Poll what is due; whether anything was."""
        async with self._database.read() as session:
            pages = await sources.watched_pages(session, platform=self._platform)
        if not pages:
            return False
        if isinstance(self._connector, Streams):
            return await self._stream_round(self._connector, pages)
        return await self._wall_round(pages)

    # --- streams

    async def _stream_round(self, connector: Streams, pages: Sequence[WatchedPage]) -> bool:
        feeds = {feed.key: feed for feed in connector.feeds([page_ref(page) for page in pages])}
        leased = await self._lease([(key, None) for key in feeds])
        self._carried = {one.id: [page.external_id for page in feeds[one.key].pages] for one in leased if one.key in feeds}
        await self._ensure_carried([page for carried in self._carried.values() for page in carried])
        await asyncio.gather(*(self._follow(connector, feeds[one.key], one) for one in leased if one.key in feeds))
        return bool(leased)

    async def _follow(self, connector: Streams, feed: Feed, leased: LeasedFeed) -> None:
        async with self._guarded([leased]) as guard, or_pushed(guard, self._database, self._clock, platform=self._platform, feed=feed):
            with calling(self._platform, "poll"):
                batch = await connector.poll(feed, leased.cursor)
            if await as_asked(self._database, connector, feed, platform=self._platform):
                await self._store([leased.id], batch, cursor_of=leased.id)
            guard.done(due_at=self._clock.now())

    # --- walls

    async def _wall_round(self, pages: Sequence[WatchedPage]) -> bool:
        by_id = {page.id: page for page in pages}
        leased = [one for one in await self._lease([(page.external_id, page.id) for page in pages]) if one.page_id in by_id]
        if not leased:
            return False
        searches = [page.external_id for page in pages if page.elsewhere]
        search_every = self._plan.search_every(len(searches))
        own = frozenset(page.external_id for page in pages) if searches else frozenset()
        async with self._guarded(leased) as guard:
            async with self._database.read() as session:
                await self._rhythm.learn(session, platform=self._platform, now=self._clock.now())
            if isinstance(self._connector, Discovers):
                lister = Lister(self._database, self._platform, self._connector, own)
                await self._discover_due(lister, leased, by_id, search_every=search_every)
            await self._probe(leased)
            guard.done(due_at=self._clock.now() + self._plan.pause_of_feed())
        return True

    async def _discover_due(
        self, lister: Lister, leased: list[LeasedFeed], pages: Mapping[int, WatchedPage], *, search_every: timedelta
    ) -> None:
        """List what is due, the longest waiting first. Without a call left walls wait for the next; posts are probed still."""
        wanted = [(one, pages[one.page_id]) for one in leased if one.discover_due and one.page_id is not None]
        due = sorted(wanted, key=lambda pair: pair[0].discover_at)
        walls = [one.id for one, page in due if not page.elsewhere]
        for one, page in due:
            if not page.elsewhere and one.id not in walls:
                continue
            again = search_every if page.elsewhere else self._rhythm.list_again(page.id, self._clock.now())
            try:
                await self._discover(lister, one, page, again=again)
            except (AccessLost, TryLater) as error:
                if of_one_page(error):
                    leased.remove(one)  # first: nobody renews what is given back
                    await self.fail([one], error, rest_of(error, one.failures, again))
                    continue
                if not isinstance(error, TryLater) or error.code != "quota":
                    raise
                waiting, walls = walls[walls.index(one.id) :], []
                logger.info("discover_quota", platform=self._platform, walls=len(waiting))
                await self._postpone([each.id for each in leased], waiting, error)

    async def _postpone(self, feed_ids: Sequence[int], waiting: Sequence[int], error: TryLater) -> None:
        now = self._clock.now()
        until = now + (error.after or self._plan.pause_of_feed())
        async with self._database.write() as session:
            await self._keep(session, feed_ids)
            await sources.postpone_discovery(session, feed_ids=waiting, until=until, now=now, detail=error.detail)

    async def _discover(self, lister: Lister, leased: LeasedFeed, page: WatchedPage, *, again: timedelta) -> None:
        """List a wall or search. The next listing is set here and not at the round's end: else one that became due meanwhile is lost."""
        batch, began, listed_at = Batch(), self._clock.now(), None
        try:
            batch = await lister.newest(page, known_before=self._plan.known_before(page.watched_since, leased.listed_at))
            listed_at = began
            self._troubled.discard(leased.id)
        except TryLater as error:
            if not page.elsewhere:
                raise
            logger.warning("discover_quota", platform=self._platform, page=page.id, code=error.code)  # known posts are still probed
        except Rejected as error:
            await self._say_page_trouble(leased, error)
        except UnknownPayload as error:  # of this page: the others are listed all the same
            await self._say_page_trouble(leased, error)
            batch = aside(error, page.external_id)
        except AccessLost as error:
            if not page.elsewhere:
                raise
            await self._say_page_trouble(leased, error)  # a search needs other rights than walls do, and holds none of them up
        await self._store([leased.id], batch, discover_at=self._clock.now() + again, listed_at=listed_at)

    async def _probe(self, leased: list[LeasedFeed]) -> None:
        if not (isinstance(self._connector, Probes) and isinstance(self._connector, ReadsThreads)):
            return
        page_ids = [one.page_id for one in leased if one.page_id is not None]
        step, now = self._connector.probe_limit, self._clock.now()
        async with self._database.read() as session:
            due = await sources.due_posts(session, page_ids=page_ids, now=now, soon=self._plan.soon(), most=POSTS_AT_ONCE, step=step)
        try:
            await self._probe_all(self._connector, leased, due)
            self._resting -= {one.id for one in leased} if due else set()
        except TryLater as error:
            if error.code != "quota":
                raise
            await self._rest(leased, due, error)

    async def _rest(self, leased: Sequence[LeasedFeed], due: Sequence[WatchedPost], error: TryLater) -> None:
        """No call is left to look at these posts, or to read them: they wait, and their pages say so, but are listed all the same."""
        until = self._clock.now() + (error.after or self._plan.pause_of_feed())
        async with self._database.write() as session:
            await self._keep(session, [one.id for one in leased])
            await sources.schedule_probes(session, [(post.id, until) for post in due])
        for one in leased:
            if one.page_id in {post.page_id for post in due}:
                await self._say_page_trouble(one, error, self._resting)

    async def _probe_all(self, connector: Probes, leased: list[LeasedFeed], due: Sequence[WatchedPost]) -> None:
        at_once = (step := connector.probe_limit) * (connector.bundle if isinstance(connector, Bundles) else 1)
        for first in range(0, len(due), at_once):
            ours = {one.page_id for one in leased}
            some = [post for post in due[first : first + at_once] if post.page_id in ours]
            asked = [some[start : start + step] for start in range(0, len(some), step)]
            told = await asyncio.gather(*(self._counts(connector, leased, posts) for posts in asked), return_exceptions=True)
            for posts, counts in zip(asked, told, strict=True):
                if not isinstance(counts, BaseException):
                    await self._take_counts(leased, posts, counts)
            for posts, counts in zip(asked, told, strict=True):
                if isinstance(counts, ConnectorError) and of_one_page(counts):
                    pages = {post.page_id for post in posts}
                    await self._fail_alone(leased, [one for one in leased if one.page_id in pages], counts)
                elif isinstance(counts, BaseException):
                    raise counts

    async def _take_counts(self, leased: list[LeasedFeed], posts: Sequence[WatchedPost], counts: Sequence[PostCount]) -> None:
        by_key = {(count.page_external_id, count.external_id): count for count in counts}
        found = [(post, by_key.get((post.page_external_id, post.external_id))) for post in posts]
        now = self._clock.now()
        gone = [post.id for post, count in found if count is not None and count.gone]
        waiting = await self._waiting(posts)
        looks, changed = self._rhythm.told([(post, count) for post, count in found if post.id not in gone], waiting=waiting, now=now)
        async with self._database.write() as session:
            await self._keep(session, [one.id for one in leased])
            await sources.posts_gone(session, post_ids=gone, at=now, again=self._plan.gone())
            await sources.looked(session, looks, now=now)
        for start in range(0, len(changed), READ_AT_ONCE):
            ours = {one.page_id for one in leased}  # a page that was given back in between is another's to read
            await self._read_some(leased, [one for one in changed[start : start + READ_AT_ONCE] if one.post.page_id in ours])

    async def _waiting(self, posts: Sequence[WatchedPost]) -> frozenset[int]:
        """Those of some posts under which an appeal waits for an answer."""
        async with self._database.read() as session:
            return await posts_with_waiting(session, [post.id for post in posts])

    async def _counts(self, connector: Probes, leased: Sequence[LeasedFeed], posts: Sequence[WatchedPost]) -> Sequence[PostCount]:
        """Counters of some posts; an answer that cannot be read is set aside and tells none of them."""
        try:
            with calling(self._platform, "probe"):
                return await connector.probe([post_ref(post) for post in posts])
        except UnknownPayload as error:
            logger.warning("probe_unreadable", platform=self._platform, posts=len(posts))
            await self._store([one.id for one in leased], aside(error, None))
            return ()

    async def _read_some(self, leased: list[LeasedFeed], some: Sequence[Changed]) -> None:
        """All comments of some posts: their first parts side by side, stored as one; what is longer, part by part."""
        began = self._clock.now()
        assert isinstance(self._connector, ReadsThreads)  # noqa: S101 - the caller checked
        told = await asyncio.gather(*(read_part(self._connector, self._platform, one.post, None) for one in some), return_exceptions=True)
        parts = [(one, part) for one, part in zip(some, told, strict=True) if isinstance(part, Part)]
        await self._store_parts([one.id for one in leased], parts, began)
        for one, part in parts:
            await self._read_on([one.id for one in leased], one, part.batch.cursor, began)
        for one, failure in zip(some, told, strict=True):
            if isinstance(failure, AccessLost):
                await self._fail_alone(leased, [feed for feed in leased if feed.page_id == one.post.page_id], failure)
            elif isinstance(failure, BaseException):
                raise failure

    async def _read_on(self, feed_ids: Sequence[int], one: Changed, cursor: str | None, began: datetime) -> None:
        assert isinstance(self._connector, ReadsThreads)  # noqa: S101 - the caller checked
        while cursor is not None:
            part = await read_part(self._connector, self._platform, one.post, cursor)
            await self._store_parts(feed_ids, [(one, part)], began)
            cursor = part.batch.cursor

    async def _store_parts(self, feed_ids: Sequence[int], parts: Sequence[tuple[Changed, Part]], began: datetime) -> None:
        """Store what was read; of posts that were read to the end the counter is remembered."""
        if not parts:
            return
        now = self._clock.now()
        async with self._database.write() as session:
            await self._keep(session, feed_ids)
            await inbound.take_in(session, platform=self._platform, batch=together([part.batch for _, part in parts]), now=now)
            await sources.posts_gone(session, post_ids=[one.post.id for one, part in parts if part.gone], at=now, again=self._plan.gone())
            for one, part in parts:
                if part.whole:
                    await sources.post_read(session, post_id=one.post.id, count=one.count, at=began)
            later = now + self._plan.after_refusal()
            ended = [(one, part) for one, part in parts if part.batch.cursor is None and not part.gone]
            await sources.schedule_probes(session, [(one.post.id, later if part.refused else one.again_at) for one, part in ended])

    # --- leases

    async def _lease(self, feeds: Sequence[tuple[str, int | None]]) -> list[LeasedFeed]:
        async with self._database.write() as session:
            now = self._clock.now()
            new = [feed for feed in feeds if feed[0] not in self._ensured]
            await sources.ensure_feeds(session, platform=self._platform, feeds=new, now=now)
            leased = await sources.lease_feeds(
                session, platform=self._platform, worker=self._worker, now=now, lease=self._lease_length, most=FEEDS_AT_ONCE
            )
        self._ensured.update(key for key, _ in new)
        return leased

    async def _ensure_carried(self, pages: Sequence[str]) -> None:
        new = [page for page in pages if page not in self._pages_ensured]
        if new:
            async with self._database.write() as session:
                await sources.ensure_carried(session, platform=self._platform, pages=new)
            self._pages_ensured.update(new)

    def _pages_of(self, feed_ids: Sequence[int]) -> list[str]:
        return [page for one in feed_ids for page in self._carried.get(one, ())]

    async def _keep(self, session: WriteSession, feed_ids: Sequence[int]) -> None:
        try:
            await sources.keep_lease(session, feed_ids=feed_ids, worker=self._worker, until=self._clock.now() + self._lease_length)
        except ConflictError as error:
            raise Lost from error

    async def _store(
        self,
        feed_ids: Sequence[int],
        batch: Batch,
        *,
        cursor_of: int | None = None,
        discover_at: datetime | None = None,
        listed_at: datetime | None = None,
    ) -> None:
        now = self._clock.now()
        async with self._database.write() as session:
            await self._keep(session, feed_ids)
            await inbound.take_in(session, platform=self._platform, batch=batch, now=now)
            if cursor_of is not None and batch.cursor is not None:
                await sources.advance_cursor(session, feed_id=cursor_of, cursor=batch.cursor)
            if discover_at is not None:
                await sources.schedule_discovery(session, feed_ids=feed_ids, at=discover_at, listed_at=listed_at)

    def _guarded(self, leased: Sequence[LeasedFeed]) -> Guard:
        return Guard(self, leased)

    @property
    def renew_every(self) -> timedelta:
        """Between two renewals of a lease."""
        return self._lease_length / RENEWALS

    async def renew(self, feed_ids: Sequence[int]) -> None:
        """Hold on while a platform takes its time."""
        async with self._database.write() as session:
            await self._keep(session, feed_ids)

    async def release(self, leased: Sequence[LeasedFeed], *, due_at: datetime) -> None:
        """A good end."""
        async with self._database.write() as session:
            held = await sources.release_feeds(
                session, feed_ids=[one.id for one in leased], worker=self._worker, now=self._clock.now(), due_at=due_at,
                troubled=sorted(self._troubled | self._resting),
            )  # fmt: skip
            await sources.carried_read(session, platform=self._platform, pages=self._pages_of(held), now=self._clock.now())

    async def fail(self, leased: Sequence[LeasedFeed], error: ConnectorError, rest: timedelta = NO_REST) -> None:
        """A bad end: written down for the people who mend it, and when to try again."""
        failures = max((one.failures for one in leased), default=0)
        pause = max(rest, self._plan.pause_after(error.after if isinstance(error, TryLater) else None, failures))
        logger.warning("poll_failed", platform=self._platform, code=error.code, detail=error.detail, feeds=len(leased))
        async with self._database.write() as session:
            held = await sources.fail_feeds(
                session, feed_ids=[one.id for one in leased], worker=self._worker, due_at=self._clock.now() + pause, code=error.code,
                detail=error.detail,
            )  # fmt: skip
            if held and isinstance(error, UnknownPayload):
                await inbound.take_in(session, platform=self._platform, batch=aside(error, None), now=self._clock.now())
            pages = self._pages_of(held)
            await sources.carried_failed(session, platform=self._platform, pages=pages, code=error.code, detail=error.detail)

    async def _fail_alone(self, leased: list[LeasedFeed], some: Sequence[LeasedFeed], error: ConnectorError) -> None:
        """A bad end for these alone: each comes again by a pause of its own, and the others of this round go on."""
        for one in some:
            leased.remove(one)  # first: nobody renews what is given back
            await self.fail([one], error)

    async def _say_page_trouble(self, leased: LeasedFeed, error: ConnectorError, among: set[int] | None = None) -> None:
        (self._troubled if among is None else among).add(leased.id)
        logger.warning("page_refused", platform=self._platform, page=leased.page_id, code=error.code)
        async with self._database.write() as session:
            await sources.note_trouble(session, feed_id=leased.id, worker=self._worker, code=error.code, detail=error.detail)
