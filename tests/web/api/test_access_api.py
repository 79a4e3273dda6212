"""Who comes with what in hand: tokens, cookies, forgery; and what lies outside their reach."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import text

from app.people import api_tokens
from app.people.rules import Grant, Role
from app.web.app import create_app
from app.web.deps import csrf_of, session_cookie  # the very function that pages use
from tests.web.api.conftest import Region, make_parts, sign_in

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.kernel.parts import WebParts

Bearer = Callable[[str], dict[str, str]]
WORDS = "Качели у школы сломаны."


async def test_a_foreign_agency_gets_nothing(client: httpx.AsyncClient, region: Region, bearer: Bearer) -> None:
    """By number, list, filter, search, facet of a filter, answer: as if it did not exist."""
    for name, own, foreign in (("ours", region.our_number, region.their_number), ("theirs", region.their_number, region.our_number)):
        headers = bearer(name)
        listed = (await client.get("/api/v1/appeals", headers=headers)).json()["items"]
        assert [one["number"] for one in listed] == [own]
        assert (await client.get(f"/api/v1/appeals/{own}", headers=headers)).status_code == 200
        hidden, missing = [await client.get(f"/api/v1/appeals/{number}", headers=headers) for number in (foreign, "000-000-001")]
        assert hidden.status_code == missing.status_code == 404
        assert {key: value for key, value in hidden.json().items() if key != "instance"} == {
            key: value for key, value in missing.json().items() if key != "instance"
        }, "the words must not tell whether it exists"
        for query in (
            {"q": foreign},
            {"q": "вода фонари" if name == "ours" else "фонари"},
            {"agency": "theirs" if name == "ours" else "ours"},
        ):
            numbers = [one["number"] for one in (await client.get("/api/v1/appeals", params=query, headers=headers)).json()["items"]]
            assert foreign not in numbers, query
        answered = await client.post(f"/api/v1/appeals/{foreign}/replies", json={"text": "Здравствуйте!"}, headers=headers)
        assert answered.status_code == 404
        code = "theirs" if name == "ours" else "ours"
        created = await client.post("/api/v1/appeals", json={"text": WORDS, "agency": code}, headers=headers)
        assert (created.status_code, created.json()["code"]) == (403, "access.scope")
        pages = (await client.get("/api/v1/pages", headers=headers)).json()["items"]
        assert {page["agency"]["code"] for page in pages} == {name}


async def test_roles_allow_what_the_table_says(client: httpx.AsyncClient, region: Region, bearer: Bearer) -> None:
    report = "/api/v1/reports/response-times?from=2026-11-01&to=2026-11-30&group_by=agency"
    reads = {"list": "/api/v1/appeals", "card": f"/api/v1/appeals/{region.our_number}", "pages": "/api/v1/pages", "report": report}
    allowed = {
        "ours": {"list", "card", "pages", "create", "answer"},
        "coordinator": {"list", "card", "pages", "report", "create", "answer"},
        "supervisor": {"report"},
        "administrator": {"pages"},
    }
    for name, may in allowed.items():
        statuses = {what: (await client.get(path, headers=bearer(name))).status_code for what, path in reads.items()}
        statuses["create"] = (
            await client.post("/api/v1/appeals", json={"text": WORDS, "agency": "ours"}, headers=bearer(name))
        ).status_code
        statuses["answer"] = (
            await client.post(f"/api/v1/appeals/{region.our_number}/replies", json={"text": "Здравствуйте!"}, headers=bearer(name))
        ).status_code
        assert {what for what, status in statuses.items() if status < 300} == may, statuses
        assert {status for status in statuses.values() if status >= 300} <= {403}, statuses


async def test_a_token_expires_and_is_revoked_within_five_seconds(
    client: httpx.AsyncClient, owner_db: Database, clock: FixedClock, region: Region, bearer: Bearer
) -> None:
    async with owner_db.write() as session:
        grant = Grant(role=Role.OPERATOR, agency_id=region.ours.id)
        short = await api_tokens.create_service_token(session, name="short", grants=[grant], now=clock.now(), days=1)
    headers = {"Authorization": f"Bearer {short}"}
    assert (await client.get("/api/v1/pages", headers=headers)).status_code == 200
    clock.moment += timedelta(days=1, seconds=5)
    assert (await client.get("/api/v1/pages", headers=headers)).status_code == 401

    assert (await client.get("/api/v1/pages", headers=bearer("ours"))).status_code == 200
    async with owner_db.write() as session:
        await session.execute(text("UPDATE api_token SET revoked_at = :now"), {"now": clock.now()})
    clock.moment += timedelta(seconds=5)
    assert (await client.get("/api/v1/pages", headers=bearer("ours"))).status_code == 401


async def test_a_role_taken_away_is_gone_within_five_seconds(
    client: httpx.AsyncClient, owner_db: Database, clock: FixedClock, bearer: Bearer
) -> None:
    assert len((await client.get("/api/v1/appeals", headers=bearer("ours"))).json()["items"]) == 1
    async with owner_db.write() as session:
        await session.execute(text("UPDATE operator_role SET until = :now"), {"now": clock.now()})
    at_once = await client.get("/api/v1/appeals", headers=bearer("ours"))
    assert at_once.json()["items"] == [], "row-level security does not wait"
    clock.moment += timedelta(seconds=5)
    assert (await client.get("/api/v1/appeals", headers=bearer("ours"))).status_code == 403


@pytest.mark.parametrize(
    "value", ["", "Bearer", "Bearer ", "Bearer otk_", "Bearer x", "bearer otk_\u00ff", "Basic otk_x", "Bearer " + "otk_" + "x" * 5000]
)
@pytest.mark.usefixtures("region")
async def test_a_strange_token_is_refused(client: httpx.AsyncClient, value: str) -> None:
    answer = await client.get("/api/v1/pages", headers=[(b"Authorization", value.encode("latin-1"))])
    assert (answer.status_code, answer.json()["code"]) == (401, "token")


# --- browsers ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def cookies(owner_db: Database, parts: WebParts, region: Region) -> dict[str, str]:
    """An operator's browser."""
    return await sign_in(owner_db, parts, login="anna", grant=Grant(role=Role.OPERATOR, agency_id=region.ours.id))


async def test_a_browser_reads_by_its_cookie(client: httpx.AsyncClient, cookies: dict[str, str], region: Region) -> None:
    client.cookies.update(cookies)
    assert [one["number"] for one in (await client.get("/api/v1/appeals")).json()["items"]] == [region.our_number]


async def test_a_session_ends(client: httpx.AsyncClient, cookies: dict[str, str], clock: FixedClock) -> None:
    client.cookies.update(cookies)
    clock.moment += timedelta(hours=13)
    answer = await client.get("/api/v1/appeals")
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in")


async def test_another_site_cannot_act_with_the_cookie(client: httpx.AsyncClient, cookies: dict[str, str], parts: WebParts) -> None:
    client.cookies.update(cookies)
    right = csrf_of(cookies[session_cookie(parts)])
    body = {"text": WORDS, "agency": "ours"}

    async def taken(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (await client.post("/api/v1/appeals", json=body, headers=named)).status_code

    assert await taken() == 403
    assert await taken(x_csrf_token="") == 403
    assert await taken(x_csrf_token=right[:-1] + ("0" if right[-1] != "0" else "1")) == 403
    assert await taken(x_csrf_token=right, sec_fetch_site="cross-site") == 403
    assert await taken(x_csrf_token=right, sec_fetch_site="same-site") == 403
    assert await taken(x_csrf_token=right, sec_fetch_site="same-origin") == 201
    assert await taken(x_csrf_token=right) == 201


async def test_the_token_of_one_browser_is_worth_nothing_in_another(
    client: httpx.AsyncClient, cookies: dict[str, str], owner_db: Database, parts: WebParts, region: Region
) -> None:
    others = await sign_in(owner_db, parts, login="boris", grant=Grant(role=Role.OPERATOR, agency_id=region.ours.id))
    client.cookies.update(cookies)
    stolen = csrf_of(others[session_cookie(parts)])
    answer = await client.post("/api/v1/appeals", json={"text": WORDS, "agency": "ours"}, headers={"X-CSRF-Token": stolen})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf")


async def test_behind_https_cookies_and_browsers_are_held_to_it(web_db: Database, database_url: URL, clock: FixedClock) -> None:
    parts = make_parts(web_db, database_url, clock, secure=True)
    assert session_cookie(parts).startswith("__Host-")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(parts)), base_url="https://otklik.example") as client:
        answer = await client.get("/health/live")
    assert "max-age=" in answer.headers["strict-transport-security"]


async def test_every_answer_is_sealed(client: httpx.AsyncClient, bearer: Bearer) -> None:
    for path in ("/api/v1/appeals", "/health/live", "/no-such", "/api/v1/openapi.json", "/sign-in"):
        headers = (await client.get(path, headers=bearer("ours"))).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        for directive in ("object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
            assert directive in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in headers
        assert len(headers["x-request-id"]) == 32
