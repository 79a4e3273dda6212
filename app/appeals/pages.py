"""The official pages that a person may see and how watching them goes: narrowed, sorted, counted; for screens, API and commands alike.

Made for the whole country's pages: no offset, no second look, and an index under every order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.filters import checked_limit
from app.kernel.errors import InvalidError, NotFoundError
from app.people.rules import ROLE_PERMISSIONS, Permission, Role
from app.sources.rules import CLOSED, LATE_AFTER, NO_ACCESS, PageState, storable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from app.kernel.db import ReadSession
    from app.people.rules import Access

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

_MOST_CURSOR = 400
_BITS = {"integer": 2**31, "bigint": 2**63}


class PageOrder(StrEnum):
    """How the list is sorted."""

    TITLE = "title"
    MEMBERS = "members"
    READ = "read"
    LAG = "lag"
    NEW = "new"
    OLD = "old"


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
class PageRow:
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
    active: bool
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
class PagesPage:
    """Rows in their order, and where the next ones begin."""

    rows: tuple[PageRow, ...]
    next: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    """What is sorted by: an expression, its type, its direction. An index holds this very expression, with the page's number behind it.

    `without`: its value for a page that has no feed yet, where it is the feed's; no other page has less than that, which is `least`.
    """

    key: str
    kind: str
    descends: bool = False
    without: str | None = None
    least: Any = None

    @property
    def way(self) -> str:
        return " DESC" if self.descends else ""

    @property
    def number(self) -> str:
        return "g.id" if self.without is None else "f.page_id"

    def after(self, key: str, number: str) -> str:
        return f"AND ({key}, {number}) {'<' if self.descends else '>'} (CAST(:after_key AS {self.kind}), :after_id)"


_NEVER, _NO_LAG = "CAST('1970-01-01 UTC' AS timestamptz)", "CAST(-1 AS double precision)"
_ORDERS = {
    # ё stands after я by code points.
    PageOrder.TITLE: _Order(key="left(replace(lower(g.title), 'ё', 'е'), 100)", kind="text"),
    PageOrder.MEMBERS: _Order(key="coalesce(g.members, -1)", kind="integer", descends=True),
    PageOrder.READ: _Order(
        key=f"coalesce(f.polled_at, {_NEVER})", kind="timestamptz", without=_NEVER, least=datetime.fromtimestamp(0, UTC)
    ),
    PageOrder.LAG: _Order(
        key=f"coalesce(CAST(f.lag_s AS double precision), {_NO_LAG})", kind="double precision", descends=True, without=_NO_LAG, least=-1.0
    ),
    PageOrder.NEW: _Order(key="g.id", kind="bigint", descends=True),
    PageOrder.OLD: _Order(key="g.id", kind="bigint"),
}
# In this order: what is true of a page first is its state.
_TELLS = (
    (PageState.OFF, "NOT g.active"),
    (PageState.NO_ACCESS, "f.error_code = ANY (CAST(:no_access AS text[]))"),
    (PageState.CLOSED, "f.error_code = ANY (CAST(:closed AS text[])) OR g.comments_open IS FALSE"),
    (PageState.FAULTY, "f.error_code IS NOT NULL"),
    (
        PageState.LATE,
        "coalesce(f.polled_at, g.connected_at) < :late AND (f.due_at IS NULL OR f.due_at < :late OR f.due_at = 'infinity')",
    ),
)
_STATE = "".join(("CASE ", *(f"WHEN {sign} THEN '{state.value}' " for state, sign in _TELLS), f"ELSE '{PageState.FINE.value}' END"))
_FEED = "LEFT JOIN feed f ON f.page_id = g.id"
# Of those that are shown: row-level security makes the planner think that all feeds are as soon read.
_ITS_FEED = "LEFT JOIN LATERAL (SELECT polled_at, due_at, failures, error_code, lag_s FROM feed WHERE page_id = g.id LIMIT 1) f ON true"
_ROWS = """
SELECT g.id, g.platform, g.external_id, g.title, g.link, g.agency_id, y.code AS agency_code, y.name AS agency_name, g.territory_id,
  z.code AS territory_code, z.name AS territory_name, s.code AS sphere_code, s.name AS sphere_name, g.members, g.active, g.official,
  g.comments_open, g.described_at, g.connected_at, g.watched_since, {state} AS state, f.polled_at, nullif(f.due_at, 'infinity') AS due_at,
  coalesce(f.failures, 0) AS failures, f.error_code, f.lag_s, g.sort_key
"""


async def pages(
    session: ReadSession, access: Access, filters: PageFilters, *, now: datetime, order: PageOrder = PageOrder.TITLE,
    after: str | None = None, limit: int = 50,
) -> PagesPage:  # fmt: skip
    """A part of the list. ForbiddenError; InvalidError `cursor` or `limit`."""
    return await _part(session, access, filters, now=now, order=order, after=after, limit=checked_limit(limit))


async def _part(
    session: ReadSession, access: Access, filters: PageFilters, *, now: datetime, order: PageOrder, after: str | None, limit: int
) -> PagesPage:
    access.require(Permission.PAGE_READ)
    way = _ORDERS[order]
    given = _given(access, filters, now) | {"most": limit + 1} | ({} if after is None else _read_cursor(after, way))
    where, further = _reach(given) + _where(filters), after is not None
    found: list[Any] = []
    if _is_common(way, filters, given):
        few = _reach(given) + _where(replace(filters, state=None))
        found = list(await session.execute(text(_listing(way, few, further=further, ahead=filters.state)), given))
    if len(found) < limit + 1:
        found = list(await session.execute(text(_listing(way, where, further=further, of_feed=filters.state is not None)), given))
    if way.without is not None and not _past_those_without(way, given, found):
        found = list(await session.execute(text(_listing(way, where, further=further, beside=True)), given))
    rows = [_row(row) for row in found]
    more = rows[limit - 1] if len(rows) > limit else None
    return PagesPage(rows=tuple(row for row, _ in rows[:limit]), next=None if more is None else f"{more[0].id}.{more[1]}")


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


async def one_page(session: ReadSession, access: Access, *, page_id: int, now: datetime) -> PageRow:
    """A page within reach. NotFoundError `page.unknown`, also for those out of it."""
    access.require(Permission.PAGE_READ)
    given = _given(access, PageFilters(), now) | {"page": page_id, "most": 1}
    found = (await session.execute(text(_listing(_ORDERS[PageOrder.NEW], f"{_reach(given)} AND g.id = :page")), given)).one_or_none()
    if found is None:
        raise NotFoundError("page.unknown", "There is no such page that you may see.")
    return _row(found)[0]


async def every_page(session: ReadSession, access: Access, filters: PageFilters, *, now: datetime) -> AsyncIterator[Sequence[PageRow]]:
    """All pages of a filter by title, some at a time: for a file."""
    after: str | None = None
    while True:
        part = await _part(session, access, filters, now=now, order=PageOrder.TITLE, after=after, limit=_AT_ONCE)
        yield part.rows
        after = part.next
        if after is None:
            return


_AT_ONCE = 1_000
_AHEAD = 1_000
_COMMON = frozenset({PageState.FINE, PageState.LATE})
"""Where most pages may be: among the first ones in an order there are enough of them. Whatever narrows the list more needs no such look."""


def _is_common(way: _Order, filters: PageFilters, given: Mapping[str, Any]) -> bool:
    narrow = filters.agency_ids or filters.territory_ids or filters.sphere_id or filters.words
    return filters.state in _COMMON and way.without is None and bool(given["role_whole"]) and not narrow


def _listing(
    way: _Order, where: str, *, further: bool = False, of_feed: bool = False, beside: bool = False, ahead: PageState | None = None
) -> str:
    """The rows are found first, along an index where one fits; all that stands beside them is looked up for those alone.

    `beside`: those too that have no feed yet, in an order of feeds. To know which these are all pages are looked through.
    `ahead`: only the first `_AHEAD` in an order of pages are looked at, for those in this state: joined whole, all would be sorted.
    """
    along = f"page g {_FEED if of_feed else ''}" if way.without is None else "feed f JOIN page g ON g.id = f.page_id"
    if ahead is not None:
        after = way.after(way.key, way.number) if further else ""
        first = f"SELECT g.* FROM page g WHERE {where} {after} ORDER BY {way.key}{way.way}, {way.number}{way.way} LIMIT {_AHEAD}"  # noqa: S608 - conditions of this file
        along, where, further = f"({first}) g {_ITS_FEED}", _is(ahead), False
    found = _found(way, where, along, way.key, further=further)
    if beside:
        without = _found(
            replace(way, without=None), f"{where} AND f.page_id IS NULL", f"page g {_FEED}", way.without or "", further=further
        )
        found = f"({found}) UNION ALL ({without}) ORDER BY sort_key{way.way}, id{way.way} LIMIT :most"
    return f"""
    WITH RECURSIVE {SCOPE} {_ROWS.replace("{state}", _STATE)}
    FROM ({found}) g
    {_ITS_FEED} JOIN agency y ON y.id = g.agency_id JOIN territory z ON z.id = g.territory_id LEFT JOIN sphere s ON s.id = g.sphere_id
    ORDER BY g.sort_key{way.way}, g.id{way.way}
    """


def _past_those_without(way: _Order, given: dict[str, Any], found: Sequence[Any]) -> bool:
    """Whether pages without a feed stand elsewhere in the order than these rows: behind them all, or before them."""
    if way.descends:
        return len(found) == given["most"] and bool(found[-1].sort_key > way.least)
    return "after_key" in given and bool(given["after_key"] > way.least)


def _found(way: _Order, where: str, source: str, key: str, *, further: bool) -> str:
    after = way.after(key, way.number) if further else ""
    order = f"ORDER BY {key}{way.way}, {way.number}{way.way}" if key == way.key else f"ORDER BY g.id{way.way}"
    return f"SELECT g.*, {key} AS sort_key FROM {source} WHERE {where} {after} {order} LIMIT :most"  # noqa: S608 - conditions of this file


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
        (filters.state is not None, _is(filters.state)),
        (bool(filters.words), "(strpos(lower(g.title), :words) > 0 OR strpos(lower(g.link), :words) > 0)"),
    )
    return "".join(f" AND {condition}" for wanted, condition in asked if wanted)


def _is(state: PageState | None) -> str:
    """The state as conditions of which the planner knows how many rows they leave: of a CASE it knows nothing."""
    before = list(takewhile(lambda told: told[0] is not state, _TELLS))
    own = [f"({sign})" for told, sign in _TELLS if told is state]
    return " AND ".join([*own, *(f"({sign}) IS NOT TRUE" for _, sign in before)])


def _given(access: Access, filters: PageFilters, now: datetime) -> dict[str, Any]:
    given: dict[str, Any] = scope_of(access, READERS)
    given |= {"no_access": sorted(NO_ACCESS), "closed": sorted(CLOSED), "late": now - LATE_AFTER}
    wanted = {
        "platform": filters.platform, "agencies": _listed(filters.agency_ids), "territories": _listed(filters.territory_ids),
        "sphere": filters.sphere_id,
        "words": filters.words.lower() or None,
    }  # fmt: skip
    return given | {name: value for name, value in wanted.items() if value is not None}


def _listed(ids: tuple[int, ...] | None) -> list[int] | None:
    return None if ids is None else list(ids)


def _row(row: Any) -> tuple[PageRow, str]:  # noqa: ANN401 - a row
    found = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    key = found.pop("sort_key")
    found["state"] = PageState(found["state"])
    return PageRow(**found), key.isoformat() if isinstance(key, datetime) else str(key)


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
