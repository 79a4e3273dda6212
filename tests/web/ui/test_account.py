"""One's own account: password, browsers that are signed in; idle and absolute limits as a browser meets them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from app.people import attempts, staff
from app.people.rules import Grant, Role
from app.web.deps import session_cookie

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.kernel.parts import WebParts
    from tests.web.ui.conftest import Browser, Enter

PASSWORD = "кедр-и-брусника-7"
NEW = "другой-кедр-8"


@pytest.fixture
async def vera(owner_db: Database, clock: FixedClock, stranger: Browser) -> Browser:
    """Vera, signed in by her password."""
    async with owner_db.write() as session:
        await staff.add_operator(session, login="vera", name="Вера", password=PASSWORD, grants=[Grant(role=Role.OPERATOR)], now=clock.now())
    await sign_in(stranger)
    return stranger


async def sign_in(browser: Browser, password: str = PASSWORD) -> int:
    browser.http.cookies.clear()
    browser.csrf = ""
    await browser.get("/sign-in")
    status = (await browser.post("/sign-in", login="vera", password=password)).status_code
    await browser.get("/account")
    return status


async def test_a_new_password_signs_every_other_browser_out(vera: Browser, parts: WebParts) -> None:
    elsewhere = dict(vera.http.cookies)
    await sign_in(vera)
    before = vera.http.cookies[session_cookie(parts)]
    for current, password, again, sentence in (
        ("не тот", NEW, NEW, "Нынешний пароль введён неверно."),
        (PASSWORD, NEW, NEW + "x", "Пароли не совпали."),
        (PASSWORD, "short", "short", "Пароль слишком короткий"),
    ):
        refused = await vera.post("/account/password", current=current, password=password, again=again)
        assert refused.status_code == 422
        assert sentence in refused.text
        assert password not in refused.text
    done = await vera.post("/account/password", current=PASSWORD, password=NEW, again=NEW)
    assert done.headers["location"] == "/account?password=1"
    assert vera.http.cookies[session_cookie(parts)] != before
    assert "Пароль изменён" in (await vera.get("/account?password=1")).text
    vera.http.cookies.clear()
    for gone in (elsewhere[session_cookie(parts)], before):
        vera.http.cookies.set(session_cookie(parts), gone)
        assert (await vera.get("/account")).status_code == 303
    assert await sign_in(vera) == 422
    assert await sign_in(vera, NEW) == 303


async def test_guessing_the_present_password_from_a_stolen_session_stops(vera: Browser, owner_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        await session.execute(
            text("INSERT INTO sign_in_attempt (login, address, at) SELECT 'vera', '127.0.0.1', :now FROM generate_series(1, :n)"),
            {"now": clock.now(), "n": attempts.FAILURES_PER_PAIR - 1},
        )
    statuses = [(await vera.post("/account/password", current="guess", password=NEW, again=NEW)).status_code for _ in range(2)]
    assert statuses == [422, 429]
    right = await vera.post("/account/password", current=PASSWORD, password=NEW, again=NEW)
    assert (right.status_code, int(right.headers["retry-after"]) > 0) == (429, True)


async def test_ones_browsers_are_listed_and_ended(vera: Browser, parts: WebParts, enter: Enter) -> None:
    first = dict(vera.http.cookies)
    vera.http.headers["User-Agent"] = "<script>alert(1)</script> Mozilla/5.0 (X11; Linux) Firefox/145.0"
    await sign_in(vera)
    page = (await vera.get("/account")).text
    assert "Firefox 145, Linux" in page
    assert "<script>alert" not in page
    assert page.count("этот браузер") == 1
    ends = re.findall(r'action="(/account/sessions/\d+/end)"', page)
    assert len(ends) == 1
    assert (await vera.post(ends[0])).headers["location"] == "/account?session=1"
    assert (await vera.post(ends[0])).status_code == 404
    other = await enter("operator")
    await other.get("/account")
    assert (await other.post(ends[0])).status_code == 404, "somebody else's does not exist"
    kept = vera.http.cookies[session_cookie(parts)]
    vera.http.cookies.set(session_cookie(parts), first[session_cookie(parts)])
    assert (await vera.get("/account")).status_code == 303
    await sign_in(vera)
    assert (await vera.post("/account/sessions/end-others")).headers["location"] == "/account?sessions=1"
    vera.http.cookies.set(session_cookie(parts), kept)
    assert (await vera.get("/account")).status_code == 303


async def test_signing_in_again_ends_the_session_before(vera: Browser, parts: WebParts) -> None:
    """And a token that somebody planted before sign-in is worth nothing after it."""
    planted = vera.http.cookies[session_cookie(parts)]
    await vera.get("/account")
    await vera.http.get("/sign-in")
    await vera.post("/sign-in", login="vera", password=PASSWORD)
    fresh = vera.http.cookies[session_cookie(parts)]
    assert fresh != planted
    vera.http.cookies.clear()
    vera.http.cookies.set(session_cookie(parts), planted)
    assert (await vera.get("/account")).status_code == 303


async def test_a_page_that_renews_itself_keeps_no_session_alive(vera: Browser, clock: FixedClock, owner_db: Database) -> None:
    began = clock.now()
    for minutes, headers in ((20, {"X-Otklik-Unattended": "1"}), (40, {"Accept": "text/event-stream"}), (59, {"X-Otklik-Unattended": "1"})):
        clock.moment = began + timedelta(minutes=minutes)
        assert (await vera.get("/queue/rows", headers=headers)).status_code == 200
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT max(seen_at) FROM operator_session")) == began
    assert (await vera.get("/queue")).status_code == 200
    clock.moment += timedelta(minutes=59)
    assert (await vera.get("/queue")).status_code == 200, "a person was there an hour ago"
    clock.moment += timedelta(minutes=60)
    assert (await vera.get("/queue")).status_code == 303


async def test_a_forged_form_changes_nothing(vera: Browser, owner_db: Database) -> None:
    for path in ("/account/password", "/account/sessions/end-others", "/account/second-factor", "/account/second-factor/off"):
        forged = await vera.http.post(path, data={"csrf": "x", "current": PASSWORD, "password": NEW, "again": NEW})
        assert forged.status_code == 403, path
    async with owner_db.read() as session:
        assert await session.scalar(text("SELECT count(*) FROM operator_session WHERE ended_at IS NULL")) == 1
