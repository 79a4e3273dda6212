"""Words that tell what a comment does: thanks, greets, asks, demands, complains. Read from `markers.csv`. Pure."""

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

from app.triage.vocabulary import Keyword, parse_keywords


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
    """Markers from rows with columns sign and keywords. Raises ValueError for an unknown sign or keyword."""
    for row in rows:
        sign = Sign(row["sign"])
        for keyword in parse_keywords(row["keywords"]):
            yield Marker(sign=sign, keyword=keyword)


def fingerprint(pieces: Iterable[str]) -> str:
    """Eight characters that change whenever one of the pieces does."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:8]
