"""The choice of a promise and its deadline."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings, strategies as st

from app.sla.calendar import add_working, working_time
from app.sla.policy import (
    CONDITIONS,
    Choice,
    Matter,
    PolicyError,
    PolicyVersion,
    Term,
    choose,
    clock_of,
    deadline,
    deadlines,
    promises_from_json,
    promises_to_json,
)
from app.sla.production_calendar import russian_calendar
from app.sla.rules import Promise

MOSCOW = ZoneInfo("Europe/Moscow")
CALENDAR = russian_calendar("Europe/Moscow", first_year=2024, last_year=2027)
FIRST = Promise.FIRST_ANSWER
DAY = Term(seconds=86_400)
# An urgent matter about holes in the road (7 < 70 < 700), for a town's road service in that town, on VK.
MATTER = Matter(topics=(700, 70, 7), agencies=(500, 50), territories=(300, 30, 3), platform="vk", priority="urgent")


def policy(
    code: str,
    number: int = 0,
    *,
    version: int = 1,
    term: Term | None = DAY,
    topic_id: int | None = None,
    agency_id: int | None = None,
    territory_id: int | None = None,
    platform: str | None = None,
    priority: str | None = None,
) -> PolicyVersion:
    return PolicyVersion(number, code, version, {FIRST: term}, topic_id, agency_id, territory_id, platform, priority)


def winner(*policies: PolicyVersion, matter: Matter = MATTER) -> str | None:
    chosen = choose(policies, matter, FIRST).policy
    return chosen.code if chosen else None


# Each one beats all after it.
LADDER = (
    policy("urgent-holes", priority="urgent", topic_id=700),
    policy("urgent", priority="urgent"),
    policy("holes-here", topic_id=700, agency_id=500, territory_id=300),
    policy("holes", topic_id=700),
    policy("repairs", topic_id=70, agency_id=500, territory_id=300, platform="vk"),
    policy("roads", topic_id=7),
    policy("service", agency_id=500),
    policy("ministry", agency_id=50, territory_id=300, platform="vk"),
    policy("town", territory_id=300),
    policy("district", territory_id=30),
    policy("region-vk", territory_id=3, platform="vk"),
    policy("region", territory_id=3),
    policy("vk", platform="vk"),
    policy("all"),
)


def test_the_most_specific_wins() -> None:
    for place, best in enumerate(LADDER):
        assert winner(*LADDER[place:]) == best.code


@settings(max_examples=50)
@given(st.permutations(LADDER))
def test_the_order_given_does_not_matter(policies: list[PolicyVersion]) -> None:
    assert choose(policies, MATTER, FIRST) == choose(LADDER, MATTER, FIRST)


@pytest.mark.parametrize(
    "other",
    [
        policy("x", topic_id=701),
        policy("x", agency_id=501),
        policy("x", territory_id=301),
        policy("x", platform="telegram"),
        policy("x", priority="ordinary"),
        policy("x", priority="urgent", platform="telegram"),
    ],
)
def test_a_condition_that_does_not_hold_excludes(other: PolicyVersion) -> None:
    assert winner(other) is None
    assert winner(other, policy("all")) == "all"


def test_a_matter_without_a_topic_fits_only_what_asks_for_none() -> None:
    assert winner(*LADDER, matter=Matter()) == "all"
    assert winner(*LADDER[:-1], matter=Matter()) is None


def test_the_choice_explains_itself() -> None:
    choice = choose((LADDER[13], LADDER[3], LADDER[1], policy("other", topic_id=1)), MATTER, FIRST)
    assert choice.to_json() == {
        "policy": "urgent",
        "version": 1,
        "reasons": [
            {"code": "chosen", "policy": "urgent", "version": 1, "conditions": "priority"},
            {"code": "less_specific", "policy": "holes", "version": 1, "by": "priority"},
            {"code": "less_specific", "policy": "all", "version": 1, "by": "priority"},
        ],
    }
    assert json.loads(json.dumps(choice.to_json())) == choice.to_json()


def test_no_policy_explains_itself() -> None:
    choice = choose([], MATTER, FIRST)
    assert (choice.policy, choice.term) == (None, None)
    assert choice.to_json()["reasons"] == [{"code": "no_policy", "promise": "first_answer"}]


def test_equal_policies_are_ordered_by_code() -> None:
    for pair in itertools.permutations((policy("b", 1), policy("a", 2))):
        choice = choose(pair, MATTER, FIRST)
        assert choice.policy is not None
        assert choice.policy.code == "a"
        assert choice.explanation[1].params["by"] == "code"


def test_only_the_newest_version_of_a_code_counts() -> None:
    old, new = policy("roads", 1, topic_id=7), policy("roads", 2, version=2, topic_id=8)
    assert winner(old, policy("all")) == "roads"
    assert winner(old, new, policy("all")) == "all"
    assert winner(new, old, policy("all")) == "all"


def test_a_promise_not_mentioned_is_left_to_the_less_specific() -> None:
    silent = PolicyVersion(1, "holes", 1, {Promise.FINAL_ANSWER: DAY}, topic_id=700)
    assert winner(silent, policy("all")) == "all"
    choice = choose([silent, policy("all")], MATTER, Promise.FINAL_ANSWER)
    assert choice.policy == silent


def test_a_promise_refused_hides_the_less_specific() -> None:
    choice = choose([policy("thanks", topic_id=700, term=None), policy("all")], MATTER, FIRST)
    assert choice.policy is not None
    assert (choice.policy.code, choice.term) == ("thanks", None)
    assert choice.explanation[0].code == "no_promise"


nodes = st.none() | st.integers(1, 4)
policies = st.lists(
    st.builds(
        PolicyVersion,
        st.integers(1, 9),
        st.text("abc", min_size=1, max_size=3),
        st.integers(1, 3),
        st.just({FIRST: DAY}),
        topic_id=nodes,
        agency_id=nodes,
        territory_id=nodes,
        platform=st.none() | st.sampled_from(["vk", "ok"]),
        priority=st.none() | st.sampled_from(["urgent"]),
    ),
    max_size=8,
)
lineages = st.lists(st.integers(1, 4), max_size=3, unique=True)


@settings(max_examples=150)
@given(policies, st.builds(Matter, lineages, lineages, lineages, st.sampled_from(["vk", "ok"]), st.just("urgent")))
def test_what_is_chosen_fits_and_taking_away_others_changes_nothing(given_: list[PolicyVersion], matter: Matter) -> None:
    unique = list({one.code: one for one in given_}.values())
    choice = choose(unique, matter, FIRST)
    if choice.policy is None:
        assert choice == Choice(None, None, choice.explanation)
        return
    best = choice.policy
    assert best.topic_id in (None, *matter.topics)
    assert best.agency_id in (None, *matter.agencies)
    assert best.territory_id in (None, *matter.territories)
    assert best.platform in (None, matter.platform)
    assert best.priority in (None, matter.priority)
    for other in unique:
        if other is not best:
            assert choose([best, other], matter, FIRST).policy == best
    assert {reason.params.get("by", "code") for reason in choice.explanation[1:]} <= {*CONDITIONS, "code"}


# Deadlines


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=MOSCOW)


@pytest.mark.parametrize(
    ("term", "started", "due", "warned"),
    [
        (Term(seconds=86_400), "2026-05-08 16:00", "2026-05-09 16:00", ["2026-05-09 04:00", "2026-05-09 11:12"]),
        (
            Term(seconds=9 * 3600, working=True),
            "2026-05-08 16:00",
            "2026-05-12 18:00",
            ["2026-05-12 12:30", "2026-05-12 16:12"],
        ),
        (
            Term(seconds=4 * 3600, working=True),
            "2026-01-14 10:00",
            "2026-01-14 15:00",
            ["2026-01-14 12:00", "2026-01-14 14:12"],
        ),
        # 3 h and seven days; the half of 59 h is 29 h 30 min, four fifths are 47 h 12 min
        (
            Term(days=7, working=True),
            "2025-12-24 15:00",
            "2026-01-14 18:00",
            ["2025-12-30 11:30", "2026-01-13 14:12"],
        ),
        (Term(days=30), "2026-01-15 00:00", "2026-02-15 00:00", ["2026-01-30 12:00", "2026-02-08 19:12"]),
    ],
)
def test_deadlines_by_hand(term: Term, started: str, due: str, warned: list[str]) -> None:
    found = deadline(term, CALENDAR, at(started))
    assert (found.started_at, found.due_at) == (at(started), at(due))
    assert list(found.warn_ats) == [at(one) for one in warned]
    assert found.due_at.tzinfo is UTC


@settings(deadline=None, max_examples=80)
@given(
    st.one_of(
        st.builds(Term, seconds=st.integers(1, 40 * 86_400), working=st.booleans()),
        st.builds(Term, days=st.integers(1, 40), working=st.booleans()),
    ),
    st.datetimes(datetime(2024, 1, 2), datetime(2026, 12, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - strategy bounds
    st.lists(st.floats(0.01, 0.99), max_size=4),
)
def test_warnings_come_in_order_between_start_and_deadline(term: Term, started: datetime, shares: list[float]) -> None:
    found = deadline(term, CALENDAR, started, shares)
    marks = [found.started_at, *found.warn_ats, found.due_at]
    assert marks == sorted(marks)
    assert len(found.warn_ats) == len(shares)
    assert deadlines(term, CALENDAR, [started, started + timedelta(hours=7)], shares) == [
        found,
        deadline(term, CALENDAR, started + timedelta(hours=7), shares),
    ]
    if term.seconds and not term.working:
        assert found.due_at - started == timedelta(seconds=term.seconds)
    if term.seconds and term.working:
        assert working_time(CALENDAR, started, found.due_at) == timedelta(seconds=term.seconds)
        assert found.due_at == add_working(CALENDAR, started, timedelta(seconds=term.seconds))


def test_what_a_term_is_measured_by() -> None:
    assert clock_of(Term(days=1, working=True), CALENDAR) is CALENDAR
    assert clock_of(Term(days=1), CALENDAR) is None


@pytest.mark.parametrize(("seconds", "days"), [(0, 0), (1, 1), (-1, 0), (0, -3), (10**12, 0), (0, 10**6)])
def test_terms_that_make_no_sense(seconds: int, days: int) -> None:
    with pytest.raises(ValueError, match="a term"):
        Term(seconds=seconds, days=days)


@pytest.mark.parametrize("share", [0, 1, -0.5, 1.5])
def test_warnings_that_make_no_sense(share: float) -> None:
    with pytest.raises(ValueError, match="warning"):
        PolicyVersion(1, "x", 1, {}, warn_shares=(share,))


def test_promises_come_back_whole() -> None:
    promises = {
        Promise.TRIAGE: None,
        Promise.FIRST_ANSWER: Term(seconds=32_400, working=True),
        Promise.FINAL_ANSWER: Term(days=7, working=True),
    }
    written = promises_to_json(promises)
    assert written == {
        "triage": None,
        "first_answer": {"seconds": 32_400, "working": True},
        "final_answer": {"days": 7, "working": True},
    }
    assert promises_from_json(json.loads(json.dumps(written))) == promises


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "an object is needed"),
        ({"tea": {"seconds": 1, "working": True}}, r"promises\.tea"),
        ({"triage": 5}, r"promises\.triage: expected"),
        ({"triage": {"seconds": 5}}, "working is true or false"),
        ({"triage": {"seconds": True, "working": True}}, "whole numbers"),
        ({"triage": {"seconds": 1.5, "working": True}}, "whole numbers"),
        ({"triage": {"hours": 5, "working": True}}, "expected"),
        ({"triage": {"seconds": 0, "working": True}}, "either seconds or days"),
        ({"triage": {"seconds": 5, "days": 5, "working": True}}, "either seconds or days"),
    ],
)
def test_promises_that_cannot_be_read(value: object, said: str) -> None:
    with pytest.raises(PolicyError, match=said):
        promises_from_json(value)
