"""The topic tree as a classifier sees it: who is whose child, and what each keyword says about each. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.triage.vocabulary import Keyword, KeywordError, canonical, parse_keywords

DESCEND_AT_LEAST = 2.5
DESCEND_MARGIN = 1.5
"""A topic is named instead of its group when so much speaks for it, and so much more than for its sister."""
_UNKNOWN = 1.5
"""Weight of "something else": one weak keyword alone does not make a sure topic."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TopicTerms:
    """One row of the topics table: code, parent's code (None for a group), cell of keywords."""

    code: str
    parent: str | None
    keywords: str


class Evidence(NamedTuple):
    """What the keywords of one text say: points by topic (a parent's include its children's), keywords found."""

    points: dict[str, float]
    found: tuple[int, ...]

    def plus(self, other: "Evidence") -> "Evidence":
        """Both texts' points together."""
        points = dict(self.points)
        for code, weight in other.points.items():
            points[code] = points.get(code, 0.0) + weight
        return Evidence(points, self.found + other.found)


_Leaders = tuple[float, str, float]
"""Points and code of the best child, points of the second."""


class TopicTree:
    """Compiled from rows, in any order. Raises ValueError for an unknown parent, a cycle or a repeated code."""

    def __init__(self, rows: Iterable[TopicTerms]) -> None:
        ordered = sorted(rows, key=lambda row: row.code)
        self._parents = _checked_parents(ordered)
        unique: dict[tuple[str, ...], Keyword] = {}
        says: dict[tuple[str, ...], dict[str, float]] = {}
        for row in ordered:
            for keyword in _parsed(row):
                key = canonical(keyword)
                unique.setdefault(key, keyword)
                self._add(says.setdefault(key, {}), row.code, keyword.weight)
        self.keywords: tuple[Keyword, ...] = tuple(unique.values())
        self._says: tuple[tuple[tuple[str, float], ...], ...] = tuple(tuple(says[key].items()) for key in unique)

    def _add(self, points: dict[str, float], code: str, weight: float) -> None:
        """A keyword counts once for a topic and each of its ancestors, with the greatest weight it has below."""
        node: str | None = code
        while node is not None:
            known = points.get(node)
            if known is None or abs(weight) > abs(known):
                points[node] = weight
            node = self._parents[node]

    def weigh(self, found: Sequence[int], share: float = 1.0) -> Evidence:
        """Points for each topic that any of these keywords (numbers in `keywords`) speaks about."""
        points: dict[str, float] = {}
        for number in found:
            for code, weight in self._says[number]:
                points[code] = points.get(code, 0.0) + weight * share
        return Evidence(points, tuple(found))

    def best(self, evidence: Evidence, top: int = 3) -> list[tuple[str, float]]:
        """The best groups, each with its topic where that is clear, and its share of all points; best first."""
        leaders: dict[str | None, _Leaders] = {}
        groups = []
        total = _UNKNOWN
        for code, points in evidence.points.items():
            if points <= 0.0:
                continue
            parent = self._parents[code]
            if parent is None:
                groups.append((-points, code))
                total += points
                continue
            leader = leaders.get(parent)
            if leader is None:
                leaders[parent] = (points, code, 0.0)
            elif (points, leader[1]) > (leader[0], code):
                leaders[parent] = (points, code, leader[0])
            elif points > leader[2]:
                leaders[parent] = (leader[0], leader[1], points)
        groups.sort()
        return [(_descend(code, leaders), -minus / total) for minus, code in groups[:top]]

    def speaking_for(self, code: str, evidence: Evidence, top: int = 3) -> list[tuple[Keyword, float]]:
        """The keywords that spoke most for a topic, with their weights."""
        spoken = [
            (self.keywords[number], weight)
            for number in evidence.found
            for about, weight in self._says[number]
            if about == code and weight > 0
        ]
        return sorted(spoken, key=lambda pair: (-pair[1], pair[0].text))[:top]


def _descend(code: str, leaders: dict[str | None, _Leaders]) -> str:
    """The topic under a group, when one stands out."""
    leader = leaders.get(code)
    while leader is not None and leader[0] >= DESCEND_AT_LEAST and leader[0] - leader[2] >= DESCEND_MARGIN:
        code = leader[1]
        leader = leaders.get(code)
    return code


def _parsed(row: TopicTerms) -> tuple[Keyword, ...]:
    try:
        return parse_keywords(row.keywords)
    except KeywordError as error:
        msg = f"topic {row.code}: {error}"
        raise KeywordError(msg) from error


def _checked_parents(rows: Sequence[TopicTerms]) -> dict[str, str | None]:
    parents: dict[str, str | None] = {}
    for row in rows:
        if row.code in parents:
            msg = f"topic {row.code} is given twice"
            raise ValueError(msg)
        parents[row.code] = row.parent
    for code, parent in parents.items():
        seen = {code}
        node = parent
        while node is not None:
            if node not in parents:
                msg = f"topic {code}: its parent {node} is not in the table"
                raise ValueError(msg)
            if node in seen:
                msg = f"topic {code} is its own ancestor"
                raise ValueError(msg)
            seen.add(node)
            node = parents[node]
    return parents
