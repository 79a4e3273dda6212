"""Words that tell what a comment does: thanks, greets, asks, demands, complains. Read from `markers.csv`. Pure."""

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

from app.triage.vocabulary import Keyword, canonical, parse_keywords


class Sign(StrEnum):
    """What a word does in a comment."""

    THANKS = "thanks"
    PRAISE = "praise"
    WISHES = "wishes"
    GREETING = "greeting"
    CHATTER = "chatter"
    PLAIN = "plain"  # says nothing by itself: «и», «нам», «очень»
    ASK = "ask"
    REQUEST = "request"
    COMPLAIN = "complain"
    NEGATION = "negation"
    PLACE = "place"


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """One keyword and what it does."""

    sign: Sign
    keyword: Keyword


def load_markers() -> tuple[Marker, ...]:
    """The markers that come with the program."""
    text = resources.files("app.triage.classifiers").joinpath("markers.csv").read_text(encoding="utf-8")
    return tuple(read_markers(csv.DictReader(text.splitlines())))


def read_markers(rows: Iterable[dict[str, str]]) -> Iterable[Marker]:
    """Markers from rows with columns sign and keywords. Raises ValueError for an unknown sign or keyword.

    Forms of one word («нужен», «нужна») are one marker, with the greatest weight, or each would count.
    """
    for row in rows:
        sign = Sign(row["sign"])
        unique: dict[tuple[str, ...], Keyword] = {}
        for keyword in parse_keywords(row["keywords"]):
            form = canonical(keyword)
            if form not in unique or keyword.weight > unique[form].weight:
                unique[form] = keyword
        yield from (Marker(sign=sign, keyword=keyword) for keyword in unique.values())


def fingerprint(pieces: Iterable[str]) -> str:
    """Eight characters that change whenever one of the pieces does."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:8]
