"""Listing: the newest posts of a page, so many that none is missed; and what a search finds elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.flows.platforms import calling
from app.flows.polling_batches import page_ref, together
from app.kernel.log import logger
from app.sources import service as sources
from connectors.contract import Batch, Discovers
from connectors.finding import FindsMentions, ListsPlaces

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from app.kernel.db import Database
    from app.sources.service import WatchedPage

DISCOVER_POSTS = 50
DISCOVER_MOST = 3_200
"""After a standstill or in a rush a wall may have more new posts than one listing shows: so deep a gap is closed."""


def joins(batch: Batch, limit: int, known_before: datetime) -> bool:
    """Whether no post can be missing below: the list ends here, or what was told reaches back to what listings have told already.

    That a post is known proves nothing: an event may have brought it, or a link, and those below it may have come by none. Nor does one
    old post: it may be pinned above all new ones.
    """
    if batch.reached is not None:
        return batch.reached < known_before
    if len(batch.posts) + len(batch.unreadable) + sum(batch.skipped.values()) < limit:
        return True
    return sum(post.published_at < known_before for post in batch.posts) > 1


class Lister:
    """Lists one platform's pages."""

    def __init__(self, database: Database, platform: str, connector: Discovers, own: Collection[str] = ()) -> None:
        """`own`: our pages, whose words are no mention."""
        self._database = database
        self._platform = platform
        self._connector = connector
        self._own = own

    async def newest(self, page: WatchedPage, *, known_before: datetime) -> Batch:
        """The newest posts, so many that they reach back to `known_before`: stored as one, else a crash would hide the gap."""
        limit = DISCOVER_POSTS
        while True:
            batch = await self._listed(page, limit)
            joined = joins(batch, limit, known_before)
            if not joined and limit >= DISCOVER_MOST:
                logger.warning("discover_gap", platform=self._platform, page=page.id, posts=limit)
            if joined or limit >= DISCOVER_MOST:
                return await self._new_ones(page, batch) if page.elsewhere else together([batch, await self._beside(page)])
            limit = min(limit * 4, DISCOVER_MOST)

    async def _beside(self, page: WatchedPage) -> Batch:
        """Where else on the page people comment."""
        if not isinstance(self._connector, ListsPlaces):
            return Batch()
        with calling(self._platform, "list_places"):
            return await self._connector.list_places(page.external_id)

    async def _listed(self, page: WatchedPage, limit: int) -> Batch:
        if page.elsewhere and isinstance(self._connector, FindsMentions):
            with calling(self._platform, "mentions"):
                return await self._connector.mentions(page.external_id, limit=limit, own=self._own)
        with calling(self._platform, "discover"):
            return await self._connector.discover(page_ref(page), limit=limit)

    async def _new_ones(self, page: WatchedPage, batch: Batch) -> Batch:
        """Of what a search found, what no other search has, and nothing of before our time: nobody would read such posts."""
        fresh = [comment for comment in batch.comments if comment.written_at >= page.watched_since]
        posts = [comment.post_external_id or "" for comment in fresh]
        async with self._database.read() as session:
            before = await sources.found_before(session, platform=self._platform, page_id=page.id, post_ids=posts)
        kept = tuple(comment for comment in fresh if (comment.post_external_id, comment.external_id) not in before)
        under = {comment.post_external_id for comment in kept}
        return replace(batch, comments=kept, posts=tuple(post for post in batch.posts if post.external_id in under))
