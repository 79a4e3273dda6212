"""`otklik norms …`: what is promised to whom, what a change would have done, and applying it to appeals that wait."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy import text

from app.appeals.foreseen import foresee, running_clocks
from app.appeals.reapply import apply_everywhere
from app.appeals.reopening import load_promises
from app.audit import service as audit
from app.cli import show
from app.cli.owner import Owner, owner, run
from app.directory.queries import ids_of_codes
from app.directory.service import load_directory
from app.kernel.errors import InvalidError, NotFoundError
from app.people.queries import access_of_operator
from app.people.rules import Permission
from app.sla.effect import JUDGED, Standing
from app.sla.norms import LOOKED_BACK, Norm, effect_of, end_norm, list_norms, past_matters, save_norm
from app.sla.policy import promises_to_json
from app.sla.presets import PRESETS, preset
from app.sla.service import load_book

if TYPE_CHECKING:
    from collections.abc import Mapping

    from app.appeals.foreseen import Foreseen
    from app.kernel.db import ReadSession
    from app.people.rules import Access
    from app.sla.effect import Effect
    from app.sla.policy import Term
    from app.sla.presets import Preset
    from app.sla.rules import Promise

norms = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What is promised to whom, and by when.")
By = Annotated[str, typer.Option("--by", help="Sign-in name of the administrator or coordinator who decides it: the trail names them.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Territory = Annotated[str, typer.Option(help="Code of the territory; without it: everywhere.")]


@norms.command("list")
def list_all(*, json: Json = False) -> None:
    """Every norm in its newest version."""

    async def work() -> list[tuple[str, ...]]:
        async with owner() as administrator, administrator.database.read() as session:
            now = administrator.clock.now()
            return [
                (row.norm.code, str(row.version), "yes" if row.holds(now) else "no", row.norm.name, told(row.norm.promises))
                for row in await list_norms(session)
            ]

    rows = run(work())
    columns = ("code", "version", "in force", "name", "promises")
    if json:
        show.as_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        show.table(columns, rows)


@norms.command("presets")
def presets(*, json: Json = False) -> None:
    """Norms that regions and the law have set, to begin with."""
    if json:
        show.as_json([{"code": one.code, "name": one.name_en, "promises": promises_to_json(one.promises)} for one in PRESETS])
    else:
        show.table(("code", "name", "promises"), [(one.code, one.name_en, told(one.promises)) for one in PRESETS])


@norms.command("set")
def set_norm(  # noqa: PLR0913 - the options of a command
    taken: Annotated[str, typer.Option("--preset", help="Which of `otklik norms presets`.")],
    *,
    by: By,
    code: Annotated[str, typer.Option(help="Code of the norm that this is a new version of; without it: a new norm.")] = "",
    territory: Territory = "",
    topic: Annotated[str, typer.Option(help="Code of the topic that it is for.")] = "",
    agency: Annotated[str, typer.Option(help="Code of the agency that it is for.")] = "",
    platform: Annotated[str, typer.Option(help="Platform that it is for, such as vk.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would have done to the last month.")] = False,
) -> None:
    """Set a norm from a preset; tells what it would have done to the last month's appeals."""
    chosen = _preset(taken)

    async def work() -> tuple[Effect, str]:
        async with owner() as administrator:
            access = await deciding(administrator, by)
            now = administrator.clock.now()
            async with administrator.database.write(operator_id=access.operator_id) as session:
                directory = await load_directory(session)
                norm = Norm(
                    code=code, name=chosen.name, territory_id=await _id(session, "territory", territory), priority=chosen.priority,
                    topic_id=await _id(session, "topic", topic), agency_id=await _id(session, "agency", agency),
                    platform=platform or None, promises=chosen.promises,
                )  # fmt: skip
                found = await past_matters(session, directory, since=now - LOOKED_BACK, until=now)
                seen = effect_of(norm, await load_book(session, now=now), found, now=now)
                saved = "" if dry_run else await save_norm(session, access, norm, directory, now=now)
            return seen, saved

    seen, saved = run(work())
    columns = ("promise", *(one.value.replace("_", " ") for one in Standing))
    for side, counts in (("now", seen.before), ("with it", seen.after)):
        show.note(f"The last month's appeals ({seen.judged}), {side}:")
        show.table(columns, [(one.value, *(str(counts[one].get(each, 0)) for each in Standing)) for one in JUDGED], right=columns[1:])
    if saved:
        show.done(f"Set: {saved}. It holds for appeals from now on; otklik norms apply counts those that wait anew.")
    else:
        show.note("Nothing was written: --dry-run.")


@norms.command("end")
def end(code: Annotated[str, typer.Argument(help="Code of the norm.")], *, by: By) -> None:
    """A norm sets no clock from now on; clocks that run keep it."""

    async def work() -> None:
        async with owner() as administrator:
            access = await deciding(administrator, by)
            async with administrator.database.write(operator_id=access.operator_id) as session:
                await end_norm(session, access, code, now=administrator.clock.now())

    run(work())
    show.done(f"Ended: {code}.")


@norms.command("apply")
def apply_to_waiting(
    *,
    by: By,
    territory: Territory = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell how many would go on by another norm.")] = False,
    json: Json = False,
) -> None:
    """Count the deadlines of waiting appeals anew by today's norms, each with an entry in its history."""

    async def work() -> dict[str, object]:
        async with owner() as administrator:
            access = await deciding(administrator, by)
            if dry_run:
                return asdict(await _foreseen(administrator, access, territory))
            async with administrator.database.write(operator_id=access.operator_id) as session:
                directory = await load_directory(session)
                place = await _id(session, "territory", territory)
                await audit.record(session, operator_id=access.operator_id, act="norm.applied", subject="territory", subject_id=place or 0)
            places = None if place is None else directory.territories_under(place)
            done = await apply_everywhere(administrator.database, administrator.clock, operator_id=access.operator_id, territories=places)
            return asdict(done)

    done = run(work())
    if json:
        show.as_json(done)
    elif dry_run:
        show.note(f"Of {done['waiting']}{'+' if done['capped'] else ''} waiting appeals {done['moved']} would go on by another norm,")
        show.note(f"{done['late']} of them late by it, {done['late_no_more']} late no more. Nothing was written: --dry-run.")
    else:
        show.done(f"{done['looked']} waiting appeals looked at; {done['changed']} clocks go on by another norm.")


async def _foreseen(administrator: Owner, access: Access, territory: str) -> Foreseen:
    async with administrator.database.read(operator_id=access.operator_id) as session:
        place = await _id(session, "territory", territory)
        now = administrator.clock.now()
        promises = await load_promises(session, now=now)
        places = None if place is None else promises.directory.territories_under(place)
        return foresee(await running_clocks(session), promises, now=now, territories=places)


async def deciding(administrator: Owner, login: str) -> Access:
    """Whoever a command acts for. NotFoundError, or ForbiddenError when they may not."""
    async with administrator.database.read() as session:
        found = await session.scalar(text("SELECT id FROM operator WHERE login = :login AND deactivated_at IS NULL"), {"login": login})
        access = None if found is None else await access_of_operator(session, operator_id=found)
    if access is None:
        raise NotFoundError("operator.unknown", f"There is no operator {login!r}; otklik operators list tells who there is.")
    access.require(Permission.NORM_EDIT)
    return access


def told(promises: Mapping[Promise, Term | None]) -> str:
    """Terms in short words."""
    parts = []
    for promise, term in promises.items():
        if term is None:
            parts.append(f"{promise.value}: none")
            continue
        amount = f"{term.days} d" if term.days else f"{term.seconds / 3600:g} h"
        parts.append(
            f"{promise.value}: {amount}{' working' if term.working else ''}{' after an interim answer' if term.after_interim else ''}"
        )
    return "; ".join(parts)


def _preset(code: str) -> Preset:
    found = preset(code)
    if found is None:
        raise NotFoundError("norm.preset", f"There is no preset {code!r}; otklik norms presets lists them.")
    return found


async def _id(session: ReadSession, table: str, code: str) -> int | None:
    if not code:
        return None
    found = (await ids_of_codes(session, table, [code])).get(code)
    if found is None:
        raise InvalidError("norm.unknown", f"There is no {table} {code!r}: mend the code.", field=table)
    return found
