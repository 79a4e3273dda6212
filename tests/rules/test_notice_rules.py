"""Who is told when, own hours, digests: the rules alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from app.notices.digest import Storm, gather
from app.notices.hours import Hours
from app.notices.rules import BREACHES, Carrier, Happening, Kind, Listener, Rule, Told, holding, plan
from app.people.rules import Role

NOW = datetime(2026, 11, 17, 7, 0, tzinfo=UTC)
ALL = frozenset(Carrier)
OPERATOR, COORDINATOR, SUPERVISOR = (
    Listener(operator_id=1, role=Role.OPERATOR, address_id=11, carrier=Carrier.EMAIL, agency_id=7),
    Listener(operator_id=2, role=Role.COORDINATOR, address_id=22, carrier=Carrier.EMAIL, territory_id=5),
    Listener(operator_id=3, role=Role.SUPERVISOR, address_id=33, carrier=Carrier.TELEGRAM),
)
COLLEAGUE = Listener(operator_id=4, role=Role.OPERATOR, address_id=44, carrier=Carrier.EMAIL, agency_id=7)
ELSEWHERE = Listener(operator_id=5, role=Role.OPERATOR, address_id=55, carrier=Carrier.EMAIL, agency_id=8)
EVERYBODY = (OPERATOR, COLLEAGUE, COORDINATOR, SUPERVISOR, ELSEWHERE)
RULES = (
    Rule(role=Role.OPERATOR, carriers=ALL, share=80),
    Rule(role=Role.OPERATOR, carriers=ALL, after=timedelta(0)),
    Rule(role=Role.COORDINATOR, carriers=ALL, after=timedelta(hours=2)),
    Rule(role=Role.SUPERVISOR, carriers=frozenset({Carrier.TELEGRAM}), after=timedelta(days=1)),
)


def happening(kind: Kind, *, share: int | None = None, holder: int | None = None, told_upto: timedelta | None = None) -> Happening:
    return Happening(id=9, kind=kind, share=share, at=NOW, agencies=(7, 6), territories=(5, 4), holder=holder, told_upto=told_upto)


def people(told: frozenset[Told]) -> set[int]:
    return {one.operator_id for one in told}


@pytest.mark.parametrize(
    ("what", "hours", "who"),
    [
        (happening(Kind.SLA_WARNING, share=50), 0, set()),
        (happening(Kind.SLA_WARNING, share=80), 0, {1, 4}),
        (happening(Kind.SLA_WARNING, share=90), 0, {1, 4}),
        (happening(Kind.SLA_WARNING), 0, {1, 4}),  # nobody knows the share: rather told than not
        (happening(Kind.SLA_WARNING, share=80, holder=4), 0, {4}),
        (happening(Kind.SLA_WARNING, share=80, holder=99), 0, {1, 4}),  # who took it has no address
        (happening(Kind.SLA_BREACH), 0, {1, 4}),
        (happening(Kind.SLA_BREACH), 2, {1, 2, 4}),
        (happening(Kind.SLA_BREACH, told_upto=timedelta(0)), 2, {2}),
        (happening(Kind.SLA_BREACH, told_upto=timedelta(hours=2)), 23, set()),
        (happening(Kind.SLA_BREACH, told_upto=timedelta(hours=2)), 24, {3}),
        (happening(Kind.TRIAGE_WARNING, share=80), 0, set()),  # operators decide nothing in triage
        (happening(Kind.TRIAGE_BREACH), 30, {2}),
    ],
)
def test_who_is_told_when(what: Happening, hours: int, who: set[int]) -> None:
    assert people(plan(what, RULES, EVERYBODY, now=NOW + timedelta(hours=hours)).told) == who


AT_ONCE, LATER = timedelta(0), timedelta(hours=5)


@pytest.mark.parametrize(
    ("places", "told_at"),
    [
        ([{}, {"territory_id": 4}], "territory 4"),
        ([{}, {"territory_id": 4}, {"territory_id": 5}], "territory 5"),  # the nearer one
        ([{"territory_id": 5}, {"agency_id": 6}], "agency 6"),  # the agency's line before the territory's
        ([{"agency_id": 6}, {"agency_id": 7}, {}], "agency 7"),
        ([{}, {"agency_id": 8}, {"territory_id": 9}], "everywhere"),  # rules of other places do not hold here
    ],
)
def test_the_nearest_place_speaks_for_a_role_alone(places: list[dict[str, int]], told_at: str) -> None:
    def named(rule: Rule) -> str:
        return f"agency {rule.agency_id}" if rule.agency_id else f"territory {rule.territory_id}" if rule.territory_id else "everywhere"

    rules = [Rule(role=Role.OPERATOR, carriers=ALL, after=AT_ONCE, **place) for place in places]
    others = Rule(role=Role.COORDINATOR, carriers=ALL, after=LATER)  # another role's rules stay as they are
    assert [named(rule) for rule in holding([*rules, others], happening(Kind.SLA_BREACH))] == [told_at, "everywhere"]


def test_a_place_may_tell_later_than_the_region() -> None:
    here = Rule(role=Role.OPERATOR, carriers=ALL, after=LATER, agency_id=7)
    found = plan(happening(Kind.SLA_BREACH), [*RULES, here], EVERYBODY, now=NOW + timedelta(hours=2))
    assert (people(found.told), found.again_at) == ({2}, NOW + LATER)


def test_the_next_look_is_at_the_next_stage() -> None:
    first = plan(happening(Kind.SLA_BREACH), RULES, EVERYBODY, now=NOW)
    assert (first.upto, first.escalated_to, first.again_at) == (timedelta(0), None, NOW + timedelta(hours=2))
    assert plan(happening(Kind.SLA_BREACH), RULES, (OPERATOR,), now=NOW + timedelta(days=2)).escalated_to is None  # nobody there is told
    last = plan(happening(Kind.SLA_BREACH, told_upto=timedelta(0)), RULES, EVERYBODY, now=NOW + timedelta(days=2))
    assert (last.upto, last.escalated_to, last.again_at) == (timedelta(days=1), Role.SUPERVISOR, None)


@given(
    afters=st.lists(st.integers(0, 500), max_size=5),
    looks=st.lists(st.integers(0, 600), min_size=1, max_size=6).map(sorted),
)
def test_however_often_one_looks_each_stage_is_told_once(afters: list[int], looks: list[int]) -> None:
    rules = [Rule(role=Role.COORDINATOR, carriers=ALL, after=timedelta(minutes=after)) for after in afters]
    told: list[Told] = []
    upto: timedelta | None = None
    for look in looks:
        found = plan(happening(Kind.SLA_BREACH, told_upto=upto), rules, EVERYBODY, now=NOW + timedelta(minutes=look))
        told += found.told
        upto = found.upto
        if found.again_at is not None:
            assert found.again_at > NOW + timedelta(minutes=look)
    assert sorted(one.stage for one in told) == sorted({timedelta(minutes=after) for after in afters if after <= looks[-1]})


def test_a_rule_speaks_of_its_own_kind_alone() -> None:
    for kind in Kind:
        assert (Rule(role=Role.COORDINATOR, carriers=ALL, after=timedelta(0)).stage(kind, 80) is not None) == (kind in BREACHES)


ZONES = st.sampled_from(["Europe/Moscow", "Asia/Kamchatka", "Europe/Kaliningrad", "Europe/Berlin", "America/New_York"])
MOMENTS = st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - given a zone


@given(
    days=st.frozensets(st.integers(1, 7), min_size=1),
    opens=st.integers(0, 1439),
    closes=st.integers(1, 1440),
    zone=ZONES,
    now=MOMENTS,
)
def test_hours_open_soon_and_not_before(days: frozenset[int], opens: int, closes: int, zone: str, now: datetime) -> None:
    if opens == closes:
        with pytest.raises(ValueError, match="different minutes"):
            Hours(days=days, opens=opens, closes=closes, timezone=zone)
        return
    hours = Hours(days=days, opens=opens, closes=closes, timezone=zone)
    opened = hours.next_open(now)
    assert now <= opened <= now + timedelta(days=8)
    assert hours.next_open(opened) == opened  # then it is open
    if opened > now:  # and at no moment in between
        for part in range(1, 5):
            assert hours.next_open(now + (opened - now) * part / 5) == opened
        local = opened.astimezone(ZoneInfo(zone))
        assert local.isoweekday() in days


def test_a_night_shift_ends_on_the_next_day() -> None:
    hours = Hours(days=frozenset({5}), opens=22 * 60, closes=6 * 60, timezone="Europe/Moscow")
    friday, moscow = datetime(2026, 11, 20, tzinfo=ZoneInfo("Europe/Moscow")), timedelta(hours=1)
    assert hours.next_open(friday + 23 * moscow) == friday + 23 * moscow
    assert hours.next_open(friday + 29 * moscow) == friday + 29 * moscow  # five in the morning of Saturday
    assert hours.next_open(friday + 30 * moscow) == friday + timedelta(days=7) + 22 * moscow


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    arrivals=st.lists(st.integers(0, 4_000), max_size=40),
    over=st.integers(1, 5),
    window=st.integers(60, 900),
)
def test_every_notice_is_in_exactly_one_message_and_no_window_has_a_storm(arrivals: list[int], over: int, window: int) -> None:
    """Seconds pass one look every ten; afterwards long enough for all that waits."""
    storm = Storm(over=over, window=timedelta(seconds=window))
    waiting: list[int] = []
    letters: list[tuple[datetime, bool, tuple[int, ...]]] = []
    for second in range(0, 4_000 + 3 * window, 10):
        now = NOW + timedelta(seconds=second)
        waiting += [number for number, at in enumerate(arrivals) if second - 10 < at <= second]
        singles_at = [at for at, digest, _ in letters if not digest]
        digest_at = max((at for at, digest, _ in letters if digest), default=None)
        found = gather(waiting, singles_at=singles_at, digest_at=digest_at, storm=storm, now=now)
        assert sorted((*found.singles, *found.digest, *found.waiting)) == sorted(waiting)
        assert bool(found.waiting) == (found.again_at is not None)
        letters += [(now, False, (one,)) for one in found.singles]
        letters += [(now, True, found.digest)] * bool(found.digest)
        waiting = list(found.waiting)
    assert waiting == []
    assert sorted(number for *_, told in letters for number in told) == list(range(len(arrivals)))
    for start, *_ in letters:
        within = [one for one in letters if start <= one[0] < start + storm.window]
        assert len(within) <= over + 1
