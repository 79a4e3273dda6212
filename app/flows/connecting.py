"""A page that somebody connects on a screen: the worker, which has the tokens, asks its platform and then watches it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.audit.service import record
from app.flows.platforms import calling
from app.sources import intakes
from app.sources.service import connect_page
from connectors.contract import ConnectorError, PageSnapshot, Rejected
from connectors.pages import AbilityCheck, ChecksAbilities, PageFacts, TellsPages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.sources.intakes import Intake
    from connectors.contract import Connector

WATCHED = "watched"
"""Somebody was quicker: the page is watched already."""


async def take_intakes(database: Database, connectors: Mapping[str, Connector], clock: Clock, *, context: timedelta) -> int:
    """Ask about what was asked for and connect what is wanted; how many. Done twice it does no more than once."""
    async with database.read() as session:
        asked = await intakes.waiting(session, state="asked")
    for intake in asked:
        await _ask(database, connectors.get(intake.platform), intake)
    return len(asked) + await _connect(database, clock, context=context)


async def _ask(database: Database, connector: Connector | None, intake: Intake) -> None:
    """No transaction is open while a platform is asked."""
    code, facts = "token_kind", None
    checks: Sequence[AbilityCheck] = ()
    if connector is not None:
        try:
            facts = await _facts(connector, intake)
            checks = await _checks(connector, intake.platform, facts)
        except ConnectorError as error:
            code = error.code
    async with database.write() as session:
        tokens = await intakes.token_kinds(session, platform=intake.platform)
        if facts is None:
            await intakes.refuse(session, intake_id=intake.id, code=code, tokens=tokens)
            return
        known = await intakes.watched_page(session, platform=intake.platform, external_id=facts.external_id)
        await intakes.tell(session, intake_id=intake.id, facts=facts, checks=checks, tokens=tokens, page_id=known)


async def _facts(connector: Connector, intake: Intake) -> PageFacts:
    if isinstance(connector, TellsPages):
        with calling(intake.platform, "tell_pages"):
            told = (await connector.tell_pages([intake.link])).get(intake.link)
        if isinstance(told, PageFacts):
            return told
        raise told or Rejected("gone", "the platform said nothing of it")
    with calling(intake.platform, "describe_page"):
        page = await connector.describe_page(intake.link)
    return PageFacts(external_id=page.external_id, title=page.title, link=page.link, members=page.members, options=page.options)


async def _checks(connector: Connector, platform: str, facts: PageFacts) -> Sequence[AbilityCheck]:
    if not isinstance(connector, ChecksAbilities):
        return (AbilityCheck(ability="see", state="yes"),)
    with calling(platform, "check_page"):
        return await connector.check_page(facts.external_id, page_options=facts.options)


async def _connect(database: Database, clock: Clock, *, context: timedelta) -> int:
    """Polling finds a page that is new by itself."""
    async with database.write() as session:
        wanted = await intakes.waiting(session, state="wanted")
        for intake in wanted:
            told, now = intake.told or {}, clock.now()
            if intake.agency_id is None or intake.territory_id is None:
                continue
            if await intakes.watched_page(session, platform=intake.platform, external_id=told["external_id"]) is not None:
                await intakes.refuse(session, intake_id=intake.id, code=WATCHED, tokens=intake.tokens or {})
                continue
            page_id = await connect_page(
                session,
                platform=intake.platform,
                snapshot=PageSnapshot(
                    external_id=told["external_id"],
                    title=told["title"],
                    link=told["link"],
                    members=told["members"],
                    options=told["options"],
                ),
                agency_id=intake.agency_id,
                territory_id=intake.territory_id,
                sphere_id=intake.sphere_id,
                watched_since=now - context,
                now=now,
            )
            await intakes.connected(session, intake_id=intake.id, page_id=page_id)
            await record(session, operator_id=intake.operator_id, act="page.connected", subject="page", subject_id=page_id)
    return len(wanted)
