"""The kept sums of a period against the lines that they are sums of: a trend and the backlog read no others."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import TextClause, text

from app.reports.cells import DIMS, EVERY, UNITS, dated_sql, moved_sql, place_sql, sets_sql
from app.reports.models import CELL_COUNTS, CELL_SUMS
from app.reports.recount import Difference
from app.reports.rules import midnight

if TYPE_CHECKING:
    from app.kernel.db import ReadSession
    from app.reports.rules import Period

_SUMS = (*CELL_COUNTS, *CELL_SUMS)
_ZONE = text("SELECT tz FROM report_state WHERE lines_kept AND stage = 'done'")
_NAMES = {number: dim for dim, number in DIMS.items()}


@cache
def _unlike_sql() -> TextClause:
    """A cell begins and ends within the period; its lines begin, or end, within it."""
    length = " ".join(f"WHEN {level} THEN interval '1 {unit}'" for level, unit in UNITS.items())
    sums = ", ".join(f"'{name}', jsonb_build_array(coalesce(k.{name}, 0), coalesce(e.{name}, 0))" for name in _SUMS[:40])
    more = ", ".join(f"'{name}', jsonb_build_array(coalesce(k.{name}, 0), coalesce(e.{name}, 0))" for name in _SUMS[40:])
    unlike = " OR ".join(f"coalesce(k.{name}, 0) <> coalesce(e.{name}, 0)" for name in _SUMS)
    return text(
        f"""
        WITH delta AS (
          SELECT 1 AS sign, l.* FROM report_line l WHERE (l.started_at >= :since AND l.started_at < :until)
            OR (greatest(l.first_stopped_at, l.started_at) >= :since AND greatest(l.first_stopped_at, l.started_at) < :until)),
        dated AS MATERIALIZED ({dated_sql("delta")}),
        expected AS (SELECT {place_sql(EVERY)}, {moved_sql()} FROM dated d GROUP BY {sets_sql(EVERY)}),
        kept AS (SELECT * FROM report_cell WHERE start BETWEEN CAST(:first AS date) AND CAST(:last AS date))
        SELECT dim, level, start, key, jsonb_build_object({sums}) || jsonb_build_object({more}) AS sums
        FROM kept k FULL JOIN expected e USING (dim, level, start, key)
        WHERE start >= CAST(:first AS date) AND start + CASE level {length} END <= CAST(:last AS date) + interval '1 day' AND ({unlike})
        ORDER BY level, start, dim, key
        """  # noqa: S608 - names of this program
    )


async def sums_unlike(session: ReadSession, period: Period) -> list[Difference]:
    """Every kept sum of the period's days, months and years that its lines do not add up to. Nothing while they are being built."""
    tz = await session.scalar(_ZONE)
    if tz is None:
        return []
    zone = ZoneInfo(tz)
    params = {
        "tz": tz, "first": period.start, "last": period.end,
        "since": midnight(zone, period.start), "until": midnight(zone, period.end, days=1),
    }  # fmt: skip
    return [
        Difference(
            what=name, stored=stored, expected=expected, group=f"{UNITS[row.level]} {row.start}: {_NAMES[row.dim]} {row.key or 'none'}"
        )
        for row in await session.execute(_unlike_sql(), params)
        for name, (stored, expected) in row.sums.items()
        if stored != expected
    ]
