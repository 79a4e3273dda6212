"""What is decided with - classifier, rules, directory, policies - kept for some seconds.

Whatever an administrator changes holds for every comment that is looked at `FRESH` later.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from app.appeals.reopening import Promises
from app.directory.service import load_directory
from app.sla.policy import Matter
from app.sla.service import load_book
from app.triage.classifiers.keywords import KeywordClassifier
from app.triage.classifiers.tree import TopicTerms
from app.triage.routing import Router
from app.triage.service import Desk, load_rules

if TYPE_CHECKING:
    from datetime import datetime

    from app.directory.service import Directory
    from app.kernel.clock import Clock
    from app.kernel.db import Database
    from app.sla.service import Book
    from app.triage.classification import Classifier

FRESH = timedelta(seconds=5)


@dataclass(frozen=True, kw_only=True, slots=True)
class Office:
    """One consistent view."""

    desk: Desk
    book: Book

    @property
    def promises(self) -> Promises:
        """What is promised to whom."""
        return Promises(directory=self.desk.directory, book=self.book)

    def matter(
        self, *, topic_id: int | None, agency_id: int | None, territory_id: int, platform: str, priority: str = "ordinary"
    ) -> Matter:
        """What a promise is chosen for, with its lineages."""
        directory = self.desk.directory
        return Matter(
            topics=directory.topic_lineage(topic_id),
            agencies=directory.agency_lineage(agency_id),
            territories=directory.territory_lineage(territory_id),
            platform=platform,
            priority=priority,
        )


class OfficeKeeper:
    """Loads the office when it is needed and no longer fresh. The classifier is compiled only when its words changed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._lock = asyncio.Lock()
        self._office: Office | None = None
        self._loaded_at: datetime | None = None
        self._terms: tuple[TopicTerms, ...] = ()
        self._classifier: Classifier | None = None

    async def get(self) -> Office:
        """The office as it is now, at most `FRESH` old."""
        async with self._lock:
            now = self._clock.now()
            if self._office is None or self._loaded_at is None or now - self._loaded_at >= FRESH:
                self._office = await self._load(now)
                self._loaded_at = now
            return self._office

    async def _load(self, now: datetime) -> Office:
        async with self._database.read() as session:
            directory = await load_directory(session)
            rules = await load_rules(session)
            book = await load_book(session, now=now)
        return Office(desk=Desk(directory=directory, classifier=await self._compiled(directory), router=Router(rules)), book=book)

    async def _compiled(self, directory: Directory) -> Classifier:
        terms = tuple(
            TopicTerms(
                code=topic.code, parent=None if topic.parent_id is None else directory.topics[topic.parent_id].code, keywords=topic.terms
            )
            for topic in directory.topics.values()
        )
        if self._classifier is None or terms != self._terms:
            self._classifier = await asyncio.to_thread(KeywordClassifier, terms)
            self._terms = terms
        return self._classifier
