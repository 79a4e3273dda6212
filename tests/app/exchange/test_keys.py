"""A change of key leaves every secret readable at every moment; a token is replaced only by one that the platform takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import LargeBinary, text

from app.exchange import keys
from app.exchange.credentials import add_credential, credentials_mark, open_credentials
from app.exchange.keys import SEALED, count_sealed, reseal_all
from app.exchange.new_token import Trial, check_token, find_credential, replace_credential
from app.kernel.errors import ConflictError, InvalidError, NotFoundError, SetupError
from app.kernel.vault import PURPOSES, Vault, add_key, keep_first_key, open_vault
from app.tables import metadata
from connectors.fake import FakeWorld, fake_plugin
from tests.factories import make_operator, make_page

if TYPE_CHECKING:
    from pathlib import Path

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

OLD, NEW = "o" * 32, "n" * 32


def vaults(settings: str) -> dict[str, Vault]:
    return {purpose: Vault(settings, purpose=purpose) for purpose in PURPOSES}


async def seal_some(database: Database, clock: FixedClock, vault: dict[str, Vault]) -> None:
    async with database.write() as session:
        plugin = fake_plugin(FakeWorld())
        for number in range(5):
            await add_credential(session, vault["platform tokens"], plugin, kind="fake", secret=f"t{number}", page_id=None, now=clock.now())
        person = await make_operator(session)
        seal = {"id": person.id, "secret": vault["sign-in"].seal("TOTP"), "now": clock.now()}
        await session.execute(
            text("INSERT INTO second_factor (operator_id, secret, last_step, confirmed_at) VALUES (:id, :secret, 1, :now)"), seal
        )


async def opened(database: Database, vault: dict[str, Vault]) -> list[str]:
    async with database.read() as session:
        tokens = await open_credentials(session, vault["platform tokens"])
        factor = (await session.execute(text("SELECT secret FROM second_factor"))).scalar_one()
    return [*(one.secret for one in tokens["fake"]), vault["sign-in"].open(factor)]


def test_every_column_of_secrets_is_sealed_anew() -> None:
    columns = {
        table.name
        for table in metadata.tables.values()
        for column in table.columns
        if column.name == "secret" and isinstance(column.type, LargeBinary)
    }
    assert columns == {one.table for one in SEALED}


async def test_a_run_that_ends_in_the_middle_loses_nothing_and_the_next_one_finishes(
    owner_db: Database, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seal_some(owner_db, clock, vaults(OLD))
    told = ["t0", "t1", "t2", "t3", "t4", "TOTP"]
    both = vaults(f"{NEW},{OLD}")
    monkeypatch.setattr(keys, "AT_ONCE", 2)
    died, done = RuntimeError("killed"), Vault.reseal
    left = iter(range(3))

    def killed(self: Vault, sealed: bytes) -> bytes:
        if next(left, None) is None:
            raise died
        return done(self, sealed)

    with monkeypatch.context() as patch:
        patch.setattr(Vault, "reseal", killed)
        with pytest.raises(RuntimeError, match="killed"):
            await reseal_all(owner_db, both)
    assert await opened(owner_db, both) == told, "half of it is sealed with the new key, half with the old one"
    assert [(one.first, one.older) for one in await count_sealed(owner_db, both)][:2] == [(2, 3), (0, 1)]
    counts = await reseal_all(owner_db, both)
    assert [(one.first, one.older, one.unreadable, one.resealed) for one in counts][:2] == [(5, 0, 0, 3), (1, 0, 0, 1)]
    assert await opened(owner_db, vaults(NEW)) == told, "the old key is not needed any more"
    with pytest.raises(SetupError):
        await opened(owner_db, vaults(OLD))


async def test_what_no_key_opens_is_counted_and_left_as_it_is(owner_db: Database, clock: FixedClock) -> None:
    await seal_some(owner_db, clock, vaults(OLD))
    counts = await reseal_all(owner_db, vaults(NEW))
    assert [(one.unreadable, one.resealed) for one in counts][:2] == [(5, 0), (1, 0)]
    assert await opened(owner_db, vaults(OLD)) == ["t0", "t1", "t2", "t3", "t4", "TOTP"]


def test_the_key_file_takes_a_new_key_and_drops_the_old_one(tmp_path: Path) -> None:
    sealed = open_vault(None, tmp_path).seal("x")
    path = add_key(tmp_path)
    assert (path.stat().st_mode & 0o777, path.read_text(encoding="ascii").count(",")) == (0o600, 1)
    both = open_vault(None, tmp_path)
    assert both.key_of(sealed) == 1
    anew = both.reseal(sealed)
    assert keep_first_key(tmp_path) == 1
    only = open_vault(None, tmp_path)
    assert (only.open(anew), only.key_of(sealed)) == ("x", None)
    assert [one.name for one in tmp_path.iterdir()] == ["secret.key"]


async def test_a_token_is_replaced_only_by_one_that_may_as_much(owner_db: Database, clock: FixedClock) -> None:
    vault, world = Vault(OLD), FakeWorld()
    world.add_page("Страница", external_id="7")
    world.dead = {"bad"}
    plugin = fake_plugin(world)
    trial = Trial(plugin=plugin, api_url=None)
    async with owner_db.write() as session:
        number = await add_credential(session, vault, plugin, kind="fake", secret="old", page_id=None, now=clock.now())
    async with owner_db.read() as session:
        alone = await find_credential(session, vault, credential_id=number, check_on=None)
        with pytest.raises(NotFoundError):
            await find_credential(session, vault, credential_id=number + 1, check_on=None)
    with pytest.raises(InvalidError, match="--check-on"):
        await check_token(trial, alone, secret="new")
    async with owner_db.write() as session:
        await make_page(session, platform="fake", external_id="7")
    async with owner_db.read() as session:
        before = await credentials_mark(session)
        old = await find_credential(session, vault, credential_id=number, check_on=None)
    with pytest.raises(InvalidError, match=r"The old token stays.*reauthorise") as refused:
        await check_token(trial, old, secret="bad")
    assert "bad" not in str(refused.value)
    assert "bad" not in repr(old)
    assert await check_token(trial, old, secret=" new\n") == "Проба lets it answer, open, read, see"
    async with owner_db.write() as session:
        assert await replace_credential(session, vault, plugin, old, secret=" new\n") == number
    async with owner_db.read() as session:
        assert [one.secret for one in (await open_credentials(session, vault))["fake"]] == ["new"]
        assert await credentials_mark(session) != before, "a running worker notices"
    async with owner_db.write() as session:
        with pytest.raises(ConflictError):
            await replace_credential(session, vault, plugin, old, secret="other")
