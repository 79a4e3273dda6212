"""The program: its commands, those that other packages bring, and how it ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from sqlalchemy.exc import SQLAlchemyError
from typer.core import TyperGroup
from typer.main import get_command

from app.cli import imports, pages, processes, reports, seed, show, staff, up
from app.kernel.errors import OtklikError, SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS_GROUP = "otklik.commands"
_LAST_SECONDS = 10.0


class Program(TyperGroup):
    """Our commands and, by entry point, those of other packages; these are imported only when they are called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - click's type
        """All names, ours first."""
        return [*super().list_commands(ctx), *sorted(_brought())]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - click's types, which newer typers vendor
        """The command of this name."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        point = _brought().get(cmd_name)
        return None if point is None else _load(point)


def _brought() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=COMMANDS_GROUP)}


def _load(point: EntryPoint) -> Any:  # noqa: ANN401 - click's command
    try:
        command = get_command(point.load())
    except Exception as error:
        raise SetupError("setup.command", f"The command {point.name} ({point.value}) does not load: {error}") from error
    command.name = point.name
    return command


def root(
    with_parent: Annotated[
        bool, typer.Option("--with-parent", hidden=True, help="End when standard input is closed: the parent is gone.")
    ] = False,
) -> None:
    """Every command explains itself: otklik COMMAND --help. Settings are OTKLIK_… variables; the README lists them."""
    if with_parent:
        threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()


def _end_with_parent() -> None:
    """The parent holds the other end of our standard input, so even its SIGKILL closes it."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_LAST_SECONDS)
    os._exit(1)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program with its own arguments, or these; exit codes: 0 done, 1 failed with one line that says what to do, 2 wrong usage."""
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")  # of the embedded PostgreSQL's lock
    try:
        build()(args=arguments)
    except OtklikError as error:
        show.fail(error.detail)
    except SQLAlchemyError as error:
        show.fail(f"The database refused: {getattr(error, 'orig', None) or error}")
    except OSError as error:
        show.fail(str(error))
    sys.exit(1)


def build() -> typer.Typer:
    """The whole program."""
    program = typer.Typer(
        name="otklik",
        cls=Program,
        callback=root,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Citizens' comments on official pages, turned into appeals, answered in time.",
    )
    program.command("up")(up.up)
    program.command("web")(processes.web)
    program.command("worker")(processes.worker)
    program.command("migrate")(processes.migrate)
    program.command("keep-database", hidden=True)(processes.keep_database)
    program.command("seed")(seed.seed)
    for group, name in (
        (staff.operators, "operators"),
        (staff.tokens, "token"),
        (imports.imports, "import"),
        (pages.pages, "pages"),
        (pages.credentials, "credentials"),
        (reports.reports, "reports"),
    ):
        program.add_typer(group, name=name)
    return program
