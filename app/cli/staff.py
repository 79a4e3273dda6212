"""`otklik operators …`: who may come in, and what they may do."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from app.bootstrap import own_address
from app.cli import show
from app.cli.grants import Agency, Roles, Territory, grants_of
from app.cli.owner import Owner, owner, run
from app.kernel.errors import InvalidError
from app.people import second_factor, staff
from app.people.identities import link_identity, unlink_identities
from app.people.queries import list_operators, open_roles, operator_by_login

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from app.kernel.db import WriteSession

operators = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="People who work here.")
Login = Annotated[str, typer.Argument(help="Sign-in name.")]


@operators.command("invite")
def invite_operator(
    login: Annotated[str, typer.Argument(help="Sign-in name: an address or a short name.")],
    *,
    role: Roles,
    name: Annotated[str | None, typer.Option(help="The name that colleagues see; needed for somebody new.")] = None,
    agency: Agency = "",
    territory: Territory = "",
) -> None:
    """Take somebody on (the first administrator, too) and print the link by which they choose a password."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.write() as session:
            grants = await grants_of(session, role, agency, territory)
            sent = await staff.invite(session, login=login, name=name, grants=grants, now=administrator.clock.now())
        hours = staff.INVITATION_HOURS if sent.is_new else staff.RESET_HOURS
        show.done(
            f"{'Invited' if sent.is_new else 'Roles added, new link for'} {sent.login}. The link works once, for {hours} hours at most:"
        )
        show.note(f"{own_address(administrator.settings)}/invitation/{sent.token}")

    run(work())


@operators.command("list")
def list_all(*, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Everybody with their roles."""

    async def work() -> None:
        async with owner() as administrator, administrator.database.read() as session:
            lines = await list_operators(session)
        columns = ("login", "name", "roles", "has_password", "has_second_factor", "is_service", "deactivated")
        show.listing(
            lines,
            columns,
            json_wanted=json,
            nothing="Nobody yet. Invite the first: otklik operators invite LOGIN --name … --role administrator",
        )

    run(work())


@operators.command("give")
def give_role(login: Login, *, role: Roles, agency: Agency = "", territory: Territory = "") -> None:
    """Give somebody roles more. They sign in anew."""

    async def work() -> None:
        async with _person(login) as (administrator, session, operator_id):
            grants = await grants_of(session, role, agency, territory)
            await staff.give_role(session, operator_id=operator_id, grants=grants, now=administrator.clock.now(), by=None)
        show.done(f"{login} holds {len(grants)} role(s) more.")

    run(work())


@operators.command("end-role")
def end_role(login: Login, *, role: Roles, agency: Agency = "", territory: Territory = "") -> None:
    """End roles of somebody. They sign in anew."""

    async def work() -> None:
        async with _person(login) as (administrator, session, operator_id):
            wanted = set(await grants_of(session, role, agency, territory))
            held = [one for one in await open_roles(session, operator_id=operator_id) if one.grant in wanted]
            if not held:
                raise InvalidError("role.unknown", f"{login} holds no such role: otklik operators list shows all.")
            for one in held:
                await staff.end_role(session, operator_id=operator_id, role_id=one.id, now=administrator.clock.now(), by=None)
        show.done(f"{login} holds {len(held)} role(s) less.")

    run(work())


@operators.command("reset")
def reset_password(login: Login) -> None:
    """Print a link by which somebody chooses a new password, once. A second factor stays."""

    async def work() -> None:
        async with _person(login) as (administrator, session, operator_id):
            link = await staff.new_link(session, operator_id=operator_id, now=administrator.clock.now(), by=None)
        show.done(f"The link for {login} works once, until {link.expires_at:%Y-%m-%d %H:%M} UTC:")
        show.note(f"{own_address(administrator.settings)}/invitation/{link.token}")

    run(work())


@operators.command("reset-second-factor")
def reset_second_factor(login: Login) -> None:
    """Take somebody's second factor away: their device and recovery codes are lost."""

    async def work() -> None:
        async with _person(login) as (administrator, session, operator_id):
            gone = await second_factor.take_away(session, operator_id=operator_id, by=None)
            await staff.end_sessions(session, operator_id=operator_id, now=administrator.clock.now(), by=None)
        show.done(f"The second factor of {login} is taken away." if gone else f"{login} has no second factor.")

    run(work())


@operators.command("end-sessions")
def end_sessions(login: Login) -> None:
    """Sign somebody out everywhere."""

    async def work() -> None:
        async with _person(login) as (administrator, session, operator_id):
            ended = await staff.end_sessions(session, operator_id=operator_id, now=administrator.clock.now(), by=None)
        show.done(f"{ended} session(s) of {login} ended.")

    run(work())


@operators.command("deactivate")
def deactivate(login: Login) -> None:
    """Let somebody go: sessions, links and tokens end at once."""

    async def work() -> None:
        async with _person(login) as (administrator, session, operator_id):
            await staff.leave(session, operator_id=operator_id, now=administrator.clock.now(), by=None)
        show.done(f"{login} has left. To take them on again: otklik operators activate {login}")

    run(work())


@operators.command("activate")
def activate(login: Login) -> None:
    """Take somebody on again who left, with the roles they had, and print a link for a new password."""

    async def work() -> None:
        async with _person(login) as (administrator, session, operator_id):
            link = await staff.come_back(session, operator_id=operator_id, now=administrator.clock.now(), by=None)
        show.done(f"{login} is here again. The link works once, until {link.expires_at:%Y-%m-%d %H:%M} UTC:")
        show.note(f"{own_address(administrator.settings)}/invitation/{link.token}")

    run(work())


@operators.command("link")
def link_provider(
    login: Login,
    *,
    subject: Annotated[str, typer.Option(help="The provider's own name for the person: the claim `sub`.")],
) -> None:
    """Let somebody come in by an account of the OIDC provider (OTKLIK_OIDC_ISSUER)."""

    async def work() -> None:
        async with _person(login) as (administrator, session, operator_id):
            issuer = administrator.settings.oidc_issuer
            if issuer is None:
                raise InvalidError("oidc.off", "No OIDC provider is set: OTKLIK_OIDC_ISSUER.")
            await link_identity(
                session, operator_id=operator_id, issuer=issuer, subject=subject.strip(), now=administrator.clock.now(), by=None
            )
        show.done(f"{login} comes in by {subject} at {issuer}.")

    run(work())


@operators.command("unlink")
def unlink_provider(login: Login) -> None:
    """Let somebody come in by no provider any more."""

    async def work() -> None:
        async with _person(login) as (administrator, session, operator_id):
            gone = await unlink_identities(session, operator_id=operator_id, by=None)
            await staff.end_sessions(session, operator_id=operator_id, now=administrator.clock.now(), by=None)
        show.done(f"{gone} account(s) of the provider forgotten.")

    run(work())


@asynccontextmanager
async def _person(login: str) -> AsyncIterator[tuple[Owner, WriteSession, int]]:
    async with owner() as administrator, administrator.database.write() as session:
        yield administrator, session, await operator_by_login(session, login=login)
