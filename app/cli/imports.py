"""`otklik import …`: the region in CSV files, and its past from another system."""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import bootstrap
from app.cli import show
from app.cli.owner import Owner, owner, run
from app.exchange.agencies import import_agencies
from app.exchange.calendars import complete_calendars, import_calendar
from app.exchange.incident.importing import IncidentImport, import_incidents
from app.exchange.incident.mapping import Mapping, UnknownValuesError, read_mapping, write_mapping
from app.exchange.incident.workbook import read_rows
from app.exchange.pages import Platforms, import_pages
from app.exchange.result import note_import
from app.exchange.rules import import_rules
from app.exchange.table import LARGEST_FILE, ImportFaultsError
from app.exchange.territories import import_spheres, import_territories
from app.exchange.topics import import_topics
from app.kernel.errors import InvalidError, SetupError
from app.sources.budget import SharedBudget

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from app.exchange.result import Imported
    from app.exchange.table import Line
    from app.kernel.db import WriteSession

imports = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Read CSV files: territories, spheres, agencies, calendar, topics, pages, rules, in this order; then past incidents. "
    "A file is checked as a whole first; running it again changes only what differs.",
)
SHARE_SECONDS = 0.2
"""So often is our part of what the tokens allow renewed while platforms are asked."""
File = Annotated[Path, typer.Argument(help="CSV file; commas or semicolons, UTF-8 or Windows-1251.", metavar="FILE.csv")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and count, write nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result, or the faults, as JSON.")]


@imports.command()
def territories(file: File, *, dry_run: DryRun = False, json: Json = False) -> None:
    """Places: code, parent, name[, timezone]."""
    _import(file, lambda data: _in_one(import_territories, data, dry_run=dry_run), json=json)


@imports.command()
def spheres(file: File, *, dry_run: DryRun = False, json: Json = False) -> None:
    """Kinds of bodies: code, name."""
    _import(file, lambda data: _in_one(import_spheres, data, dry_run=dry_run), json=json)


@imports.command()
def agencies(file: File, *, dry_run: DryRun = False, json: Json = False) -> None:
    """Who answers: code, parent, territory, name."""
    _import(file, lambda data: _in_one(import_agencies, data, dry_run=dry_run), json=json)


@imports.command()
def calendar(file: File, *, dry_run: DryRun = False, json: Json = False) -> None:
    """Working hours: territory[, agency], monday … sunday (cells such as 09:00-13:00 14:00-18:00)."""
    _import(file, lambda data: _in_one(import_calendar, data, dry_run=dry_run), json=json)


@imports.command()
def topics(file: File, *, dry_run: DryRun = False, json: Json = False) -> None:
    """What appeals are about: code, parent, name[, weight, keywords]."""
    _import(file, lambda data: _in_one(import_topics, data, dry_run=dry_run), json=json)


@imports.command()
def pages(
    file: File,
    *,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask the platforms about known pages, too.")] = False,
    leave_out: Annotated[bool, typer.Option("--leave-out", help="Leave out, and tell, the lines that a platform refuses.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Pages to watch: platform, link, agency, territory[, external_id, title, sphere]. Links are looked up many at once."""
    _import(file, lambda data: _pages(data, dry_run=dry_run, refresh=refresh, leave_out=leave_out), json=json)


@imports.command()
def rules(
    file: File,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Retire all rules that the file does not hold.")] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Who answers what: page, territory, topic, agency[, comment]; an empty cell means any, agency @page its owner."""

    async def work(session: WriteSession, data: bytes, **options: object) -> Imported:
        return await import_rules(session, data, replace=replace, **options)  # type: ignore[arg-type]  # the importers' options

    _import(file, lambda data: _in_one(work, data, dry_run=dry_run), json=json)


@imports.command()
def incident(
    file: Annotated[Path, typer.Argument(help="The 47-column export of «Инцидент Менеджмент».", metavar="FILE.xlsx")],
    *,
    mapping: Annotated[
        Path | None, typer.Option(help="CSV of kind, value, ours; else FILE.mapping.csv. Unknown values are added to it.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="The time zone of the file's moments; else OTKLIK_TIMEZONE.")] = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Past incidents, with their history; prints each calculated cell that comes out otherwise."""
    known = mapping or file.with_name(f"{file.stem}.mapping.csv")

    def work() -> IncidentImport:
        lines = read_rows(read_file(file))
        given = _given(known, json=json) if known.exists() else Mapping()
        return run(_incidents(lines, given, timezone=timezone, dry_run=dry_run))

    _told(file, work, mapping=known, json=json)


def _given(known: Path, *, json: bool) -> Mapping:
    """The mapping, or what is wrong in that very file: its lines are not those of the table."""
    try:
        return read_mapping(read_file(known))
    except ImportFaultsError as error:
        _tell_faults(known, error, json=json)
        raise _nothing_imported(known, error) from error


async def _incidents(lines: Sequence[Line], given: Mapping, *, timezone: str, dry_run: bool) -> IncidentImport:
    async with owner() as work, work.database.write() as session:
        return await import_incidents(
            session, lines, given, timezone=timezone or work.settings.timezone, now=work.clock.now(), dry_run=dry_run
        )


def _told(file: Path, work: Callable[[], IncidentImport], *, mapping: Path, json: bool) -> None:
    try:
        result = work()
    except UnknownValuesError as error:
        mapping.write_bytes(write_mapping(error.mapping))
        _tell_faults(file, error, json=json)
        raise InvalidError(
            "import.unknown",
            f"Nothing was imported: {len(error.mapping.asked)} values are unknown. Fill the column ours in {mapping} and run it again.",
        ) from error
    except ImportFaultsError as error:
        _tell_faults(file, error, json=json)
        raise _nothing_imported(file, error) from error
    if json:
        show.as_json(asdict(result))
        return
    for one in result.differences:
        show.note(f"{file.name}, line {one.line}, ID {one.external_id}: «{one.unlike.column}» is {one.unlike.file}, ours {one.unlike.ours}")
    for line, told in result.remarks:
        show.note(f"{file.name}, line {line}: {told}")
    if result.made:
        show.note(f"Made: {', '.join(result.made)}.")
    show.done(
        f"incidents: {result.added} new, {result.same} as they were, {result.joined} appeals here already; "
        f"{len(result.differences)} calculated cells differ."
    )
    if not result.written:
        show.note("Nothing was written: --dry-run.")


async def watch(work: Owner, data: bytes, *, dry_run: bool, refresh: bool, leave_out: bool = False) -> Imported:
    """Import pages with the connectors that have tokens; a running worker and we share what the tokens allow."""
    plugins = bootstrap.load_plugins(work.settings)
    budget = SharedBudget(work.database, worker=f"import:{socket.gethostname()}:{os.getpid()}")
    connectors = await bootstrap.build_connectors(work.settings, work.database, plugins, budget)
    sharing = asyncio.create_task(_share(budget))
    try:
        return await import_pages(
            work.database,
            data,
            platforms=Platforms(plugins=plugins, connectors=connectors),
            context=timedelta(hours=work.settings.context_hours),
            now=work.clock.now(),
            dry_run=dry_run,
            refresh=refresh,
            leave_out=leave_out,
        )
    finally:
        sharing.cancel()
        await asyncio.gather(sharing, return_exceptions=True)
        await budget.leave()
        for connector in connectors.values():
            await connector.close()


async def _share(budget: SharedBudget) -> None:
    while True:
        if not await budget.beat():
            await asyncio.sleep(SHARE_SECONDS)


async def _pages(data: bytes, *, dry_run: bool, refresh: bool, leave_out: bool) -> Imported:
    async with owner() as work:
        return await watch(work, data, dry_run=dry_run, refresh=refresh, leave_out=leave_out)


async def _in_one(importer: Callable[..., Awaitable[Imported]], data: bytes, *, dry_run: bool) -> Imported:
    async with owner() as work, work.database.write() as session:
        result = await importer(session, data, now=work.clock.now(), dry_run=dry_run)
        if not dry_run:
            await complete_calendars(session, now=work.clock.now())
            await note_import(session, result)
        return result


def _import(file: Path, work: Callable[[bytes], Awaitable[Imported]], *, json: bool) -> None:
    data = read_file(file)

    async def whole() -> Imported:
        return await work(data)

    try:
        result = run(whole())
    except ImportFaultsError as error:
        _tell_faults(file, error, json=json)
        raise _nothing_imported(file, error) from error
    if json:
        show.as_json(result)
        return
    for fault in result.left_out:
        show.fail(f"{file.name}, line {fault.line}, left out: {fault.text}")
    show.done(f"{result.kind}: {result.added} new, {result.changed} changed, {result.same} as they were.")
    if not result.written:
        show.note("Nothing was written: --dry-run.")


def _nothing_imported(file: Path, error: ImportFaultsError) -> InvalidError:
    count = f"{len(error.faults)} fault{'s' if len(error.faults) > 1 else ''}"
    return InvalidError("import.faults", f"Nothing was imported: {count}. Mend {file.name} and import it again.")


def _tell_faults(file: Path, error: ImportFaultsError, *, json: bool) -> None:
    if json:
        show.as_json({"written": False, "faults": error.faults})
    else:
        for fault in error.faults:
            show.fail(f"{file.name}, line {fault.line}: {fault.text}")


def read_file(path: Path) -> bytes:
    """The bytes of a file. Raises SetupError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise SetupError("setup.file", f"{path} cannot be read: {error.strerror or error}.") from error
