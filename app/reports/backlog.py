"""How many waited at the end of each day, whenever their citizens wrote. Whoever is dismissed never waited.

Of days as cells keep them it is what was opened until then less what had ended by then. Else every line there ever was is asked.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.reports.cells import DIMS
from app.reports.figures import Trend, TrendPoint
from app.reports.ground import ground_of, keys_of, narrowed_to
from app.reports.lines import COLUMNS
from app.reports.measures import BACKLOG
from app.reports.queries import Clock, Source, backlog_sql
from app.reports.rolled import CORRECTED, KEY_OF, PUT_RIGHT
from app.reports.rules import FIRST_DAY, Bucket, Grouping, Slice, edges, midnight, slices
from app.reports.spans import cover

if TYPE_CHECKING:
    from sqlalchemy import TextClause

    from app.kernel.db import ReadSession
    from app.reports.service import Asked

ALWAYS = datetime.combine(FIRST_DAY, time.min, UTC)
"""Before any appeal."""

_KEPT = """
WITH {queued}
spans AS (
  SELECT * FROM unnest(CAST(:levels AS smallint[]), CAST(:starts AS date[]), CAST(:signs AS integer[]), CAST(:slices AS integer[]))
    s(level, start, sign, slice)),
moves AS (
  SELECT s.slice, s.sign * (c.opened - c.ended) AS step FROM report_cell c JOIN spans s ON s.level = c.level AND s.start = c.start
  WHERE c.dim = :dim {cell_scope}
  {signed})
SELECT slice, CAST(sum(step) AS bigint) AS step FROM moves GROUP BY slice
"""
_SIGNED = """UNION ALL
  SELECT width_bucket(m.at, CAST(:edges AS timestamptz[])), l.sign * m.step FROM (SELECT {columns} FROM ({lines}) l) l
  CROSS JOIN LATERAL (VALUES (l.started_at, 1), (greatest(l.first_stopped_at, l.started_at), -1)) m(at, step)
  WHERE NOT l.dismissed AND (m.step > 0 OR l.first_stopped_at IS NOT NULL) AND m.at < :until {line_scope}"""


async def backlog(session: ReadSession, asked: Asked, *, bucket: Bucket = Bucket.DAY) -> Trend:
    """One point a bucket; a day that has not ended counts at the report's own moment."""
    parts = slices(asked.period, bucket)
    ground = await ground_of(session, asked, None)
    dim = narrowed_to(asked, None)
    if ground.tz == asked.period.tz and dim is not None:
        found = await _kept(session, asked, parts, dim=dim, source=ground.source)
    else:
        ends = [min(midnight(asked.period.zone, part.end, days=1), asked.ages_at) for part in parts]
        statement = text(backlog_sql(asked.filtered, sight=asked.sight, source=ground.source, clock=Clock.FIRST))
        params = asked.params() | {"ends": ends, "since": ALWAYS}
        found = {row.number: row.waiting for row in await session.execute(statement, params)}
    points = tuple(TrendPoint(slice=part, waiting=found.get(number, 0)) for number, part in enumerate(parts, start=1))
    return Trend(
        definition=BACKLOG, period=asked.period, bucket=bucket, as_of=asked.as_of, ages_at=asked.ages_at, points=points,
        total=points[-1],
    )  # fmt: skip


async def _kept(session: ReadSession, asked: Asked, parts: list[Slice], *, dim: Grouping, source: Source) -> dict[int, int]:
    """How many waited at the end of each slice, by its number from 1."""
    keys = await keys_of(session, asked, dim)
    spans = cover([Slice(FIRST_DAY, asked.period.start - timedelta(days=1)), *parts], daily=True)
    params = {
        "dim": DIMS[dim.value], "levels": spans.levels, "starts": spans.starts, "signs": spans.signs,
        "slices": [number - 1 for number in spans.slices],
        "edges": edges(asked.period, parts), "until": asked.period.until, "keys": list(keys or ()), "as_of": asked.as_of,
    }  # fmt: skip
    statement = _kept_sql(dim, source, scoped=keys is not None)
    rows = await session.execute(statement, {name: params[name] for name in statement.compile().params})
    steps = {row.slice: row.step for row in rows}
    return dict(enumerate(accumulate(steps.get(number, 0) for number in range(len(parts) + 1))))


@cache
def _kept_sql(dim: Grouping, source: Source, *, scoped: bool) -> TextClause:
    signed = _SIGNED.format(
        columns=", ".join(["l.sign", *(f"l.{column}" for column in COLUMNS)]),
        lines=PUT_RIGHT,
        line_scope=f"AND {KEY_OF[dim]} = ANY (CAST(:keys AS text[]))" if scoped else "",
    )
    return text(
        _KEPT.format(
            queued=CORRECTED[source],
            signed="" if source is Source.KEPT else signed,
            cell_scope="AND c.key = ANY (CAST(:keys AS text[]))" if scoped else "",
        )
    )
