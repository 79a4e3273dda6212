"""What applying today's norms to appeals that wait would do, told before anybody does it: by the same code, and nothing is written."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.reapply import changes_of
from app.sla.replace import Kept, Running
from app.sla.rules import Pause, Promise

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from app.appeals.reopening import Promises
    from app.kernel.db import ReadSession

MOST_FORESEEN = 20_000
_RUNNING = ("id", "appeal_id", "cycle", "policy_version_id", "calendar_version_id", "term", "started_at", "due_at", "breached_at")
_CLOCKS = text("SELECT * FROM otklik_running_clocks(:most)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreseen:
    """Of `waiting` appeals with a clock that runs: how many get another deadline or norm, are late by it, are late no more.

    `capped`: only those with the nearest deadlines were looked at.
    """

    waiting: int
    moved: int
    late: int
    late_no_more: int
    capped: bool


async def running_clocks(session: ReadSession, *, most: int = MOST_FORESEEN) -> Sequence[Any]:
    """The clocks of waiting appeals in the territories whose norms the asker sets."""
    return (await session.execute(_CLOCKS, {"most": most})).all()


def foresee(
    rows: Sequence[Any], promises: Promises, *, now: datetime, territories: Collection[int] | None = None, most: int = MOST_FORESEEN
) -> Foreseen:
    """What applying would do to them. Pure; some seconds for twenty thousand."""
    appeals: dict[int, Any] = {}
    running: dict[int, list[Running]] = defaultdict(list)
    put_off: dict[int, list[tuple[datetime, datetime]]] = {}
    for row in rows:
        if territories is None or row.territory_id in territories:
            appeals[row.appeal_id] = row
            running[row.appeal_id].append(Running(promise=Promise(row.promise), **{name: getattr(row, name) for name in _RUNNING}))
            put_off[row.id] = [(datetime.fromisoformat(before), datetime.fromisoformat(after)) for before, after in row.put_off or ()]
    pauses = {
        appeal_id: [
            Pause(datetime.fromisoformat(since), None if until is None else datetime.fromisoformat(until))
            for since, until in row.pauses or ()
        ]
        for appeal_id, row in appeals.items()
    }
    changes = changes_of(appeals, promises, Kept(running=running, pauses=pauses, put_off=put_off), now)
    return Foreseen(
        waiting=len(appeals),
        moved=len({one.timer.appeal_id for one in changes}),
        late=len({one.timer.appeal_id for one in changes if one.timer.due_at > now >= one.due_at}),
        late_no_more=len({one.timer.appeal_id for one in changes if one.timer.due_at <= now < one.due_at}),
        capped=len({row.appeal_id for row in rows}) >= most,
    )
