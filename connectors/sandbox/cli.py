"""`otklik sandbox`: serve the sandbox, replay a file through it."""

import asyncio
import socket
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.console import Console
from rich.table import Table

from connectors.sandbox.app import create_app
from connectors.sandbox.journal import JournalBusyError, JournalDamagedError
from connectors.sandbox.limits import Limits
from connectors.sandbox.model import PLATFORMS, WALLS
from connectors.sandbox.replay import FileFaultError, Options, ReplayError, Row, Summary, read_rows, replay as run_replay
from connectors.sandbox.seed import WorldFileError
from connectors.sandbox.server import make_server

DEFAULT_PORT = 8010
_REASONS = 8

commands = typer.Typer(
    help="Local stand-ins of the platforms, with a wall on which one writes as a citizen.",
    invoke_without_command=True,
    no_args_is_help=False,
    rich_markup_mode=None,
)


@commands.callback()
def serve(  # noqa: PLR0913 - one parameter per option
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = DEFAULT_PORT,
    data_dir: Annotated[Path | None, typer.Option(help="Where the world is kept; without it, in memory.")] = None,
    world: Annotated[Path | None, typer.Option(help="World file (JSON) for the first start.")] = None,
    time_scale: Annotated[float, typer.Option(help="How many times faster limits and waits run.", min=0.001)] = 1.0,
    latency: Annotated[float, typer.Option(help="Seconds for which every answer is under way.", min=0)] = 0.0,
    vk_text_limit: Annotated[int, typer.Option(help="Characters a VK comment may have.", min=1)] = Limits.vk_text,
) -> None:
    """Serve the sandbox until Ctrl+C; with a subcommand, do that instead."""
    if context.invoked_subcommand is not None:
        return
    listener = _listen(host, port)
    limits = replace(Limits(), vk_text=vk_text_limit, latency=latency)
    try:
        app = create_app(data_dir=data_dir, world_file=world, time_scale=time_scale, limits=limits)
    except (OSError, WorldFileError, JournalDamagedError, JournalBusyError) as error:
        listener.close()
        _fail(f"the sandbox cannot start: {error}", 1)
    address = listener.getsockname()
    typer.echo(f"Sandbox: http://{address[0]}:{address[1]}/  (Ctrl+C stops it)")
    try:
        make_server(app, host=host, port=port).run(sockets=[listener])
    except KeyboardInterrupt:
        typer.echo("Sandbox stopped.")


@commands.command()
def replay(  # noqa: PLR0913 - one parameter per option
    file: Annotated[Path, typer.Argument(help="CSV with columns text[, author, page, post_id, id, kind, written_at].")],
    rate: Annotated[float, typer.Option(help="Comments a second; 0 is as fast as possible.", min=0)] = 0.0,
    keep_times: Annotated[  # noqa: FBT002 - an option of the command line, given by name
        bool, typer.Option("--keep-times", help="Keep the file's written_at; otherwise written now.")
    ] = False,
    url: Annotated[str, typer.Option(help="Where the sandbox listens.")] = f"http://127.0.0.1:{DEFAULT_PORT}",
    platform: Annotated[str, typer.Option(help="Platforms to write on, separated by commas.")] = ",".join(WALLS),
    page: Annotated[list[str] | None, typer.Option(help="Only these pages; repeat for more.")] = None,
    time_zone: Annotated[str, typer.Option(help="Zone of times without an offset.")] = "UTC",
) -> None:
    """Write the texts of a CSV file as citizens' comments; exit code 0 done, 1 failed, 2 wrong use."""
    platforms = frozenset(filter(None, (word.strip() for word in platform.split(","))))
    if not platforms or not platforms <= set(PLATFORMS):
        _fail(f"--platform takes {', '.join(PLATFORMS)}", 2)
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        _fail(f"there is no time zone {time_zone!r}", 2)
    options = Options(
        url=url,
        rate=rate,
        keep_times=keep_times,
        platforms=platforms,
        pages=frozenset(page or ()),
        time_zone=time_zone,
    )
    try:
        summary = _replay(read_rows(file), options)
    except FileFaultError as error:
        _fail(str(error), 2)
    except ReplayError as error:
        _fail(str(error), 1)
    _show(summary)
    if summary.refused:
        raise typer.Exit(1)


def _replay(rows: list[Row], options: Options) -> Summary:
    console = Console(stderr=True)
    with console.status(f"0 / {len(rows)}") as status:
        return asyncio.run(run_replay(rows, options, lambda count: status.update(f"{count} / {len(rows)}")))


def _show(summary: Summary) -> None:
    table = Table("platform", "sent", title="Replay")
    for name, count in sorted(summary.sent.items()):
        table.add_row(name, str(count))
    console = Console()
    console.print(table)
    pace = len(summary.placed) / summary.seconds if summary.seconds else 0.0
    console.print(f"sent {len(summary.placed)} in {summary.seconds:.1f} s ({pace:.0f}/s), skipped {len(summary.skipped)}")
    reasons = Counter(summary.skipped.values())
    for reason, count in reasons.most_common(_REASONS):
        console.print(f"  {count} × {reason}", markup=False)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, since asyncio turns Nagle's delay off only for a socket that says TCP.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        _fail(f"cannot listen on {host}:{port} ({error.strerror}): choose another with --port", 1)
    return listener


def _fail(text: str, code: int) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(code)
