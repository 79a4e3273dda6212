"""The directory as one value: loaded at once, asked by pure code without a database."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import text

from app.kernel.db import home_zone
from app.kernel.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from app.kernel.db import ReadSession


@dataclass(frozen=True, kw_only=True, slots=True)
class TerritoryNode:
    """A place. `lineage` runs from itself up to the root; `timezone` is its own or inherited."""

    id: int
    code: str
    name: str
    parent_id: int | None
    lineage: tuple[int, ...]
    timezone: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AgencyNode:
    """Who answers. `lineage` runs from itself up to the root."""

    id: int
    code: str
    name: str
    parent_id: int | None
    territory_id: int
    lineage: tuple[int, ...]
    approval_required: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TopicNode:
    """What about. `lineage` runs from itself up to its group; `terms` are the keyword classifier's."""

    id: int
    code: str
    name: str
    parent_id: int | None
    territory_id: int | None
    weight: int
    terms: str
    lineage: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarRow:
    """A version of working hours, as stored: `app.sla.calendar.from_json` reads `definition`."""

    id: int
    version: int
    territory_id: int
    agency_id: int | None
    valid_from: datetime
    definition: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Directory:
    """All territories, agencies, topics and calendars as they were when it was loaded."""

    territories: Mapping[int, TerritoryNode]
    agencies: Mapping[int, AgencyNode]
    topics: Mapping[int, TopicNode]
    topic_ids: Mapping[str, int]
    """By code."""
    calendars: Mapping[tuple[int | None, int | None], tuple[CalendarRow, ...]]
    """By (agency, None) or (None, territory), in the order in which they come into force."""
    default_timezone: str = "Europe/Moscow"

    def territory_lineage(self, territory_id: int | None) -> tuple[int, ...]:
        """From itself up to the root; () when there is none."""
        return _lineage_of(self.territories, territory_id)

    def agency_lineage(self, agency_id: int | None) -> tuple[int, ...]:
        """From itself up to the root; () when there is none."""
        return _lineage_of(self.agencies, agency_id)

    def topic_lineage(self, topic_id: int | None) -> tuple[int, ...]:
        """From itself up to its group; () when there is none."""
        return _lineage_of(self.topics, topic_id)

    def approves_first(self, agency_id: int) -> bool:
        """Whether answers of this agency are approved by another person before they are published."""
        return any(node in self.agencies and self.agencies[node].approval_required for node in self.agency_lineage(agency_id))

    def topic_id(self, code: str | None) -> int | None:
        """The topic of this code, if there is one."""
        return None if code is None else self.topic_ids.get(code)

    def timezone_of(self, territory_id: int | None) -> str:
        """The time zone that holds there."""
        found = None if territory_id is None else self.territories.get(territory_id)
        return self.default_timezone if found is None else found.timezone

    def calendar_of(self, territory_id: int | None, at: datetime, *, agency_id: int | None = None) -> CalendarRow | None:
        """The working hours that hold at a moment: of the nearest agency that has its own, else of the nearest territory."""
        scopes: list[tuple[int | None, int | None]] = [(agency, None) for agency in self.agency_lineage(agency_id)]
        scopes += [(None, territory) for territory in self.territory_lineage(territory_id)]
        for scope in scopes:
            versions = self.calendars.get(scope, ())
            position = bisect_right(versions, at, key=_valid_from)
            if position:
                return versions[position - 1]
        return None

    def agencies_under(self, agency_id: int) -> tuple[int, ...]:
        """The agency and all below it."""
        return tuple(node.id for node in self.agencies.values() if agency_id in node.lineage)

    def territories_under(self, territory_id: int) -> tuple[int, ...]:
        """The territory and all below it."""
        return tuple(node.id for node in self.territories.values() if territory_id in node.lineage)

    def topics_under(self, topic_id: int) -> tuple[int, ...]:
        """The topic and all below it."""
        return tuple(node.id for node in self.topics.values() if topic_id in node.lineage)


class _Node(Protocol):
    @property
    def lineage(self) -> tuple[int, ...]: ...


_N = TypeVar("_N", bound=_Node)


async def load_directory(session: ReadSession) -> Directory:
    """Read it all: four queries, a snapshot for one batch or until the next change."""
    territories = _territories(await _rows(session, _TERRITORIES), home_zone(session))
    agency_rows = await _rows(session, _AGENCIES)
    topic_rows = await _rows(session, _TOPICS)
    agency_lines, topic_lines = (
        lineages({row.id: row.parent_id for row in agency_rows}),
        lineages({row.id: row.parent_id for row in topic_rows}),
    )
    calendars: dict[tuple[int | None, int | None], list[CalendarRow]] = {}
    for row in await _rows(session, _CALENDARS):
        scope = (row.agency_id, None) if row.agency_id is not None else (None, row.territory_id)
        calendars.setdefault(scope, []).append(CalendarRow(**row._mapping))  # noqa: SLF001 - SQLAlchemy's documented name
    return Directory(
        territories=territories,
        agencies={row.id: AgencyNode(**row._mapping, lineage=agency_lines[row.id]) for row in agency_rows},  # noqa: SLF001
        topics={row.id: TopicNode(**row._mapping, lineage=topic_lines[row.id]) for row in topic_rows},  # noqa: SLF001
        topic_ids={row.code: row.id for row in topic_rows},
        calendars={scope: tuple(versions) for scope, versions in calendars.items()},
        default_timezone=home_zone(session),
    )


def lineages(parents: Mapping[int, int | None]) -> dict[int, tuple[int, ...]]:
    """For each node the way from itself up to the root. Raises InvalidError when the parents go in a circle."""
    known: dict[int, tuple[int, ...]] = {}
    for start in parents:
        way: list[int] = []
        node: int | None = start
        while node is not None and node not in known:
            if node in way:
                raise InvalidError("directory.circle", f"Row {node} is its own ancestor.", id=node)
            way.append(node)
            node = parents.get(node)
        line = known[node] if node is not None else ()
        for below in reversed(way):
            line = (below, *line)
            known[below] = line
    return known


def _territories(rows: Iterable[Any], default_timezone: str) -> dict[int, TerritoryNode]:
    listed = list(rows)
    lines = lineages({row.id: row.parent_id for row in listed})
    own = {row.id: row.timezone for row in listed}
    return {
        row.id: TerritoryNode(
            id=row.id,
            code=row.code,
            name=row.name,
            parent_id=row.parent_id,
            lineage=lines[row.id],
            timezone=next((own[node] for node in lines[row.id] if own[node]), default_timezone),
        )
        for row in listed
    }


def _lineage_of(nodes: Mapping[int, _N], node_id: int | None) -> tuple[int, ...]:
    found = None if node_id is None else nodes.get(node_id)
    return () if found is None else found.lineage


def _valid_from(row: CalendarRow) -> datetime:
    return row.valid_from


async def _rows(session: ReadSession, statement: Any) -> list[Any]:  # noqa: ANN401 - rows of different shapes
    return list((await session.execute(statement)).all())


_TERRITORIES = text("SELECT id, code, name, parent_id, timezone FROM territory")
_AGENCIES = text("SELECT id, code, name, parent_id, territory_id, approval_required FROM agency")
_TOPICS = text("SELECT id, code, name, parent_id, territory_id, weight, terms FROM topic")
_CALENDARS = text("SELECT id, version, territory_id, agency_id, valid_from, definition FROM calendar_version ORDER BY valid_from, version")
