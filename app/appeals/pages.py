"""The official pages that a person may see, with how watching them goes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.filters import checked_limit
from app.kernel.errors import InvalidError
from app.people.rules import ROLE_PERMISSIONS, Permission, Role

if TYPE_CHECKING:
    from app.kernel.db import ReadSession
    from app.people.rules import Access


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRow:
    """An official page. How watching it goes: `polled_at`, `failures`, `error_code`."""

    id: int
    platform: str
    external_id: str
    title: str
    link: str
    agency_id: int
    agency_code: str
    agency_name: str
    territory_id: int
    territory_code: str
    territory_name: str
    sphere_code: str | None
    sphere_name: str | None
    members: int | None
    active: bool
    connected_at: datetime
    watched_since: datetime
    polled_at: datetime | None
    failures: int
    error_code: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PagesPage:
    """Rows in the order in which the pages were connected, and where the next ones begin."""

    rows: tuple[PageRow, ...]
    next: str | None


# The scope of some roles of a person, expanded with children: `Access` holds only that of all reading roles together.
SCOPE = """
role_agencies(id) AS (
  SELECT unnest(CAST(:role_agencies AS bigint[])) UNION SELECT child.id FROM agency child JOIN role_agencies r ON child.parent_id = r.id),
role_territories(id) AS (
  SELECT unnest(CAST(:role_territories AS bigint[]))
  UNION SELECT child.id FROM territory child JOIN role_territories r ON child.parent_id = r.id)
"""
IN_SCOPE = "(:role_whole OR g.agency_id IN (SELECT id FROM role_agencies) OR g.territory_id IN (SELECT id FROM role_territories))"


def scope_of(access: Access, roles: frozenset[Role]) -> dict[str, Any]:
    """The parameters of SCOPE and IN_SCOPE: what these roles of a person cover."""
    grants = [grant for grant in access.grants if grant.role in roles]
    return {
        "role_whole": any(grant.agency_id is None and grant.territory_id is None for grant in grants),
        "role_agencies": [grant.agency_id for grant in grants if grant.agency_id is not None],
        "role_territories": [grant.territory_id for grant in grants if grant.territory_id is not None],
    }


READERS = frozenset(role for role in Role if Permission.PAGE_READ in ROLE_PERMISSIONS[role])

_PAGES = text(
    f"""
    WITH RECURSIVE {SCOPE}
    SELECT g.id, g.platform, g.external_id, g.title, g.link, g.agency_id, y.code AS agency_code, y.name AS agency_name,
      g.territory_id, z.code AS territory_code, z.name AS territory_name, s.code AS sphere_code, s.name AS sphere_name,
      g.members, g.active, g.connected_at, g.watched_since, f.polled_at, coalesce(f.failures, 0) AS failures, f.error_code
    FROM (SELECT * FROM page g WHERE g.id > :after AND {IN_SCOPE} ORDER BY g.id LIMIT :most) g
    JOIN agency y ON y.id = g.agency_id
    JOIN territory z ON z.id = g.territory_id
    LEFT JOIN sphere s ON s.id = g.sphere_id
    LEFT JOIN LATERAL (SELECT max(d.polled_at) AS polled_at, max(d.failures) AS failures, max(d.error_code) AS error_code
      FROM feed d WHERE d.page_id = g.id) f ON true
    ORDER BY g.id
    """  # noqa: S608 - constants of this file
)


async def pages(session: ReadSession, access: Access, *, after: str | None = None, limit: int = 100) -> PagesPage:
    """The pages of a person's agencies and territories. ForbiddenError, InvalidError `cursor` or `limit`."""
    access.require(Permission.PAGE_READ)
    if after is not None and not re.fullmatch("[0-9]{1,18}", after):
        raise InvalidError("cursor", "This is no cursor of this list: begin without one.", field="cursor")
    found = await session.execute(_PAGES, {**scope_of(access, READERS), "after": int(after or 0), "most": checked_limit(limit) + 1})
    rows = tuple(PageRow(**row._mapping) for row in found)  # noqa: SLF001 - SQLAlchemy's documented name
    return PagesPage(rows=rows[:limit], next=str(rows[limit - 1].id) if len(rows) > limit else None)
