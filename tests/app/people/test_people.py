"""Who may come in, how far they see, and what stops a guesser."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.kernel.errors import ForbiddenError, InvalidError
from app.people import api_tokens, attempts, queries, service, sessions, staff
from app.people.rules import Access, Grant, Permission, Role

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database, ReadSession

PASSWORD = "кедр-и-брусника-7"
HOME = "203.0.113.7"
HALF_A_DAY = timedelta(hours=12)


async def access_of_session(session: ReadSession, *, token: str, now: datetime) -> Access | None:
    found = await queries.session_of(session, token=token, now=now, idle=HALF_A_DAY)
    return None if found is None else found.access


async def access_of_token(session: ReadSession, *, token: str, now: datetime) -> Access | None:
    found = await queries.token_of(session, token=token, now=now)
    return None if found is None else found.access


async def places(owner_db: Database) -> dict[str, int]:
    """Region > city > ward; ministry > clinic, and a school apart."""
    ids: dict[str, int] = {}
    async with owner_db.write() as session:

        async def add(table: str, code: str, parent: str | None, **columns: object) -> None:
            row = {"code": code, "name": code, "parent_id": ids.get(parent or ""), **columns}
            names = ", ".join(row)
            values = ", ".join(f":{name}" for name in row)
            ids[code] = (await session.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values}) RETURNING id"), row)).scalar_one()  # noqa: S608 - ours

        await add("territory", "region", None)
        await add("territory", "city", "region")
        await add("territory", "ward", "city")
        await add("agency", "ministry", None, territory_id=ids["region"])
        await add("agency", "clinic", "ministry", territory_id=ids["city"])
        await add("agency", "school", None, territory_id=ids["ward"])
    return ids


async def hire(owner_db: Database, clock: FixedClock, login: str, *grants: Grant) -> int:
    async with owner_db.write() as session:
        return await staff.add_operator(session, login=login, name=login.title(), password=PASSWORD, grants=grants, now=clock.now())


async def sign_in(
    web_db: Database, clock: FixedClock, login: str = "anna", password: str = PASSWORD, address: str = HOME
) -> service.SignedIn:
    return await service.authenticate(web_db, login=login, password=password, address=address, now=clock.now())


async def test_a_person_signs_in_and_out(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    ids = await places(owner_db)
    operator_id = await hire(owner_db, clock, "Anna", Grant(role=Role.OPERATOR, agency_id=ids["clinic"]))
    person = await sign_in(web_db, clock, login="  ANNA ")
    assert person.operator_id == operator_id
    async with web_db.write(operator_id=operator_id) as session:
        token = await sessions.open_session(session, operator_id=operator_id, now=clock.now(), lasts=HALF_A_DAY)
    async with web_db.read() as session:
        access = await access_of_session(session, token=token, now=clock.now())
        assert access is not None
        assert (access.operator_id, access.login, access.agency_ids) == (operator_id, "anna", (ids["clinic"],))
        assert await access_of_session(session, token=token, now=clock.now() + timedelta(hours=12)) is None
        assert await access_of_session(session, token=token[:-1], now=clock.now()) is None
        assert await access_of_token(session, token=token, now=clock.now()) is None, "a cookie is no API token"
    async with web_db.write(operator_id=operator_id) as session:
        await sessions.sign_out(session, token=token, now=clock.now())
    async with web_db.read() as session:
        assert await access_of_session(session, token=token, now=clock.now()) is None
    async with owner_db.read() as session:
        stored = (await session.execute(text("SELECT encode(token_hash, 'escape') FROM operator_session"))).scalar_one()
        assert token not in stored
        acts = (await session.execute(text("SELECT act FROM audit_entry ORDER BY id"))).scalars().all()
        assert acts == ["operator.add", "operator.sign_out"], "the trail hears of a sign-in when all its steps are taken"


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("anna", "not the password"),
        ("nobody", PASSWORD),
        ("anna", ""),
        ("anna", "\ud800" * 5),
        ("an\0na", PASSWORD),
        ("x" * 5000, "y" * 100_000),
    ],
)
async def test_every_refusal_sounds_the_same(owner_db: Database, web_db: Database, clock: FixedClock, login: str, password: str) -> None:
    await hire(owner_db, clock, "boris")
    with pytest.raises(InvalidError, match="The sign-in name or the password is wrong"):
        await sign_in(web_db, clock, login=login, password=password)


async def test_who_left_and_services_do_not_come_in(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    operator_id = await hire(owner_db, clock, "anna", Grant(role=Role.OPERATOR))
    async with owner_db.write() as session:
        token = await sessions.open_session(session, operator_id=operator_id, now=clock.now(), lasts=HALF_A_DAY)
        await session.execute(text("UPDATE operator SET deactivated_at = now()"))
    with pytest.raises(InvalidError):
        await sign_in(web_db, clock)
    async with web_db.read() as session:
        assert await access_of_session(session, token=token, now=clock.now()) is None
        assert await queries.access_of_operator(session, operator_id=operator_id) is None


async def test_a_guesser_is_stopped_and_stops_nobody_else(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    await hire(owner_db, clock, "anna", Grant(role=Role.OPERATOR))
    async with owner_db.write() as session:
        await session.execute(
            text("INSERT INTO sign_in_attempt (login, address, at) SELECT 'anna', '198.51.100.9', :now FROM generate_series(1, :n)"),
            {"now": clock.now() - timedelta(minutes=1), "n": attempts.FAILURES_PER_PAIR},
        )
    with pytest.raises(ForbiddenError) as refused:
        await sign_in(web_db, clock, address="198.51.100.9")
    assert refused.value.code == "sign_in.wait"
    assert refused.value.params["seconds"] == 14 * 60
    assert (await sign_in(web_db, clock, address=HOME)).login == "anna"
    clock.moment += timedelta(minutes=14, seconds=1)
    assert (await sign_in(web_db, clock, address="198.51.100.9")).login == "anna"
    async with owner_db.read() as session:
        assert (await session.execute(text("SELECT count(*) FROM sign_in_attempt"))).scalar_one() == 0, "success forgets the failures"


async def test_many_attempts_at_once_are_counted_one_by_one(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    await hire(owner_db, clock, "anna", Grant(role=Role.OPERATOR))
    tried = await asyncio.gather(*(sign_in(web_db, clock, password=f"wrong guess {n}") for n in range(15)), return_exceptions=True)
    refused = [type(error) for error in tried]
    assert refused.count(InvalidError) == attempts.FAILURES_PER_PAIR
    assert refused.count(ForbiddenError) == 15 - attempts.FAILURES_PER_PAIR


async def test_one_address_cannot_try_every_account(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        await session.execute(
            text(
                "INSERT INTO sign_in_attempt (login, address, at) SELECT 'p' || g, '2001:db8:1:2::/64', :now FROM generate_series(1, :n) g"
            ),
            {"now": clock.now(), "n": attempts.FAILURES_PER_ADDRESS},
        )
    with pytest.raises(ForbiddenError):
        await sign_in(web_db, clock, login="another", address="2001:db8:1:2:ffff::9")


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_limits_count_subscribers(address: str, key: str) -> None:
    assert attempts.address_key(address) == key


async def test_reach_is_expanded_and_agrees_with_row_level_security(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    ids = await places(owner_db)
    people = {
        "operator": [Grant(role=Role.OPERATOR, agency_id=ids["ministry"])],
        "coordinator": [Grant(role=Role.COORDINATOR, territory_id=ids["city"]), Grant(role=Role.OPERATOR, agency_id=ids["school"])],
        "supervisor": [Grant(role=Role.SUPERVISOR)],
        "administrator": [Grant(role=Role.ADMINISTRATOR)],
        "local-administrator": [
            Grant(role=Role.ADMINISTRATOR, territory_id=ids["region"]),
            Grant(role=Role.OPERATOR, agency_id=ids["clinic"]),
        ],
        "nobody": [],
    }
    reach = {}
    for login, grants in people.items():
        operator_id = await hire(owner_db, clock, login, *grants)
        async with web_db.read(operator_id=operator_id) as session:
            access = await queries.access_of_operator(session, operator_id=operator_id)
            database = (
                await session.execute(
                    text("SELECT otklik_sees_whole() AS whole, otklik_agency_scope() AS agencies, otklik_territory_scope() AS places")
                )
            ).one()
        assert access is not None
        assert (access.whole, set(access.agency_ids), set(access.territory_ids)) == (
            database.whole,
            set(database.agencies),
            set(database.places),
        ), login
        assert set(access.grants) == set(grants)
        reach[login] = access
    assert set(reach["operator"].agency_ids) == {ids["ministry"], ids["clinic"]}
    assert set(reach["coordinator"].territory_ids) == {ids["city"], ids["ward"]}
    assert reach["supervisor"].whole
    assert not reach["administrator"].whole
    assert reach["local-administrator"].territory_ids == ()
    assert reach["coordinator"].may(Permission.TRIAGE_WORK)
    assert not reach["nobody"].permissions


async def test_a_role_that_ended_reaches_nothing(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    ids = await places(owner_db)
    operator_id = await hire(owner_db, clock, "anna", Grant(role=Role.OPERATOR, agency_id=ids["clinic"]))
    async with owner_db.write() as session:
        await session.execute(text("UPDATE operator_role SET until = now()"))
    async with web_db.read() as session:
        access = await queries.access_of_operator(session, operator_id=operator_id)
    assert access is not None
    assert (access.agency_ids, access.grants) == ((), ())


async def test_an_invitation_lets_in_once(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        sent = await staff.invite(session, login="Vera@town.example", name="Вера", grants=[Grant(role=Role.ADMINISTRATOR)], now=clock.now())
        old = await sessions.open_session(session, operator_id=sent.operator_id, now=clock.now(), lasts=HALF_A_DAY)
    async with web_db.read() as session:
        assert (await service.invited(session, token=sent.token, now=clock.now())).login == "vera@town.example"
    with pytest.raises(InvalidError, match="at least 10"):
        await service.accept(web_db, token=sent.token, password="short", now=clock.now())
    both = await asyncio.gather(
        *(service.accept(web_db, token=sent.token, password=f"{PASSWORD}-{n}", now=clock.now()) for n in range(2)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in both) == ["InvalidError", "SignedIn"]
    winner = next(n for n in range(2) if isinstance(both[n], service.SignedIn))
    assert (await sign_in(web_db, clock, login="vera@town.example", password=f"{PASSWORD}-{winner}")).name == "Вера"
    async with web_db.read() as session:
        assert await access_of_session(session, token=old, now=clock.now()) is None, "a new password ends what was open"


async def test_an_invitation_expires_and_a_newer_one_replaces_it(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        first = await staff.invite(session, login="vera", name="Вера", grants=[Grant(role=Role.OPERATOR)], now=clock.now())
        second = await staff.invite(
            session, login="vera", name=None, grants=[Grant(role=Role.OPERATOR), Grant(role=Role.COORDINATOR)], now=clock.now()
        )
        assert (first.is_new, second.is_new, first.operator_id) == (True, False, second.operator_id)
    for token, later in ((first.token, timedelta()), (second.token, timedelta(hours=staff.INVITATION_HOURS)), ("nonsense", timedelta())):
        with pytest.raises(InvalidError) as gone:
            await service.accept(web_db, token=token, password=PASSWORD, now=clock.now() + later)
        assert gone.value.code == "invitation.gone"
    async with web_db.read() as session:
        access = await queries.access_of_operator(session, operator_id=first.operator_id)
    assert access is not None
    assert len(access.grants) == 2, "the role that was there already is not doubled"


async def test_nobody_is_invited_without_a_name_or_with_a_strange_login(owner_db: Database, clock: FixedClock) -> None:
    for login, name in (("vera", None), ("", "Вера"), ("вера", "Вера"), ("a b", "Вера"), ("-x", "Вера")):
        with pytest.raises(InvalidError):
            async with owner_db.write() as session:
                await staff.invite(session, login=login, name=name, grants=[], now=clock.now())


async def test_a_service_comes_with_a_token(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    ids = await places(owner_db)
    async with owner_db.write() as session:
        token = await api_tokens.create_service_token(
            session, name="СЭД", grants=[Grant(role=Role.OPERATOR, agency_id=ids["ministry"])], now=clock.now(), days=30
        )
    assert token.startswith("otk_")
    async with web_db.read() as session:
        access = await access_of_token(session, token=token, now=clock.now() + timedelta(days=29))
        assert access is not None
        assert access.is_service
        assert set(access.agency_ids) == {ids["ministry"], ids["clinic"]}
        assert await access_of_token(session, token=token, now=clock.now() + timedelta(days=30)) is None
    with pytest.raises(InvalidError, match="is a service"):
        async with owner_db.write() as session:
            await staff.invite(session, login=access.login, name="X", grants=[], now=clock.now())
    async with owner_db.write() as session:
        await session.execute(text("UPDATE api_token SET revoked_at = now()"))
    async with web_db.read() as session:
        assert await access_of_token(session, token=token, now=clock.now()) is None


async def test_preferences_are_kept(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    operator_id = await hire(owner_db, clock, "anna")
    async with web_db.write(operator_id=operator_id) as session:
        await service.save_preferences(session, operator_id=operator_id, locale="en", letters=False)
        with pytest.raises(InvalidError):
            await service.save_preferences(session, operator_id=operator_id, locale="fr", letters=False)
    async with web_db.read() as session:
        access = await queries.access_of_operator(session, operator_id=operator_id)
    assert access is not None
    assert (access.locale, access.letters) == ("en", False)


async def test_colleagues_of_an_agency(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    ids = await places(owner_db)
    for login, agency in (("яна", "clinic"), ("ёлка", "ministry"), ("жанна", "ministry"), ("boris", "school")):
        async with owner_db.write() as session:
            sent = await staff.invite(
                session,
                login=f"{agency}-{len(login)}",
                name=login,
                grants=[Grant(role=Role.OPERATOR, agency_id=ids[agency])],
                now=clock.now(),
            )
            assert sent.is_new
    async with web_db.read() as session:
        people = await queries.operators_of_agencies(session, agency_ids=(ids["clinic"], ids["ministry"]))
    assert [person.name for person in people] == ["ёлка", "жанна", "яна"]
