"""Platform text made safe to look at: escaped, with every invisible or direction-changing character shown. Pure."""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

from app.web.ui.hosts import deceptive_hosts

SHOWN_CHARACTERS = 20_000  # of one text; more would only make the page slow

_NAMES = {
    "\u00ad": "SHY",
    "\u061c": "ALM",
    "\u200b": "ZWSP",
    "\u200c": "ZWNJ",
    "\u200d": "ZWJ",
    "\u200e": "LRM",
    "\u200f": "RLM",
    "\u202a": "LRE",
    "\u202b": "RLE",
    "\u202c": "PDF",
    "\u202d": "LRO",
    "\u202e": "RLO",
    "\u2060": "WJ",
    "\u2066": "LRI",
    "\u2067": "RLI",
    "\u2068": "FSI",
    "\u2069": "PDI",
    "\ufeff": "BOM",
    "\ufffd": "?",
    "\u3164": "HF",  # Hangul filler: a letter that draws nothing
    "\u115f": "HF",
    "\u1160": "HF",
    "\uffa0": "HF",
    "\u2800": "BLANK",  # an empty Braille cell
}

# Controls but tab and line feed, the table above, format characters, line separators, private use, tags.
_SUSPECT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u06dd\u070f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffd\U000110bd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_TURNS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u061c\u202a-\u202e\u2066-\u2069]")
_MARKS = re.compile("[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4,}")
_KEPT_MARKS = 3
# After a host that looks like another one: what it really is.
_HOST = Markup('<span class="host-mark">⚠ {}</span>')
_FLAG_END = "\U000e007f"
_LONGEST_FLAG = 8
_FIRST_PRINTABLE_LATIN = "\u00a0"


def reveal(text: str, *, limit: int = SHOWN_CHARACTERS) -> Markup:
    """The text as HTML, isolated from its surroundings' direction; at most `limit` characters of it are shown."""
    if not text:
        return Markup("")  # so that a template can say what is missing
    normal = text.replace("\r\n", "\n")
    shown = _MARKS.sub(lambda match: match[0][:_KEPT_MARKS] + "\ufffd", normal[:limit])
    parts: list[Markup] = []
    position = 0
    marks = [(one.start(), one.end(), _mark(one[0])) for one in _SUSPECT.finditer(shown) if not _draws_emoji(shown, one.start())]
    marks += [(end, end, _HOST.format(name)) for end, name in deceptive_hosts(shown)]
    for start, end, mark in sorted(marks, key=lambda one: one[:2]):
        parts.extend((escape(shown[position:start]), mark))
        position = end
    parts.append(escape(shown[position:]))
    return Markup('<bdi dir="auto">{}</bdi>').format(Markup("").join(parts))


def one_line(text: str, *, limit: int = 200) -> Markup:
    """`reveal` for a name, a title or a snippet: white space becomes single spaces, a cut is marked."""
    flat = " ".join(text[: limit * 4].split())
    cut = len(flat) > limit or len(text) > limit * 4
    return reveal(flat[:limit].rstrip() + "…" if cut else flat, limit=limit + 1)


def harmless(value: object) -> object:
    """Any value on its way into a page: controls and characters that turn the text's direction are named in brackets.

    What went through `reveal` or `one_line` is Markup and stays.
    """
    if isinstance(value, str) and not isinstance(value, Markup) and _TURNS.search(value):
        return _TURNS.sub(lambda match: f"[{_NAMES.get(match[0], _code(match[0]))}]", value)
    return value


def plain(text: str, *, limit: int = 80) -> str:
    """`one_line` where only plain text may stand (a list's option, a title): hidden characters in square brackets."""
    flat = " ".join(text[: limit * 4].split())
    cut = len(flat) > limit or len(text) > limit * 4
    shown = _SUSPECT.sub(lambda match: f"[{_NAMES.get(match[0], _code(match[0]))}]", flat[:limit])
    return shown.rstrip() + "…" if cut else shown


def editable(text: str) -> str:
    """Words to be edited: without what turns or hides others, which nobody could see in a field."""
    return _TURNS.sub("", text).replace("\u200b", "")


def _code(character: str) -> str:
    return f"U+{ord(character):04X}"


def _mark(character: str) -> Markup:
    code = _code(character)
    name = unicodedata.name(character, "control character" if character < _FIRST_PRINTABLE_LATIN else "unassigned")
    return Markup('<span class="invisible-char" title="{} {}">{}</span>').format(code, name, _NAMES.get(character, code))


def _draws_emoji(text: str, at: int) -> bool:
    """Whether the joiner or tag at `at` is part of one drawn emoji, and so is not hidden at all."""
    character = text[at]
    if character == "\u200d":
        before = text[max(at - 2, 0) : at].rstrip("\ufe0f")[-1:]
        return _pictures(before) and _pictures(text[at + 1 : at + 2])
    if "\U000e0020" <= character <= _FLAG_END:
        # flags of England, Scotland and Wales: a black flag, tags, the end tag
        start = at
        while start > 0 and "\U000e0020" <= text[start - 1] <= _FLAG_END and at - start < _LONGEST_FLAG:
            start -= 1
        end = text.find(_FLAG_END, at, at + _LONGEST_FLAG)
        return text[start - 1 : start] == "\U0001f3f4" and end != -1
    return False


def _pictures(character: str) -> bool:
    return bool(character) and (unicodedata.category(character) in {"So", "Sk"} or character in "♀♂⚕⚖✈❤")
