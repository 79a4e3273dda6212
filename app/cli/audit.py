"""`otklik audit …`: the trail of acts and reads, verified and handed out."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from app.audit.export import export, verify_lines
from app.audit.service import record
from app.audit.verify import verify
from app.cli import show
from app.cli.owner import owner, run
from app.kernel.errors import ConflictError, InvalidError, SetupError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.audit.rules import Check

audit = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The trail of acts and reads, and its chain of seals.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_DAYS = timedelta(days=30)


@audit.command("verify")
def check(
    file: Annotated[Path | None, typer.Argument(help="An export to verify instead of the database.", metavar="[FILE.jsonl]")] = None,
    *,
    anchor: Annotated[str, typer.Option(help="The hash of a seal that was kept elsewhere: the chain must still hold it.")] = "",
    json: Json = False,
) -> None:
    """Walk the chain again; ends with 1 and names the first entry that is missing or differs from what was sealed."""
    expected = _hash(anchor)

    async def work() -> Check:
        async with owner() as administrator, administrator.database.read() as session:
            return await verify(session)

    found = _of_file(file) if file is not None else run(work())
    if expected is not None:
        found.anchor(expected)
    if json:
        show.as_json(
            {
                "seals": found.links, "entries": found.entries, "unsealed": found.unsealed, "dropped": found.dropped, "holes": found.holes,
                "last_hash": None if found.last is None else found.last.hash.hex(), "faults": [asdict(fault) for fault in found.faults],
            }
        )  # fmt: skip
    else:
        _tell(found)
    if found.faults:
        raise ConflictError("audit.differs", f"The trail is not as it was sealed. First: {found.faults[0].detail}")


def _tell(found: Check) -> None:
    for fault in found.faults:
        show.fail(fault.detail)
    if found.dropped:
        show.note(f"{found.dropped} entries were dropped after their term; their seals remain.")
    if found.unsealed:
        show.note(f"{found.unsealed} entries are younger than the last seal: nothing protects them yet.")
    if found.holes:
        show.note(
            f"{found.holes} numbers after the last entry were given out and are not there: their transactions were rolled back, "
            "or the entries were removed before they were sealed. Nobody can tell which."
        )
    if not found.faults:
        show.done(f"{found.entries} entries stand as {found.links} seals hold them.")
        if found.last is not None:
            show.note(f"Last seal {found.last.number}: {found.last.hash.hex()}  (keep it elsewhere, and give it as --anchor one day)")


def _of_file(path: Path) -> Check:
    try:
        with path.open("rb") as lines:
            return verify_lines(lines)
    except OSError as error:
        raise SetupError("setup.file", f"{path} cannot be read: {error.strerror or error}.") from error


def _hash(anchor: str) -> bytes | None:
    try:
        return bytes.fromhex(anchor) if anchor else None
    except ValueError as error:
        raise InvalidError("audit.anchor", "--anchor is the hash of a seal: 64 of 0-9 and a-f.") from error


@audit.command("export")
def hand_out(
    *,
    begin: Annotated[str, typer.Option("--from", help="First day, such as 2026-11-01; else 30 days back.", metavar="DAY")] = "",
    end: Annotated[str, typer.Option("--to", help="Last day; else today.", metavar="DAY")] = "",
    output: Annotated[Path | None, typer.Option(help="Write to this file, which must not exist; else to standard output.")] = None,
) -> None:
    """Write JSON Lines: the entries of the period with their seals, whole. `otklik audit verify FILE` verifies them anywhere."""

    async def work() -> int:
        async with owner() as administrator:
            since, until = _period(begin, end, tz=administrator.settings.timezone, now=administrator.clock.now())
            lines = 0
            with _written(output) as file:
                async with administrator.database.read() as session:
                    async for line in export(session, since=since, until=until):
                        file.write(line)
                        lines += 1
            async with administrator.database.write() as writing:
                days = {"from": since.isoformat(), "to": until.isoformat()}
                await record(writing, operator_id=None, act="exported", subject="audit", data=days)
            return lines

    lines = run(work())
    if output is not None:
        show.done(f"{lines} lines are in {output}.")


@contextmanager
def _written(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        yield sys.stdout
        return
    try:
        with path.open("x", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise SetupError("setup.file", f"{path} cannot be written: {error.strerror or error}.") from error


def _period(begin: str, end: str, *, tz: str, now: datetime) -> tuple[datetime, datetime]:
    zone = ZoneInfo(tz)
    last = _day(end, "--to") if end else now.astimezone(zone).date()
    first = _day(begin, "--from") if begin else last - _DAYS
    if first > last:
        raise InvalidError("audit.period", "--from lies after --to.")
    return _midnight(first, zone), _midnight(last + timedelta(days=1), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def _day(given: str, option: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise InvalidError("audit.day", f"{option} {given!r} is not a day such as 2026-11-01.") from error
