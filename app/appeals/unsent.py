"""Answers that a platform refused for want of a token, a right or a person before it: they go out together once that is mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.appeals.access import visible_to
from app.appeals.outcomes import decide_reply
from app.people.rules import Permission
from app.sources.rules import NO_ACCESS

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession
    from app.people.rules import Access

MOST = 100
"""So many are shown, and go out at one word."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsent:
    """An answer that waits for the page's access to be mended."""

    reply_id: int
    number: int
    code: str
    detail: str
    agency_id: int
    territory_id: int


_UNSENT = """
SELECT r.id AS reply_id, a.number, r.error_code AS code, coalesce(r.error_detail, '') AS detail, a.agency_id, a.territory_id
FROM reply r JOIN appeal a ON a.id = r.appeal_id
WHERE r.page_id = :page AND r.state = 'failed' AND r.error_code = ANY (:codes) AND {visible} ORDER BY r.id LIMIT :most
"""


async def unsent(session: ReadSession, access: Access, *, page_id: int) -> list[Unsent]:
    """Those of a page that this person may send, the oldest first."""
    if not access.may(Permission.APPEAL_WORK):
        return []
    visible, scope = visible_to(access)
    given = {"page": page_id, "codes": sorted(NO_ACCESS), "most": MOST}
    rows = [Unsent(**row) for row in (await session.execute(text(_UNSENT.format(visible=visible)), scope | given)).mappings()]
    return [one for one in rows if access.reaches(Permission.APPEAL_WORK, agency_id=one.agency_id, territory_id=one.territory_id)]


async def send_unsent(session: WriteSession, access: Access, *, page_id: int, now: datetime) -> int:
    """Have them sent again; how many. Each refused them with nothing done, so none appears twice."""
    found = await unsent(session, access, page_id=page_id)
    for one in found:
        await decide_reply(session, access, reply_id=one.reply_id, decision="resend", now=now)
    return len(found)
