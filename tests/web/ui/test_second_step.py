"""The second step at the door and on one's own account, as people and guessers meet it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING

import httpx
import pyotp
import pytest
from sqlalchemy import text

from app.people import attempts, staff
from app.people.rules import Grant, Role
from app.web.app import create_app
from app.web.deps import session_cookie
from tests.web.entrance import make_entrance
from tests.web.ui.conftest import Browser

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.kernel.parts import WebParts

PASSWORD = "кедр-и-брусника-7"


@pytest.fixture
async def vera(owner_db: Database, clock: FixedClock) -> int:
    async with owner_db.write() as session:
        grants = [Grant(role=Role.OPERATOR)]
        return await staff.add_operator(session, login="vera", name="Вера", password=PASSWORD, grants=grants, now=clock.now())


@pytest.fixture
async def needing(parts: WebParts) -> AsyncIterator[Browser]:
    """A browser at an installation whose operators need a second factor."""
    app = create_app(replace(parts, entrance=make_entrance(second_factor_roles=frozenset({"operator"}))))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://otklik.example") as http:
        yield Browser(http=http)


async def first_step(browser: Browser) -> httpx.Response:
    browser.csrf = ""
    await browser.get("/sign-in")
    return await browser.post("/sign-in", login="vera", password=PASSWORD, after="/queue?mine=1")


def shown(page: httpx.Response) -> tuple[str, str, list[str]]:
    """The key in letters, the sealed secret, the recovery codes of a page."""
    key = re.search(r'<p class="secret">([A-Z2-7 ]+)</p>', page.text)
    slip = re.search(r'name="slip" value="([^"]+)"', page.text)
    return (
        key[1].replace(" ", "") if key else "",
        unescape(slip[1]) if slip else "",
        re.findall(r"<li>([A-Z0-9-]{19})</li>", page.text),
    )


def is_in(browser: Browser, parts: WebParts) -> bool:
    return session_cookie(parts) in browser.http.cookies


async def set_up_at_the_door(browser: Browser, clock: FixedClock) -> tuple[str, list[str]]:
    entered = await first_step(browser)
    assert entered.headers["location"] == "/sign-in/second-factor"
    page = await browser.get("/sign-in/second-factor")
    assert 'src="data:image/svg+xml' in page.text
    key, slip, _ = shown(page)
    done = await browser.post("/sign-in/second-factor", slip=slip, code=pyotp.TOTP(key).at(clock.now()))
    assert done.status_code == 200, done.text
    return key, shown(done)[2]


@pytest.mark.usefixtures("vera")
async def test_a_role_that_needs_it_sets_it_up_before_anything_else(needing: Browser, parts: WebParts, clock: FixedClock) -> None:
    await first_step(needing)
    assert not is_in(needing, parts), "no session before the last step"
    for path in ("/queue", "/account", "/api/v1/appeals"):
        assert (await needing.get(path)).status_code in {303, 401}, path
    page = await needing.get("/sign-in/second-factor")
    key, slip, _ = shown(page)
    wrong = await needing.post("/sign-in/second-factor", slip=slip, code="000000")
    assert wrong.status_code == 422
    assert shown(wrong)[0] == key, "the same picture: the device has it already"
    done = await needing.post("/sign-in/second-factor", slip=slip, code=pyotp.TOTP(key).at(clock.now()))
    kept = shown(done)[2]
    assert len(kept) == 10
    assert 'href="/queue?mine=1"' in done.text
    assert is_in(needing, parts)
    assert (await needing.get("/queue")).status_code == 200
    account = (await needing.get("/account")).text
    assert "/account/second-factor/off" not in account
    await needing.get("/account")
    refused = await needing.post("/account/second-factor/off", code=kept[0])
    assert refused.status_code == 403
    assert "выключить его нельзя" in refused.text


@pytest.mark.usefixtures("vera")
async def test_a_code_is_asked_after_the_password_and_a_replay_gets_nobody_in(needing: Browser, parts: WebParts, clock: FixedClock) -> None:
    key, kept = await set_up_at_the_door(needing, clock)
    clock.moment += timedelta(minutes=5)
    needing.http.cookies.clear()
    assert (await first_step(needing)).headers["location"] == "/sign-in/code"
    await needing.get("/sign-in/code")
    assert (await needing.get("/sign-in/second-factor")).headers["location"] == "/sign-in?gone=1", "it is set up already"
    wrong = await needing.post("/sign-in/code", code="123")
    assert wrong.status_code == 422
    code = pyotp.TOTP(key).at(clock.now())
    entered = await needing.post("/sign-in/code", code=code)
    assert (entered.status_code, entered.headers["location"]) == (303, "/queue?mine=1")
    assert is_in(needing, parts)

    needing.http.cookies.clear()
    await first_step(needing)
    await needing.get("/sign-in/code")
    assert (await needing.post("/sign-in/code", code=code)).status_code == 422, "somebody looked over the shoulder"
    assert not is_in(needing, parts)
    assert (await needing.post("/sign-in/code", code=kept[0].lower())).status_code == 303
    assert is_in(needing, parts)


@pytest.mark.usefixtures("vera")
async def test_the_first_step_is_forgotten_after_ten_minutes_and_with_another_password(
    needing: Browser, owner_db: Database, clock: FixedClock
) -> None:
    key, _ = await set_up_at_the_door(needing, clock)
    for change in ("time", "password", "left"):
        needing.http.cookies.clear()
        await first_step(needing)
        await needing.get("/sign-in/code")
        if change == "time":
            clock.moment += timedelta(minutes=11)
        async with owner_db.write() as session:
            if change == "password":
                await session.execute(text("UPDATE operator SET password_hash = password_hash || ' '"))
            if change == "left":
                await session.execute(text("UPDATE operator SET deactivated_at = now()"))
        late = await needing.post("/sign-in/code", code=pyotp.TOTP(key).at(clock.now()))
        assert (late.status_code, late.headers["location"]) == (303, "/sign-in?gone=1"), change
        async with owner_db.write() as session:
            await session.execute(text("UPDATE operator SET deactivated_at = NULL, password_hash = rtrim(password_hash)"))


async def test_a_forged_first_step_is_none(stranger: Browser) -> None:
    for value in ("x", "gAAAA", "я", "A" * 5000):
        stranger.http.cookies.clear()
        page = await stranger.http.get("/sign-in/code", headers=[(b"Cookie", f"otklik_step={value}".encode())])
        assert (page.status_code, page.headers["location"]) == (303, "/sign-in?gone=1")


@pytest.mark.usefixtures("vera")
async def test_guessing_at_the_code_stops(needing: Browser, clock: FixedClock) -> None:
    await set_up_at_the_door(needing, clock)
    clock.moment += timedelta(minutes=5)
    needing.http.cookies.clear()
    await first_step(needing)
    await needing.get("/sign-in/code")
    answers = [await needing.post("/sign-in/code", code=f"{n:06d}") for n in range(attempts.FAILURES_PER_PAIR)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert "Слишком много попыток" in answers[-1].text


async def test_a_session_from_before_the_rule_does_not_let_in(needing: Browser, stranger: Browser, parts: WebParts, vera: int) -> None:
    """The setting is asked of every request, not only at the door."""
    await first_step(stranger)
    assert (await stranger.get("/queue")).status_code == 200
    needing.http.cookies.set(session_cookie(parts), stranger.http.cookies[session_cookie(parts)])
    assert (await needing.get("/queue")).status_code == 303
    assert vera


async def test_a_link_for_a_password_is_no_way_around_the_second_step(
    needing: Browser, parts: WebParts, owner_db: Database, clock: FixedClock, vera: int
) -> None:
    await set_up_at_the_door(needing, clock)
    needing.http.cookies.clear()
    async with owner_db.write() as session:
        link = await staff.new_link(session, operator_id=vera, now=clock.now(), by=None)
    needing.csrf = ""
    page = await needing.get(f"/invitation/{link.token}")
    assert "Новый пароль" in page.text
    entered = await needing.post(f"/invitation/{link.token}", password=PASSWORD + "!", again=PASSWORD + "!")
    assert entered.headers["location"] == "/sign-in/code"
    assert not is_in(needing, parts)


@pytest.mark.usefixtures("vera")
async def test_one_turns_it_on_and_off_oneself(stranger: Browser, parts: WebParts, clock: FixedClock) -> None:
    assert (await first_step(stranger)).headers["location"] == "/queue?mine=1"
    before = stranger.http.cookies[session_cookie(parts)]
    key, slip, _ = shown(await stranger.get("/account/second-factor"))
    code = pyotp.TOTP(key).at(clock.now())
    refused = await stranger.post("/account/second-factor", slip=slip, code=code, current="не тот пароль")
    assert refused.status_code == 422
    assert "Нынешний пароль введён неверно." in refused.text
    done = await stranger.post("/account/second-factor", slip=slip, code=code, current=PASSWORD)
    kept = shown(done)[2]
    assert len(kept) == 10
    after = stranger.http.cookies[session_cookie(parts)]
    assert before != after, "whoever may do more comes with a new token"
    found = re.search(r'<meta name="csrf" content="([^"]+)"', done.text)
    assert found is not None
    stranger.csrf = found[1]
    fresh = shown(await stranger.post("/account/second-factor/codes", code=kept[0]))[2]
    assert len(fresh) == 10
    assert not set(kept) & set(fresh)
    await stranger.get("/account")
    assert (await stranger.post("/account/second-factor/off", code=kept[1])).status_code == 422, "an old one"
    off = await stranger.post("/account/second-factor/off", code=fresh[0])
    assert off.headers["location"] == "/account?factor_off=1"
    assert "Второй шаг выключен." in (await stranger.get("/account?factor_off=1")).text
    stranger.http.cookies.clear()
    assert (await first_step(stranger)).headers["location"] == "/queue?mine=1"


@pytest.mark.usefixtures("vera")
async def test_nobody_keeps_a_device_that_somebody_else_was_shown(
    stranger: Browser, owner_db: Database, clock: FixedClock, parts: WebParts
) -> None:
    """A secret whose picture an attacker has seen, put into the victim's form, would be the attacker's second factor."""
    await first_step(stranger)
    key, slip, _ = shown(await stranger.get("/account/second-factor"))
    async with owner_db.write() as session:
        await staff.add_operator(session, login="ivan", name="Иван", password=PASSWORD, grants=[], now=clock.now())
    stranger.http.cookies.clear()
    stranger.csrf = ""
    await stranger.get("/sign-in")
    await stranger.post("/sign-in", login="ivan", password=PASSWORD)
    await stranger.get("/account")
    refused = await stranger.post("/account/second-factor", slip=slip, code=pyotp.TOTP(key).at(clock.now()), current=PASSWORD)
    assert (refused.status_code, refused.headers["location"]) == (303, "/account/second-factor")
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM second_factor")) == 0
    assert is_in(stranger, parts)
