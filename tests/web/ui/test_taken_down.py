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
    from tests.web.ui.conftest import Browser, Town


async def row(db: Database, statement: str, **params: object) -> Any:
    async with db.read() as session:
        return (await session.execute(text(statement), params)).one()


async def test_an_appeal_is_taken_down_once(operator: Browser, town: Town, owner_db: Database) -> None:
    page = (await operator.get("/appeals/new")).text
    key = re.findall(r'name="key" value="(\w+)"', page)[0]
    form = {
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
