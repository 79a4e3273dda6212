"""Calendars spread over the years, so that SQL can measure working time by them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import text

from app.kernel.db import Bulk
from app.kernel.log import logger
from app.sla.calendar import CalendarError, from_json
from app.sla.table import to_moment

if TYPE_CHECKING:
    from app.kernel.db import WriteSession

FIRST_YEAR, LAST_YEAR = 2015, 2035
"""Working time is spread over these years, and over no more than the calendar reaches."""

_UNKNOWN_CALENDARS = text(
    "SELECT id, version, definition FROM calendar_version v"
    " WHERE NOT EXISTS (SELECT FROM working_span s WHERE s.calendar_version_id = v.id) ORDER BY id"
)
_ADD_SPANS = Bulk(
    "INSERT INTO working_span (calendar_version_id, opens_at, closes_at, before) SELECT * FROM {rows} ON CONFLICT DO NOTHING",
    calendar="bigint", opens_at="timestamptz", closes_at="timestamptz", before="bigint",
)  # fmt: skip


async def know_calendars(session: WriteSession) -> None:
    """Spread those that came since."""
    for row in (await session.execute(_UNKNOWN_CALENDARS)).all():
        try:
            calendar = from_json(row.definition, id=str(row.id), version=row.version)
            table = calendar.table(_first_of(FIRST_YEAR), _first_of(LAST_YEAR))
        except CalendarError as error:
            logger.error("calendar_unusable", calendar_version=row.id, error=str(error))
            continue
        spans = zip(table.starts, table.ends, table.through, strict=True)
        await _ADD_SPANS.run(session, [(row.id, to_moment(low), to_moment(high), through - (high - low)) for low, high, through in spans])


def _first_of(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)
