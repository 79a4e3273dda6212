"""An appeal as it was when it was handed on: what a former agency reads of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from app.appeals.rules import Status, replayed
from app.kernel.errors import ConflictError

if TYPE_CHECKING:
    from datetime import datetime

    from app.appeals.card_rows import AppealRow, Card, CommentRow, TimerRow


def as_it_was(found: Card, until: datetime) -> Card:
    """What came about later is taken back, in the rows that are written over; those that are added were read up to then.

    Its own answers stay as they are: it may still amend them.
    """
    timers = tuple(_running_again(one, until) for one in found.timers)
    return replace(
        found,
        appeal=_appeal(found, timers, until),
        comments=tuple(map(_as_said, found.comments)),
        timers=timers,
        pauses=tuple(one if one.until is None or one.until <= until else replace(one, until=None) for one in found.pauses),
        merged=(),
    )


def _appeal(found: Card, timers: tuple[TimerRow, ...], until: datetime) -> AppealRow:
    """Who works on it now is no business of a former agency."""
    appeal = found.appeal
    status, cycle = _stood(found)
    closed = appeal.closed_at is not None and appeal.closed_at <= until
    return replace(
        appeal,
        operator_id=None,
        operator_name=None,
        status=status,
        cycle=cycle,
        due_at=min((one.due_at for one in timers if one.cycle == cycle and one.stopped_at is None), default=None),
        touched_at=min(appeal.touched_at, until),
        answered_at=appeal.answered_at if appeal.answered_at is not None and appeal.answered_at <= until else None,
        closed_at=appeal.closed_at if closed else None,
        close_reason=appeal.close_reason if closed else None,
        merged_into=appeal.merged_into if status is Status.DISMISSED else None,
        merged_count=0,
    )


def _stood(found: Card) -> tuple[Status, int]:
    """Its state by its history up to then; as it stands when that is too long to be told from its beginning."""
    try:
        return replayed((one.act, one.cycle) for one in found.events)
    except ConflictError:
        return found.appeal.status, found.appeal.cycle


def _running_again(timer: TimerRow, until: datetime) -> TimerRow:
    if timer.breached_at is not None and timer.breached_at > until:
        timer = replace(timer, breached_at=None)
    if timer.stopped_at is None or timer.stopped_at <= until:
        return timer
    return replace(timer, stopped_at=None, outcome=None, elapsed_seconds=None, working_seconds=None)


def _as_said(comment: CommentRow) -> CommentRow:
    """Its last form of those observed by then."""
    last = comment.revisions[-1] if comment.revisions else None
    if last is None or last.revision >= comment.revision:
        return comment
    return replace(comment, text=last.text, length=len(last.text), revision=last.revision, edited_at=last.edited_at)
