"""Pictures that only the worker can fetch: with its token, no transaction open, made anew before they are kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.flows.platforms import calling
from app.kernel.log import logger
from app.kernel.outgoing import RefusedError
from app.media import shelf
from app.media.pictures import redrawn
from app.media.rules import SHOWN, Size
from connectors.contract import ConnectorError, FetchesMedia, TryLater

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.kernel.db import Database
    from app.media.shelf import Wanted
    from connectors.contract import Connector

MOST_BYTES = 8_000_000


async def fetch(database: Database, connectors: Mapping[str, Connector], *, picture_id: int) -> None:
    """Fetch one that somebody looks at. TryLater when the platform asks for patience: the job comes again."""
    async with database.read() as session:
        wanted = await shelf.wanted(session, picture_id=picture_id)
    if wanted is None:
        return
    content = None
    try:
        content = await _drawn(connectors.get(wanted.platform), wanted)
    except TryLater:
        raise
    except (ConnectorError, RefusedError) as error:
        logger.info("picture_refused", platform=wanted.platform, code=error.code)
    async with database.write() as session:
        await shelf.put(session, picture_id=picture_id, content=content)


async def _drawn(connector: Connector | None, wanted: Wanted) -> bytes:
    external_id = wanted.attachment.get("external_id")
    if wanted.attachment.get("kind") not in SHOWN or not isinstance(external_id, str) or not isinstance(connector, FetchesMedia):
        raise RefusedError("kind", "This is no picture that we show.")
    with calling(wanted.platform, "fetch_media"):
        content = await connector.fetch_media(
            external_id, page_external_id=wanted.page_external_id, page_options=wanted.page_options, most_bytes=MOST_BYTES
        )
    return await asyncio.to_thread(redrawn, content, longest=Size.LARGE.pixels)
