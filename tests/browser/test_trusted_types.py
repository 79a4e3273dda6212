"""In a real browser: the policy holds, htmx and the chart work under it, pictures come through the proxy."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import sign_in

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from tests.harness import System

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="session")]

SINKS = {
    "innerHTML": "document.body.lastElementChild.innerHTML = '<img src=x onerror=1>'",
    "outerHTML": "document.createElement('div').outerHTML = '<b>x</b>'",
    "insertAdjacentHTML": "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
    "document.write": "document.write('<b>x</b>')",
    "a script's address": "document.createElement('script').src = '/static/ui.js'",
    "another policy": "trustedTypes.createPolicy('mine', {createHTML: (html) => html})",
    "the same policy again": "trustedTypes.createPolicy('otklik', {createHTML: (html) => html})",
}


async def test_stored_xss_no_script_writes_markup_or_code(system: System, browser: Browser) -> None:
    page = await sign_in(browser, system, "operator")
    for name, code in SINKS.items():
        told = await page.evaluate(f"(() => {{ try {{ {code}; return 'done'; }} catch (error) {{ return error.name; }} }})()")
        assert told == "TypeError", name
    await page.context.close()


async def test_the_chart_is_drawn_under_the_policy(system: System, browser: Browser) -> None:
    page = await sign_in(browser, system, "supervisor")
    await page.goto(f"{system.web_url}/reports")
    await page.locator("[data-picture] canvas").first.wait_for(timeout=15_000)
    await page.context.close()


async def test_a_citizen_s_picture_is_shown_through_the_proxy(system: System, browser: Browser) -> None:
    """From the sandbox's wall into the thread, loaded from our own address alone."""
    (found,) = await system.rows(
        "SELECT a.number FROM appeal a JOIN post p ON p.id = a.post_id LEFT JOIN comment c ON c.id = a.comment_id "
        "WHERE a.platform = 'vk' AND (p.attachments || c.attachments) @> '[{\"kind\": \"photo\"}]' ORDER BY a.id LIMIT 1"
    )
    page = await sign_in(browser, system, "coordinator")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{system.web_url}/appeals/{found.number}?status=all")
    shown = page.locator("img[data-picture]").first
    await shown.scroll_into_view_if_needed()
    async with asyncio.timeout(15):  # our own policy forbids the page to evaluate what playwright would wait for
        while not await shown.evaluate("picture => picture.naturalWidth"):
            await asyncio.sleep(0.1)
    assert {url.split("/")[2] for url in asked} == {system.web_url.split("/")[2]}
    await page.context.close()
