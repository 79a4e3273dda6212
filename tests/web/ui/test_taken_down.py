"""An appeal that somebody takes down by hand on the screen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from app.appeals.rules import Act
from app.web.ui.queue_view import number_text
from tests import factories

if TYPE_CHECKING:
    from app.kernel.db import Database
    from tests.web.ui.conftest import Browser, Enter, Town


async def row(db: Database, statement: str, **params: object) -> Any:
    async with db.read() as session:
        return (await session.execute(text(statement), params)).one()


async def test_an_appeal_is_taken_down_once(operator: Browser, town: Town, owner_db: Database) -> None:
    page = (await operator.get("/appeals/new")).text
    key = re.findall(r'name="key" value="(\w+)"', page)[0]
    form: dict[str, Any] = {
        "key": key,
        "text": "По телефону: упало дерево.",
        "author": "Вера",
        "agency": town.ours.id,
        "topic": town.lights.id,
        "written": "2026-11-17T09:00",
    }
    first = await operator.post("/appeals/new", **form)
    again = await operator.post("/appeals/new", **form)
    assert first.status_code == again.status_code == 303
    assert first.headers["location"] == again.headers["location"]
    shown = (await operator.get(first.headers["location"])).text
    assert "По телефону: упало дерево." in shown
    assert "Вера" in shown
    assert 'id="answer-text"' not in shown
    opened = await row(owner_db, "SELECT * FROM appeal WHERE source = 'hand'")
    assert number_text(opened.number) in first.headers["location"]
    assert opened.written_at.isoformat() == "2026-11-17T06:00:00+00:00"  # nine in Moscow


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"text": " "}, "Сначала напишите что-нибудь."),
    ({"agency": ""}, "Выберите ведомство, которое ответит."),
    ({"written": "2030-01-01T00:00"}, "Этот момент в будущем."),
    ({"written": "вчера"}, "Укажите дату и время."),
    ({"author": "я" * 301}, "Знаков в тексте: 301, помещается 300."),
)


async def test_a_wrong_form_comes_back_filled_in(operator: Browser, town: Town) -> None:
    for fields, sentence in WRONG:
        form: dict[str, Any] = {"key": "k" * 20, "text": "Упало дерево <i>.", "author": "Вера", "agency": town.ours.id} | fields
        response = await operator.post("/appeals/new", **form)
        assert response.status_code == 422, fields
        assert sentence in response.text, fields
        assert "text" in fields or "Упало дерево &lt;i&gt;.</textarea>" in response.text


# --- from a link -------------------------------------------------------------------------------------------------

ELSEWHERE = "https://vk.com/wall-99_5?reply=7"


async def paste(who: Browser, link: str, **fields: Any) -> Any:
    return await who.post("/appeals/new/link", link=link, key="k" * 20, **fields)


async def test_a_link_to_a_stored_comment_leads_to_its_appeal_or_opens_it(operator: Browser, town: Town, owner_db: Database) -> None:
    where = "SELECT g.external_id AS page, p.external_id AS post FROM post p JOIN page g ON g.id = p.page_id WHERE p.id = :id"
    there = await row(owner_db, where, id=town.comment.post_id)
    link = f"https://vk.com/wall{there.page}_{there.post}?reply="
    led = await paste(operator, f"{link}{town.comment.external_id}")
    assert (led.status_code, led.headers["location"]) == (303, f"/appeals/{town.number}")
    led = await paste(operator, f"{link}{town.waiting.external_id}")
    assert led.status_code == 200
    assert "ответ выйдет там же, под комментарием" in led.text
    assert f'name="comment" value="{town.waiting.id}"' in led.text
    assert 'name="text"' not in led.text
    form: dict[str, Any] = {"key": "k" * 20, "comment": town.waiting.id, "agency": town.ours.id, "topic": town.lights.id, "link": link}
    first, again = await operator.post("/appeals/new", **form), await operator.post("/appeals/new", **form)
    assert first.status_code == again.status_code == 303
    assert first.headers["location"] == again.headers["location"]
    assert 'id="answer-text"' in (await operator.get(first.headers["location"])).text
    appeal = await row(owner_db, "SELECT written_at, comment_id FROM appeal WHERE comment_id = :id", id=town.waiting.id)
    assert appeal.written_at == town.waiting.written_at


async def test_what_the_worker_has_found_fills_the_form_and_its_answer_is_posted_by_hand(
    operator: Browser, town: Town, owner_db: Database
) -> None:
    assert "Загружаем" in (await paste(operator, f" {ELSEWHERE} ", text="своё")).text
    waiting = await operator.post("/appeals/new/link", part=True, link=ELSEWHERE, waiting="1")
    assert (waiting.status_code, waiting.text) == (204, "")
    async with owner_db.write() as session:
        found = "UPDATE link_lookup SET state = 'found', text = 'Нет воды <b>', author_name = 'Вера', written_at = '2026-11-16T06:00:00Z'"
        await session.execute(text(found))
    shown = (await operator.post("/appeals/new/link", part=True, link=ELSEWHERE, waiting="1")).text
    assert "Нет воды &lt;b&gt;</textarea>" in shown
    assert 'value="2026-11-16T09:00:00"' in shown
    assert "ответьте там сами" in shown
    assert "vk.com" in shown
    form: dict[str, Any] = {
        "key": "k" * 20,
        "text": "Нет воды <b>",
        "author": "Вера",
        "written": "2026-11-16T09:00:00",
        "link": ELSEWHERE,
        "agency": town.ours.id,
    }
    opened = (await operator.post("/appeals/new", **form)).headers["location"]
    assert (await paste(operator, ELSEWHERE)).headers["location"] == opened
    assert (await operator.post("/appeals/new", **form | {"key": "j" * 20})).headers["location"] == opened
    told = await row(
        owner_db, "SELECT t.*, a.platform, a.written_at FROM appeal_text t JOIN appeal a ON a.id = t.appeal_id WHERE link = :l", l=ELSEWHERE
    )
    assert (told.author_name, told.platform, told.written_at.isoformat()) == ("Вера", "vk", "2026-11-16T06:00:00+00:00")
    at = opened.partition("?")[0]
    dialog = (await operator.get(f"{at}/posted")).text
    assert f'href="{ELSEWHERE}"' in dialog
    version = re.findall(r'name="version" value="(\d+)"', dialog)[0]
    said: dict[str, Any] = {"version": version, "text": "Воду дали.", "link": f"{ELSEWHERE}0", "written": "2026-11-16T12:30"}
    assert "Укажите адрес" in (await operator.post(f"{at}/posted", **said | {"link": "javascript:alert(1)"})).text
    assert (await operator.post(f"{at}/posted", **said)).status_code == 303
    shown = (await operator.get(at)).text
    assert "Воду дали." in shown
    assert f'href="{ELSEWHERE}0"' in shown
    assert f'{at}/posted"' in shown  # a second answer may follow


REFUSED = (
    ("", "Сначала вставьте ссылку."),
    ("javascript:alert(1)", "Укажите адрес, который начинается с https://."),
    ("https://vk.com@evil.example/wall-1_2", "Прочитать по этому адресу мы не можем."),
)


async def test_nobody_but_a_known_platform_is_ever_asked(operator: Browser, enter: Enter, owner_db: Database) -> None:
    for link, sentence in REFUSED:
        answer = await paste(operator, link, text="Своими словами")
        assert (answer.status_code, sentence in answer.text) == (422, True), link
        assert "Своими словами</textarea>" in answer.text
    assert (await row(owner_db, "SELECT count(*) AS n FROM link_lookup")).n == 0
    assert (await row(owner_db, "SELECT count(*) AS n FROM pgqueuer WHERE entrypoint = 'link.fetch'")).n == 0
    assert (await paste(await enter("supervisor"), ELSEWHERE)).status_code == 403


async def test_a_link_of_another_site_stays_with_the_appeal(operator: Browser, town: Town, owner_db: Database) -> None:
    form: dict[str, Any] = {"key": "k" * 20, "text": "Яма", "agency": town.ours.id, "link": "https://forum.example/5"}
    opened = (await operator.post("/appeals/new", **form)).headers["location"]
    assert (await row(owner_db, "SELECT a.platform FROM appeal a JOIN appeal_text t ON t.appeal_id = a.id")).platform == "by_hand"
    assert 'href="https://forum.example/5"' in (await operator.get(opened)).text
    assert (await operator.post("/appeals/new", **form | {"link": "javascript:alert(1)"})).status_code == 422


async def test_nobody_takes_down_for_another_agency(operator: Browser, town: Town) -> None:
    response = await operator.post("/appeals/new", key="k" * 20, text="Вода", agency=town.theirs.id)
    assert response.status_code == 403


async def test_the_factories_appeal_without_a_comment_is_shown(operator: Browser, town: Town, owner_db: Database) -> None:
    async with owner_db.write() as session:
        made = await factories.make_taken_down_appeal(session, agency=town.ours, text="Ветки на обочине")
    assert "Ветки на обочине" in (await operator.get(f"/appeals/{number_text(made.number)}")).text


async def test_words_that_another_system_brought_stand_in_a_thread_that_lacks_them(
    operator: Browser, town: Town, owner_db: Database
) -> None:
    async with owner_db.write() as session:
        other = await factories.make_appeal(session, agency=town.ours)
        made = await factories.make_taken_down_appeal(session, agency=town.ours, text="Ветки на обочине")
        await session.execute(
            text("UPDATE appeal SET page_id = :page, post_id = :post, root_external_id = :root WHERE id = :id"),
            {"page": other.page_id, "post": other.post_id, "root": other.root_external_id, "id": made.id},
        )
        words = await session.scalar(text("SELECT text FROM comment WHERE id = :id"), {"id": other.comment_id})
        told = await factories.make_event(session, appeal=made, act=Act.CLOSED, data={"system": "incident", "reason": "solved"})
    assert told.data["system"] == "incident"
    shown = (await operator.get(f"/appeals/{number_text(made.number)}")).text
    assert "перенесено из другой системы" in shown
    assert shown.count("Ветки на обочине") >= 1
    assert str(words) in shown
    async with owner_db.write() as session:
        await session.execute(text("UPDATE comment SET text = 'Ветки  на обочине' WHERE id = :id"), {"id": other.comment_id})
    assert 'id="comment-0"' not in (await operator.get(f"/appeals/{number_text(made.number)}")).text
