"""From where a report is read: from cells where they hold all that is asked for, else from lines, else from the history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.reports.cells import DAILY, DIMS
from app.reports.queries import GROUND, SOURCE, TOUCHED, Sight, Source
from app.reports.rolled import CELL_CLOCKS
from app.reports.rules import TREES, Grouping, Slice
from app.reports.spans import Spans, cover, nearest_days

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import ReadSession
    from app.reports.service import Asked


EVENTS_EACH = 4
"""An appeal has more of them; so many since a moment are those of at most two thirds as many appeals."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What is there to read: lines, or cells of a dimension (of all its keys, or of these)."""

    source: Source
    tz: str | None = None
    """By whose days cells are cut; None where they are not complete, or are not asked."""
    rolled: bool = False
    spans: Spans = field(default_factory=Spans)
    days: Slice | None = None
    """The days of that zone nearest to the period; `ends`: from when to when lines are added (1) or taken away (-1) besides."""
    ends: tuple[tuple[datetime, datetime, int], ...] = ()
    dim: Grouping = Grouping.PLATFORM
    keys: tuple[str, ...] | None = None


async def source_of(session: ReadSession, asked: Asked) -> Source:
    """Where lines come from. What is kept is enough when nothing is queued; a moment later it would be enough for that moment."""
    if asked.as_of is not None:
        return (await ground_of(session, asked, None)).source
    known = (await session.execute(SOURCE)).one()
    return Source.NEVER if not known.built else Source.NOW if known.queued else Source.KEPT


async def ground_of(session: ReadSession, asked: Asked, group_by: Grouping | None, *, whole: bool = False) -> Ground:
    """From where to read. Cells answer where they hold all that is asked for, and it is much.

    They are cut by the installation's days. By those of another zone only a period that is asked for as a `whole` is read from them,
    with the lines of its ends.
    """
    narrowed = narrowed_to(asked, group_by)
    dim = Grouping.PLATFORM if narrowed is None else narrowed
    keys = None if narrowed is None else await keys_of(session, asked, dim)
    parts = [Slice(asked.period.start, asked.period.end)]
    # However it is cut, it is as much: platforms have the fewest cells.
    counted = dim if keys is not None else Grouping.PLATFORM
    most = cover(parts, daily=counted.value in DAILY)
    of = {
        "dim": DIMS[counted.value], "levels": most.levels, "starts": most.starts, "signs": most.signs,
        "keys": None if keys is None else list(keys),
    }  # fmt: skip
    known = (await session.execute(GROUND, of)).one()
    source = Source.NEVER if not known.built else Source.NOW if known.queued else Source.KEPT
    if asked.as_of is not None:
        source = Source.SINCE if known.built and await _little_changed(session, asked, known.opened or 0) else Source.THEN
        if source is Source.THEN:
            return Ground(source=source)
    able = (
        asked.measure.clocked in CELL_CLOCKS and narrowed is not None and (known.tz == asked.period.tz or (whole and known.tz is not None))
    )
    days, ends = (
        (parts[0], ())
        if not able or known.tz == asked.period.tz
        else nearest_days(asked.period.since, asked.period.until, ZoneInfo(known.tz))
    )
    return Ground(
        source=source, tz=known.tz,
        rolled=able and (known.opened or 0) > asked.exact_up_to,
        spans=cover([] if days is None else [days], daily=dim.value in DAILY),
        days=days,
        ends=ends, dim=dim, keys=keys,
    )  # fmt: skip


async def _little_changed(session: ReadSession, asked: Asked, opened: int) -> bool:
    """Whether it is less work to compute what has changed since than all of the period.

    Only for whoever sees everything: a line may lie in somebody's sight whose appeal has gone out of it since, or the other way round.
    """
    if asked.replayed or asked.sight is not Sight.WHOLE:
        return False
    most = opened * EVENTS_EACH
    return (await session.scalar(TOUCHED, {"as_of": asked.ages_at, "most": most + 1}) or 0) <= most


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
