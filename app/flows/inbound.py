"""From a stored comment to an appeal: classify outside any transaction, then give fates in one (T2)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.appeals.intake import Looked, open_batch
from app.appeals.records import record_comment_changes
from app.kernel.log import logger
from app.sources.facts import page_options_changed
from app.sources.queries import unseen_comments
from app.sources.store import store_batch
from app.triage.classification import Classification, Sample
from app.triage.routing import Router
from app.triage.rules import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from app.appeals.office import Office, OfficeKeeper
    from app.kernel.clock import Clock
    from app.kernel.db import Database, WriteSession
    from app.sources.queries import UnseenComment
    from app.sources.store import Stored
    from app.triage.routing import Route
    from connectors.contract import Batch

BATCH = 1_000


async def take_in(session: WriteSession, *, platform: str, batch: Batch, now: datetime) -> Stored:
    """T1: store a batch; what it changed of comments with an appeal is said in that appeal's history."""
    stored = await store_batch(session, platform=platform, batch=batch, now=now)
    await record_comment_changes(session, stored.changes, now=now)
    if batch.page_options:
        await page_options_changed(session, platform=platform, changed=batch.page_options)
    return stored


def look(office: Office, comments: Sequence[UnseenComment]) -> list[Looked]:
    """What triage, routing and the clock say of these comments. Pure, and the heaviest work of all: off the loop."""
    desk = office.desk
    samples = [Sample(text=one.text, has_attachment=one.has_attachment, post_text=one.post_text, by_page=one.by_page) for one in comments]
    told = desk.classifier.classify(samples)
    topics = [desk.directory.topic_id(one.topic_code) for one in told]
    routes = desk.route(
        [
            desk.place(page_id=one.page_id, territory_id=one.territory_id, topic_id=topic, page_agency_id=one.page_agency_id)
            for one, topic in zip(comments, topics, strict=True)
        ]
    )
    matters = [
        office.matter(topic_id=topic_id, agency_id=route.agency_id, territory_id=comment.territory_id, platform=comment.platform)
        for comment, topic_id, route in zip(comments, topics, routes, strict=True)
    ]
    for_a_person = [_for_a_person(comment, one, route) for comment, one, route in zip(comments, told, routes, strict=True)]
    needs_clock = [not seen.by_page and (seen.elsewhere or one.is_appeal is not False) for seen, one in zip(comments, told, strict=True)]
    opening = [number for number in range(len(comments)) if needs_clock[number] and not for_a_person[number]]
    plans = office.book.plan_all([(matters[number], comments[number].written_at) for number in opening])
    timers = dict(zip(opening, plans, strict=True))
    return [
        Looked(
            comment=comment,
            classification=told[number],
            classifier=desk.classifier.name,
            classifier_version=desk.classifier.version,
            topic_id=topics[number],
            route=routes[number],
            timers=tuple(timers.get(number, ())),
            triage_due=office.book.triage_due(matters[number], comment.written_at)
            if needs_clock[number] and for_a_person[number]
            else None,
        )
        for number, comment in enumerate(comments)
    ]


def _for_a_person(comment: UnseenComment, told: Classification, route: Route) -> bool:
    """Whether a person decides: always of what a search found elsewhere, and of what a person has decided before it was edited."""
    return comment.elsewhere or comment.decided or told.is_appeal is None or route.agency_id is None


async def open_all(database: Database, keeper: OfficeKeeper, clock: Clock, *, most: int = BATCH) -> int:
    """Look at every waiting comment once, oldest first; how many got a fate.

    The next batch is looked at while the last one is written: one works on our core, the other on PostgreSQL's. What
    another worker is deciding at this moment is left to it.
    """
    decided = 0
    upcoming = asyncio.create_task(_look_after(0, database, keeper, most))
    try:
        while looked := await upcoming:
            upcoming = asyncio.create_task(_look_after(looked[-1].comment.id, database, keeper, most))
            office = await keeper.get()
            async with database.write() as session:
                opened = await open_batch(session, looked, now=clock.now(), promises=office.promises)
            decided += sum(opened.fates.values())
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)
    return decided


async def _look_after(comment_id: int, database: Database, keeper: OfficeKeeper, most: int) -> list[Looked]:
    async with database.read() as session:
        comments = await unseen_comments(session, after=comment_id, most=most)
    return await asyncio.to_thread(_look_at_all, await keeper.get(), comments) if comments else []


def _look_at_all(office: Office, comments: Sequence[UnseenComment]) -> list[Looked]:
    """`look`; a comment at which it breaks goes before a person, and holds up no other."""
    try:
        return look(office, comments)
    except Exception:  # noqa: BLE001 - whatever broke it must not hold up the others
        logger.exception("triage_failed", comments=len(comments), first=comments[0].id)
    looked = []
    for comment in comments:
        try:
            looked += look(office, [comment])
        except Exception:  # noqa: BLE001 - told above
            looked.append(_unlooked(office, comment))
    return looked


def _unlooked(office: Office, comment: UnseenComment) -> Looked:
    place = office.desk.place(page_id=comment.page_id, territory_id=comment.territory_id, topic_id=None, page_agency_id=None)
    matter = office.matter(topic_id=None, agency_id=None, territory_id=comment.territory_id, platform=comment.platform)
    return Looked(
        comment=comment,
        classification=Classification(kind=Kind.UNDECIDED, is_appeal=None, confidence=0.0),
        classifier=office.desk.classifier.name,
        classifier_version=office.desk.classifier.version,
        topic_id=None,
        route=Router(()).choose(place),
        timers=(),
        triage_due=office.book.triage_due(matter, comment.written_at),
    )
