"""Reports that somebody approved: their figures stay, whatever is learnt later. What has changed since is shown beside.

A person's signature: no token goes so far. The body holds every figure of every line with the definition as it was;
operators' names are not in it, since a name must be able to end.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.kernel.errors import InvalidError, NotFoundError
from app.people.rules import Access
from app.reports.figures import Figures, Report, Row
from app.reports.measures import BACKLOG, MEASURES, Definition, Measure, Unit
from app.reports.rules import Grouping, Period
from app.reports.service import MOST_ROWS, Asked, measured
from app.reports.tables import PERCENTILES

if TYPE_CHECKING:
    from datetime import datetime

    from app.kernel.db import ReadSession, WriteSession

MOST_LINES = 10_000
MOST_LISTED = 100
_NAMELESS = Grouping.OPERATOR
_BY_THEMSELVES = frozenset({"oldest_unanswered_age_s"})
"""What grows older is no change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovedHead:
    """Who approved what, and when. `as_of`: the moment of the figures."""

    id: int
    measure: str
    period: Period
    group_by: Grouping
    as_of: datetime
    approved_by: int
    approver: str
    recorded_at: datetime
    digest: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Approved:
    """An approved report. `whole` is False when its body is not what was signed: then it tells nothing."""

    head: ApprovedHead
    report: Report
    whole: bool
    access: Access
    """How far the one saw who approved: recomputed within that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """A figure that is another now. `key` None and `total` False: what belongs to no group. None: it was not there, or is no more."""

    key: int | str | None
    label: str
    total: bool
    measure: Measure
    then: float | None
    now: float | None


_INSERT = text(
    """
    INSERT INTO approved_report (measure, period_start, period_end, tz, group_by, as_of, body, digest, whole, agency_ids, territory_ids,
      approved_by, recorded_at)
    VALUES (:measure, :start, :end, :tz, :group_by, :as_of, CAST(:body AS jsonb), :digest, :whole, :agencies, :territories, :operator, :now)
    RETURNING id
    """
)
_SELECT = """
    SELECT r.id, r.measure, r.period_start, r.period_end, r.tz, r.group_by, r.as_of, r.digest, r.approved_by, r.recorded_at,
      coalesce(o.name, '') AS approver{more}
    FROM approved_report r LEFT JOIN operator o ON o.id = r.approved_by
"""
_LIST = text(_SELECT.format(more="") + " ORDER BY r.recorded_at DESC, r.id DESC LIMIT :most")
_ONE = text(_SELECT.format(more=", r.body, r.whole, r.agency_ids, r.territory_ids") + " WHERE r.id = :id")


async def approve(session: WriteSession, asked: Asked, *, group_by: Grouping) -> int:
    """Freeze a report as it stands now, in the name of whoever asks; its id.

    Raises InvalidError: `report.not_over` (the period has not ended), `report.not_approvable` (the backlog, a narrowed report,
    one of the past, more than ten thousand lines, or of somebody who sees nothing).
    """
    access = asked.access
    seen = access is not None and (access.whole or access.agency_ids or access.territory_ids)
    if access is None or not seen or asked.measure is BACKLOG or asked.filtered or asked.as_of is not None:
        raise InvalidError("report.not_approvable", "Only a whole report of the present can be approved.", field="measure")
    if asked.period.until > asked.now:
        raise InvalidError("report.not_over", "The period is not over: its figures will still change.", field="to")
    body = _body(await _whole(session, asked, group_by))
    told = {
        "measure": asked.measure.code, "start": asked.period.start, "end": asked.period.end, "tz": asked.period.tz,
        "group_by": group_by.value, "as_of": asked.now,
    }  # fmt: skip
    row = told | {
        "body": json.dumps(body), "digest": _digest(told, body), "whole": access.whole, "agencies": list(access.agency_ids),
        "territories": list(access.territory_ids), "operator": access.operator_id, "now": asked.now,
    }  # fmt: skip
    return int(await session.scalar(_INSERT, row) or 0)


async def approved_list(session: ReadSession) -> list[ApprovedHead]:
    """The newest first: those that the reader sees as far as whoever approved them."""
    return [_head(row) for row in await session.execute(_LIST, {"most": MOST_LISTED})]


async def approved_one(session: ReadSession, report_id: int) -> Approved:
    """One of them. NotFoundError `report.approved_unknown`."""
    row = (await session.execute(_ONE, {"id": report_id})).one_or_none()
    if row is None:
        raise NotFoundError("report.approved_unknown", "There is no such approved report that you may see.")
    head = _head(row)
    told = {
        "measure": row.measure, "start": row.period_start, "end": row.period_end, "tz": row.tz,
        "group_by": row.group_by, "as_of": row.as_of,
    }  # fmt: skip
    access = Access(
        operator_id=row.approved_by, name="", login="", is_service=False, grants=(), agency_ids=tuple(row.agency_ids),
        territory_ids=tuple(row.territory_ids), whole=row.whole,
    )  # fmt: skip
    report = _report(head, row.body)
    if head.group_by is _NAMELESS:
        report = await _named(session, report)
    return Approved(head=head, report=report, whole=_digest(told, row.body) == row.digest, access=access)


async def since_approval(session: ReadSession, one: Approved, *, now: datetime) -> tuple[Change, ...]:
    """What the same question gives today otherwise, figure by figure; ages, which change by themselves, are left out."""
    definition = MEASURES[one.head.measure]
    asked = Asked(measure=definition, access=one.access, period=one.head.period, now=now)
    return changes(one.report, await _whole(session, asked, one.head.group_by))


def changes(then: Report, now: Report) -> tuple[Change, ...]:
    """The figures of the measure that differ, in the order of the lines; the total last. Pure."""
    before, after = ({row.key: row for row in report.rows} for report in (then, now))
    rough = then.approximate or now.approximate
    measures = [one for one in then.definition.measures if one.code not in _BY_THEMSELVES and not (rough and one.code in PERCENTILES)]
    found: list[Change] = []
    for key in dict.fromkeys([*before, *after]):
        was, is_now = before.get(key), after.get(key)
        label = (is_now or was or Row(key=key)).label
        found += _differing(measures, was, is_now, key=key, label=label, total=False)
    return tuple(found + _differing(measures, then.total, now.total, key=None, label="", total=True))


def _differing(
    measures: list[Measure], then: Figures | None, now: Figures | None, *, key: int | str | None, label: str, total: bool
) -> list[Change]:
    found = []
    for measure in measures:
        was, is_now = (None if one is None else getattr(one, measure.code) for one in (then, now))
        if not _same(was, is_now):
            found.append(Change(key=key, label=label, total=total, measure=measure, then=was, now=is_now))
    return found


def _same(then: float | None, now: float | None) -> bool:
    """Averages of the same numbers may differ in their last digit, by the way they were added up."""
    return then == now if then is None or now is None else math.isclose(then, now, rel_tol=1e-9, abs_tol=1e-9)


async def _whole(session: ReadSession, asked: Asked, group_by: Grouping) -> Report:
    """The report with all its lines."""
    report = await measured(session, asked, group_by=group_by, limit=MOST_ROWS)
    rows, cursor = list(report.rows), report.next_cursor
    while cursor is not None:
        if len(rows) >= MOST_LINES:
            raise InvalidError("report.not_approvable", f"At most {MOST_LINES} lines can be approved at once.", field="group_by")
        more = await measured(session, asked, group_by=group_by, limit=MOST_ROWS, cursor=cursor)
        rows, cursor = rows + list(more.rows), more.next_cursor
    return replace(report, rows=tuple(rows), next_cursor=None)


def _body(report: Report) -> dict[str, Any]:
    definition = report.definition
    nameless = report.group_by is _NAMELESS
    return {
        "rows": [asdict(row) | ({"label": ""} if nameless else {}) for row in report.rows],
        "total": asdict(report.total),
        "approximate": report.approximate,
        "definition": {
            **{name: getattr(definition, name) for name in ("title", "population", "clock", "attribution", "chief")},
            "measures": [asdict(one) for one in definition.measures],
        },
    }


def _report(head: ApprovedHead, body: dict[str, Any]) -> Report:
    """The frozen report, with its definition as it was."""
    told = dict(body["definition"])
    measures = tuple(Measure(one["code"], one["title"], one["meaning"], Unit(one["unit"])) for one in told.pop("measures"))
    return Report(
        definition=Definition(code=head.measure, measures=measures, **told), period=head.period, group_by=head.group_by, as_of=head.as_of,
        ages_at=head.as_of, rows=tuple(Row(**row) for row in body["rows"]), total=Figures(**body["total"]), approximate=body["approximate"],
    )  # fmt: skip


async def _named(session: ReadSession, report: Report) -> Report:
    """With the names that the operators have today."""
    ids = [row.key for row in report.rows if row.key is not None]
    found = await session.execute(text("SELECT id, name FROM operator WHERE id = ANY (:ids)"), {"ids": ids})
    names: dict[Any, str] = {row.id: row.name for row in found}
    return replace(report, rows=tuple(replace(row, label=names.get(row.key, "")) for row in report.rows))


def _head(row: Any) -> ApprovedHead:  # noqa: ANN401 - a typed row
    return ApprovedHead(
        id=row.id, measure=row.measure, period=Period(start=row.period_start, end=row.period_end, tz=row.tz),
        group_by=Grouping(row.group_by), as_of=row.as_of, approved_by=row.approved_by, approver=row.approver,
        recorded_at=row.recorded_at, digest=row.digest,
    )  # fmt: skip


def _digest(told: dict[str, Any], body: dict[str, Any]) -> str:
    """Of everything that was signed, however the database writes it."""
    moment = told["as_of"].timestamp()
    return hashlib.sha256(json.dumps([told | {"as_of": moment}, body], sort_keys=True, default=str).encode("utf-8")).hexdigest()
