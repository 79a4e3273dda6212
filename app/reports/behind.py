"""The very appeals behind a number: the lines that its condition counts, so that the list is as long as the number says.

No words and no names of citizens: numbers, times, and who answers for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.kernel.errors import InvalidError
from app.reports.backlog import ALWAYS
from app.reports.ground import source_of
from app.reports.measures import BACKLOG
from app.reports.models import MARKS
from app.reports.queries import COUNTED, facts_sql

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import TextClause

    from app.kernel.db import ReadSession
    from app.reports.queries import Clock, Sight, Source
    from app.reports.service import Asked

MOST_ROWS = 200
_LONGEST = 2**31 - 1
_CURSOR = re.compile(r"([0-9]{1,12})\.([0-9]{1,18})\.([0-9]{1,9})")

LISTED = COUNTED | {
    "unanswered": f"(({COUNTED['waiting']}) OR ({COUNTED['closed_unanswered']}))",
    "decided": " OR ".join(f"({COUNTED[one]})" for one in ("in_time", "late", "overdue", "closed_unanswered")),
    "rated": " OR ".join(f"({COUNTED[one]})" for one in MARKS),
}
"""What can be listed: every number, those unanswered, and `decided`: those of whose share in time is told."""

BEHIND = {
    **{code: code for code in LISTED},
    **dict.fromkeys(("average_s", "median_s", "p90_s", "p99_s"), "answered"),
    **dict.fromkeys(("working_average_s", "working_median_s", "working_p90_s", "working_p99_s"), "answered"),
    "oldest_unanswered_age_s": "waiting",
    "in_time_share": "decided",
    "overdue_share": "waiting",
    "reopened_share": "reopened",
    "repeated_share": "repeated",
    "rating": "rated",
    "rated_share": "rated",
    "dismissed_share": "dismissed",
}
"""Which list stands behind a figure that is no number of appeals itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """Only answers that took longer than `over_s` and at most `upto_s` (None: however long), in whole seconds; `working`: of working time.

    InvalidError `report.times` when they lie outside 0 to 2**31 - 1 or the wrong way round.
    """

    over_s: int | None = None
    upto_s: int | None = None
    working: bool = False

    def __post_init__(self) -> None:
        low, high = -1 if self.over_s is None else self.over_s, _LONGEST if self.upto_s is None else self.upto_s
        if not -1 <= low <= high <= _LONGEST:
            raise InvalidError("report.times", "Give seconds: more than the one, at most the other.", field="over")


ANY_TIME = Times()


@dataclass(frozen=True, kw_only=True, slots=True)
class BehindRow:
    """One appeal in one cycle. `number` is None where the reader may count it and not open it.

    `outcome` None: it waits; `due_at` None: no deadline, or its clock stands still. Seconds are those of the measure's own clock.
    """

    number: int | None
    cycle: int
    started_at: datetime
    due_at: datetime | None
    stopped_at: datetime | None
    outcome: str | None
    elapsed_s: int | None
    working_s: int | None
    dismissed: bool
    platform: str
    agency: str | None
    territory: str | None
    topic: str | None
    page: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A page of the list; `total` counts all of it."""

    total: int
    rows: tuple[BehindRow, ...]
    next_cursor: str | None = None


# Whoever waits comes first, the oldest before the others; then the answers, the slowest first. One number says both, and it does
# not change while somebody reads on: no answer takes as long as ages ago is.
_RANK = """
  CASE WHEN f.stopped_at IS NULL THEN 10000000000 - CAST(extract(epoch FROM f.started_at) AS bigint)
    ELSE coalesce(f.elapsed_seconds, 0) END"""
_STATEMENT = """
WITH b AS NOT MATERIALIZED (SELECT f.*, {rank} AS rank FROM ({facts}) f WHERE ({condition}){more}),
shown AS (
  SELECT * FROM b
  WHERE CAST(:after_rank AS bigint) IS NULL OR (-b.rank, b.appeal_id, b.cycle)
    > (-CAST(:after_rank AS bigint), CAST(:after_appeal AS bigint), CAST(:after_cycle AS integer))
  ORDER BY b.rank DESC, b.appeal_id, b.cycle LIMIT :most)
SELECT NULL AS appeal_id, count(*) AS total, NULL AS rank, NULL AS number, NULL AS cycle, NULL AS started_at, NULL AS due_at,
  NULL AS stopped_at, NULL AS outcome, NULL AS elapsed_s, NULL AS working_s, NULL AS dismissed, NULL AS platform, NULL AS agency,
  NULL AS territory, NULL AS topic, NULL AS page
FROM b
UNION ALL
(SELECT s.appeal_id, NULL, s.rank, a.number, s.cycle, s.started_at, nullif(s.due_at, 'infinity'),  -- never, while the clock stands still
  s.stopped_at, s.outcome, s.elapsed_seconds, s.working_seconds, s.dismissed, s.platform, g.name, t.name, o.name, p.title
FROM shown s LEFT JOIN appeal a ON a.id = s.appeal_id LEFT JOIN agency g ON g.id = s.agency_id
  LEFT JOIN territory t ON t.id = s.territory_id LEFT JOIN topic o ON o.id = s.topic_id LEFT JOIN page p ON p.id = s.page_id
ORDER BY s.rank DESC, s.appeal_id, s.cycle)
"""
# As the backlog counts: begun before the moment, not ended before it.
_WAITED = "f.counts AND f.started_at < :moment AND (f.stopped_at IS NULL OR greatest(f.stopped_at, f.started_at) >= :moment)"


async def behind(
    session: ReadSession, asked: Asked, *, figure: str, times: Times = ANY_TIME, limit: int = MOST_ROWS, cursor: str | None = None
) -> Listing:
    """The appeals that a figure of this measure counts, the longest waiting first, then the slowest answers.

    Of the backlog: those that waited when the period ended. Raises InvalidError: `report.figure` (no such number),
    `report.times`, `report.limit`, `report.cursor`, `report.as_of`.
    """
    if figure not in LISTED:
        raise InvalidError("report.figure", f"There are lists behind these figures: {', '.join(LISTED)}.", field="figure")
    if not 1 <= limit <= MOST_ROWS:
        raise InvalidError("report.limit", f"From 1 to {MOST_ROWS} rows can be asked for.", field="limit")
    source = await source_of(session, asked)
    backlog = asked.measure is BACKLOG
    statement = _behind_sql(
        asked.filtered, figure=None if backlog else figure, sight=asked.sight, source=source, clock=asked.measure.clocked,
        dismissed=asked.measure.dismissed or figure == "dismissed", timed=times != ANY_TIME, working=times.working,
    )  # fmt: skip
    params = asked.params() | _after(cursor) | {"most": limit + 1}
    if backlog:
        params |= {"moment": min(asked.period.until, asked.ages_at), "since": ALWAYS}
    if times != ANY_TIME:
        params |= {"over": -1 if times.over_s is None else times.over_s, "upto": _LONGEST if times.upto_s is None else times.upto_s}
    found = (await session.execute(statement, {name: params[name] for name in statement.compile().params})).all()
    rows = [row for row in found if row.appeal_id is not None]
    total = next(row.total for row in found if row.appeal_id is None)
    last = rows[limit - 1] if len(rows) > limit else None
    return Listing(
        total=total,
        rows=tuple(_row(row) for row in rows[:limit]),
        next_cursor=None if last is None else f"{last.rank}.{last.appeal_id}.{last.cycle}",
    )


@cache
def _behind_sql(
    filtered: frozenset[str],
    *,
    figure: str | None,
    sight: Sight,
    source: Source,
    clock: Clock,
    dismissed: bool,
    timed: bool,
    working: bool,
) -> TextClause:
    facts = facts_sql(filtered, clock=clock, sight=sight, source=source, dismissed=dismissed)
    spent = "f.working_seconds" if working else "f.elapsed_seconds"
    more = f" AND {spent} > :over AND {spent} <= :upto" if timed else ""
    return text(_STATEMENT.format(facts=facts, rank=_RANK, condition=_WAITED if figure is None else LISTED[figure], more=more))


def _after(cursor: str | None) -> dict[str, int | None]:
    if cursor is None:
        return {"after_rank": None, "after_appeal": 0, "after_cycle": 0}
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidError("report.cursor", "This is no cursor of this report: begin without one.", field="cursor")
    rank, appeal, cycle = map(int, found.groups())
    return {"after_rank": rank, "after_appeal": appeal, "after_cycle": cycle}


def _row(row: Any) -> BehindRow:  # noqa: ANN401 - a typed row
    return BehindRow(**{name: getattr(row, name) for name in BehindRow.__slots__})
