"""A stream that is not read because its platform pushes: one way at a time, and whose way it is. Ours is no trouble."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.sources.hooks import hooked
from connectors.contract import PushedInstead, TryLater

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from app.flows.polling_leases import Guard
    from app.kernel.clock import Clock
    from app.kernel.db import Database


@asynccontextmanager
async def or_pushed(guard: Guard, database: Database, clock: Clock, *, platform: str, pages: Sequence[str]) -> AsyncIterator[None]:
    """Read these pages, or find that their news come by our own hook. Raises TryLater: they go elsewhere, or do not arrive."""
    try:
        yield
    except PushedInstead as error:
        async with database.read() as session:
            ours = await hooked(session, platform=platform, pages=pages)
        if not any(error.address.endswith(f"/hooks/{platform}/{page}") for page in ours):
            host = error.address.partition("/")[0]
            raise TryLater("webhook", host, after=error.after, credential_key=error.credential_key) from error
        if error.complaint:
            raise TryLater("push_failing", error.complaint, after=error.after, credential_key=error.credential_key) from error
        guard.done(due_at=clock.now() + error.after)
