"""`otklik keys …`: the key that seals secrets at rest, and its change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app import bootstrap
from app.cli import show
from app.cli.owner import owner, run
from app.exchange.keys import Count, count_sealed, reseal_all
from app.kernel.errors import ConflictError, InvalidError
from app.kernel.vault import PURPOSES, add_key, keep_first_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.kernel.vault import Vault
    from app.settings import Settings

keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The key that encrypts tokens and second factors, and its change.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@keys.command("list")
def list_all(*, json: Json = False) -> None:
    """How many secrets are sealed with the first key, with an older one, or with none that is set."""

    async def work() -> list[Count]:
        async with owner() as administrator:
            return await count_sealed(administrator.database, _vaults(administrator.settings))

    show.listing(run(work()), ("what", "first", "older", "unreadable"), json_wanted=json, nothing="")


@keys.command()
def new() -> None:
    """Put a fresh key first in the data directory's key file. Nothing is sealed anew yet: see `otklik keys rotate`."""
    settings = bootstrap.read_settings()
    _only_of_a_file(settings)
    path = add_key(settings.data_dir)
    show.done(f"{path} has a new key; the old ones still open what they sealed.")
    show.note("Restart the web process and the worker, so that all know it, then run: otklik keys rotate")


@keys.command()
def rotate(
    *,
    forget_old: Annotated[
        bool, typer.Option("--forget-old", help="Then drop the older keys from the key file of the data directory.")
    ] = False,
) -> None:
    """Seal everything with the first key: platform tokens, second factors, webhook and notice secrets. May be run again at any time."""

    async def work() -> Sequence[Count]:
        async with owner() as administrator:
            if forget_old:
                _only_of_a_file(administrator.settings)
            counts = await reseal_all(administrator.database, _vaults(administrator.settings))
            _refuse_unreadable(counts)
            dropped = keep_first_key(administrator.settings.data_dir) if forget_old else None
        if dropped is not None:
            show.done(
                f"{dropped} older key{'s are' if dropped != 1 else ' is'} gone from the key file. Restart the web process and the worker."
            )
        return counts

    counts = run(work())
    show.table(
        ("what", "sealed anew", "all"), [(one.what, str(one.resealed), str(one.first)) for one in counts], right=("sealed anew", "all")
    )
    show.done(f"{sum(one.resealed for one in counts)} secrets were sealed anew; the older keys open nothing that is stored any more.")


def _vaults(settings: Settings) -> dict[str, Vault]:
    return {purpose: bootstrap.settings_vault(settings, purpose=purpose) for purpose in PURPOSES}


def _only_of_a_file(settings: Settings) -> None:
    if settings.secret_key is not None:
        raise InvalidError(
            "keys.setting", "The keys are in OTKLIK_SECRET_KEY: change them there (new,old), restart, and run: otklik keys rotate"
        )


def _refuse_unreadable(counts: Sequence[Count]) -> None:
    lost = [one for one in counts if one.unreadable]
    if lost:
        told = ", ".join(f"{one.unreadable} {one.what}" for one in lost)
        raise ConflictError(
            "keys.unreadable",
            f"None of the keys opens {told}; the rest is sealed with the first key. Add the key that is missing and run it again, "
            "or store those secrets anew. Drop no key yet.",
        )
