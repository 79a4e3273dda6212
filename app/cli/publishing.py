"""`otklik publishing …`: the switch that stops publishing, for whoever sits at the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import show
from app.cli.owner import owner, run
from app.directory.queries import ids_of_codes
from app.exchange.page_names import PageNames
from app.kernel.errors import InvalidError, NotFoundError
from app.replies import stops

if TYPE_CHECKING:
    from app.kernel.db import ReadSession

publishing = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Stop the publishing of answers, and let it go on.")
Page = Annotated[str, typer.Option(help="The page: vk:screen_name, its id or a link, as `otklik pages list` shows it.")]
Agency = Annotated[str, typer.Option(help="Code of the agency, with all below it.")]
Everything = Annotated[bool, typer.Option("--all", help="All pages of all agencies.")]


@publishing.command("stop")
def stop(
    *,
    reason: Annotated[str, typer.Option(help="Why; everybody concerned reads it.")],
    page: Page = "",
    agency: Agency = "",
    everything: Everything = False,
) -> None:
    """Stop publishing at once; what waits is kept."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.write() as session:
            subject = await _subject(session, page, agency, everything=everything)
            stop_id = await stops.stop(session, None, subject=subject, reason=reason, now=administrator.clock.now())
        show.done(f"Publishing is stopped (number {stop_id}). Let it go on: otklik publishing resume {stop_id}")

    run(work())


@publishing.command("resume")
def resume(number: Annotated[int, typer.Argument(help="The stop's number, as `otklik publishing status` shows it.")]) -> None:
    """Let what waits go out."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.write() as session:
            await stops.release(session, None, stop_id=number, now=administrator.clock.now())
        show.done("Publishing goes on; what waited goes out now.")

    run(work())


@publishing.command("status")
def status(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """What is stopped now."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.read() as session:
            rows = await stops.standing_stops(session)
        columns = ("id", "kind", "page_title", "agency_name", "reason", "stopped_by", "stopped_at")
        show.listing(rows, columns, json_wanted=json, nothing="Nothing is stopped: answers go out.")

    run(work())


async def _subject(session: ReadSession, page: str, agency: str, *, everything: bool) -> stops.Subject:
    if bool(page) + bool(agency) + everything != 1:
        raise InvalidError("publishing.subject", "Say what to stop: --page, --agency or --all, one of them.")
    if page:
        found = (await PageNames.load(session)).find(page)
        if found is None:
            raise NotFoundError("page.unknown", f"The page {page!r} is not watched. See: otklik pages list")
        return stops.Subject(page_id=found)
    if agency:
        ids = await ids_of_codes(session, "agency", [agency])
        if agency not in ids:
            raise NotFoundError("agency.unknown", f"There is no agency with the code {agency!r}.")
        return stops.Subject(agency_id=ids[agency])
    return stops.Subject()
