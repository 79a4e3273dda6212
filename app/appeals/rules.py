"""The life of an appeal: its states, what may happen in each, and the words of its history."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from app.kernel.errors import ConflictError


class Status(StrEnum):
    """Where an appeal stands. Overdue, failed or uncertain answers are facts beside it, not states."""

    NEW = "new"
    IN_WORK = "in_work"
    ANSWERED = "answered"
    CLOSED = "closed"
    DISMISSED = "dismissed"


OPEN = frozenset({Status.NEW, Status.IN_WORK, Status.ANSWERED})
WAITING = frozenset({Status.NEW, Status.IN_WORK})


class Act(StrEnum):
    """What can happen to an appeal; each is an event of its history."""

    OPENED = "opened"
    APPENDED = "appended"
    TAKEN = "taken"
    ROUTED = "routed"
    TOPIC_SET = "topic_set"
    NOTED = "noted"
    REPLY_SUBMITTED = "reply_submitted"
    REPLY_APPROVED = "reply_approved"
    REPLY_RETURNED = "reply_returned"
    REPLY_QUEUED = "reply_queued"
    REPLY_SENT = "reply_sent"
    INTERIM_SENT = "interim_sent"
    REPLY_FAILED = "reply_failed"
    REPLY_UNCERTAIN = "reply_uncertain"
    REPLY_HELD = "reply_held"
    REPLY_SOUGHT = "reply_sought"
    REPLY_WITHDRAWN = "reply_withdrawn"
    ANSWERED_BY_HAND = "answered_by_hand"
    AMENDMENT_SUBMITTED = "amendment_submitted"
    AMENDMENT_APPROVED = "amendment_approved"
    AMENDMENT_RETURNED = "amendment_returned"
    AMENDMENT_QUEUED = "amendment_queued"
    AMENDMENT_FAILED = "amendment_failed"
    AMENDMENT_UNCERTAIN = "amendment_uncertain"
    AMENDMENT_HELD = "amendment_held"
    AMENDMENT_WITHDRAWN = "amendment_withdrawn"
    REPLY_EDITED = "reply_edited"
    PICTURES_SENT = "pictures_sent"
    """Other words stand in its place: no clock moves."""
    REPLY_REMOVED = "reply_removed"
    """It stands no more: taken away by us, or by somebody on the platform. With `uncounted` it has kept no promise."""
    UNANSWERED = "unanswered"
    """No answer stands any more: the matter waits as if there had been none."""
    DISMISSED = "dismissed"
    CLOSED = "closed"
    REOPENED = "reopened"
    COMMENT_EDITED = "comment_edited"
    COMMENT_DELETED = "comment_deleted"
    SLA_WARNED = "sla_warned"
    SLA_BREACHED = "sla_breached"
    SLA_BREACH_WITHDRAWN = "sla_breach_withdrawn"
    """By the norm that it is counted by now, the deadline lies ahead."""
    PAUSED = "paused"
    RESUMED = "resumed"
    EXTENDED = "extended"
    POLICY_APPLIED = "policy_applied"
    MERGED = "merged"
    """Into an older appeal of the same matter, which has a JOINED of its own."""
    UNMERGED = "unmerged"
    JOINED = "joined"
    PARTED = "parted"
    RATED = "rated"
    """The citizen marked the answer, 1 to 5."""
    FOLLOWED = "followed"
    """The appeal that it was merged into was handed on."""


_SAME = {status: status for status in Status}
_LIVE = {status: status for status in OPEN}
_WAITS = {status: status for status in WAITING}

_ANSWERABLE = {Status.NEW: Status.IN_WORK, Status.IN_WORK: Status.IN_WORK, Status.ANSWERED: Status.ANSWERED}

# What is done to an answer that stands, and what becomes of it, happens in any state.
_AMENDING = (
    Act.AMENDMENT_SUBMITTED, Act.AMENDMENT_APPROVED, Act.AMENDMENT_RETURNED, Act.AMENDMENT_QUEUED, Act.AMENDMENT_FAILED,
    Act.AMENDMENT_UNCERTAIN, Act.AMENDMENT_HELD, Act.AMENDMENT_WITHDRAWN, Act.REPLY_EDITED, Act.PICTURES_SENT, Act.REPLY_REMOVED,
)  # fmt: skip

# act → {status before: status after}; a pair that is missing cannot happen.
TRANSITIONS: dict[Act, dict[Status, Status]] = {
    Act.APPENDED: _SAME,
    Act.TAKEN: {Status.NEW: Status.IN_WORK, Status.IN_WORK: Status.IN_WORK, Status.ANSWERED: Status.ANSWERED},
    Act.ROUTED: {Status.NEW: Status.NEW, Status.IN_WORK: Status.NEW},
    Act.TOPIC_SET: _LIVE,
    Act.NOTED: _SAME,
    Act.REPLY_SUBMITTED: _ANSWERABLE,
    # What was merged has no status but this: its author's answer may be approved by itself.
    Act.REPLY_APPROVED: {**_ANSWERABLE, Status.DISMISSED: Status.DISMISSED},
    Act.REPLY_RETURNED: _SAME,
    Act.REPLY_QUEUED: _ANSWERABLE,
    Act.REPLY_SENT: {**_SAME, Status.NEW: Status.ANSWERED, Status.IN_WORK: Status.ANSWERED},
    # An interim answer says that the real one will follow: the appeal goes on waiting.
    Act.INTERIM_SENT: {**_SAME, Status.NEW: Status.IN_WORK},
    Act.REPLY_FAILED: _SAME,
    Act.REPLY_UNCERTAIN: _SAME,
    Act.REPLY_HELD: _SAME,
    Act.REPLY_SOUGHT: _SAME,
    Act.REPLY_WITHDRAWN: _SAME,
    Act.ANSWERED_BY_HAND: {**_SAME, Status.NEW: Status.ANSWERED, Status.IN_WORK: Status.ANSWERED},
    **dict.fromkeys(_AMENDING, _SAME),
    Act.UNANSWERED: {Status.ANSWERED: Status.IN_WORK},
    Act.DISMISSED: {Status.NEW: Status.DISMISSED, Status.IN_WORK: Status.DISMISSED},
    Act.CLOSED: {Status.ANSWERED: Status.CLOSED, Status.IN_WORK: Status.CLOSED, Status.NEW: Status.CLOSED},
    Act.REOPENED: {Status.ANSWERED: Status.NEW, Status.CLOSED: Status.NEW},
    Act.COMMENT_EDITED: _SAME,
    Act.COMMENT_DELETED: _SAME,
    Act.SLA_WARNED: _LIVE,
    Act.SLA_BREACHED: _LIVE,
    Act.SLA_BREACH_WITHDRAWN: _WAITS,
    Act.PAUSED: _WAITS,
    Act.RESUMED: _WAITS,
    Act.EXTENDED: _WAITS,
    Act.POLICY_APPLIED: _WAITS,
    # What was merged is finished by another appeal; only that can be taken back, and only it knows whether it was merged.
    Act.MERGED: {Status.NEW: Status.DISMISSED, Status.IN_WORK: Status.DISMISSED},
    Act.UNMERGED: {Status.DISMISSED: Status.NEW},
    Act.JOINED: _WAITS,
    Act.PARTED: _SAME,
    Act.RATED: {Status.ANSWERED: Status.ANSWERED, Status.CLOSED: Status.CLOSED},
    Act.FOLLOWED: {Status.DISMISSED: Status.DISMISSED},
}


class DismissReason(StrEnum):
    """Why a matter leaves the SLA population."""

    SPAM = "spam"
    ABUSE = "abuse"
    GRATITUDE = "gratitude"
    NOT_A_QUESTION = "not_a_question"
    DUPLICATE = "duplicate"
    NOT_OURS = "not_ours"


MERGED_REASON = "merged"
"""The reason of an appeal that was merged: nobody chooses it from a list."""


class CloseReason(StrEnum):
    """Why an appeal is finished."""

    EXPLAINED = "explained"
    SOLVED = "solved"
    CANNOT_REPLY = "cannot_reply_on_platform"
    AUTHOR_SATISFIED = "author_satisfied"
    NO_FURTHER_DIALOGUE = "no_further_dialogue"


def after(act: Act, status: Status) -> Status:
    """The status that follows; raises ConflictError when the act cannot happen now."""
    try:
        return TRANSITIONS[act][status]
    except KeyError:
        raise ConflictError(
            "appeal.state", f"An appeal that is {status.value} cannot be {act.value}: reload it.", status=status.value, act=act.value
        ) from None


def possible(status: Status) -> frozenset[Act]:
    """The acts that may happen in a status."""
    return frozenset(act for act, table in TRANSITIONS.items() if status in table)


def replayed(history: Iterable[tuple[Act, int]]) -> tuple[Status, int]:
    """The status and cycle to which a history of (act, its cycle) leads, from its opening on.

    What belongs to an earlier cycle - an answer to it that was heard of late - changes neither. ConflictError when
    something happened that cannot happen.
    """
    status, current = Status.NEW, 1
    for act, cycle in history:
        if act is Act.OPENED or cycle < current:
            continue
        status, current = after(act, status), cycle
    return status, current
