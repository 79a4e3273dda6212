"""The first classifier: keywords and stems. Says why in the very words it found."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.triage.classification import Classification, Sample, TopicScore
from app.triage.classifiers.markers import Marker, Sign, fingerprint, load_markers
from app.triage.classifiers.tree import Evidence, TopicTerms, TopicTree
from app.triage.rules import Kind, Reason, ReasonCode
from app.triage.text import LIMIT, Reading, is_word, read
from app.triage.vocabulary import Keyword, Matcher

ALGORITHM = 1
"""Raise when the same vocabulary would decide differently."""

APPEAL_FROM = 1.8
"""Points that open an appeal without a person: say, a question (1.5) and a word or two of its topic."""
DEMAND_FROM = 0.5
"""Of them so many from asking, demanding or complaining: a place and a topic alone are a remark."""
TALK_NEEDS = 1.0
"""So many more are needed when the comment speaks to another citizen."""
_CAPS = ((Sign.ASK, 2.0), (Sign.REQUEST, 2.0), (Sign.COMPLAIN, 2.5), (Sign.PLACE, 1.0))
_QUESTION_MARK = 1.0
_TOPIC_SHARE = 0.3
_TOPIC_CAP = 1.5
_POST_SHARE = 0.3
_OWN_TOPIC = 1.0
"""Points of the comment's own words below which the post above it is asked for the topic."""
_CLOSE = 0.05
_SHOWN = 3

_OPPOSING_MAX = 0.6
_TALK_OPPOSING_MAX = 0.8
_TALK_TOPIC_MAX = 2.5
_COURTESY_FROM = 1.0
_SURELY_WARM = 3.0
_CHATTER_FROM = 0.5
_DEMANDS = ((Sign.ASK, ReasonCode.QUESTION), (Sign.REQUEST, ReasonCode.REQUEST), (Sign.COMPLAIN, ReasonCode.COMPLAINT))
_LIGHT = frozenset({Sign.THANKS, Sign.PRAISE, Sign.WISHES, Sign.GREETING, Sign.CHATTER, Sign.PLAIN})
_WARM: tuple[tuple[Sign, Kind], ...] = (
    (Sign.WISHES, Kind.WISHES),
    (Sign.THANKS, Kind.THANKS),
    (Sign.PRAISE, Kind.THANKS),
)


class _Signs(NamedTuple):
    """What the markers of one text add up to, and the strongest of each sign."""

    points: dict[Sign, float]
    strongest: dict[Sign, Keyword]
    demand: float
    strength: float


class KeywordClassifier:
    """A `Classifier` over a town's own topic tree. Raises ValueError when the tree or a keyword is wrong."""

    name = "keywords"

    def __init__(self, terms: Iterable[TopicTerms], markers: Sequence[Marker] | None = None) -> None:
        rows = sorted(terms, key=lambda row: row.code)
        known = load_markers() if markers is None else tuple(markers)
        said = [(marker.sign, marker.keyword.weight, marker.keyword) for marker in known if marker.sign is not Sign.PLAIN]
        self._facts = tuple(said)
        self._first_topic = len(said)
        self._tree = TopicTree(rows)
        self._matcher = Matcher([*(keyword for _, _, keyword in said), *self._tree.keywords])
        self._light = Matcher([m.keyword for m in known if m.sign in _LIGHT and len(m.keyword.words) == 1])
        pieces = [f"{row.code}|{row.parent}|{row.keywords}" for row in rows]
        pieces += [f"{marker.sign}|{marker.keyword.text}={marker.keyword.weight}" for marker in known]
        self._version = f"{ALGORITHM}-{fingerprint(pieces)}"

    @property
    def version(self) -> str:
        """Number of the algorithm and a fingerprint of all words."""
        return self._version

    def classify(self, batch: Sequence[Sample]) -> list[Classification]:
        """One classification per sample, in order. Each post is read once per batch."""
        posts: dict[str, Evidence] = {}
        return [self._one(sample, posts) for sample in batch]

    def _one(self, sample: Sample, posts: dict[str, Evidence]) -> Classification:
        if sample.by_page:
            return _verdict(Kind.PAGE_VOICE, 1.0, Reason(code=ReasonCode.BY_PAGE))
        reading = read(sample.text)
        if not any(map(is_word, reading.tokens)):
            return _wordless(sample, reading)
        found = self._matcher.find(reading.tokens)
        evidence = self._evidence(found)
        signs = self._signs(found, reading, evidence)
        light = self._light_kind(sample, reading, signs) or _talk(sample, reading, signs, evidence)
        if light is not None:
            return light
        post = self._post(sample, evidence, posts)
        return self._appeal_or_doubt(reading, signs, evidence, post)

    def _post(self, sample: Sample, own: Evidence, posts: dict[str, Evidence]) -> Evidence | None:
        """What the post above says, when the comment's own words name no topic."""
        text = sample.post_text
        if not text or max(own.points.values(), default=0.0) >= _OWN_TOPIC:
            return None
        if text not in posts:
            posts[text] = self._evidence(self._matcher.find(read(text).tokens), _POST_SHARE)
        return posts[text]

    def _evidence(self, found: Sequence[int], share: float = 1.0) -> Evidence:
        first = self._first_topic
        return self._tree.weigh([number - first for number in found if number >= first], share)

    def _signs(self, found: Sequence[int], reading: Reading, evidence: Evidence) -> _Signs:
        points: dict[Sign, float] = {}
        best: dict[Sign, float] = {}
        strongest: dict[Sign, Keyword] = {}
        facts, first = self._facts, self._first_topic
        for number in found:
            if number < first:
                sign, weight, keyword = facts[number]
                points[sign] = points.get(sign, 0.0) + weight
                if weight > best.get(sign, 0.0):
                    best[sign] = weight
                    strongest[sign] = keyword
        if reading.asks:
            points[Sign.ASK] = points.get(Sign.ASK, 0.0) + _QUESTION_MARK
        demand = sum(points.get(sign, 0.0) for sign, _ in _DEMANDS)
        strength = min(_TOPIC_CAP, _TOPIC_SHARE * max(evidence.points.values(), default=0.0))
        strength += sum(min(points.get(sign, 0.0), cap) for sign, cap in _CAPS)
        return _Signs(points, strongest, demand, strength)

    def _light_kind(self, sample: Sample, reading: Reading, signs: _Signs) -> Classification | None:
        """Thanks, wishes, a greeting or a nod, when nothing in the comment speaks against it; else None."""
        points = signs.points
        if reading.asks or reading.cut or signs.demand > _OPPOSING_MAX:
            return None
        words = [token for token in reading.tokens if is_word(token)]
        heavy = sum(not self._light.alone(word) for word in words)
        warmth = sum(points.get(sign, 0.0) for sign, _ in _WARM)
        doubt = Sign.NEGATION in points and warmth < _SURELY_WARM
        if warmth >= _COURTESY_FROM and not doubt and heavy <= 1 + 2 * min(warmth, 5.0):
            sign, kind = max(_WARM, key=lambda pair: points.get(pair[0], 0.0))
            if sample.has_attachment and (heavy > 1 or sign is Sign.PRAISE):
                return None  # praise of what the picture shows may be bitter
            return _light_verdict(kind, ReasonCode.COURTESY, signs.strongest[sign], heavy, len(words))
        if heavy <= 1 and Sign.NEGATION not in points and not sample.has_attachment:
            if points.get(Sign.CHATTER, 0.0) >= _CHATTER_FROM:
                return _light_verdict(Kind.CHATTER, ReasonCode.CHATTER, signs.strongest[Sign.CHATTER], heavy, len(words))
            if heavy == 0 and Sign.GREETING in points:
                return _light_verdict(Kind.GREETING, ReasonCode.COURTESY, signs.strongest[Sign.GREETING], heavy, len(words))
        return None

    def _appeal_or_doubt(self, reading: Reading, signs: _Signs, evidence: Evidence, post: Evidence | None) -> Classification:
        needed = APPEAL_FROM + (TALK_NEEDS if reading.starts_with_person else 0.0)
        is_appeal = True if signs.strength >= needed and signs.demand >= DEMAND_FROM else None
        about = evidence if post is None else evidence.plus(post)
        best = self._tree.best(about, _SHOWN)
        reasons = [*_why(signs, needed), *self._why_topic(best, evidence, post)]
        if reading.cut:
            reasons.append(Reason(code=ReasonCode.CUT, params={"characters": LIMIT}))
        return Classification(
            kind=Kind.APPEAL if is_appeal else Kind.UNDECIDED,
            is_appeal=is_appeal,
            confidence=_confidence(signs.strength, needed, is_appeal=is_appeal),
            topic_code=best[0][0] if best else None,
            scores=tuple(TopicScore(code=code, score=round(score, 3)) for code, score in best),
            reasons=tuple(reasons),
        )

    def _why_topic(self, best: Sequence[tuple[str, float]], evidence: Evidence, post: Evidence | None) -> Iterable[Reason]:
        if not best:
            yield Reason(code=ReasonCode.NO_TOPIC)
            return
        code = best[0][0]
        for source, reason in ((evidence, ReasonCode.KEYWORD), (post, ReasonCode.FROM_POST)):
            for keyword, weight in self._tree.speaking_for(code, source, _SHOWN) if source is not None else ():
                yield Reason(code=reason, params={"topic": code, "keyword": keyword.text, "weight": weight})
        if len(best) > 1 and best[0][1] - best[1][1] < _CLOSE:
            yield Reason(code=ReasonCode.CLOSE_CALL, params={"first": code, "second": best[1][0]})


def _why(signs: _Signs, needed: float) -> Iterable[Reason]:
    for sign, code in (*_DEMANDS, (Sign.PLACE, ReasonCode.PLACE)):
        if sign in signs.points:
            keyword = signs.strongest.get(sign)
            yield Reason(code=code, params={"marker": "?" if keyword is None else keyword.text})
    if signs.demand == 0:
        yield Reason(code=ReasonCode.NO_MARKER)
    elif signs.demand < DEMAND_FROM:
        yield Reason(code=ReasonCode.WEAK, params={"strength": round(signs.demand, 2), "needed": DEMAND_FROM})
    elif signs.strength < needed:
        yield Reason(code=ReasonCode.WEAK, params={"strength": round(signs.strength, 2), "needed": needed})


def _talk(sample: Sample, reading: Reading, signs: _Signs, evidence: Evidence) -> Classification | None:
    """Citizens talking to each other: addressed to a person, asks and complains of nothing, about no topic."""
    if not reading.starts_with_person or reading.pages or reading.asks or reading.cut or sample.has_attachment:
        return None
    if signs.demand > _TALK_OPPOSING_MAX or max(evidence.points.values(), default=0.0) > _TALK_TOPIC_MAX:
        return None
    return _verdict(Kind.CHATTER, 0.7, Reason(code=ReasonCode.TALK))


def _wordless(sample: Sample, reading: Reading) -> Classification:
    doubts = (
        (sample.has_attachment, Reason(code=ReasonCode.ATTACHMENT_WITHOUT_TEXT)),
        (reading.cut, Reason(code=ReasonCode.CUT, params={"characters": LIMIT})),
        (reading.asks, Reason(code=ReasonCode.QUESTION, params={"marker": "?"})),
        (reading.blank, Reason(code=ReasonCode.NO_TEXT)),
    )
    for true, reason in doubts:
        if true:
            return _verdict(Kind.UNDECIDED, 0.5, reason)
    if reading.links:
        return _verdict(Kind.LINK, 0.9, Reason(code=ReasonCode.ONLY_LINKS))
    if reading.people or reading.pages:
        return _verdict(Kind.MENTION, 0.9, Reason(code=ReasonCode.ONLY_MENTIONS))
    return _verdict(Kind.EMOJI, 0.95, Reason(code=ReasonCode.ONLY_EMOJI))


def _light_verdict(kind: Kind, code: ReasonCode, keyword: Keyword, heavy: int, words: int) -> Classification:
    return _verdict(kind, round(0.95 - 0.25 * heavy / words, 2), Reason(code=code, params={"marker": keyword.text}))


def _verdict(kind: Kind, confidence: float, *reasons: Reason) -> Classification:
    is_appeal = None if kind is Kind.UNDECIDED else kind is Kind.APPEAL
    return Classification(kind=kind, is_appeal=is_appeal, confidence=confidence, reasons=reasons)


def _confidence(strength: float, needed: float, *, is_appeal: bool | None) -> float:
    """How likely an appeal: 0.5 at the threshold, less below it (a person decides), more above it."""
    if not is_appeal:
        return round(0.5 * min(1.0, strength / needed), 2)
    return round(min(0.95, 0.5 + (strength - needed) / 8), 2)
