"""How the watching of pages goes: narrowed, sorted, counted by state. Made for the whole country's pages: no offset, no second look."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.filters import checked_limit
from app.appeals.pages import IN_SCOPE, READERS, SCOPE, scope_of
from app.kernel.errors import InvalidError, NotFoundError
from app.people.rules import Permission
from app.sources.rules import CLOSED, LATE_AFTER, NO_ACCESS, PageState, storable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from app.kernel.db import ReadSession
    from app.people.rules import Access

_MOST_CURSOR = 400
_BITS = {"integer": 2**31, "bigint": 2**63}


class PageOrder(StrEnum):
    """How the list is sorted."""

    TITLE = "title"
    MEMBERS = "members"
    READ = "read"
    LAG = "lag"
    NEW = "new"


@dataclass(frozen=True, kw_only=True, slots=True)
class PageFilters:
    """Which pages: ids already expanded with what lies below. None: any; `words` stand in the title or the link."""

    platform: str | None = None
    agency_ids: tuple[int, ...] | None = None
    territory_ids: tuple[int, ...] | None = None
    sphere_id: int | None = None
    state: PageState | None = None
    words: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthRow:
    """A page and how watching it goes."""

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
    official: bool | None
    comments_open: bool | None
    described_at: datetime | None
    connected_at: datetime
    watched_since: datetime
    state: PageState
    polled_at: datetime | None
    due_at: datetime | None
    failures: int
    error_code: str | None
    lag_s: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthPage:
    """Rows in their order, and where the next ones begin."""

    rows: tuple[HealthRow, ...]
    next: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    """What is sorted by: an expression, its type, its direction, and its value in a row."""

    key: str
    kind: str
    descends: bool = False
    of_feed: bool = False

    @property
    def by(self) -> str:
        way = " DESC" if self.descends else ""
        return f"ORDER BY {self.key}{way}, g.id{way}"

    @property
    def after(self) -> str:
        return f"AND ({self.key}, g.id) {'<' if self.descends else '>'} (CAST(:after_key AS {self.kind}), :after_id)"


# ё stands after я by code points; an index holds this very expression.
_ORDERS = {
    PageOrder.TITLE: _Order(key="left(replace(lower(g.title), 'ё', 'е'), 100)", kind="text"),
    PageOrder.MEMBERS: _Order(key="coalesce(g.members, -1)", kind="integer", descends=True),
    PageOrder.READ: _Order(key="coalesce(f.polled_at, CAST('1970-01-01 UTC' AS timestamptz))", kind="timestamptz", of_feed=True),
    PageOrder.LAG: _Order(key="CAST(coalesce(f.lag_s, -1) AS double precision)", kind="double precision", descends=True, of_feed=True),
    PageOrder.NEW: _Order(key="g.id", kind="bigint", descends=True),
}
_STATE = """
CASE WHEN NOT g.active THEN 'off' WHEN f.error_code = ANY (CAST(:no_access AS text[])) THEN 'no_access'
  WHEN f.error_code = ANY (CAST(:closed AS text[])) OR g.comments_open IS FALSE THEN 'closed'
  WHEN f.error_code IS NOT NULL THEN 'faulty'
  WHEN coalesce(f.polled_at, g.connected_at) < :late AND (f.due_at IS NULL OR f.due_at < :late OR f.due_at = 'infinity') THEN 'late'
  ELSE 'fine' END
"""
_FEED = "LEFT JOIN feed f ON f.page_id = g.id"
_ROWS = """
SELECT g.id, g.platform, g.external_id, g.title, g.link, g.agency_id, y.code AS agency_code, y.name AS agency_name, g.territory_id,
  z.code AS territory_code, z.name AS territory_name, s.code AS sphere_code, s.name AS sphere_name, g.members, g.official,
  g.comments_open, g.described_at, g.connected_at, g.watched_since, {state} AS state, f.polled_at, nullif(f.due_at, 'infinity') AS due_at,
  coalesce(f.failures, 0) AS failures, f.error_code, f.lag_s, g.sort_key
"""


async def page_health(
    session: ReadSession, access: Access, filters: PageFilters, *, now: datetime, order: PageOrder = PageOrder.TITLE,
    after: str | None = None, limit: int = 50,
) -> HealthPage:  # fmt: skip
    """A page of the list. ForbiddenError; InvalidError `cursor` or `limit`."""
    return await _part(session, access, filters, now=now, order=order, after=after, limit=checked_limit(limit))


async def _part(
    session: ReadSession, access: Access, filters: PageFilters, *, now: datetime, order: PageOrder, after: str | None, limit: int
) -> HealthPage:
    access.require(Permission.PAGE_READ)
    way = _ORDERS[order]
    given = _given(access, filters, now) | {"most": limit + 1} | ({} if after is None else _read_cursor(after, way))
    where = _reach(given) + _where(filters) + ("" if after is None else f" {way.after}")
    listing = _listing(way, where, of_feed=way.of_feed or filters.state is not None)
    rows = [_row(row) for row in await session.execute(text(listing), given)]
    more = rows[limit - 1] if len(rows) > limit else None
    return HealthPage(rows=tuple(row for row, _ in rows[:limit]), next=None if more is None else f"{more[0].id}.{more[1]}")


async def count_states(session: ReadSession, access: Access, filters: PageFilters, *, now: datetime) -> dict[PageState, int]:
    """How many pages are in which state, of those that the other filters leave."""
    access.require(Permission.PAGE_READ)
    wide = PageFilters(
        platform=filters.platform, agency_ids=filters.agency_ids, territory_ids=filters.territory_ids, sphere_id=filters.sphere_id,
        words=filters.words,
    )  # fmt: skip
    given = _given(access, wide, now)
    where = _reach(given) + _where(wide)
    counted = f"WITH RECURSIVE {SCOPE} SELECT {_STATE} AS state, count(*) AS n FROM page g {_FEED} WHERE {where} GROUP BY 1"  # noqa: S608 - conditions of this file
    found = {row.state: row.n for row in await session.execute(text(counted), given)}
    return {state: found.get(state.value, 0) for state in PageState}


async def one_page(session: ReadSession, access: Access, *, page_id: int, now: datetime) -> HealthRow:
    """A page within reach. NotFoundError `page.unknown`, also for those out of it."""
    access.require(Permission.PAGE_READ)
    given = _given(access, PageFilters(), now) | {"page": page_id, "most": 1}
    found = (await session.execute(text(_listing(_ORDERS[PageOrder.NEW], f"{_reach(given)} AND g.id = :page")), given)).one_or_none()
    if found is None:
        raise NotFoundError("page.unknown", "There is no such page that you may see.")
    return _row(found)[0]


async def every_page(session: ReadSession, access: Access, filters: PageFilters, *, now: datetime) -> AsyncIterator[Sequence[HealthRow]]:
    """All pages of a filter by title, some at a time: for a file."""
    after: str | None = None
    while True:
        part = await _part(session, access, filters, now=now, order=PageOrder.TITLE, after=after, limit=_AT_ONCE)
        yield part.rows
        after = part.next
        if after is None:
            return


_AT_ONCE = 1_000


def _listing(way: _Order, where: str, *, of_feed: bool = False) -> str:
    """The rows are found first, by an index where one fits; all that stands beside them is looked up for those alone."""
    return f"""
    WITH RECURSIVE {SCOPE} {_ROWS.replace("{state}", _STATE)}
    FROM (SELECT g.*, {way.key} AS sort_key FROM page g {_FEED if of_feed else ""} WHERE {where} {way.by} LIMIT :most) g
    {_FEED} JOIN agency y ON y.id = g.agency_id JOIN territory z ON z.id = g.territory_id LEFT JOIN sphere s ON s.id = g.sphere_id
    ORDER BY g.sort_key{" DESC" if way.descends else ""}, g.id{" DESC" if way.descends else ""}
    """  # noqa: S608 - conditions of this file


def _reach(given: dict[str, Any]) -> str:
    """Whoever sees the whole region is asked nothing: a condition that is always true would still keep an index from being used."""
    return "true" if given["role_whole"] else IN_SCOPE


def _where(filters: PageFilters) -> str:
    """Only what was asked for: what is not there costs nothing."""
    asked = (
        (filters.platform is not None, "g.platform = :platform"),
        (filters.agency_ids is not None, "g.agency_id = ANY (:agencies)"),
        (filters.territory_ids is not None, "g.territory_id = ANY (:territories)"),
        (filters.sphere_id is not None, "g.sphere_id = :sphere"),
        (filters.state is not None, f"{_STATE} = :state"),
        (bool(filters.words), "(strpos(lower(g.title), :words) > 0 OR strpos(lower(g.link), :words) > 0)"),
    )
    return "".join(f" AND {condition}" for wanted, condition in asked if wanted)


def _given(access: Access, filters: PageFilters, now: datetime) -> dict[str, Any]:
    given: dict[str, Any] = scope_of(access, READERS)
    given |= {"no_access": sorted(NO_ACCESS), "closed": sorted(CLOSED), "late": now - LATE_AFTER}
    wanted = {
        "platform": filters.platform, "agencies": _listed(filters.agency_ids), "territories": _listed(filters.territory_ids),
        "sphere": filters.sphere_id, "state": None if filters.state is None else filters.state.value,
        "words": filters.words.lower() or None,
    }  # fmt: skip
    return given | {name: value for name, value in wanted.items() if value is not None}


def _listed(ids: tuple[int, ...] | None) -> list[int] | None:
    return None if ids is None else list(ids)


def _row(row: Any) -> tuple[HealthRow, str]:  # noqa: ANN401 - a row
    found = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    key = found.pop("sort_key")
    found["state"] = PageState(found["state"])
    return HealthRow(**found), key.isoformat() if isinstance(key, datetime) else str(key)


def _read_cursor(cursor: str, way: _Order) -> dict[str, Any]:
    found = re.fullmatch(r"([0-9]{1,18})\.(.*)", cursor[:_MOST_CURSOR], flags=re.DOTALL)
    refusal = InvalidError("cursor", "This is no cursor of this list: begin without one.", field="cursor")
    if found is None:
        raise refusal
    try:
        return {"after_id": int(found[1]), "after_key": _value(found[2], way.kind)}
    except ValueError as error:
        raise refusal from error


def _value(said: str, kind: str) -> object:
    if kind == "text":
        found: str | float | datetime = storable(said)[0]
    elif kind == "timestamptz":
        found = datetime.fromisoformat(said)
    else:
        found = float(said) if kind == "double precision" else int(said)
    if (isinstance(found, datetime) and found.tzinfo is None) or (isinstance(found, int) and abs(found) >= _BITS[kind]):
        raise ValueError(said)
    return found
