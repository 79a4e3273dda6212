"""Writes the append-only history. Only the appeals package calls it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from app.kernel.db import Bulk

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from app.appeals.rules import Act
    from app.kernel.db import WriteSession


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One thing that happened. `data` holds ids and codes, never words of people."""

    appeal_id: int
    act: Act
    cycle: int
    operator_id: int | None
    occurred_at: datetime
    data: Mapping[str, object] = field(default_factory=dict)


_RECORD = Bulk(
    """
    INSERT INTO appeal_event (appeal_id, act, cycle, operator_id, occurred_at, data)
    SELECT appeal_id, act, cycle, operator_id, occurred_at, CAST(data AS jsonb) FROM {rows}
    """,
    appeal_id="bigint", act="text", cycle="integer", operator_id="bigint", occurred_at="timestamptz", data="text",
)  # fmt: skip


async def record(session: WriteSession, events: Sequence[Event]) -> None:
    """Append events in their order."""
    await _RECORD.run(
        session,
        [
            (event.appeal_id, event.act.value, event.cycle, event.operator_id, event.occurred_at, orjson.dumps(dict(event.data)).decode())
            for event in events
        ],
    )
