"""The written form of keywords, and their matching. Pure.

A cell of keywords is a list separated by `;`. Each keyword is one or several words, then optionally `=` and a weight:

    автобус; остановк*; нет воды=3; горяч* вод*=2.5; уборка=0.5

- a word matches every form of itself (its stem is compared): `дорога` matches «дороги», «дорогами»;
- a word with `*` matches whatever begins so: `поликлин*` matches «поликлиника», «поликлинике»;
- several words match when they stand near each other, in any order: `нет воды` matches «воды уже сутки нет»;
- the weight says how much the keyword speaks for its topic; 1 when not given, negative to speak against it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.triage.text import is_word, plain_word, stem

MAX_WORDS = 5
MAX_WEIGHT = 20.0
_PREFIX_MIN = 2
_LONG_WORD = 5
_CACHE_MAX = 131_072
_PLACES_MAX = 12
_WORD = re.compile(r"[^\W_]+\*?")


class KeywordError(ValueError):
    """A keyword that cannot be read; the text of the error names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keyword:
    """One keyword of a cell: its words as written (without weight), in lower case, and its weight."""

    words: tuple[str, ...]
    weight: float = 1.0

    @property
    def text(self) -> str:
        """The keyword as people write it."""
        return " ".join(self.words)


def parse_keywords(cell: str) -> tuple[Keyword, ...]:
    """Keywords of one cell, in order. Raises KeywordError with the offending piece."""
    keywords = []
    for piece in cell.lower().replace("ё", "е").split(";"):
        text, separator, weight = piece.strip().partition("=")
        if not text and not separator:
            continue
        keywords.append(Keyword(words=_words(text, piece), weight=_weight(weight, piece) if separator else 1.0))
    return tuple(keywords)


def _words(text: str, piece: str) -> tuple[str, ...]:
    words = tuple(text.replace("-", " ").split())
    if not words or len(words) > MAX_WORDS:
        msg = f"{piece.strip()!r}: from 1 to {MAX_WORDS} words are expected"
        raise KeywordError(msg)
    for word in words:
        if not _WORD.fullmatch(word) or (word.endswith("*") and len(word) <= _PREFIX_MIN):
            msg = f"{piece.strip()!r}: {word!r} is not a word of letters and digits, or its beginning is too short"
            raise KeywordError(msg)
    return words


def _weight(text: str, piece: str) -> float:
    try:
        weight = float(text.strip())
    except ValueError:
        weight = float("nan")
    if not -MAX_WEIGHT <= weight <= MAX_WEIGHT or weight == 0:
        msg = f"{piece.strip()!r}: the weight must be a number between -{MAX_WEIGHT:g} and {MAX_WEIGHT:g}, not 0"
        raise KeywordError(msg)
    return weight


def canonical(keyword: Keyword) -> tuple[str, ...]:
    """Equal for keywords that match the same texts."""
    return tuple(sorted(word if word.endswith("*") else stem(plain_word(word)) for word in keyword.words))


_Fit = tuple[tuple[int, ...], tuple[int, ...]]
_NOTHING: _Fit = ((), ())
_Phrases = dict[int, tuple[tuple[int, tuple[int, ...]], ...]]


class Matcher:
    """Finds which of many keywords a text contains, in one pass over its tokens. Thread-safe.

    Keywords are known by their number in the sequence given.
    """

    __slots__ = ("_alone", "_cache", "_in_phrases", "_phrases", "_prefixes", "_shortest", "_stems")

    def __init__(self, keywords: Sequence[Keyword]) -> None:
        self._stems: dict[str, int] = {}
        self._prefixes: dict[str, int] = {}
        numbers: dict[str, int] = {}
        alone: dict[int, list[int]] = {}
        several: list[tuple[int, tuple[int, ...]]] = []
        for number, keyword in enumerate(keywords):
            parts = tuple(self._pattern(word, numbers) for word in keyword.words)
            if len(parts) == 1:
                alone.setdefault(parts[0], []).append(number)
            else:
                several.append((number, parts))
        self._alone = {part: tuple(found) for part, found in alone.items()}
        self._in_phrases = frozenset(part for _, parts in several for part in parts)
        self._phrases = _by_rarest_part(several)
        self._shortest = min(map(len, self._prefixes), default=0)
        self._cache: dict[str, _Fit] = {}

    def _pattern(self, word: str, numbers: dict[str, int]) -> int:
        prefix = word.endswith("*")
        key = word if prefix else stem(plain_word(word))
        number = numbers.setdefault(key, len(numbers))
        if prefix:
            self._prefixes[word[:-1]] = number
        else:
            self._stems[key] = number
        return number

    def _fit(self, token: str) -> _Fit:
        """The keywords a token is by itself, and its patterns that phrases need; remembered: words repeat."""
        patterns = tuple(self._patterns(plain_word(token))) if is_word(token) else ()
        alone = tuple(number for pattern in patterns for number in self._alone.get(pattern, ()))
        fit = (alone, tuple(pattern for pattern in patterns if pattern in self._in_phrases))
        if len(self._cache) >= _CACHE_MAX:
            self._cache.clear()
        self._cache[token] = fit = fit if alone or fit[1] else _NOTHING
        return fit

    def _patterns(self, word: str) -> Iterable[int]:
        # A stem is the beginning of its word, and finding it is dear: look first whether any beginning is known.
        stems = self._stems
        shortest = 2 if len(word) >= _LONG_WORD else 1
        if any(word[:length] in stems for length in range(shortest, len(word) + 1)):
            exact = stems.get(stem(word))
            if exact is not None:
                yield exact
        if self._shortest:
            for length in range(self._shortest, len(word) + 1):
                prefix = self._prefixes.get(word[:length])
                if prefix is not None:
                    yield prefix

    def alone(self, token: str) -> tuple[int, ...]:
        """Numbers of the one-word keywords that a token is."""
        return (self._cache.get(token) or self._fit(token))[0]

    def find(self, tokens: Sequence[str]) -> list[int]:
        """Numbers of the keywords found, each once."""
        places: dict[int, list[int]] = {}
        found: list[int] = []
        cache = self._cache
        for position, token in enumerate(tokens):
            fit = cache.get(token)
            if fit is None:
                fit = self._fit(token)
            if fit is _NOTHING:
                continue
            alone, parts = fit
            found += alone
            for part in parts:
                where = places.get(part)
                if where is None:
                    places[part] = [position]
                elif len(where) < _PLACES_MAX:
                    where.append(position)
        if places:
            found += self._found_phrases(places)
        return list(dict.fromkeys(found))

    def _found_phrases(self, places: dict[int, list[int]]) -> list[int]:
        found = []
        for part, where in places.items():
            for number, rest in self._phrases.get(part, ()):
                for other in rest:
                    if other not in places:
                        break
                else:
                    if _near(where, rest, places):
                        found.append(number)
        return found


def _by_rarest_part(phrases: Sequence[tuple[int, tuple[int, ...]]]) -> _Phrases:
    """Phrases under that part of theirs which the fewest phrases have, so that «не» or «дорога» start no search."""
    frequency = Counter(part for _, parts in phrases for part in parts)
    table: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    for number, parts in phrases:
        rarest = min(range(len(parts)), key=lambda index: frequency[parts[index]])
        table.setdefault(parts[rarest], []).append((number, parts[:rarest] + parts[rarest + 1 :]))
    return {part: tuple(found) for part, found in table.items()}


def _near(where: list[int], rest: tuple[int, ...], places: dict[int, list[int]]) -> bool:
    """Whether some place in `where` has one of each other part within reach. Loops, not generators: a third of all triage ran here."""
    reach = len(rest) + 2
    for anchor in where:
        for part in rest:
            for place in places[part]:
                if -reach <= place - anchor <= reach and place != anchor:
                    break
            else:
                break
        else:
            return True
    return False
