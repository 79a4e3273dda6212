"""What may have changed while a stream was waited for: its platform pushes by now, or its pages are not what they were."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.flows.polling_batches import page_ref
from app.sources.hooks import hooked
from app.sources.service import watched_pages
from connectors.contract import PushedInstead, TryLater

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.flows.polling_leases import Guard
    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from connectors.contract import Feed, Streams


@asynccontextmanager
async def or_pushed(guard: Guard, database: Database, clock: Clock, *, platform: str, feed: Feed) -> AsyncIterator[None]:
    """Read these pages, or find that their news come by our own hook. Raises TryLater: they go elsewhere, or do not arrive."""
    try:
        yield
    except PushedInstead as error:
        async with database.read() as session:
            ours = await hooked(session, platform=platform, pages=[page.external_id for page in feed.pages])
        if not any(error.address.endswith(f"/hooks/{platform}/{page}") for page in ours):
            host = error.address.partition("/")[0]
            raise TryLater("webhook", host, after=error.after, credential_key=error.credential_key) from error
        if error.complaint:
            raise TryLater("push_failing", error.complaint, after=error.after, credential_key=error.credential_key) from error
        guard.done(due_at=clock.now() + error.after)


async def as_asked(database: Database, connector: Streams, feed: Feed, *, platform: str) -> bool:
    """Whether a stream still carries what it was read for.

    Somebody may have connected a page, or switched private messages on or off, while we waited: what came then was read for the
    wrong pages. It is not stored, so it is not confirmed either, and the platform tells it again to whoever asks for the right ones.
    """
    async with database.read() as session:
        pages = await watched_pages(session, platform=platform)
    return feed in connector.feeds([page_ref(page) for page in pages])
