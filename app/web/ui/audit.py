"""The administrators' screen of the audit trail: who did or looked at what, and when."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.appeals.filters import parse_number
from app.audit.queries import APPEAL, BEGINNING, END, AuditCursor, AuditFilters, AuditPage, AuditRow, audit_page
from app.kernel.errors import InvalidError
from app.people.rules import Permission
from app.web.deps import requires
from app.web.ui import audit_words
from app.web.ui.audit_views import AuditLine, AuditView
from app.web.ui.fields import row_number
from app.web.ui.queue_view import number_text
from app.web.ui.views import Choice
from app.web.ui.visit import CurrentVisit, Visit, visit_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.AUDIT_READ))])

_LONGEST = 100
_FACT_CHARACTERS = 300


@router.get("/administration/audit")
async def audit_screen(visit: CurrentVisit, request: Request) -> Response:
    """The trail, the newest first, narrowed by person, act, subject and days."""
    query = request.query_params
    view, found = _asked(visit, query), AuditPage(rows=())
    async with visit.reading() as session:
        frame = await visit.frame(session)
        try:
            filters, cursor = _filters(view, visit.zone), query.get("cursor")
            found = await audit_page(session, filters=filters, after=AuditCursor.parse(cursor) if cursor else None)
        except InvalidError as error:
            view = replace(view, error=visit.words("fault", error.code, error.params, otherwise=error.detail))
    view = replace(view, rows=tuple(_line(visit, row) for row in found.rows), next_cursor=None if found.next is None else str(found.next))
    return visit.page("audit.html", {"page": view}, frame, status=422 if view.error else 200)


def _asked(visit: Visit, query: Mapping[str, str]) -> AuditView:
    said = {name: (query.get(name) or "").strip()[:_LONGEST] for name in ("person", "act", "subject", "number", "from", "to")}
    subject = said["subject"] if said["subject"] in audit_words.SUBJECT else APPEAL
    return AuditView(
        rows=(),
        person=said["person"],
        act=said["act"],
        subject=subject,
        number=said["number"],
        since=said["from"],
        until=said["to"],
        acts=_choices(visit, "audit_act", audit_words.ACT, said["act"]),
        subjects=_choices(visit, "audit_subject", audit_words.SUBJECT, subject),
    )


def _choices(visit: Visit, table: str, codes: Mapping[str, str], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value=code, label=visit.words(table, code), chosen=code == chosen) for code in codes)


def _filters(view: AuditView, zone: ZoneInfo) -> AuditFilters:
    """InvalidError when a day or a number cannot be read."""
    since, until = _midnight(view.since, zone, BEGINNING), _midnight(view.until, zone, END, days=1)
    if since >= until:
        raise InvalidError("audit.period", "The first day lies after the last one.", field="from")
    number = None
    if view.number:
        number = parse_number(view.number) if view.subject == APPEAL else row_number(view.number)
        if number is None:
            raise InvalidError("audit.number", "Give a number, such as 123 456 789.", field="number")
    return AuditFilters(person=view.person, act=view.act, subject=view.subject, number=number, since=since, until=until)


def _midnight(day: str, zone: ZoneInfo, otherwise: datetime, *, days: int = 0) -> datetime:
    if not day:
        return otherwise
    try:
        found = date.fromisoformat(day) + timedelta(days=days)
        return datetime(found.year, found.month, found.day, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidError("report.period", "Give days such as 2026-11-30.", field="from") from None


def _line(visit: Visit, row: AuditRow) -> AuditLine:
    subject = visit.words("audit_subject", row.subject, otherwise="") if row.subject_id is not None else ""
    if row.number is not None:
        subject = f"{subject} {number_text(row.number)}"
    elif subject:
        subject = f"{subject} {row.subject_id}"
    facts = tuple((visit.words("audit_fact", name), _fact(visit, name, value)) for name, value in row.data.items())
    return AuditLine(
        at=row.recorded_at,
        person=row.name or "",
        login=row.login or "",
        act=visit.words("audit_act", row.act),
        subject=subject,
        facts=facts,
    )


def _fact(visit: Visit, name: str, value: Any) -> str:  # noqa: ANN401 - whatever an entry holds
    if isinstance(value, str):
        said = value
    elif name == "grants" and isinstance(value, list):
        said = ", ".join(_role(visit, one) for one in value)
    elif isinstance(value, list) and all(isinstance(one, int) for one in value):
        said = ", ".join(str(one) for one in value)
    else:
        said = json.dumps(value, ensure_ascii=False)
    return said if len(said) <= _FACT_CHARACTERS else said[:_FACT_CHARACTERS] + "…"


def _role(visit: Visit, grant: Any) -> str:  # noqa: ANN401 - [role, agency, territory] as it was written down
    if not isinstance(grant, list) or len(grant) != 3:  # noqa: PLR2004 - its three parts
        return json.dumps(grant, ensure_ascii=False)
    directory = visit.office.desk.directory
    node = directory.agencies.get(grant[1] or 0) or directory.territories.get(grant[2] or 0)
    role = visit.words("role", str(grant[0]))
    return role if node is None else f"{role} ({node.name})"
