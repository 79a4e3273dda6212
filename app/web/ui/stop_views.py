"""What the switch that stops publishing shows: plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.replies.stops import StopRow


@dataclass(frozen=True, kw_only=True, slots=True)
class StopView:
    """Publishing is stopped: for a page, an agency with its children, or everywhere (`kind`), by whom, since when, why."""

    id: str
    kind: str
    name: str
    reason: str
    stopped_by: str
    stopped_at: datetime
    released_by: str = ""
    released_at: datetime | None = None
    may_release: bool = False


def stop_view(row: StopRow, *, may_release: bool = False) -> StopView:
    """A stop as the banner and the list show it."""
    return StopView(
        id=str(row.id),
        kind=row.kind,
        name=row.page_title or row.agency_name or "",
        reason=row.reason,
        stopped_by=row.stopped_by or "",
        stopped_at=row.stopped_at,
        released_by=row.released_by or "",
        released_at=row.released_at,
        may_release=may_release,
    )
