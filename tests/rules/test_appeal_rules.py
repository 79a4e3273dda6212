"""The life of an appeal, read as a specification."""

from __future__ import annotations

import pytest

from app.appeals.rules import OPEN, TRANSITIONS, WAITING, Act, Status, after, possible, replayed
from app.kernel.errors import ConflictError

FINAL = {Status.DISMISSED}


def _next(status: Status) -> set[Status]:
    """Taking a merge back is no exit: it undoes what a person did."""
    return {table[status] for act, table in TRANSITIONS.items() if status in table and act is not Act.UNMERGED}


def test_every_act_but_the_first_has_its_line() -> None:
    assert set(TRANSITIONS) == set(Act) - {Act.OPENED}


def test_every_status_is_reached_and_has_an_exit_or_is_final() -> None:
    reached, edge = {Status.NEW}, [Status.NEW]
    while edge:
        found = _next(edge.pop()) - reached
        reached |= found
        edge += found
    assert reached == set(Status)
    assert {status for status in Status if _next(status) == {status}} == FINAL


def test_an_answer_is_possible_to_the_end() -> None:
    """From every status that is open, an answer on the platform and a closing can still come."""
    for status in OPEN:
        assert {Act.REPLY_SENT, Act.ANSWERED_BY_HAND, Act.CLOSED} <= possible(status)
        assert after(Act.ANSWERED_BY_HAND, status) is Status.ANSWERED


def test_what_the_platform_and_the_clock_do_is_never_refused() -> None:
    """A citizen writes, edits and deletes, and an answer is found, in whatever status the appeal is."""
    told = (
        Act.APPENDED,
        Act.COMMENT_EDITED,
        Act.COMMENT_DELETED,
        Act.REPLY_SENT,
        Act.REPLY_FAILED,
        Act.REPLY_UNCERTAIN,
        Act.ANSWERED_BY_HAND,
    )
    for act in told:
        assert set(TRANSITIONS[act]) == set(Status), act


def test_only_what_waits_can_be_handed_on_or_dismissed() -> None:
    for act in (Act.ROUTED, Act.DISMISSED):
        assert set(TRANSITIONS[act]) == WAITING


@pytest.mark.parametrize("status", FINAL | {Status.CLOSED})
def test_a_finished_appeal_is_not_worked_on(status: Status) -> None:
    for act in (Act.TAKEN, Act.ROUTED, Act.TOPIC_SET, Act.REPLY_QUEUED, Act.DISMISSED, Act.CLOSED):
        with pytest.raises(ConflictError) as refused:
            after(act, status)
        assert refused.value.params == {"status": status.value, "act": act.value}


def test_a_history_leads_to_a_status_and_a_cycle() -> None:
    history = [(Act.OPENED, 1), (Act.TAKEN, 1), (Act.REPLY_QUEUED, 1), (Act.REPLY_SENT, 1), (Act.APPENDED, 2), (Act.REOPENED, 2)]
    assert replayed(history[:1]) == (Status.NEW, 1)
    assert replayed(history[:3]) == (Status.IN_WORK, 1)
    assert replayed(history[:4]) == (Status.ANSWERED, 1)
    assert replayed(history) == (Status.NEW, 2)


def test_an_answer_to_an_earlier_cycle_answers_nothing_now() -> None:
    asked_again = [(Act.OPENED, 1), (Act.ANSWERED_BY_HAND, 1), (Act.REOPENED, 2)]
    assert replayed([*asked_again, (Act.REPLY_SENT, 1)]) == (Status.NEW, 2)
    assert replayed([*asked_again, (Act.REPLY_SENT, 2)]) == (Status.ANSWERED, 2)


def test_a_history_that_cannot_be_is_told() -> None:
    with pytest.raises(ConflictError):
        replayed([(Act.OPENED, 1), (Act.DISMISSED, 1), (Act.REOPENED, 2)])
