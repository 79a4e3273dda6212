"""The second step: set up once, each code once, limits that lock nobody out, secrets sealed and nobody else's."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pyotp
import pytest
from sqlalchemy import text

from app.kernel.errors import ForbiddenError, InvalidError, SetupError
from app.kernel.vault import PLATFORM_TOKENS, SIGN_IN, Vault
from app.people import attempts, codes, second_factor, service, sessions, staff
from app.people.rules import Grant, Role

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

KEY = "k" * 40
VAULT = Vault(KEY, purpose=SIGN_IN)
PASSWORD = "кедр-и-брусника-7"
HOME, ELSEWHERE = "203.0.113.7", "198.51.100.9"


@pytest.fixture
async def person(owner_db: Database, web_db: Database, clock: FixedClock) -> tuple[int, str, list[str]]:
    """Somebody with a second factor: number, the device's secret, recovery codes."""
    async with owner_db.write() as session:
        grants = [Grant(role=Role.OPERATOR)]
        operator_id = await staff.add_operator(session, login="anna", name="Анна", password=PASSWORD, grants=grants, now=clock.now())
    secret = codes.new_secret()
    async with web_db.write(operator_id=operator_id) as session:
        kept = await second_factor.set_up(
            session, operator_id=operator_id, secret=secret, code=pyotp.TOTP(secret).at(clock.now()), vault=VAULT, now=clock.now()
        )
    clock.moment += timedelta(minutes=2)
    return operator_id, secret, kept


async def give(web_db: Database, clock: FixedClock, operator_id: int, code: str, address: str = HOME) -> None:
    await second_factor.check_code(web_db, operator_id=operator_id, login="anna", code=code, address=address, vault=VAULT, now=clock.now())


async def test_a_code_opens_once_and_a_replay_is_refused(web_db: Database, clock: FixedClock, person: tuple[int, str, list[str]]) -> None:
    operator_id, secret, _ = person
    code = pyotp.TOTP(secret).at(clock.now())
    await give(web_db, clock, operator_id, f" {code[:3]} {code[3:]}")
    for away in (timedelta(), timedelta(seconds=30)):
        with pytest.raises(InvalidError) as refused:
            await second_factor.check_code(
                web_db, operator_id=operator_id, login="anna", code=code, address=HOME, vault=VAULT, now=clock.now() + away
            )
        assert refused.value.code == "second_factor.code"
    clock.moment += timedelta(seconds=60)
    await give(web_db, clock, operator_id, pyotp.TOTP(secret).at(clock.now()))


async def test_of_two_at_once_one_gets_in(web_db: Database, clock: FixedClock, person: tuple[int, str, list[str]]) -> None:
    operator_id, secret, kept = person
    for code in (pyotp.TOTP(secret).at(clock.now()), kept[0]):
        both = await asyncio.gather(*(give(web_db, clock, operator_id, code) for _ in range(2)), return_exceptions=True)
        assert sorted(type(one).__name__ for one in both) == ["InvalidError", "NoneType"]


async def test_a_recovery_code_opens_once_and_only_its_hash_is_kept(
    owner_db: Database, web_db: Database, clock: FixedClock, person: tuple[int, str, list[str]]
) -> None:
    operator_id, secret, kept = person
    await give(web_db, clock, operator_id, kept[3].lower().replace("-", " "))
    with pytest.raises(InvalidError):
        await give(web_db, clock, operator_id, kept[3])
    async with owner_db.read() as session:
        whole = str((await session.execute(text("SELECT array_agg(r::text) FROM recovery_code r"))).scalar_one())
        sealed = bytes((await session.execute(text("SELECT secret FROM second_factor"))).scalar_one())
    assert all(code.replace("-", "") not in whole and code not in whole for code in kept)
    assert secret.encode() not in sealed
    assert VAULT.open(sealed) == secret
    with pytest.raises(SetupError):
        Vault(KEY, purpose=PLATFORM_TOKENS).open(sealed)
    async with web_db.read(operator_id=operator_id) as session:
        assert (await second_factor.factor_state(session, operator_id=operator_id)).codes_left == codes.RECOVERY_CODES - 1
    async with web_db.write(operator_id=operator_id) as session:
        fresh = await second_factor.new_recovery_codes(session, operator_id=operator_id, now=clock.now())
    with pytest.raises(InvalidError):
        await give(web_db, clock, operator_id, kept[4])
    await give(web_db, clock, operator_id, fresh[4])


async def test_a_device_is_kept_only_when_it_shows_the_code_and_never_twice(
    web_db: Database, clock: FixedClock, person: tuple[int, str, list[str]]
) -> None:
    operator_id, _, _ = person
    other = codes.new_secret()
    for code, expected in (("000000x", "second_factor.code"), (pyotp.TOTP(other).at(clock.now()), "second_factor.set")):
        with pytest.raises(InvalidError) as refused:
            async with web_db.write(operator_id=operator_id) as session:
                await second_factor.set_up(session, operator_id=operator_id, secret=other, code=code, vault=VAULT, now=clock.now())
        assert refused.value.code == expected


async def test_the_password_alone_neither_lets_in_nor_forgets_wrong_codes(
    owner_db: Database, web_db: Database, clock: FixedClock, person: tuple[int, str, list[str]]
) -> None:
    """Else whoever found the password out could guess at the code without end."""
    operator_id, secret, _ = person
    tried = 0
    with pytest.raises(ForbiddenError) as refused:
        for _ in range(attempts.FAILURES_PER_PAIR):
            found = await service.authenticate(web_db, login="anna", password=PASSWORD, address=ELSEWHERE, now=clock.now())
            assert found.has_factor
            with pytest.raises(InvalidError):
                await give(web_db, clock, operator_id, "000000", ELSEWHERE)
            tried += 1
    assert refused.value.code == "sign_in.wait"
    assert tried == attempts.FAILURES_PER_PAIR // 2
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM sign_in_attempt")) == attempts.FAILURES_PER_PAIR
    await service.authenticate(web_db, login="anna", password=PASSWORD, address=HOME, now=clock.now())
    await give(web_db, clock, operator_id, pyotp.TOTP(secret).at(clock.now()), HOME)


async def test_guessing_codes_from_everywhere_stops_and_the_person_still_comes_in_where_they_have_been(
    owner_db: Database, web_db: Database, clock: FixedClock, person: tuple[int, str, list[str]]
) -> None:
    operator_id, secret, _ = person
    async with web_db.write(operator_id=operator_id) as session:
        await sessions.open_session(
            session, operator_id=operator_id, now=clock.now(), lasts=timedelta(hours=1), browser=sessions.Browser(address=HOME)
        )
    async with owner_db.write() as session:
        await session.execute(
            text(
                "INSERT INTO sign_in_attempt (login, address, kind, at) "
                "SELECT 'anna', '198.51.100.' || g, 'code', :at FROM generate_series(1, :n) g"
            ),
            {"at": clock.now() - timedelta(hours=5), "n": attempts.CODES_PER_ACCOUNT},
        )
    code = pyotp.TOTP(secret).at(clock.now())
    with pytest.raises(ForbiddenError) as refused:
        await give(web_db, clock, operator_id, code, "192.0.2.77")
    assert refused.value.params["seconds"] == 19 * 3600
    await give(web_db, clock, operator_id, code, HOME)


async def test_an_office_of_guessers_locks_no_colleague_out(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    """A hundred failures at one address stop strangers there, not somebody who has worked there before."""
    async with owner_db.write() as session:
        for login in ("boris", "vera"):
            await staff.add_operator(session, login=login, name=login, password=PASSWORD, grants=[], now=clock.now())
        known = await session.scalar(text("SELECT id FROM operator WHERE login = 'boris'"))
        await sessions.open_session(
            session, operator_id=known or 0, now=clock.now() - timedelta(days=30), lasts=timedelta(hours=1),
            browser=sessions.Browser(address=HOME),
        )  # fmt: skip
        await session.execute(
            text("INSERT INTO sign_in_attempt (login, address, at) SELECT 'x' || g, :home, :at FROM generate_series(1, :n) g"),
            {"home": HOME, "at": clock.now(), "n": attempts.FAILURES_PER_ADDRESS},
        )
    with pytest.raises(ForbiddenError):
        await service.authenticate(web_db, login="vera", password=PASSWORD, address=HOME, now=clock.now())
    assert (await service.authenticate(web_db, login="boris", password=PASSWORD, address=HOME, now=clock.now())).login == "boris"


async def test_a_reset_link_sets_a_password_and_keeps_the_second_factor(
    owner_db: Database, web_db: Database, clock: FixedClock, person: tuple[int, str, list[str]]
) -> None:
    operator_id, _, _ = person
    async with owner_db.write() as session:
        link = await staff.new_link(session, operator_id=operator_id, now=clock.now(), by=None)
    assert link.kind == "reset"
    assert link.expires_at == clock.now() + timedelta(hours=staff.RESET_HOURS)
    found = await service.accept(web_db, token=link.token, password=PASSWORD + "!", now=clock.now())
    assert found.has_factor
    with pytest.raises(InvalidError):
        await service.accept(web_db, token=link.token, password=PASSWORD + "?", now=clock.now())


async def test_a_link_for_the_password_before_stops_with_it(
    owner_db: Database, web_db: Database, clock: FixedClock, person: tuple[int, str, list[str]]
) -> None:
    operator_id, _, _ = person
    async with owner_db.write() as session:
        link = await staff.new_link(session, operator_id=operator_id, now=clock.now(), by=None)
    await service.change_password(web_db, operator_id=operator_id, login="anna", password=PASSWORD + "!", token=None, now=clock.now())
    with pytest.raises(InvalidError) as gone:
        await service.accept(web_db, token=link.token, password=PASSWORD + "?", now=clock.now())
    assert gone.value.code == "invitation.gone"


async def test_nobody_reads_or_takes_the_second_factor_of_somebody_else(
    owner_db: Database, web_db: Database, clock: FixedClock, person: tuple[int, str, list[str]]
) -> None:
    operator_id, _, _ = person
    async with owner_db.write() as session:
        stranger = await staff.add_operator(
            session, login="ivan", name="Иван", password=PASSWORD, grants=[Grant(role=Role.SUPERVISOR)], now=clock.now()
        )
    for who in (stranger, None):
        async with web_db.write(operator_id=who) as session:
            for table in ("second_factor", "recovery_code"):
                assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0  # noqa: S608 - ours
            assert not await second_factor.take_away(session, operator_id=operator_id, by=who)
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM second_factor")) == 1
