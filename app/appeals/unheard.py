"""What a citizen wrote before an answer of ours stood, and we noticed only after it was composed: the answer does not speak of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.appeals.rules import Act

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from app.appeals.card_rows import EventRow


_CARRIED_OUT = frozenset({
    Act.INTERIM_SENT, Act.PICTURES_SENT, Act.REPLY_EDITED, Act.REPLY_REMOVED, Act.POLICY_APPLIED, Act.SLA_BREACH_WITHDRAWN,
})  # fmt: skip
"""What the program does in the name of whoever asked for it earlier, or of all appeals: nobody looked at this one then."""


def unheard(events: Iterable[EventRow]) -> frozenset[int]:
    """Ids of such comments. Whatever a person does with the appeal once they were noticed is done with them in sight."""
    noticed: dict[int, datetime] = {}
    found: set[int] = set()
    stood_at: datetime | None = None
    for event in sorted(events, key=lambda one: one.id):
        if event.act is Act.APPENDED:
            comment = int(event.data["comment"])
            noticed[comment] = event.occurred_at
            if stood_at is not None and event.occurred_at <= stood_at:
                found.add(comment)
        elif event.act is Act.REPLY_SENT:
            stood_at = event.occurred_at
            found |= {comment for comment, at in noticed.items() if at <= stood_at}
        elif event.act in {Act.REOPENED, Act.ANSWERED_BY_HAND} or (event.operator_id is not None and event.act not in _CARRIED_OUT):
            stood_at = None if event.act in {Act.REOPENED, Act.ANSWERED_BY_HAND} else stood_at
            noticed.clear()
            found.clear()
    return frozenset(found)
