"""From the rows of what is done to an answer to what the screen shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from app.replies.amending import AMENDMENT_OPEN, AMENDMENT_TROUBLE, DECISIONS, AmendmentState, Change
from app.replies.rules import ReplyState
from app.web.ui.reply_views import AmendmentView, FormerWords

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from app.appeals.card_rows import AmendmentRow, ReplyRow
    from app.web.ui.thread_view import May


class Changes(TypedDict):
    """What may be done to an answer where it stands."""

    changes: Mapping[str, datetime | None]
    over: Mapping[str, datetime]
    only_there: bool
    lacking: str


def changes(reply: ReplyRow, may: May) -> Changes:
    """Nothing while another change is under way; where the platform lets none be done, it is said where to do it."""
    under_way = any(one.state in AMENDMENT_OPEN for one in reply.amendments)
    stands = reply.state is ReplyState.SENT and not reply.by_hand and reply.external_id is not None
    if not may.work or not stands or under_way:
        return Changes(changes={}, over={}, only_there=False, lacking="")
    leaves = may.amend(reply)
    return Changes(
        changes={change: one.until for change, one in leaves.items() if not one.over(may.now)},
        over={change: one.until for change, one in leaves.items() if one.until is not None and one.over(may.now)},
        only_there=not leaves and reply.link is not None,
        lacking=may.lacking,
    )


def former_words(reply: ReplyRow) -> tuple[FormerWords, ...]:
    """What it said before, in the order of its changes."""
    return tuple(
        FormerWords(text=one.text_before, until=one.done_at or one.created_at, operator=one.operator_name, reason=one.reason)
        for one in reply.amendments
        if one.change is Change.EDIT and one.state is AmendmentState.DONE
    )


_GOES_OUT = frozenset({"rate", "flood", "quota", "moved"})
"""Their sentences say themselves that it goes on."""


def problem_of(row: AmendmentRow | ReplyRow) -> str:
    """The code of its trouble; `again` while it goes on by itself after one of which nobody has anything to decide any more."""
    goes_on = row.state in {ReplyState.QUEUED, ReplyState.SENDING, AmendmentState.QUEUED, AmendmentState.SENDING}
    return "again" if goes_on and row.error_code and row.error_code not in _GOES_OUT else row.error_code or ""


def is_told(amendment: AmendmentRow) -> bool:
    """Whether it still says something: what was changed stands in the words, what was left is history."""
    if amendment.state is AmendmentState.DONE:
        return amendment.change is Change.DELETE
    return amendment.state is not AmendmentState.WITHDRAWN


def amendment_view(row: AmendmentRow, may: May) -> AmendmentView:
    """One of them."""
    waits_again = row.state is AmendmentState.QUEUED and row.attempts > 0
    return AmendmentView(
        id=str(row.id),
        change=row.change.value,
        state=row.state.value,
        text=row.text,
        reason=row.reason,
        operator=row.operator_name,
        at=row.done_at or row.created_at,
        problem="publishing_stopped" if row.stopped else problem_of(row),
        problem_detail=(row.error_detail or "") if row.state in AMENDMENT_TROUBLE else "",
        next_attempt_at=row.due_at if waits_again else None,
        decisions=_decisions(row, may),
    )


def _decisions(row: AmendmentRow, may: May) -> tuple[str, ...]:
    """What a person may say of it: nobody approves their own, and what a limit held back is let go by a coordinator."""
    found = []
    if row.state is AmendmentState.AWAITING and may.approve and row.operator_id != may.operator_id:
        found.append("approve")
    held_back = row.state is AmendmentState.HELD and not may.release
    if may.work and row.state in DECISIONS["again"] and not held_back and row.error_code != "too_late":  # it stays too late
        found.append("again")
    if may.work and row.state in DECISIONS["withdraw"]:
        found.append("withdraw")
    return tuple(found)
