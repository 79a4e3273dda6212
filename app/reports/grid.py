"""A tree by time: what each agency, territory or topic did in each day, week or month. Counts and averages, no percentiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.errors import InvalidError
from app.reports.figures import Figures
from app.reports.ground import ground_of
from app.reports.measures import BACKLOG
from app.reports.models import MARKS
from app.reports.paging import tree_page
from app.reports.queries import COLUMN_OF, COUNTED, COUNTS_SQL, Sight, facts_sql
from app.reports.rolled import rolled_sql
from app.reports.rules import TREES, Grouping, edges, slices
from app.reports.service import Line, figures_for, rolled_params, used_params
from app.reports.spans import cover
from app.reports.summing import Pile, piles_of, summed, sums_of, up_the_tree

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import TextClause

    from app.kernel.db import ReadSession
    from app.reports.ground import Ground
    from app.reports.measures import Definition
    from app.reports.queries import Clock, Source
    from app.reports.rules import Bucket, Period, Slice
    from app.reports.service import Asked

MOST_ROWS = 1000
MOST_CELLS = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class GridRow:
    """One node with all below it: a cell for each slice of the grid, empty ones included. `key` None: what belongs to none."""

    key: int | None
    label: str
    parent_key: int | None
    depth: int
    cells: tuple[Figures, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """Rows in the tree's order. In each slice the rows of depth 0 add up to `total`."""

    definition: Definition
    period: Period
    group_by: Grouping
    bucket: Bucket
    as_of: datetime | None
    ages_at: datetime
    slices: tuple[Slice, ...]
    rows: tuple[GridRow, ...]
    total: tuple[Figures, ...]


_STATEMENT = """
WITH f AS MATERIALIZED ({facts})
SELECT f.{column} AS key, width_bucket(f.started_at, CAST(:edges AS timestamptz[])) AS slice, {counts},
  count(f.elapsed_seconds) FILTER (WHERE {answered}) AS n, sum(f.elapsed_seconds) FILTER (WHERE {answered}) AS s,
  count(f.working_seconds) FILTER (WHERE {answered}) AS wn, sum(f.working_seconds) FILTER (WHERE {answered}) AS ws,
  min(f.started_at) FILTER (WHERE {waiting}) AS oldest
FROM f GROUP BY 1, 2
"""
# Sums as cells keep them, by the name of the number that counts the same lines.
_KEPT_AS = {
    "opened": "population",
    "in_time": "met",
    "late": "late",
    "unpromised": "unpromised",
    "closed_unanswered": "unanswered",
    **{one: one for one in ("n", "s", "wn", "ws")},
}
_OF_THE_APPEAL = ("reopened", "repeated", "dismissed", *MARKS)
_Piles = dict[int, dict[int | None, Pile]]


async def grid(session: ReadSession, asked: Asked, *, group_by: Grouping, bucket: Bucket) -> Grid:
    """A measure by node and by the local day, week, month or quarter in which the citizen wrote.

    Raises InvalidError: `report.grid` (no tree, the backlog, or too many cells), `report.as_of`.
    """
    if group_by not in TREES or asked.measure is BACKLOG:
        raise InvalidError("report.grid", "A grid is of agencies, territories or topics, of any measure but the backlog.", field="group_by")
    parts = slices(asked.period, bucket)
    names = {row.id: row for row in await session.execute(text(f"SELECT id, name, parent_id FROM {group_by.value}"))}  # noqa: S608 - an enum
    if len(parts) * max(len(names), 1) > MOST_CELLS and len(parts) > 1:
        raise InvalidError("report.grid", "Too many cells for one picture: choose weeks or months.", field="bucket")
    ground = await ground_of(session, asked, group_by)
    piles = await (_rolled if ground.rolled else _read)(session, asked, group_by, ground, parts)
    parents = {key: row.parent_id for key, row in names.items()}
    up = {number: up_the_tree(found, parents) for number, found in piles.items()}
    leaves = {key for found in piles.values() for key in found}
    whole = up_the_tree({key: summed(found[key] for found in piles.values() if key in found) for key in leaves}, parents)
    lines = [
        Line(
            key_text=None if key is None else str(key), label=names[key].name if key in names else None,
            parent_id=parents.get(key) if key is not None else None, figures=figures_for(asked, pile),
            shown=key in leaves or (key is not None and _shown(asked, group_by, key, parents)),
        )
        for key, pile in whole.items()
    ]  # fmt: skip
    rows, _ = tree_page(lines, MOST_ROWS, None)
    numbers = range(1, len(parts) + 1)
    return Grid(
        definition=asked.measure, period=asked.period, group_by=group_by, bucket=bucket, as_of=asked.as_of, ages_at=asked.ages_at,
        slices=tuple(parts),
        rows=tuple(
            GridRow(
                key=None if row.key is None else int(row.key), label=row.label, parent_key=row.parent_key, depth=row.depth,
                cells=tuple(_cell(asked, up.get(number, {}).get(None if row.key is None else int(row.key))) for number in numbers),
            )
            for row in rows
        ),
        total=tuple(_cell(asked, summed(piles.get(number, {}).values())) for number in numbers),
    )  # fmt: skip


def _cell(asked: Asked, pile: Pile | None) -> Figures:
    return Figures() if pile is None else Figures(**figures_for(asked, pile))


def _shown(asked: Asked, group_by: Grouping, key: int, parents: Mapping[int, int | None]) -> bool:
    """Whether a node is whole in the reader's sight, and within what the report is narrowed to."""
    chosen = {Grouping.AGENCY: asked.filters.agency_ids, Grouping.TERRITORY: asked.filters.territory_ids}.get(
        group_by, asked.filters.topic_ids
    )
    node: int | None = key
    while chosen and node is not None and node not in chosen:
        node = parents.get(node)
    if node is None:
        return False
    if asked.access is None or asked.sight is Sight.WHOLE or group_by is Grouping.TOPIC:
        return True
    return key in (asked.access.agency_ids if group_by is Grouping.AGENCY else asked.access.territory_ids)


async def _read(session: ReadSession, asked: Asked, group_by: Grouping, ground: Ground, parts: list[Slice]) -> _Piles:
    statement = _grid_sql(
        group_by, asked.filtered, sight=asked.sight, source=ground.source, clock=asked.measure.clocked, dismissed=asked.measure.dismissed
    )
    params = asked.params() | {"edges": edges(asked.period, parts)}
    name = asked.measure.clocked.value
    piles: _Piles = {}
    for row in await session.execute(statement, used_params(statement, params)):
        counted = {f"{name}_{kept}": int(getattr(row, one) or 0) for one, kept in _KEPT_AS.items()}
        counted |= {one: getattr(row, one) for one in ("opened", *_OF_THE_APPEAL)}
        numbers = [counted[one] for one in sums_of(asked.measure.clocked)]
        piles.setdefault(row.slice, {})[row.key] = Pile(numbers=numbers, waiting=row.waiting, overdue=row.overdue, oldest=row.oldest)
    return piles


async def _rolled(session: ReadSession, asked: Asked, group_by: Grouping, ground: Ground, parts: list[Slice]) -> _Piles:
    params = rolled_params(asked, replace(ground, spans=cover(parts, daily=True))) | {"edges": edges(asked.period, parts)}
    statement = rolled_sql(
        group_by, clock=asked.measure.clocked, source=ground.source, scoped=ground.keys is not None, dismissed=asked.measure.dismissed,
        shaped=False, sliced=True,
    )  # fmt: skip
    piles: _Piles = {}
    for at, pile in piles_of((await session.execute(statement, used_params(statement, params))).all()).items():
        key, _, number = at.rpartition("/")
        piles.setdefault(int(number), {})[int(key) if key else None] = pile
    return piles


@cache
def _grid_sql(group_by: Grouping, filtered: frozenset[str], *, sight: Sight, source: Source, clock: Clock, dismissed: bool) -> TextClause:
    facts = facts_sql(filtered, clock=clock, sight=sight, source=source, dismissed=dismissed)
    return text(
        _STATEMENT.format(
            facts=facts, column=COLUMN_OF[group_by], counts=COUNTS_SQL, answered=COUNTED["answered"], waiting=COUNTED["waiting"]
        )
    )
