"""Routing: exactly one agency or an explained none, and the most specific rule."""

from __future__ import annotations

import random
import time

from hypothesis import given, strategies as st

from app.triage.routing import Place, Route, Router, Rule
from app.triage.rules import ReasonCode

REGION, CITY, DISTRICT = 1, 2, 3
ROADS, PITS = 10, 11
PAGE, OTHER_PAGE = 20, 21
OWNER = 900
HERE = Place(page_id=PAGE, territory_ids=(DISTRICT, CITY, REGION), topic_ids=(PITS, ROADS), page_agency_id=OWNER)


def chosen(*rules: Rule, place: Place = HERE) -> Route:
    return Router(rules).choose(place)


def test_the_page_comes_first_then_the_topic_then_the_territory() -> None:
    ladder = [
        Rule(id=1, agency_id=101),
        Rule(id=2, territory_id=REGION, agency_id=102),
        Rule(id=3, territory_id=DISTRICT, agency_id=103),
        Rule(id=4, topic_id=ROADS, agency_id=104),
        Rule(id=5, topic_id=ROADS, territory_id=REGION, agency_id=105),
        Rule(id=6, topic_id=ROADS, territory_id=CITY, agency_id=106),
        Rule(id=7, topic_id=PITS, agency_id=107),
        Rule(id=8, topic_id=PITS, territory_id=DISTRICT, agency_id=108),
        Rule(id=9, page_id=PAGE, agency_id=109),
        Rule(id=10, page_id=PAGE, territory_id=DISTRICT, agency_id=110),
        Rule(id=11, page_id=PAGE, topic_id=ROADS, agency_id=111),
        Rule(id=12, page_id=PAGE, topic_id=PITS, territory_id=DISTRICT, agency_id=112),
    ]
    for count in range(1, len(ladder) + 1):
        assert chosen(*ladder[:count]).rule_id == count


def test_rules_for_elsewhere_do_not_fit() -> None:
    route = chosen(
        Rule(id=1, page_id=OTHER_PAGE, agency_id=101),
        Rule(id=2, territory_id=99, agency_id=102),
        Rule(id=3, topic_id=99, agency_id=103),
    )
    assert (route.agency_id, route.rule_id) == (None, None)
    assert route.reason.code is ReasonCode.NO_RULE
    assert route.reason.params == {"page": PAGE, "territory": DISTRICT, "topic": PITS}


def test_an_unknown_topic_meets_only_rules_for_any_topic() -> None:
    place = Place(page_id=PAGE, territory_ids=(CITY, REGION), page_agency_id=OWNER)
    topical = Rule(id=1, topic_id=ROADS, agency_id=101)
    assert chosen(topical, place=place).reason.code is ReasonCode.NO_RULE_FOR_UNKNOWN_TOPIC
    assert chosen(topical, Rule(id=2, territory_id=REGION, agency_id=102), place=place).agency_id == 102


def test_the_owner_of_the_page_answers_only_when_a_rule_says_so() -> None:
    assert chosen().agency_id is None
    route = chosen(Rule(id=7))
    assert (route.agency_id, route.rule_id) == (OWNER, 7)
    assert route.reason.code is ReasonCode.RULE_OWN_AGENCY


def test_where_nobody_owns_the_page_the_next_rule_answers() -> None:
    place = Place(page_id=PAGE, territory_ids=(REGION,), topic_ids=(ROADS,))
    assert chosen(Rule(id=1, page_id=PAGE), Rule(id=2, agency_id=102), place=place).agency_id == 102
    assert chosen(Rule(id=1, page_id=PAGE), place=place).agency_id is None


def test_the_reason_names_what_the_rule_names() -> None:
    route = chosen(Rule(id=5, topic_id=ROADS, territory_id=CITY, agency_id=105))
    assert route.reason.code is ReasonCode.RULE
    assert route.reason.params == {"rule": 5, "topic": ROADS, "territory": CITY}


def test_of_two_equal_rules_the_lower_id_wins_and_the_others_follow() -> None:
    rules = [
        Rule(id=9, topic_id=PITS, agency_id=109),
        Rule(id=4, topic_id=PITS, agency_id=104),
        Rule(id=1, agency_id=101),
    ]
    assert [rule.id for rule in Router(rules).matching(HERE)] == [4, 9, 1]


IDS = st.one_of(st.none(), st.integers(1, 4))
RULES = st.lists(
    st.builds(Rule, id=st.integers(1, 500), page_id=IDS, territory_id=IDS, topic_id=IDS, agency_id=IDS),
    max_size=30,
    unique_by=lambda rule: rule.id,
)
LINES = st.lists(st.integers(1, 4), unique=True, max_size=3).map(tuple)
PLACES = st.builds(Place, page_id=IDS, territory_ids=LINES, topic_ids=LINES, page_agency_id=IDS)


def fits(rule: Rule, place: Place) -> bool:
    return (
        rule.page_id in {None, place.page_id}
        and rule.topic_id in {None, *place.topic_ids}
        and rule.territory_id in {None, *place.territory_ids}
        and (rule.agency_id is not None or place.page_agency_id is not None)
    )


def rank(rule: Rule, place: Place) -> tuple[int, int, int, int]:
    """The documented order, written a second time and slowly."""
    return (
        0 if rule.page_id is not None else 1,
        place.topic_ids.index(rule.topic_id) if rule.topic_id is not None else len(place.topic_ids),
        place.territory_ids.index(rule.territory_id) if rule.territory_id is not None else len(place.territory_ids),
        rule.id,
    )


@given(RULES, PLACES)
def test_exactly_one_agency_or_an_explained_none(rules: list[Rule], place: Place) -> None:
    route = Router(rules).choose(place)
    fitting = sorted((rule for rule in rules if fits(rule, place)), key=lambda rule: rank(rule, place))
    if fitting:
        best = fitting[0]
        assert route.rule_id == best.id
        assert route.agency_id == (best.agency_id if best.agency_id is not None else place.page_agency_id)
    else:
        assert (route.agency_id, route.rule_id) == (None, None)
        assert route.reason.code in {ReasonCode.NO_RULE, ReasonCode.NO_RULE_FOR_UNKNOWN_TOPIC}
    assert list(Router(rules).matching(place)) == fitting


@given(RULES, PLACES, st.builds(Rule, id=st.just(1000), page_id=IDS, territory_id=IDS, topic_id=IDS, agency_id=IDS))
def test_a_less_specific_rule_changes_nothing(rules: list[Rule], place: Place, extra: Rule) -> None:
    before = Router(rules).choose(place)
    after = Router([*rules, extra]).choose(place)
    if after != before:
        assert after.rule_id == extra.id
        assert all(rank(extra, place) < rank(rule, place) for rule in rules if fits(rule, place))


@given(RULES, PLACES, st.randoms())
def test_the_order_of_rules_does_not_matter(rules: list[Rule], place: Place, chance: random.Random) -> None:
    shuffled = rules.copy()
    chance.shuffle(shuffled)
    assert Router(shuffled).choose(place) == Router(rules).choose(place)


@given(RULES, st.lists(PLACES, max_size=20))
def test_a_batch_is_its_parts(rules: list[Rule], places: list[Place]) -> None:
    router = Router(rules)
    assert router.choose_all(places) == [router.choose(place) for place in places]


def test_many_rules_cost_no_more_than_few() -> None:
    chance = random.Random(7)
    places = [
        Place(page_id=n, territory_ids=(n % 50, 100 + n % 5, 200), topic_ids=(n % 200, 300 + n % 26), page_agency_id=n) for n in range(500)
    ]

    def cost(count: int) -> float:
        rules = [
            Rule(
                id=n,
                page_id=chance.choice([None, chance.randrange(7000)]),
                territory_id=chance.randrange(300),
                topic_id=chance.randrange(400),
                agency_id=n,
            )
            for n in range(count)
        ]
        router = Router(rules)
        best = 9.0
        for _ in range(3):
            started = time.process_time()
            router.choose_all(places)
            best = min(best, time.process_time() - started)
        return best

    assert cost(10_000) < 20 * cost(10) + 0.05
