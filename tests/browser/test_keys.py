"""The keyboard alone: what was written leaves the hands, a search is left into what it found, the counts keep up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.browser.conftest import sign_in

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.harness import System

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]

PATIENCE = 45_000


async def test_the_letters_work_again_once_something_was_sent(system: System, browser: Browser) -> None:
    """From the search to a found appeal, a note, and then an answer that does not end up in the note."""
    await system.write("svetloozersk_adm", "Когда уберут упавшее дерево с тротуара на Якорной, 93?", author="Лев Ключевской")
    await system.write("svetloozersk_adm", "Почему на Якорной, 93 второй день нет горячей воды?", author="Зоя Ключевская")
    operator = await sign_in(browser, system, "operator")
    await operator.wait_for_url("**/queue*")
    await expect(operator.locator("[data-row]", has_text="Якорной, 93")).to_have_count(2, timeout=PATIENCE)
    mine = operator.locator("#f-mine + span b")
    before = int(await mine.inner_text())

    await operator.keyboard.press("/")
    await operator.keyboard.type("Якорной 93")
    await operator.keyboard.press("Enter")
    await expect(operator.locator("[data-row]")).to_have_count(2, timeout=PATIENCE)
    await expect(operator.locator("#q")).to_have_value("Якорной 93")
    await operator.keyboard.press("j")
    await operator.wait_for_url("**/appeals/*")
    number = await operator.locator("#card .appeal-head").get_attribute("data-number")
    await operator.keyboard.press("a")
    await expect(operator.locator("#card .appeal-head")).to_contain_text("В работе", timeout=PATIENCE)

    await operator.keyboard.press("n")
    await operator.keyboard.type("Позвонили в диспетчерскую.")
    await operator.keyboard.press("Control+Enter")
    await expect(operator.locator(".note")).to_contain_text("Позвонили в диспетчерскую.", timeout=PATIENCE)
    await operator.keyboard.press("r")
    await operator.keyboard.type("Здравствуйте! Бригада уже едет.")
    await expect(operator.locator("#answer-text")).to_have_value("Здравствуйте! Бригада уже едет.")
    await operator.keyboard.press("Control+Enter")
    await expect(operator.locator("#card .reply")).to_contain_text("Бригада уже едет.", timeout=PATIENCE)
    await operator.keyboard.press("j")
    await operator.wait_for_url(lambda url: "/appeals/" in url and str(number) not in url)
    assert await operator.locator(".note").count() == 0

    await operator.keyboard.press("a")
    await operator.keyboard.press("/")
    await operator.keyboard.press("Delete")
    await operator.keyboard.press("Enter")
    await expect(mine).to_have_text(str(before + 1), timeout=PATIENCE)
    await operator.context.close()
