"""The reports themselves: one function each, used by screen, API and command line alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.kernel.errors import InvalidError
from app.reports.figures import Figures, ResponseTimes, Row, Trend, TrendPoint
from app.reports.measures import RESPONSE_TIMES
from app.reports.queries import Sight, response_times_sql, trend_sql
from app.reports.rules import FIRST_DAY, NO_FILTERS, TREES, Bucket, Filters, Grouping, Period, edges, slices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import TextClause

    from app.kernel.db import ReadSession
    from app.people.rules import Access

MOST_ROWS = 1000
MOST_POINTS = 1000


async def response_times(
    session: ReadSession,
    *,
    access: Access | None,
    period: Period,
    group_by: Grouping,
    filters: Filters = NO_FILTERS,
    as_of: datetime | None = None,
    now: datetime,
    limit: int = MOST_ROWS,
    cursor: str | None = None,
) -> ResponseTimes:
    """Time to first answer by group, with the total of the whole population whatever page of rows is asked for.

    `access` None is the program itself (the command line): the whole region. `as_of` shows what was recorded by then;
    ages are taken at that moment, else at `now`. Trees come in display order, flat groupings by falling number of
    appeals. Raises InvalidError: `report.as_of` (in the future or naive), `report.limit`, `report.cursor`.
    """
    if not 1 <= limit <= MOST_ROWS:
        raise InvalidError("report.limit", f"From 1 to {MOST_ROWS} rows can be asked for.", field="limit")
    ages_at = _moment(as_of, now)
    params = _params(access, period, filters, as_of, ages_at)
    tree = group_by in TREES
    if not tree:
        opened, key = _read_cursor(cursor)
        params |= {"after_opened": opened, "after_key": key, "most": limit + 1}
    statement = response_times_sql(group_by, _filtered(filters), sight=_sight(access), as_of=as_of is not None)
    lines, total = await _lines(session, statement, params)
    rows, next_cursor = _tree_page(lines, limit, cursor) if tree else _flat_page(lines, limit, group_by)
    return ResponseTimes(
        definition=RESPONSE_TIMES,
        period=period,
        group_by=group_by,
        as_of=as_of,
        ages_at=ages_at,
        rows=tuple(rows),
        total=total,
        next_cursor=next_cursor,
    )


async def trend(
    session: ReadSession,
    *,
    access: Access | None,
    period: Period,
    bucket: Bucket = Bucket.DAY,
    filters: Filters = NO_FILTERS,
    as_of: datetime | None = None,
    now: datetime,
) -> Trend:
    """Time to first answer by the local day, week or month in which the citizen wrote; empty buckets included.

    Raises InvalidError: `report.as_of`, `report.buckets` (over a thousand).
    """
    parts = slices(period, bucket)
    if len(parts) > MOST_POINTS:
        raise InvalidError("report.buckets", "Too many points for one chart: choose weeks or months.", field="bucket")
    ages_at = _moment(as_of, now)
    params = _params(access, period, filters, as_of, ages_at) | {"edges": edges(period, parts)}
    statement = trend_sql(_filtered(filters), sight=_sight(access), as_of=as_of is not None)
    lines, total = await _lines(session, statement, params)
    by_number = {int(line.key_text): line.figures for line in lines}
    return Trend(
        definition=RESPONSE_TIMES,
        period=period,
        bucket=bucket,
        as_of=as_of,
        ages_at=ages_at,
        points=tuple(
            TrendPoint(slice=part, **_values(by_number[number])) if number in by_number else TrendPoint(slice=part)
            for number, part in enumerate(parts, start=1)
        ),
        total=total,
    )


def _moment(as_of: datetime | None, now: datetime) -> datetime:
    if as_of is None:
        return now
    if as_of.tzinfo is None or as_of.year < FIRST_DAY.year or as_of > now:
        raise InvalidError("report.as_of", "Give a moment that has passed, with its time zone.", field="as_of")
    return as_of


async def _lines(session: ReadSession, statement: TextClause, params: Mapping[str, object]) -> tuple[list[Any], Figures]:
    """The rows of groups, and the total."""
    found = (await session.execute(statement, params)).all()
    whole = next(line for line in found if line.part == "total")
    return [line for line in found if line.part == "row"], Figures(**_values(whole.figures))


def _sight(access: Access | None) -> Sight:
    if access is None or access.whole:
        return Sight.WHOLE
    if access.territory_ids:
        return Sight.BOTH if access.agency_ids else Sight.TERRITORIES
    return Sight.AGENCIES


def _params(access: Access | None, period: Period, filters: Filters, as_of: datetime | None, ages_at: datetime) -> dict[str, Any]:
    params: dict[str, Any] = {"since": period.since, "until": period.until, "ages_at": ages_at}
    if access is not None:
        params |= {"agencies": list(access.agency_ids), "territories": list(access.territory_ids)}
    if as_of is not None:
        params["as_of"] = as_of
    return params | {f"only_{column}": list(values) for column, values in _narrowed(filters).items()}


def _narrowed(filters: Filters) -> dict[str, Sequence[int | str]]:
    asked: dict[str, Sequence[int | str]] = {
        "agency_id": filters.agency_ids,
        "territory_id": filters.territory_ids,
        "topic_id": filters.topic_ids,
        "page_id": filters.page_ids,
        "platform": filters.platforms,
        "operator_id": filters.operator_ids,
    }
    return {column: values for column, values in asked.items() if values}


def _filtered(filters: Filters) -> frozenset[str]:
    return frozenset(_narrowed(filters))


def _values(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of `_FIGURES` as the attributes of Figures."""
    values = dict(figures)
    for prefix, pair in (("", values.pop("shares")), ("working_", values.pop("working_shares"))):
        values[f"{prefix}median_s"], values[f"{prefix}p90_s"] = pair or (None, None)
    age = values.pop("oldest_age")
    values["oldest_unanswered_age_s"] = None if age is None else max(age, 0.0)  # a platform's clock may run ahead of ours
    return values


def _flat_page(lines: Sequence[Any], limit: int, group_by: Grouping) -> tuple[list[Row], str | None]:
    shown = sorted(lines, key=lambda line: (-line.figures["opened"], line.key_text or ""))[:limit]
    named = group_by is Grouping.PLATFORM
    rows = [
        Row(
            key=line.key_text if named or line.key_text is None else int(line.key_text),
            label=line.label or "",
            platform=line.platform,
            **_values(line.figures),
        )
        for line in shown
    ]
    last = shown[-1] if len(lines) > limit else None
    return rows, None if last is None else f"{last.figures['opened']}.{last.key_text or ''}"


def _read_cursor(cursor: str | None) -> tuple[int | None, str]:
    if cursor is None:
        return None, ""
    opened, dot, key = cursor.partition(".")
    if not dot or not opened.isascii() or not opened.isdigit() or len(opened) > 15 or "\0" in key:  # noqa: PLR2004 - fits a bigint
        raise _bad_cursor()
    return int(opened), key


def _tree_page(lines: Sequence[Any], limit: int, cursor: str | None) -> tuple[list[Row], str | None]:
    rows = _in_tree_order(lines)
    start = 0
    if cursor is not None:
        keys = [_tree_cursor(row) for row in rows]
        if cursor not in keys:
            raise _bad_cursor()
        start = keys.index(cursor) + 1
    page = rows[start : start + limit]
    return page, _tree_cursor(page[-1]) if start + limit < len(rows) else None


def _tree_cursor(row: Row) -> str:
    return "none" if row.key is None else str(row.key)


def _bad_cursor() -> InvalidError:
    return InvalidError("report.cursor", "This is no cursor of this report: begin without one.", field="cursor")


def _in_tree_order(lines: Iterable[Any]) -> list[Row]:
    """Each node before those below it, siblings by name; what belongs to no node comes last.

    A node with nothing shown above it stands at the top.
    """
    nodes = {int(line.key_text): line for line in lines if line.key_text is not None}
    below: dict[int | None, list[int]] = {}
    for key, line in nodes.items():
        if line.shown:
            below.setdefault(_shown_above(line.parent_id, nodes), []).append(key)
    for children in below.values():
        children.sort(key=lambda key: ((nodes[key].label or "").lower().replace("ё", "е"), key))
    rows: list[Row] = []
    waiting: list[tuple[int, int | None, int]] = [(key, None, 0) for key in reversed(below.get(None, []))]
    while waiting:
        key, parent, depth = waiting.pop()
        line = nodes[key]
        rows.append(Row(key=key, label=line.label or "", parent_key=parent, depth=depth, **_values(line.figures)))
        waiting.extend((child, key, depth + 1) for child in reversed(below.get(key, [])))
    rows.extend(Row(key=None, **_values(line.figures)) for line in lines if line.key_text is None)
    return rows


def _shown_above(key: int | None, nodes: Mapping[int, Any]) -> int | None:
    """The nearest shown node from `key` upwards; None when there is none in sight."""
    while key is not None and key in nodes:
        if nodes[key].shown:
            return key
        key = nodes[key].parent_id
    return None
