"""`otklik reports …`: the same figures as on the screen, for the whole region."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from app.cli import show
from app.cli.owner import owner, run
from app.kernel.errors import ConflictError
from app.reports.rollup import rebuild
from app.reports.rules import Grouping, Period
from app.reports.service import response_times
from app.reports.verify import verify

if TYPE_CHECKING:
    from app.reports.figures import Figures, Report
    from app.reports.verify import Verification

reports = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="How fast and how well people are answered.")
From = Annotated[str, typer.Option("--from", help="First day, such as 2026-11-01; else 30 days back.", metavar="DAY")]
To = Annotated[str, typer.Option("--to", help="Last day; else today.", metavar="DAY")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_DAYS = timedelta(days=30)
_HOUR = 3600
_DIFFERENCE = ("what", "number", "cycle", "group", "stored", "expected")
_COLUMNS = ("group", "opened", "answered", "average h", "median h", "p90 h", "in time", "waiting", "overdue")


@reports.command("response-times")
def times(
    *,
    begin: From = "",
    end: To = "",
    group_by: Annotated[Grouping, typer.Option(help="By what to split.")] = Grouping.AGENCY,
    json: Json = False,
) -> None:
    """Hours to the first answer: average, median, 90th percentile, the share in time."""

    async def work() -> Report:
        async with owner() as administrator, administrator.database.read() as session:
            now = administrator.clock.now()
            period = period_of(begin, end, tz=administrator.settings.timezone, now=now)
            return await response_times(session, access=None, period=period, group_by=group_by, now=now)

    report = run(work())
    if json:
        rows = [{**asdict(row), "in_time_share": row.in_time_share} for row in (*report.rows, report.total)]
        show.as_json(
            {"period": report.period, "group_by": report.group_by, "ages_at": report.ages_at, "rows": rows[:-1], "total": rows[-1]}
        )
        return
    show.note(f"{report.period.start} to {report.period.end}, days of {report.period.tz}; calendar hours")
    lines = [(f"{'  ' * row.depth}{row.label or '-'}", *_cells(row)) for row in report.rows]
    show.table(_COLUMNS, [*lines, ("total", *_cells(report.total))], right=_COLUMNS[1:])


@reports.command("verify")
def check(*, begin: From = "", end: To = "", json: Json = False) -> None:
    """Recompute every clock, kept line and figure of every measure from raw history; ends with 1 when anything comes out otherwise."""

    async def work() -> Verification:
        async with owner() as administrator:
            now = administrator.clock.now()
            period = period_of(begin, end, tz=administrator.settings.timezone, now=now)
            return await verify(administrator.database, period=period, now=now)

    found = run(work())
    if json:
        show.as_json(asdict(found))
    elif found.differences:
        show.table(_DIFFERENCE, [tuple(str(getattr(one, column)) for column in _DIFFERENCE) for one in found.differences])
    else:
        show.done(
            f"{found.period.start} to {found.period.end}: {found.timers} clocks and {found.figures} figures agree with their history."
        )
    if found.differences:
        raise ConflictError(
            "report.differs",
            f"{len(found.differences)} differences from the history, in {found.timers} clocks and {found.figures} figures.",
        )


@reports.command("rebuild")
def anew() -> None:
    """Compute what is kept for fast reports anew from the history, step by step; until it is done reports are slower, and as right."""

    async def work() -> int:
        async with owner() as administrator:
            tz = administrator.settings.timezone
            return await rebuild(administrator.database, tz=tz, progress=lambda what, done: show.note(f"{done} {what}"))

    show.done(f"{run(work())} lines computed anew.")


def period_of(begin: str, end: str, *, tz: str, now: datetime) -> Period:
    """The days asked for. Raises BadParameter, a wrong usage, when they cannot be read or end before they begin."""
    today = now.astimezone(ZoneInfo(tz)).date()
    last = _day(end, "--to") if end else today
    first = _day(begin, "--from") if begin else last - _DAYS
    if first > last:
        raise typer.BadParameter(f"the period ends on {last}, before it begins on {first}.", param_hint="'--to'")
    return Period(start=first, end=last, tz=tz)


def _day(given: str, option: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise typer.BadParameter(f"{given!r} is not a day such as 2026-11-01.", param_hint=f"'{option}'") from error


def _cells(row: Figures) -> tuple[str, ...]:
    share = "-" if row.in_time_share is None else f"{row.in_time_share:.0%}"
    hours = ("-" if value is None else f"{value / _HOUR:.1f}" for value in (row.average_s, row.median_s, row.p90_s))
    return (str(row.opened), str(row.answered), *hours, share, str(row.waiting), str(row.overdue))
