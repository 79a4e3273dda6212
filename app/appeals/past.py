"""What an appeal was at any past moment, from its history alone. Pure.

The stored state is a convenience: it must be what this says at the end of the history, and a test asks it of every appeal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from app.appeals.rules import MERGED_REASON, Act, Status, after

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One event, as far as the state depends on it."""

    act: Act
    cycle: int
    operator_id: int | None
    recorded_at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Past:
    """The state of an appeal."""

    status: Status
    cycle: int
    agency_id: int | None
    territory_id: int | None
    topic_id: int | None
    operator_id: int | None = None
    close_reason: str | None = None
    merged_into: int | None = None


def rebuilt(history: Iterable[Told], *, at: datetime | None = None) -> Past | None:
    """The state to which a history leads, in its order; with `at`, as it was recorded by then. None before it was opened.

    What belongs to an earlier cycle - an answer to it that was heard of late - changes nothing.
    """
    past: Past | None = None
    for event in history:
        if at is not None and event.recorded_at > at:
            continue  # of two that wrote at once the earlier number may have been recorded later
        if past is None:
            data = event.data
            past = Past(
                status=Status.NEW, cycle=1, agency_id=data.get("agency"), territory_id=data.get("territory"), topic_id=data.get("topic")
            )
        elif event.cycle >= past.cycle:
            past = _next(past, event)
    return past


def _next(past: Past, event: Told) -> Past:
    data = event.data
    changed: dict[str, Any] = {}
    match event.act:
        case Act.TAKEN:
            changed = {"operator_id": event.operator_id}
        case Act.REPLY_QUEUED | Act.REPLY_SUBMITTED if past.operator_id is None and not data.get("again"):
            # Who answers it holds it; who sends an answer again does not.
            changed = {"operator_id": event.operator_id}
        case Act.ROUTED | Act.FOLLOWED:
            changed = {"agency_id": data["agency"], "territory_id": data.get("territory", past.territory_id), "operator_id": None}
        case Act.TOPIC_SET:
            changed = {"topic_id": data["topic"]}
        case Act.CLOSED | Act.DISMISSED:
            changed = {"close_reason": data.get("reason")}
        case Act.MERGED:
            changed = {"close_reason": MERGED_REASON, "merged_into": data["into"]}
        case Act.REOPENED | Act.UNMERGED:
            changed = {"close_reason": None, "merged_into": None}
    return replace(past, status=after(event.act, past.status), cycle=event.cycle, **changed)
