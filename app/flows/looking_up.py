"""A link that somebody pasted: the worker, which has the tokens, fetches what stands there, with no transaction open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.flows import inbound
from app.flows.platforms import calling
from app.kernel.log import logger
from app.sources import lookups
from connectors.contract import ConnectorError, PageRef, TryLater
from connectors.references import FetchesReferences

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.sources.lookups import WatchedPlace
    from connectors.contract import Connector, Reference
    from connectors.references import Fetched

NO_WAY = "no_way"
"""The platform shows no single comment to a program (Telegram), or this installation has no token of it."""
OWN_POST = "own_post"
"""A post that our own page published: no citizen's words, so none are told."""


async def look_up(database: Database, connectors: Mapping[str, Connector], clock: Clock, *, lookup_id: int) -> None:
    """Fetch it once. TryLater when the platform asks for patience: the job comes again."""
    async with database.read() as session:
        wanted = await lookups.wanted(session, lookup_id=lookup_id)
        page = None if wanted is None else await lookups.watched_place(session, platform=wanted[0], reference=wanted[1])
    if wanted is None:
        return
    platform, reference = wanted
    connector = connectors.get(platform)
    code = NO_WAY
    if isinstance(connector, FetchesReferences):
        try:
            with calling(platform, "fetch_reference"):
                found = await connector.fetch_reference(reference, _page_ref(page))
        except TryLater:
            raise
        except ConnectorError as error:
            logger.info("link_refused", platform=platform, code=error.code)
            code = error.code
        else:
            await _keep(database, clock, platform, reference, page, found, lookup_id=lookup_id)
            return
    async with database.write() as session:
        await lookups.settle(session, lookup_id=lookup_id, state="refused", code=code)


def _page_ref(page: WatchedPlace | None) -> PageRef | None:
    return None if page is None else PageRef(external_id=page.external_id, options=page.options)


async def _keep(
    database: Database, clock: Clock, platform: str, reference: Reference, page: WatchedPlace | None, found: Fetched, *, lookup_id: int
) -> None:
    """Under a page of ours it is stored like anything that was polled; of any other it is told to whoever asked, and kept no longer."""
    async with database.write() as session:
        stored = None
        if page is not None and reference.comment is not None:
            await inbound.take_in(session, platform=platform, batch=found.batch, now=clock.now())
            stored = await lookups.stored_comment(session, page_id=page.id, reference=reference)
        if _is_own_post(page, reference, found):
            await lookups.settle(session, lookup_id=lookup_id, state="found", code=OWN_POST)
            return
        await lookups.settle(
            session,
            lookup_id=lookup_id,
            state="found" if stored is None else "stored",
            comment_id=None if stored is None else stored.id,
            words=found.text,
            author_name=None if found.author is None else found.author.name,
            written_at=found.written_at,
        )


def _is_own_post(page: WatchedPlace | None, reference: Reference, found: Fetched) -> bool:
    """Whether a page of ours says it; what citizens may post on its wall is theirs."""
    if page is None or reference.comment is not None:
        return False
    return found.author is None or found.author.external_id == page.external_id
