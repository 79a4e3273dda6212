"""A link is pasted on the screen: the worker fetches what stands there, the form fills by itself, the appeal is open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.conftest import sign_in

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.harness import System

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

PATIENCE = 45_000
WORDS = "А у нас на Речной третий день нет воды, когда включат?"


async def test_a_link_to_another_s_page_fills_the_form_and_opens_an_appeal(system: System, browser: Browser) -> None:
    """What was typed meanwhile stays; the answer is then said to have been posted by hand."""
    page = {"platform": "vk", "page": "chuzhaya"}
    await system.ask("POST", "/world/pages", {**page, "title": "Чужая страница", "id": 777001})
    post = (await system.ask("POST", "/world/posts", {**page, "text": "Новости соседей"}))["id"]
    told = {**page, "post_id": post, "text": WORDS, "author": "Вера Дальняя"}
    comment = (await system.ask("POST", "/world/comments", told))["id"]
    operator = await sign_in(browser, system, "operator")
    await operator.goto(f"{system.web_url}/appeals/new")
    await operator.fill("#new-link", f"https://vk.com/wall-777001_{post}?reply={comment}")
    await operator.fill("#new-author", "Со слов соседки")
    await operator.click("#new-source button")
    await expect(operator.locator("#new-text")).to_have_value(WORDS, timeout=PATIENCE)
    await expect(operator.locator("#new-author")).to_have_value("Со слов соседки")
    await expect(operator.locator(".led")).to_contain_text("vk.com")
    await operator.locator("input[name=agency]").first.check()
    await operator.click("text=Открыть обращение")
    await operator.wait_for_url(re.compile(r"/appeals/\d{9}"))
    await expect(operator.locator("#thread")).to_contain_text(WORDS)
    await operator.click("a[href$='/posted']")
    await operator.fill("#action-text", "Воду включили в 18:00.")
    await operator.click("#dialog button[type=submit]")
    await expect(operator.locator("#thread")).to_contain_text("Воду включили в 18:00.", timeout=PATIENCE)
    await expect(operator.locator(".state-pill")).to_contain_text("Ответ дан")
    await operator.context.close()
