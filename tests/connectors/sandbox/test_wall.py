"""The wall: pages, forms, news, and a real browser."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import async_playwright, expect

from connectors.sandbox.hub import KEPT, Hub
from connectors.sandbox.wall.texts import TEXTS, choose, words
from tests.connectors.sandbox.conftest import TOWN

if TYPE_CHECKING:
    from collections.abc import Callable

    from vk_api import VkApi

    from connectors.sandbox.server import Running
    from tests.connectors.sandbox.clients import Client


def test_pages_are_listed_and_walls_show_threads(http: Client) -> None:
    index = http.http.get("/").text
    assert index.count('data-testid="page-card"') == 3
    wall = http.http.get("/wall/vk/town").text
    assert "А тротуар у школы?" in wall
    assert 'data-replies="2"' in wall
    assert "Удалённый аккаунт" in wall
    assert http.http.get("/wall/vk/town/1").text.count('data-testid="comment"') == 3
    assert http.http.get("/wall/vk/nowhere").status_code == 404
    assert http.http.get("/wall/ok/town").status_code == 404


def test_nothing_from_outside_and_no_inline_script(http: Client) -> None:
    http.comment("см. фото", photo="https://example.org/p.jpg")
    response = http.http.get("/wall/vk/town")
    policy = response.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert 'src="https:' not in response.text
    assert "https://example.org/p.jpg" in response.text
    for name in ("wall.js", "wall.css"):
        assert http.http.get(f"/static/{name}").status_code == 200
    assert http.http.get("/static/routes.py").status_code == 404


def test_languages_are_complete_and_chosen(http: Client) -> None:
    assert all(russian and english for russian, english in TEXTS.values())
    assert words("ru").keys() == words("en").keys()
    asked = [("en", "ru", "ru"), (None, "en", "ru"), (None, None, "en-GB,en"), ("de", None, None)]
    assert [choose(*each) for each in asked] == ["en", "en", "en", "ru"]
    assert "Write a comment" in http.http.get("/wall/vk/town?lang=en").text
    assert "Write a comment" in http.http.get("/wall/vk/town").text  # remembered
    http.http.cookies.clear()
    assert "Написать комментарий" in http.http.get("/wall/vk/town", headers={"Accept-Language": "ru"}).text


def test_forms_write_and_lead_back(http: Client) -> None:
    form = {"text": "строка\r\nещё", "author": "Нина", "photo": ""}
    response = http.http.post("/wall/vk/town/1/comments", data=form)
    assert (response.status_code, response.headers["location"]) == (303, "/wall/vk/town")
    assert http.get("/truth?platform=vk")["comments"][-1]["text"] == "строка\nещё"
    response = http.http.post("/wall/vk/town/1/comments", data={"text": "", "author": "Нина"})
    assert response.status_code == 400
    made = http.http.post("/wall/vk/town/posts", data={"text": "Пост"}, headers={"Accept": "application/json"}).json()
    assert f'data-post-id="{made["id"]}"' in http.http.get("/wall/vk/town").text
    assert http.http.post("/wall/vk/town/1/2/explode").status_code == 404


def test_news_are_streamed_and_resumed(http: Client) -> None:
    start = http.get("/health")["events"]
    http.comment("Раз")
    made = http.comment("Два")
    http.post("/world/posts", {"platform": "vk", "page": "village", "text": "Не сюда"})

    def first(count: int, after: int | None = None, last: str = "") -> list[dict[str, str]]:
        events: list[dict[str, str]] = []
        address = "/wall/vk/town/events" if after is None else f"/wall/vk/town/events?after={after}"
        with http.http.stream("GET", address, timeout=5, headers={"Last-Event-ID": last}) as stream:
            event: dict[str, str] = {}
            for line in stream.iter_lines():
                if line:
                    key, _, value = line.partition(": ")
                    event[key] = value
                elif "event" in event:
                    events.append(event)
                    event = {}
                    if len(events) == count:
                        break
                else:
                    event = {}
        return events

    both = first(2, after=start)
    assert [json.loads(event["data"])["op"] for event in both] == ["comment", "comment"]
    (again,) = first(1, last=both[0]["id"])
    assert json.loads(again["data"])["id"] == int(made["id"])
    assert first(1, after=10**6)[0]["event"] == "missed"


def test_missed_news_are_known_to_be_missed() -> None:
    hub = Hub()
    for number in range(KEPT + 10):
        hub.hear({"op": "comment", "platform": "vk", "page": "town", "post_id": 1, "id": number})
    assert hub.since(5) is None
    latest = hub.since(KEPT + 8)
    assert latest is not None
    assert [news.id for news in latest] == [KEPT + 8, KEPT + 9]
    assert hub.since(KEPT + 10) == []


@pytest.mark.browser
@pytest.mark.timeout(90)
async def test_a_citizen_writes_and_sees_the_answer_arrive(sandbox: Running, http: Client, vk: Callable[..., VkApi]) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("needs a Chromium on this machine")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = await browser.new_page(locale="ru-RU")
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
        await page.goto(f"{sandbox.url}/wall/vk/town")
        await expect(page.get_by_test_id("live-state")).to_have_text("обновляется сразу")
        await page.get_by_test_id("author-name").fill("Нина Щукина")
        await page.get_by_test_id("new-comment-text").fill("<b>Где</b> фонарь?")
        await page.get_by_test_id("new-comment-send").click()
        mine = page.locator("[data-comment-id]", has_text="<b>Где</b> фонарь?")
        await expect(mine).to_be_visible()
        number = int(await mine.get_attribute("data-comment-id") or 0)
        await page.get_by_test_id("new-comment-text").fill("черновик")
        values = {"owner_id": -TOWN, "post_id": 1, "reply_to_comment": number, "from_group": 1, "message": "Починим."}
        answer = vk().method("wall.createComment", values)["comment_id"]
        shown = page.locator(f'[data-replies="{number}"] [data-comment-id="{answer}"]')
        await expect(shown).to_contain_text("Починим.")
        assert await shown.get_attribute("data-testid") == "answer"
        assert await page.get_by_test_id("new-comment-text").input_value() == "черновик"
        await mine.get_by_test_id("edit-button").click()
        await page.get_by_test_id("edit-text").fill("Где фонарь у дома 5?")
        await page.get_by_test_id("edit-save").click()
        edited = page.locator(f'[data-comment-id="{number}"]')
        await expect(edited).to_contain_text("дома 5")
        await edited.get_by_test_id("reply-button").click()
        await page.get_by_test_id("reply-text").fill("Добавлю: не горит неделю")
        await page.get_by_test_id("reply-send").click()
        await expect(page.locator(f'[data-replies="{number}"]')).to_contain_text("не горит неделю")
        await edited.get_by_test_id("delete-button").click()
        await expect(edited).to_contain_text("Комментарий удалён")
        await edited.get_by_test_id("restore-button").click()
        await expect(edited).to_contain_text("дома 5")
        await page.get_by_test_id("write-as").select_option("page")
        await page.get_by_test_id("new-post-text").fill("Фонарь починен")
        await page.get_by_test_id("new-post-send").click()
        await expect(page.get_by_test_id("post").first).to_contain_text("Фонарь починен")
        await browser.close()
    assert troubles == []
    assert http.get("/truth")["answers"][0]["reply_to"] == str(number)
