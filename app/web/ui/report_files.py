"""What a reader saves of a report: the figures of the screen in their own words, with what they mean. Programs take the API's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import InvalidError
from app.people.rules import Permission
from app.reports.approved import approved_one
from app.reports.behind import MOST_ROWS as MOST_APPEALS, Times, behind
from app.reports.export import as_csv, as_xlsx
from app.reports.measures import BACKLOG, Unit
from app.reports.rules import SMALL_BELOW
from app.reports.service import MOST_ROWS, measured
from app.reports.tables import Cell, Column, Kind, Sheet
from app.web.deps import requires
from app.web.ui import report_build as build
from app.web.ui.fields import row_number
from app.web.ui.marks import N_
from app.web.ui.queue_view import number_text
from app.web.ui.reports import asked_of, narrowed_to, question_from
from app.web.ui.visit import CurrentVisit, Visit, visit_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from app.reports.behind import BehindRow
    from app.reports.figures import Figures, Report
    from app.reports.measures import Definition
    from app.reports.rules import Period

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.REPORT_READ))])

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_TABS = (N_("Figures"), N_("What is counted"))


@router.get("/reports/file")
async def report_file(visit: CurrentVisit, request: Request) -> Response:
    """The table of the screen. InvalidError where the screen would say what cannot be counted."""
    question = question_from(visit, request.query_params)
    if question.measure is BACKLOG:
        raise InvalidError("report.grouping", "There is no such grouping.", field="group_by")
    async with visit.reading() as session:
        report = await measured(session, asked_of(visit, question), group_by=question.group_by, limit=MOST_ROWS)
    narrowed = [one.label for one in narrowed_to(visit, question)]
    return _told(visit, request, _of_report(visit, report, narrowed))


@router.get("/reports/approved/{report_id}/file")
async def approved_file(visit: CurrentVisit, request: Request, report_id: str) -> Response:
    """The figures as they were approved, by whom."""
    async with visit.reading() as session:
        one = await approved_one(session, row_number(report_id) or 0)
    signed = (
        (visit.words.plain(N_("Approved by")), one.head.approver),
        (visit.words.plain(N_("Approved")), _moment(one.head.recorded_at, one.head.period)),
        ("SHA-256", one.head.digest),
    )
    return _told(visit, request, _of_report(visit, one.report, (), signed))


@router.get("/reports/appeals/file", dependencies=[Depends(requires(Permission.APPEAL_READ))])
async def behind_file(visit: CurrentVisit, request: Request) -> Response:
    """The appeals behind a number, as many as one page of the API; how many there are is told with them."""
    query = request.query_params
    question, figure = question_from(visit, query), query.get("figure") or "opened"
    times = Times(over_s=row_number(query.get("over", "")), upto_s=row_number(query.get("upto", "")), working=bool(question.working))
    async with visit.reading() as session:
        asked = asked_of(visit, question)
        found = await behind(session, asked, figure=figure, times=times, limit=MOST_APPEALS)
    word = visit.words.plain
    titles = (
        N_("No."), N_("Cycle"), N_("Written"), N_("Deadline"), N_("Ended"), N_("Outcome"), N_("Took"), N_("in working time"),
        N_("Platform"), N_("Agency"), N_("Territory"), N_("Topic"), N_("Page"),
    )  # fmt: skip
    kinds: dict[str, Unit | Kind] = {
        "Cycle": Unit.COUNT, "Took": Unit.SECONDS, "in working time": Unit.SECONDS,
        **dict.fromkeys(("Written", "Deadline", "Ended"), Kind.MOMENT),
    }  # fmt: skip
    narrowed = [one.label for one in narrowed_to(visit, question)]
    sheet = Sheet(
        name=_name(question.measure, question.period, figure),
        columns=tuple(Column(word(one), word(one), kinds.get(one, Kind.TEXT)) for one in titles),
        lines=tuple(_line(visit, row) for row in found.rows),
        about=((word("In total"), str(found.total)), *_about(visit, question.measure, question.period, asked.ages_at, narrowed)),
        made_at=asked.ages_at,
        zone=question.period.zone,
    )
    return _told(visit, request, sheet)


def _told(visit: Visit, request: Request, sheet: Sheet) -> Response:
    """A spreadsheet, or CSV where that is asked for."""
    if request.query_params.get("format") == "csv":
        content, media, ending = as_csv(sheet, local=True), "text/csv; charset=utf-8", "csv"
    else:
        content, media, ending = as_xlsx(sheet, tabs=tuple(map(visit.words.plain, _TABS))), _XLSX, "xlsx"
    headers = {"Content-Disposition": f'attachment; filename="{sheet.name}.{ending}"', "Cache-Control": "private, no-store"}
    return Response(content, media_type=media, headers=headers)


def _of_report(visit: Visit, report: Report, narrowed: Sequence[str], signed: Sequence[tuple[str, str]] = ()) -> Sheet:
    word, definition = visit.words.plain, report.definition
    few = word("few answers")
    grouping = visit.words("group_by", report.group_by.value)

    def line(label: str, depth: int | None, figures: Figures) -> tuple[Cell, ...]:
        values = (getattr(figures, one.code) for one in definition.measures)
        return (label, depth, *values, few if figures.small_number else None)

    return Sheet(
        name=_name(definition, report.period, report.group_by.value),
        columns=(
            Column(grouping, grouping, Kind.NAME),
            Column(word(N_("Level")), "", Kind.DEPTH),
            *(Column(word(one.title), word(one.title), one.unit) for one in definition.measures),
            Column(few, few, Kind.TEXT),
        ),
        lines=(
            *(line(build.label_of(report.group_by, row, visit.words), row.depth, row) for row in report.rows),
            line(word("In total"), None, report.total),
        ),
        about=(
            *signed,
            *_about(visit, definition, report.period, report.as_of or report.ages_at, narrowed, approximate=report.approximate),
        ),
        made_at=report.ages_at,
    )


def _about(
    visit: Visit, definition: Definition, period: Period, as_of: datetime, narrowed: Sequence[str], *, approximate: bool = False
) -> Iterator[tuple[str, str]]:
    """What must stand beside the figures, in the reader's words."""
    word = visit.words.plain
    yield word("Measure"), word(definition.title)
    yield word(N_("Population")), word(definition.population)
    yield word(N_("Clock")), word(definition.clock)
    yield word(N_("Whose it is")), word(definition.attribution)
    yield word("Period"), f"{period.start.isoformat()} – {period.end.isoformat()}"
    yield word(N_("Time zone")), period.tz
    yield word(N_("As of")), _moment(as_of, period)
    if narrowed:
        yield word(N_("Narrowed to")), "; ".join(narrowed)
    if any(one.unit is Unit.SECONDS for one in definition.measures):
        yield word(N_("Percentiles")), word(N_("within 1 %")) if approximate else word(N_("exact"))
    yield word("few answers"), word("Fewer than %(n)s answers: too few to compare") % {"n": SMALL_BELOW}
    for measure in definition.measures:
        yield word(measure.title), word(measure.meaning)


def _line(visit: Visit, row: BehindRow) -> tuple[Cell, ...]:
    return (
        "" if row.number is None else number_text(row.number), row.cycle, row.started_at, row.due_at, row.stopped_at,
        visit.words("outcome", row.outcome) if row.outcome else visit.words.plain("waits"), row.elapsed_s,
        row.working_s, visit.words("platform", row.platform), row.agency, row.territory, row.topic, row.page,
    )  # fmt: skip


def _moment(at: datetime, period: Period) -> str:
    return f"{at.astimezone(period.zone):%Y-%m-%d %H:%M:%S}"


def _name(definition: Definition, period: Period, what: str) -> str:
    return f"{definition.code}-{what}-{period.start.isoformat()}-{period.end.isoformat()}"
