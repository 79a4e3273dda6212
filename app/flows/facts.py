"""Once a day each page's platform is asked how many follow it, whether it carries the mark and whether people may comment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.flows.mending import carried
from app.flows.platforms import calling
from app.kernel.log import logger
from app.sources import facts as kept
from app.sources.facts import page_options_changed
from connectors.contract import ConnectorError, Streams
from connectors.pages import PageFacts, TellsPages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.sources.facts import DuePage
    from connectors.contract import Connector

AT_ONCE = 500
ONE_BY_ONE = 20
"""Of a platform that tells of one page a call, so many are asked in a round: reading and answering come first."""


@dataclass(kw_only=True, slots=True)
class Told:
    """What came of a round."""

    facts: list[tuple[int, PageFacts]] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    options: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of pages that a stream carries, by external id: whether it does, should the notice of it have been missed."""


async def round_of_facts(database: Database, connectors: Mapping[str, Connector], clock: Clock) -> bool:
    """Ask about what is due, platform by platform; whether there was something. No transaction is open meanwhile."""
    busy = False
    for platform, connector in connectors.items():
        many = isinstance(connector, TellsPages)
        async with database.write() as session:
            due = await kept.take_due(session, platforms=[platform], now=clock.now(), most=AT_ONCE if many else ONE_BY_ONE)
        pages = due.get(platform, [])
        busy = busy or bool(pages)
        try:
            told = await (_many(platform, connector, pages) if isinstance(connector, TellsPages) else _each(platform, connector, pages))
        except ConnectorError as error:
            logger.info("facts_wait", platform=platform, code=error.code, pages=len(pages))
            continue
        async with database.write() as session:
            await kept.keep_facts(session, told.facts, now=clock.now())
            await kept.note_closed(session, page_ids=told.closed, now=clock.now())
            await page_options_changed(session, platform=platform, changed=told.options)
    return busy


async def _many(platform: str, connector: TellsPages, pages: Sequence[DuePage]) -> Told:
    told = Told()
    for start in range(0, len(pages), connector.pages_limit):
        part = {page.external_id: page.id for page in pages[start : start + connector.pages_limit]}
        with calling(platform, "tell_pages"):
            answer = await connector.tell_pages(list(part))
        for name, page_id in part.items():
            found = answer.get(name)
            if isinstance(found, PageFacts):
                told.facts.append((page_id, found))
    return told


async def _each(platform: str, connector: Connector, pages: Sequence[DuePage]) -> Told:
    """One page after the other; what a platform refuses of one page is no reason to leave the others out."""
    told = Told()
    for page in pages:
        try:
            with calling(platform, "describe_page"):
                snapshot = await connector.describe_page(page.link)
        except ConnectorError as error:
            if error.code == "comments_closed":
                told.closed.append(page.id)
            if isinstance(connector, Streams):
                told.options[page.external_id] = carried(page.external_id, error)
            continue
        if isinstance(connector, Streams):
            told.options[page.external_id] = carried(page.external_id, snapshot)
        facts = PageFacts(external_id=snapshot.external_id, title=snapshot.title, link=snapshot.link, members=snapshot.members)
        if snapshot.external_id == page.external_id:
            told.facts.append((page.id, facts))
    return told
