"""Triage as one value: the classifier, the rules of routing and the directory, loaded for a batch or some seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.triage.routing import Place, Route, Router, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.directory.service import Directory
    from app.kernel.db import ReadSession
    from app.triage.classification import Classifier


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What decides about comments at a moment."""

    directory: Directory
    classifier: Classifier
    router: Router

    def place(self, *, page_id: int | None, territory_id: int, topic_id: int | None, page_agency_id: int | None) -> Place:
        """Where a matter stands, with the lineages that rules are matched against."""
        return Place(
            page_id=page_id,
            territory_ids=self.directory.territory_lineage(territory_id),
            topic_ids=self.directory.topic_lineage(topic_id),
            page_agency_id=page_agency_id,
        )

    def route(self, places: Sequence[Place]) -> list[Route]:
        """Who answers, for each place."""
        return self.router.choose_all(places)


async def load_rules(session: ReadSession) -> list[Rule]:
    """The rules in force."""
    rows = await session.execute(text("SELECT id, page_id, territory_id, topic_id, agency_id FROM routing_rule WHERE retired_at IS NULL"))
    return [Rule(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name
