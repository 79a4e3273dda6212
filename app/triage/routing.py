"""Who answers: a table of page × territory × topic → agency, most specific rule first. Pure.

Which rule is more specific, in this order, so that any two rules that fit one place are comparable:
1. a rule that names the page before one that does not;
2. a rule that names the topic itself, then one that names its group, … , then one that names no topic;
3. a rule that names the territory itself, then its parent, … , then one that names no territory;
4. of two rules for exactly the same page, topic and territory, the one with the lower id.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.triage.rules import Reason, ReasonCode

_Key = tuple[int | None, int | None, int | None]
_ANY: tuple[None] = (None,)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One line of the table. None in page, territory or topic means any.

    A territory stands for itself and all below it, a topic likewise. `agency_id` None is the explicit default
    "the agency that owns the page".
    """

    id: int
    page_id: int | None = None
    territory_id: int | None = None
    topic_id: int | None = None
    agency_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a comment stands: page, territories and topics from the very one up to the root. Unknown: None or ()."""

    page_id: int | None
    territory_ids: tuple[int, ...] = ()
    topic_ids: tuple[int, ...] = ()
    page_agency_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """The agency that answers, the rule that said so, and why; or no agency and why not (a coordinator decides)."""

    agency_id: int | None
    rule_id: int | None
    reason: Reason


class Router:
    """Rules compiled into a lookup: the time to choose does not depend on how many rules there are."""

    __slots__ = ("_named_pages", "_rules")

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Keep, for each (page, topic, territory), its rules by id. The order of `rules` does not matter."""
        table: dict[_Key, list[Rule]] = {}
        for rule in rules:
            table.setdefault((rule.page_id, rule.topic_id, rule.territory_id), []).append(rule)
        self._rules = {key: tuple(sorted(same, key=_rule_id)) for key, same in table.items()}
        self._named_pages = frozenset(page for page, _, _ in table if page is not None)

    def choose(self, place: Place) -> Route:
        """The most specific rule's agency, or None with the reason."""
        for rule in self.matching(place):
            return _route(rule, place)
        return _no_route(place)

    def choose_all(self, places: Sequence[Place]) -> list[Route]:
        """`choose` for a batch, in order; equal places are looked up once."""
        known: dict[Place, Route] = {}
        routes = []
        for place in places:
            route = known.get(place)
            if route is None:
                route = known[place] = self.choose(place)
            routes.append(route)
        return routes

    def matching(self, place: Place) -> Iterator[Rule]:
        """Every rule that fits the place, most specific first (the first one wins; the others explain it).

        A rule "the agency that owns the page" does not fit where no agency owns it.
        """
        rules = self._rules
        pages: tuple[int | None, ...] = (place.page_id, None) if place.page_id in self._named_pages else _ANY
        for page in pages:
            for topic in (*place.topic_ids, None):
                for territory in (*place.territory_ids, None):
                    for rule in rules.get((page, topic, territory), ()):
                        if rule.agency_id is not None or place.page_agency_id is not None:
                            yield rule


def _rule_id(rule: Rule) -> int:
    return rule.id


def _route(rule: Rule, place: Place) -> Route:
    own = rule.agency_id is None
    agency_id = place.page_agency_id if own else rule.agency_id
    named = (("page", rule.page_id), ("topic", rule.topic_id), ("territory", rule.territory_id))
    params = {"rule": rule.id, **{name: value for name, value in named if value is not None}}
    code = ReasonCode.RULE_OWN_AGENCY if own else ReasonCode.RULE
    return Route(agency_id=agency_id, rule_id=rule.id, reason=Reason(code=code, params=params))


def _no_route(place: Place) -> Route:
    params = {}
    if place.page_id is not None:
        params["page"] = place.page_id
    if place.territory_ids:
        params["territory"] = place.territory_ids[0]
    code = ReasonCode.NO_RULE_FOR_UNKNOWN_TOPIC
    if place.topic_ids:
        params["topic"] = place.topic_ids[0]
        code = ReasonCode.NO_RULE
    return Route(agency_id=None, rule_id=None, reason=Reason(code=code, params=params))
