"""Reading a citizen's text: hostile, misspelt, decorated. Pure, and bounded whatever the length.

The text itself is never changed in storage; this is only what triage sees of it.
"""

import re
import threading
import unicodedata
from functools import lru_cache
from typing import NamedTuple

import Stemmer

LIMIT = 8_000
"""Characters that are read; an appeal says what it is about long before."""

ASK = "?"
"""Every token that is not a word or a number ends a sentence; this one ends a question."""

_SCRIPT_MIN = 3
_STEM_MAX = 40

# Zero-width, bidirectional and variation characters, soft hyphens, fillers, tags, and accents piled on letters
# (after composition й is one character, so what is left is decoration).
_INVISIBLE = re.compile(
    "[\u00ad\u0300-\u036f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]+"
)
_LINK = re.compile(r"(?:https?://|www\.)\S+|\b[a-z0-9.-]{2,60}\.(?:ru|рф|com|org|net|me|su)\b(?:/\S*)?|\[ссылка\]")
_LINKISH = re.compile(r"//|www\.|\.(?:ru|рф|com|org|net|me|su)\b|\[ссылка")
_PAGE = re.compile(r"\[(?:club|public|event)\d{1,20}\|[^\]]{0,200}\]|\[страница\]")
_PERSON = re.compile(r"\[id\d{1,20}\|[^\]]{0,200}\]|(?<![\w.])@[\w.]{2,64}|\[имя\]")
_TOKEN = re.compile(r"[^\W_]+|[.!?…\n]+")
_STRETCHED = re.compile(r"(.)\1{2,}")
_LATIN_TWINS = str.maketrans("aceopxykmthb", "асеорхукмтнв")


class Reading(NamedTuple):
    """A text as triage sees it: tokens in lower case with ё as е, and what was taken out of it."""

    tokens: list[str]
    asks: bool
    links: int
    people: int
    pages: int
    starts_with_person: bool
    blank: bool
    cut: bool


def clean(text: str, limit: int = LIMIT) -> str:
    """The first `limit` characters, composed, without invisible ones, in lower case, ё as е."""
    text = unicodedata.normalize("NFC", text[:limit])
    if _INVISIBLE.search(text):
        text = _INVISIBLE.sub("", text)
    return text.lower().replace("ё", "е")


def read(text: str, limit: int = LIMIT) -> Reading:
    """Take a text apart. Never raises, whatever the text."""
    plain = clean(text, limit)
    blank = not plain or plain.isspace()
    links = people = pages = 0
    first = False
    if "[" in plain or "@" in plain:
        first = _PERSON.match(plain.lstrip()) is not None
        plain, pages = _PAGE.subn(" ", plain)
        plain, people = _PERSON.subn(" ", plain)
    if _LINKISH.search(plain):
        plain, links = _LINK.subn(" ", plain)
    tokens = _TOKEN.findall(plain)
    asks = "?" in plain
    if asks:
        tokens = [ASK if ASK in token else token for token in tokens]
    return Reading(tokens, asks, links, people, pages, first, blank, len(text) > limit)


def is_word(token: str) -> bool:
    """True for a word or a number, False for the end of a sentence."""
    return token[0] not in ".!?…\n"


class _Stemmer(threading.local):
    """The library's stemmer keeps its word in itself, so each thread has its own."""

    def __init__(self) -> None:
        self.stem_word = Stemmer.Stemmer("russian").stemWord


_stemmer = _Stemmer()


def plain_word(word: str) -> str:
    """A lower-case word without tricks: Latin look-alikes in a Cyrillic word and stretched letters put right."""
    if not word.isascii() and len(word) >= _SCRIPT_MIN and any("a" <= letter <= "z" for letter in word):
        word = word.translate(_LATIN_TWINS)
    return _STRETCHED.sub(r"\1", word)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The stem of a lower-case Russian word; other words and very long ones come back as they are."""
    if len(word) > _STEM_MAX or word.isascii():
        return word
    stemmed: str = _stemmer.stem_word(word)
    return stemmed
