"""API tokens: no more than they need, known by a hash, replaced, revoked, seen."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st
from sqlalchemy import text

from app.kernel.errors import InvalidError, NotFoundError
from app.people import api_tokens
from app.people.queries import token_of
from app.people.rules import ROLE_PERMISSIONS, Grant, Permission, Role, token_permissions

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database

ROLES = st.sets(st.sampled_from(list(Role)), min_size=1)
CHOSEN = st.none() | st.lists(st.sampled_from([*Permission, "appeal.burn"]), max_size=12)


@given(roles=ROLES, chosen=CHOSEN)
def test_a_token_never_may_more_than_its_roles_and_a_supervisors_reads_reports_only(roles: set[Role], chosen: list[str] | None) -> None:
    may = token_permissions(roles, chosen)
    assert may <= frozenset().union(*(ROLE_PERMISSIONS[role] for role in roles))
    if Role.SUPERVISOR in roles:
        assert may <= {Permission.REPORT_READ}
    if chosen is not None:
        assert may <= {one for one in Permission if one in chosen}


async def make_token(owner_db: Database, clock: FixedClock, *, role: Role = Role.OPERATOR, **more: object) -> str:
    async with owner_db.write() as session:
        return await api_tokens.create_service_token(session, name="СЭД", grants=[Grant(role=role)], now=clock.now(), **more)  # type: ignore[arg-type] # a test's own choice


async def may(web_db: Database, clock: FixedClock, token: str) -> set[Permission] | None:
    async with web_db.read() as session:
        found = await token_of(session, token=token, now=clock.now())
    return None if found is None else set(found.access.permissions)


async def test_a_token_is_narrower_than_its_role(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    token = await make_token(owner_db, clock, permissions=[Permission.APPEAL_READ])
    assert await may(web_db, clock, token) == {Permission.APPEAL_READ}
    async with web_db.read() as session:
        found = await token_of(session, token=token, now=clock.now())
    assert found is not None
    assert found.access.reaches(Permission.APPEAL_READ, agency_id=1, territory_id=1)
    assert not found.access.reaches(Permission.APPEAL_WORK, agency_id=1, territory_id=1)
    whole = await make_token(owner_db, clock)
    assert await may(web_db, clock, whole) == set(ROLE_PERMISSIONS[Role.OPERATOR])
    reports = await make_token(owner_db, clock, role=Role.SUPERVISOR)
    assert await may(web_db, clock, reports) == {Permission.REPORT_READ}


async def test_a_supervisors_token_made_before_this_rule_reads_reports_only(
    owner_db: Database, web_db: Database, clock: FixedClock
) -> None:
    """Whatever its rows say: the rule holds when it is used, not only when it is made."""
    token = await make_token(owner_db, clock)
    async with owner_db.write() as session:
        await session.execute(text("INSERT INTO operator_role (operator_id, role) SELECT operator_id, 'supervisor' FROM api_token"))
    assert await may(web_db, clock, token) == {Permission.REPORT_READ}


@pytest.mark.parametrize(
    ("name", "roles", "days", "permissions", "code"),
    [
        (" ", [Role.OPERATOR], None, None, "token.name"),
        ("СЭД", [], None, None, "token.role"),
        ("СЭД", [Role.OPERATOR, Role.SUPERVISOR], None, None, "token.mixed"),
        ("СЭД", [Role.OPERATOR], 0, None, "token.days"),
        ("СЭД", [Role.OPERATOR], 99_999, None, "token.days"),
        ("СЭД", [Role.OPERATOR], None, [Permission.REPORT_READ], "token.permissions"),
        ("СЭД", [Role.SUPERVISOR], None, [Permission.APPEAL_READ], "token.permissions"),
        ("СЭД", [Role.OPERATOR], None, [], "token.permissions"),
    ],
)
async def test_what_no_token_is_made_for(
    owner_db: Database, clock: FixedClock, name: str, roles: list[Role], days: int | None, permissions: list[Permission] | None, code: str
) -> None:
    with pytest.raises(InvalidError) as refused:
        async with owner_db.write() as session:
            await api_tokens.create_service_token(
                session, name=name, grants=[Grant(role=role) for role in roles], now=clock.now(), days=days, permissions=permissions
            )
    assert refused.value.code == code


async def test_a_secret_is_replaced_with_or_without_grace(owner_db: Database, web_db: Database, clock: FixedClock) -> None:
    old = await make_token(owner_db, clock, days=100, permissions=[Permission.PAGE_READ])
    clock.moment += timedelta(days=40)
    async with owner_db.write() as session:
        fresh = await api_tokens.rotate_token(session, token_id=1, now=clock.now(), grace=timedelta(hours=24))
        with pytest.raises(InvalidError):
            await api_tokens.rotate_token(session, token_id=1, now=clock.now(), grace=timedelta(hours=24))
    assert await may(web_db, clock, old) == await may(web_db, clock, fresh) == {Permission.PAGE_READ}
    clock.moment += timedelta(hours=24)
    assert await may(web_db, clock, old) is None
    clock.moment += timedelta(days=98)
    assert await may(web_db, clock, fresh) is not None, "as long again as it was made for"
    async with owner_db.write() as session:
        third = await api_tokens.rotate_token(session, token_id=2, now=clock.now(), grace=timedelta(0))
    assert (await may(web_db, clock, fresh), await may(web_db, clock, third)) == (None, {Permission.PAGE_READ})
    async with owner_db.write() as session:
        lines = await api_tokens.list_tokens(session, now=clock.now(), by_command=True)
        await api_tokens.revoke_token(session, token_id=3, now=clock.now())
        for gone in (1, 2, 3):
            with pytest.raises(InvalidError):
                await api_tokens.revoke_token(session, token_id=gone, now=clock.now())
        with pytest.raises(NotFoundError):
            await api_tokens.revoke_token(session, token_id=99, now=clock.now())
    assert [(line.id, line.state) for line in lines] == [(3, "active"), (2, "revoked"), (1, "expired")]
    assert lines[0].hint == third[:8]
    assert await may(web_db, clock, third) is None
    assert all(secret not in repr(lines) for secret in (old, fresh, third))


async def test_only_hashes_are_kept(owner_db: Database, clock: FixedClock) -> None:
    token = await make_token(owner_db, clock)
    async with owner_db.read() as session:
        row = str((await session.execute(text("SELECT t::text FROM api_token t"))).scalar_one())
    assert token not in row
    assert token[9:] not in row
