"""`otklik export …`: what other systems read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.appeals.page_file import csv_lines
from app.appeals.pages import every_page
from app.audit import service as audit
from app.cli import show
from app.cli.owner import owner, run
from app.cli.page_filters import InAgency, InSphere, InTerritory, Platform, State, filters_of
from app.cli.reports import From, To, period_of
from app.exchange.incident.exporting import agencies_of, export_rows
from app.exchange.incident.workbook import Written, write_rows
from app.kernel.errors import SetupError
from app.people.rules import EVERYTHING

exports = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Write files that other systems read.")


@exports.callback()
def group() -> None:
    """Write files that other systems read."""


@exports.command()
def pages(  # noqa: PLR0913 - one parameter per option
    file: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.", metavar="FILE.csv")],
    *,
    platform: Platform = "",
    agency: InAgency = "",
    territory: InTerritory = "",
    sphere: InSphere = "",
    state: State = None,
) -> None:
    """Pages as the table that `otklik import pages` reads."""

    async def work() -> int:
        async with owner() as administrator, administrator.database.read() as session:
            filters = await filters_of(session, platform=platform, agency=agency, territory=territory, sphere=sphere, state=state)
            lines = [line async for line in csv_lines(every_page(session, EVERYTHING, filters, now=administrator.clock.now()))]
        try:
            with file.open("x", encoding="utf-8", newline="") as table:
                table.writelines(lines)
        except OSError as error:
            raise SetupError("setup.file", f"{file} cannot be made: {error.strerror}. Give the name of a new file.") from error
        return sum(line.count("\r\n") for line in lines) - 1

    show.done(f"{run(work())} pages written to {file}.")


@exports.command()
def incident(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.", metavar="FILE.xlsx")],
    *,
    begin: From = "",
    end: To = "",
    agency: Annotated[list[str] | None, typer.Option(help="Only of this agency (its code) and those below it; may be repeated.")] = None,
) -> None:
    """Appeals that citizens wrote in a period, as the 47-column table of «Инцидент Менеджмент»."""

    async def work() -> Written:
        async with owner() as administrator, administrator.database.write() as session:
            now, tz = administrator.clock.now(), administrator.settings.timezone
            period = period_of(begin, end, tz=tz, now=now)
            agencies = await agencies_of(session, agency or ())
            rows = export_rows(session, since=period.since, until=period.until, agency_ids=agencies, timezone=tz, now=now)
            written = write_rows(file, [row async for row in rows])
            told = {"from": period.start.isoformat(), "to": period.end.isoformat(), "rows": written.rows}
            await audit.record(session, operator_id=None, act="exported", subject="incidents", data=told)
            return written

    try:
        file.touch(mode=0o600, exist_ok=False)  # citizens' words: for nobody else on this machine
    except OSError as error:
        raise SetupError("setup.file", f"{file} cannot be made: {error.strerror}. Give the name of a new file.") from error
    try:
        written = run(work())
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    show.done(f"{written.rows} appeals written to {file}.")
    if written.cut:
        show.note(f"{written.cut} cells were longer than a workbook allows and were cut; the cut ends with …")
