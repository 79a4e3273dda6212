"""`otklik subject …`: one citizen's data found, handed out, erased."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import show
from app.cli.owner import owner, run
from app.kernel.errors import NotFoundError
from app.privacy import subjects
from app.privacy.keeping import erase_asked

if TYPE_CHECKING:
    from app.kernel.db import ReadSession

subject = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What is stored of one citizen.")
Platform = Annotated[str, typer.Option(help="vk, telegram, …")]
Profile = Annotated[str, typer.Argument(help="The link of their profile as it is stored, or their id on the platform.")]


@subject.command()
def find(profile: Profile, *, platform: Platform, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """How much is stored of somebody, and which open appeals would hold an erasure up."""

    async def work() -> subjects.Subject:
        async with owner() as administrator, administrator.database.read() as session:
            return await _found(session, platform, profile)

    found = run(work())
    if json:
        show.as_json(found)
        return
    show.note(f"{found.name or '(no name)'}: {found.comments} comments, {found.appeals} appeals.")
    if found.open_numbers:
        show.note(f"Open, so an erasure waits for them: {', '.join(str(number) for number in found.open_numbers)}.")


@subject.command("export")
def hand_out(
    profile: Profile, *, platform: Platform, output: Annotated[Path | None, typer.Option(help="Write to this file.")] = None
) -> None:
    """Write all that is stored of somebody as JSON, for them."""

    async def work() -> object:
        async with owner() as administrator, administrator.database.write() as session:
            found = await _found(session, platform, profile)
            return await subjects.hand_out(session, None, author_id=found.id)

    show.as_json(run(work()), to=output)


@subject.command()
def erase(
    profile: Profile,
    *,
    platform: Platform,
    reason: Annotated[str, typer.Option(help="By which request; no names.")],
) -> None:
    """Erase words, name and id for good. Open appeals hold it up: the worker does it when they are closed."""

    async def work() -> tuple[subjects.Subject, bool]:
        async with owner() as administrator:
            now = administrator.clock.now()
            async with administrator.database.write() as session:
                found = await _found(session, platform, profile)
                number = await subjects.ask_to_erase(session, None, author_id=found.id, reason=reason, now=now)
            at = number - 1
            while at == number - 1:
                async with administrator.database.write() as session:
                    at, _ = await erase_asked(session, now=now, after=number - 1)
            async with administrator.database.read() as session:
                return found, await subjects.is_done(session, number)

    found, done = run(work())
    if done:
        show.done(f"Erased: {found.comments} comments, {found.appeals} appeals. Numbers and moments stay, so no figure changes.")
        return
    numbers = ", ".join(str(number) for number in found.open_numbers) or "what waits in triage"
    show.done(f"Noted. The law asks for an answer first: it is done as soon as these are closed: {numbers}.")


async def _found(session: ReadSession, platform: str, profile: str) -> subjects.Subject:
    found = await subjects.find(session, None, platform=platform, said=profile)
    if found is None:
        raise NotFoundError("subject.unknown", f"Nothing is stored of {profile!r} on {platform}. Give the link or id as it is stored.")
    return found
