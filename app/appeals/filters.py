"""What of the appeals is asked for, and where a page of them begins. No SQL is run here."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.appeals.rules import WAITING, Status
from app.kernel.errors import InvalidError
from app.sources.rules import storable

NUMBER_DIGITS = 9
MOST_ROWS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST = 2**63 - 1
_LATEST = 253_402_300_799_999_999
"""The last microsecond of the year 9999: what a datetime holds."""
_SEPARATORS = re.compile(r"[\s\-\u2010-\u2015№#]+")
_SEARCH_LIMIT = 200
_MOST_HITS = 1_000
"""Of a search: the newest of them; whoever needs more has to say more."""

# A search begins with what it finds, never with all appeals: as an array, its ids are looked up in the key's index.
HITS = f"""hits AS MATERIALIZED (
  SELECT appeal_id FROM otklik_search_appeals(:words, {_MOST_HITS}) UNION SELECT id FROM appeal WHERE number = :number),"""  # noqa: S608 - a constant
FOUND = "a.id = ANY (ARRAY(SELECT appeal_id FROM hits))"


_IN_TROUBLE = "state IN ('failed', 'uncertain', 'held', 'awaiting')"
TROUBLED = f"SELECT appeal_id FROM reply WHERE {_IN_TROUBLE} UNION SELECT appeal_id FROM amendment WHERE {_IN_TROUBLE}"  # noqa: S608 - a constant
"""Appeals of which an answer, or what is to be done to one, waits for a person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueFilters:
    """What of the queue is shown. None in a list of ids or platforms means any; an empty one fits nothing.

    Topics, agencies and territories come with all below them. No statuses: what waits for an answer, but every status
    when something is searched for or only appeals with a troubled answer are wanted.
    """

    mine: bool = False
    overdue: bool = False
    trouble: bool = False
    statuses: frozenset[Status] = frozenset()
    agency_ids: tuple[int, ...] | None = None
    platforms: tuple[str, ...] | None = None
    topic_ids: tuple[int, ...] | None = None
    territory_ids: tuple[int, ...] | None = None
    search: str = ""

    @property
    def asked_statuses(self) -> frozenset[Status]:
        """The statuses that are looked at."""
        if self.statuses:
            return self.statuses
        return frozenset(Status) if self.search.strip() or self.trouble else WAITING

    @property
    def by_deadline(self) -> bool:
        """Whether rows come in the order of their deadlines; else the newest appeals come first."""
        return self.asked_statuses <= WAITING and not self.search.strip()

    @property
    def words(self) -> str:
        """What is searched for, in a form that the database takes."""
        return storable(self.search)[0].strip()[:_SEARCH_LIMIT]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """The last row of a page. `by_deadline` says in which order; `due_at` None then: among those without a deadline."""

    by_deadline: bool
    id: int
    due_at: datetime | None = None

    def __str__(self) -> str:
        """An opaque word for an address."""
        if not self.by_deadline:
            plain = f"i.{self.id}"
        elif self.due_at is None:
            plain = f"n.{self.id}"
        else:
            plain = f"d.{self.id}.{(self.due_at - _EPOCH) // _MICROSECOND}"
        return base64.urlsafe_b64encode(plain.encode("ascii")).decode("ascii").rstrip("=")

    @classmethod
    def parse(cls, value: str) -> Cursor:
        """The cursor that `str` gave. InvalidError `cursor` for anything else."""
        try:
            plain = base64.b64decode(value + "=" * (-len(value) % 4), altchars=b"-_", validate=True).decode("ascii")
        except (binascii.Error, ValueError):  # not base64, or not ASCII
            raise _bad_cursor() from None
        kind, *numbers = plain.split(".")
        if {"i": 1, "n": 1, "d": 2}.get(kind) != len(numbers) or not all(re.fullmatch(r"-?[0-9]{1,19}", one) for one in numbers):
            raise _bad_cursor()
        row_id, micros = int(numbers[0]), int(numbers[-1]) if kind == "d" else 0
        if not 0 <= row_id <= _LARGEST or not -_LATEST <= micros <= _LATEST:
            raise _bad_cursor()
        try:
            due_at = _EPOCH + micros * _MICROSECOND if kind == "d" else None
        except OverflowError:
            raise _bad_cursor() from None
        return cls(by_deadline=kind != "i", id=row_id, due_at=due_at)


def _bad_cursor() -> InvalidError:
    return InvalidError("cursor", "This is no cursor of this list: begin without one.", field="cursor")


def checked_cursor(after: Cursor | None, *, by_deadline: bool) -> Cursor | None:
    """The cursor, if it belongs to a list in this order. InvalidError otherwise."""
    if after is not None and after.by_deadline is not by_deadline:
        raise _bad_cursor()
    return after


def checked_limit(limit: int, *, most: int = MOST_ROWS) -> int:
    """The limit, if it is sensible. InvalidError otherwise."""
    if not 1 <= limit <= most:
        raise InvalidError("limit", f"From 1 to {most} rows can be asked for at once.", field="limit", most=most)
    return limit


def format_number(number: int) -> str:
    """How an appeal's number is written and said: 481-937-512."""
    digits = f"{number:0{NUMBER_DIGITS}d}"
    return f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"


def parse_number(value: str) -> int | None:
    """The number in what a person or a program wrote, with or without dashes and spaces; None when it is none."""
    digits = _SEPARATORS.sub("", value.strip())
    if not digits.isascii() or not digits.isdigit() or len(digits) > NUMBER_DIGITS:
        return None
    return int(digits)


def number_in_search(words: str) -> int | None:
    """The number in a search: only all nine digits are one, anything shorter may be a house or a bus."""
    digits = _SEPARATORS.sub("", words)
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) == NUMBER_DIGITS else None
