"""The supervisor's pictures: all are drawn under the policy, and what is clicked is the list behind the number."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import sign_in

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from tests.harness import System

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="session")]


async def _total(page: Page) -> int:
    """Of the list to which a click has led."""
    await page.wait_for_url("**/reports/appeals?*")
    return int(await page.locator("#total").get_attribute("data-total") or -1)


async def test_a_number_a_tile_and_a_cell_lead_to_as_many_appeals(system: System, browser: Browser) -> None:
    page = await sign_in(browser, system, "supervisor")
    address = f"{system.web_url}/reports?measure=load"
    await page.goto(address)
    figures = page.locator("[data-picture]")
    for place in range(await figures.count()):
        await figures.nth(place).locator("canvas").wait_for(timeout=15_000)
    assert await figures.count() >= 3

    number = page.locator("dl.figures dd a").first
    expected = int((await number.inner_text()).replace("\xa0", ""))
    await number.click()
    assert await _total(page) == expected > 0

    await page.goto(address)
    tiles = page.locator("[data-picture=tiles]")
    expected = int(await tiles.locator("td").first.get_attribute("data-v") or -1)
    await tiles.locator("canvas").click(position={"x": 30, "y": 30})
    assert await _total(page) == expected

    await page.goto(address)
    heat = page.locator("[data-picture=heat]")
    await heat.locator("summary").click()
    cell = heat.locator("td[data-v] a").last
    expected = int(await cell.inner_text())
    await cell.click()
    assert await _total(page) == expected
    await page.context.close()
