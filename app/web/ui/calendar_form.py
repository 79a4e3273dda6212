"""Working hours as a form: from its fields to hours, with every mistake in its own place, and back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from app.kernel.errors import InvalidError
from app.sla.calendar import CalendarError, format_hours
from app.sla.ical import NAME_LIMIT
from app.sla.own_hours import Hours, Span, spans_of, typed_hours
from app.sources.rules import storable
from app.web.ui.calendar_views import SpanRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from app.sla.calendar import Day, Ranges
    from app.web.ui.fields import Fields
    from app.web.ui.labels import Words

MOST_SPANS = 150
"""Rows of exceptions: a form of more fields is refused by the server."""
EMPTY_ROWS = 3
LONGEST_SPAN = 366
FIRST_YEAR, LAST_YEAR = 2015, 2100


@dataclass(frozen=True, kw_only=True, slots=True)
class Typed:
    """What was typed, and the hours that it means; None while something is wrong."""

    week: tuple[str, ...]
    by_law: bool
    rows: tuple[SpanRow, ...]
    errors: Mapping[str, str]
    hours: Hours | None


def typed(form: Fields, words: Words) -> Typed:
    """Read the form; every mistake is told at its own field."""
    week = tuple(form.text(f"week_{number}").strip() for number in range(7))
    errors: dict[str, str] = {}
    ranges: list[Ranges] = []
    for number, text in enumerate(week):
        try:
            ranges.append(typed_hours(text, "week"))
        except CalendarError:
            errors[f"week_{number}"] = words("fault", "calendar.typed")
            ranges.append(())
    rows, spans = [], []
    for number in range(MOST_SPANS + EMPTY_ROWS):
        row = _row(form, number)
        if row is None or row.drop:
            continue
        try:
            spans.append(_span(row))
        except InvalidError as error:
            errors["spans"] = words("hint", "spans")
            row = replace(row, error=words("fault", error.code, error.params, otherwise=error.detail))
        rows.append(row)
    own: dict[date, Day] = {}
    for span in spans:
        own |= span.days()
    by_law = form.text("by_law") == "1"
    hours = None if errors else Hours(week=tuple(ranges), own=own, by_law=by_law)
    return Typed(week=week, by_law=by_law, rows=tuple(rows), errors=errors, hours=hours)


def _row(form: Fields, number: int) -> SpanRow | None:
    found = SpanRow(
        first=form.text(f"first_{number}").strip(),
        last=form.text(f"last_{number}").strip(),
        hours=form.text(f"hours_{number}").strip(),
        name=form.text(f"name_{number}").strip(),
        drop=form.text(f"drop_{number}") == "1",
    )
    return found if found.first or found.last or found.hours or found.name else None


def _span(row: SpanRow) -> Span:
    first = _day(row.first)
    last = _day(row.last) if row.last else first
    if not 0 <= (last - first).days < LONGEST_SPAN:
        raise InvalidError("calendar.order", "The last day comes before the first, or a year after it.")
    name = storable(row.name)[0]
    if len(name) > NAME_LIMIT:
        raise InvalidError("calendar.reason", f"Say it in at most {NAME_LIMIT} characters.", limit=NAME_LIMIT)
    try:
        return Span(first=first, last=last, hours=typed_hours(row.hours, "hours"), name=name)
    except CalendarError as error:
        raise InvalidError("calendar.typed", "Write hours as 09:00-13:00 14:00-18:00.") from error


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidError("calendar.day", "Give a day.") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise InvalidError("calendar.day", "Give a day.")
    return day


def rows_of(own: Mapping[date, Day]) -> tuple[SpanRow, ...]:
    """Exceptions as rows, the latest first: they are what somebody comes for."""
    return tuple(row_of(one) for one in reversed(spans_of(own)))


def row_of(span: Span) -> SpanRow:
    """One of them."""
    last = "" if span.last == span.first else span.last.isoformat()
    return SpanRow(first=span.first.isoformat(), last=last, hours=written(span.hours), name=span.name)


def written(hours: Ranges) -> str:
    """Hours as people write them, "" for none."""
    return " ".join(format_hours(hours))


def with_read(rows: tuple[SpanRow, ...], spans: Iterable[Span]) -> tuple[SpanRow, ...]:
    """The rows and those of a file before them, without what stands there already. InvalidError when they are too many."""
    known = {(row.first, row.last or row.first) for row in rows}
    fresh: dict[tuple[str, str], SpanRow] = {}
    for span in spans:
        row = row_of(span)
        key = (row.first, row.last or row.first)
        if key not in known:
            fresh.setdefault(key, row)
    if len(rows) + len(fresh) > MOST_SPANS:
        raise InvalidError("calendar.many", f"At most {MOST_SPANS} exceptions fit.", field="file", most=MOST_SPANS)
    return (*sorted(fresh.values(), key=lambda row: row.first), *rows)


def digest(hours: Hours, scope: tuple[int, int | None], version: int) -> str:
    """Names the very values: what is saved must be what was looked at."""
    told = repr((scope, version, hours.week, hours.by_law, sorted(hours.own.items())))
    return hashlib.sha256(told.encode()).hexdigest()[:32]
