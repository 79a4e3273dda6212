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
from typer.core import TyperGroup
from typer.main import get_command, get_group

from app.cli import show
from app.kernel.errors import OtklikError, SetupError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS_GROUP = "otklik.commands"
# Ours are found like those of other packages, by name: a process imports what it runs and nothing else.
_OURS = {
    "up": "app.cli.up:up",
    "web": "app.cli.processes:web",
    "worker": "app.cli.processes:worker",
    "migrate": "app.cli.processes:migrate",
    "seed": "app.cli.seed:seed",
    "operators": "app.cli.staff:operators",
    "token": "app.cli.tokens:tokens",
    "import": "app.cli.imports:imports",
    "export": "app.cli.exports:exports",
    "pages": "app.cli.pages:pages",
    "credentials": "app.cli.credentials:credentials",
    "keys": "app.cli.keys:keys",
    "reports": "app.cli.reports:reports",
    "publishing": "app.cli.publishing:publishing",
    "audit": "app.cli.audit:audit",
    "subject": "app.cli.subject:subject",
    "appeals": "app.cli.appeals:appeals",
    "norms": "app.cli.norms:norms",
    "calendars": "app.cli.calendars:calendars",
    "hooks": "app.cli.hooks:hooks",
    "webhooks": "app.cli.webhooks:webhooks",
}
_HIDDEN = {"keep-database": "app.cli.keeper:keep_database"}
_LAST_SECONDS = 10.0


class Program(TyperGroup):
    """Our commands and, by entry point, those of other packages; each is imported when it is called."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - click's signature
        """All names, ours first."""
        return [*_OURS, *sorted(set(_brought()) - set(_OURS))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002 - click's signature
        """The command of this name."""
        ours = _OURS.get(cmd_name) or _HIDDEN.get(cmd_name)
        point = EntryPoint(cmd_name, ours, COMMANDS_GROUP) if ours else _brought().get(cmd_name)
        return None if point is None else _load(point)


def _brought() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=COMMANDS_GROUP)}


def _load(point: EntryPoint) -> Any:  # noqa: ANN401 - click's command
    try:
        loaded = point.load()
        if isinstance(loaded, typer.Typer):
            command: Any = get_group(loaded)  # a group, even of one command
        else:
            single = typer.Typer(rich_markup_mode=None, add_completion=False)
            single.command(point.name)(loaded)
            command = get_command(single)
    except Exception as error:
        raise SetupError("setup.command", f"The command {point.name} ({point.value}) does not load: {error}") from error
    command.name = point.name
    return command


def root(
    *,
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


def build() -> typer.Typer:
    """The whole program."""
    return typer.Typer(
        name="otklik",
        cls=Program,
        callback=root,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help="Citizens' comments on official pages, turned into appeals, answered in time.",
    )


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program with its own arguments, or these; exit codes: 0 done, 1 failed with one line that says what to do, 2 wrong usage."""
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")  # of the embedded PostgreSQL's lock
    try:
        build()(args=arguments)
    except OtklikError as error:
        show.fail(error.detail)
    except (ConnectionError, FileNotFoundError) as error:
        show.fail(f"A connection was lost or never made: {error}. Check that PostgreSQL runs (OTKLIK_DATABASE_URL).")
    except OSError as error:
        show.fail(str(error))
    except Exception as error:
        if not _of_database(error):
            raise
        show.fail(f"The database refused: {getattr(error, 'orig', None) or error}")
    sys.exit(1)


def _of_database(error: Exception) -> bool:
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - half a second that a start without a fault is spared

    return isinstance(error, SQLAlchemyError)
