"""From the inbox of pushed events to stored comments: parsed by the connector, stored as any batch, in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.flows import inbound
from app.flows.polling_batches import page_ref, together
from app.kernel.log import logger
from app.sources import hooks, service as sources
from app.sources.care import list_at_once
from connectors.contract import AcceptsPush, Batch, PageRef, Pages, UnknownPayload, Unreadable
from connectors.finding import PushedAlone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.clock import Clock
    from app.kernel.db import Database, WriteSession
    from app.sources.hooks import WaitingEvent
    from connectors.contract import Connector

AT_ONCE = 200


async def take_pushed(database: Database, connectors: Mapping[str, Connector], clock: Clock) -> int:
    """Handle what waits in the inbox; how many events."""
    able = {platform: one for platform, one in connectors.items() if isinstance(one, AcceptsPush)}
    handled = 0
    while able:
        async with database.write() as session:
            events = await hooks.waiting_events(session, platforms=sorted(able), most=AT_ONCE)
            for platform in sorted({event.platform for event in events}):
                await _store(session, able[platform], [event for event in events if event.platform == platform], clock)
            await hooks.events_handled(session, ids=[event.id for event in events], now=clock.now())
        handled += len(events)
        if len(events) < AT_ONCE:
            break
    return handled


async def _store(session: WriteSession, connector: AcceptsPush, events: Sequence[WaitingEvent], clock: Clock) -> None:
    platform = events[0].platform
    watched = [] if isinstance(connector, PushedAlone) else await sources.watched_pages(session, platform=platform)
    pages = Pages(page_ref(page) for page in watched)
    batch = together([_parsed(connector, event, pages) for event in events])
    await inbound.take_in(session, platform=platform, batch=batch, now=clock.now())
    if shown := [post.page_external_id for post in batch.posts if not post.named_only]:
        await sources.wake_feeds(session, platform=platform, pages=shown, now=clock.now())
    if batch.look_at:
        await list_at_once(session, platform=platform, pages=batch.look_at, now=clock.now())


def _parsed(connector: AcceptsPush, event: WaitingEvent, pages: Pages) -> Batch:
    """One that cannot be read is set aside, and holds up no other."""
    page = PageRef(external_id=event.page_external_id, options=event.page_options)
    try:
        return connector.parse_push(page, pages, event.body, observed_at=event.received_at)
    except UnknownPayload as error:
        reason = f"pushed: {error.code}: {error.detail}"
    except Exception as error:  # noqa: BLE001 - a bug of a connector must not hold up the inbox
        logger.exception("push_bug", platform=event.platform, number=event.id)
        reason = f"pushed: bug: {type(error).__name__}"
    return Batch(unreadable=(Unreadable(reason=reason, raw=event.body, page_external_id=event.page_external_id),))
