"""The supervisor's pages: one measure as pictures and a table, and the very appeals behind each number."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from app.kernel.errors import InvalidError
from app.people.rules import Permission
from app.reports.backlog import backlog
from app.reports.behind import BehindRow, Times, behind
from app.reports.distribution import distribution
from app.reports.grid import grid
from app.reports.measures import BACKLOG, MEASURES
from app.reports.periods import finest, following, kind_of, sensible, whole
from app.reports.rules import SMALL_BELOW, Bucket, Grouping, Period, before
from app.reports.service import Asked, measured, trended
from app.web.deps import requires
from app.web.ui import report_build as build
from app.web.ui.fields import row_number
from app.web.ui.measure_views import BehindLine, BehindView, Link, ReportView
from app.web.ui.queue_view import number_text
from app.web.ui.report_query import LAST_DAYS, Question, question_of
from app.web.ui.views import Choice
from app.web.ui.visit import CurrentVisit, Visit, visit_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from app.kernel.db import ReadSession
    from app.reports.figures import Report, Trend
    from app.reports.grid import Grid

router = APIRouter(include_in_schema=False, dependencies=[Depends(visit_of), Depends(requires(Permission.REPORT_READ))])

MOST_ROWS = 200
_LINES_A_PAGE = 50
_IN_THE_FORM = frozenset({"measure", "from", "to", "group_by", "as_of"})
_LONGEST_BY_DAY, _LONGEST_BY_WEEK = 14, 186


@router.get("/reports")
async def report_screen(visit: CurrentVisit, request: Request) -> Response:
    """One measure of a period. What cannot be counted is said so beside the last 30 days."""
    error = ""
    try:
        question = question_from(visit, request.query_params)
    except InvalidError as refused:
        error = visit.words("fault", refused.code, refused.params, otherwise=refused.detail)
        question = question_from(visit, {})
    async with visit.reading() as session:
        frame = await visit.frame(session)
        view = await _view(visit, session, question)
    return visit.page("report.html", {"report": replace(view, error=error)}, frame, status=422 if error else 200)


@router.get("/reports/appeals", dependencies=[Depends(requires(Permission.APPEAL_READ))])
async def behind_screen(visit: CurrentVisit, request: Request) -> Response:
    """The appeals that a number counts: as many, by the same definition."""
    query = request.query_params
    question = question_from(visit, query)
    figure = query.get("figure") or "opened"
    times = Times(over_s=row_number(query.get("over", "")), upto_s=row_number(query.get("upto", "")), working=bool(question.working))
    async with visit.reading() as session:
        frame = await visit.frame(session)
        asked = asked_of(visit, question)
        found = await behind(session, asked, figure=figure, times=times, limit=_LINES_A_PAGE, cursor=query.get("cursor"))
    meaning = next((one for measure in MEASURES.values() for one in measure.measures if one.code == figure), None)
    also = {name: query[name] for name in ("over", "upto", "working") if query.get(name)}
    view = BehindView(
        title=meaning.title if meaning is not None else visit.words("behind", figure),
        meaning=meaning.meaning if meaning is not None else "",
        definition=question.measure,
        total=found.total,
        rows=tuple(_line(visit, row, asked.ages_at) for row in found.rows),
        since=question.period.start,
        until=question.period.end,
        kind=kind_of(question.period),
        zone=question.period.zone,
        as_of=asked.ages_at,
        narrowed=tuple(one.label for one in narrowed_to(visit, question)),
        back=question.here(),
        next_href="" if found.next_cursor is None else question.behind(figure, also=also | {"cursor": found.next_cursor}),
        file=question.file_behind(figure, also),
    )
    return visit.page("report_appeals.html", {"page": view}, frame)


def question_from(visit: Visit, query: Mapping[str, str]) -> Question:
    """The question of an address, in the installation's time zone. InvalidError when it cannot be read."""
    zone = ZoneInfo(visit.parts.timezone)
    return question_of(query, today=visit.now.astimezone(zone).date(), tz=zone.key)


def asked_of(visit: Visit, question: Question) -> Asked:
    """The question in the name of whoever asks it."""
    return Asked(
        measure=question.measure, access=visit.access, period=question.period, filters=question.filters, now=visit.now,
        as_of=question.known_by(visit.now),
    )  # fmt: skip


async def _view(visit: Visit, session: ReadSession, question: Question) -> ReportView:
    asked = asked_of(visit, question)
    earlier = replace(asked, period=before(asked.period))
    of_backlog = question.measure is BACKLOG
    over_time = backlog if of_backlog else trended
    now = await over_time(session, asked, bucket=question.bucket)
    was = await over_time(session, earlier, bucket=question.bucket)
    report = None if of_backlog else await measured(session, asked, group_by=question.group_by, limit=MOST_ROWS)
    places = None if of_backlog else await _places(session, asked, question, report)
    agencies = None if of_backlog else await _agencies(session, asked)
    found = await distribution(session, asked, working=question.working) if question.measure.has("average_s") else None
    return replace(
        _made(visit, question, now, was, report),
        known_by=question.as_of,
        known_now=question.here(as_of=""),
        spread=None if found is None else build.spread(question, found, visit.words),
        heat=None if agencies is None else build.heat(question, agencies, visit.words),
        tiles=() if places is None else build.tiles(question, places, visit.words),
    )


async def _places(session: ReadSession, asked: Asked, question: Question, report: Report | None) -> Report:
    """The report by territory; the table's own when it is that."""
    if report is not None and question.group_by is Grouping.TERRITORY:
        return report
    return await measured(session, asked, group_by=Grouping.TERRITORY, limit=MOST_ROWS)


async def _agencies(session: ReadSession, asked: Asked) -> Grid | None:
    """Agencies by day, week or month, so that the columns can be told apart; nothing of a country too large for one picture."""
    days = (asked.period.end - asked.period.start).days + 1
    bucket = Bucket.DAY if days <= _LONGEST_BY_DAY else Bucket.WEEK if days <= _LONGEST_BY_WEEK else Bucket.MONTH
    try:
        return await grid(session, asked, group_by=Grouping.AGENCY, bucket=bucket)
    except InvalidError:
        return None


def _made(visit: Visit, question: Question, now: Trend, was: Trend, report: Report | None) -> ReportView:
    period, words = question.period, visit.words
    today = visit.now.astimezone(period.zone).date()
    following_one = following(period)
    earlier = before(period)
    return ReportView(
        definition=question.measure,
        measures=tuple(Choice(value=one.code, label=one.title, chosen=one is question.measure) for one in MEASURES.values()),
        groupings=tuple(Choice(value=one.value, label=words("group_by", one.value), chosen=one is question.group_by) for one in Grouping),
        since=period.start,
        until=period.end,
        kind=kind_of(period),
        kinds=tuple(_kinds(visit, question, today)),
        earlier=question.here(**_days(earlier), bucket=""),
        later="" if following_one is None or following_one.start > today else question.here(**_days(following_one), bucket=""),
        zone=period.zone,
        unfinished=period.end >= today,
        kept=tuple((name, value) for name, value in question.pairs(bucket="").items() if name not in _IN_THE_FORM),
        narrowed=narrowed_to(visit, question),
        figures=build.head_figures(question, now.total, was.total),
        before=(earlier.start, earlier.end, kind_of(earlier)),
        chief=build.chief(question.measure).title,
        unit=build.chief(question.measure).unit.value,
        trend=build.trend_rows(question, now, was, today=today),
        bucket=question.bucket,
        buckets=tuple(_bucket(visit, question, one) for one in sensible(period)),
        spread=None,
        heat=None,
        tiles=(),
        columns=build.columns(question.measure),
        rows=() if report is None else build.table_rows(question, report, words),
        files=tuple(Link(form.upper(), question.file(form)) for form in ("xlsx", "csv")),
        approvable=report is not None and period.end < today and _approvable(visit, question),
        as_of=now.ages_at,
        small_below=SMALL_BELOW,
        more=report is not None and report.next_cursor is not None,
    )


def _approvable(visit: Visit, question: Question) -> bool:
    """Whether the reader may sign it as it is asked for: the whole of it, as it is known now."""
    return visit.access.may(Permission.REPORT_APPROVE) and not question.only and question.as_of is None


def _bucket(visit: Visit, question: Question, one: Bucket) -> Link:
    address = question.here(bucket="" if one is finest(question.period) else one.value)
    return Link(visit.words("bucket", one.value), address, one is question.bucket)


def _kinds(visit: Visit, question: Question, today: date) -> list[Link]:
    """Whole days, weeks and so on around the end of what is shown, and the last 30 days."""
    day = min(question.period.end, today)
    found = []
    for kind in Bucket:
        start, end = whole(kind, day)
        chosen = (start, end) == (question.period.start, question.period.end)
        found.append(Link(visit.words("period_kind", kind.value), question.here(**_span(start, end), bucket=""), chosen))
    recent = question_of({}, today=today, tz=question.period.tz).period
    chosen = recent == question.period
    found.append(Link(visit.words("period_kind", f"last_{LAST_DAYS}"), question.here(**_days(recent), bucket=""), chosen))
    return found


def _days(period: Period) -> dict[str, str]:
    return _span(period.start, period.end)


def _span(start: date, end: date) -> dict[str, str]:
    return {"from": start.isoformat(), "to": end.isoformat()}


def narrowed_to(visit: Visit, question: Question) -> tuple[Link, ...]:
    """What the report is narrowed to, each with the address without it."""
    directory, found = visit.office.desk.directory, []
    trees: Mapping[Grouping, Mapping[int, object]] = {
        Grouping.AGENCY: directory.agencies, Grouping.TERRITORY: directory.territories, Grouping.TOPIC: directory.topics,
    }  # fmt: skip
    for one, key in question.only.items():
        node = trees.get(one, {}).get(row_number(key) or 0)
        name = str(getattr(node, "name", "")) or (visit.words("platform", key) if one is Grouping.PLATFORM and key else "")
        label = f"{visit.words('group_by', one.value)}: {name or key}" if key else visit.words("nobody", one.value)
        found.append(Link(label, question.here(**{one.value: ""}) if key else question.here(nobody="")))
    return tuple(found)


def _line(visit: Visit, row: BehindRow, at: datetime) -> BehindLine:
    waits = row.stopped_at is None
    return BehindLine(
        number="" if row.number is None else number_text(row.number),
        started_at=row.started_at,
        due_at=row.due_at,
        outcome="" if waits else visit.words("outcome", row.outcome or ""),
        spent_s=(at - row.started_at).total_seconds() if waits else row.elapsed_s,
        working_s=None if waits else row.working_s,
        late=row.outcome == "late" or (waits and row.due_at is not None and row.due_at < at),
        agency=row.agency or "",
        territory=row.territory or "",
        topic=row.topic or "",
        platform=row.platform,
        page=row.page or "",
        cycle=row.cycle,
    )
