"""The life of what is done to an answer that stands: other words in its place, or its removal. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from connectors.contract import Plugin, PostRef


class Change(StrEnum):
    """What is done to the answer."""

    EDIT = "edit"
    DELETE = "delete"
    ATTACH = "attach"
    """Its pictures follow it, where a long text and pictures are no one message. The worker asks for it, once the text stands."""


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
"""What a person may say of one, and in which states: do it again (it is harmless, save for pictures), or leave the answer as it stands."""

ASKED = (Change.EDIT, Change.DELETE)
"""What a person may ask for."""
VERBS = {Change.EDIT: "edit_answer", Change.DELETE: "delete_answer", Change.ATTACH: "attach_pictures"}
REASON_LIMIT = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Leave:
    """The platform's: that it may be done, and until when (None: always)."""

    until: datetime | None

    def over(self, now: datetime) -> bool:
        """Whether it is too late."""
        return self.until is not None and now > self.until


def leave(
    change: Change, plugin: Plugin | None, post: PostRef | None, *, token_kinds: Collection[str], published_at: datetime | None
) -> Leave | None:
    """What the platform says of an answer under this post; None: it lets it be done nowhere, not there, or with no token that we have."""
    if plugin is None or post is None:
        return None
    here = None if plugin.places is None else plugin.places(post)
    fits = (one for one in plugin.capabilities if one.verb == VERBS[change] and one.at in {None, here})
    able = next((one for one in fits if not set(one.token_kinds).isdisjoint(token_kinds)), None)
    if able is None:
        return None
    return Leave(until=None if able.within is None or published_at is None else published_at + able.within)


def lacking(plugin: Plugin | None, post: PostRef | None, *, token_kinds: Collection[str]) -> str:
    """The kind of token with which an answer under this post could be changed or deleted; empty when we have one, or none would do."""
    if plugin is None or post is None:
        return ""
    here = None if plugin.places is None else plugin.places(post)
    verbs = {VERBS[change] for change in ASKED}
    kinds = [kind for one in plugin.capabilities if one.verb in verbs and one.at in {None, here} for kind in one.token_kinds]
    return kinds[0] if kinds and set(kinds).isdisjoint(token_kinds) else ""
