"""The mark that a citizen gives an answer, in the place where they got it: a comment of theirs that is nothing but a mark. Pure.

Systems of this field ask for it the same way («Оценка удовлетворенности»), and their exports show such comments. Whoever else writes
a figure into the thread marks nothing: the appeal is looked for by the author of the comment.
"""

from __future__ import annotations

import re
import unicodedata

from app.triage.text import clean

LOWEST, HIGHEST = 1, 5
_LONGEST = 80
"""Characters; a mark with a thanks is shorter, and whoever writes more says something."""

_WORDS = {
    "один": 1, "единица": 1, "единицу": 1, "кол": 1, "два": 2, "двойка": 2, "двойку": 2, "три": 3, "тройка": 3, "тройку": 3,
    "четыре": 4, "четверка": 4, "четверку": 4, "пять": 5, "пятерка": 5, "пятерку": 5,
}  # fmt: skip
_BESIDE = frozenset({
    "спасибо", "большое", "огромное", "благодарю", "вам", "за", "ответ", "ответы", "работу", "помощь", "оценка", "моя",
    "оцениваю", "ставлю", "ответу", "на", "балл", "балла", "баллов", "твердая", "твердую", "звезда", "звезды", "звезд",
    "thanks", "thank", "you",
})  # fmt: skip
"""What may stand beside a mark: a thanks, and words of marking."""
_STARS = re.compile(r"[⭐★🌟]")
_OF_FIVE = re.compile(r"\b([1-5])\s*(?:из|/)\s*(?:5|пяти)\b")
_TOKEN = re.compile(r"[^\W_]+")


def mark_of(text: str) -> int | None:
    """The mark, 1 to 5, when the text is one mark and perhaps a thanks; None of everything else, two different marks included.

    A question or a link is something that the citizen says: such a text is no mark.
    """
    if len(text) > _LONGEST or "?" in text or "//" in text:
        return None
    stars = len(_STARS.findall(text))
    # A keycap is the digit and two marks of its own, other digits of the world are digits.
    plain = clean(unicodedata.normalize("NFKC", _STARS.sub(" ", text)).replace("\u20e3", " "))
    tokens = [one for one in _TOKEN.findall(_OF_FIVE.sub(r" \1 ", plain)) if one not in _BESIDE]
    found = {_WORDS.get(one) or (int(one) if one.isdecimal() else None) for one in tokens} | ({stars} if stars else set())
    (mark,) = found if len(found) == 1 else (None,)
    return mark if mark is not None and LOWEST <= mark <= HIGHEST else None
