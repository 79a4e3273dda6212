"""Holes that were really found at the doors of systems of this kind: each class has its test here.

Links that never expire (CVE-2026-41902), tokens that can be computed (CVE-2026-27637), links used again or for another
person (GHSA-jvmv-2qcp-7855), a header of single sign-on trusted from anyone (CVE-2026-34720), strangers who lock people out.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.people import attempts, staff
from app.people.api_tokens import create_service_token
from app.people.rules import Grant, Role
from app.web.deps import session_cookie
from app.web.middleware import path_to_log

if TYPE_CHECKING:
    from fastapi import FastAPI

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.kernel.parts import WebParts
    from tests.web.ui.conftest import Browser, Town

PASSWORD = "кедр-и-брусника-7"
HEADERS = (
    "Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Preferred-Username", "X-Auth-Request-User",
    "X-Auth-Request-Email", "X-WebAuth-User", "X-SSO-User", "X-User", "X-Authenticated-User", "X-Client-Cert-Subject", "SSL-Client-S-DN",
    "X-SSL-Client-S-DN", "Tailscale-User-Login", "Cf-Access-Authenticated-User-Email", "X-Amzn-Oidc-Identity", "X-Ms-Client-Principal-Name",
    "X-Operator-Id", "Otklik-Operator-Id", "X-Original-User", "X-Goog-Authenticated-User-Email",
)  # fmt: skip


async def invite(owner_db: Database, clock: FixedClock, login: str = "vera") -> str:
    async with owner_db.write() as session:
        grants = [Grant(role=Role.OPERATOR)]
        return (await staff.invite(session, login=login, name=login.title(), grants=grants, now=clock.now())).token


async def test_cve_2026_41902_an_invitation_expires(stranger: Browser, owner_db: Database, clock: FixedClock) -> None:
    token = await invite(owner_db, clock)
    clock.moment += timedelta(hours=staff.INVITATION_HOURS, seconds=-1)
    assert (await stranger.get(f"/invitation/{token}")).status_code == 200
    clock.moment += timedelta(seconds=1)
    assert (await stranger.get(f"/invitation/{token}")).status_code == 404
    assert (await stranger.post(f"/invitation/{token}", password=PASSWORD, again=PASSWORD)).status_code == 404
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM invitation WHERE expires_at > now() + interval '80 hours'")) == 0


async def test_cve_2026_27637_no_token_can_be_computed(owner_db: Database, clock: FixedClock) -> None:
    """Not from the person, the moment or another token: 256 random bits, and the database holds a hash of them alone."""
    links = [await invite(owner_db, clock) for _ in range(3)]
    async with owner_db.write() as session:
        bearer = await create_service_token(session, name="СЭД", grants=[Grant(role=Role.OPERATOR)], now=clock.now())
        stored = [
            bytes(one)
            for one in await session.scalars(text("SELECT token_hash FROM invitation UNION ALL SELECT token_hash FROM api_token"))
        ]
    tokens = [*links, bearer]
    assert len({token[:6] for token in links}) == 3
    assert all(len(token.removeprefix("otk_")) == 43 for token in tokens)
    assert {hashlib.sha256(token.encode()).digest() for token in tokens} == set(stored)
    moment = clock.now()
    guesses = [f"vera{part}" for part in ("", int(moment.timestamp()), moment.isoformat(), "1")]
    for guess in guesses:
        for kind in ("md5", "sha1", "sha256"):
            assert hashlib.new(kind, guess.encode(), usedforsecurity=False).hexdigest() not in tokens


async def test_ghsa_jvmv_2qcp_7855_a_link_is_for_one_person_once(stranger: Browser, owner_db: Database, clock: FixedClock) -> None:
    """Used again, after a newer one, with a form that names somebody else: no account but its own, and only once."""
    first, second, other = [await invite(owner_db, clock, login) for login in ("vera", "vera", "ivan")]
    assert (await stranger.get(f"/invitation/{first}")).status_code == 404, "the newer link replaces it"
    await stranger.get(f"/invitation/{second}")
    form: dict[str, Any] = {"password": PASSWORD, "again": PASSWORD, "login": "ivan", "operator_id": "2", "token": other}
    assert (await stranger.post(f"/invitation/{second}", **form)).status_code == 303
    async with owner_db.read() as session:
        with_password = list(await session.scalars(text("SELECT login FROM operator WHERE password_hash IS NOT NULL")))
    assert with_password == ["vera"]
    stranger.http.cookies.clear()
    stranger.csrf = ""
    await stranger.get("/sign-in")
    for used in (first, second, second.upper(), second[:-1], ""):
        assert (await stranger.post(f"/invitation/{used}", password=PASSWORD, again=PASSWORD)).status_code in {404, 405}, used
    assert (await stranger.get(f"/invitation/{other}")).status_code == 200


@pytest.mark.parametrize("who", ["operator", "administrator"])
async def test_cve_2026_34720_no_header_signs_anybody_in(stranger: Browser, town: Town, who: str) -> None:
    """From anyone, a proxy's neighbour included: people come in by what they prove, never by what a header says."""
    person = town.people[who]
    for value in (person.login, str(person.id), f"{person.login}@example.org", f"CN={person.login}"):
        headers = dict.fromkeys(HEADERS, value)
        for path in ("/queue", "/pages", "/administration/people", "/account"):
            assert (await stranger.get(path, headers=headers)).status_code == 303, path
        assert (await stranger.http.get("/api/v1/appeals", headers=headers)).status_code == 401


async def test_a_stranger_who_guesses_locks_nobody_out(stranger: Browser, owner_db: Database, clock: FixedClock, parts: WebParts) -> None:
    """Thousands of wrong passwords from everywhere, and a hundred from the very office: Vera comes in where she works."""
    async with owner_db.write() as session:
        await staff.add_operator(session, login="vera", name="Вера", password=PASSWORD, grants=[Grant(role=Role.OPERATOR)], now=clock.now())
    await stranger.get("/sign-in")
    assert (await stranger.post("/sign-in", login="vera", password=PASSWORD)).status_code == 303
    stranger.http.cookies.clear()
    stranger.csrf = ""
    async with owner_db.write() as session:
        await session.execute(
            text(
                "INSERT INTO sign_in_attempt (login, address, at) "
                "SELECT 'vera', '198.51.' || g / 250 || '.' || g % 250, CAST(:now AS timestamptz) FROM generate_series(1, 3000) g "
                "UNION ALL SELECT 'other' || g, '127.0.0.1', CAST(:now AS timestamptz) FROM generate_series(1, :office) g"
            ),
            {"now": clock.now(), "office": attempts.FAILURES_PER_ADDRESS},
        )
    await stranger.get("/sign-in")
    assert (await stranger.post("/sign-in", login="vera", password=PASSWORD)).status_code == 303
    assert session_cookie(parts) in stranger.http.cookies


async def test_a_refusal_tells_nothing_of_whether_somebody_is_here(stranger: Browser, owner_db: Database, clock: FixedClock) -> None:
    """Known, unknown, gone, invited only, and a service: one sentence, one status, no link in the page."""
    await invite(owner_db, clock, "invited")
    async with owner_db.write() as session:
        await session.execute(text("INSERT INTO operator (login, name, deactivated_at) VALUES ('gone', 'X', now()), ('здесь', 'Y', NULL)"))
        await create_service_token(session, name="СЭД", grants=[Grant(role=Role.OPERATOR)], now=clock.now())
        service = await session.scalar(text("SELECT login FROM operator WHERE is_service"))
    await stranger.get("/sign-in")
    pages = set()
    for login in ("invited", "gone", "здесь", "nobody", str(service)):
        refused = await stranger.post("/sign-in", login=login, password=PASSWORD)
        pages.add((refused.status_code, refused.text.replace(f'value="{login}"', "")))
    assert len(pages) == 1


def test_the_token_of_a_link_is_not_written_into_the_log(web: FastAPI) -> None:
    """Whoever reads logs would come in by it."""
    links = {str(getattr(route, "path", "")) for route in web.routes if "invitation" in str(getattr(route, "path", ""))}
    assert len(links) == 2
    for route in links:
        assert path_to_log(route.replace("{token}", "s3cret"), route) == route
    assert path_to_log("/appeals/482913077", "/appeals/{number}") == "/appeals/482913077"
