"""What of a citizen's words an answer does not speak of: a table of histories."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.appeals.card_rows import EventRow
from app.appeals.rules import Act
from app.appeals.unheard import unheard
from tests.factories import MORNING

BEFORE, AFTER = ("appended", 0), ("appended", 5)
SENT = ("reply_sent", 3)


def events(*told: tuple[str, int]) -> list[EventRow]:
    """An operator's acts, each with its hour; the platform's and the clock's are nobody's."""
    return [
        EventRow(
            id=number, act=Act(act), cycle=1, operator_id=None if act == "appended" else 1, operator_name=None,
            occurred_at=MORNING + timedelta(hours=hour), recorded_at=MORNING, data={"comment": number},
        )
        for number, (act, hour) in enumerate(told)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ((SENT, BEFORE), {1}),
        ((BEFORE, SENT), {0}),
        ((SENT, AFTER), set()),
        ((BEFORE, ("reply_queued", 2), SENT), set()),
        ((SENT, BEFORE, ("noted", 6)), set()),
        ((SENT, BEFORE, ("reopened", 6)), set()),
        # What the program does in somebody's name is not done with the words in sight.
        ((SENT, BEFORE, ("pictures_sent", 4)), {1}),
        ((SENT, BEFORE, ("reply_edited", 4)), {1}),
        ((BEFORE, ("policy_applied", 2), ("sla_breach_withdrawn", 2), SENT), {0}),
    ],
)
def test_what_an_answer_does_not_speak_of(told: tuple[tuple[str, int], ...], found: set[int]) -> None:
    assert unheard(events(*told)) == found
