"""The book of promises: which version counts, which calendar, and that nothing hostile spoils the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from app.sla.book import OPENING_PROMISES, Book, DatedCalendar, DatedPolicy
from app.sla.calendar import WorkingCalendar, parse_hours, to_json
from app.sla.policy import Matter, PolicyVersion, Term, choose, deadline
from app.sla.rules import Promise

HOUR = 3600
LONG_AGO = datetime(2015, 1, 1, tzinfo=UTC)
TURN = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
TUESDAY = datetime(2026, 3, 3, 6, 0, tzinfo=UTC)  # 09:00 in Moscow
HERE = Matter(topics=(2, 1), agencies=(20, 10), territories=(200, 100), platform="vk", priority="ordinary")


def hours(text: str, timezone: str = "Europe/Moscow") -> WorkingCalendar:
    return WorkingCalendar(timezone, (parse_hours([text], "test"),) * 5 + ((), ()))


NINE_TO_SIX = hours("09:00-18:00")
TEN_TO_SIX = hours("10:00-18:00")


def policy(
    row_id: int = 1, code: str = "usual", *, since: datetime = LONG_AGO, until: datetime | None = None, **fields: object
) -> DatedPolicy:
    given = {"version": 1, "promises": {Promise.FIRST_ANSWER: Term(seconds=9 * HOUR, working=True)}} | fields
    return DatedPolicy(policy=PolicyVersion(id=row_id, code=code, **given), valid_from=since, valid_until=until)  # type: ignore[arg-type]


def calendar(
    row_id: int, value: WorkingCalendar | str, *, territory: int = 100, agency: int | None = None, since: datetime = LONG_AGO
) -> DatedCalendar:
    definition = value if isinstance(value, str) else orjson.dumps(to_json(value)).decode()
    return DatedCalendar(id=row_id, version=1, territory_id=territory, agency_id=agency, valid_from=since, definition=definition)


def book(*parts: DatedPolicy | DatedCalendar) -> Book:
    return Book(
        policies=[one for one in parts if isinstance(one, DatedPolicy)],
        calendars=[one for one in parts if isinstance(one, DatedCalendar)],
        timezone="Europe/Moscow",
    )


def test_a_deadline_with_its_warnings_by_hand() -> None:
    (timer,) = book(policy(7), calendar(5, NINE_TO_SIX)).plan(HERE, TUESDAY)
    assert (timer.promise, timer.policy_version_id, timer.calendar_version_id) == (Promise.FIRST_ANSWER, 7, 5)
    assert timer.due_at == datetime(2026, 3, 3, 15, 0, tzinfo=UTC)
    assert timer.warnings == (datetime(2026, 3, 3, 10, 30, tzinfo=UTC), datetime(2026, 3, 3, 13, 12, tzinfo=UTC))
    assert timer.term == {"seconds": 9 * HOUR, "working": True}
    assert timer.choice["policy"] == "usual"


def test_the_policy_version_in_force_when_the_clock_starts_counts() -> None:
    old = policy(1)
    new = policy(2, since=TURN, version=2, promises={Promise.FIRST_ANSWER: Term(seconds=4 * HOUR)})
    made = book(old, new, calendar(5, NINE_TO_SIX))
    assert [made.plan(HERE, at)[0].policy_version_id for at in (TURN - timedelta(microseconds=1), TURN)] == [1, 2]


def test_a_policy_that_has_ended_promises_nothing() -> None:
    made = book(policy(1, until=TURN), calendar(5, NINE_TO_SIX))
    assert len(made.plan(HERE, TURN - timedelta(microseconds=1))) == 1
    assert made.plan(HERE, TURN) == []
    assert made.plan(HERE, LONG_AGO - timedelta(seconds=1)) == []


def test_the_calendar_version_in_force_when_the_clock_starts_counts() -> None:
    made = book(policy(), calendar(5, NINE_TO_SIX), calendar(6, TEN_TO_SIX, since=TURN))
    before, after = made.plan(HERE, TURN - timedelta(days=3))[0], made.plan(HERE, TUESDAY)[0]
    assert (before.calendar_version_id, after.calendar_version_id) == (5, 6)
    # Eight hours on Tuesday from 10:00, the ninth on Wednesday.
    assert after.due_at == datetime(2026, 3, 4, 8, 0, tzinfo=UTC)


def test_the_nearest_calendar_counts() -> None:
    region, city = calendar(1, NINE_TO_SIX, territory=100), calendar(2, NINE_TO_SIX, territory=200)
    office, ministry = calendar(3, TEN_TO_SIX, agency=20), calendar(4, NINE_TO_SIX, agency=10)
    stranger = calendar(9, TEN_TO_SIX, agency=99, territory=200)
    everything = [stranger, region, city, ministry, office]
    for expected in (3, 4, 2, 1):
        assert book(policy(), *everything).plan(HERE, TUESDAY)[0].calendar_version_id == expected
        everything.pop()


def test_a_matter_older_than_all_calendars_takes_the_first() -> None:
    made = book(policy(), calendar(5, NINE_TO_SIX, since=TURN), calendar(6, TEN_TO_SIX, since=TURN + timedelta(days=30)))
    assert made.plan(HERE, TURN - timedelta(days=7))[0].calendar_version_id == 5
    # An outer one that held then goes before an inner one that did not.
    outer = book(policy(), calendar(5, NINE_TO_SIX, territory=200, since=TURN), calendar(6, TEN_TO_SIX))
    assert outer.plan(HERE, TURN - timedelta(days=7))[0].calendar_version_id == 6


def test_without_a_calendar_working_time_is_plain_time() -> None:
    (timer,) = book(policy()).plan(HERE, TUESDAY)
    assert timer.calendar_version_id is None
    assert timer.due_at == TUESDAY + timedelta(hours=9)


def test_without_a_calendar_a_day_ends_where_the_territory_is() -> None:
    days = policy(promises={Promise.FIRST_ANSWER: Term(days=3)})
    made = Book(policies=[days], calendars=[], timezone="Europe/Moscow", zones={100: "Asia/Kamchatka", 300: "Europe/Samara"})
    for grown in (made, made.with_policy(policy(2, "other", until=TURN)), made.with_calendars([calendar(9, NINE_TO_SIX, territory=7)])):
        (timer,) = grown.plan(HERE, TUESDAY)
        assert timer.due_at == datetime(2026, 3, 6, 12, 0, tzinfo=UTC), "the end of Friday in Kamchatka, which is the region's"
    nowhere = Matter(territories=(5,))
    assert made.plan(nowhere, TUESDAY)[0].due_at == datetime(2026, 3, 6, 21, 0, tzinfo=UTC), "the installation's own Friday"


def test_plain_time_keeps_the_calendar_for_measuring() -> None:
    (timer,) = book(policy(promises={Promise.FIRST_ANSWER: Term(seconds=24 * HOUR)}), calendar(5, NINE_TO_SIX)).plan(HERE, TUESDAY)
    assert (timer.due_at, timer.calendar_version_id) == (TUESDAY + timedelta(days=1), 5)


@pytest.mark.parametrize(
    "broken", ["[]", '{"timezone": "Mars/Olympus", "week": []}', '{"timezone": "UTC", "week": [[], [], [], [], [], [], []]}']
)
def test_an_unusable_calendar_leaves_the_next(broken: str) -> None:
    made = book(policy(), calendar(5, broken, territory=200), calendar(6, NINE_TO_SIX, territory=100))
    assert [timer.calendar_version_id for timer in made.plan(HERE, TUESDAY)] == [6]
    assert [timer.calendar_version_id for timer in book(policy(), calendar(5, broken)).plan(HERE, TUESDAY)] == [None]


def test_a_moment_out_of_reach_spoils_nothing_else() -> None:
    made = book(policy(), calendar(5, NINE_TO_SIX))
    far = datetime(2150, 1, 1, tzinfo=UTC)
    assert made.plan(HERE, datetime.max.replace(tzinfo=UTC)) == []
    assert made.triage_due(HERE, far) is None
    assert made.plan(HERE, far) == []
    assert made.plan(HERE, TUESDAY)[0].calendar_version_id == 5


def test_a_naive_moment_is_refused() -> None:
    with pytest.raises((ValueError, TypeError)):
        book(policy()).plan(HERE, TUESDAY.replace(tzinfo=None))


def test_only_what_is_promised_gets_a_timer() -> None:
    promises = {
        Promise.TRIAGE: Term(seconds=2 * HOUR, working=True),
        Promise.FIRST_ANSWER: None,
        Promise.FINAL_ANSWER: Term(days=7, working=True),
    }
    made = book(policy(promises=promises), calendar(5, NINE_TO_SIX))
    assert [timer.promise for timer in made.plan(HERE, TUESDAY)] == [Promise.FINAL_ANSWER]
    assert made.plan(HERE, TUESDAY, promises=(Promise.FIRST_ANSWER, Promise.INTERIM_ANSWER)) == []
    assert Promise.TRIAGE not in OPENING_PROMISES


def test_triage_is_warned_of_at_the_last_share() -> None:
    promises = {Promise.TRIAGE: Term(seconds=2 * HOUR, working=True)}
    found = book(policy(promises=promises), calendar(5, NINE_TO_SIX)).triage_due(HERE, TUESDAY)
    assert found is not None
    assert (found.due_at - TUESDAY, found.warn_at - TUESDAY) == (timedelta(hours=2), timedelta(minutes=96))
    silent = book(policy(promises=promises, warn_shares=()), calendar(5, NINE_TO_SIX)).triage_due(HERE, TUESDAY)
    assert silent is not None
    assert silent.warn_at == silent.due_at
    assert book(policy(), calendar(5, NINE_TO_SIX)).triage_due(HERE, TUESDAY) is None


MOMENTS = st.integers(-280 * 24 * 60, 280 * 24 * 60).map(lambda minutes: TURN + timedelta(minutes=minutes))
POLICIES = st.builds(
    lambda code, version, topic, priority, seconds, since, lasts: policy(
        10 * ord(code) + version, code, since=since, until=None if lasts is None else since + timedelta(days=lasts),
        version=version, topic_id=topic, priority=priority, promises={Promise.FIRST_ANSWER: Term(seconds=seconds, working=True)},
    ),
    st.sampled_from("abcd"), st.integers(1, 3), st.sampled_from([None, 1, 2, 3]), st.sampled_from([None, "ordinary", "urgent"]),
    st.integers(60, 20 * HOUR), MOMENTS, st.one_of(st.none(), st.integers(1, 200)),
)  # fmt: skip


@given(
    policies=st.lists(POLICIES, max_size=8, unique_by=lambda one: (one.policy.code, one.policy.version)),
    asked=st.lists(st.tuples(st.sampled_from([(), (1,), (2, 1)]), MOMENTS), min_size=1, max_size=6),
)
def test_what_is_remembered_is_what_would_be_computed(policies: list[DatedPolicy], asked: list[tuple[tuple[int, ...], datetime]]) -> None:
    made = book(*policies, calendar(5, NINE_TO_SIX))
    for topics, at in asked + asked:
        matter = Matter(topics=topics, territories=(100,), priority="ordinary")
        choice = choose([one.policy for one in policies if one.holds(at)], matter, Promise.FIRST_ANSWER)
        timers = made.plan(matter, at)
        if choice.policy is None or choice.term is None:
            assert timers == []
        else:
            wanted = deadline(choice.term, NINE_TO_SIX, at)
            (timer,) = timers
            assert (timer.policy_version_id, timer.due_at, timer.warnings) == (choice.policy.id, wanted.due_at, wanted.warn_ats)
            assert timer.choice == choice.to_json()


@settings(deadline=None, max_examples=40)
@given(
    policies=st.lists(POLICIES, max_size=8, unique_by=lambda one: (one.policy.code, one.policy.version)),
    asked=st.lists(st.tuples(st.sampled_from([(), (1,), (2, 1)]), st.one_of(MOMENTS, st.just(TUESDAY.replace(year=2150)))), max_size=8),
)
def test_many_planned_at_once_are_each_by_itself(policies: list[DatedPolicy], asked: list[tuple[tuple[int, ...], datetime]]) -> None:
    """Whatever choices and calendars they fall under, and also when one is out of all calendars' reach."""
    made = book(*policies, calendar(5, NINE_TO_SIX))
    matters = [(Matter(topics=topics, territories=(100,), priority="ordinary"), at) for topics, at in asked]
    assert made.plan_all(matters) == [made.plan(matter, at) for matter, at in matters]
