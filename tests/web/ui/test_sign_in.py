"""Coming in, going out, an invitation, what people set for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from app.people import attempts, staff
from app.people.rules import Grant, Role
from app.web.deps import session_cookie
from app.web.ui.visit import LANGUAGE_COOKIE, THEME_COOKIE, local_path

if TYPE_CHECKING:
    from app.kernel.clock import FixedClock
    from app.kernel.db import Database
    from app.kernel.parts import WebParts
    from tests.web.ui.conftest import Browser, Town

PASSWORD = "кедр-и-брусника-7"


@pytest.fixture
async def person(owner_db: Database, clock: FixedClock) -> str:
    """Somebody with a password; their sign-in name."""
    async with owner_db.write() as session:
        await staff.add_operator(
            session, login="vera", name="Вера <Холмова>", password=PASSWORD, grants=[Grant(role=Role.OPERATOR)], now=clock.now()
        )
    return "vera"


async def test_a_person_signs_in_and_out(stranger: Browser, parts: WebParts, person: str) -> None:
    page = await stranger.get("/sign-in?after=/queue%3Fmine%3D1")
    assert page.status_code == 200
    entered = await stranger.post("/sign-in", login=person.upper(), password=PASSWORD, after="/queue?mine=1")
    assert (entered.status_code, entered.headers["location"]) == (303, "/queue?mine=1")
    cookie = next(value for value in entered.headers.get_list("set-cookie") if value.startswith(session_cookie(parts)))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie

    queue = await stranger.get("/queue")
    assert "Вера &lt;Холмова&gt;" in queue.text
    assert (await stranger.get("/sign-in")).headers["location"] == "/"  # who is in already goes on

    left = await stranger.post("/sign-out")
    assert (left.status_code, left.headers["location"]) == (303, "/sign-in?out=1")
    assert (await stranger.get("/queue")).status_code == 303
    assert "Вы вышли." in (await stranger.get("/sign-in?out=1")).text


async def test_a_stolen_cookie_ends_with_the_session(stranger: Browser, parts: WebParts, person: str) -> None:
    await stranger.get("/sign-in")
    await stranger.post("/sign-in", login=person, password=PASSWORD)
    stolen = stranger.http.cookies[session_cookie(parts)]
    await stranger.get("/queue")
    await stranger.post("/sign-out")
    stranger.http.cookies.set(session_cookie(parts), stolen)
    assert (await stranger.get("/queue")).status_code == 303


async def test_wrong_words_are_answered_alike_and_counted(stranger: Browser, person: str) -> None:
    await stranger.get("/sign-in")
    pages = []
    for login in (person, "nobody", person):
        refused = await stranger.post("/sign-in", login=login, password="не-тот-пароль", after="/reports")
        assert refused.status_code == 422
        assert "Имя и пароль не подошли." in refused.text
        assert 'value="/reports"' in refused.text
        pages.append(refused.text.replace(login, "X"))
    assert pages[0] == pages[1]
    for _ in range(attempts.FAILURES_PER_PAIR):
        await stranger.post("/sign-in", login=person, password="не-тот-пароль")
    waiting = await stranger.post("/sign-in", login=person, password=PASSWORD)
    assert waiting.status_code == 429
    assert int(waiting.headers["retry-after"]) > 0
    assert "Слишком много попыток" in waiting.text


async def test_a_form_from_elsewhere_signs_nobody_in(stranger: Browser, person: str) -> None:
    refused = await stranger.http.post("/sign-in", data={"login": person, "password": PASSWORD})
    assert refused.status_code == 403
    assert "Страница устарела. Попробуйте ещё раз." in refused.text


@pytest.mark.parametrize(
    ("asked", "goes"),
    [
        ("/queue?mine=1", "/queue?mine=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nX: y", "/"),
        ("/a\\b", "/"),
        ("", "/"),
        (None, "/"),
        ("/" + "я" * 3000, "/"),
    ],
)
def test_nobody_is_led_elsewhere(asked: object, goes: str) -> None:
    assert local_path(asked) == goes


async def test_an_invitation_is_taken_once(stranger: Browser, owner_db: Database, clock: FixedClock) -> None:
    async with owner_db.write() as session:
        sent = await staff.invite(session, login="nikita", name="Никита Лосев", grants=[Grant(role=Role.SUPERVISOR)], now=clock.now())
    path = f"/invitation/{sent.token}"
    page = await stranger.get(path)
    assert "Здравствуйте, Никита Лосев!" in page.text
    for password, again, sentence in (
        ("кратко", "кратко", "Пароль слишком короткий: нужно не меньше 10 знаков."),
        ("nikita-nikita", "nikita-nikita", "не должно быть имени для входа"),
        (PASSWORD, PASSWORD + "!", "Пароли не совпали."),
    ):
        refused = await stranger.post(path, password=password, again=again)
        assert refused.status_code == 422
        assert sentence in refused.text
        assert password not in refused.text
    entered = await stranger.post(path, password=PASSWORD, again=PASSWORD)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert (await stranger.get("/")).headers["location"] == "/reports"
    stranger.http.cookies.clear()
    for gone in (await stranger.get(path), await stranger.get("/invitation/none")):
        assert gone.status_code == 404
        assert "Эта ссылка больше не действует" in gone.text
    assert (await stranger.post(path, password=PASSWORD, again=PASSWORD)).status_code == 404


async def test_a_strangers_choice_is_kept_by_the_browser(stranger: Browser) -> None:
    speaks: dict[str, Any] = {"Accept-Language": "en-GB,en;q=0.9,ru;q=0.5"}
    page = await stranger.get("/sign-in", headers=speaks)
    assert '<html lang="en"' in page.text
    chosen = await stranger.post("/preferences", language="ru", after="/sign-in")
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/sign-in")
    assert stranger.http.cookies[LANGUAGE_COOKIE] == "ru"
    await stranger.post("/preferences", theme="dark", after="//evil.example")
    assert stranger.http.cookies[THEME_COOKIE] == "dark"
    page = await stranger.get("/sign-in", headers=speaks)
    assert '<html lang="ru" data-theme-choice="dark" data-bs-theme="dark"' in page.text


async def test_preferences_belong_to_the_person(operator: Browser, town: Town, owner_db: Database) -> None:
    await operator.get("/queue")
    await operator.post("/preferences", letters="off", after="/queue")
    page = (await operator.get("/queue")).text
    assert 'data-keys="off"' in page
    await operator.post("/preferences", language="en", after="/queue")
    page = (await operator.get("/queue")).text
    assert '<html lang="en"' in page
    assert 'data-keys="off"' in page
    async with owner_db.read() as session:
        row = (await session.execute(text("SELECT locale, letters FROM operator WHERE id = :id"), {"id": town.people["operator"].id})).one()
    assert tuple(row) == ("en", False)
    wrong: tuple[dict[str, Any], ...] = ({"language": "xx"}, {"theme": "neon"}, {"letters": "maybe"}, {})
    for nonsense in wrong:
        assert (await operator.post("/preferences", after="/queue", **nonsense)).status_code == 303
    assert '<html lang="en" data-theme-choice="auto"' in (await operator.get("/queue")).text


async def test_preferences_need_the_token(operator: Browser) -> None:
    assert (await operator.http.post("/preferences", data={"language": "en"})).status_code == 403
