"""The life of what is done to an answer that stands: other words in its place, or its removal. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from connectors.contract import Capability


class Change(StrEnum):
    """What is done to the answer."""

    EDIT = "edit"
    DELETE = "delete"


class AmendmentState(StrEnum):
    """Where an amendment stands: as an answer does in the outbox, but what was done is `DONE`."""

    AWAITING = "awaiting"
    RETURNED = "returned"
    QUEUED = "queued"
    SENDING = "sending"
    DONE = "done"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    HELD = "held"
    WITHDRAWN = "withdrawn"


AMENDMENT_OPEN = frozenset(
    {AmendmentState.AWAITING, AmendmentState.QUEUED, AmendmentState.SENDING, AmendmentState.UNCERTAIN, AmendmentState.HELD}
)
"""Of these an answer has one at most."""
AMENDMENT_TROUBLE = frozenset({AmendmentState.AWAITING, AmendmentState.FAILED, AmendmentState.UNCERTAIN, AmendmentState.HELD})
DECISIONS = {
    "again": frozenset({AmendmentState.FAILED, AmendmentState.UNCERTAIN, AmendmentState.HELD}),
    "withdraw": frozenset(
        {AmendmentState.AWAITING, AmendmentState.QUEUED, AmendmentState.FAILED, AmendmentState.HELD, AmendmentState.UNCERTAIN}
    ),
}
"""What a person may say of one, and in which states: do it again (it is harmless), or leave the answer as it stands."""

VERBS = {Change.EDIT: "edit_answer", Change.DELETE: "delete_answer"}
REASON_LIMIT = 500


def hindrance(change: Change, capabilities: Iterable[Capability], *, published_at: datetime | None, now: datetime) -> str | None:
    """Why the platform would not let it be done: `unsupported`, `too_late`; None when it would."""
    capability = next((one for one in capabilities if one.verb == VERBS[change]), None)
    if capability is None:
        return "unsupported"
    late = capability.within is not None and published_at is not None and now - published_at > capability.within
    return "too_late" if late else None
