"""What the administrators' screen asks of the trail: by person, act, subject and time, page by page, each by an index."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.kernel.errors import InvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from app.kernel.db import ReadSession

APPEAL = "appeal"
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
END = datetime(9000, 1, 1, tzinfo=UTC)
MOST_PEOPLE = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class AuditCursor:
    """The last line of a page."""

    at: datetime
    id: int

    def __str__(self) -> str:
        """As it stands in an address."""
        return f"{(self.at - _EPOCH) // _MICROSECOND}.{self.id}"

    @classmethod
    def parse(cls, value: str) -> AuditCursor:
        """The cursor that `str` gave. InvalidError `cursor` for anything else."""
        match = re.fullmatch(r"([0-9]{1,17})\.([0-9]{1,18})", value)
        if match is None:
            raise InvalidError("cursor", "This is no cursor of the list: begin without one.", field="cursor")
        return cls(_EPOCH + int(match[1]) * _MICROSECOND, int(match[2]))


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilters:
    """What is looked for. `person` is a sign-in name or (a part of) a name; `number` an appeal's, if `subject` is an appeal."""

    person: str = ""
    act: str = ""
    subject: str = ""
    number: int | None = None
    since: datetime = BEGINNING
    until: datetime = END


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    """One line of the trail. `number` is the appeal's own, when the subject is one."""

    id: int
    recorded_at: datetime
    act: str
    subject: str
    subject_id: int | None
    data: Mapping[str, Any]
    operator_id: int | None
    name: str | None
    login: str | None
    number: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditPage:
    """The newest first, and where the next page begins."""

    rows: tuple[AuditRow, ...]
    next: AuditCursor | None = None


_PEOPLE = text(
    "SELECT id FROM operator WHERE login = lower(:said) OR strpos(replace(lower(name), 'ё', 'е'), replace(lower(:said), 'ё', 'е')) > 0 "
    "ORDER BY (login = lower(:said)) DESC, id LIMIT :most"
)
_PAGE = """
SELECT e.id, e.recorded_at, e.act, e.subject, e.subject_id, e.data, e.operator_id, o.name, o.login
FROM audit_entry e LEFT JOIN operator o ON o.id = e.operator_id WHERE e.id = ANY (ARRAY({picked}))
ORDER BY e.recorded_at DESC, e.id DESC LIMIT :most
"""
_ORDERED = (
    "SELECT e.id FROM audit_entry e WHERE e.recorded_at >= :since AND (e.recorded_at, e.id) < (:until, :before) {more} "
    "ORDER BY e.recorded_at DESC, e.id DESC LIMIT :most"
)
_LISTED = (
    "SELECT l.id FROM otklik_audit_listed(:subject, CAST(:subject_id AS bigint), {operator}, CAST(:act AS text), "
    ":since, :until, :before, CAST(:most AS integer)) l"
)


def picked_sql(*, people: bool, act: bool, subject: bool) -> str:
    """The ids of a page: each part stops at the page's length, along an index in the order of the list."""
    more = ("AND e.act = :act " if act else "") + ("AND e.subject = :subject AND e.subject_id = :subject_id " if subject else "")
    if not people:
        parts = [f"({_ORDERED.format(more=more)})"]
        if subject:
            parts.append(f"({_LISTED.format(operator='CAST(NULL AS bigint)')})")
        return " UNION ALL ".join(parts)
    of_one = [f"({_ORDERED.format(more=more + 'AND e.operator_id = w.id')})"]
    if subject:
        of_one.append(f"({_LISTED.format(operator='w.id')})")
    return f"SELECT x.id FROM unnest(CAST(:people AS bigint[])) w(id) CROSS JOIN LATERAL ({' UNION ALL '.join(of_one)}) x"  # noqa: S608


async def audit_page(session: ReadSession, *, filters: AuditFilters, after: AuditCursor | None = None, limit: int = 50) -> AuditPage:
    """A page of the trail. Row-level security shows it to administrators of the whole region only."""
    people = await _people(session, filters.person)
    found = await _subject(session, filters)
    if people == [] or found == 0:
        return AuditPage(rows=())
    until, before = (filters.until, 0) if after is None else (min(after.at, filters.until), after.id if after.at <= filters.until else 0)
    params: dict[str, Any] = {"since": filters.since, "until": until, "before": before, "most": limit + 1}
    params |= {"people": people} if people is not None else {}
    params |= {"act": filters.act or None} if filters.act or found is not None else {}
    params |= {"subject": filters.subject, "subject_id": found} if found is not None else {}
    picked = picked_sql(people=people is not None, act=bool(filters.act), subject=found is not None)
    rows = [AuditRow(**row._mapping) for row in await session.execute(text(_PAGE.format(picked=picked)), params)]  # noqa: SLF001
    shown = await _with_numbers(session, rows[:limit])
    last = shown[-1] if len(rows) > limit else None
    return AuditPage(rows=tuple(shown), next=None if last is None else AuditCursor(last.recorded_at, last.id))


async def _people(session: ReadSession, said: str) -> list[int] | None:
    if not said:
        return None
    return list((await session.execute(_PEOPLE, {"said": said, "most": MOST_PEOPLE})).scalars())


async def _subject(session: ReadSession, filters: AuditFilters) -> int | None:
    """The row that the number means; 0 when there is none."""
    if filters.number is None or not filters.subject:
        return None
    if filters.subject != APPEAL:
        return filters.number
    found: int | None = await session.scalar(text("SELECT otklik_appeal_of_number(:number)"), {"number": filters.number})
    return found or 0


async def _with_numbers(session: ReadSession, rows: Sequence[AuditRow]) -> list[AuditRow]:
    """Of appeals the number that people know stands where the trail has an id, in lists too."""
    ids = sorted({one for row in rows if row.subject == APPEAL for one in (row.subject_id, *row.data.get("ids", ())) if one is not None})
    if not ids:
        return list(rows)
    found = await session.execute(text("SELECT appeal_id, number FROM otklik_appeal_numbers(:ids)"), {"ids": ids})
    numbers = {row.appeal_id: row.number for row in found}
    return [_numbered(row, numbers) if row.subject == APPEAL else row for row in rows]


def _numbered(row: AuditRow, numbers: Mapping[int, int]) -> AuditRow:
    data = dict(row.data)
    if "ids" in data:
        data["ids"] = [numbers.get(one, one) for one in data["ids"]]
    return replace(row, number=numbers.get(row.subject_id or 0), data=data)
