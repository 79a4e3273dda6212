"""What somebody says they have mended, or a platform says has changed: tried at once instead of after its pause.

A wall shows by being read whether we may. A stream goes on for its other pages and says nothing more of one that it does not carry:
there the platform is asked about the page itself, so that a notice that was missed is made up for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.flows.platforms import calling
from app.sources import care
from app.sources.facts import page_options_changed
from connectors.contract import AccessLost, ConnectorError, Streams

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from connectors.contract import Connector, PageSnapshot

NO_ACCESS = "no_access"
"""Of a page's options: why its stream does not carry it; empty when it does."""
_LOST = frozenset({"no_right", "restricted"})
"""A token that is dead says nothing of one page: reading fails for all that it carries, and says so."""
_PAGE = text("SELECT platform, external_id, link FROM page WHERE id = :id AND active")


async def try_again(database: Database, connectors: Mapping[str, Connector], clock: Clock, *, page_id: int) -> None:
    """Have the page read now, and know anew whether its stream carries it."""
    async with database.write() as session:
        await care.try_again(session, page_id=page_id, now=clock.now())
        page = (await session.execute(_PAGE, {"id": page_id})).one_or_none()
    connector = None if page is None else connectors.get(page.platform)
    if page is None or not isinstance(connector, Streams):
        return
    try:
        with calling(page.platform, "describe_page"):
            changed = carried(page.external_id, await connector.describe_page(page.link))
    except ConnectorError as error:
        changed = carried(page.external_id, error)
    if changed:
        async with database.write() as session:
            await page_options_changed(session, platform=page.platform, changed={page.external_id: changed})


def carried(external_id: str, told: PageSnapshot | ConnectorError) -> dict[str, str]:
    """What becomes of the options of a page that a stream carries, once its platform was asked about it; nothing when it did not say."""
    if isinstance(told, ConnectorError):
        return {NO_ACCESS: told.detail} if isinstance(told, AccessLost) and told.code in _LOST else {}
    return {**told.options, NO_ACCESS: ""} if told.external_id == external_id else {}
