"""The life of an answer in the outbox, read as a specification."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, strategies as st

from app.replies.rules import FIRST_PAUSE, LONGEST_PAUSE, TRANSITIONS, ReplyState, pause_before, same_words

FINAL = {ReplyState.REMOVED, ReplyState.WITHDRAWN, ReplyState.RETURNED}


def test_every_state_is_reached_and_has_an_exit_or_is_final() -> None:
    reached, edge = {ReplyState.AWAITING}, [ReplyState.AWAITING]
    while edge:
        found = TRANSITIONS[edge.pop()] - reached
        reached |= found
        edge += found
    assert reached == set(ReplyState)
    assert {state for state in ReplyState if not TRANSITIONS[state]} == FINAL


def test_a_person_can_settle_whatever_no_machine_will() -> None:
    for state in (ReplyState.FAILED, ReplyState.UNCERTAIN):
        assert {ReplyState.QUEUED, ReplyState.WITHDRAWN} <= TRANSITIONS[state]


def test_nothing_on_its_way_can_be_withdrawn() -> None:
    assert ReplyState.WITHDRAWN not in TRANSITIONS[ReplyState.SENDING]


@given(st.integers(-5, 10_000))
def test_pauses_grow_and_stay_bounded(attempt: int) -> None:
    assert FIRST_PAUSE <= pause_before(attempt) <= pause_before(attempt + 1) <= LONGEST_PAUSE


def test_the_first_pauses() -> None:
    assert [pause_before(attempt) for attempt in (1, 2, 3)] == [timedelta(seconds=seconds) for seconds in (5, 10, 20)]


@given(st.text(), st.text(alphabet=" \t\n\r\u00a0", min_size=1))
def test_white_space_makes_no_other_words(words: str, space: str) -> None:
    assert same_words(words, f"{space}{words}{space}")
    assert same_words(words.replace(" ", space), words) or " " not in words.strip()


def test_other_words_are_others() -> None:
    assert same_words("Засыпем  завтра.\n", "Засыпем завтра.")
    assert not same_words("Засыпем завтра.", "Засыпем завтра")
    assert not same_words("Засыпем завтра.", "засыпем завтра.")
