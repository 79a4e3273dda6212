"""The reports themselves: one function each, used by screen, API and command line alike.

The same lines make every figure. Up to `EXACT_UP_TO` of them are aggregated as they are; of more, sums that are kept answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from app.kernel.errors import InvalidError
from app.reports.cells import DIMS
from app.reports.figures import Figures, Report, Trend, TrendPoint
from app.reports.ground import Ground, ground_of
from app.reports.measures import FIRST_ANSWER
from app.reports.paging import flat_page, read_cursor, tree_page
from app.reports.queries import COLUMN_OF, Sight, response_times_sql, trend_sql
from app.reports.rolled import rolled_sql
from app.reports.rules import FIRST_DAY, NO_FILTERS, TREES, Bucket, Filters, Grouping, Period, Slice, edges, midnight, slices
from app.reports.spans import cover
from app.reports.summing import Pile, figures_of, piles_of, summed, up_the_tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import TextClause

    from app.kernel.db import ReadSession
    from app.people.rules import Access
    from app.reports.measures import Definition

MOST_ROWS = 1000
MOST_POINTS = 1000
EXACT_UP_TO = 5_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is asked of the figures, apart from how they are cut."""

    measure: Definition = FIRST_ANSWER
    access: Access | None
    period: Period
    filters: Filters = NO_FILTERS
    as_of: datetime | None = None
    now: datetime
    exact_up_to: int = EXACT_UP_TO
    replayed: bool = False
    """A past moment is to be computed from the history alone, whatever is kept."""

    @property
    def ages_at(self) -> datetime:
        """The moment at which ages are taken. InvalidError `report.as_of` when it is in the future or naive."""
        if self.as_of is None:
            return self.now
        if self.as_of.tzinfo is None or self.as_of.year < FIRST_DAY.year or self.as_of > self.now:
            raise InvalidError("report.as_of", "Give a moment that has passed, with its time zone.", field="as_of")
        return self.as_of

    @property
    def sight(self) -> Sight:
        """How far the reader sees."""
        if self.access is None or self.access.whole:
            return Sight.WHOLE
        if self.access.territory_ids:
            return Sight.BOTH if self.access.agency_ids else Sight.TERRITORIES
        return Sight.AGENCIES

    @property
    def filtered(self) -> frozenset[str]:
        """The columns that are narrowed."""
        return frozenset(_narrowed(self.filters))

    def params(self) -> dict[str, Any]:
        """The statement's parameters, whichever way it reads."""
        params: dict[str, Any] = {"since": self.period.since, "until": self.period.until, "ages_at": self.ages_at}
        if self.access is not None:
            params |= {"agencies": list(self.access.agency_ids), "territories": list(self.access.territory_ids)}
        if self.as_of is not None:
            params["as_of"] = self.as_of
        return params | {f"only_{column}": list(values) for column, values in _narrowed(self.filters).items() if values}


async def response_times(
    session: ReadSession,
    *,
    group_by: Grouping,
    limit: int = MOST_ROWS,
    cursor: str | None = None,
    **asked: Any,  # noqa: ANN401 - the fields of Asked
) -> Report:
    """Time to first answer by group: `measured` with its usual measure."""
    return await measured(session, Asked(**asked), group_by=group_by, limit=limit, cursor=cursor)


async def measured(session: ReadSession, asked: Asked, *, group_by: Grouping, limit: int = MOST_ROWS, cursor: str | None = None) -> Report:
    """A measure by group, with the total of the whole population whatever page of rows is asked for.

    `access` None is the program itself (the command line): the whole region. `as_of` shows what was recorded by then;
    ages are taken at that moment, else at `now`. Trees come in display order, flat groupings by falling number of
    appeals. Raises InvalidError: `report.as_of` (in the future or naive), `report.limit`, `report.cursor`.
    """
    if not 1 <= limit <= MOST_ROWS:
        raise InvalidError("report.limit", f"From 1 to {MOST_ROWS} rows can be asked for.", field="limit")
    ages_at, tree = asked.ages_at, group_by in TREES
    after = (None, "") if tree else read_cursor(cursor)
    ground = await ground_of(session, asked, group_by, whole=True)
    if ground.rolled and (tree or cursor is None):
        lines, total = await _rolled_groups(session, asked, group_by, ground, limit)
    else:
        statement = response_times_sql(
            group_by,
            asked.filtered,
            sight=asked.sight,
            source=ground.source,
            clock=asked.measure.clocked,
            dismissed=asked.measure.dismissed,
        )
        params = asked.params() | ({} if tree else {"after_opened": after[0], "after_key": after[1], "most": limit + 1})
        lines, total = await _lines(session, statement, params)
    rows, next_cursor = tree_page(lines, limit, cursor) if tree else flat_page(lines, limit, group_by)
    return Report(
        definition=asked.measure,
        period=asked.period,
        group_by=group_by,
        as_of=asked.as_of,
        ages_at=ages_at,
        rows=tuple(rows),
        total=total,
        next_cursor=next_cursor,
        approximate=ground.rolled,
    )


async def trend(session: ReadSession, *, bucket: Bucket = Bucket.DAY, **asked: Any) -> Trend:  # noqa: ANN401 - the fields of Asked
    """Time to first answer over time: `trended` with its usual measure."""
    return await trended(session, Asked(**asked), bucket=bucket)


async def trended(session: ReadSession, one: Asked, *, bucket: Bucket) -> Trend:
    """A measure by the local day, week, month or quarter in which the citizen wrote; empty buckets included.

    Raises InvalidError: `report.as_of`, `report.buckets` (over a thousand).
    """
    parts = slices(one.period, bucket)
    if len(parts) > MOST_POINTS:
        raise InvalidError("report.buckets", "Too many points for one chart: choose weeks or months.", field="bucket")
    ages_at = one.ages_at
    ground = await ground_of(session, one, None, whole=len(parts) == 1)
    if ground.rolled:
        by_number, total = await _rolled_slices(session, one, ground, parts)
    else:
        statement = trend_sql(
            one.filtered, sight=one.sight, source=ground.source, clock=one.measure.clocked, dismissed=one.measure.dismissed
        )
        lines, total = await _lines(session, statement, one.params() | {"edges": edges(one.period, parts)})
        by_number = {int(line.key_text): line.figures for line in lines}
    return Trend(
        definition=one.measure,
        period=one.period,
        bucket=bucket,
        as_of=one.as_of,
        ages_at=ages_at,
        points=tuple(
            TrendPoint(slice=part, **by_number[number]) if number in by_number else TrendPoint(slice=part)
            for number, part in enumerate(parts, start=1)
        ),
        total=total,
        approximate=ground.rolled,
    )


# --- where figures come from --------------------------------------------------------------------------------------


async def _rolled_groups(session: ReadSession, asked: Asked, group_by: Grouping, ground: Ground, limit: int) -> tuple[list[Any], Figures]:
    params = rolled_params(asked, ground) | {"edges": None}
    if group_by not in TREES:
        whole = cover([] if ground.days is None else [ground.days], daily=True)
        params |= {"most": limit + 1, "whole_levels": whole.levels, "whole_starts": whole.starts, "whole_signs": whole.signs}
    statement = rolled_sql(
        group_by, clock=asked.measure.clocked, source=ground.source, scoped=ground.keys is not None,
        single=len(ground.spans.levels) == 1 and not ground.ends, covered=not ground.spans.rest, **_kind(asked),
    )  # fmt: skip
    found = piles_of((await session.execute(statement, used_params(statement, params))).all())
    if group_by in TREES:
        piles = {int(key) if key else None: pile for key, pile in found.items()}
        names = {row.id: row for row in await session.execute(text(f"SELECT id, name, parent_id FROM {group_by.value}"))}  # noqa: S608 - an enum
        parents = {key: row.parent_id for key, row in names.items()}
        up = up_the_tree(piles, parents)
        total = summed(pile for key, pile in up.items() if key is None or parents.get(key) is None)
        wanted = None if ground.keys is None else {int(key) for key in ground.keys}
        lines = [
            Line(
                key_text=None if key is None else str(key),
                label=names[key].name if key in names else None,
                parent_id=names[key].parent_id if key in names else None,
                shown=wanted is None or key in wanted or key in piles,
                figures=figures_for(asked, pile),
            )
            for key, pile in up.items()
        ]
    else:
        total = found.pop(None)
        labels = await _labels(session, group_by, list(found))
        lines = [
            Line(
                key_text=key or None,
                label=labels.get(key, (key, None))[0],
                platform=labels.get(key, (key, None))[1],
                figures=figures_for(asked, pile),
            )
            for key, pile in found.items()
        ]
    return lines, Figures(**figures_for(asked, total))


async def _rolled_slices(
    session: ReadSession, asked: Asked, ground: Ground, parts: list[Slice]
) -> tuple[dict[int, dict[str, Any]], Figures]:
    piles = await rolled_piles(session, asked, ground, parts)
    return {number: figures_for(asked, pile) for number, pile in piles.items()}, Figures(**figures_for(asked, summed(piles.values())))


async def rolled_piles(session: ReadSession, asked: Asked, ground: Ground, parts: list[Slice]) -> dict[int, Pile]:
    """The sums of each slice, by its number from 1."""
    if len(parts) > 1:
        ground = replace(ground, spans=cover(parts, daily=True))
    cuts = edges(asked.period, parts)
    cuts = cuts if len(parts) > 1 else [min((cuts[0], *(low for low, _, _ in ground.ends)))]  # one slice has all that is read
    params = rolled_params(asked, ground) | {"edges": cuts}
    statement = rolled_sql(
        None, of=ground.dim, clock=asked.measure.clocked, source=ground.source, scoped=ground.keys is not None, **_kind(asked)
    )
    found = await session.execute(statement, used_params(statement, params))
    return {int(number): pile for number, pile in piles_of(found.all()).items()}


def rolled_params(asked: Asked, ground: Ground) -> dict[str, Any]:
    """The parameters of `rolled_sql`, and some more."""
    zone, spans = ZoneInfo(ground.tz or asked.period.tz), ground.spans
    return {
        "since": asked.period.since,
        "until": asked.period.until,
        "ages_at": asked.ages_at,
        "dim": DIMS[ground.dim.value],
        "levels": spans.levels,
        "starts": spans.starts,
        "signs": spans.signs,
        "slices": spans.slices,
        "rest_since": [*(midnight(zone, first) for first, _ in spans.rest), *(low for low, _, _ in ground.ends)],
        "rest_until": [*(midnight(zone, last, days=1) for _, last in spans.rest), *(high for _, high, _ in ground.ends)],
        "rest_signs": [1] * len(spans.rest) + [sign for _, _, sign in ground.ends],
        "rest_celled": [True] * len(spans.rest) + [False] * len(ground.ends),
        "keys": list(ground.keys or ()),
        "as_of": asked.as_of,
    }


def _kind(asked: Asked) -> dict[str, bool]:
    return {"dismissed": asked.measure.dismissed, "shaped": asked.measure.has("median_s")}


def used_params(statement: TextClause, params: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the parameters that the statement names."""
    return {name: params[name] for name in _named(statement) & params.keys()}


@lru_cache
def _named(statement: TextClause) -> frozenset[str]:
    """A report's statement is long, and the same one for all who ask."""
    return frozenset(statement.compile().params)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A row as pages of rows are made of."""

    key_text: str | None
    label: str | None
    figures: Mapping[str, Any]
    parent_id: int | None = None
    shown: bool = True
    platform: str | None = None


def figures_for(asked: Asked, pile: Pile) -> dict[str, Any]:
    """What these sums say of the measure, as the attributes of Figures."""
    return figures_of(pile, clock=asked.measure.clocked, dismissed=asked.measure.dismissed, ages_at=asked.ages_at)


async def _labels(session: ReadSession, group_by: Grouping, keys: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Names of the pages or people of these rows."""
    if group_by is Grouping.PLATFORM:
        return {}
    statement = (
        "SELECT id, title AS name, platform FROM page" if group_by is Grouping.PAGE else "SELECT id, name, NULL AS platform FROM operator"
    )
    rows = await session.execute(text(f"{statement} WHERE id = ANY (:ids)"), {"ids": [int(key) for key in keys if key]})
    return {str(row.id): (row.name, row.platform) for row in rows}


async def _lines(session: ReadSession, statement: TextClause, params: Mapping[str, object]) -> tuple[list[Any], Figures]:
    """The rows of groups, and the total."""
    found = (await session.execute(statement, params)).all()
    whole = next(line for line in found if line.part == "total")
    rows = [
        Line(
            key_text=line.key_text, label=getattr(line, "label", None), parent_id=getattr(line, "parent_id", None),
            shown=getattr(line, "shown", True), platform=getattr(line, "platform", None), figures=_values(line.figures),
        )
        for line in found
        if line.part == "row"
    ]  # fmt: skip
    return rows, Figures(**_values(whole.figures))


def _narrowed(filters: Filters) -> dict[str, Sequence[int | str]]:
    asked: dict[str, Sequence[int | str]] = {
        "agency_id": filters.agency_ids,
        "territory_id": filters.territory_ids,
        "topic_id": filters.topic_ids,
        "page_id": filters.page_ids,
        "platform": filters.platforms,
        "operator_id": filters.operator_ids,
    }
    return {column: values for column, values in asked.items() if values} | {f"no_{COLUMN_OF[one]}": () for one in filters.nobodys}


def _values(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of `_FIGURES` as the attributes of Figures."""
    values = dict(figures)
    for prefix, pair in (("", values.pop("shares")), ("working_", values.pop("working_shares"))):
        values[f"{prefix}median_s"], values[f"{prefix}p90_s"], values[f"{prefix}p99_s"] = pair or (None, None, None)
    age = values.pop("oldest_age")
    values["oldest_unanswered_age_s"] = None if age is None else max(age, 0.0)  # a platform's clock may run ahead of ours
    return values
