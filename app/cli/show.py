"""What the commands print: people read tables on standard output, programs read --json, errors go to standard error."""

from __future__ import annotations

import dataclasses
import json
import sys
from datetime import date, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.kernel.errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

out = Console(highlight=False, soft_wrap=True)
_WIDE = 1000
"""Columns of what is not a terminal: a program that reads the table gets each row on one line."""
_CUT = 34
err = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(line: str) -> None:
    """Say on standard error what went wrong and what to do."""
    err.print(f"[bold red]otklik:[/] {escape(line)}")


def done(line: str) -> None:
    """Say what has been done."""
    out.print(f"[green]✓[/] {escape(line)}")


def note(line: str) -> None:
    """Say something worth knowing."""
    out.print(escape(line))


def as_json(value: object, *, to: Path | None = None) -> None:
    """Print a value of dataclasses, lists and plain types for a program, or write it to a file that is not there yet."""
    told = json.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n"
    if to is None:
        sys.stdout.write(told)
        return
    try:
        with to.open("x", encoding="utf-8") as file:
            file.write(told)
    except OSError as error:
        raise SetupError("setup.file", f"{to} cannot be written: {error.strerror or error}.") from error


def listing(rows: Sequence[Any], columns: Sequence[str], *, json_wanted: bool, nothing: str, cut: Sequence[str] = ()) -> None:
    """Print dataclass rows as a table of these columns, or all their fields as JSON. `cut`: as in `table`."""
    if json_wanted:
        as_json(rows)
        return
    if not rows:
        note(nothing)
        return
    table(columns, ([_cell(getattr(row, column)) for column in columns] for row in rows), cut=cut)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[str] = (),
    cut: Sequence[str] = (),
    console: Console | None = None,
) -> None:
    """Print a table; texts from outside cannot colour or forge it. On a terminal what stands in `cut` keeps to one line."""
    console = console or (out if out.is_terminal else Console(highlight=False, width=_WIDE))
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        short = column in cut and console.is_terminal
        drawn.add_column(
            column.replace("_", " "),
            justify="right" if column in right else "left",
            overflow="ellipsis" if short else "fold",
            no_wrap=short,
            max_width=_CUT if short else None,
        )
    for row in rows:
        drawn.add_row(*(escape(_visible(cell)) for cell in row))
    console.print(drawn)


def _visible(text: str) -> str:
    return "".join(char if char.isprintable() else "·" for char in text)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M %Z")
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
