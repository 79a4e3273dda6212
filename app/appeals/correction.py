"""Correcting what an appeal is about, and handing it to whoever answers about that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals import service
from app.appeals.rules import Act, possible
from app.people.rules import Permission

if TYPE_CHECKING:
    from datetime import datetime

    from app.appeals.office import Office
    from app.kernel.db import ReadSession, WriteSession
    from app.people.rules import Access


async def correct_topic(
    session: WriteSession, access: Access, office: Office, *, number: int, topic_id: int, reroute: bool, now: datetime
) -> int | None:
    """Set the topic; with `reroute` hand the appeal to the agency that the rules name for it, and return that agency.

    Nothing is handed on when no rule knows an agency, when it is there already, or once the appeal is answered.
    """
    held = await service.hold(session, access, number=number, permission=Permission.APPEAL_WORK)
    await service.set_topic(session, access, number=number, topic_id=topic_id, now=now)
    if not reroute or Act.ROUTED not in possible(held.status) or not access.may(Permission.APPEAL_ROUTE):
        return None
    place = office.desk.place(
        page_id=held.page_id, territory_id=held.territory_id, topic_id=topic_id, page_agency_id=await _page_agency(session, held.page_id)
    )
    chosen = office.desk.route([place])[0].agency_id
    if chosen is None or chosen == held.agency_id:
        return None
    await service.route(session, access, number=number, agency_id=chosen, territory_id=None, seen_version=None, now=now)
    return chosen


async def _page_agency(session: ReadSession, page_id: int | None) -> int | None:
    """Who owns the page."""
    agency_id: int | None = await session.scalar(text("SELECT agency_id FROM page WHERE id = :id"), {"id": page_id})
    return agency_id
