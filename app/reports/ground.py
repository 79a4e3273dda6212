"""From where a report is read: from cells where they hold all that is asked for, else from lines, else from the history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.reports.cells import DAILY, DIMS
from app.reports.queries import GROUND, SOURCE, Sight, Source
from app.reports.rolled import CELL_CLOCKS
from app.reports.rules import TREES, Grouping, Slice
from app.reports.spans import Spans, cover

if TYPE_CHECKING:
    from app.kernel.db import ReadSession
    from app.reports.service import Asked


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What is there to read: lines, or cells of a dimension (of all its keys, or of these), with something queued or not."""

    source: Source
    tz: str | None = None
    """By whose days cells are cut; None where they are not complete, or are not asked."""
    rolled: bool = False
    queued: bool = False
    spans: Spans = field(default_factory=Spans)
    dim: Grouping = Grouping.PLATFORM
    keys: tuple[str, ...] | None = None


async def source_of(session: ReadSession, asked: Asked) -> Source:
    """Where lines come from. What is kept is enough when nothing is queued; a moment later it would be enough for that moment."""
    if asked.as_of is not None:
        return Source.THEN
    known = (await session.execute(SOURCE)).one()
    return Source.NEVER if not known.built else Source.NOW if known.queued else Source.KEPT


async def ground_of(session: ReadSession, asked: Asked, group_by: Grouping | None) -> Ground:
    """From where to read. Cells answer where they hold all that is asked for, by the report's own days, and it is much."""
    if asked.as_of is not None:
        return Ground(source=Source.THEN)
    narrowed = narrowed_to(asked, group_by)
    dim = Grouping.PLATFORM if narrowed is None else narrowed
    keys = None if narrowed is None else await keys_of(session, asked, dim)
    parts = [Slice(asked.period.start, asked.period.end)]
    # However it is cut, it is as much: platforms have the fewest cells.
    counted = dim if keys is not None else Grouping.PLATFORM
    most = cover(parts, daily=counted.value in DAILY)
    known = (
        await session.execute(
            GROUND, {"dim": DIMS[counted.value], "levels": most.levels, "starts": most.starts, "keys": None if keys is None else list(keys)}
        )
    ).one()
    source = Source.NEVER if not known.built else Source.NOW if known.queued else Source.KEPT
    able = asked.measure.clocked in CELL_CLOCKS and narrowed is not None and known.tz == asked.period.tz
    return Ground(
        source=source,
        tz=known.tz,
        rolled=able and (known.opened or 0) > asked.exact_up_to,
        queued=known.queued,
        spans=cover(parts, daily=dim.value in DAILY),
        dim=dim,
        keys=keys,
    )


def narrowed_to(asked: Asked, group_by: Grouping | None) -> Grouping | None:
    """The dimension whose cells hold all that is asked for; None when there is none: it is narrowed by another, or by two.

    Whoever sees some agencies sees their cells whole, whoever sees some territories likewise; a filter is as good.
    """
    by = {_BY_COLUMN.get(column) for column in asked.filtered}
    if asked.sight is Sight.BOTH or None in by:
        return None
    if asked.sight is not Sight.WHOLE:
        by.add(Grouping.AGENCY if asked.sight is Sight.AGENCIES else Grouping.TERRITORY)
    if group_by is None:
        dim, *more = by or {Grouping.PLATFORM}
        return dim if not more and dim is not None and dim.value in DAILY else None
    if by and group_by in {Grouping.PAGE, Grouping.OPERATOR}:
        return None  # the whole of some pages is in no cell
    return group_by if by <= {group_by} else None


_BY_COLUMN = {"platform" if one is Grouping.PLATFORM else f"{one.value}_id": one for one in Grouping}
_BELOW = """
WITH RECURSIVE below(id) AS (SELECT unnest(CAST(:ids AS bigint[])) UNION SELECT c.id FROM {table} c JOIN below ON c.parent_id = below.id)
SELECT id FROM below"""


async def keys_of(session: ReadSession, asked: Asked, dim: Grouping) -> tuple[str, ...] | None:
    """The keys that count: those asked for with all below them, as far as the reader sees; None: all."""
    column = "platform" if dim is Grouping.PLATFORM else f"{dim.value}_id"
    chosen = asked.params().get(f"only_{column}")
    if chosen and dim in TREES:
        chosen = (await session.scalars(text(_BELOW.format(table=dim.value)), {"ids": list(chosen)})).all()
    if asked.access is not None and asked.sight is not Sight.WHOLE:
        seen = asked.access.agency_ids if dim is Grouping.AGENCY else asked.access.territory_ids
        chosen = seen if chosen is None else [one for one in chosen if one in set(seen)]
    return None if chosen is None else tuple(str(one) for one in chosen)
