"""What is sent: plain sentences in the reader's language, with numbers, moments and links - never a citizen's words or name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from babel.dates import format_datetime

from app.notices.rules import BREACHES, TRIAGE_KINDS, Kind

if TYPE_CHECKING:
    from babel.support import NullTranslations

SHOWN_IN_DIGEST = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A notice to be told: of an appeal (its number as people say it), or of a comment in triage. `raised`: nobody answered since."""

    kind: Kind
    number: str
    comment_id: int | None
    promise: str
    due_at: datetime
    raised: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """Subject and text; `items` say the same to a program."""

    subject: str
    words: str
    items: tuple[dict[str, object], ...] = ()


class Writer:
    """Writes in one language and time zone. `address`: what people open, without a slash at its end."""

    def __init__(self, translations: NullTranslations, *, language: str, timezone: str, address: str) -> None:
        self._gettext = translations.gettext
        self._ngettext = translations.ngettext
        self._language = language
        self._zone = ZoneInfo(timezone)
        self._address = address

    def single(self, item: Item) -> Wording:
        """One notice."""
        subject, sentence = self._sentence(item)
        return Wording(subject=subject, words=f"{sentence}\n\n{self._link(item)}\n", items=(self._data(item),))

    def digest(self, items: Sequence[Item]) -> Wording:
        """Many at once: how many of each, the most urgent ones, where the others are."""
        _ = self._gettext
        ngettext = self._ngettext
        count = Counter(item.kind in BREACHES for item in items)
        parts = []
        if count[True]:
            parts.append(ngettext("%(num)s deadline has passed", "%(num)s deadlines have passed", count[True]) % {"num": count[True]})
        if count[False]:
            parts.append(ngettext("%(num)s deadline is near", "%(num)s deadlines are near", count[False]) % {"num": count[False]})
        first = sorted(items, key=lambda item: item.due_at)[:SHOWN_IN_DIGEST]
        lines = [f"• {self._sentence(item)[1]}\n  {self._link(item)}" for item in first]
        rest = len(items) - len(first)
        if rest:
            more = ngettext("And %(num)s more: %(link)s", "And %(num)s more: %(link)s", rest)
            lines.append(more % {"num": rest, "link": f"{self._address}/notices"})
        subject = ", ".join(parts)
        words = "\n\n".join((f"{subject}.", _("The most urgent ones:"), *lines))
        return Wording(subject=subject, words=f"{words}\n", items=tuple(self._data(item) for item in items))

    def code(self, code: str) -> Wording:
        """A code that proves an address."""
        _ = self._gettext
        words = _("The code is %(code)s. Type it in your preferences within 15 minutes. If you did not ask for it, do nothing.")
        return Wording(subject=_("Code for notices of Otklik"), words=words % {"code": code} + "\n", items=({"code": code},))

    def chat(self, number: str) -> Wording:
        """What a bot answers: the number that a person needs."""
        _ = self._gettext
        words = _("The number of this chat is %(number)s. To get notices of deadlines here, put it into your preferences: %(link)s")
        values = {"number": number, "link": f"{self._address}/account/notices"}
        return Wording(subject="", words=words % values)

    def _sentence(self, item: Item) -> tuple[str, str]:
        """A subject and a sentence."""
        _ = self._gettext
        at = format_datetime(item.due_at.astimezone(self._zone), "d MMMM, HH:mm", locale=self._language)
        late = item.kind in BREACHES
        if item.kind in TRIAGE_KINDS:
            subject = _("A comment waits for a decision") if not late else _("A comment is not decided in time")
            sentence = (
                _("A comment should have been decided by %(at)s and still waits in triage.")
                if late
                else _("A comment waits in triage. Decide by %(at)s.")
            )
            return subject, sentence % {"at": at}
        values = {"number": item.number, "at": at, "promise": self._promise(item.promise)}
        if item.raised:
            return (
                _("Appeal %(number)s: still no answer") % values,
                _("Appeal %(number)s: %(promise)s was due by %(at)s, and there is still none.") % values,
            )
        if late:
            return (
                _("Appeal %(number)s: the deadline has passed") % values,
                _("Appeal %(number)s: %(promise)s was due by %(at)s.") % values,
            )
        return (
            _("Appeal %(number)s: the deadline is near") % values,
            _("Appeal %(number)s: %(promise)s is due by %(at)s.") % values,
        )

    def _promise(self, promise: str) -> str:
        _ = self._gettext
        return {
            "interim_answer": _("the interim answer"),
            "final_answer": _("the final answer"),
        }.get(promise, _("the first answer"))

    def _link(self, item: Item) -> str:
        if item.comment_id is not None:
            return f"{self._address}/triage/{item.comment_id}"
        return f"{self._address}/appeals/{item.number.replace('-', '')}"

    def _data(self, item: Item) -> dict[str, object]:
        return {
            "kind": item.kind.value,
            "appeal": item.number or None,
            "comment": item.comment_id,
            "promise": item.promise,
            "due_at": item.due_at.isoformat(),
            "escalated": item.raised,
            "link": self._link(item),
        }
